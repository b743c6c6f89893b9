//! `stop`, and the way down that a demotion and a failed start take too.

use std::time::Duration;

use super::{Agent, ROUND, Report, millis};
use crate::boundary::host::Level;
use crate::decide::disk::Disk;
use crate::decide::facts::Facts;
use crate::decide::memory::LastRole;
use crate::decide::stop::{
    Planned, Purpose, ScoreOfStopped, Shutdown, Stage, Step, asks_for_quorum, decide, leaves_signal,
    purpose_without_quorum, score_of_stopped, tries_disk, usual_purpose,
};
use crate::ocf::OcfCode;

/// How long one look at the processes may lag behind them: they are awaited by pidfd, not by polling.
const PATIENCE: Duration = Duration::from_millis(200);

impl Agent<'_> {
    pub(super) fn stop(&mut self) -> Report {
        let facts = self.glance(self.left());
        let purpose = self.purpose(&facts, usual_purpose(facts.answer.as_ref()));
        let down = self.bring_down(purpose, self.left());
        let planned = if self.listed(&self.plan.starting) { Planned::Start } else { Planned::Neither };
        // Last: a score that can't be deleted must neither delay nor fail the stop.
        match score_of_stopped(planned) {
            ScoreOfStopped::Stays => {}
            ScoreOfStopped::Deleted => self.drop_score(),
        }
        self.memory.forget_stream();
        match down {
            Ok(Down::WasDown) => Report::new(OcfCode::Success, "nothing was running"),
            Ok(Down::Stopped(how)) => {
                self.leave_a_standby();
                Report::changed(OcfCode::Success, format!("stopped: {how}"))
            }
            Err(reason) => Report::changed(OcfCode::ErrGeneric, reason),
        }
    }

    /// What was shut down comes up as a standby, whoever starts it: a start by hand beside another primary would be a second one.
    pub(super) fn leave_a_standby(&mut self) {
        let facts = self.glance(Duration::ZERO);
        // A disk that hangs must not hold up a stop.
        if self.run.node.is_none()
            || !leaves_signal(facts.state(), facts.signal)
            || self.try_disk().disk != Disk::Sound
        {
            return;
        }
        if let Err(error) = self.host.keep_standby_signal() {
            let text =
                format!("standby.signal could not be written; a start by hand would be a primary: {error}");
            self.host.log(Level::Warning, &text);
        }
    }

    /// Asks the cluster for quorum where the way down depends on it.
    pub(super) fn purpose(&mut self, facts: &Facts, usual: Purpose) -> Purpose {
        if self.run.node.is_none() || !asks_for_quorum(facts.answer.as_ref()) {
            return usual;
        }
        purpose_without_quorum(usual, self.host.cluster().ok().and_then(|status| status.quorate))
    }

    /// Brings everything down within `budget`.
    pub(super) fn bring_down(&mut self, purpose: Purpose, budget: Duration) -> Result<Down, String> {
        let begun = self.host.now();
        let mut sent = Stage::Nothing;
        let mut how = "it ended by itself";
        let mut handed_over = None;
        self.tell_node(|host| host.record_stopping());
        if tries_disk(self.memory.disk) {
            self.try_disk();
        }
        loop {
            let mut facts = self.host.stop_facts();
            if sent == Stage::Fast && self.host.is_handed_over() {
                let now = self.host.now();
                let since = now.since(*handed_over.get_or_insert(now));
                facts.shutdown = Shutdown::HandedOver(Duration::from_millis(since));
            }
            let elapsed = Duration::from_millis(self.host.now().since(begun));
            match decide(purpose, &facts, self.memory.disk, sent, elapsed, budget) {
                Step::Done => {
                    self.tell_node(|host| host.forget());
                    return Ok(if sent == Stage::Nothing { Down::WasDown } else { Down::Stopped(how) });
                }
                Step::GiveUp(reason) => return Err(reason.into()),
                Step::Wait => self.host.wait_gone(PATIENCE.min(budget.saturating_sub(elapsed)).max(ROUND)),
                Step::Send(stage, reason) => {
                    if stage > Stage::Fast {
                        self.host.log(Level::Warning, &format!("{}: {reason}", name(stage)));
                    }
                    how = name(stage);
                    sent = stage;
                    if let Err(error) = self.host.send(stage) {
                        self.host.log(Level::Error, &format!("{}: {error}", name(stage)));
                        self.host.sleep(ROUND);
                    }
                }
            }
        }
    }

    fn drop_score(&mut self) {
        if self.run.node.is_none() {
            return;
        }
        let node = self.node();
        if let Err(error) = self.host.delete_score(&node) {
            self.host.log(Level::Warning, &format!("the promotion score could not be deleted: {error}"));
        }
        self.memory.score = None;
        self.memory.score_written = None;
        self.say_safe_mode(None);
    }

    /// After a shutdown as a primary the instance is a former primary, until it streams from another one.
    pub(super) fn note_last_role(&mut self, last_role: LastRole) {
        if last_role == LastRole::Primary {
            // What it received it received as a standby of somebody before: it has followed nobody since.
            self.memory.timeline = None;
        }
        self.memory.last_role = last_role;
        self.memory.forget_stream();
    }

    /// Half of what is left.
    pub(super) fn half(&self) -> Duration {
        Duration::from_millis(millis(self.left()) / 2)
    }
}

/// How it came down.
pub(super) enum Down {
    WasDown,
    Stopped(&'static str),
}

const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Nothing => "by itself",
        Stage::Fast => "fast shutdown",
        Stage::Immediate => "immediate shutdown",
        Stage::Killed => "SIGKILL",
    }
}
