//! Reads the nodes' journals after a run, for [`crate::record::phases`].
//!
//! One command on each node, when nothing is measured any more.

use std::time::Duration;

use crate::client::Pause;
use crate::client::clients::{Clients, Since};
use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::machines::protocol::{Event, Happening, NodeKind, Power, Stamp};
use crate::record::measure::{Outage, last_good_write, outage};
use crate::record::phases::journal::{Line, parse};
use crate::record::phases::noticed::{Noticed, noticed};
use crate::record::phases::{Failover, Scene, Watched, cut_off, failover, power_lost};
use crate::truth::{TakeOver, acked_by, take_over};

/// A journal of minutes is read in tens of milliseconds; on a host that is short of time in seconds.
const EACH: Duration = Duration::from_secs(20);
/// Who tells of a failover, besides the float IPs' agents.
const PROGRAMS: [&str; 9] = [
    "corosync",
    "sbd",
    "pacemakerd",
    "pacemaker-controld",
    "pacemaker-fenced",
    "pacemaker-schedulerd",
    "quorate-postgres",
    "quorated",
    "systemd",
];
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

    /// Has the clients know when nodes were paused since, and went on.
    ///
    /// # Errors
    /// When the supervisor does not answer.
    pub fn tell_of_pauses(&self, cluster: &Cluster, clients: &mut Clients) -> Result<()> {
        clients.stood_still(&pauses(&cluster.events()?, self));
        Ok(())
    }
}

/// The pauses since the injection, on the clients' clock. One that has not ended yet is none.
fn pauses(events: &[Event], injection: &Injection) -> Vec<Pause> {
    let since = |event: &Event| injection.at + event.at.since(&injection.stamp);
    let began = events.iter().filter(|e| e.happening == Happening::Paused && e.at >= injection.stamp);
    let pause = |event: &Event| {
        let ended = |e: &&Event| e.node == event.node && e.at > event.at && e.happening == Happening::Thawed;
        let end = events.iter().find(ended)?;
        Some(Pause { node: event.node.clone(), from: since(event), to: since(end) })
    };
    began.filter_map(pause).collect()
}

/// What the journals and the supervisor tell of a run.
#[derive(Debug, Clone)]
pub struct Told {
    injection: Injection,
    lines: Vec<Line>,
    events: Vec<Event>,
}

impl Told {
    /// Reads everything from the injection to `until` on the clients' clock; `None`: the wall clock was set meanwhile.
    ///
    /// # Errors
    /// When the supervisor does not answer. A node that doesn't leaves its lines out.
    pub fn read(cluster: &Cluster, injection: &Injection, until: Duration) -> Result<Option<Self>> {
        let (at, now) = (injection.stamp, Stamp::now());
        let wall = Duration::from_micros(now.wall_us.saturating_sub(at.wall_us));
        if wall.abs_diff(now.since(&at)) > CLOCK_WAS_SET {
            return Ok(None);
        }
        let end = at.wall_us.saturating_add(micros(until.saturating_sub(injection.at)));
        let mut events = cluster.events()?;
        events.retain(|event| event.at.wall_us <= end);
        let mut lines = read(cluster, injection, until)?;
        lines.retain(|line| line.at_us <= end);
        Ok(Some(Self { injection: injection.clone(), lines, events }))
    }

    fn scene(&self) -> Scene<'_> {
        Scene { fault_us: self.injection.stamp.wall_us, hit: &self.injection.hit }
    }

    /// Who noticed the fault, of which these are all the machines that it hit.
    #[must_use]
    pub fn noticed(&self, hit: &[String]) -> Vec<Noticed> {
        noticed(Scene { hit, ..self.scene() }, &self.lines, &self.events)
    }

    /// The end of each instance's primary and the beginning of the next one, until `until` on the clients' clock.
    #[must_use]
    pub fn take_overs(&self, cluster: &Cluster, clients: &Clients, until: Duration) -> Vec<TakeOver> {
        let each = cluster.site().instances.iter().zip(clients.each());
        let told = each.filter_map(|(instance, client)| {
            let mut ops = client.operations();
            ops.retain(|op| op.asked <= until);
            let mut told = take_over(&ops, self.injection.at)?;
            told.instance.clone_from(&instance.name);
            told.cut_ms = cut_off(self.scene(), &told.old_node, &self.events);
            let pauses = pauses(&self.events, &self.injection);
            if let Some(pause) = pauses.iter().rfind(|p| p.node == told.old_node) {
                told.went_on_ms = Some(millis(pause.to.saturating_sub(self.injection.at)));
                told.after_pause = acked_by(&ops, &told.old_node, pause.to);
            }
            if let Some((ms, cause)) = power_lost(self.scene(), &told.old_node, &self.events) {
                (told.reset_ms, told.reset_by) = (Some(ms), format!("{cause:?}").to_lowercase());
            }
            Some(told)
        });
        told.collect()
    }

    /// The ways back of the instances whose writes were interrupted until `until` on the clients' clock. Their outages count
    /// `from`.
    #[must_use]
    pub fn failovers(
        &self,
        cluster: &Cluster,
        clients: &Clients,
        from: Since,
        until: Duration,
    ) -> Vec<Failover> {
        let since = |time: Duration| millis(time.saturating_sub(self.injection.at));
        let ways = cluster.site().instances.iter().zip(clients.each()).filter_map(|(instance, client)| {
            let heart = client.heart().snapshot();
            let first_write_ms = match outage(&heart, self.injection.at, until) {
                Outage::None => return None,
                Outage::Restored(after) => Some(millis(after)),
                Outage::NotRestored => None,
            };
            let stopped = last_good_write(&heart, self.injection.at, until);
            let outage = match from {
                Since::Moment(at) => outage(&heart, at, until),
                Since::LastGoodWrite(_) => outage(&heart, stopped, until),
            };
            let names = cluster.site().names(instance);
            let watched = Watched {
                instance: &instance.name,
                resource: &names.resource(),
                float_ip: &names.primary_ip(),
                outage_ms: outage.millis(),
                writes_stopped_ms: since(stopped),
                first_write_ms,
            };
            Some(failover(self.scene(), watched, &self.lines, &self.events))
        });
        ways.collect()
    }
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

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
