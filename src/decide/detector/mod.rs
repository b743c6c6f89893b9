//! What `quorated` concludes from what it sees of a node: which daemon, disk or PostgreSQL hangs, whether this node still may write,
//! and what is done about it.
//!
//! sbd notices that a daemon died, hardly that it hangs; and it hears of a lost quorum from Pacemaker, whose daemons may hang.
//! So each daemon is asked here, and corosync itself is asked for the quorum. What keeps this from ending healthy nodes:
//!
//! - A daemon counts only after it was seen healthy, and only as long as it is the same process.
//! - A time counts on the clock of the observer: a moment in which `quorated` itself did not run is held against nobody.
//! - It takes several looks *and* a time. A process that is stopped by a signal is evidence of its own, and takes less time.
//! - What is stopped in an orderly way, or under maintenance, is left alone. Not being able to ask whether that is so excuses
//!   nobody.
//! - The node itself is reset only where someone well goes on: [`super::reset`].

#[cfg(test)]
mod disk_tests;
mod excuses;
pub mod identity;
mod instances;
mod maintenance;
mod proposal;
mod quorum;
mod search;
mod shortage;
mod storage;
mod subjects;
#[cfg(test)]
mod tests;
mod watch;

pub use excuses::Excuse;
pub use instances::{InstanceLook, Life};
pub use quorum::Quorum;
pub use search::Search;
pub use shortage::Shortage;
pub use storage::{Content, PlaceLook, Progress};
pub use subjects::{Expected, Remedy, Rule, Subject};
pub use watch::Look;

use super::reset::{Gate, Ground, Hold, View, VoteCount};
use crate::cluster::cib::Management;
use crate::cluster::timing::{DAEMON_STOPPED_MS, NoQuorumPolicy};
use crate::pg::instance::ProcessId;
use excuses::Excuses;
use instances::Instances;
use proposal::{Proposal, Wanted};
use quorum::{Duty, QuorumWatch};
use shortage::Shortages;
use storage::Places;
use subjects::RULES;
use watch::{Finding, Watch};

/// Milliseconds on the observer's own clock: it runs at most [`Limits::longest_step`] from one look to the next.
pub type Millis = u64;

/// How long something may look bad before it counts as hanging, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A daemon that runs and does not answer: long enough for a machine that is short of everything.
    pub silent: Millis,
    /// A daemon that is stopped by a signal.
    pub stopped: Millis,
    /// No message to oneself comes through corosync: longer than it may take to form a membership, [`Limits::totem`].
    pub totem: Millis,
    /// The quorum device's client has not reported to votequorum, by whose flag it is then not alive:
    /// [`Limits::device`].
    pub device: Millis,
    /// A small write.
    pub storage: Millis,
    /// A small write to what Pacemaker and corosync keep, before a node is reset for it.
    pub state: Millis,
    /// A postmaster that is stopped by a signal.
    pub postmaster: Millis,
    /// Without quorum before the primaries of this node are ended: a reading, not a flaw of one.
    pub quorum: Millis,
    /// Without quorum before the node is ended where its policy says so and Pacemaker does not do it.
    pub suicide: Millis,
    /// So much time passes between two looks at most.
    pub longest_step: Millis,
    /// A daemon that hangs so many times within [`Self::recurrence`] has its node reset.
    pub kills: usize,
    pub recurrence: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            silent: 10_000,
            stopped: Millis::from(DAEMON_STOPPED_MS),
            totem: Self::totem(6600, 3000),
            device: Self::device(10_000),
            // The time after which the agent, too, calls a disk stuck.
            storage: crate::decide::disk::STUCK_AFTER,
            // Longer than devices take by themselves: 30 s and five retries of SCSI, 180 s with VMware's or an array's own tools.
            state: 300_000,
            postmaster: 2000,
            quorum: 500,
            suicide: 4000,
            longest_step: 1000,
            kills: 3,
            recurrence: 600_000,
        }
    }
}

/// corosync's times as it runs, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningTotem {
    pub token_ms: u32,
    pub consensus_ms: u32,
    /// The quorum device's sync_timeout; 0 without one.
    pub sync_ms: u32,
}

impl Limits {
    /// The least time for [`Self::totem`]: while a membership forms (`recovery_ms`: token and consensus) and the quorum device is
    /// waited for (`sync_ms`) no message is delivered anywhere.
    #[must_use]
    pub const fn totem(recovery_ms: u32, sync_ms: u32) -> Millis {
        recovery_ms as Millis + sync_ms as Millis + MEMBERSHIP_MARGIN
    }

    /// The time for [`Self::device`]. It reports several times within the quorum device's timeout, also while
    /// it has lost the witness: that is a vote of no. Where it has missed a whole timeout votequorum takes
    /// its flag away. Another one goes by before it is restarted: a name service that hangs holds it up when
    /// it connects to the witness anew.
    #[must_use]
    pub const fn device(timeout_ms: u32) -> Millis {
        let timeout = timeout_ms as Millis;
        if timeout < LEAST_DEVICE { LEAST_DEVICE } else { timeout }
    }
}

/// A machine that is short of processors is given so long to report to votequorum.
const LEAST_DEVICE: Millis = 3000;
/// A membership that has not formed in its time has so much more.
const MEMBERSHIP_MARGIN: Millis = 3000;

/// A unit of systemd, as it was asked when something began to look bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// It runs, and is to run.
    Active,
    /// It is started or stopped, by order.
    Changing,
    /// It is stopped, or failed. Its processes have ended: those that live are not its.
    Off,
    /// systemd did not answer, or said something else.
    Unknown,
}

/// What is known of the cluster's configuration without asking a daemon: from the CIB as it lies on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterWord {
    pub maintenance: Maintenance,
    /// `None`: unknown, which is no permission to write without quorum.
    pub no_quorum_policy: Option<NoQuorumPolicy>,
    /// What Pacemaker is told to leave alone.
    pub management: Management,
}

/// Whether Pacemaker is told to leave everything alone, without an if.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Maintenance {
    On,
    /// Off, or unknown.
    #[default]
    Off,
}

/// Everything that was seen at one moment.
#[derive(Debug, Clone)]
pub struct Sight {
    /// Real time that went by since the last one, ms.
    pub elapsed: Millis,
    pub looks: Vec<(Subject, Look)>,
    pub quorum: Quorum,
    pub instances: Vec<InstanceLook>,
    pub places: Vec<PlaceLook>,
    pub cluster: ClusterWord,
    /// The answer to the last [`Act::AskUnits`].
    pub units: Vec<(&'static str, Unit)>,
    /// Another member has this node fenced, by Pacemaker's decision: its name.
    pub request: Option<String>,
    /// corosync's id of this node.
    pub node_id: Option<u32>,
    pub votes: Option<VoteCount>,
    /// What is known of the resets of others.
    pub resets: View,
}

/// How loudly something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    Note,
    Warning,
    Error,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Say(Voice, String),
    /// The state of all units, and the cluster's live configuration, are wanted at the next look.
    AskUnits,
    /// The others are asked whether someone well goes on when this node resets itself.
    AskOthers {
        number: u64,
        why: String,
    },
    /// That is given up.
    Withdraw {
        number: u64,
    },
    /// SIGKILL; its supervisor starts it anew.
    Kill {
        process: ProcessId,
        why: String,
    },
    /// SIGKILL, and systemd is told to start the unit.
    Restart {
        process: ProcessId,
        unit: &'static str,
        why: String,
    },
    /// SIGKILL to every process of the primaries of this node. They may be started again by who has the right to.
    Fence {
        why: String,
    },
    /// Pacemaker is told that the instance failed.
    Fail {
        resource: String,
        node: String,
        why: String,
    },
    /// This node ends now. Nothing else comes after it.
    Reset {
        ground: Ground,
        manner: Manner,
        why: String,
    },
}

/// How the PostgreSQL of a node that ends is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It is told to shut down first: it sends its standbys what they lack. The others go on only when they are told to, or after
    /// stonith-watchdog-timeout, which is far longer.
    Orderly,
    /// SIGKILL: a device hangs, and a shutdown would wait for it.
    AtOnce,
}

/// What is carried from look to look.
#[derive(Debug)]
pub struct Detector {
    limits: Limits,
    now: Millis,
    /// As [`Self::now`], and it does not stop with the observer: what was agreed on with others ends by it.
    passed: Millis,
    watches: Vec<Watch>,
    quorum: QuorumWatch,
    instances: Instances,
    places: Places,
    shortages: Shortages,
    gate: Gate,
    units_asked: Option<Millis>,
    /// Until then a membership forms, or is just formed: what waits for it is slow.
    forming_until: Millis,
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
            now: 0,
            passed: 0,
            watches: RULES.iter().map(Watch::new).collect(),
            quorum: QuorumWatch::default(),
            instances: Instances::default(),
            places: Places::default(),
            shortages: Shortages::default(),
            gate: Gate::default(),
            units_asked: None,
            forming_until: 0,
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
    pub fn step(&mut self, sight: &Sight) -> Vec<Act> {
        if self.over {
            return Vec::new();
        }
        self.now += sight.elapsed.min(self.limits.longest_step);
        self.passed += sight.elapsed;
        self.unwell = None;
        if let Some(by) = &sight.request {
            // No excuse counts, maintenance neither: Pacemaker has decided with the quorum, and the watchdog would end it later.
            self.over = true;
            let why = format!("fenced: {by} carries it out");
            return vec![Act::Reset { ground: Ground::Fenced, manner: Manner::Orderly, why }];
        }
        self.excuses.see(self.now, &sight.units);
        let mut proposals = self.watch_quorum(sight);
        self.watch_daemons(sight, &mut proposals);
        proposals.extend(self.instances.step(self.now, sight, &self.limits));
        proposals.extend(self.places.step(self.now, sight, &self.limits));
        let acts = self.settle(sight, proposals);
        self.over = acts.iter().any(|act| matches!(act, Act::Reset { .. }));
        acts
    }

    fn watch_quorum(&mut self, sight: &Sight) -> Vec<Proposal> {
        let corosync = sight.looks.iter().find(|(s, _)| *s == Subject::Corosync).and_then(|(_, l)| l.process);
        // Under maintenance of the node Pacemaker does not end it either: its primaries alone are silenced.
        let pacemaker = self.watches.iter().find(|w| w.rule.subject == Subject::Pacemakerd);
        let pacemaker =
            pacemaker.is_some_and(|w| w.is_armed() && self.excuses.find(self.now, w.rule, sight).is_none());
        let duty = match (sight.cluster.maintenance, sight.cluster.no_quorum_policy) {
            (Maintenance::On, _) | (_, Some(NoQuorumPolicy::Ignore)) => Duty::None,
            (_, Some(NoQuorumPolicy::Suicide | NoQuorumPolicy::Fence)) if pacemaker => Duty::End,
            (Maintenance::Off, _) => Duty::Silence,
        };
        let primaries = sight.instances.iter().any(InstanceLook::may_write);
        let corosync = corosync.map(|(id, _)| id);
        self.quorum.step(self.now, sight.quorum, corosync, duty, primaries, &self.limits)
    }

    fn watch_daemons(&mut self, sight: &Sight, proposals: &mut Vec<Proposal>) {
        let mut suspicious = self.quorum.is_lost();
        let mut unwell = None;
        let formation = self.limits.totem.saturating_sub(MEMBERSHIP_MARGIN);
        let totem = self.watches.iter().find(|w| w.rule.subject == Subject::Totem);
        if totem.and_then(|w| w.silent(self.now)).is_some_and(|silent| silent > UNDELIVERED) {
            self.forming_until = self.now + formation;
        }
        let explained = if self.now < self.forming_until { formation } else { 0 };
        for watch in &mut self.watches {
            let Some((_, look)) = sight.looks.iter().find(|(s, _)| *s == watch.rule.subject) else {
                continue;
            };
            let finding = watch.step(self.now, look, explained, &self.limits);
            suspicious |= !matches!(finding, Finding::Well);
            if !matches!(finding, Finding::Well) {
                unwell.get_or_insert_with(|| format!("{} hangs, or may", watch.rule.name));
            }
            match finding {
                Finding::Well => self.excuses.end(watch.rule.subject),
                Finding::Suspect(None) => {}
                Finding::Suspect(Some(line)) => proposals.push(Act::Say(Voice::Warning, line).into()),
                Finding::SurvivesSigkill(why) => {
                    if let Some(excuse) = self.excuses.find(self.now, watch.rule, sight) {
                        if self.excuses.begin(self.now, watch.rule.subject, &excuse) {
                            let line = format!("{why}: left alone, {excuse}");
                            proposals.push(Act::Say(Voice::Note, line).into());
                        }
                        continue;
                    }
                    let (ground, manner) = (Ground::Daemon, Manner::AtOnce);
                    proposals.push(Wanted { ground, manner, why, victim: None }.into());
                }
                Finding::Hangs { process, evidence } => {
                    if let Some(why) = self.excuses.find(self.now, watch.rule, sight) {
                        // Said once, not at every look of a long stop.
                        if self.excuses.begin(self.now, watch.rule.subject, &why) {
                            let line = format!("{evidence}: left alone, {why}");
                            proposals.push(Act::Say(Voice::Note, line).into());
                        }
                        continue;
                    }
                    self.excuses.end(watch.rule.subject);
                    let primaries = sight.instances.iter().any(InstanceLook::may_write);
                    proposals.push(watch.treat(self.now, process, evidence, primaries, &self.limits));
                }
            }
        }
        self.unwell = unwell.or_else(|| storage::unwell(&sight.places));
        suspicious |= self.unwell.is_some();
        // Another node asks who goes on: the answer is about this moment, and passing attributes stand in the live configuration alone.
        suspicious |= sight.resets.another_first.is_some();
        proposals.extend(self.shortages.step(sight));
        if suspicious && self.units_asked.is_none_or(|at| self.now - at >= UNITS_FRESH) {
            self.units_asked = Some(self.now);
            proposals.push(Act::AskUnits.into());
        }
    }
}
