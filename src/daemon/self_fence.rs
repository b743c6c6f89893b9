//! The end of this node: PostgreSQL first, then a self-fencing notice to the others, then the reset, by one way after the other.
//!
//! Run in the control thread: from here on it does not come round any more, so that no watchdog is kept alive where all of this hangs. Where it
//! only fails, or systemd kills it, `quorated` is started anew, finds the mark, and tries again; the watchdog device is left to bite.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::evidence::Evidence;
use super::instances;
use super::line::Line;
use super::log::Logs;
use super::pause;
use super::resetter::{POWERING_OFF, RESET_WITHIN, Trigger};
use super::threads::spawn_for_once;
use crate::boundary::clock::Deadline;
use crate::boundary::host::Level;
use crate::boundary::node_reset::{self, Remains};
use crate::boundary::{corosync_lib, process, realtime, registry};
use crate::cluster::group::Message;
use crate::cluster::self_fencing::{How, SelfFencingNotice};
use crate::decide::detector::{InstanceObservation, PostmasterState, ShutdownMode};
use crate::decide::notice::{self, Instances, Marker, Postgres, Terms, Verdict};
use crate::pg::instance::ProcessId;

/// An orderly shutdown is waited for so long: backends end, and the standbys get what they lack. It takes far less, but for the checkpoint.
const SHUTDOWN: Duration = Duration::from_millis(250);
/// The end of PostgreSQL that was killed is awaited for so long; a process that waits for a device does not end.
const KILLING: Duration = Duration::from_millis(1000);
/// Before a reset: until so long after the decision.
const KILLED: Duration = Duration::from_millis(350);
/// The self-fencing notice, and corosync's leave, have so long. The others count on the reset after that and [`WRITING`]: where
/// corosync is slower the node goes without leaving, and they see it when the token is lost.
const PARTING: Duration = Duration::from_millis(150);
/// The evidence and the log have at least so long, at the end of all.
const WRITING: Duration = Duration::from_millis(100);
/// For ways to reset that don't come back.
const RESETTING: Duration = Duration::from_secs(3);

const _: () = assert!(
    KILLED.as_millis() + PARTING.as_millis() + WRITING.as_millis() <= RESET_WITHIN.as_millis()
        && SHUTDOWN.as_millis() < KILLED.as_millis()
);
/// Between two attempts to reset a node that lives on.
const AGAIN: Duration = Duration::from_secs(5);

/// What a reset is made with, besides PostgreSQL's end and the notice.
pub(super) struct Means {
    pub(super) trigger: Trigger,
    pub(super) evidence: Evidence,
}

/// Ends every process of these instances at once; whether none of them will ever run again.
pub(super) fn stop_primaries(instances: &[&InstanceObservation], logs: &Logs) -> bool {
    kill(instances, Deadline::after(KILLING), logs).is_ended()
}

/// What is left of the worst of them.
fn kill(instances: &[&InstanceObservation], deadline: Deadline, logs: &Logs) -> Postgres {
    // All of them first: none is to commit while the node's processes are gone through for another one.
    for instance in instances.iter().map(|look| &look.instance) {
        if let (Some(postmaster), Ok(uid)) = (instance.postmaster, instances::owner(instance)) {
            node_reset::kill_family(postmaster, &instance.pgdata, uid);
        }
    }
    let mut worst = Postgres::Gone;
    for look in instances {
        let instance = &look.instance;
        let name = &instance.resource;
        let left = instances::owner(instance)
            .and_then(|uid| node_reset::kill_postgres(&instance.pgdata, uid, deadline));
        worst = worst.max(match left {
            Ok(Remains::Nothing) => {
                logs.line(Level::Warning, format!("{name}: PostgreSQL is ended"));
                Postgres::Gone
            }
            Ok(Remains::Pending) => {
                logs.line(
                    Level::Warning,
                    format!("{name}: PostgreSQL is killed, and waits for a device before it is gone"),
                );
                Postgres::Pending
            }
            Ok(Remains::Alive) => {
                logs.line(Level::Error, format!("{name}: some of PostgreSQL is not ended yet"));
                Postgres::Alive
            }
            Err(error) => {
                logs.line(Level::Error, format!("{name}: {error}"));
                Postgres::Unknown
            }
        });
    }
    worst
}

/// Tells those that run to shut down (PostgreSQL's fast shutdown), and waits a moment for it.
fn shut_down(instances: &[&InstanceObservation], logs: &Logs) {
    let running = instances.iter().filter(|i| i.postmaster == PostmasterState::Runs);
    let mut postmasters: Vec<ProcessId> = Vec::new();
    for InstanceObservation { instance, .. } in running {
        if let (Some(id), Ok(uid)) = (instance.postmaster, instances::owner(instance)) {
            // Who can't be told is killed in the next moment.
            let _ = process::signal_of(uid, id, Signal::SIGINT);
            postmasters.push(id);
        }
    }
    let left = process::wait_gone(&postmasters, Deadline::after(SHUTDOWN));
    if !left.is_ok_and(|left| left.is_empty()) {
        logs.line(Level::Warning, "PostgreSQL is not shut down in time".to_owned());
    }
}

/// How this node is to end, and why.
pub(super) struct End<'a> {
    pub(super) why: &'a str,
    pub(super) how: How,
    pub(super) mode: ShutdownMode,
    /// Resources that may run here and that only the reset ends; `None`: not known.
    pub(super) foreign: Option<Vec<String>>,
}

/// Ends this node, within [`RESET_WITHIN`] whatever hangs meanwhile. Comes back only where no way to reset worked.
pub(super) fn end(
    end: &End<'_>,
    instances: &[InstanceObservation],
    line: &Arc<Line>,
    means: &Means,
    logs: &Logs,
) {
    let why = end.why;
    if end.how == How::Off {
        means.trigger.switches_off();
    }
    // From here on the node is reset in time also where this thread gets no further.
    means.trigger.arm(RESET_WITHIN);
    let (all, killed) = (Deadline::after(RESET_WITHIN), Deadline::after(KILLED));
    // Where it may not it has the priority that it had.
    let _ = realtime::run_before_all();
    means.evidence.leave(why, logs);
    logs.line(Level::Critical, format!("reset ({}): {why}", end.how.name()));
    let marked = node_reset::mark(why);
    if let Err(error) = &marked {
        logs.line(Level::Error, format!("the agent can't be told: {error}"));
    }
    let refs: Vec<&InstanceObservation> = instances.iter().collect();
    if end.mode == ShutdownMode::Orderly {
        shut_down(&refs, logs);
    }
    let mut facts = notice::Facts {
        postgres: kill(&refs, killed, logs),
        marker: if marked.is_ok() { Marker::Written } else { Marker::NotWritten },
        instances: Instances::NotRead,
        foreign: end.foreign.clone(),
        within: PARTING + WRITING,
    };
    loop {
        match notice::decide(&facts) {
            Verdict::ReadInstances => facts.instances = recorded(instances),
            Verdict::Send(terms) => {
                // The others count on it from the notice on.
                means.trigger.arm(terms.within);
                part(end, terms, instances, line, logs);
                break;
            }
            Verdict::Withhold(why) => {
                logs.line(Level::Error, format!("no self-fencing notice, {why}"));
                break;
            }
        }
    }
    let written = Deadline::after(WRITING);
    means.evidence.wait(all, logs);
    written.at_most(all.remaining()).sleep(WRITING);
    let patience = match end.how {
        How::Reboot => RESETTING,
        How::Off => RESETTING + POWERING_OFF,
    };
    no_way(&means.trigger.now(patience), logs);
}

fn no_way(failed: &str, logs: &Logs) {
    logs.line(
        Level::Error,
        format!("reset: none of the ways worked ({failed}); no watchdog device is kept alive any more"),
    );
    pause(WRITING);
}

/// What [`end`] did not bring to its end, where the node was marked before this process was started.
pub(super) fn go_on(why: &str, trigger: &Trigger, logs: &Logs) {
    logs.line(Level::Critical, format!("reset: again, an earlier one did not happen: {why}"));
    match registry::all() {
        Ok(all) => {
            let look = |instance| InstanceObservation {
                instance,
                postmaster: PostmasterState::Unknown,
                score: None,
            };
            let looks: Vec<InstanceObservation> = all.into_iter().filter_map(Result::ok).map(look).collect();
            stop_primaries(&looks.iter().collect::<Vec<_>>(), logs);
        }
        Err(error) => {
            logs.line(Level::Error, format!("which processes of PostgreSQL are left is unknown: {error}"))
        }
    }
    pause(WRITING);
    no_way(&trigger.now(RESETTING), logs);
    pause(AGAIN);
}

/// What the agent has recorded, beside these that were ended. One whose record can't be read may still write.
fn recorded(instances: &[InstanceObservation]) -> Instances {
    let known = |resource: &str| instances.iter().any(|look| look.instance.resource == resource);
    match registry::all().and_then(|all| all.into_iter().collect::<Result<Vec<_>, _>>()) {
        Ok(all) => match all.into_iter().find(|instance| !known(&instance.resource)) {
            None => Instances::Ended,
            Some(other) => Instances::Another(other.resource),
        },
        Err(error) => Instances::Unreadable(error.to_string()),
    }
}

/// In a thread of its own: corosync may be what hangs.
fn part(end: &End<'_>, terms: Terms, instances: &[InstanceObservation], line: &Arc<Line>, logs: &Logs) {
    let here = line.sender();
    let notice = SelfFencingNotice {
        node: name(instances, here.node),
        boot: here.boot,
        reason: end.why.to_owned(),
        how: end.how,
        within: u64::try_from(terms.within.as_millis()).unwrap_or(u64::MAX),
        foreign: terms.foreign,
    };
    let (done, wait) = sync_channel(1);
    let line = Arc::clone(line);
    let started = spawn_for_once("notice", move || {
        // Leaving without the self-fencing notice would look like any other loss, only sooner: the others wait all the same.
        let parted = line.send(&Message::Notice(notice), Deadline::after(PARTING / 2)).and_then(|()| {
            pause(Duration::from_millis(100));
            corosync_lib::leave()
        });
        let _ = done.send(parted);
    });
    if let Err(error) = started {
        logs.line(Level::Error, format!("the others are not told: {error}"));
        return;
    }
    match wait.recv_timeout(PARTING) {
        Ok(Ok(())) => logs.line(Level::Warning, "the others are told, and corosync leaves".to_owned()),
        Ok(Err(error)) => logs.line(Level::Error, format!("the others are not told: {error}")),
        Err(_) => logs.line(Level::Error, "the others are not told: corosync does not answer".to_owned()),
    }
}

/// Pacemaker's name of this node: as it told the agent, else as corosync's configuration has it.
fn name(instances: &[InstanceObservation], configured: String) -> String {
    instances.iter().find_map(|i| i.instance.node.clone()).unwrap_or(configured)
}
