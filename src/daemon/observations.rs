//! What the looking threads have seen last. Locked for moments only: nobody waits for anything while holding it.

use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::storage::Placed;
use super::usual_priority::UsualPriority;
use crate::boundary::corosync_lib::QuorumAnswer;
use crate::boundary::daemons::Found;
use crate::cluster::checker::{GroupState, OwnDevice};
use crate::cluster::reset_intent::Condition;
use crate::cluster::self_fencing::How;
use crate::decide::detector::{
    ClusterSettings, Expected, InstanceObservation, Limits, Millis, RunningTotem, Shortage, Subject, Unit,
};
use crate::decide::reset::Claims;
use crate::decide::standstill::OTHERS_GO_ON_MS;

/// An attempt counts as failed each time this goes by without an answer.
pub(super) const ATTEMPT: Duration = Duration::from_secs(1);

/// The observations, and what wakes the control thread.
pub(super) struct Observations {
    latest: Mutex<Latest>,
    /// Whether the threads that look get a processor.
    pub(super) usual_priority: UsualPriority,
    /// Has the control thread look now.
    wake: SyncSender<()>,
}

/// What is on it.
pub(super) struct Latest {
    pub(super) probes: [Probe; Subject::ALL.len()],
    /// The daemons that run.
    pub(super) daemons: Vec<(Subject, Found)>,
    /// What they lack for taking a connection, those that do not answer.
    pub(super) lacking: Vec<(Subject, Shortage)>,
    /// What the configuration of the cluster has.
    pub(super) expected: Expected,
    pub(super) votes: Option<(QuorumAnswer, Instant)>,
    pub(super) instances: Vec<InstanceObservation>,
    /// When they were looked at; `None`: never.
    pub(super) instances_at: Option<Instant>,
    pub(super) places: Vec<Placed>,
    pub(super) cluster: ClusterSettings,
    pub(super) limits: Limits,
    /// As corosync said last.
    pub(super) totem: Option<RunningTotem>,
    /// The others take this node for reset after so long (stonith-watchdog-timeout).
    pub(super) others_go_on: Millis,
    pub(super) units: Vec<(&'static str, Unit)>,
    /// Who fences this node, by Pacemaker's decision.
    pub(super) request: Option<String>,
    /// What the last such request wants, which a reset for another reason does as well.
    pub(super) how: How,
    /// Resources of the cluster that may run here and that `quorated` does not end; `None`: not known.
    pub(super) foreign: Option<Vec<String>>,
    /// What is believed of the messages of others.
    pub(super) group: GroupState,
    /// corosync's id of this node.
    pub(super) node_id: Option<u32>,
    /// The nodes of corosync's membership.
    pub(super) nodes: Vec<u32>,
    /// The intents of all to reset their nodes.
    pub(super) claims: Claims,
    /// The nodes whose intents were said lately.
    pub(super) intents_said: Vec<(u32, Instant)>,
    /// How this node was at the control thread's last look, for others that ask.
    pub(super) condition: Option<(Condition, Instant)>,
    /// The watchdog device of our own.
    pub(super) device: OwnDevice,
    /// What the record of the last reset says.
    pub(super) last_reset: Option<String>,
}

/// How one subject answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Probe {
    pub(super) answers: u64,
    failures: u32,
    /// When the attempt that is under way began.
    begun: Option<Instant>,
    /// How long the last answer took.
    pub(super) took: Duration,
    /// What the last failure said.
    pub(super) error: Option<String>,
    /// The last attempt failed for want of something of this machine's, which says nothing about who was to be asked.
    pub(super) shortage: Option<Shortage>,
}

impl Probe {
    /// Whether the last attempt that ended was answered.
    pub(super) const fn answers_now(&self) -> bool {
        self.answers > 0 && self.failures == 0
    }

    /// Failed attempts since the last answer. One that never returns fails again and again.
    pub(super) fn failures(&self, now: Instant) -> u32 {
        let waited = self.begun.map_or(Duration::ZERO, |b| now.saturating_duration_since(b));
        let more = u32::try_from(waited.as_millis() / ATTEMPT.as_millis()).unwrap_or(u32::MAX);
        self.failures.saturating_add(more)
    }
}

impl Latest {
    /// Why a subject can't be asked, by nobody or by this process.
    pub(super) fn shortage(&self, subject: Subject) -> Option<Shortage> {
        let of_its_own = self.lacking.iter().find(|(lacking, _)| *lacking == subject);
        of_its_own.map(|(_, shortage)| *shortage).or(self.probes[subject as usize].shortage)
    }
}

impl Observations {
    pub(super) fn new(wake: SyncSender<()>, limits: Limits) -> Self {
        let latest = Latest {
            probes: std::array::from_fn(|_| Probe::default()),
            daemons: Vec::new(),
            lacking: Vec::new(),
            expected: Expected::default(),
            votes: None,
            instances: Vec::new(),
            instances_at: None,
            places: Vec::new(),
            cluster: ClusterSettings::default(),
            limits,
            totem: None,
            others_go_on: OTHERS_GO_ON_MS,
            units: Vec::new(),
            request: None,
            how: How::Reboot,
            foreign: None,
            group: GroupState::default(),
            node_id: None,
            nodes: Vec::new(),
            claims: Claims::default(),
            intents_said: Vec::new(),
            condition: None,
            device: OwnDevice::None,
            last_reset: None,
        };
        Self { latest: Mutex::new(latest), usual_priority: UsualPriority::new(), wake }
    }

    pub(super) fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process of a subject, if it runs, and the unit in which it does.
    pub(super) fn daemon(&self, subject: Subject) -> Option<Found> {
        let subject = if subject == Subject::Totem { Subject::Corosync } else { subject };
        self.latest().daemons.iter().find(|(known, _)| *known == subject).map(|(_, found)| found.clone())
    }

    /// Has the control thread look at once. It looks soon anyway where it is busy.
    pub(super) fn wake(&self) {
        let _ = self.wake.try_send(());
    }

    /// Makes an attempt and notes how it went.
    pub(super) fn attempt<T, E: ToString>(
        &self,
        subject: Subject,
        ask: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin(subject);
        let result = ask();
        match &result {
            Ok(_) => self.answered(subject),
            Err(e) => self.failed(subject, e.to_string()),
        }
        result
    }

    pub(super) fn begin(&self, subject: Subject) {
        self.latest().probes[subject as usize].begun.get_or_insert_with(Instant::now);
    }

    pub(super) fn answered(&self, subject: Subject) {
        let mut latest = self.latest();
        let probe = &mut latest.probes[subject as usize];
        let took = probe.begun.take().map_or(Duration::ZERO, |b| b.elapsed());
        *probe = Probe { answers: probe.answers + 1, took, ..Probe::default() };
    }

    pub(super) fn failed(&self, subject: Subject, error: String) {
        let mut latest = self.latest();
        let probe = &mut latest.probes[subject as usize];
        probe.failures = probe.failures(Instant::now()).saturating_add(1);
        probe.begun = None;
        probe.error = Some(error);
        probe.shortage = None;
    }

    /// It could not even be asked.
    pub(super) fn not_asked(&self, subject: Subject, shortage: Shortage, error: String) {
        let mut latest = self.latest();
        let probe = &mut latest.probes[subject as usize];
        (probe.begun, probe.error, probe.shortage) = (None, Some(error), Some(shortage));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observations() -> Observations {
        Observations::new(std::sync::mpsc::sync_channel(1).0, Limits::default())
    }

    #[test]
    fn an_attempt_that_does_not_return_fails_every_second() {
        let observations = observations();
        observations.begin(Subject::Corosync);
        let latest = observations.latest();
        let probe = &latest.probes[Subject::Corosync as usize];
        let begun = probe.begun.unwrap();
        assert_eq!(probe.failures(begun), 0);
        assert_eq!(probe.failures(begun + Duration::from_millis(3500)), 3);
    }

    #[test]
    fn an_answer_forgets_the_failures() {
        let observations = observations();
        for _ in 0..3 {
            assert!(observations.attempt(Subject::Based, || Err::<(), _>("refused")).is_err());
        }
        observations.begin(Subject::Based);
        observations.not_asked(Subject::Based, Shortage::Space, "ENOSPC".into());
        let probe = observations.latest().probes[Subject::Based as usize].clone();
        assert_eq!((probe.failures(Instant::now()), probe.shortage), (3, Some(Shortage::Space)), "not asked");
        observations.attempt(Subject::Based, || Ok::<_, String>(())).unwrap();
        let probe = observations.latest().probes[Subject::Based as usize].clone();
        assert_eq!((probe.answers, probe.failures(Instant::now()), probe.error), (1, 0, None));
        assert_eq!(probe.shortage, None);
    }
}
