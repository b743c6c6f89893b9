//! The process group of all `quorated`: what comes back of one's own messages shows that totem delivers; the self-fencing notices of others
//! are kept for the fence agent, and its requests passed on.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::board::Board;
use super::log::Logs;
use super::pause;
use crate::boundary::clock::boottime_ms;
use crate::boundary::corosync_lib::{Event, Group};
use crate::boundary::host::{Effect, Level, Trouble};
use crate::boundary::self_fence_records::{self, DIRECTORY};
use crate::boundary::self_fence_requests::{Requests, SOCKET};
use crate::cluster::self_fencing::{SelfFenceRecord, SelfFenceRequest, SelfFencingNotice};
use crate::decide::detector::Subject;

/// Between two messages to oneself. Each goes to all members.
const PING: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(500);
/// Before a socket that can't be opened is tried again.
const REOPEN: Duration = Duration::from_secs(10);

/// What is sent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Message {
    Ping,
    Notice(SelfFencingNotice),
    Request(SelfFenceRequest),
}

/// The connection of the present moment, for those who send.
#[derive(Default)]
pub(super) struct Line {
    group: Mutex<Option<Group>>,
}

impl Line {
    fn set(&self, group: Option<Group>) {
        *self.group.lock().unwrap_or_else(PoisonError::into_inner) = group;
    }

    fn get(&self) -> Option<Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the self-fencing notice of this node.
    ///
    /// # Errors
    /// There is no connection, or it broke.
    pub(super) fn notice(&self, notice: SelfFencingNotice) -> Effect<()> {
        self.say(&Message::Notice(notice))
    }

    fn say(&self, message: &Message) -> Effect<()> {
        let group = self.get().ok_or_else(|| Trouble("no connection to corosync".to_owned()))?;
        send(&group, message)
    }
}

fn send(group: &Group, message: &Message) -> Effect<()> {
    let text = serde_json::to_vec(message).map_err(|e| Trouble(e.to_string()))?;
    group.send(&text)
}

/// Sends a message to oneself now and then, for ever.
pub(super) fn ping(board: &Arc<Board>, line: &Arc<Line>) {
    loop {
        if let Some(group) = line.get() {
            // It ends when the message is back: see `listen`.
            board.begin(Subject::Totem);
            if let Err(trouble) = send(&group, &Message::Ping) {
                board.failed(Subject::Totem, trouble.0);
                pause(AGAIN);
                continue;
            }
        }
        pause(PING);
    }
}

/// Passes on what the fence agent of this node requests, for ever.
pub(super) fn pass_on(line: &Arc<Line>, logs: &Logs) {
    loop {
        let trouble = match Requests::open(Path::new(SOCKET)) {
            Ok(requests) => receive(&requests, line, logs),
            Err(trouble) => trouble,
        };
        logs.line(Level::Error, format!("self-fence requests of fence_quorate: {trouble}"));
        pause(REOPEN);
    }
}

/// Until the socket breaks.
fn receive(requests: &Requests, line: &Arc<Line>, logs: &Logs) -> Trouble {
    loop {
        match requests.next() {
            Ok(Some(request)) => {
                logs.line(
                    Level::Warning,
                    format!("{} is to be fenced: it is asked to fence itself", request.node),
                );
                if let Err(trouble) = line.say(&Message::Request(request)) {
                    logs.line(Level::Error, format!("it is not told: {trouble}"));
                }
            }
            Ok(None) => logs.line(Level::Warning, "a self-fence request that makes no sense".to_owned()),
            Err(trouble) => return trouble,
        }
    }
}

/// Receives, for ever; joins anew where corosync went away.
pub(super) fn listen(board: &Arc<Board>, line: &Arc<Line>, logs: &Logs) {
    loop {
        let joined = Group::join().and_then(|group| Ok((group.node_id()?, group)));
        if let Ok((me, group)) = joined {
            line.set(Some(group.clone()));
            while let Ok(events) = group.next() {
                for event in events {
                    take(board, logs, me, event);
                }
            }
            line.set(None);
        }
        pause(AGAIN);
    }
}

fn take(board: &Arc<Board>, logs: &Logs, me: u32, event: Event) {
    let directory = Path::new(DIRECTORY);
    let kept = match event {
        Event::Message { from, text } => match serde_json::from_slice(&text) {
            Ok(Message::Ping) if from == me => {
                board.answered(Subject::Totem);
                Ok(())
            }
            Ok(Message::Ping) => Ok(()),
            Ok(Message::Notice(_)) if from == me => Ok(()),
            Ok(Message::Notice(notice)) => {
                logs.line(
                    Level::Warning,
                    format!("self-fencing notice of {}: {}", notice.node, notice.reason),
                );
                self_fence_records::keep(
                    directory,
                    &SelfFenceRecord { notice, node_id: from, received: boottime_ms(), left: None },
                )
            }
            Ok(Message::Request(request)) if request.node_id == me && from != me => {
                board.seen().request = Some(request.by);
                board.wake();
                Ok(())
            }
            Ok(Message::Request(_)) => Ok(()),
            // A newer version's.
            Err(_) => Ok(()),
        },
        Event::Nodes(nodes) => gone(directory, &nodes).and_then(|()| back(directory, &nodes)),
        Event::Members(members) => back(directory, &members),
    };
    if let Err(trouble) = kept {
        logs.line(Level::Error, format!("a self-fencing notice could not be kept or dropped: {trouble}"));
    }
}

/// Who is no member of corosync's any more has left.
fn gone(directory: &Path, nodes: &[u32]) -> Effect<()> {
    let left = |d: &SelfFenceRecord| d.left.is_none() && !nodes.contains(&d.node_id);
    for record in self_fence_records::all(directory)?.into_iter().filter(left) {
        self_fence_records::keep(directory, &SelfFenceRecord { left: Some(boottime_ms()), ..record })?;
    }
    Ok(())
}

/// A node that had left and is a member of corosync's again, or runs `quorated` again, is back: its notice is that of the boot before.
fn back(directory: &Path, members: &[u32]) -> Effect<()> {
    let back = |d: &SelfFenceRecord| d.left.is_some() && members.contains(&d.node_id);
    for record in self_fence_records::all(directory)?.into_iter().filter(back) {
        self_fence_records::drop(directory, &record.notice.node)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_kept_until_the_node_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let find = || self_fence_records::find(path, "srv1").unwrap();
        let notice = SelfFencingNotice { node: "srv1".into(), boot: "b".into(), reason: "r".into() };
        self_fence_records::keep(path, &SelfFenceRecord { notice, node_id: 1, received: 5, left: None })
            .unwrap();
        back(path, &[1, 2]).unwrap();
        gone(path, &[1, 2]).unwrap();
        assert_eq!(find().unwrap().left, None, "it is still there");
        gone(path, &[2]).unwrap();
        let left = find().unwrap().left;
        assert!(left.is_some());
        gone(path, &[2, 3]).unwrap();
        back(path, &[2, 3]).unwrap();
        assert_eq!(find().unwrap().left, left, "others come and go");
        back(path, &[1, 2]).unwrap();
        assert_eq!(find(), None);
    }

    #[test]
    fn a_message_of_a_newer_version_is_no_error() {
        assert!(serde_json::from_slice::<Message>(br#"{"song":1}"#).is_err());
        let notice = SelfFencingNotice { node: "a".into(), boot: "b".into(), reason: "c".into() };
        let text = serde_json::to_vec(&Message::Notice(notice.clone())).unwrap();
        assert_eq!(serde_json::from_slice::<Message>(&text).unwrap(), Message::Notice(notice));
    }
}
