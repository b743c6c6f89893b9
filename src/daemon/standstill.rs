//! The thread that is the first after a standstill of the node, and ends its primaries: before corosync and sbd, which run at the
//! highest priority too and have much to do then, before a session acknowledges its next commit, and before systemd, which takes
//! `quorated` itself for hung and kills it.
//!
//! It needs nothing that somebody else may hold who does not run yet: no memory, no log, nothing that the looking threads lock. What
//! it is to kill the control thread has opened beforehand; that one says what was done, and looks for what is left.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::instances;
use super::keepalive::Keepalive;
use super::log::Logs;
use super::observations::Observations;
use crate::boundary::clock::{boottime, sleep_by_boottime};
use crate::boundary::host::Level;
use crate::boundary::process::prepared::{Family, LIST};
use crate::boundary::realtime;
use crate::decide::detector::{InstanceObservation, Maintenance, Millis};
use crate::decide::standstill::{self, OTHERS_GO_ON_MS};
use crate::pg::instance::ProcessId;

/// Between two looks at the clock. A node that goes on finds this time over, however long it is.
const ROUND: Duration = Duration::from_millis(500);

/// A gap as long as that is one of the node, at this priority. systemd takes a process for hung that was silent for 5 s.
const GAP_MS: Millis = 2000;

/// What the thread goes by. Locked by it and by the control thread, which runs before all usual ones, for moments only.
pub(super) struct Standstill {
    terms: Mutex<Terms>,
}

struct Terms {
    others_go_on: Millis,
    maintenance: Maintenance,
    primaries: Vec<Family>,
}

/// What the control thread has told.
#[derive(Default)]
pub(super) struct Told(Vec<(ProcessId, u32)>);

impl Standstill {
    pub(super) const fn new() -> Self {
        let (others_go_on, maintenance) = (OTHERS_GO_ON_MS, Maintenance::Off);
        Self { terms: Mutex::new(Terms { others_go_on, maintenance, primaries: Vec::new() }) }
    }

    /// Has the thread go by this. `told`: what it goes by already.
    pub(super) fn go_by(
        &self,
        instances: &[InstanceObservation],
        others_go_on: Millis,
        maintenance: Maintenance,
        told: &mut Told,
    ) {
        let primaries: Vec<(ProcessId, u32)> = instances
            .iter()
            .filter(|look| look.may_write())
            .filter_map(|look| Some((look.instance.postmaster?, instances::owner(&look.instance).ok()?)))
            .collect();
        let families = (primaries != told.0).then(|| {
            // Whoever can't be opened is killed by the control thread.
            primaries.iter().filter_map(|(id, uid)| Family::of(*id, *uid).ok().flatten()).collect()
        });
        // What was is given back after the lock is.
        let _before = {
            let mut terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
            (terms.others_go_on, terms.maintenance) = (others_go_on, maintenance);
            families.map(|families: Vec<Family>| std::mem::replace(&mut terms.primaries, families))
        };
        told.0 = primaries;
    }

    /// Ends the primaries where so much time went by that the others go on without this node. Whether it did.
    fn look(&self, elapsed: Millis, list: &mut [u8]) -> bool {
        let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = standstill::ends_primaries(elapsed, terms.others_go_on, terms.maintenance);
        if ends {
            terms.primaries.iter().for_each(|family| family.kill(list));
        }
        ends
    }
}

/// Looks at the clock, for ever.
pub(super) fn watch(
    standstill: &Standstill,
    keepalive: &Keepalive,
    observations: &Observations,
    logs: &Logs,
) {
    if let Err(e) = realtime::run_before_all() {
        logs.line(Level::Warning, format!("real-time scheduling: {e}; a node that stood still may commit"));
    }
    let mut list = vec![0; LIST];
    let mut last = boottime();
    loop {
        sleep_by_boottime(ROUND);
        let now = boottime();
        let elapsed = now - last;
        last = now;
        let ended = standstill.look(elapsed, &mut list);
        if elapsed >= GAP_MS {
            keepalive.stood_still();
        }
        if ended {
            observations.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::clock::Deadline;
    use crate::boundary::command::{Command, Detached, Environment};
    use crate::boundary::identity::SystemUser;
    use crate::boundary::process;
    use crate::daemon::allocations;

    /// A user's process that runs this script, and has two children then.
    fn server(user: &str, script: &str) -> Option<(Detached, u32, Vec<ProcessId>, tempfile::TempDir)> {
        if !nix::unistd::Uid::effective().is_root() {
            return None;
        }
        let user = SystemUser::lookup(user).expect("a user of every system");
        let directory = tempfile::tempdir().expect("a directory");
        let command = Command::new("/bin/sh").arg("-c").arg(script).run_as(&user);
        let log = std::fs::File::create(directory.path().join("log")).expect("a log");
        let server = command.environment(Environment::Clean).spawn_detached(log).expect("starts");
        let soon = Deadline::after(Duration::from_secs(5));
        while children(server.id()).len() < 2 && !soon.passed() {
            soon.sleep(Duration::from_millis(5));
        }
        let all = children(server.id());
        assert_eq!(all.len(), 2);
        Some((server, user.uid, all, directory))
    }

    fn children(of: ProcessId) -> Vec<ProcessId> {
        let list =
            std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", of.pid)).unwrap_or_default();
        let pids = list.split_ascii_whitespace().filter_map(|word| word.parse().ok());
        pids.filter_map(|pid| process::inspect(pid).ok().flatten().map(|info| info.id)).collect()
    }

    fn armed(family: Option<Family>, maintenance: Maintenance) -> Standstill {
        let primaries = family.into_iter().collect();
        Standstill { terms: Mutex::new(Terms { others_go_on: 10_000, maintenance, primaries }) }
    }

    #[test]
    fn the_primaries_of_a_node_that_stood_still_end_without_memory_being_taken() {
        let script = "(sleep 60; :) & (sleep 60; :) & wait";
        let Some((mut server, uid, all, _directory)) = server("nobody", script) else { return };
        let (postmaster, soon) = (server.id(), Deadline::after(Duration::from_secs(5)));
        assert!(Family::of(postmaster, uid + 1).expect("/proc").is_none(), "another user's");
        let family = || Family::of(postmaster, uid).expect("/proc");
        let mut list = vec![0; LIST];
        assert!(!armed(family(), Maintenance::Off).look(9_999, &mut list));
        assert!(!armed(family(), Maintenance::On).look(86_400_000, &mut list));
        soon.at_most(Duration::from_millis(20)).sleep(Duration::from_millis(20));
        assert_eq!((server.exited().expect("our child"), children(postmaster)), (None, all.clone()));
        let standstill = armed(family(), Maintenance::Off);
        let before = allocations::of_this_thread();
        assert!(standstill.look(10_000, &mut list));
        assert_eq!(allocations::of_this_thread() - before, 0, "who holds the allocator may not run yet");
        let everyone = [all.as_slice(), &[postmaster]].concat();
        assert_eq!(process::wait_gone(&everyone, soon).expect("/proc"), []);
        assert!(server.exited().expect("our child").is_some());
    }

    #[test]
    fn a_child_of_another_user_is_left_alone() {
        let script = "setpriv --reuid=65534 sleep 60 & sleep 60 & wait";
        let Some((server, uid, all, _directory)) = server("root", script) else { return };
        let soon = Deadline::after(Duration::from_secs(5));
        let others = |id: &ProcessId| process::only_user(id.pid) == Some(65534);
        while !all.iter().any(others) && !soon.passed() {
            soon.sleep(Duration::from_millis(5));
        }
        let (theirs, ours): (Vec<ProcessId>, Vec<ProcessId>) = all.into_iter().partition(others);
        assert_eq!((theirs.len(), ours.len()), (1, 1));
        let family = Family::of(server.id(), uid).expect("/proc");
        assert!(armed(family, Maintenance::Off).look(10_000, &mut vec![0; LIST]));
        assert_eq!(process::wait_gone(&[&ours[..], &[server.id()]].concat(), soon).expect("/proc"), []);
        let while_it_would_end = Deadline::after(Duration::from_millis(300));
        let left = process::wait_gone(&theirs, while_it_would_end).expect("/proc");
        assert_eq!(left, theirs, "another user's process was killed");
        process::signal(theirs[0], nix::sys::signal::Signal::SIGKILL).expect("it is ours to end");
    }
}
