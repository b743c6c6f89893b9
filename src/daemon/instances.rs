//! The instances that the agent left word of. A postmaster's end wakes the control thread at once.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::Logs;
use super::observations::Observations;
use crate::boundary::clock::Deadline;
use crate::boundary::host::{HostError, HostResult, Level};
use crate::boundary::process::{self, ProcessState};
use crate::boundary::{memory, registry};
use crate::decide::detector::{InstanceObservation, PostmasterState};
use crate::pg::instance::{Instance, ProcessId};

/// The agent's words are read so often, and a stopped postmaster is looked for.
const ROUND: Duration = Duration::from_millis(500);

/// Where nothing of a server is left, /proc is read so seldom for what may come after it. Its agent's next start is told at once.
const GONE: Duration = Duration::from_secs(2);

/// The postmasters that have ended with all of theirs, and when that was seen.
#[derive(Default)]
struct Ended(BTreeMap<ProcessId, Instant>);

/// Looks, for ever.
pub(super) fn watch(observations: &Arc<Observations>, logs: &Logs) {
    let mut postmasters: BTreeMap<ProcessId, OwnedFd> = BTreeMap::new();
    let mut complaint = None;
    let mut gone = Ended::default();
    loop {
        let (instances, error) = read();
        if complaint != error {
            if let Some(error) = &error {
                logs.line(Level::Warning, format!("an instance can't be watched: {error}"));
            }
            complaint = error;
        }
        gone.0.retain(|id, _| instances.iter().any(|i| i.postmaster == Some(*id)));
        let looks: Vec<InstanceObservation> = instances
            .into_iter()
            .map(|instance| {
                let score = memory::recall(&instance.resource).ok().and_then(|memory| memory.score);
                InstanceObservation { postmaster: gone.postmaster_state(&instance), instance, score }
            })
            .collect();
        postmasters.retain(|id, _| looks.iter().any(|l| l.instance.postmaster == Some(*id)));
        for id in looks
            .iter()
            .filter(|l| !matches!(l.postmaster, PostmasterState::Gone | PostmasterState::Leftovers))
            .filter_map(|l| l.instance.postmaster)
        {
            if !postmasters.contains_key(&id)
                && let Ok(Some(fd)) = process::open(id)
            {
                postmasters.insert(id, fd);
            }
        }
        let ended = |looks: &[InstanceObservation]| {
            looks.iter().any(|l| matches!(l.postmaster, PostmasterState::Gone | PostmasterState::Leftovers))
        };
        let over = ended(&looks);
        let before = {
            let mut latest = observations.latest();
            latest.instances_at = Some(Instant::now());
            std::mem::replace(&mut latest.instances, looks)
        };
        let news = over && !ended(&before);
        if news {
            observations.wake();
        }
        wait(&postmasters);
    }
}

fn read() -> (Vec<Instance>, Option<String>) {
    match registry::all() {
        Err(error) => (Vec::new(), Some(error.text)),
        Ok(all) => {
            let error = all.iter().find_map(|i| i.as_ref().err().map(|t| t.text.clone()));
            (all.into_iter().filter_map(Result::ok).collect(), error)
        }
    }
}

/// The user whose processes an instance's are, by the agent's word. A word that an agent before an upgrade left does not tell:
/// the user of its postmaster then, while that lives.
///
/// # Errors
/// Neither is known.
pub(super) fn owner(instance: &Instance) -> HostResult<u32> {
    let told = instance.access.as_ref().map(|access| access.uid);
    told.or_else(|| instance.postmaster.and_then(process::user_of)).ok_or_else(|| {
        HostError::missing(format!("the owner of the processes in {} is unknown", instance.pgdata.display()))
    })
}

impl Ended {
    fn postmaster_state(&mut self, instance: &Instance) -> PostmasterState {
        let Some(id) = instance.postmaster else { return PostmasterState::Unknown };
        match process::alive(id) {
            Err(_) => PostmasterState::Unknown,
            Ok(None) if self.0.get(&id).is_some_and(|at| at.elapsed() < GONE) => PostmasterState::Gone,
            Ok(None) => match owner(instance)
                .and_then(|uid| process::postgres_below(&instance.pgdata, uid).map_err(HostError::from))
            {
                Ok(left) if left.is_empty() => {
                    self.0.insert(id, Instant::now());
                    PostmasterState::Gone
                }
                Ok(_) => PostmasterState::Leftovers,
                Err(_) => PostmasterState::Unknown,
            },
            Ok(Some(info)) if info.state == ProcessState::Stopped => PostmasterState::Stopped,
            Ok(Some(_)) => PostmasterState::Runs,
        }
    }
}

/// Until a postmaster ends, or the round is over. One that has ended already is no news.
fn wait(postmasters: &BTreeMap<ProcessId, OwnedFd>) {
    let living = postmasters.iter().filter(|(id, _)| matches!(process::alive(**id), Ok(Some(_))));
    let fds: Vec<_> = living.map(|(_, fd)| fd.as_fd()).collect();
    process::wait_any(&fds, Deadline::after(ROUND));
}
