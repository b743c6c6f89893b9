//! How an instance whose data can't follow the primary becomes its standby again: what is kept of the data first, and which way
//! they are replaced.
//!
//! `start` asks for it ([`wanted`]), the unit `quorate-rejoin@RESOURCE` does it, phase by phase ([`Phase`]), and writes down each phase
//! before it begins: whatever ends it, [`resume`] tells where the next run goes on, and [`at_start`] whether the data may be started.

mod kept;
mod line;
mod primary;
mod request;
mod steps;
mod task;

use std::time::Duration;

pub use self::kept::{Commits, Kept, Range, ranges, segments};
pub use self::line::{Common, common};
pub use self::primary::{Primary, Worker, primary};
pub use self::request::{Request, request_attribute};
pub use self::steps::{
    AfterLook, Awaited, Checkpoint, Keep, NextWal, Rewound, Stream, Waiting, Watched, after_keeping,
    after_wanted, awaited, checkpoint, keep, way,
};
pub use self::task::{Cause, Data, Phase, Task, Way, attribute};

use super::cluster::Manager;
use crate::ocf::settings::OnDiverged;

/// Where a run begins that finds the task in `phase`, and by which way it goes on.
///
/// A directory in which pg_rewind was interrupted may only be copied anew (its manual page). A copy that was not complete begins anew.
#[must_use]
pub const fn resume(phase: Phase, way: Way) -> (Phase, Way) {
    match (phase, way) {
        (Phase::Rewinding, _) => (Phase::Copying, Way::Copy),
        (Phase::Copying | Phase::Verifying, _) => (Phase::Copying, Way::Copy),
        (Phase::Swapping, way) => (Phase::Swapping, way),
        (Phase::Configuring, way) => (Phase::Configuring, way),
        (Phase::Starting, way) => (Phase::Starting, way),
        (Phase::Ended, way) => (Phase::Ended, way),
        (Phase::Manual, way) => (Phase::Manual, way),
        (Phase::Wanted | Phase::Keeping | Phase::Recovering | Phase::AwaitingCheckpoint, way) => {
            (Phase::Wanted, way)
        }
    }
}

/// What `start` does with a task that it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtStart {
    Launch,
    /// Nobody is there to follow, and the data are as they were: who is promoted is the election's business.
    Drop,
    /// The unit runs, or is started: wait a while.
    Await(Worker),
    /// It runs, or is started, and has the instance started when it is done.
    Leave(Worker),
    Refuse(String),
}

/// Decides on a start while a rejoin is on record.
#[must_use]
pub fn at_start(task: Option<&Task>, worker: Worker, primary: Primary) -> AtStart {
    let Some(task) = task else { return AtStart::Launch };
    match (task.data(), task.phase, worker, primary) {
        (Data::Ready, _, Worker::Absent, _) => AtStart::Launch,
        // It only watches.
        (Data::Ready, Phase::Starting | Phase::Ended, Worker::Runs, _) => AtStart::Launch,
        // Who is promoted next waits for the end of every start.
        (_, _, Worker::Runs, Primary::Nobody) => AtStart::Leave(Worker::Runs),
        (_, _, Worker::Runs, Primary::Known) => AtStart::Await(Worker::Runs),
        (Data::Untouched, _, Worker::Absent, Primary::Nobody) => AtStart::Drop,
        (_, Phase::Manual, Worker::Absent, _) => AtStart::Refuse(task.summary()),
        // The unit waits for a primary.
        (Data::Half, _, Worker::Absent, Primary::Nobody) => AtStart::Leave(Worker::Absent),
        (_, _, Worker::Absent, Primary::Known) => AtStart::Await(Worker::Absent),
    }
}

/// What follows a refusal to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The unit is asked to.
    Rejoin(Way),
    /// It stays with the refusal.
    Manual,
}

/// Whether the data are to be replaced by the primary's: only by those of a primary that Pacemaker promoted. What it lacks of these is lost
/// already, and is kept. In the middle of a failover there is none yet, and the unit waits for it; who can be a candidate without one
/// does not wait.
#[must_use]
pub const fn wanted(cause: Cause, policy: OnDiverged, primary: Primary, manager: Manager) -> Wanted {
    match (manager, primary, policy, cause) {
        (Manager::Nobody, ..)
        | (_, _, OnDiverged::Stop, _)
        | (_, Primary::Nobody, _, Cause::Starved | Cause::Asked) => Wanted::Manual,
        (Manager::Pacemaker, _, OnDiverged::Copy, _) => Wanted::Rejoin(Way::Copy),
        (Manager::Pacemaker, _, OnDiverged::Rewind, Cause::Diverged | Cause::Asked) => {
            Wanted::Rejoin(Way::Rewind)
        }
        (Manager::Pacemaker, _, OnDiverged::Rewind, Cause::Forked | Cause::Starved) => {
            Wanted::Rejoin(Way::Copy)
        }
    }
}

/// A standby that has been without a stream for so long is not about to find its WAL.
const STARVED_AFTER: Duration = Duration::from_secs(60);

/// Whether a standby waits for WAL that the primary has not any more. `said`: why its WAL receiver gave up last, in PostgreSQL's words
/// (walsender.c), which a client may have written too: the unit asks the primary. `without`: how long it has had no stream and
/// has not got on, although a primary is there.
#[must_use]
pub fn is_starved(said: Option<&str>, without: Duration) -> bool {
    let is_gone = said.is_some_and(|said| {
        said.contains("requested WAL segment") && said.contains("has already been removed")
    });
    is_gone && without >= STARVED_AFTER
}

/// A start waits so long for a short rewind: its transition promotes nobody meanwhile.
const START_WAITS: Duration = Duration::from_secs(20);

/// How long a start waits for the unit. `left`: what the action has; the launch itself needs some of it.
#[must_use]
pub fn start_waits(left: Duration) -> Duration {
    START_WAITS.min(left / 2)
}

/// How often it is tried in a row.
const TRIES: u32 = 8;
/// The longest pause between two.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Between two tries; doubled with each.
const PAUSE: Duration = Duration::from_secs(10);

/// The count of failures once a phase has begun: what failed has to be behind it, or the same failure would never be the last one.
#[must_use]
pub fn failures(task: &Task, entered: Phase) -> u32 {
    match task.failed_in {
        Some(failed) if entered <= failed => task.failures,
        Some(_) | None => 0,
    }
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Again after this time, this way.
    Again(Duration, Way),
    /// An operator has to look.
    Manual,
}

/// Whether it is worth another try. What failed by pg_rewind is copied, where pg_rewind's refusal is not of the moment.
#[must_use]
pub fn after_failure(failures: u32, phase: Phase, way: Way) -> AfterFailure {
    if failures >= TRIES {
        return AfterFailure::Manual;
    }
    let pause = (PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(8))).min(LONGEST_PAUSE);
    match (phase, way) {
        (Phase::Recovering | Phase::Rewinding, Way::Rewind) => AfterFailure::Again(Duration::ZERO, Way::Copy),
        (_, way) => AfterFailure::Again(pause, way),
    }
}

/// Whether so much may be given up without an operator. `most`: the parameter rejoin_max_loss; `None`: no limit.
///
/// # Errors
/// More than allowed, or nobody knows how much.
pub fn loss(bytes: Option<u64>, most: Option<u64>) -> Result<(), String> {
    match (bytes, most) {
        (_, None) => Ok(()),
        (Some(bytes), Some(most)) if bytes <= most => Ok(()),
        (Some(bytes), Some(most)) => Err(format!(
            "{bytes} bytes of WAL are not on the primary, more than rejoin_max_loss={most}: look at them, then rejoin with --accept-loss"
        )),
        (None, Some(most)) => Err(format!(
            "how much WAL is not on the primary can't be told, and rejoin_max_loss={most}: look, then rejoin with --accept-loss"
        )),
    }
}

#[cfg(test)]
mod tests;
