//! PostgreSQL as a resource, and Pacemaker itself.

use super::facts::{Facts, Place, Unknown};
use super::rule::{Finding, Outcome};
use crate::cluster::cib::{Primitive, milliseconds};

/// Agents for PostgreSQL.
const AGENTS: [&str; 3] = ["ocf:quorate:postgres", "ocf:heartbeat:pgsqlms", "ocf:heartbeat:pgsql"];
/// Pacemaker's own where an operation has none.
const OWN_TIMEOUT_MS: i64 = 20_000;
/// The agent kills at 80 % of its time: below 20 s a fast shutdown, which writes a checkpoint, has less than 10 s.
const LEAST_STOP_MS: i64 = 20_000;
/// The first whose roles are called as here.
const LEAST_PACEMAKER: (u32, u32) = (2, 1);

fn servers(facts: &Facts) -> Result<Vec<&Primitive>, Unknown> {
    let cib = facts.cib.as_ref()?;
    Ok(cib.content.primitives.iter().filter(|p| AGENTS.contains(&p.agent.as_str())).collect())
}

/// An operation's timeout in milliseconds; a word that is no time is Pacemaker's own.
fn timeout_ms(text: Option<&str>) -> i64 {
    text.and_then(milliseconds).unwrap_or(OWN_TIMEOUT_MS)
}

pub(super) fn monitor_timeout(facts: &Facts) -> Outcome {
    let limit = facts.stonith_watchdog_s()?.value;
    let file = &facts.cib.as_ref()?.name;
    let mut found = Vec::new();
    for server in servers(facts)? {
        // A monitor without an interval is the probe, which nobody waits for in a failover.
        let recurring = |ms: Option<i64>| ms.is_some_and(|ms| ms > 0);
        let monitors =
            server.operations.iter().filter(|o| o.name == "monitor" && recurring(milliseconds(&o.interval)));
        for monitor in monitors {
            let timeout = timeout_ms(monitor.timeout.as_deref());
            if timeout < i64::from(limit) * 1000 {
                continue;
            }
            let role = monitor.role.as_ref().map(|r| format!(" role={r}")).unwrap_or_default();
            found.push(Finding::new(
                &Place::line(file, monitor.line),
                format!(
                    "the monitor of {}{role} has a timeout of {} s, stonith-watchdog-timeout is {limit} s",
                    server.id,
                    timeout / 1000
                ),
                format!(
                    "pcs resource update {} op monitor interval={}{role} timeout=5s",
                    server.id, monitor.interval
                ),
            ));
        }
    }
    Ok(found)
}

pub(super) fn stop_timeout(facts: &Facts) -> Outcome {
    let file = &facts.cib.as_ref()?.name;
    let short = servers(facts)?.into_iter().filter_map(|server| {
        let stop = server.operations.iter().find(|o| o.name == "stop");
        let timeout = timeout_ms(stop.and_then(|s| s.timeout.as_deref()));
        if timeout >= LEAST_STOP_MS {
            return None;
        }
        Some(Finding::new(
            &Place::line(file, stop.map_or(server.line, |s| s.line)),
            format!(
                "the stop of {} has a timeout of {} s, below {}",
                server.id,
                timeout / 1000,
                LEAST_STOP_MS / 1000
            ),
            format!("pcs resource update {} op stop timeout=60s", server.id),
        ))
    });
    Ok(short.collect())
}

pub(super) fn pacemaker_version(facts: &Facts) -> Outcome {
    let version = facts.pacemaker_version()?;
    if version.value >= LEAST_PACEMAKER {
        return Ok(Vec::new());
    }
    let (major, minor) = version.value;
    let what = format!("Pacemaker is {major}.{minor}");
    Ok(vec![Finding::new(&version.place, what, "upgrade, node after node, to a release of 2.1 or later")])
}
