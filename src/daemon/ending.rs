//! The end of this node: PostgreSQL first, then a self-fencing notice to the others, then the reset, by one way after the other.
//!
//! Run in the control thread: from here on it does not come round any more, so that nothing is petted where all of this hangs. Where it
//! only fails, or systemd kills it, `quorated` is started anew, finds the mark, and tries again; the watchdog device is left to bite.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::instances;
use super::line::Line;
use super::log::Logs;
use super::pause;
use super::threads::spawn_for_once;
use crate::boundary::clock::Deadline;
use crate::boundary::ending::{self, Remains};
use crate::boundary::host::Level;
use crate::boundary::{corosync_lib, daemons, process, registry};
use crate::cluster::group::Message;
use crate::cluster::self_fencing::SelfFencingNotice;
use crate::decide::detector::{InstanceLook, Life, Manner, Subject};
use crate::pg::instance::ProcessId;

/// An orderly shutdown is waited for so long: less than a tenth of the time that the others wait.
const SHUTDOWN: Duration = Duration::from_millis(1500);
/// The end of PostgreSQL that was killed is awaited for so long; a process that waits for a device does not end.
const KILLING: Duration = Duration::from_millis(1000);
/// The self-fencing notice has so long to get out.
const PARTING: Duration = Duration::from_millis(800);
/// The log has so long to be written.
const WRITING: Duration = Duration::from_millis(150);
/// Between two attempts to reset a node that lives on.
const AGAIN: Duration = Duration::from_secs(5);

/// Ends every process of these instances; whether none of them will ever run again.
pub(super) fn silence(instances: &[&InstanceLook], manner: Manner, logs: &Logs) -> bool {
    if manner == Manner::Orderly {
        shut_down(instances, logs);
    }
    let deadline = Deadline::after(KILLING);
    let mut silent = true;
    for look in instances {
        let instance = &look.instance;
        let name = &instance.resource;
        match instances::owner(instance)
            .and_then(|uid| ending::kill_postgres(&instance.pgdata, uid, deadline))
        {
            Ok(Remains::Nothing) => logs.line(Level::Warning, format!("{name}: PostgreSQL is ended")),
            Ok(Remains::Pending) => logs.line(
                Level::Warning,
                format!("{name}: PostgreSQL is killed, and waits for a device before it is gone"),
            ),
            Ok(Remains::Alive) => {
                silent = false;
                logs.line(Level::Error, format!("{name}: some of PostgreSQL is not ended yet"));
            }
            Err(trouble) => {
                silent = false;
                logs.line(Level::Error, format!("{name}: {trouble}"));
            }
        }
    }
    silent
}

/// Tells those that run to shut down (PostgreSQL's fast shutdown), and waits a moment for it.
fn shut_down(instances: &[&InstanceLook], logs: &Logs) {
    let running = instances.iter().filter(|i| i.life == Life::Runs);
    let mut postmasters: Vec<ProcessId> = Vec::new();
    for InstanceLook { instance, .. } in running {
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

/// Ends this node. Comes back only where nothing of it worked.
pub(super) fn end(why: &str, manner: Manner, instances: &[InstanceLook], line: &Arc<Line>, logs: &Logs) {
    logs.line(Level::Error, format!("reset: {why}"));
    let marked = ending::mark(why);
    if let Err(trouble) = &marked {
        logs.line(Level::Error, format!("the agent can't be told: {trouble}"));
    }
    let silent = silence(&instances.iter().collect::<Vec<_>>(), manner, logs);
    // The self-fencing notice says that nothing is left that could write, and that nothing will be started.
    if silent && marked.is_ok() && all_known(instances, logs) {
        part(why, instances, line, logs);
    }
    pause(WRITING);
    let failed = reset();
    logs.line(
        Level::Error,
        format!("reset: none of the ways worked ({failed}); no watchdog device is petted any more"),
    );
    pause(WRITING);
}

/// What [`end`] did not bring to its end, where the node was marked before this process was started.
pub(super) fn go_on(why: &str, logs: &Logs) {
    logs.line(Level::Error, format!("reset: once more, it was to be reset before: {why}"));
    match registry::all() {
        Ok(all) => {
            let look = |instance| InstanceLook { instance, life: Life::Unknown };
            let looks: Vec<InstanceLook> = all.into_iter().filter_map(Result::ok).map(look).collect();
            silence(&looks.iter().collect::<Vec<_>>(), Manner::AtOnce, logs);
        }
        Err(trouble) => {
            logs.line(Level::Error, format!("what of PostgreSQL is left is not known: {trouble}"))
        }
    }
    pause(WRITING);
    let failed = reset();
    logs.line(Level::Error, format!("reset: none of the ways worked ({failed}); again in {AGAIN:?}"));
    pause(AGAIN);
}

/// One way after the other. Comes back where none worked, with what they said.
fn reset() -> String {
    let sysrq = ending::sysrq().err().map_or("done".to_owned(), |e| e.to_string());
    // Still here. Pacemaker's own way: without its inquisitor sbd pets no watchdog.
    let sbd = match daemons::find(Subject::Sbd.rule()) {
        Ok(Some(sbd)) => match process::signal(sbd.process.id, Signal::SIGKILL) {
            Ok(_) => "killed".to_owned(),
            Err(e) => e.to_string(),
        },
        Ok(None) => "does not run".to_owned(),
        Err(e) => e.to_string(),
    };
    let reboot = ending::restart().err().map_or("done".to_owned(), |e| e.to_string());
    format!("sysrq: {sysrq}; sbd: {sbd}; reboot: {reboot}")
}

/// Whether these are all the instances that the agent left word of. One whose word can't be read may still write.
fn all_known(instances: &[InstanceLook], logs: &Logs) -> bool {
    let known = |resource: &str| instances.iter().any(|look| look.instance.resource == resource);
    let all = registry::all().and_then(|all| all.into_iter().collect::<Result<Vec<_>, _>>());
    match all {
        Ok(all) => all.iter().all(|instance| known(&instance.resource)),
        Err(trouble) => {
            logs.line(Level::Error, format!("no self-fencing notice, an instance is not known: {trouble}"));
            false
        }
    }
}

/// In a thread of its own: corosync may be what hangs.
fn part(why: &str, instances: &[InstanceLook], line: &Arc<Line>, logs: &Logs) {
    let here = line.sender();
    let notice =
        SelfFencingNotice { node: name(instances, here.node), boot: here.boot, reason: why.to_owned() };
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
    if let Err(trouble) = started {
        logs.line(Level::Error, format!("the others are not told: {trouble}"));
        return;
    }
    match wait.recv_timeout(PARTING) {
        Ok(Ok(())) => logs.line(Level::Warning, "the others are told, and corosync leaves".to_owned()),
        Ok(Err(trouble)) => logs.line(Level::Error, format!("the others are not told: {trouble}")),
        Err(_) => logs.line(Level::Error, "the others are not told: corosync does not answer".to_owned()),
    }
}

/// Pacemaker's name of this node: as it told the agent, else as corosync's configuration has it.
fn name(instances: &[InstanceLook], configured: String) -> String {
    instances.iter().find_map(|i| i.instance.node.clone()).unwrap_or(configured)
}
