//! The instances that the agent left word of. A postmaster's end wakes the control thread at once.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Board;
use super::log::Logs;
use crate::boundary::clock::Deadline;
use crate::boundary::host::{Effect, Level, Trouble};
use crate::boundary::process::{self, ProcessState};
use crate::boundary::{memory, registry};
use crate::decide::detector::{InstanceLook, Life};
use crate::pg::instance::{Instance, ProcessId};

/// The agent's words are read so often, and a stopped postmaster is looked for.
const ROUND: Duration = Duration::from_millis(500);

/// Where nothing of a server is left, /proc is read so seldom for what may come after it. Its agent's next start is told at once.
const GONE: Duration = Duration::from_secs(2);

/// The postmasters that have ended with all of theirs, and when that was seen.
#[derive(Default)]
struct Ended(BTreeMap<ProcessId, Instant>);

/// Looks, for ever.
pub(super) fn watch(board: &Arc<Board>, logs: &Logs) {
    let mut postmasters: BTreeMap<ProcessId, OwnedFd> = BTreeMap::new();
    let mut complaint = None;
    let mut gone = Ended::default();
    loop {
        let (instances, trouble) = read();
        if complaint != trouble {
            if let Some(trouble) = &trouble {
                logs.line(Level::Warning, format!("an instance can't be watched: {trouble}"));
            }
            complaint = trouble;
        }
        gone.0.retain(|id, _| instances.iter().any(|i| i.postmaster == Some(*id)));
        let looks: Vec<InstanceLook> = instances
            .into_iter()
            .map(|instance| {
                let score = memory::recall(&instance.resource).ok().and_then(|memory| memory.score);
                InstanceLook { life: gone.life(&instance), instance, score }
            })
            .collect();
        postmasters.retain(|id, _| looks.iter().any(|l| l.instance.postmaster == Some(*id)));
        for id in looks
            .iter()
            .filter(|l| !matches!(l.life, Life::Gone | Life::Leftovers))
            .filter_map(|l| l.instance.postmaster)
        {
            if !postmasters.contains_key(&id)
                && let Ok(Some(fd)) = process::open(id)
            {
                postmasters.insert(id, fd);
            }
        }
        let ended =
            |looks: &[InstanceLook]| looks.iter().any(|l| matches!(l.life, Life::Gone | Life::Leftovers));
        let over = ended(&looks);
        let before = std::mem::replace(&mut board.seen().instances, looks);
        let news = over && !ended(&before);
        if news {
            board.wake();
        }
        wait(&postmasters);
    }
}

fn read() -> (Vec<Instance>, Option<String>) {
    match registry::all() {
        Err(trouble) => (Vec::new(), Some(trouble.0)),
        Ok(all) => {
            let trouble = all.iter().find_map(|i| i.as_ref().err().map(|t| t.0.clone()));
            (all.into_iter().filter_map(Result::ok).collect(), trouble)
        }
    }
}

/// The user whose processes an instance's are, by the agent's word. A word that an agent before an upgrade left does not tell:
/// the user of its postmaster then, while that lives.
///
/// # Errors
/// Neither is known.
pub(super) fn owner(instance: &Instance) -> Effect<u32> {
    let told = instance.access.as_ref().map(|access| access.uid);
    told.or_else(|| instance.postmaster.and_then(process::user_of)).ok_or_else(|| {
        Trouble(format!("whose the processes in {} are is not known", instance.pgdata.display()))
    })
}

impl Ended {
    fn life(&mut self, instance: &Instance) -> Life {
        let Some(id) = instance.postmaster else { return Life::Unknown };
        match process::alive(id) {
            Err(_) => Life::Unknown,
            Ok(None) if self.0.get(&id).is_some_and(|at| at.elapsed() < GONE) => Life::Gone,
            Ok(None) => match owner(instance).and_then(|uid| {
                process::postgres_below(&instance.pgdata, uid).map_err(|e| Trouble(e.to_string()))
            }) {
                Ok(left) if left.is_empty() => {
                    self.0.insert(id, Instant::now());
                    Life::Gone
                }
                Ok(_) => Life::Leftovers,
                Err(_) => Life::Unknown,
            },
            Ok(Some(info)) if info.state == ProcessState::Stopped => Life::Stopped,
            Ok(Some(_)) => Life::Runs,
        }
    }
}

/// Until a postmaster ends, or the round is over. One that has ended already is no news.
fn wait(postmasters: &BTreeMap<ProcessId, OwnedFd>) {
    let living = postmasters.iter().filter(|(id, _)| matches!(process::alive(**id), Ok(Some(_))));
    let fds: Vec<_> = living.map(|(_, fd)| fd.as_fd()).collect();
    process::wait_any(&fds, Deadline::after(ROUND));
}
