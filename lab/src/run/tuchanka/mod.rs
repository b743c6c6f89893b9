//! Tuchanka's protocol, so that our table can stand beside the published one of that test bed.
//!
//! Each of nine faults once, then faults at random; each on a database node at random, a bystander's counting as any
//! other. A run: healthy? → inject → ready? → note the reaction → wait until the others are stable → fix the node → healthy again.
//!
//! | word | it is |
//! |---|---|
//! | ready | five rounds in a row, in each of which a write through the primary's float IP is read back through a standby's; where there is no standby's float IP, the write alone; for every instance ([`ready`]) |
//! | reaction | from just before the injection to the end of ready |
//! | healthy | every standby streams, no failed actions, and it has been so for 25 s |
//!
//! The injection ends when the fault is seen to have happened; after two faults it ends later, as theirs does
//! ([`settling`]). Every wait has an end, which theirs have not: what never gets ready is a failed run.

pub mod plan;
pub mod ready;
pub mod table;

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::client::clients::Clients;
use crate::cluster::handle::Cluster;
use crate::cluster::health::wait_whole_for;
use crate::cluster::observe::Observation;
use crate::cluster::placement::placement;
use crate::faults::Fault;
use crate::host::error::{LabError, Result};
use crate::host::wait::{OnInterrupt, pause};
use crate::view::audience::Audience;
use crate::view::screen::roles;
use quorate::cluster::timing::Profile;
use ready::History;

/// How long it has to be healthy.
const STABLE: Duration = Duration::from_secs(25);
/// A node that has to be rebuilt took its time before.
const HEALTHY: Duration = Duration::from_secs(180);
/// Their pause after a fork bomb, which takes a while to grow.
const BOMB: Duration = Duration::from_secs(5);

/// A fault, with the name under which it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The lab's name.
    pub fault: &'static str,
    /// Theirs.
    pub name: &'static str,
    /// Mean, standard deviation (both in s) and count on the layouts 1 to 4; `None`: it was never noticed.
    pub reactions: Option<[(u32, u32, u32); 4]>,
}

/// The nine, in the order in which they are tried first, with what was published of CentOS 7, PostgreSQL 11 and PAF.
pub const NINE: [Published; 9] = [
    published("reset", "Reset", Some([(49, 6, 5), (39, 7, 18), (16, 17, 21), (6, 1, 17)])),
    published("power-off", "PowerOff", Some([(43, 8, 12), (39, 8, 21), (23, 18, 17), (15, 23, 15)])),
    published("shut-down", "ShutDown", Some([(22, 2, 15), (19, 5, 14), (21, 9, 18), (21, 10, 9)])),
    published("unlink", "UnLink", Some([(41, 6, 12), (42, 6, 18), (26, 18, 16), (47, 31, 18)])),
    published("postgres-kill", "Postgres-KILL", Some([(31, 10, 11), (14, 7, 14), (15, 14, 16), (6, 1, 13)])),
    published(
        "postgres-stop",
        "Postgres-STOP",
        Some([(125, 7, 17), (237, 101, 13), (130, 156, 20), (85, 141, 14)]),
    ),
    published("sbd-stop", "SBD-STOP", Some([(50, 6, 11), (47, 8, 13), (14, 9, 14), (69, 8, 21)])),
    published("fork-bomb", "ForkBomb", Some([(27, 8, 20), (31, 13, 16), (26, 6, 12), (42, 22, 22)])),
    published("out-of-space", "OutOfSpace", None),
];

const fn published(
    fault: &'static str,
    name: &'static str,
    reactions: Option<[(u32, u32, u32); 4]>,
) -> Published {
    Published { fault, name, reactions }
}

/// How long after the injection they begin to ask whether it is ready: as long as what was injected needs to take effect.
#[must_use]
pub fn settling(fault: &str, times: &Profile) -> Duration {
    match fault {
        // Until the watchdog bites; theirs did after 5 s.
        "sbd-stop" => Duration::from_secs(times.watchdog_s.into()),
        "fork-bomb" => BOMB,
        _ => Duration::ZERO,
    }
}

/// Waits until the cluster is ready; gives the reaction. The fault has happened.
///
/// # Errors
/// When it is not in the fault's time, or Ctrl-C was pressed.
pub fn wait_ready(
    cluster: &Cluster,
    clients: &Clients,
    fault: &Fault,
    injected_at: Duration,
    audience: &mut dyn Audience,
) -> Result<Duration> {
    pause(settling(fault.name, &cluster.site().profile), OnInterrupt::Stop)?;
    let from = clients.now();
    let end = Instant::now() + fault.restored_within;
    loop {
        let histories: Vec<History> = clients.each().iter().map(|c| history(c, from)).collect();
        if let Some(ready) = ready::ready(&histories, from) {
            return Ok(ready.saturating_sub(injected_at));
        }
        if Instant::now() >= end {
            let last: Vec<_> = clients.each().iter().map(|c| (c.heart().last(), c.beat().last())).collect();
            return Err(LabError::Timeout {
                what: "ready: five rounds of heart and beat in a row".to_owned(),
                seconds: fault.restored_within.as_secs(),
                last: format!("; heart and beat at last: {last:?}"),
            });
        }
        audience.look(&Observation::take(cluster)?, &clients.clients_seen());
        // Looking costs processor time that the cluster needs for what is being measured.
        pause(Duration::from_secs(1), OnInterrupt::Stop)?;
    }
}

/// Before the node is fixed they wait until the others are stable: a node that is mended while it is about to be fenced
/// would be reset in the middle of it. Gives the placement then. One that does not become stable is fixed all the same.
///
/// # Errors
/// When the lab's supervisor does not answer, or Ctrl-C was pressed.
pub fn wait_stable(cluster: &Cluster, clients: &Clients, audience: &mut dyn Audience) -> Result<String> {
    let end = Instant::now() + HEALTHY;
    let mut last = (String::new(), Instant::now());
    loop {
        let seen = Observation::take(cluster)?;
        audience.look(&seen, &clients.clients_seen());
        let unclean = seen.status.as_ref().map_or(true, |s| s.nodes.iter().any(|node| node.unclean));
        let now = format!("{}; {}", placement(&seen), roles(&seen));
        if unclean || now != last.0 {
            last = (now, Instant::now());
        }
        if last.1.elapsed() >= STABLE {
            return Ok(placement(&seen));
        }
        if Instant::now() >= end {
            audience.say(&format!("not stable within {} s; it is fixed all the same", HEALTHY.as_secs()));
            return Ok(placement(&seen));
        }
        pause(Duration::from_secs(1), OnInterrupt::Stop)?;
    }
}

fn history(client: &Client, from: Duration) -> History {
    let reads = client
        .endpoints()
        .standby
        .map(|_| client.beat().snapshot().into_iter().filter(|reading| reading.at >= from).collect());
    History { writes: client.heart().snapshot().into_iter().filter(|a| a.ended >= from).collect(), reads }
}

/// Waits until the cluster is healthy.
///
/// # Errors
/// What is missing, or that Ctrl-C was pressed.
pub fn wait_healthy(cluster: &Cluster) -> Result<()> {
    let seen = wait_whole_for(cluster, STABLE, HEALTHY, OnInterrupt::Stop)?;
    let failures = seen.status.map(|status| status.failures).unwrap_or_default();
    if failures.is_empty() {
        return Ok(());
    }
    Err(LabError::Host(format!("whole, but Pacemaker remembers failed actions: {failures:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    #[test]
    fn the_nine_are_known_and_different() {
        let mut names: Vec<&str> = NINE.iter().map(|p| p.fault).collect();
        for name in &names {
            assert!(faults::by_name(name).is_ok(), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 9);
    }

    #[test]
    fn only_what_takes_effect_later_is_asked_later() {
        let times = site(Kind::Classic).profile;
        let late: Vec<&str> =
            NINE.iter().map(|p| p.fault).filter(|f| !settling(f, &times).is_zero()).collect();
        assert_eq!(late, ["sbd-stop", "fork-bomb"]);
        assert_eq!(settling("sbd-stop", &times).as_secs(), u64::from(times.watchdog_s));
    }
}
