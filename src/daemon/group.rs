//! The process group of all `quorated`: what comes back of one's own messages shows that totem delivers; the self-fencing notices of
//! others are kept for the fence agent. What is believed of a message, and how to add one: [`crate::cluster::group`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::COROSYNC_CONF;
use super::line::Line;
use super::log::Logs;
use super::observations::Observations;
use super::pause;
use super::requests::Judge;
use super::resets::{self, Incoming, Resets};
use crate::boundary::clock::{Deadline, boottime};
use crate::boundary::corosync;
use crate::boundary::corosync_lib::{self, Event, Group};
use crate::boundary::host::{HostResult, Level};
use crate::boundary::identity::host_name;
use crate::boundary::self_fence_records::{self, DIRECTORY};
use crate::cluster::group::{Dropped, Message, Sender};
use crate::cluster::self_fencing::{Fate, SelfFenceRecord};
use crate::decide::detector::Subject;

/// Between two messages to oneself. Each goes to all members.
const PING: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(500);
/// Messages that are dropped are told of so often, for each reason and sender.
const TELL: Duration = Duration::from_secs(60);

/// Sends a message to oneself now and then, for ever.
pub(super) fn ping(observations: &Arc<Observations>, line: &Arc<Line>) {
    loop {
        // The attempt begins before it is sent, and ends when the message is back: see `listen`.
        if line.is_joined() {
            observations.begin(Subject::Totem);
            if let Some(Err(error)) = line.hello(Deadline::after(AGAIN)) {
                observations.failed(Subject::Totem, error.text);
                pause(AGAIN);
                continue;
            }
        }
        pause(PING);
    }
}

/// Receives, for ever; joins anew where corosync went away.
pub(super) fn listen(observations: &Arc<Observations>, line: &Arc<Line>, heeds: &Heeds, logs: &Logs) {
    let mut listener = Listener { observations, line, heeds, logs, me: 0, told: BTreeMap::new() };
    loop {
        if let Ok((group, me, now)) = join() {
            line.joined(group.clone(), me, own_name(me));
            listener.me = me;
            resets::joined(observations, me);
            listener.forget();
            listener.take(now);
            while let Ok(events) = group.next() {
                for event in events {
                    listener.take(event);
                }
            }
            line.lost();
            observations.latest().claims.leave();
        }
        pause(AGAIN);
    }
}

/// The group, and the present membership: of what was before, nothing is known.
fn join() -> HostResult<(Group, u32, Event)> {
    let group = Group::join()?;
    let me = group.node_id()?;
    Ok((group, me, corosync_lib::membership()?))
}

/// Pacemaker's name of this node: that of corosync.conf, else the host's.
fn own_name(me: u32) -> String {
    let configured = corosync::name_of(Path::new(COROSYNC_CONF), me).ok().flatten();
    configured.unwrap_or_else(host_name)
}

/// Who is told of what concerns this node.
pub(super) struct Heeds {
    /// Of the intents of all to reset their nodes.
    pub(super) resets: Resets,
    /// Of requests to fence itself.
    pub(super) judge: Judge,
}

/// What is done with what arrives.
struct Listener<'a> {
    observations: &'a Arc<Observations>,
    line: &'a Arc<Line>,
    heeds: &'a Heeds,
    logs: &'a Logs,
    /// corosync's id of this node.
    me: u32,
    /// Of what was dropped, when it was last told of, and how often it has been dropped since.
    told: BTreeMap<(u32, &'static str), (Instant, u64)>,
}

impl Listener<'_> {
    /// Drops all records: while nobody followed the membership their nodes may have been back.
    fn forget(&self) {
        if let Err(error) = self_fence_records::clear(Path::new(DIRECTORY)) {
            self.logs.line(Level::Error, format!("old self-fence records can't be dropped: {error}"));
        }
    }

    fn take(&mut self, event: Event) {
        let directory = Path::new(DIRECTORY);
        let kept = match event {
            Event::Message { node_id, pid, text } => {
                if node_id == self.me {
                    // Whoever of this node sent it: totem delivers.
                    self.observations.answered(Subject::Totem);
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
                self.line.formed(ring, &nodes);
                self.observations.latest().nodes.clone_from(&nodes);
                let now = boottime();
                revise(directory, |record| record.formed(ring, &nodes, now))
            }
            Event::Members(members) => {
                resets::members(self.observations, &members);
                // Who runs quorated and had left is back, whatever corosync has told of that.
                revise(directory, |record| match record.left {
                    Some(_) if members.contains(&record.node_id) => Fate::Dropped,
                    Some(_) | None => Fate::Stays,
                })
            }
        };
        if let Err(error) = kept {
            self.logs
                .line(Level::Error, format!("a self-fencing notice could not be kept or dropped: {error}"));
        }
    }

    /// A message that is believed.
    fn heed(&self, sender: Sender, message: Message) -> HostResult<()> {
        let from_here = sender.node_id == self.me;
        let directory = Path::new(DIRECTORY);
        match message {
            Message::Hello if from_here => {}
            Message::Hello => revise(directory, |record| match record.node_id == sender.node_id {
                true => record.heard(&sender.boot),
                false => Fate::Stays,
            })?,
            Message::Notice(_) if from_here => {}
            // It speaks for itself alone.
            Message::Notice(notice) if notice.boot != sender.boot => {}
            Message::Notice(notice) => {
                self.about_resets(&sender, Incoming::Notice);
                self.logs.line(
                    Level::Warning,
                    format!(
                        "self-fencing notice of {} ({}): {}",
                        notice.node,
                        notice.how.name(),
                        notice.reason
                    ),
                );
                let (node_id, received) = (sender.node_id, boottime());
                let record = SelfFenceRecord { notice, node_id, received, left: None };
                self_fence_records::keep(directory, &record)?;
            }
            Message::Request { boot, request } => {
                if request.node_id == self.me
                    && !from_here
                    && !self.heeds.judge.give(sender.clone(), boot, request)
                {
                    self.logs.line(
                        Level::Error,
                        format!(
                            "{} asks this node to fence itself: not done: another such request is judged",
                            sender.node
                        ),
                    );
                }
            }
            Message::Intent(intent) => self.about_resets(&sender, Incoming::Intent(intent)),
            Message::Withdrawn(withdrawn) => self.about_resets(&sender, Incoming::Withdrawn(withdrawn)),
            Message::Condition(answer) => self.about_resets(&sender, Incoming::Condition(answer)),
        }
        Ok(())
    }

    fn about_resets(&self, sender: &Sender, incoming: Incoming) {
        resets::deliver(self.observations, &self.heeds.resets, self.logs, self.me, sender, incoming);
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
                    "pid {pid} on {node} sends messages of another version of quorated: ignored, and fencing of {node} waits for the watchdog; install the same version"
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
                format!("quorated of {node} is newer and sent an unknown message: ignored"),
            ),
        };
        if matches!(why, Dropped::Forged | Dropped::Copied(_)) {
            self.observations.latest().group.refused += 1;
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
        let more =
            if more > 0 { format!(" (and {more} more since the last such line)") } else { String::new() };
        self.logs.line(level, format!("{text}{more}"));
    }
}

/// Has each record stay, change or go. Those that can't be read are passed over: they are evidence of nothing.
fn revise(directory: &Path, fate: impl Fn(SelfFenceRecord) -> Fate) -> HostResult<()> {
    let mut failed = Ok(());
    for record in self_fence_records::all(directory)? {
        let node = record.notice.node.clone();
        let revised = match fate(record) {
            Fate::Stays => Ok(()),
            Fate::Changes(record) => self_fence_records::keep(directory, &record),
            Fate::Dropped => self_fence_records::drop(directory, &node),
        };
        failed = failed.and(revised);
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::clock::BootTime;
    use crate::cluster::corosync::Ring;
    use crate::cluster::self_fencing::{How, SelfFencingNotice};

    #[test]
    fn a_record_is_kept_until_its_node_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let find = || self_fence_records::find(path, "srv1").unwrap();
        let formed = |seq, nodes: &[u32]| {
            let ring = Ring { seq, node_id: 1 };
            revise(path, |record| record.formed(ring, nodes, BootTime::at(seq))).unwrap();
        };
        let notice = SelfFencingNotice {
            node: "srv1".into(),
            boot: "b".into(),
            reason: "r".into(),
            how: How::Reboot,
            within: 400,
            foreign: None,
        };
        let record = SelfFenceRecord { notice, node_id: 1, received: BootTime::at(5), left: None };
        self_fence_records::keep(path, &record).unwrap();
        formed(8, &[2]);
        let left = find().unwrap().left.unwrap();
        assert_eq!((left.at, left.ring.seq), (BootTime::at(8), 8));
        formed(12, &[2, 3]);
        let left = find().unwrap().left.unwrap();
        assert_eq!((left.at, left.ring.seq), (BootTime::at(8), 12), "others come and go");
        formed(16, &[1, 2, 3]);
        assert_eq!(find(), None);
    }
}
