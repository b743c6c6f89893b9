//! The process group of all `quorated`: what comes back of one's own messages shows that totem delivers; the self-fencing notices of
//! others are kept for the fence agent, and its requests passed on. What is believed of a message, and how to add one:
//! [`crate::cluster::group`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Board;
use super::config::COROSYNC_CONF;
use super::line::Line;
use super::log::Logs;
use super::pause;
use super::resets::{self, Incoming, Resets};
use crate::boundary::clock::{Deadline, boottime_ms};
use crate::boundary::corosync;
use crate::boundary::corosync_lib::{self, Event, Group};
use crate::boundary::host::{Effect, Level, Trouble};
use crate::boundary::identity::host_name;
use crate::boundary::self_fence_records::{self, DIRECTORY};
use crate::boundary::self_fence_requests::{Requests, SOCKET};
use crate::cluster::group::{Dropped, Message, Sender};
use crate::cluster::self_fencing::SelfFenceRecord;
use crate::decide::detector::Subject;

/// Between two messages to oneself. Each goes to all members.
const PING: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(500);
/// Before a socket that can't be opened is tried again.
const REOPEN: Duration = Duration::from_secs(10);
/// A request is sent again for so long while corosync is busy: half of what fence_quorate waits for.
const REQUESTING: Duration = Duration::from_secs(2);
/// Messages that are dropped are told of so often, for each reason and sender.
const TELL: Duration = Duration::from_secs(60);

/// Sends a message to oneself now and then, for ever.
pub(super) fn ping(board: &Arc<Board>, line: &Arc<Line>) {
    loop {
        // The attempt begins before it is sent, and ends when the message is back: see `listen`.
        if line.is_joined() {
            board.begin(Subject::Totem);
            if let Some(Err(trouble)) = line.hello(Deadline::after(AGAIN)) {
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
                let node = request.node.clone();
                logs.line(Level::Warning, format!("{node} is to be fenced: it is asked to fence itself"));
                let sent = match line.boot_of(request.node_id) {
                    Some(boot) => line.send(&Message::Request { boot, request }, Deadline::after(REQUESTING)),
                    None => Err(Trouble("no quorated of this version was heard from it".to_owned())),
                };
                if let Err(trouble) = sent {
                    logs.line(Level::Error, format!("{node} is not asked to fence itself: {trouble}"));
                }
            }
            Ok(None) => logs.line(Level::Warning, "a self-fence request that makes no sense".to_owned()),
            Err(trouble) => return trouble,
        }
    }
}

/// Receives, for ever; joins anew where corosync went away.
pub(super) fn listen(board: &Arc<Board>, line: &Arc<Line>, resets: &Resets, logs: &Logs) {
    let mut listener = Listener { board, line, resets, logs, me: 0, told: BTreeMap::new() };
    loop {
        if let Ok((group, me, now)) = join() {
            line.joined(group.clone(), me, own_name(me));
            listener.me = me;
            resets::joined(board, me);
            listener.take(now);
            while let Ok(events) = group.next() {
                for event in events {
                    listener.take(event);
                }
            }
            line.lost();
            board.seen().claims.leave();
        }
        pause(AGAIN);
    }
}

/// The group, and the present membership: of what was before, nothing is known.
fn join() -> Effect<(Group, u32, Event)> {
    let group = Group::join()?;
    let me = group.node_id()?;
    Ok((group, me, corosync_lib::membership()?))
}

/// Pacemaker's name of this node: that of corosync.conf, else the host's.
fn own_name(me: u32) -> String {
    let configured = corosync::name_of(Path::new(COROSYNC_CONF), me).ok().flatten();
    configured.unwrap_or_else(host_name)
}

/// What is done with what arrives.
struct Listener<'a> {
    board: &'a Arc<Board>,
    line: &'a Arc<Line>,
    resets: &'a Resets,
    logs: &'a Logs,
    /// corosync's id of this node.
    me: u32,
    /// Of what was dropped, when it was last told of, and how often it has been dropped since.
    told: BTreeMap<(u32, &'static str), (Instant, u64)>,
}

impl Listener<'_> {
    fn take(&mut self, event: Event) {
        let directory = Path::new(DIRECTORY);
        let kept = match event {
            Event::Message { node_id, pid, text } => {
                if node_id == self.me {
                    // Whoever of this node sent it: totem delivers.
                    self.board.answered(Subject::Totem);
                }
                match self.line.open(node_id, pid, &text) {
                    Ok((sender, message)) => self.heed(sender, message),
                    Err(why) => {
                        self.dropped(node_id, pid, &why);
                        Ok(())
                    }
                }
            }
            Event::Nodes { ring, nodes } => {
                self.line.formed(ring);
                self.board.seen().nodes.clone_from(&nodes);
                gone(directory, &nodes).and_then(|()| back(directory, &nodes))
            }
            Event::Members(members) => {
                resets::members(self.board, &members);
                back(directory, &members)
            }
        };
        if let Err(trouble) = kept {
            self.logs
                .line(Level::Error, format!("a self-fencing notice could not be kept or dropped: {trouble}"));
        }
    }

    /// A message that is believed.
    fn heed(&self, sender: Sender, message: Message) -> Effect<()> {
        let from_here = sender.node_id == self.me;
        match message {
            Message::Hello => {}
            Message::Notice(_) if from_here => {}
            Message::Notice(notice) => {
                self.about_resets(&sender, Incoming::Notice);
                self.logs.line(
                    Level::Warning,
                    format!("self-fencing notice of {}: {}", notice.node, notice.reason),
                );
                self_fence_records::keep(
                    Path::new(DIRECTORY),
                    &SelfFenceRecord { notice, node_id: sender.node_id, received: boottime_ms(), left: None },
                )?;
            }
            Message::Request { boot, request } => {
                let here = self.line.sender();
                if request.node_id == self.me && !from_here && boot == here.boot {
                    self.board.seen().request = Some(sender.node);
                    self.board.wake();
                }
            }
            Message::Intent(intent) => self.about_resets(&sender, Incoming::Intent(intent)),
            Message::Withdrawn(withdrawn) => self.about_resets(&sender, Incoming::Withdrawn(withdrawn)),
            Message::Condition(answer) => self.about_resets(&sender, Incoming::Condition(answer)),
        }
        Ok(())
    }

    fn about_resets(&self, sender: &Sender, incoming: Incoming) {
        resets::deliver(self.board, self.resets, self.logs, self.me, sender, incoming);
    }

    /// A message that is not, which is told of once a minute.
    fn dropped(&mut self, node_id: u32, pid: u32, why: &Dropped) {
        let node = self.line.name_of(node_id);
        let (kind, level, text) = match why {
            // Said once, with the cure, by who reads the key.
            Dropped::NoKey => return,
            Dropped::Forged => (
                "forged",
                Level::Error,
                format!(
                    "a message in quorated's group that is not from root's quorated: pid {pid} on {node}"
                ),
            ),
            Dropped::Copied(how) => (
                "copied",
                Level::Error,
                format!("a copy of a message in quorated's group ({how}): pid {pid} on {node}"),
            ),
            Dropped::OtherVersion => (
                "version",
                Level::Warning,
                format!(
                    "pid {pid} on {node} sends what this version of quorated does not know: what it says is ignored, and \
                     fencing of {node} waits for the watchdog; install the same version"
                ),
            ),
            Dropped::OldMembership => (
                "membership",
                Level::Info,
                format!("a message of a membership that is over: pid {pid} on {node}"),
            ),
            Dropped::UnknownKind => (
                "kind",
                Level::Info,
                format!("quorated of {node} is newer, and says what is not known here: ignored"),
            ),
        };
        if matches!(why, Dropped::Forged | Dropped::Copied(_)) {
            self.board.seen().group.refused += 1;
        }
        let now = Instant::now();
        let quiet = self.told.get(&(node_id, kind)).is_some_and(|(at, _)| now.duration_since(*at) < TELL);
        if quiet {
            if let Some((_, more)) = self.told.get_mut(&(node_id, kind)) {
                *more += 1;
            }
            return;
        }
        let more = self.told.insert((node_id, kind), (now, 0)).map_or(0, |(_, more)| more);
        let more = if more > 0 { format!(" (and {more} since it was last said)") } else { String::new() };
        self.logs.line(level, format!("{text}{more}"));
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
    use crate::cluster::self_fencing::SelfFencingNotice;

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
}
