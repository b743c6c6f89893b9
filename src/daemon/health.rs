//! What proxies and monitoring are told ([`crate::cluster::health`]): what `quorated` has seen, and by its helper process what each
//! server says of itself. None of it is read back: no decision of `quorated` waits for it or hangs on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::log::Logs;
use super::observations::{Latest, Observations};
use super::pause;
use crate::boundary::clock::{Deadline, boottime};
use crate::boundary::companion::Companion;
use crate::boundary::host::Level;
use crate::cluster::clock::BootTime;
use crate::cluster::health::{Health, InstanceHealth, Postmaster, QuorumFact, TrialWrite};
use crate::decide::detector::{InstanceObservation, Maintenance, PostmasterState};
use crate::pg::instance::{Access, ProcessId};

/// Between two tellings.
const ROUND: Duration = Duration::from_millis(500);
/// The helper asks its servers in threads of their own, and answers at once.
const ANSWERING: Duration = Duration::from_secs(1);

/// What the helper answers where nothing is wrong; else it says what is.
pub(super) const WRITTEN: &str = "written";

/// What the helper is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) health: Health,
    /// Who is to be asked.
    pub(super) servers: Vec<Server>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Server {
    pub(super) resource: String,
    /// An answer is this process's.
    pub(super) postmaster: ProcessId,
    pub(super) access: Access,
}

/// Tells, for ever.
pub(super) fn tell(observations: &Arc<Observations>, mut helper: Companion, logs: &Logs) {
    let mut said = None;
    loop {
        let told = told(&observations.latest());
        let sent = serde_json::to_vec(&told).map_err(|e| e.to_string());
        let sent =
            sent.and_then(|text| helper.ask(&text, Deadline::after(ANSWERING)).map_err(|e| e.to_string()));
        // What it says: why the file can't be written.
        let trouble = match sent {
            Ok(text) if text == WRITTEN.as_bytes() => None,
            Ok(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            Err(error) => Some(error),
        };
        if let (Some(why), None) = (&trouble, &said) {
            logs.line(Level::Warning, format!("the HTTP endpoint says 503 now: {why}"));
        }
        said = trouble;
        pause(ROUND);
    }
}

fn told(latest: &Latest) -> Told {
    let (now, booted) = (Instant::now(), boottime());
    let at = |at: Instant| booted.before(u64::try_from((now - at).as_millis()).unwrap_or(u64::MAX));
    let quorum = latest.votes.map(|(answer, seen)| QuorumFact {
        at: at(seen),
        quorate: answer.quorate,
        votes: answer.votes.map(|v| [v.total, v.needed, v.own, v.device]),
    });
    let ending = latest.request.as_ref().map(|by| format!("Pacemaker has it fenced, says {by}"));
    let writes = latest.places.iter().map(|placed| TrialWrite {
        path: placed.look.path.display().to_string(),
        pending: placed.now(false).pending,
        took_ms: placed.took.and_then(|took| u64::try_from(took.as_millis()).ok()),
    });
    let health = Health {
        looked: looked(latest, now, booted),
        quorum,
        members: latest.nodes.len(),
        ending,
        others_go_on_ms: latest.others_go_on,
        writes: writes.collect(),
        instances: latest.instances.iter().map(|i| instance(i, latest)).collect(),
    };
    let servers = latest.instances.iter().filter(|i| i.postmaster == PostmasterState::Runs);
    let servers = servers.filter_map(|i| {
        let (postmaster, access) = (i.instance.postmaster?, i.instance.access.clone()?);
        Some(Server { resource: i.instance.resource.clone(), postmaster, access })
    });
    Told { health, servers: servers.collect() }
}

/// When the thread that watches the instances looked last: one that hangs makes all of this old.
fn looked(latest: &Latest, now: Instant, booted: BootTime) -> BootTime {
    let age = latest.instances_at.map(|at| (now - at).as_millis());
    booted.before(age.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(u64::MAX))
}

fn instance(observation: &InstanceObservation, latest: &Latest) -> InstanceHealth {
    let instance = &observation.instance;
    let management = &latest.cluster.management;
    let everything = (latest.cluster.maintenance == Maintenance::On).then(|| "maintenance-mode".to_owned());
    let node = management.node(latest.node_id, instance.node.as_deref());
    InstanceHealth {
        resource: instance.resource.clone(),
        role: instance.role,
        phase: instance.phase,
        postmaster: match observation.postmaster {
            PostmasterState::Runs => Postmaster::Runs,
            PostmasterState::Stopped => Postmaster::Stopped,
            PostmasterState::Gone | PostmasterState::Leftovers => Postmaster::Gone,
            PostmasterState::Unknown => Postmaster::Unknown,
        },
        unmanaged: everything
            .or_else(|| management.cluster.clone())
            .or_else(|| node.and_then(|node| node.maintenance.clone()))
            .or_else(|| management.unmanaged.get(&instance.resource).cloned()),
        answer: None,
        safe_mode: None,
        generation: None,
        promotions: std::collections::BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::corosync_lib::QuorumAnswer;
    use crate::decide::detector::Limits;

    #[test]
    fn each_fact_has_the_age_of_its_own_look() {
        let observations = Observations::new(std::sync::mpsc::sync_channel(1).0, Limits::default());
        let mut latest = observations.latest();
        assert_eq!(told(&latest).health.looked, BootTime::at(0), "never");
        assert_eq!(told(&latest).health.quorum, None);
        let answer = QuorumAnswer { quorate: true, device_votes: None, device_alive: None, votes: None };
        latest.instances_at = Instant::now().checked_sub(Duration::from_secs(2));
        latest.votes = Some((answer, Instant::now()));
        let health = told(&latest).health;
        let age = |at: BootTime| boottime().since(at);
        assert!((1900..4000).contains(&age(health.looked)), "{}", age(health.looked));
        assert!(health.quorum.is_some_and(|q| q.quorate && age(q.at) < 1000));
    }
}
