//! PostgreSQL as a resource, and Pacemaker itself.

use super::facts::{Facts, Place, Unknown};
use super::instances::is_server;
use super::rule::{Finding, Outcome};
use crate::cluster::cib::resources::{OWN_TIMEOUT_MS, Op, Resource};

/// The agent kills at 80 % of its time: below 20 s a fast shutdown, which writes a checkpoint, has less than 10 s.
const LEAST_STOP_MS: i64 = 20_000;
/// The first whose roles are called as here.
const LEAST_PACEMAKER: (u32, u32) = (2, 1);

fn servers(facts: &Facts) -> Result<Vec<&Resource>, Unknown> {
    Ok(facts.cib.as_ref()?.content.resources.iter().filter(|r| is_server(r)).collect())
}

pub(super) fn monitor_timeout(facts: &Facts) -> Outcome {
    let limit = facts.stonith_watchdog_s()?.value;
    let file = &facts.cib.as_ref()?.name;
    let mut found = Vec::new();
    for server in servers(facts)? {
        // A monitor without an interval is the probe, which nobody waits for in a failover.
        let monitors = server.operations.iter().filter(|o| o.name == "monitor" && o.recurs());
        for monitor in monitors {
            let timeout = monitor.timeout_ms();
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
        let timeout = stop.map_or(OWN_TIMEOUT_MS, Op::timeout_ms);
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
