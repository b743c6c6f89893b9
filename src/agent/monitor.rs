//! `monitor`: the probe and the recurring one.

use std::time::Duration;

use super::score::Health;
use super::{Agent, ROUND, Report, STEADY};
use crate::boundary::host::Level;
use crate::decide::activity::{Activity, Progress, progress};
use crate::decide::crash::yield_to_standby;
use crate::decide::disk::{Disk, Finding};
use crate::decide::facts::{Facts, RunState, ServerAnswer};
use crate::decide::monitor::{Hiccup, LastMonitor, MonitorOutcome, Occasion, Verdict, decide, settle};
use crate::decide::promotion_score::{Score, ScoreStep};
use crate::decide::{rank, receiver, score, storage};
use crate::ocf::OcfCode;
use crate::pg::role::PgRole;
use crate::pg::timeline::WalPosition;
use crate::pg::view::{Answer, PrimaryView};

/// The first look waits this long for an answer. A server that does not give one gets [`LONG_LOOK`] in each further look, or what is
/// left: each begins a login of its own, and one that takes seconds is to end.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONG_LOOK: Duration = Duration::from_secs(5);

/// How a monitor's looks ended.
struct Observed {
    facts: Facts,
    outcome: MonitorOutcome,
    reason: String,
    hiccup: Option<Hiccup>,
    /// By a trial write on the way.
    finding: Option<Finding>,
}

impl Agent<'_> {
    pub(super) fn monitor(&mut self) -> Report {
        let occasion = if self.run.is_probe() { Occasion::Probe } else { Occasion::Recurring };
        let Observed { facts, outcome, reason, hiccup, finding } = self.observe(occasion);
        let has_role = matches!(outcome, MonitorOutcome::Promoted | MonitorOutcome::Unpromoted);
        if hiccup.is_some() && has_role {
            return self.bear(occasion, outcome, reason, finding);
        }
        if outcome == MonitorOutcome::Promoted && !self.is_our_primary(&facts) {
            let why =
                "a primary that this cluster did not promote (started or promoted by hand): stopping it";
            self.apply(ScoreStep::Set(Score::Withdrawn, why.into()));
            self.host.log(Level::Error, &format!("monitor: {why}"));
            return Report::new(OcfCode::FailedPromoted, why);
        }
        if occasion == Occasion::Probe {
            if outcome == MonitorOutcome::Promoted {
                let step = score::probed(&mut self.memory, self.host.now());
                self.apply(step);
            }
            return Report::new(outcome.code(), self.probe_reason(outcome, &reason));
        }
        if hiccup.is_none() {
            self.memory.last_monitor = LastMonitor::Answered;
        }
        match outcome {
            MonitorOutcome::Promoted => {
                self.tell_node(|host| host.record(PgRole::Primary));
                let finding = self.try_disk();
                let usual = score::promoted(&mut self.memory, self.host.now());
                let step = storage::primary(usual, &self.memory, &finding);
                self.apply(step);
                self.keep_score();
                self.end_safe_mode();
                if let Some(Answer::Primary(view)) = &facts.answer {
                    self.keep_record(&facts, view);
                    self.tend_primary(view);
                    self.tend_synchronous(view, &[]);
                    self.end_old_approvals();
                    self.report_position(WalPosition { timeline: view.timeline, lsn: view.lsn });
                    self.tend_slots(PgRole::Primary, None);
                }
                self.tell_state(&facts);
                self.gather_history();
            }
            MonitorOutcome::Unpromoted => {
                self.doubt_a_strangers_server();
                self.tell_node(|host| host.record(PgRole::Standby));
                if let Some(why) = self.receiver_hangs(&facts) {
                    // It may lack commits: none to be promoted before it has streamed again. Pacemaker restarts it.
                    self.apply(ScoreStep::Set(Score::Withdrawn, why.into()));
                    return Report::new(OcfCode::ErrGeneric, why);
                }
                if let Health::Diverged(why) = self.tend_standby(&facts, None) {
                    return Report::new(OcfCode::ErrGeneric, why);
                }
                self.keep_score();
                if let (Some(position), Some(Answer::Standby(view))) = (self.position(&facts), &facts.answer)
                {
                    self.report_position(position);
                    let replayed = view.replayed.map(|lsn| WalPosition { lsn, ..position });
                    self.tend_slots(PgRole::Standby, replayed);
                }
                if let Some(why) = self.starves(&facts) {
                    return Report::new(OcfCode::ErrGeneric, why);
                }
                self.tell_state(&facts);
                self.gather_history();
            }
            MonitorOutcome::NotRunning | MonitorOutcome::Failed | MonitorOutcome::FailedPromoted => {
                let finding = self.try_disk();
                let yields = yield_to_standby(self.settings.on_crash, &self.memory, outcome);
                let step = yields.or_else(|| storage::crashed(&self.memory, &finding));
                if let Some(step) = step.or_else(|| storage::damaged(&self.memory, facts.error())) {
                    self.apply(step);
                }
                self.host.log(Level::Error, &format!("monitor: {reason}"));
            }
        }
        Report::new(outcome.code(), reason)
    }

    /// One short look; the caller's loop repeats it.
    pub(super) fn glance(&mut self, left: Duration) -> Facts {
        self.host.look(Duration::from_secs(1).min(left).max(ROUND))
    }

    /// Looks until a verdict is reached or the time is over.
    fn observe(&mut self, occasion: Occasion) -> Observed {
        let mut patience = FIRST_LOOK;
        let mut silent: Option<(Option<Activity>, Option<Finding>)> = None;
        loop {
            let facts = self.host.look(patience.min(self.left()).max(ROUND));
            match decide(
                occasion,
                self.time(),
                facts.process_summary(),
                facts.server_answer(),
                facts.role_state(),
            ) {
                Verdict::Finish(outcome, reason) => {
                    return Observed { facts, outcome, reason: reason.into(), hiccup: None, finding: None };
                }
                Verdict::Once(outcome, hiccup) => {
                    let (progress, finding) = match (hiccup, silent) {
                        (Hiccup::Stall, Some((before, finding))) => {
                            let after = self.host.activity();
                            (progress(before.as_ref(), after.as_ref(), disk_of(finding.as_ref())), finding)
                        }
                        (Hiccup::Stall, None) => (Progress::StandsStill, None),
                        (Hiccup::Error, _) => (Progress::StandsStill, self.tried(occasion)),
                    };
                    let (last, disk) = (self.memory.last_monitor, disk_of(finding.as_ref()));
                    let (outcome, reason) = settle(occasion, outcome, hiccup, last, progress, disk);
                    let reason = match facts.error() {
                        Some((_, error)) => format!("{reason}: {error}"),
                        None => reason.into(),
                    };
                    return Observed { facts, outcome, reason, hiccup: Some(hiccup), finding };
                }
                Verdict::Wait(_) => {
                    if silent.is_none() && facts.server_answer() == ServerAnswer::Silent {
                        silent = Some((self.host.activity(), self.tried(occasion)));
                    }
                    patience = LONG_LOOK;
                    self.host.sleep(ROUND.min(self.left()));
                }
            }
        }
    }

    /// A trial write. A probe writes nothing.
    fn tried(&mut self, occasion: Occasion) -> Option<Finding> {
        (occasion == Occasion::Recurring).then(|| self.try_disk())
    }

    /// A hiccup of the server: its role stays, and the next monitor decides.
    fn bear(
        &mut self,
        occasion: Occasion,
        outcome: MonitorOutcome,
        reason: String,
        finding: Option<Finding>,
    ) -> Report {
        if occasion == Occasion::Probe {
            return Report::new(outcome.code(), reason);
        }
        if self.memory.last_monitor == LastMonitor::Answered {
            self.host.log(Level::Warning, &format!("monitor: {reason}"));
        }
        self.memory.last_monitor = LastMonitor::Unanswered;
        if let Some(finding) = finding {
            let keep = ScoreStep::Keep(None);
            let step = match outcome {
                MonitorOutcome::Promoted => storage::primary(keep, &self.memory, &finding),
                _ => storage::standby(keep, &self.memory, &finding),
            };
            self.apply(step);
        }
        Report::new(outcome.code(), reason)
    }

    /// Looks at the process of the WAL receiver, and again where it is stopped.
    fn receiver_hangs(&mut self, facts: &Facts) -> Option<&'static str> {
        let Some(Answer::Standby(view)) = &facts.answer else { return None };
        let pid = view.receiver.as_ref()?.pid?;
        let first = self.host.run_state(pid);
        if first != Some(RunState::Stopped) {
            return None;
        }
        self.host.sleep(STEADY.min(self.left()));
        receiver::hangs([first, self.host.run_state(pid)])
    }

    /// A probe where PostgreSQL is not installed finds nothing running; it says so.
    fn probe_reason(&mut self, outcome: MonitorOutcome, reason: &str) -> String {
        match (outcome, self.host.check_installation()) {
            (MonitorOutcome::NotRunning, Err(why)) => format!("{reason}; it can't be started here: {why}"),
            _ => reason.into(),
        }
    }

    fn tend_primary(&mut self, view: &PrimaryView) {
        self.memory.coverage = rank::coverage(&view.synchronous_standby_names, &view.standbys);
        let now = self.host.now();
        if self.run.node.is_none() || !rank::due(&self.memory, &view.standbys, now) {
            return;
        }
        match self.host.scores() {
            Ok(scores) => {
                for (node, score) in rank::corrections(&mut self.memory.score_checks, now, view, &scores) {
                    match self.host.set_score(&node, score) {
                        Ok(()) => self.host.log(
                            Level::Info,
                            &format!("promotion score of {node} -> {score}: ranked by its WAL position"),
                        ),
                        Err(error) => self.host.log(Level::Warning, &format!("score of {node}: {error}")),
                    }
                }
            }
            Err(error) => self.host.log(Level::Warning, &format!("scores could not be read: {error}")),
        }
    }
}

/// What is not tried says nothing against it.
fn disk_of(finding: Option<&Finding>) -> Disk {
    finding.map_or(Disk::Sound, |finding| finding.disk)
}
