//! A running PostgreSQL: recovery, WAL receiver, promotion, shutdown, synchronous commit; by the rules of
//! xlogrecovery.c, walreceiver.c, walsender.c and syncrep.c.

use std::collections::VecDeque;

use quorate::pg::control_data::DbState;

use crate::wal::{SEGMENT, Sync, What, name};
use crate::world::{Millis, World};

/// `wal_retrieve_retry_interval`.
const RETRY: Millis = 5000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Starting,
    Standby,
    Primary,
}

#[derive(Debug, Clone)]
pub struct Receiver {
    pub pid: i32,
    pub from: usize,
    /// The sender's postmaster: another one means that the connection is gone.
    pub sender: i32,
    pub host: String,
    pub timeline: u32,
    pub latest_end: Option<u64>,
    /// It got all of a timeline that the sender has left, and can't go on.
    pub waiting: bool,
    pub since: Millis,
}

/// A commit whose backend waits for synchronous standbys.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    pub commit: u64,
    pub end: u64,
}

pub struct Server {
    pub pid: i32,
    pub role: Role,
    pub ready_at: Millis,
    pub received: Option<u64>,
    pub receiver: Option<Receiver>,
    pub next_connect: Millis,
    pub conninfo: Option<String>,
    /// As the backends have it: each takes a reload up in its own time.
    pub sync: Sync,
    pub reload_at: Option<Millis>,
    pub promote_at: Option<Millis>,
    pub checkpoint_at: Option<Millis>,
    pub stopping_since: Option<Millis>,
    pub pending: VecDeque<Pending>,
    /// The reign with whose primary it has been level.
    pub level: Option<usize>,
}

/// Whose recovery targets count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    OfTheFiles,
    /// By the command line.
    Overridden,
}

impl Server {
    pub fn takes_writes(&self) -> bool {
        self.role == Role::Primary && self.stopping_since.is_none()
    }
}

/// The host in a primary_conninfo.
pub fn host_of(conninfo: &str) -> &str {
    let value = conninfo.split_whitespace().find_map(|word| word.strip_prefix("host="));
    value.map_or("", |host| host.trim_matches('\''))
}

impl World {
    /// Starts a postmaster on what lies in PGDATA.
    pub fn launch(&mut self, node: usize, targets: Targets) {
        if self.nodes[node].server.is_some() {
            return;
        }
        let (pid, now) = (self.pid(), self.now);
        let took = self.rng.between(60, 400);
        let data = &self.nodes[node].data;
        let promote_at = (data.target && targets == Targets::OfTheFiles).then_some(now + 2500);
        self.nodes[node].server = Some(Server {
            pid,
            role: Role::Starting,
            ready_at: now + took,
            received: None,
            receiver: None,
            next_connect: 0,
            conninfo: data.conninfo.clone(),
            sync: data.sync.clone(),
            reload_at: None,
            promote_at,
            checkpoint_at: None,
            stopping_since: None,
            pending: VecDeque::new(),
            level: None,
        });
    }

    /// What happens inside of PostgreSQL in one tick.
    pub fn tick_server(&mut self, node: usize) {
        let now = self.now;
        let Some(server) = &mut self.nodes[node].server else { return };
        if server.reload_at.is_some_and(|at| at <= now) {
            server.reload_at = None;
            let conninfo = self.nodes[node].data.conninfo.clone();
            let sync = self.nodes[node].data.sync.clone();
            let Some(server) = &mut self.nodes[node].server else { return };
            if server.conninfo != conninfo {
                (server.conninfo, server.receiver, server.next_connect) = (conninfo, None, now);
            }
            server.sync = sync;
        }
        let Some(server) = &self.nodes[node].server else { return };
        if let Some(since) = server.stopping_since {
            return self.shut_down(node, since);
        }
        match server.role {
            Role::Starting if server.ready_at <= now => self.recover(node),
            Role::Starting => {}
            Role::Standby => self.stand_by(node),
            Role::Primary => self.reign(node),
        }
    }

    fn recover(&mut self, node: usize) {
        let uid = self.uid();
        let n = &mut self.nodes[node];
        let data = &mut n.data;
        let Some(server) = &mut n.server else { return };
        if !data.standby_signal {
            if data.state != DbState::ShutDown {
                data.replay(u64::MAX);
            }
            data.write(uid, What::Checkpoint);
            data.checkpoint = (data.timeline, data.applied_to - What::Checkpoint.length());
            data.min_recovery = None;
            data.state = DbState::InProduction;
            server.role = Role::Primary;
            return self.say_of(node, "PostgreSQL is up as a primary");
        }
        let newest = data.newest_timeline(data.timeline);
        let base = data.min_recovery.map_or(data.checkpoint, |m| m.max(data.checkpoint));
        if !data.may_follow(newest, base.0, base.1) {
            n.server = None;
            return self.say_of(
                node,
                "PostgreSQL ends: the requested timeline is no child of this server's history",
            );
        }
        data.replay(u64::MAX);
        data.state = DbState::InArchiveRecovery;
        data.min_recovery = Some((data.timeline, data.applied_to));
        server.role = Role::Standby;
        self.say_of(node, "PostgreSQL is up as a standby");
    }

    fn stand_by(&mut self, node: usize) {
        let now = self.now;
        let Some(server) = &self.nodes[node].server else { return };
        if server.promote_at.is_some_and(|at| at <= now) {
            return self.become_primary(node);
        }
        if server.receiver.is_none() {
            if server.next_connect <= now && server.promote_at.is_none() {
                self.connect(node);
            }
            return;
        }
        self.deliver(node);
    }

    /// PostgreSQL's own rule: the next number after the newest history file that it sees.
    fn become_primary(&mut self, node: usize) {
        let (uid, now) = (self.uid(), self.now);
        let n = &mut self.nodes[node];
        let Some(server) = &mut n.server else { return };
        let data = &mut n.data;
        data.replay(u64::MAX);
        let old = data.timeline;
        let new = data.newest_timeline(old) + 1;
        let mut ancestors = data.histories.get(&old).cloned().unwrap_or_default();
        ancestors.push((old, data.applied_to));
        data.histories.insert(new, ancestors);
        data.timeline = new;
        data.write(uid, What::EndOfRecovery);
        (data.state, data.standby_signal, data.target) = (DbState::InProduction, false, false);
        server.role = Role::Primary;
        server.receiver = None;
        server.promote_at = None;
        server.checkpoint_at = Some(now + 3000);
        self.say_of(node, &format!("PostgreSQL leaves recovery, on timeline {new}"));
    }

    fn connect(&mut self, node: usize) {
        let (pid, now) = (self.pid(), self.now);
        let Some(server) = &mut self.nodes[node].server else { return };
        server.next_connect = now + RETRY;
        let Some(host) = server.conninfo.as_deref().map(host_of).filter(|h| !h.is_empty()).map(str::to_owned)
        else {
            return;
        };
        let wrong = self.nodes[node].wrong_address;
        let Some(from) = (0..self.count()).find(|n| name(*n) == host).map(|n| if wrong { node } else { n })
        else {
            return;
        };
        if !self.reaches(node, from) || !self.nodes[from].up {
            return;
        }
        let (own, theirs) = (&self.nodes[node].data, &self.nodes[from].data);
        let Some(sender) = &self.nodes[from].server else { return };
        if sender.role == Role::Starting || sender.stopping_since.is_some() || own.system != theirs.system {
            return;
        }
        if theirs.timeline < own.timeline {
            return; // "highest timeline of the primary is behind recovery timeline"
        }
        let start = own.end() / SEGMENT * SEGMENT;
        let known = theirs.timeline == own.timeline
            || theirs.fork(theirs.timeline, own.timeline).is_some_and(|at| start <= at);
        if !known || start > theirs.end() {
            return; // "requested starting point is not in this server's history", or ahead of its flush position
        }
        let sender = sender.pid;
        let wanted = own.timeline + 1..=theirs.timeline;
        let histories: Vec<_> =
            wanted.filter_map(|tli| Some((tli, theirs.histories.get(&tli)?.clone()))).collect();
        let n = &mut self.nodes[node];
        for (tli, history) in histories {
            n.data.histories.entry(tli).or_insert(history);
        }
        let timeline = n.data.timeline;
        let Some(server) = &mut n.server else { return };
        server.received.get_or_insert(start);
        server.receiver = Some(Receiver {
            pid,
            from,
            sender,
            host,
            timeline,
            latest_end: None,
            waiting: false,
            since: now,
        });
    }

    fn deliver(&mut self, node: usize) {
        let Some(receiver) = self.nodes[node].server.as_ref().and_then(|s| s.receiver.clone()) else {
            return;
        };
        let from = receiver.from;
        let alive = self.nodes[from].up
            && self.reaches(node, from)
            && self.nodes[from].server.as_ref().is_some_and(|s| s.pid == receiver.sender);
        if !alive {
            // Without a FIN it hangs until wal_receiver_timeout; the agent sees a stream all the same.
            let silent = !self.nodes[from].up || !self.reaches(node, from);
            if silent && self.now < receiver.since + 60_000 && self.rng.chance(995) {
                return;
            }
            if let Some(server) = &mut self.nodes[node].server {
                server.receiver = None;
                server.next_connect = self.now + self.rng.between(20, RETRY);
            }
            return;
        }
        if from == node || self.rng.chance(150) {
            return;
        }
        let (rate, theirs) = (self.nodes[node].rate, &self.nodes[from].data);
        let limit = match theirs.fork(theirs.timeline, receiver.timeline) {
            Some(at) if theirs.timeline != receiver.timeline => at,
            _ => theirs.applied_to,
        };
        let at = self.nodes[node].server.as_ref().and_then(|s| s.received).unwrap_or(0);
        let records = theirs.records(at, limit, rate);
        let (end, newer, fork) = (theirs.applied_to, theirs.timeline, limit);
        let n = &mut self.nodes[node];
        let Some(server) = &mut n.server else { return };
        n.data.receive(&records);
        let received = records.last().map_or(at, |r| r.end).max(at);
        server.received = Some(received);
        let Some(stream) = &mut server.receiver else { return };
        if !records.is_empty() {
            stream.latest_end = Some(end);
        }
        n.data.replay(received);
        n.data.min_recovery = Some((n.data.timeline, n.data.applied_to));
        if newer != stream.timeline && received >= fork.min(n.data.applied_to) {
            if n.data.may_follow(newer, n.data.timeline, n.data.applied_to) {
                (stream.timeline, n.data.timeline, stream.waiting) = (newer, newer, false);
            } else {
                stream.waiting = true;
            }
        }
        self.note_level(node, from);
    }

    /// Remembers that a standby had all that the primary in office had.
    fn note_level(&mut self, node: usize, from: usize) {
        let Some(reign) = self.reigns.len().checked_sub(1) else { return };
        if self.reigns[reign].node != from || self.reigns[reign].ended.is_some() {
            return;
        }
        let already = self.nodes[node].server.as_ref().is_some_and(|s| s.level == Some(reign));
        if already || !self.now.is_multiple_of(200) {
            return;
        }
        // By content: two forks of one length have the same positions.
        let (own, theirs) = (&self.nodes[node].data, &self.nodes[from].data);
        let level = own.applied_to >= theirs.applied_to && theirs.applied.is_subset(&own.applied);
        if let (true, Some(server)) = (level, &mut self.nodes[node].server) {
            server.level = Some(reign);
        }
    }

    fn reign(&mut self, node: usize) {
        let (now, served) = (self.now, self.serves(node));
        if self.client_works && served && self.rng.chance(120) {
            let (commit, uid) = (self.commit_id(), self.uid());
            let end = self.nodes[node].data.write(uid, What::Commit(commit));
            let Some(server) = &mut self.nodes[node].server else { return };
            if server.sync == Sync::Off {
                self.acknowledge(node, commit, false);
            } else {
                server.pending.push_back(Pending { commit, end });
            }
        }
        self.release_commits(node);
        let uid = self.uid();
        let n = &mut self.nodes[node];
        let Some(server) = &mut n.server else { return };
        if server.checkpoint_at.is_some_and(|at| at <= now) {
            server.checkpoint_at = None;
            let end = n.data.write(uid, What::Checkpoint);
            n.data.checkpoint = (n.data.timeline, end - What::Checkpoint.length());
            n.data.min_recovery = None;
        }
    }

    /// Who streams from a node, and how far it has flushed.
    pub fn streams_from(&self, node: usize) -> Vec<(usize, u64)> {
        let Some(pid) = self.nodes[node].server.as_ref().map(|s| s.pid) else { return Vec::new() };
        (0..self.count())
            .filter(|n| self.nodes[*n].up && self.reaches(node, *n))
            .filter_map(|n| {
                let server = self.nodes[n].server.as_ref()?;
                let receiver = server.receiver.as_ref()?;
                (receiver.sender == pid && !receiver.waiting).then(|| (n, server.received.unwrap_or(0)))
            })
            .collect()
    }

    fn release_commits(&mut self, node: usize) {
        let Some(server) = &self.nodes[node].server else { return };
        if server.pending.is_empty() {
            return;
        }
        let flushed = self.streams_from(node);
        let at = |n: &usize| flushed.iter().find(|(s, _)| s == n).map(|(_, lsn)| *lsn);
        let confirmed = match &server.sync {
            Sync::Off => Some(u64::MAX),
            // The first k that are there.
            Sync::First(k, list) => {
                let mut there: Vec<u64> = list.iter().filter_map(at).take(*k).collect();
                there.sort_unstable();
                (there.len() == *k).then(|| there[0])
            }
            Sync::Any(k, list) => {
                let mut there: Vec<u64> = list.iter().filter_map(at).collect();
                there.sort_unstable_by(|a, b| b.cmp(a));
                there.get(k - 1).copied()
            }
        };
        let Some(confirmed) = confirmed else { return };
        let synchronous = server.sync != Sync::Off;
        while let Some(first) = self.nodes[node].server.as_ref().and_then(|s| s.pending.front()).copied() {
            if first.end > confirmed {
                break;
            }
            if let Some(server) = &mut self.nodes[node].server {
                server.pending.pop_front();
            }
            if self.serves(node) {
                self.acknowledge(node, first.commit, synchronous);
            }
        }
    }

    /// A fast shutdown: the checkpoint, then everybody who streams has to have it.
    fn shut_down(&mut self, node: usize, since: Millis) {
        let (uid, now) = (self.uid(), self.now);
        let streams = self.streams_from(node);
        let n = &mut self.nodes[node];
        let Some(server) = &mut n.server else { return };
        match server.role {
            Role::Primary => {
                if n.data.state != DbState::ShuttingDown {
                    let end = n.data.write(uid, What::Checkpoint);
                    n.data.state = DbState::ShuttingDown;
                    n.data.checkpoint = (n.data.timeline, end - What::Checkpoint.length());
                    n.data.min_recovery = None;
                    server.pending.clear();
                }
                let all = streams.iter().all(|(_, lsn)| *lsn >= n.data.applied_to);
                if now < since + 150 || !all {
                    return;
                }
                n.data.state = DbState::ShutDown;
            }
            Role::Standby if now >= since + 80 => n.data.state = DbState::ShutDownInRecovery,
            Role::Starting => {}
            Role::Standby => return,
        }
        n.server = None;
    }
}
