//! The unit `quorate-rejoin@`, played.

use super::{Condition, FakeHost};
use crate::boundary::host::{HostError, HostResult, Rejoining};
use crate::decide::clock::Millis;
use crate::decide::rejoin::{Phase, Task, Worker};

/// What becomes of it once it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// systemd has none.
    Missing,
    /// It will end so, this much later.
    Takes(Millis, Phase),
    /// Started at a time, it ends so at another.
    Runs(Millis, Phase),
    /// It was started, and died.
    Dies,
}

impl Unit {
    const fn worker(self, now: Millis) -> Worker {
        match self {
            Self::Runs(until, _) if now < until => Worker::Runs,
            Self::Missing | Self::Takes(..) | Self::Runs(..) | Self::Dies => Worker::Absent,
        }
    }
}

impl Rejoining for FakeHost {
    fn rejoin(&mut self) -> HostResult<(Option<Task>, Worker)> {
        Ok((self.play_unit(), self.unit.worker(self.now)))
    }

    fn ask_rejoin(&mut self, task: &Task) -> HostResult<()> {
        self.done.push(format!("ask {}", task.way.program()));
        self.task = Some(task.clone());
        self.start_unit()
    }

    fn resume_rejoin(&mut self) -> HostResult<()> {
        self.done.push("resume".into());
        self.start_unit()
    }

    fn drop_rejoin(&mut self) -> HostResult<()> {
        self.done.push("drop".into());
        self.task = None;
        Ok(())
    }

    fn end_rejoin_request(&mut self) -> HostResult<()> {
        self.tell("request taken back".into())
    }

    fn abandon_rejoin(&mut self) -> HostResult<()> {
        self.done.push("abandon".into());
        Ok(())
    }
}

impl FakeHost {
    fn start_unit(&mut self) -> HostResult<()> {
        match self.unit {
            Unit::Missing => {
                self.task = None;
                return Err(HostError::missing("Unit quorate-rejoin@pgsqld.service not found."));
            }
            Unit::Takes(time, end) => self.unit = Unit::Runs(self.now + time, end),
            Unit::Runs(..) | Unit::Dies => {}
        }
        Ok(())
    }

    /// What is on record now. A rewound directory has left the primary's line no more.
    fn play_unit(&mut self) -> Option<Task> {
        if let (Unit::Runs(until, end), Some(task)) = (self.unit, &mut self.task)
            && self.now >= until
        {
            task.phase = end;
            task.ready = Some(until);
            if end == Phase::Starting {
                (self.condition, self.at_rest) = (Condition::Standby, true);
                self.view.received =
                    self.histories.first().and_then(|history| history.fork_of(self.timeline));
                self.view.replayed = self.view.received;
            }
        }
        self.task.clone()
    }
}
