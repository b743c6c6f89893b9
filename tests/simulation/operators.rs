//! What an act does to the cluster.

use quorate::pg::control_data::DbState;

use crate::pacemaker::{Known, bit};
use crate::plan::Act;
use crate::server::{Role, Targets};
use crate::wal::{DataDir, FIRST_BYTE, What};
use crate::world::World;

/// How long an instance is full of clients.
const CROWDED: u64 = 60_000;

impl World {
    /// Carries an act out. One that makes no sense at this moment does nothing.
    pub fn act(&mut self, act: Act) {
        let text = act.to_string();
        self.say("ACT", &text);
        match act {
            Act::PowerOff(n) => self.power_off(n, "is off"),
            Act::Boot(n) => self.boot(n),
            Act::CrashPostgres(n) => self.nodes[n].server = None,
            Act::Isolate(n) => {
                let others = (0..=self.count()).filter(|o| *o != n);
                self.cut.extend(others.map(|o| (n.min(o), n.max(o))));
            }
            Act::Cut(a, b) => drop(self.cut.insert((a.min(b), a.max(b)))),
            Act::Heal => self.cut.clear(),
            Act::KillAttrd(n) => {
                self.nodes[n].attrd += 1;
                for node in &mut self.nodes {
                    node.attributes.retain(|(owner, _), _| *owner != n);
                }
            }
            Act::KillAction(n) => self.cut_off.push(n),
            Act::Standby(n) => self.administer(|cib| cib.standby |= bit(n)),
            Act::Unstandby(n) => self.administer(|cib| cib.standby &= !bit(n)),
            Act::Ban(n) => self.administer(|cib| cib.banned |= bit(n)),
            Act::Unban(n) => self.administer(|cib| cib.banned &= !bit(n)),
            Act::AcceptLoss(n) => {
                self.administer(|cib| cib.loss_accepted |= bit(n));
                self.accepted = Some(n);
            }
            Act::StopCluster(n) if self.nodes[n].joined => self.nodes[n].leaving = true,
            Act::StartCluster(n) if self.nodes[n].up && !self.nodes[n].joined => {
                self.nodes[n].joins_at = self.now + 1000;
            }
            Act::StopCluster(_) | Act::StartCluster(_) => {}
            Act::Cleanup(n) => {
                for c in self.controllers.iter_mut().filter(|c| c.members & bit(n) != 0) {
                    c.known[n] = Known::Unknown;
                    c.failed &= !bit(n);
                    c.banned &= !bit(n);
                    c.queue.clear();
                }
            }
            Act::HandPromote(n) => {
                let at = self.now + 100;
                let standby = self.nodes[n].server.as_mut().filter(|s| s.role == Role::Standby);
                if let Some(server) = standby {
                    server.promote_at.get_or_insert(at);
                }
            }
            Act::HandStart(n) if self.nodes[n].up => self.launch(n, Targets::OfTheFiles),
            Act::HandStart(_) => {}
            Act::ForkedCopy { from, to } => self.forked_copy(from, to),
            Act::ForkedStandby { from, to } => {
                self.forked_copy(from, to);
                if self.nodes[to].server.is_none() {
                    self.nodes[to].data.standby_signal = true;
                }
            }
            Act::Rebuild { from, to } => {
                let source = self.nodes[from].server.as_ref().filter(|server| server.role != Role::Starting);
                if from != to && source.is_some() && self.nodes[to].server.is_none() {
                    let mut data = self.nodes[from].data.clone();
                    data.standby_signal = true;
                    self.nodes[to].data = data;
                }
            }
            Act::ForeignData(n) if self.nodes[n].server.is_none() => {
                let mut data = DataDir::initdb(99);
                data.timeline = 5;
                data.checkpoint = (5, FIRST_BYTE);
                let ancestors = |tli: u32| (1..tli).map(|t| (t, FIRST_BYTE)).collect();
                data.histories = (2..=5).map(|tli| (tli, ancestors(tli))).collect();
                self.nodes[n].data = data;
            }
            Act::ForeignData(_) => {}
            Act::WrongAddress(n) => self.nodes[n].wrong_address = true,
            Act::RecoveryTarget(n) => self.nodes[n].data.target = true,
            Act::Crowd(n) => self.nodes[n].crowded_until = self.now + CROWDED,
            Act::Freeze(n, seconds) if self.nodes[n].up => {
                self.nodes[n].frozen = Some((self.now, self.now + seconds * 1000));
            }
            Act::Freeze(..) => {}
            Act::SlowLink(n, rate) => self.nodes[n].rate = if rate == 0 { usize::MAX } else { rate },
        }
    }

    /// After the last act: everything has power and network, nothing is told to keep off.
    pub fn mend(&mut self) {
        self.say("ACT", "everything is mended: power, network; no standby, no ban");
        self.cut.clear();
        let now = self.now;
        for n in 0..self.count() {
            (self.nodes[n].rate, self.nodes[n].leaving) = (usize::MAX, false);
            if let Some((_, until)) = &mut self.nodes[n].frozen {
                *until = now;
            }
            self.boot(n);
        }
        self.administer(|cib| (cib.standby, cib.banned) = (0, 0));
    }

    /// `pcs resource cleanup`.
    pub fn clean_up(&mut self) {
        (0..self.count()).for_each(|n| self.act(Act::Cleanup(n)));
        self.administer(|cib| (cib.standby, cib.banned) = (0, 0));
    }

    /// Typed at a node that is in the cluster.
    fn administer(&mut self, change: impl Fn(&mut crate::world::Cib)) {
        let at = (0..self.count()).filter(|n| self.nodes[*n].joined);
        if let Some(n) = at.max_by_key(|n| (self.quorate(self.nodes[*n].view), std::cmp::Reverse(*n))) {
            self.change_cib(n, change);
        }
    }

    fn forked_copy(&mut self, from: usize, to: usize) {
        if from == to || self.nodes[to].server.is_some() {
            return;
        }
        let mut data = self.nodes[from].data.clone();
        data.standby_signal = false;
        // What is written by hand was acknowledged to nobody.
        for _ in 0..3 {
            let (commit, uid) = (self.commit_id(), self.uid());
            data.write(uid, What::Commit(commit));
        }
        let uid = self.uid();
        let end = data.write(uid, What::Checkpoint);
        data.checkpoint = (data.timeline, end - What::Checkpoint.length());
        (data.state, data.min_recovery) = (DbState::ShutDown, None);
        self.nodes[to].data = data;
    }
}
