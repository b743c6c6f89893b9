//! Reads the nodes' journals after a run, for [`super::phases`].
//!
//! One command on each node, when nothing is measured any more.

use std::time::Duration;

use super::clients::{Clients, Since};
use super::cluster::Cluster;
use super::error::Result;
use super::measure::{Outage, last_good_write, outage};
use super::phases::journal::{Line, parse};
use super::phases::{Failover, Scene, Watched, failover};
use super::protocol::{NodeKind, Power, Stamp};

/// A journal of minutes is read in tens of milliseconds; on a host that is short of time in seconds.
const EACH: Duration = Duration::from_secs(20);
/// Who tells of a failover, besides the float IPs' agents.
const PROGRAMS: [&str; 6] =
    ["corosync", "sbd", "pacemaker-controld", "pacemaker-fenced", "pacemaker-schedulerd", "quorate-postgres"];
/// The journals' clock is the wall clock, the clients' is not. Set by more than this during a run, the two don't agree any more.
const CLOCK_WAS_SET: Duration = Duration::from_millis(50);

/// When a fault was injected, on both clocks, and what it hit.
#[derive(Debug, Clone)]
pub struct Injection {
    /// On the host's clocks.
    pub stamp: Stamp,
    /// On the clients' clock.
    pub at: Duration,
    /// The nodes.
    pub hit: Vec<String>,
}

impl Injection {
    /// Of this moment.
    #[must_use]
    pub fn now(clients: &Clients, hit: &[String]) -> Self {
        Self { at: clients.now(), stamp: Stamp::now(), hit: hit.to_vec() }
    }
}

/// The ways back of the instances whose writes were interrupted between the injection and `until` on the clients' clock. Their
/// outages count `from`.
///
/// # Errors
/// When the supervisor does not answer. A node that doesn't leaves its steps out.
pub fn failovers(
    cluster: &Cluster,
    clients: &Clients,
    injection: &Injection,
    from: Since,
    until: Duration,
) -> Result<Vec<Failover>> {
    let (at, now) = (injection.stamp, Stamp::now());
    let wall = Duration::from_micros(now.wall_us.saturating_sub(at.wall_us));
    let since = |time: Duration| millis(time.saturating_sub(injection.at));
    let interrupted: Vec<_> = (cluster.site().instances.iter().zip(clients.each()))
        .filter_map(|(instance, client)| {
            let heart = client.heart().snapshot();
            let first = match outage(&heart, injection.at, until) {
                Outage::None => return None,
                Outage::Restored(after) => Some(millis(after)),
                Outage::NotRestored => None,
            };
            let stopped = last_good_write(&heart, injection.at, until);
            let outage = match from {
                Since::Moment(at) => outage(&heart, at, until),
                Since::LastGoodWrite(_) => outage(&heart, stopped, until),
            };
            Some((instance, since(stopped), first, outage.millis()))
        })
        .collect();
    if interrupted.is_empty() || wall.abs_diff(now.since(&at)) > CLOCK_WAS_SET {
        return Ok(Vec::new());
    }
    let events = cluster.events()?;
    let lines = read(cluster, injection, until)?;
    let scene = Scene { fault_us: at.wall_us, hit: &injection.hit };
    let each = interrupted.into_iter().map(|(instance, writes_stopped_ms, first_write_ms, outage_ms)| {
        let names = cluster.site().names(instance);
        let watched = Watched {
            instance: &instance.name,
            resource: &names.resource(),
            float_ip: &names.primary_ip(),
            outage_ms,
            writes_stopped_ms,
            first_write_ms,
        };
        failover(scene, watched, &lines, &events)
    });
    Ok(each.collect())
}

/// The lines of all nodes that run now, from the injection to `until`.
fn read(cluster: &Cluster, injection: &Injection, until: Duration) -> Result<Vec<Line>> {
    let second = |us: u64| format!("@{}", us / 1_000_000);
    let from = injection.stamp.wall_us;
    let lasted = until.saturating_sub(injection.at) + Duration::from_secs(1);
    let to = from.saturating_add(millis(lasted).saturating_mul(1000));
    let mut argv: Vec<String> =
        ["journalctl", "--no-pager", "-q", "-o", "short-unix"].map(str::to_owned).into();
    argv.extend([format!("--since={}", second(from)), format!("--until={}", second(to))]);
    let addresses = cluster.site().instances.iter().map(|i| cluster.site().names(i).primary_ip());
    let programs =
        PROGRAMS.into_iter().map(str::to_owned).chain(addresses.map(|ip| format!("IPaddr2({ip})")));
    argv.extend(programs.map(|program| format!("--identifier={program}")));
    let nodes = cluster.nodes()?;
    let running = nodes.iter().filter(|n| n.kind == NodeKind::Database && n.power == Power::On);
    let text = running.filter_map(|node| cluster.exec(&node.name, &argv, EACH).ok());
    Ok(text.flat_map(|out| parse(&out.stdout)).collect())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
