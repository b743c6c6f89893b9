//! `quorate status`: the cluster as this node sees it.

use std::fmt::Write as _;

use clap::Args;

use super::{CliError, doctor};
use crate::boundary::{inspect, printable, setup};
use crate::cluster::corosync;
use crate::decide::doctor::examine;
use crate::decide::doctor::read::read;
use crate::decide::doctor::span;
use crate::decide::overview::{Overview, Seen, Server, overview};

/// How to print it.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 nothing is wrong, 1 warnings, 2 errors or worse, or no cluster to look at"
)]
pub struct StatusArgs {
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Without a cluster there is nothing to show.
const NOTHING: u8 = 2;

/// Looks and prints; gives the exit code.
///
/// # Errors
/// When this machine's name can't be had, or the document not be written.
pub(super) fn run(args: &StatusArgs) -> Result<u8, CliError> {
    let host = setup::host_name()?;
    let live = match doctor::look().and_then(|live| {
        let facts = read(live.gathered).map_err(|e| e.to_string())?;
        Ok((live.status, live.instances, facts))
    }) {
        Ok(live) => live,
        Err(problem) => {
            eprintln!("quorate: {}", printable::line(&problem));
            return Ok(NOTHING);
        }
    };
    let (status, instances, facts) = live;
    let report = examine(&facts);
    let servers = instances.unwrap_or_default().iter().map(|i| (i.resource.clone(), i.answer())).collect();
    let seen = Seen {
        host: &host,
        status: &status,
        report: &report,
        connected: inspect::quorum_device().map(|said| corosync::quorum_device_is_connected(&said)),
        sbd_runs: inspect::runs("sbd.service"),
        servers,
        facts: &facts,
    };
    let found = overview(&seen);
    if args.json {
        let text = serde_json::to_string_pretty(&found).map_err(|e| CliError::Other(e.to_string()))?;
        println!("{text}");
    } else {
        print!("{}", printable::lines(&text(&found)));
    }
    Ok(found.exit_code())
}

fn text(found: &Overview) -> String {
    let mut out = String::new();
    let number = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
    let quorum = match found.quorate {
        Some(true) => "quorate",
        Some(false) => "NO quorum",
        None => "quorum unknown",
    };
    let votes = found.votes.as_ref().map_or(String::new(), |v| {
        format!(", {} of {} votes, {} needed", number(v.present), number(v.expected), number(v.needed))
    });
    let dc = found.dc.as_deref().unwrap_or("none");
    let _ = writeln!(out, "seen from     {}\nquorum        {quorum}{votes}; DC {dc}", found.seen_from);
    let _ = writeln!(out, "quorum device {}\nfencing       {}", found.quorum_device, found.fencing);
    let _ = writeln!(out, "watchdog      {}\nquorated      {}", found.watchdog, found.quorated);
    let present = found.members.iter().filter(|m| m.expected && m.state == "online").count();
    let expected = found.members.iter().filter(|m| m.expected).count();
    let words: Vec<String> = found
        .members
        .iter()
        .map(|m| {
            let away = m.away_s.map_or(String::new(), |s| format!(" for {}", span(s)));
            let more = if m.expected { "" } else { " (not in corosync.conf)" };
            format!("{} {}{away}{more}", m.name, m.state)
        })
        .collect();
    let _ = writeln!(out, "members       {present} of {expected}: {}\n", words.join(", "));
    out.push_str(&table(&found.servers));
    if found.issues.is_empty() {
        out.push_str("\nno issues found\n");
    }
    for issue in &found.issues {
        let (what, cure) = (printable::line(&issue.what), printable::line(&issue.cure));
        let _ = writeln!(out, "\n{}: {what}\n  cure  {cure}", issue.severity.name());
    }
    out
}

const HEADINGS: [&str; 8] = ["resource", "node", "role", "timeline", "LSN", "lag", "replication", "score"];

fn table(servers: &[Server]) -> String {
    let dash = || "-".to_owned();
    let mut rows: Vec<[String; 8]> = vec![HEADINGS.map(str::to_owned)];
    rows.extend(servers.iter().map(|s| {
        [
            s.resource.clone(),
            s.node.clone(),
            s.role.clone(),
            s.timeline.map_or_else(dash, |t| t.to_string()),
            s.lsn.map_or_else(dash, |l| l.to_string()),
            s.lag_bytes.map_or_else(dash, |b| format!("{b} B")),
            s.replication.clone().unwrap_or_else(dash),
            s.score.map_or_else(dash, |s| s.to_string()),
        ]
    }));
    let width =
        |column: usize| rows.iter().map(|r| printable::line(&r[column]).chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| printable::line(cell))
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    out
}
