//! docs/endpoint.md: every combination of facts, and the names of the metrics.

use std::fmt::Write as _;

use quorate::cluster::health::Postmaster;
use quorate::decide::health::{Check, Facts, Limit, Node, Said, decide};
use quorate::http::metrics::METRICS;
use quorate::pg::instance::Phase;
use quorate::pg::role::PgRole;

use super::merge::{Column, table};

pub fn check(check: Check) -> String {
    let columns: [Column; 4] = [
        vec!["told nothing lately", "being reset", "no quorum", "quorum unknown", "quorum"],
        vec!["runs", "gone", "stopped by a signal", "unknown", "Pacemaker stops or demotes it"],
        vec!["promoted", "not promoted"],
        vec![
            "nothing lately",
            "not in recovery",
            "streams, within the lag",
            "streams, behind",
            "lag unknown",
        ],
    ];
    let heads = ["the node", "PostgreSQL", "recorded by the agent", "what it says", "answer"];
    table(&heads, &columns, &|chosen| {
        let [node, process, recorded, said] = chosen else { unreachable!("four columns") };
        let postmasters = [Postmaster::Runs, Postmaster::Gone, Postmaster::Stopped, Postmaster::Unknown];
        let facts = Facts {
            node: Node::ALL[*node],
            recorded: [PgRole::Primary, PgRole::Standby][*recorded],
            phase: if *process == 4 { Phase::Stopping } else { Phase::Running },
            postmaster: postmasters.get(*process).copied().unwrap_or(Postmaster::Runs),
            said: Said::ALL[*said],
        };
        match decide(check, &facts) {
            Ok(yes) => format!("**200** {yes}"),
            Err(no) => format!("503 {no}"),
        }
    })
}

pub fn replica() -> String {
    check(Check::Replica(Some(Limit::Bytes(0))))
}

pub fn metrics() -> String {
    let mut text = "| name | labels | |\n|---|---|---|\n".to_owned();
    for metric in METRICS {
        let _ = writeln!(text, "| `{}` | {} | {} |", metric.name, metric.labels.join(", "), metric.help);
    }
    text
}
