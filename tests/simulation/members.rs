//! corosync and the rest of the cluster's ground: membership, quorum with a witness, self-fencing and fencing
//! with its margin, the merge of attributes and CIBs at a join.

use crate::pacemaker::{Controller, Known, bit, nodes};
use crate::wal::name;
use crate::world::{Members, Millis, World};

/// From the loss of a node to the new membership.
const TOKEN: Millis = 1500;
/// A join is quicker.
const JOIN: Millis = 700;
/// A node that finds nobody makes itself the designated controller after this time.
const DC_DEADTIME: Millis = 20_000;
/// A node without quorum resets itself (sbd).
const WATCHDOG: Millis = 5000;
/// One that stood still for longer finds that out within this time (sbd's loop).
const NOTICES: Millis = 1000;
/// stonith-watchdog-timeout: after this the others take it for granted.
const FENCED_AFTER: Millis = 10_000;

impl World {
    /// Who can reach whom now, from one node.
    pub fn component(&self, of: usize) -> Members {
        let alive = |n: usize| self.nodes[n].up && self.nodes[n].joined;
        let mut seen = bit(of);
        let mut found = vec![of];
        while let Some(at) = found.pop() {
            for n in (0..self.count()).filter(|n| alive(*n) && self.reaches(at, *n)) {
                if seen & bit(n) == 0 {
                    seen |= bit(n);
                    found.push(n);
                }
            }
        }
        seen
    }

    /// Votes of a partition, the quorum device's among them: it goes to the largest part that reaches the
    /// witness, of equals to that which had it, else to that with the lowest node (ffsplit).
    pub fn quorate(&self, members: Members) -> bool {
        let votes = members.count_ones() as usize;
        let (mut all, mut own) = (self.count(), votes);
        if self.config.witness {
            all += 1;
            let witness = self.count();
            let reaches =
                |view: Members| nodes(view).any(|n| self.nodes[n].joined && self.reaches(n, witness));
            let held = self.witness_vote;
            let rank = |view: Members| {
                (view.count_ones(), (view & held).count_ones(), std::cmp::Reverse(view.trailing_zeros()))
            };
            let views = self.nodes.iter().filter(|n| n.joined).map(|n| n.view).filter(|v| reaches(*v));
            if views.max_by_key(|v| rank(*v)) == Some(members) {
                own += 1;
            }
        }
        own * 2 > all
    }

    /// Who stood still goes on. Its own watchdog daemon finds that it was not heard for longer than it may be.
    fn tick_frozen(&mut self) {
        let now = self.now;
        for n in 0..self.count() {
            if let Some((since, until)) = self.nodes[n].frozen
                && until <= now
            {
                self.nodes[n].frozen = None;
                self.say_of(n, "goes on");
                if now - since >= WATCHDOG {
                    let notices = self.rng.between(5, NOTICES);
                    self.nodes[n].resets_at = Some(now + notices);
                }
            }
            if self.nodes[n].resets_at.is_some_and(|at| at <= now) {
                self.power_off(n, "resets itself: it stood still");
            }
        }
    }

    /// Delivers memberships, starts services, resets who has no quorum, ends fencings.
    pub fn tick_members(&mut self) {
        self.tick_frozen();
        let now = self.now;
        for n in 0..self.count() {
            let node = &mut self.nodes[n];
            if node.up && node.frozen.is_none() && node.joins_at > 0 && node.joins_at <= now {
                node.joins_at = 0;
                node.joined = true;
                node.busy = None;
                node.leaving = false;
                node.run += 1;
                node.view = bit(n);
                node.view_differs_since = None;
                node.attributes.clear();
                self.say_of(n, "corosync and Pacemaker run");
                let mut alone = Controller::new(bit(n), self.count());
                alone.calm_until = now + DC_DEADTIME;
                self.controllers.push(alone);
            }
        }
        let mut changed = false;
        for n in 0..self.count() {
            if !self.nodes[n].joined || self.is_frozen(n) {
                continue;
            }
            let actual = self.component(n);
            let view = self.nodes[n].view;
            if actual == view {
                self.nodes[n].view_differs_since = None;
                continue;
            }
            let since = *self.nodes[n].view_differs_since.get_or_insert(now);
            let delay = if view & !actual == 0 { JOIN } else { TOKEN };
            if now >= since + delay {
                for m in nodes(actual) {
                    self.nodes[m].view = actual;
                    self.nodes[m].view_differs_since = None;
                }
                changed = true;
            }
        }
        if changed {
            // Who stands still hears of it when it goes on: until then it is alone.
            for (n, node) in self.nodes.iter_mut().enumerate().filter(|(_, node)| node.frozen.is_some()) {
                node.view = bit(n);
            }
            self.rebuild();
        }
        self.controllers.retain(|c| nodes(c.members).any(|n| self.nodes[n].joined));
        let holder = self.nodes.iter().find(|n| n.joined && self.config.witness && self.quorate(n.view));
        if let Some(view) = holder.map(|n| n.view) {
            self.witness_vote = view;
        }
        for n in 0..self.count() {
            if !self.nodes[n].joined || self.is_frozen(n) {
                continue;
            }
            if self.quorate(self.nodes[n].view) {
                self.nodes[n].without_quorum_since = None;
            } else {
                let since = *self.nodes[n].without_quorum_since.get_or_insert(now);
                if now >= since + WATCHDOG {
                    self.power_off(n, "resets itself: no quorum");
                }
            }
        }
        self.tick_fencing();
    }

    fn tick_fencing(&mut self) {
        let now = self.now;
        for at in 0..self.controllers.len() {
            let members = self.controllers[at].members;
            let quorate = self.quorate(members);
            for n in nodes(self.controllers[at].unclean) {
                let c = &mut self.controllers[at];
                match c.fenced_at[n] {
                    None if quorate => c.fenced_at[n] = Some(now + FENCED_AFTER),
                    Some(due) if due <= now && quorate => {
                        c.unclean &= !bit(n);
                        c.fenced_at[n] = None;
                        c.known[n] = Known::Stopped;
                        c.failed &= !bit(n);
                        self.say("cluster", &format!("{} counts as fenced", name(n)));
                    }
                    None | Some(_) => {}
                }
            }
        }
    }

    /// New controllers for the memberships that stand: each goes on from what its members knew.
    fn rebuild(&mut self) {
        let old = std::mem::take(&mut self.controllers);
        let mut views: Vec<Members> = self.nodes.iter().filter(|n| n.joined).map(|n| n.view).collect();
        views.sort_unstable();
        views.dedup();
        for view in views {
            let view: Members = nodes(view).filter(|n| self.nodes[*n].joined).map(bit).sum();
            let knows = |c: &Controller| nodes(view).filter(|n| c.known[*n] != Known::Unknown).count();
            let base = old.iter().filter(|c| c.members & view != 0);
            let base = base.max_by_key(|c| (knows(c), c.members.count_ones(), std::cmp::Reverse(c.members)));
            let mut c = base.cloned().unwrap_or_else(|| Controller::new(view, self.count()));
            let (gone, come) = (c.members & !view, view & !c.members);
            c.members = view;
            if gone | come == 0 {
                self.controllers.push(c);
                continue;
            }
            c.queue.clear();
            c.calm_until = self.now;
            for n in nodes(gone) {
                let joined = self.nodes[n].joined;
                self.nodes[n].busy.take_if(|_| !joined);
            }
            for n in nodes(come) {
                c.known[n] = Known::Unknown;
                c.failed &= !bit(n);
                c.banned &= !bit(n);
                c.unclean &= !bit(n);
                c.fenced_at[n] = None;
            }
            for n in nodes(gone) {
                c.unclean |= bit(n);
                c.fenced_at[n] = None;
            }
            self.merge(view, gone);
            let list: Vec<String> = nodes(view).map(name).collect();
            let quorum = if self.quorate(view) { "quorate" } else { "without quorum" };
            self.say("cluster", &format!("members: {} ({quorum})", list.join(" ")));
            self.controllers.push(c);
        }
    }

    fn merge(&mut self, view: Members, gone: Members) {
        // Each owner's own copy is the one that counts; who is gone takes his values along.
        let mut attributes = std::collections::BTreeMap::new();
        for n in nodes(view) {
            let own = self.nodes[n].attributes.iter().filter(|((owner, _), _)| *owner == n);
            attributes.extend(own.map(|(k, v)| (k.clone(), v.clone())));
        }
        attributes.retain(|(owner, _), _| gone & bit(*owner) == 0);
        // The highest version wins, whoever wrote it.
        let cib = nodes(view).map(|n| self.nodes[n].cib.clone()).max_by_key(|cib| cib.epoch);
        for n in nodes(view) {
            self.nodes[n].attributes = attributes.clone();
            self.nodes[n].cib = cib.clone().unwrap_or_default();
        }
    }

    /// `pcs cluster stop`, once nothing runs there.
    pub fn leave(&mut self, node: usize) {
        self.say_of(node, "has left the cluster");
        self.nodes[node].joined = false;
        self.nodes[node].leaving = false;
        self.nodes[node].without_quorum_since = None;
        for n in 0..self.count() {
            self.nodes[n].view &= !bit(node);
            self.nodes[n].attributes.retain(|(owner, _), _| *owner != node);
        }
        self.nodes[node].attributes.clear();
        for c in &mut self.controllers {
            c.members &= !bit(node);
            c.known[node] = Known::Stopped;
        }
    }
}
