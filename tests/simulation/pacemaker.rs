//! Pacemaker: what the scheduler makes of scores, failures and the administrator's wishes, in its order, one
//! transition after the other.

use std::collections::VecDeque;

use quorate::cluster::crm_mon::{self, Instance, Status};
use quorate::decide::follow::approval_attribute;
use quorate::ocf::{Action, OcfCode};

use crate::environment::{Kind, Lists, environment};
use crate::host::{RESOURCE, SCORE};
use crate::wal::name;
use crate::world::{Busy, Members, Millis, Spawn, World};

/// What Pacemaker knows of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Unknown,
    Stopped,
    Unpromoted,
    Promoted,
}

/// One thing of a transition.
#[derive(Debug, Clone)]
pub enum Task {
    Run(usize, Action, Kind),
    IpUp(usize),
    IpDown(usize),
}

/// The scheduler and the controller of one partition.
#[derive(Debug, Clone)]
pub struct Controller {
    pub members: Members,
    pub known: Vec<Known>,
    pub failed: Members,
    /// A start failed there: fail-count INFINITY.
    pub banned: Members,
    pub unclean: Members,
    pub fenced_at: Vec<Option<Millis>>,
    pub queue: VecDeque<Vec<Task>>,
    pub lists: Lists,
    pub calm_until: Millis,
    pub next_monitor: Vec<Millis>,
}

pub const fn bit(node: usize) -> Members {
    1 << node
}

/// The nodes in a set.
pub fn nodes(set: Members) -> impl Iterator<Item = usize> {
    (0..Members::BITS as usize).filter(move |n| set & bit(*n) != 0)
}

impl Controller {
    pub fn new(members: Members, count: usize) -> Controller {
        Controller {
            members,
            known: vec![Known::Unknown; count],
            failed: 0,
            banned: 0,
            unclean: 0,
            fenced_at: vec![None; count],
            queue: VecDeque::new(),
            lists: Lists::default(),
            calm_until: 0,
            next_monitor: vec![0; count],
        }
    }

    /// Ends the transition that runs. What follows an action that has been carried out, its
    /// post-notifications, is still done.
    pub fn abort(&mut self) {
        let after = |phase: &Vec<Task>| phase.iter().any(|t| matches!(t, Task::Run(_, _, Kind::Post(_))));
        let keep = self.queue.front().is_some_and(after);
        self.queue.truncate(usize::from(keep));
    }

    fn with(&self, known: Known) -> Members {
        nodes(self.members).filter(|n| self.known[*n] == known).map(bit).sum()
    }
}

impl World {
    /// The promotion score of a node, as `reader` has it.
    pub fn score(&self, reader: usize, owner: usize) -> Option<i32> {
        self.nodes[reader].attributes.get(&(owner, SCORE.to_owned()))?.parse().ok()
    }

    /// A change of it aborts the transition that runs.
    pub fn write_score(&mut self, from: usize, owner: usize, score: Option<i32>) {
        let text = score.map(|s| s.to_string());
        let before = self.score(from, owner);
        self.set_attribute(from, owner, SCORE, text.as_deref());
        if before != score
            && let Some(c) = self.controllers.iter_mut().find(|c| c.members & bit(from) != 0)
        {
            c.abort();
        }
    }

    /// What crm_mon shows on a node.
    pub fn status(&self, node: usize) -> Status {
        let mut status = Status::default();
        let Some(c) = self.controllers.iter().find(|c| c.members & bit(node) != 0) else { return status };
        status.quorate = Some(self.quorate(c.members));
        for n in 0..self.count() {
            status.nodes.push(crm_mon::Node {
                name: name(n),
                online: c.members & bit(n) != 0,
                unclean: c.unclean & bit(n) != 0,
                pending: false,
                standby: self.nodes[node].cib.standby & bit(n) != 0,
            });
            let role = match c.known[n] {
                Known::Unknown | Known::Stopped => crm_mon::Role::Stopped,
                Known::Unpromoted => crm_mon::Role::Unpromoted,
                Known::Promoted => crm_mon::Role::Promoted,
            };
            let runs = role != crm_mon::Role::Stopped;
            status.instances.push(Instance {
                resource: RESOURCE.into(),
                agent: "ocf:quorate:postgres".into(),
                role,
                failed: c.failed & bit(n) != 0,
                blocked: false,
                managed: true,
                pending: None,
                nodes: if runs { vec![name(n)] } else { Vec::new() },
            });
            let attributes = status.attributes.entry(name(n)).or_default();
            if let Some(score) = self.score(node, n) {
                attributes.insert(SCORE.into(), score.to_string());
            }
            if self.nodes[node].cib.loss_accepted & bit(n) != 0 {
                attributes.insert(approval_attribute(RESOURCE), "1".into());
            }
        }
        status
    }

    /// Carries the transition on, or computes the next one; begins monitors that are due.
    pub fn tick_controller(&mut self, at: usize) {
        let members = self.controllers[at].members;
        // The designated controller, the lowest, stands still.
        if nodes(members).next().is_some_and(|n| self.is_frozen(n)) {
            return;
        }
        if nodes(members).any(|n| self.nodes[n].busy.as_ref().is_some_and(|b| !b.monitor)) {
            return;
        }
        if let Some(phase) = self.controllers[at].queue.front() {
            let needed = |task: &Task| match task {
                Task::Run(n, ..) => self.nodes[*n].busy.is_some(),
                Task::IpUp(_) | Task::IpDown(_) => false,
            };
            if phase.iter().any(needed) {
                return;
            }
            let phase = self.controllers[at].queue.pop_front().unwrap_or_default();
            phase.into_iter().for_each(|task| self.carry_out(at, task));
            return;
        }
        if self.now >= self.controllers[at].calm_until {
            let pause = self.rng.between(40, 400);
            self.controllers[at].calm_until = self.now + pause;
            self.schedule(at);
        }
        if self.controllers[at].queue.is_empty() {
            self.begin_monitors(at);
        }
    }

    fn begin_monitors(&mut self, at: usize) {
        for n in nodes(self.controllers[at].members) {
            let c = &self.controllers[at];
            let kind = match c.known[n] {
                Known::Promoted => Kind::MonitorPromoted,
                Known::Unpromoted => Kind::MonitorUnpromoted,
                Known::Unknown | Known::Stopped => continue,
            };
            if c.failed & bit(n) != 0 || c.next_monitor[n] > self.now || self.nodes[n].busy.is_some() {
                continue;
            }
            self.controllers[at].next_monitor[n] = self.now + kind.interval();
            self.carry_out(at, Task::Run(n, Action::Monitor, kind));
        }
    }

    fn carry_out(&mut self, at: usize, task: Task) {
        match task {
            Task::IpDown(n) => self.nodes[n].ip = false,
            Task::IpUp(n) => self.take_office(n),
            Task::Run(n, action, kind) => {
                let environment = environment(&self.config, n, action, kind, &self.controllers[at].lists);
                let monitor = action == Action::Monitor && kind != Kind::Probe;
                self.nodes[n].busy = Some(Busy { action, until: self.now + kind.timeout(action), monitor });
                if !self.nodes[n].joined {
                    return; // Its result never comes: the next membership ends the wait.
                }
                if matches!(action, Action::Start | Action::Stop | Action::Promote | Action::Demote) {
                    self.say_of(n, action.name());
                }
                self.spawn.push_back(Spawn { node: n, action, environment });
            }
        }
    }

    /// Computes a transition.
    fn schedule(&mut self, at: usize) {
        let c = &self.controllers[at];
        let Some(dc) = nodes(c.members).next() else { return };
        if c.unclean != 0 {
            return;
        }
        let unknown = c.with(Known::Unknown);
        if unknown != 0 {
            let probes = nodes(unknown).map(|n| Task::Run(n, Action::Monitor, Kind::Probe)).collect();
            self.controllers[at].lists = Lists::default();
            self.controllers[at].queue.push_back(probes);
            return;
        }
        let cib = &self.nodes[dc].cib;
        let leaving: Members = nodes(c.members).filter(|n| self.nodes[*n].leaving).map(bit).sum();
        let quorate = self.quorate(c.members);
        let allowed = if quorate { c.members & !cib.standby & !c.banned & !leaving } else { 0 };
        let (promoted, unpromoted) = (c.with(Known::Promoted), c.with(Known::Unpromoted));
        let running = promoted | unpromoted;
        let candidates = nodes(allowed & !cib.banned);
        let best = candidates
            .filter_map(|n| Some((self.score(dc, n).filter(|s| *s > 0)?, promoted & bit(n) != 0, n)))
            .max_by_key(|(score, is_promoted, n)| (*score, *is_promoted, std::cmp::Reverse(*n)))
            .map_or(0, |(_, _, n)| bit(n));
        let stop = running & (!allowed | c.failed);
        let demote = promoted & (!best | stop);
        let start = allowed & (!running | c.failed);
        let promote = best & (!promoted | demote);
        let lists = Lists { start, stop, promote, demote, promoted, unpromoted };
        let mut queue: VecDeque<Vec<Task>> = VecDeque::new();
        let down: Vec<Task> = nodes(demote | stop).filter(|n| self.nodes[*n].ip).map(Task::IpDown).collect();
        if !down.is_empty() {
            queue.push_back(down);
        }
        let after_stop = running & !stop;
        let after_start = after_stop | start;
        for (set, action, before, after) in [
            (demote, Action::Demote, running, running),
            (stop, Action::Stop, running, after_stop),
            (start, Action::Start, after_stop, after_start),
            (promote, Action::Promote, after_start, after_start),
        ] {
            if set == 0 {
                continue;
            }
            let notify = |told: Members, kind| -> Vec<Task> {
                nodes(told).map(|n| Task::Run(n, Action::Notify, kind)).collect()
            };
            let run = nodes(set).map(|n| Task::Run(n, action, Kind::Other)).collect();
            queue.extend([notify(before, Kind::Pre(action)), run, notify(after, Kind::Post(action))]);
        }
        if best != 0 {
            queue.extend(
                nodes(best).filter(|n| promote != 0 || !self.nodes[*n].ip).map(|n| vec![Task::IpUp(n)]),
            );
        }
        queue.retain(|phase| !phase.is_empty());
        let c = &mut self.controllers[at];
        (c.lists, c.queue) = (lists, queue);
        for n in nodes(leaving & !running) {
            self.leave(n);
        }
    }

    /// An action has ended: what Pacemaker learns from it.
    pub fn finish(&mut self, node: usize, action: Action, code: OcfCode, expected: Kind) {
        let Some(at) = self.controllers.iter().position(|c| c.members & bit(node) != 0) else { return };
        let c = &mut self.controllers[at];
        let ok = code == OcfCode::Success;
        let failed = match action {
            Action::Start => {
                c.known[node] = Known::Unpromoted;
                c.failed &= !bit(node);
                if !ok {
                    c.banned |= bit(node);
                }
                !ok
            }
            Action::Stop => {
                c.known[node] = Known::Stopped;
                c.failed &= !bit(node);
                if !ok {
                    self.power_off(node, "is fenced: its stop failed");
                    return;
                }
                false
            }
            Action::Promote => {
                // One that failed counts as promoted until it is demoted.
                c.known[node] = Known::Promoted;
                !ok
            }
            Action::Demote => {
                c.known[node] = Known::Unpromoted;
                !ok
            }
            Action::Monitor => {
                let known = match code {
                    OcfCode::Success => Known::Unpromoted,
                    OcfCode::NotRunning => Known::Stopped,
                    OcfCode::RunningPromoted | OcfCode::FailedPromoted => Known::Promoted,
                    _ if c.known[node] == Known::Unknown => Known::Unpromoted,
                    _ => c.known[node],
                };
                let (before, failure) = (c.known[node], code == OcfCode::ErrGeneric);
                match expected {
                    Kind::Probe => c.known[node] = known,
                    _ if known == Known::Stopped => {}
                    _ => c.known[node] = known,
                }
                failure || code == OcfCode::FailedPromoted || (expected != Kind::Probe && known != before)
            }
            Action::Notify | Action::ReloadAgent | Action::ValidateAll | Action::MetaData => false,
        };
        if failed {
            c.failed |= bit(node);
            c.abort();
        }
    }
}
