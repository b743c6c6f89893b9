//! `quorate-rejoin RESOURCE`, which the unit `quorate-rejoin@RESOURCE` runs: brings an instance back whose data can't follow the
//! primary. It writes down each phase before it begins, so that whatever ends it, the next run goes on.

mod phases;

use std::time::Duration;

use crate::boundary::clock::{Deadline, wall_seconds};
use crate::boundary::host::Level;
use crate::boundary::log::Log;
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::rejoin::{self, Instance, Lock, RejoinError, Step};
use crate::decide::rejoin::{AfterFailure, Data, Phase, Task, after_failure, attribute, resume};

/// The name in the log: `journalctl -t quorate-rejoin`.
const TAG: &str = "quorate-rejoin";
/// Between two looks for a primary.
const PRIMARY_AGAIN: Duration = Duration::from_secs(5);
/// A failover is over by then. Data that are as they were may be the ones that are needed next.
const WITHOUT_PRIMARY: Duration = Duration::from_secs(120);
const ATTRIBUTE: Duration = Duration::from_secs(3);

/// What a phase leads to.
enum Next {
    To(Phase),
    End,
}

struct Rejoin {
    task: Task,
    instance: Instance,
    lock: Option<Lock>,
    log: Log,
}

/// Runs it for the resource that is named. Gives the exit code.
#[must_use]
pub fn main(arguments: &[String]) -> u8 {
    let mut log = Log::of(TAG);
    let [resource] = arguments else {
        log.line(Level::Error, "one argument: the name of the resource");
        return 2;
    };
    match run(resource) {
        Ok(()) => 0,
        Err(error) => {
            log.line(Level::Error, &format!("{resource}: {error}"));
            1
        }
    }
}

fn run(resource: &str) -> Step<()> {
    let Some(lock) = Lock::take(resource)? else { return Ok(()) };
    let Some(mut task) = rejoin::load(resource)? else { return Ok(()) };
    let instance = Instance::of(&task)?;
    instance.must_rest()?;
    (task.phase, task.way) = resume(task.phase, task.way);
    let mut rejoin = Rejoin { task, instance, lock: Some(lock), log: Log::tagged(TAG, resource, "rejoin") };
    rejoin.work()
}

impl Rejoin {
    fn work(&mut self) -> Step<()> {
        let mut lonely = Deadline::after(WITHOUT_PRIMARY);
        loop {
            self.save()?;
            match self.perform() {
                Ok(Next::To(phase)) => {
                    self.enter(phase);
                    lonely = Deadline::after(WITHOUT_PRIMARY);
                }
                Ok(Next::End) => return self.end(),
                Err(RejoinError::NoPrimary(why)) => {
                    if lonely.passed() && self.task.data() == Data::Untouched {
                        self.say(
                            Level::Warning,
                            &format!("no primary to follow: {why}; the data are as they were"),
                        );
                        return self.end();
                    }
                    Deadline::after(PRIMARY_AGAIN).sleep(PRIMARY_AGAIN);
                }
                Err(RejoinError::Again(why)) => self.failed(why)?,
                Err(RejoinError::Manual(why)) => {
                    self.manual(why)?;
                    return self.end();
                }
            }
            if self.task.phase == Phase::Manual {
                return self.end();
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.task.phase = phase;
        self.task.progress = None;
        self.task.failures = 0;
        self.show();
    }

    fn failed(&mut self, why: String) -> Step<()> {
        self.task.failures += 1;
        match after_failure(self.task.failures, self.task.phase, self.task.way) {
            AfterFailure::Manual => self.manual(why),
            AfterFailure::Again(pause, way) => {
                self.say(
                    Level::Warning,
                    &format!(
                        "{}: {why}; again in {} s by {}",
                        self.task.phase,
                        pause.as_secs(),
                        way.program()
                    ),
                );
                self.task.last_error = Some(why);
                (self.task.phase, self.task.way) = resume(self.task.phase, way);
                self.save()?;
                Deadline::after(pause).sleep(pause);
                Ok(())
            }
        }
    }

    fn manual(&mut self, why: String) -> Step<()> {
        self.say(Level::Error, &format!("{}: {why}; it does not go on by itself", self.task.phase));
        // What a half replaced directory is does not end with the phase.
        self.task.half |= self.task.data() == Data::Half;
        self.task.phase = Phase::Manual;
        self.task.last_error = Some(why);
        self.show();
        self.save()
    }

    /// Who waits for it, or does not any more, is told.
    fn end(&mut self) -> Step<()> {
        self.save()?;
        self.lock = None;
        if rejoin::is_abandoned(&self.task.resource) {
            self.start_by_pacemaker();
        }
        Ok(())
    }

    fn save(&self) -> Step<()> {
        rejoin::save(&self.task)
    }

    fn say(&mut self, level: Level, line: &str) {
        self.log.line(level, line);
    }

    /// For `crm_mon -A`.
    fn show(&mut self) {
        let name = attribute(&self.task.resource);
        let shown = match self.task.phase {
            Phase::Ended => pacemaker::delete_attribute(&self.task.node, &name, Patience::of(ATTRIBUTE)),
            _ => pacemaker::set_attribute(
                &self.task.node,
                &name,
                &self.task.summary(),
                Patience::of(ATTRIBUTE),
            ),
        };
        self.say(Level::Info, &self.task.summary());
        if let Err(error) = shown {
            self.say(Level::Warning, &format!("{name} can't be set: {error}"));
        }
    }

    /// Has Pacemaker start the instance, which refused to before: it forgets that failure.
    fn start_by_pacemaker(&mut self) {
        // The start that failed has to be on record with it, and it may be in the middle of a transition.
        for _ in 0..6 {
            Deadline::after(PRIMARY_AGAIN).sleep(PRIMARY_AGAIN);
            match pacemaker::forget_failures(&self.task.resource, &self.task.node) {
                Ok(()) => return,
                Err(error) => self.say(Level::Warning, &format!("crm_resource --cleanup: {error}")),
            }
        }
        let line = format!("type: pcs resource cleanup {} node={}", self.task.resource, self.task.node);
        self.say(Level::Error, &line);
    }

    fn progress(task: &mut Task, percent: u8) {
        if task.progress != Some(percent) {
            task.progress = Some(percent);
            // It is for the eye.
            let _ = rejoin::save(task);
        }
    }

    fn now() -> u64 {
        wall_seconds()
    }
}
