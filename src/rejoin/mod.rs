//! `quorate-rejoin RESOURCE`, which the unit `quorate-rejoin@RESOURCE` runs: brings an instance back whose data can't follow the
//! primary. It writes down each phase before it begins, so that whatever ends it, the next run goes on.

mod phases;

use std::time::Duration;

use crate::boundary::clock::Deadline;
use crate::boundary::host::Level;
use crate::boundary::log::Log;
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::printable;
use crate::boundary::rejoin::{self, Instance, Lock, RejoinError, Step};
use crate::decide::rejoin::{AfterFailure, Data, Phase, Task, after_failure, attribute, failures, resume};

/// The name in the log: `journalctl -t quorate-rejoin`.
const TAG: &str = "quorate-rejoin";
/// Between two looks for a primary.
const PRIMARY_AGAIN: Duration = Duration::from_secs(5);
/// A failover is over by then. Data that are as they were may be the ones that are needed next.
const WITHOUT_PRIMARY: Duration = Duration::from_secs(120);
const ATTRIBUTE: Duration = Duration::from_secs(3);
/// Characters of an attribute's value.
const LONGEST: usize = 300;

/// What a phase leads to.
enum Next {
    To(Phase),
    End,
    /// Another task is on record.
    Replaced,
    /// There is nothing to do: it is on record no more.
    Dropped,
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
    loop {
        let Some(mut task) = rejoin::load(resource)? else { return Ok(()) };
        let mut lock = None;
        // Data that are ready are the agent's to start, which takes the lock for that.
        if task.data() != Data::Ready {
            lock = Lock::take(resource)?;
            match (&lock, rejoin::load(resource)?) {
                (Some(_), Some(now)) => task = now,
                _ => return Ok(()),
            }
        }
        let instance = Instance::of(&task)?;
        if lock.is_some() {
            instance.must_rest()?;
        }
        (task.phase, task.way) = resume(task.phase, task.way);
        let log = Log::tagged(TAG, resource, "rejoin");
        match (Rejoin { task, instance, lock, log }).work()? {
            Work::Over => return Ok(()),
            // Another one was asked for while this one was watched.
            Work::Replaced => {}
        }
    }
}

/// Whether there is more to do.
enum Work {
    Over,
    Replaced,
}

impl Rejoin {
    fn work(&mut self) -> Step<Work> {
        let mut without_primary: Option<Deadline> = None;
        loop {
            self.save()?;
            let result = self.perform();
            if !matches!(result, Err(RejoinError::NoPrimary(_))) {
                without_primary = None;
            }
            match result {
                Ok(Next::To(phase)) => self.enter(phase),
                Ok(Next::End) => return self.end(),
                Ok(Next::Replaced) => return Ok(Work::Replaced),
                Ok(Next::Dropped) => {
                    self.hide();
                    rejoin::remove(&self.task.resource)?;
                    return Ok(self.leave());
                }
                Err(RejoinError::NoPrimary(why)) => {
                    let until = *without_primary.get_or_insert_with(|| Deadline::after(WITHOUT_PRIMARY));
                    if until.passed() && self.task.data() == Data::Untouched {
                        let line = format!("no primary to follow: {why}; the data are as they were");
                        self.say(Level::Warning, &line);
                        return self.end();
                    }
                    Deadline::after(PRIMARY_AGAIN).sleep(PRIMARY_AGAIN);
                }
                Err(RejoinError::Again(why)) => self.failed(why)?,
                Err(RejoinError::Manual(why)) => self.manual(why)?,
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.task.failures = failures(&self.task, phase);
        if self.task.failures == 0 {
            (self.task.failed_in, self.task.last_error) = (None, None);
        }
        self.task.phase = phase;
        self.task.progress = None;
        self.show();
    }

    fn failed(&mut self, why: String) -> Step<()> {
        self.task.failures += 1;
        self.task.failed_in = self.task.failed_in.max(Some(self.task.phase));
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
    fn end(&mut self) -> Step<Work> {
        self.save()?;
        Ok(self.leave())
    }

    fn leave(&mut self) -> Work {
        self.lock = None;
        if rejoin::is_abandoned(&self.task.resource) {
            self.start_by_pacemaker();
        }
        Work::Over
    }

    fn save(&self) -> Step<()> {
        rejoin::save(&self.task)
    }

    fn say(&mut self, level: Level, line: &str) {
        self.log.line(level, line);
    }

    /// For `crm_mon -A`.
    fn show(&mut self) {
        let summary = printable::line(&self.task.summary());
        self.say(Level::Info, &summary);
        if self.task.phase == Phase::Ended {
            return self.hide();
        }
        let (name, patience) = (attribute(&self.task.resource), Patience::of(ATTRIBUTE));
        let shown: String = summary.chars().take(LONGEST).collect();
        if let Err(error) = pacemaker::set_attribute(&self.task.node, &name, &shown, patience) {
            self.say(Level::Warning, &format!("{name} can't be set: {error}"));
        }
    }

    fn hide(&mut self) {
        let (name, patience) = (attribute(&self.task.resource), Patience::of(ATTRIBUTE));
        if let Err(error) = pacemaker::delete_attribute(&self.task.node, &name, patience) {
            self.say(Level::Warning, &format!("{name} can't be deleted: {error}"));
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
}
