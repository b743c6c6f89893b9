//! What a look calls for, and what of it happens: a reset is proposed, and happens where someone well goes on.

use super::{Act, Detector, InstanceLook, Manner, Sight, Subject, Voice, maintenance};
use crate::cluster::reset_intent::Condition;
use crate::decide::detector::{Life, Quorum};
use crate::decide::reset::{Call, Ground, Said, Verdict};
use crate::pg::instance::Phase;

/// A reset that something calls for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) ground: Ground,
    pub(super) manner: Manner,
    pub(super) why: String,
    /// The daemon that is killed in its stead, while nobody well would go on.
    pub(super) victim: Option<Subject>,
}

/// What a part of the detector proposes.
#[derive(Debug)]
pub(super) enum Proposal {
    Act(Act),
    Reset(Wanted),
}

impl From<Act> for Proposal {
    fn from(act: Act) -> Self {
        Self::Act(act)
    }
}

impl From<Wanted> for Proposal {
    fn from(wanted: Wanted) -> Self {
        Self::Reset(wanted)
    }
}

impl Detector {
    /// What happens.
    pub(super) fn settle(&mut self, sight: &Sight, proposals: Vec<Proposal>) -> Vec<Act> {
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
        let writing = sight.instances.iter().filter(|i| i.may_write());
        let primaries: Vec<String> = writing.map(|i| i.instance.resource.clone()).collect();
        let excluded = excluded(sight);
        let call = Call {
            ground: first.ground,
            why: &first.why,
            primaries: &primaries,
            view: &sight.resets,
            votes: sight.votes,
            excluded: &excluded,
        };
        let (verdict, said) = self.gate.step(self.passed, &call);
        acts.extend(said.into_iter().map(act));
        match verdict {
            Verdict::Reset => {
                let at_once = wanted.iter().any(|w| w.manner == Manner::AtOnce);
                let manner = if at_once { Manner::AtOnce } else { Manner::Orderly };
                let Wanted { ground, why, .. } = wanted.swap_remove(0);
                acts.push(Act::Reset { ground, manner, why });
            }
            Verdict::Ask | Verdict::Wait => {}
            Verdict::Hold => {
                for Wanted { victim, why, .. } in wanted {
                    // The others would call the node lost and have it fenced: the same reset by another way.
                    if victim == Some(Subject::Based) && !sight.resets.others.is_empty() {
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
    pub fn condition(&self, sight: &Sight) -> Condition {
        let runs = |i: &&InstanceLook| i.life == Life::Runs && i.instance.phase == Phase::Running;
        let managed = |i: &&InstanceLook| maintenance::instance(&i.instance.resource, sight).is_none();
        let candidate = |i: &&InstanceLook| i.may_be_promoted();
        let able = sight.instances.iter().filter(runs).filter(managed).filter(candidate);
        Condition {
            node: sight.instances.iter().find_map(|i| i.instance.node.clone()).unwrap_or_default(),
            obstacle: self.obstacle(sight),
            instances: able.map(|i| i.instance.resource.clone()).collect(),
        }
    }

    /// Why this node can't go on for another one.
    fn obstacle(&self, sight: &Sight) -> Option<String> {
        if self.over {
            return Some("it resets itself".to_owned());
        }
        if self.gate.intends() || self.gate.held().is_some() {
            return Some("it would reset itself too".to_owned());
        }
        if sight.quorum != Quorum::Quorate {
            return Some("it has no quorum".to_owned());
        }
        if let Some(why) = &self.unwell {
            return Some(why.clone());
        }
        if let Some(why) = maintenance::node(sight).or_else(|| maintenance::standby(sight)) {
            return Some(why);
        }
        if let Some((_, shortage)) = sight.looks.iter().find_map(|(s, l)| l.shortage.map(|x| (s, x))) {
            return Some(format!("its daemons can't be asked: {}", shortage.text()));
        }
        let needed = |s: Subject| !matches!(s, Subject::Sbd | Subject::Qdevice);
        let unseen = self.watches.iter().find(|w| needed(w.rule.subject) && !w.is_armed());
        unseen.map(|w| format!("{} was not seen well yet", w.rule.name))
    }
}

/// The other nodes on which Pacemaker may promote nobody, as this node knows it: more recent than their own word, it may be.
fn excluded(sight: &Sight) -> Vec<(u32, String)> {
    let states = sight.cluster.management.nodes.iter();
    let told = states.filter_map(|n| Some((n.id?, n.maintenance.clone().or_else(|| n.standby.clone())?)));
    told.collect()
}

fn act(said: Said) -> Act {
    match said {
        Said::Ask { number, why } => Act::AskOthers { number, why },
        Said::Withdraw { number } => Act::Withdraw { number },
        Said::Wanted(why) => {
            Act::Say(Voice::Error, format!("reset wanted: {why}; the others are asked who goes on"))
        }
        Said::HeldBack(text) => Act::Say(Voice::Error, format!("reset held back: {text}")),
        Said::Over(why) => {
            Act::Say(Voice::Note, format!("a reset that was held back is not called for any more: {why}"))
        }
    }
}
