//! Requests that a node fence itself: those of this node's fence agent are passed on, those of other nodes are obeyed where this node's
//! own quorum and Pacemaker agree.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::line::Line;
use super::log::Logs;
use super::observations::Observations;
use super::pause;
use crate::boundary::clock::Deadline;
use crate::boundary::corosync_lib::shares_quorum_with;
use crate::boundary::host::{HostError, HostResult, Level};
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::self_fence_requests::{Requests, SOCKET};
use crate::cluster::group::{Message, Sender};
use crate::cluster::self_fencing::{How, SelfFenceRequest};
use crate::decide::self_fence::{Answer, Boot, Facts, Time, refusal};

/// Before a socket that can't be opened is tried again.
const REOPEN: Duration = Duration::from_secs(10);
/// A request is sent again for so long while corosync is busy: half of what fence_quorate waits for.
const REQUESTING: Duration = Duration::from_secs(2);
/// A request has so long to be found right: less than what fence_quorate waits for. Both questions take some tens of milliseconds.
const JUDGING: Duration = Duration::from_secs(2);

/// A request that is believed to be of root's `quorated` of a member.
#[derive(Debug)]
pub(super) struct Asked {
    by: Sender,
    boot: String,
    request: SelfFenceRequest,
    until: Deadline,
}

/// Where those are judged, one at a time: what is asked about them may hang.
#[derive(Clone)]
pub(super) struct Judge(SyncSender<Asked>);

impl Judge {
    pub(super) fn new() -> (Self, Receiver<Asked>) {
        let (to, from) = sync_channel(1);
        (Self(to), from)
    }

    /// Never waits. One that is asked while another is judged is lost, as is one that comes to a judge who hangs.
    pub(super) fn give(&self, by: Sender, boot: String, request: SelfFenceRequest) -> bool {
        let until = Deadline::after(JUDGING);
        self.0.try_send(Asked { by, boot, request, until }).is_ok()
    }
}

/// Judges what others ask of this node, for ever.
pub(super) fn judge(
    observations: &Arc<Observations>,
    line: &Arc<Line>,
    asked: &Receiver<Asked>,
    logs: &Logs,
) {
    while let Ok(asked) = asked.recv() {
        let Asked { by, request, .. } = &asked;
        let what =
            format!("{} (pid {}) asks this node to fence itself ({})", by.node, by.pid, request.how.name());
        match refusal(&facts(&asked, &line.sender())) {
            Some(why) => logs.line(Level::Error, format!("{what}: not done: {why}")),
            None => {
                logs.line(Level::Error, format!("{what}: done: Pacemaker has a fencing of it under way"));
                let mut latest = observations.latest();
                (latest.request, latest.how) = (Some(by.node.clone()), request.how);
                drop(latest);
                observations.wake();
            }
        }
    }
}

fn facts(asked: &Asked, here: &Sender) -> Facts {
    let answer = |told: HostResult<bool>| match told {
        Ok(true) => Answer::Yes,
        Ok(false) => Answer::No,
        Err(error) => Answer::Unknown(error.text),
    };
    let boot = if asked.boot == here.boot && !here.boot.is_empty() { Boot::This } else { Boot::Another };
    let quorum = answer(shares_quorum_with(here.node_id, asked.by.node_id));
    // By the name with which Pacemaker has it fenced.
    let fencing =
        answer(pacemaker::fencing_is_pending(&asked.request.node, Patience::of(asked.until.remaining())));
    let time = if asked.until.passed() { Time::Over } else { Time::Left };
    Facts { boot, quorum, fencing, time }
}

/// Passes on what the fence agent of this node requests, for ever.
pub(super) fn pass_on(line: &Arc<Line>, logs: &Logs) {
    loop {
        let error = match Requests::open(Path::new(SOCKET)) {
            Ok(requests) => receive(&requests, line, logs),
            Err(error) => error,
        };
        logs.line(Level::Error, format!("self-fence requests of fence_quorate: {error}"));
        pause(REOPEN);
    }
}

/// Until the socket breaks.
fn receive(requests: &Requests, line: &Arc<Line>, logs: &Logs) -> HostError {
    loop {
        match requests.next() {
            Ok(Some(request)) => {
                let (node, how) = (request.node.clone(), request.how);
                let what = match how {
                    How::Reboot => "is to be fenced: it is asked to fence itself",
                    How::Off => "is to be fenced: it is asked to switch itself off",
                };
                logs.line(Level::Warning, format!("{node} {what}"));
                if let Err(error) = send(line, request) {
                    logs.line(Level::Error, format!("{node} is not asked to fence itself: {error}"));
                }
            }
            Ok(None) => logs.line(Level::Warning, "a self-fence request that makes no sense".to_owned()),
            Err(error) => return error,
        }
    }
}

fn send(line: &Arc<Line>, request: SelfFenceRequest) -> HostResult<()> {
    let unheard =
        || HostError::missing("no sealed message of its quorated has come since it is a member".to_owned());
    let boot = line.boot_of(request.node_id).ok_or_else(unheard)?;
    line.send(&Message::Request { boot, request }, Deadline::after(REQUESTING))
}
