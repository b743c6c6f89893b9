//! One node over time: what its parts call for in each look, and what of it happens.

use super::act::{Act, LogLevel, ShutdownMode};
use super::excuses::{Excuse, Excuses};
use super::instances::Instances;
use super::limits::{Limits, MEMBERSHIP_MARGIN};
use super::observation::{InstanceObservation, Maintenance, NodeSnapshot, PostmasterState, Quorum};
use super::proposal::{Proposal, Wanted};
use super::quorum::{Duty, QuorumWatch};
use super::shortage::Shortages;
use super::storage::Places;
use super::subjects::{RULES, Subject};
use super::watch::{Around, Finding, Watch};
use super::{maintenance, storage};
use crate::cluster::reset_intent::Condition;
use crate::cluster::timing::NoQuorumPolicy;
use crate::decide::clock::{ElapsedTime, Millis, ObserverTime};
use crate::decide::reset::{Call, Excluded, Gate, Ground, Hold, Said, Verdict};
use crate::pg::instance::Phase;

/// What is carried from look to look.
#[derive(Debug)]
pub struct Detector {
    limits: Limits,
    now: ObserverTime,
    /// As [`Self::now`], and it does not stop with the observer: what was agreed on with others ends by it.
    passed: ElapsedTime,
    watches: Vec<Watch>,
    quorum: QuorumWatch,
    instances: Instances,
    places: Places,
    shortages: Shortages,
    gate: Gate,
    units_asked: Option<ObserverTime>,
    /// Until then a membership forms, or is just formed: what waits for it is slow.
    forming_until: ObserverTime,
    excuses: Excuses,
    /// What was not well in the last look.
    unwell: Option<String>,
    over: bool,
}

/// The messages to oneself are 2 s apart: one that takes longer waits for a membership.
const UNDELIVERED: Millis = 2500;
/// The states of units are asked for anew after this time, while something looks bad.
const UNITS_FRESH: Millis = 2000;

impl Detector {
    /// One that has seen nothing yet: nothing is armed.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            now: ObserverTime::default(),
            passed: ElapsedTime::default(),
            watches: RULES.iter().map(Watch::new).collect(),
            quorum: QuorumWatch::default(),
            instances: Instances::default(),
            places: Places::default(),
            shortages: Shortages::default(),
            gate: Gate::default(),
            units_asked: None,
            forming_until: ObserverTime::default(),
            excuses: Excuses::default(),
            unwell: None,
            over: false,
        }
    }

    /// From now on by these limits: corosync's configuration has changed.
    pub fn go_by(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether the node was to be reset: nothing is decided any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What is armed by now.
    #[must_use]
    pub fn armed(&self) -> Vec<Subject> {
        self.watches.iter().filter(|w| w.is_armed()).map(|w| w.rule.subject).collect()
    }

    /// Whether a lost quorum would end the primaries.
    #[must_use]
    pub fn quorum_armed(&self) -> bool {
        self.quorum.is_armed()
    }

    /// What hangs and is left alone, and why.
    #[must_use]
    pub fn excuses(&self) -> Vec<Excuse> {
        self.excuses.told(self.now)
    }

    /// The reset that is held back, since nobody well would go on.
    #[must_use]
    pub const fn held(&self) -> Option<&Hold> {
        self.gate.held()
    }

    /// Takes a look, and says what follows from it.
    pub fn step(&mut self, snapshot: &NodeSnapshot) -> Vec<Act> {
        if self.over {
            return Vec::new();
        }
        let before = self.now;
        self.now += snapshot.elapsed.min(self.limits.longest_step);
        self.passed += snapshot.elapsed;
        self.unwell = None;
        if let Some(by) = &snapshot.request {
            // No excuse counts, maintenance neither: Pacemaker has decided with the quorum, and the watchdog would end it later.
            self.over = true;
            let why = format!("fenced: {by} carries it out");
            return vec![Act::Reset { ground: Ground::Fenced, mode: ShutdownMode::Orderly, why }];
        }
        self.excuses.see(self.now, &snapshot.units);
        let mut proposals = self.watch_quorum(snapshot);
        self.watch_daemons(snapshot, self.now - before, &mut proposals);
        proposals.extend(self.instances.step(self.now, snapshot, &self.limits));
        proposals.extend(self.places.step(self.now, snapshot, &self.limits));
        let acts = self.settle(snapshot, proposals);
        self.over = acts.iter().any(|act| matches!(act, Act::Reset { .. }));
        acts
    }

    fn watch_quorum(&mut self, snapshot: &NodeSnapshot) -> Vec<Proposal> {
        let corosync =
            snapshot.daemons.iter().find(|(s, _)| *s == Subject::Corosync).and_then(|(_, l)| l.process);
        // Under maintenance of the node Pacemaker does not end it either: its primaries alone are stopped.
        let pacemaker = self.watches.iter().find(|w| w.rule.subject == Subject::Pacemakerd);
        let pacemaker = pacemaker
            .is_some_and(|w| w.is_armed() && self.excuses.find(self.now, w.rule, snapshot).is_none());
        let duty = match (snapshot.cluster.maintenance, snapshot.cluster.no_quorum_policy) {
            (Maintenance::On, _) | (_, Some(NoQuorumPolicy::Ignore)) => Duty::None,
            (_, Some(NoQuorumPolicy::Suicide | NoQuorumPolicy::Fence)) if pacemaker => Duty::End,
            (Maintenance::Off, _) => Duty::StopPrimaries,
        };
        let primaries = snapshot.instances.iter().any(InstanceObservation::may_write);
        let corosync = corosync.map(|(id, _)| id);
        self.quorum.step(self.now, snapshot.quorum, corosync, duty, primaries, &self.limits)
    }

    fn watch_daemons(&mut self, snapshot: &NodeSnapshot, elapsed: Millis, proposals: &mut Vec<Proposal>) {
        let mut suspicious = self.quorum.is_lost();
        let mut unwell = None;
        let formation = self.limits.totem.saturating_sub(MEMBERSHIP_MARGIN);
        let totem = self.watches.iter().find(|w| w.rule.subject == Subject::Totem);
        if totem.and_then(|w| w.silent(self.now)).is_some_and(|silent| silent > UNDELIVERED) {
            self.forming_until = self.now + formation;
        }
        let around = Around {
            elapsed,
            explained: if self.now < self.forming_until { formation } else { 0 },
            state_hangs: storage::state_hangs(&snapshot.places),
            starved: snapshot.starved,
        };
        for watch in &mut self.watches {
            let Some((_, look)) = snapshot.daemons.iter().find(|(s, _)| *s == watch.rule.subject) else {
                continue;
            };
            let finding = watch.step(self.now, look, around, &self.limits);
            suspicious |= !matches!(finding, Finding::Well);
            if !matches!(finding, Finding::Well) {
                unwell.get_or_insert_with(|| format!("{} hangs, or may", watch.rule.name));
            }
            match finding {
                Finding::Well => self.excuses.end(watch.rule.subject),
                Finding::Suspect(None) => {}
                Finding::Suspect(Some(line)) => proposals.push(Act::Say(LogLevel::Warning, line).into()),
                Finding::SurvivesSigkill(why) => {
                    if let Some(excuse) = self.excuses.find(self.now, watch.rule, snapshot) {
                        if self.excuses.begin(self.now, watch.rule.subject, &excuse) {
                            let line = format!("{why}: left alone, {excuse}");
                            proposals.push(Act::Say(LogLevel::Note, line).into());
                        }
                        continue;
                    }
                    let (ground, mode) = (Ground::Daemon, ShutdownMode::Immediate);
                    proposals.push(Wanted { ground, mode, why, victim: None }.into());
                }
                Finding::Hangs { process, evidence } => {
                    if let Some(why) = self.excuses.find(self.now, watch.rule, snapshot) {
                        // Said once, not at every look of a long stop.
                        if self.excuses.begin(self.now, watch.rule.subject, &why) {
                            let line = format!("{evidence}: left alone, {why}");
                            proposals.push(Act::Say(LogLevel::Note, line).into());
                        }
                        continue;
                    }
                    self.excuses.end(watch.rule.subject);
                    let primaries = snapshot.instances.iter().any(InstanceObservation::may_write);
                    proposals.push(watch.remedy(self.now, process, evidence, primaries, &self.limits));
                }
            }
        }
        self.unwell = unwell.or_else(|| storage::unwell(&snapshot.places));
        suspicious |= self.unwell.is_some();
        // Another node asks who goes on: the answer is about this moment, and passing attributes stand in the live configuration alone.
        suspicious |= snapshot.resets.another_first.is_some();
        proposals.extend(self.shortages.step(snapshot));
        if suspicious && self.units_asked.is_none_or(|at| self.now - at >= UNITS_FRESH) {
            self.units_asked = Some(self.now);
            proposals.push(Act::AskUnits.into());
        }
    }

    /// What happens.
    fn settle(&mut self, snapshot: &NodeSnapshot, proposals: Vec<Proposal>) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut wanted = Vec::new();
        for proposal in proposals {
            match proposal {
                Proposal::Act(act) => acts.push(act),
                Proposal::Reset(reset) => wanted.push(reset),
            }
        }
        // One that needs nobody goes before the others.
        wanted.sort_by_key(|w| w.ground);
        let Some(first) = wanted.first() else {
            acts.extend(self.gate.rest().into_iter().map(act));
            return acts;
        };
        let writing = snapshot.instances.iter().filter(|i| i.may_write());
        let primaries: Vec<String> = writing.map(|i| i.instance.resource.clone()).collect();
        let excluded = excluded(snapshot);
        let call = Call {
            ground: first.ground,
            why: &first.why,
            primaries: &primaries,
            view: &snapshot.resets,
            votes: snapshot.votes,
            excluded: &excluded,
        };
        let (verdict, said) = self.gate.step(self.passed, &call);
        acts.extend(said.into_iter().map(act));
        match verdict {
            Verdict::Reset => {
                let at_once = wanted.iter().any(|w| w.mode == ShutdownMode::Immediate);
                let mode = if at_once { ShutdownMode::Immediate } else { ShutdownMode::Orderly };
                let Wanted { ground, why, .. } = wanted.swap_remove(0);
                acts.push(Act::Reset { ground, mode, why });
            }
            Verdict::Ask | Verdict::Wait => {}
            Verdict::Hold => {
                for Wanted { victim, why, .. } in wanted {
                    // The others would call the node lost and have it fenced: the same reset by another way.
                    if victim == Some(Subject::Based) && !snapshot.resets.others.is_empty() {
                        continue;
                    }
                    let watch = self.watches.iter_mut().find(|w| Some(w.rule.subject) == victim);
                    if let Some(process) = watch.and_then(|w| w.kill(self.now)) {
                        let why = format!("{why}; in place of a reset");
                        acts.push(Act::Kill { process, why });
                    }
                }
            }
        }
        acts
    }

    /// How this node is, for another one that would reset itself.
    #[must_use]
    pub fn condition(&self, snapshot: &NodeSnapshot) -> Condition {
        let runs = |i: &&InstanceObservation| {
            i.postmaster == PostmasterState::Runs && i.instance.phase == Phase::Running
        };
        let managed =
            |i: &&InstanceObservation| maintenance::instance(&i.instance.resource, snapshot).is_none();
        let candidate = |i: &&InstanceObservation| i.may_be_promoted();
        let allowed =
            |i: &&InstanceObservation| maintenance::barred(&i.instance.resource, snapshot).is_none();
        let able = snapshot.instances.iter().filter(runs).filter(managed).filter(candidate).filter(allowed);
        Condition {
            node: snapshot.instances.iter().find_map(|i| i.instance.node.clone()).unwrap_or_default(),
            obstacle: self.obstacle(snapshot),
            instances: able.map(|i| i.instance.resource.clone()).collect(),
        }
    }

    /// Why this node can't go on for another one.
    fn obstacle(&self, snapshot: &NodeSnapshot) -> Option<String> {
        if self.over {
            return Some("it resets itself".to_owned());
        }
        if self.gate.intends() || self.gate.held().is_some() {
            return Some("it would reset itself too".to_owned());
        }
        if snapshot.quorum != Quorum::Quorate {
            return Some("it has no quorum".to_owned());
        }
        if let Some(why) = &self.unwell {
            return Some(why.clone());
        }
        if let Some(why) = maintenance::node(snapshot).or_else(|| maintenance::standby(snapshot)) {
            return Some(why);
        }
        if snapshot.starved {
            return Some("its processes get no processor".to_owned());
        }
        if let Some((_, shortage)) = snapshot.daemons.iter().find_map(|(s, l)| l.shortage.map(|x| (s, x))) {
            return Some(format!("its daemons can't be asked: {}", shortage.text()));
        }
        let needed = |s: Subject| !matches!(s, Subject::Sbd | Subject::Qdevice);
        let unseen = self.watches.iter().find(|w| needed(w.rule.subject) && !w.is_armed());
        unseen.map(|w| format!("{} has not been healthy yet", w.rule.name))
    }
}

/// The other nodes on which Pacemaker may promote nobody, as this node knows it: more recent than their own word, it may be.
fn excluded(snapshot: &NodeSnapshot) -> Vec<Excluded> {
    let states = snapshot.cluster.management.nodes.iter();
    let told = states.filter_map(|n| {
        let why = n.maintenance.clone().or_else(|| n.standby.clone())?;
        Some(Excluded { node: n.id?, resource: None, why })
    });
    let barred = snapshot.cluster.barred.iter().filter_map(|b| {
        Some(Excluded { node: b.node_id?, resource: Some(b.resource.clone()), why: b.why.clone() })
    });
    told.chain(barred).collect()
}

fn act(said: Said) -> Act {
    match said {
        Said::Ask { number, why } => Act::AskOthers { number, why },
        Said::Withdraw { number } => Act::Withdraw { number },
        Said::Wanted(why) => Act::Say(
            LogLevel::Error,
            format!("reset wanted: {why}; asking the others whether one can take over"),
        ),
        Said::HeldBack(text) => Act::Say(LogLevel::Error, format!("reset held back: {text}")),
        Said::Over(why) => {
            Act::Say(LogLevel::Note, format!("a reset that was held back is no longer needed: {why}"))
        }
    }
}
