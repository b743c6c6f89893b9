//! What has to hold after each step (docs/lab/tests.md, "The simulated cluster").

use std::collections::BTreeSet;

use crate::pacemaker::bit;
use crate::server::Role;
use crate::wal::name;
use crate::world::{Breach, Reign, World};

/// A score from which a standby is a full candidate.
const CANDIDATE: i32 = 900;

/// Rows are compared this often: it costs more than all the rest.
const FORK_PERIOD: u64 = 1000;

impl World {
    /// The float IP comes to a node: from now on clients write there. Everything that they were ever told of
    /// has to be there.
    pub fn take_office(&mut self, node: usize) {
        let Some(server) = self.nodes[node].server.as_ref().filter(|s| s.role == Role::Primary) else {
            return;
        };
        let pid = server.pid;
        self.end_reign();
        // Clients learn where it is now; one that stands still can't say that it still has it.
        for n in (0..self.count()).filter(|n| self.is_frozen(*n)).collect::<Vec<_>>() {
            self.nodes[n].ip = false;
        }
        self.nodes[node].ip = true;
        self.say_of(node, "has the float IP");
        self.check_commits(node);
        self.reigns.push(Reign { node, pid, ended: None });
    }

    fn check_commits(&mut self, node: usize) {
        let applied = &self.nodes[node].data.applied;
        let missing: Vec<usize> = (0..self.acks.len())
            .filter(|at| !self.acks[*at].written_off && !applied.contains(&self.acks[*at].commit))
            .collect();
        if missing.is_empty() {
            if self.accepted == Some(node) {
                self.accepted = None;
            }
            return;
        }
        let accepted = self.accepted.take_if(|n| *n == node).is_some();
        let mut lost = Vec::new();
        for at in missing {
            if accepted || self.by_right(node, at) {
                self.acks[at].written_off = true;
            } else {
                lost.push(self.acks[at].commit);
            }
        }
        if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
            let text = format!(
                "{} acknowledged commits are missing on {}, which is promoted: {first} to {last}",
                lost.len(),
                name(node)
            );
            self.breach(Breach::Lost, text);
        }
    }

    /// Asynchronous, acknowledged by a primary that is over, whose standby the new one was to the end, and
    /// nobody else here has it.
    fn by_right(&self, node: usize, at: usize) -> bool {
        let ack = &self.acks[at];
        let there = self.reigns[ack.reign].ended.as_ref().is_some_and(|level| level.contains(&node));
        let view = self.nodes[node].view;
        let elsewhere = (0..self.count()).any(|n| {
            let other = &self.nodes[n];
            view & bit(n) != 0 && other.server.is_some() && other.data.applied.contains(&ack.commit)
        });
        !ack.synchronous && there && !elsewhere
    }

    /// Whether the last reign is over, and who was level with it then.
    fn end_reign(&mut self) {
        let Some(last) = self.reigns.last() else { return };
        if last.ended.is_some() {
            return;
        }
        let (node, pid, index) = (last.node, last.pid, self.reigns.len() - 1);
        let lives = self.serves(node) && self.nodes[node].server.as_ref().is_some_and(|s| s.pid == pid);
        if lives {
            return;
        }
        let level: BTreeSet<usize> = (0..self.count())
            .filter(|n| self.nodes[*n].server.as_ref().is_some_and(|s| s.level == Some(index)))
            .collect();
        self.reigns[index].ended = Some(level);
    }

    /// After each tick.
    pub fn check(&mut self) {
        self.end_reign();
        let serving: Vec<usize> = (0..self.count()).filter(|n| self.serves(*n)).collect();
        if serving.len() > 1 && !self.breaches.iter().any(|(b, _)| *b == Breach::TwoPrimaries) {
            let names: Vec<String> = serving.iter().map(|n| name(*n)).collect();
            self.breach(
                Breach::TwoPrimaries,
                format!("{} take writes at the same time", names.join(" and ")),
            );
        }
        if !self.now.is_multiple_of(FORK_PERIOD) || self.breaches.iter().any(|(b, _)| *b == Breach::Fork) {
            return;
        }
        let [primary] = serving[..] else { return };
        for n in 0..self.count() {
            let Some(server) = &self.nodes[n].server else { continue };
            let follows = server.role == Role::Standby && server.receiver.is_some();
            if !follows || self.score(n, n).is_none_or(|s| s < CANDIDATE) {
                continue;
            }
            let other =
                self.nodes[n].data.applied.difference(&self.nodes[primary].data.applied).next().copied();
            if let Some(commit) = other {
                let text = format!(
                    "{} is a candidate, and has commit {commit}, which its primary {} does not have",
                    name(n),
                    name(primary)
                );
                self.breach(Breach::Fork, text);
                return;
            }
        }
    }
}
