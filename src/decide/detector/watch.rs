//! One daemon over time.

use super::act::{Act, LogLevel, ShutdownMode};
use super::limits::Limits;
use super::observation::DaemonObservation;
use super::proposal::{Proposal, Wanted};
use super::subjects::{Remedy, Rule, Subject};
use crate::decide::clock::{Millis, ObserverTime};
use crate::decide::facts::RunState;
use crate::decide::reset::Ground;
use crate::pg::instance::ProcessId;

/// What a look added up to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Well,
    /// With what is to be said about it, once.
    Suspect(Option<String>),
    Hangs {
        process: ProcessId,
        evidence: String,
    },
    /// SIGKILL did not end it.
    SurvivesSigkill(String),
}

/// So many failed attempts, or looks at a stopped process, it takes at least.
const LOOKS: u32 = 3;
/// The membership is suspect so long before its limit: it was to have formed, and the last message to be
/// back.
const BEFORE: Millis = 1000;
/// A process that was killed and is there after this time sleeps in a device.
const DEAD_WITHIN: Millis = 5000;

/// What goes on around a daemon that gives no answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around {
    /// Since the last look.
    pub(super) elapsed: Millis,
    /// So long a silence has its reason, in that corosync's membership is changing.
    pub(super) explained: Millis,
    /// A write to what Pacemaker keeps has not returned.
    pub(super) state_hangs: bool,
    /// Processes of usual priority get no processor, neither the daemon nor who asks it.
    pub(super) starved: bool,
}

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) rule: &'static Rule,
    armed: Option<Armed>,
    /// Answers that were given before this process, or before we looked.
    answers: Option<u64>,
    killed: Option<(ProcessId, ObserverTime)>,
    kills: Vec<ObserverTime>,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    process: ProcessId,
    /// When it last answered; without a probe, when it was last seen running.
    good: ObserverTime,
    /// So long of its silence it waited for something, and for what last: that is no fault of its own.
    waited: Option<(Millis, &'static str)>,
    /// Since when it is stopped, and in how many looks.
    stopped: Option<(ObserverTime, u32)>,
    said: bool,
}

impl Watch {
    pub(super) const fn new(rule: &'static Rule) -> Self {
        Self { rule, armed: None, answers: None, killed: None, kills: Vec::new() }
    }

    pub(super) const fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// How long it has given no answer, where it is armed.
    pub(super) fn silent(&self, now: ObserverTime) -> Option<Millis> {
        self.armed.map(|armed| now.since(armed.good))
    }

    pub(super) fn step(
        &mut self,
        now: ObserverTime,
        look: &DaemonObservation,
        around: Around,
        limits: &Limits,
    ) -> Finding {
        let answered = self.answers.is_some_and(|before| look.answers > before);
        self.answers = Some(look.answers);
        let Some((process, state)) = look.process else {
            (self.armed, self.killed) = (None, None);
            return Finding::Well;
        };
        if let Some((victim, at)) = self.killed {
            if victim == process {
                return self.undead(process, now - at, self.waits_for(state, around), limits);
            }
            self.killed = None;
        }
        let Some(mut armed) = self.armed.filter(|a| a.process == process) else {
            // A new process, or the first look: what it is like counts from when it was once well.
            let well = state == RunState::Running && (answered || !self.rule.subject.answers());
            self.armed =
                well.then_some(Armed { process, good: now, waited: None, stopped: None, said: false });
            return Finding::Well;
        };
        if answered || (!self.rule.subject.answers() && state != RunState::Stopped) {
            armed = Armed { good: now, waited: None, said: false, ..armed };
        }
        if look.shortage.is_some() {
            // Who was not asked was not silent.
            (armed.good, armed.waited) = (now, None);
        }
        if let Some(what) = self.waits_for(state, around) {
            let before = armed.waited.map_or(0, |(waited, _)| waited);
            armed.waited = Some((before.saturating_add(around.elapsed).min(now - armed.good), what));
        }
        armed.stopped = match (state, armed.stopped) {
            (RunState::Stopped, Some((since, looks))) => Some((since, looks + 1)),
            (RunState::Stopped, None) => Some((now, 1)),
            (RunState::Running | RunState::Uninterruptible, _) => None,
        };
        let finding = self.judge(now, look, &mut armed, around.explained, limits);
        self.armed = Some(armed);
        finding
    }

    /// For what a daemon waits that is well. Not corosync: while it waits, the others lose this node.
    fn waits_for(&self, state: RunState, around: Around) -> Option<&'static str> {
        let of_pacemaker = self.rule.is_of_pacemaker();
        if of_pacemaker && (state == RunState::Uninterruptible || around.state_hangs) {
            return Some("a disk");
        }
        let usual = of_pacemaker || self.rule.subject == Subject::Qdevice;
        (usual && around.starved).then_some("a processor")
    }

    fn judge(
        &self,
        now: ObserverTime,
        look: &DaemonObservation,
        armed: &mut Armed,
        explained: Millis,
        limits: &Limits,
    ) -> Finding {
        let name = self.rule.name;
        if let Some((since, looks)) = armed.stopped {
            let evidence = format!("{name} (pid {}) is stopped for {} ms", armed.process, now - since);
            if now - since >= limits.stopped && looks >= LOOKS {
                return Finding::Hangs { process: armed.process, evidence };
            }
            return Finding::Suspect(first(armed, evidence));
        }
        if !self.rule.subject.answers() {
            return Finding::Well;
        }
        let silent = now - armed.good;
        let patience = match self.rule.remedy {
            Remedy::Fence => limits.totem,
            // What it reports on a membership that is gone does not count.
            Remedy::Restart => limits.device.max(explained),
            Remedy::Kill | Remedy::Reset => limits.silent,
        };
        let waited = armed.waited.map_or(0, |(waited, _)| waited);
        let evidence = || {
            let waits =
                armed.waited.map(|(waited, what)| format!("; it waited for {what} for {waited} ms of that"));
            format!(
                "{name} (pid {}) has not answered for {silent} ms, {} attempts failed{}",
                armed.process,
                look.failures,
                waits.unwrap_or_default()
            )
        };
        let hangs = silent.saturating_sub(waited) >= patience || silent >= limits.state.max(patience);
        if hangs && look.failures >= LOOKS {
            return Finding::Hangs { process: armed.process, evidence: evidence() };
        }
        let suspect = match self.rule.remedy {
            // Nothing is delivered while a membership forms: each loss of a node takes nearly all of the
            // limit.
            Remedy::Fence => patience.saturating_sub(BEFORE),
            Remedy::Kill | Remedy::Restart | Remedy::Reset => (patience / 2).max(explained.min(patience)),
        };
        // Where nobody could ask, it has not refused.
        if silent >= suspect && look.failures > 0 {
            let evidence = evidence();
            return Finding::Suspect(first(armed, evidence));
        }
        Finding::Well
    }

    /// What to do about one that hangs.
    pub(super) fn remedy(
        &mut self,
        now: ObserverTime,
        process: ProcessId,
        evidence: String,
        primaries: bool,
        limits: &Limits,
    ) -> Proposal {
        match self.rule.remedy {
            Remedy::Reset => {
                let (ground, victim) = match self.rule.subject {
                    Subject::Corosync => (Ground::Corosync, None),
                    Subject::Sbd => (Ground::Sbd, None),
                    // Its supervisor starts it anew, where nobody is left who would call the node lost for it.
                    subject => (Ground::Daemon, Some(subject)),
                };
                let why = format!("hangs: {evidence}");
                Wanted { ground, mode: ShutdownMode::Orderly, why, victim }.into()
            }
            Remedy::Fence => {
                // Once: after the next delivery it may hang again.
                self.armed = None;
                if primaries {
                    let why = format!("{evidence}: the others may have gone on without this node");
                    Act::Fence { why }.into()
                } else {
                    Act::Say(LogLevel::Warning, format!("hangs: {evidence}; no primary runs here")).into()
                }
            }
            Remedy::Restart => {
                (self.armed, self.killed) = (None, Some((process, now)));
                Act::Restart { process, unit: self.rule.unit, why: evidence }.into()
            }
            Remedy::Kill => {
                self.kills.retain(|at| now - *at < limits.recurrence);
                let times = self.kills.len() + 1;
                if times >= limits.kills {
                    let minutes = limits.recurrence / 60_000;
                    let why = format!("hangs: {evidence}; it did so {times} times in {minutes} minutes");
                    let (ground, victim) = (Ground::Daemon, Some(self.rule.subject));
                    return Wanted { ground, mode: ShutdownMode::Orderly, why, victim }.into();
                }
                self.kill(now);
                Act::Kill { process, why: evidence }.into()
            }
        }
    }

    /// Notes that the process is killed now; which one.
    pub(super) fn kill(&mut self, now: ObserverTime) -> Option<ProcessId> {
        let process = self.armed.take()?.process;
        self.killed = Some((process, now));
        self.kills.push(now);
        Some(process)
    }

    fn undead(
        &self,
        process: ProcessId,
        since: Millis,
        waits: Option<&'static str>,
        limits: &Limits,
    ) -> Finding {
        // It ends as soon as what it waits for is there.
        let patience = if waits.is_some() { limits.state.max(DEAD_WITHIN) } else { DEAD_WITHIN };
        if since < patience || self.rule.remedy == Remedy::Restart {
            return Finding::Suspect(None);
        }
        Finding::SurvivesSigkill(format!(
            "hangs: {} (pid {process}) was killed {since} ms ago and is still there: a device hangs",
            self.rule.name
        ))
    }
}

fn first(armed: &mut Armed, evidence: String) -> Option<String> {
    let once = !armed.said;
    armed.said = true;
    once.then(|| format!("suspect: {evidence}"))
}
