//! What a trial write to the instance's file systems tells, and what follows from it for the promotion score.
//!
//! A server whose disk is full, read-only or stuck still answers as a primary; its clients' writes fail or hang. Where another
//! instance can take over, it should. Where none can, the instance stays what it is: it serves reads, and another restart on the
//! same disk helps nobody. So the primary does not fail its monitor: it lowers its score to [`ENCUMBERED`], below every standby
//! that has all its WAL and above every one that may lack some. Pacemaker moves the role exactly where that helps, and in the
//! order of a switchover, in which a standby receives everything before it is promoted.

use serde::{Deserialize, Serialize};

use crate::cluster::timing::DISK_STUCK_MS;

use super::memory::{Memory, Millis};
use super::score::{DETACHED, INITIAL, PRIMARY, ScoreStep, WITHDRAWN};

/// A primary that should hand over: below every standby that streams, above one that lost its stream.
pub const ENCUMBERED: i32 = 150;
/// A standby without space: promoted only when there is no other, for it can still serve reads and be cleared up.
pub const CRAMPED: i32 = 50;

const _: () = assert!(CRAMPED < DETACHED && DETACHED < ENCUMBERED && ENCUMBERED < INITIAL);

/// Less than this is full: a table grows by up to 64 pages (512 KiB) at once, and a WAL file needs 16 MiB, so that a server
/// lives on with less only as long as it finds old files to use again.
pub const FULL: u64 = 1 << 20;
/// What was full counts as sound again with this much: room for some WAL files, or a standby at the edge would flap.
pub const ROOM: u64 = 64 << 20;
/// A small write that hangs so long.
pub const STUCK_AFTER: Millis = DISK_STUCK_MS as Millis;

/// The result of one trial write to one file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trial {
    /// Written and flushed; with the bytes that are left for PostgreSQL.
    Written {
        free: u64,
    },
    NoSpace,
    ReadOnly,
    /// An input/output error.
    Broken,
    /// Still under way after this time.
    Pending(Millis),
    /// The trial itself could not be made: says nothing about the disk.
    Untried(String),
}

/// The condition of an instance's file systems; the worst one counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Disk {
    #[default]
    Sound,
    /// A write takes long. Nothing follows yet, except that we write nothing there ourselves: it could hang us.
    Slow,
    Full,
    ReadOnly,
    Broken,
    Stuck,
}

impl Disk {
    pub const ALL: [Disk; 6] =
        [Disk::Sound, Disk::Slow, Disk::Full, Disk::ReadOnly, Disk::Broken, Disk::Stuck];

    /// Whether PostgreSQL can go on writing there.
    pub const fn is_fit(self) -> bool {
        match self {
            Disk::Sound | Disk::Slow => true,
            Disk::Full | Disk::ReadOnly | Disk::Broken | Disk::Stuck => false,
        }
    }

    /// Whether a write of our own would return.
    pub const fn returns(self) -> bool {
        match self {
            Disk::Sound | Disk::Full | Disk::ReadOnly | Disk::Broken => true,
            Disk::Slow | Disk::Stuck => false,
        }
    }

    /// For reasons and for the tables in the documents.
    pub const fn text(self) -> &'static str {
        match self {
            Disk::Sound => "sound",
            Disk::Slow => "slow: a write takes long",
            Disk::Full => "full: make room on it",
            Disk::ReadOnly => "read-only: look for disk errors in the kernel's log, then remount it",
            Disk::Broken => "failing with input/output errors: look in the kernel's log",
            Disk::Stuck => "stuck: a small write does not return",
        }
    }
}

/// The condition, and why; `None` where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub disk: Disk,
    pub reason: Option<String>,
}

/// Judges the trials, each with the directory in which it was made. `before`: the last finding.
pub fn judge(trials: &[(String, Trial)], before: Disk) -> Finding {
    let mut worst = Finding { disk: Disk::Sound, reason: None };
    for (directory, trial) in trials {
        let disk = condition(trial, before);
        let reason = match (disk, trial) {
            (_, Trial::Untried(why)) => Some(format!("no trial write in {directory}: {why}")),
            (Disk::Sound, _) => None,
            (Disk::Full, Trial::Written { free }) => {
                Some(format!("the file system of {directory} has {free} bytes left; {}", Disk::Full.text()))
            }
            (disk, Trial::Pending(age)) => {
                Some(format!("the file system of {directory} is {}, since {} s", disk.text(), age / 1000))
            }
            (disk, _) => Some(format!("the file system of {directory} is {}", disk.text())),
        };
        if disk > worst.disk || worst.reason.is_none() {
            worst = Finding { disk: disk.max(worst.disk), reason };
        }
    }
    worst
}

const fn condition(trial: &Trial, before: Disk) -> Disk {
    match trial {
        Trial::Written { free } => match before {
            _ if *free < FULL => Disk::Full,
            Disk::Full if *free < ROOM => Disk::Full,
            _ => Disk::Sound,
        },
        Trial::NoSpace => Disk::Full,
        Trial::ReadOnly => Disk::ReadOnly,
        Trial::Broken => Disk::Broken,
        Trial::Pending(age) if *age >= STUCK_AFTER => Disk::Stuck,
        Trial::Pending(_) => Disk::Slow,
        Trial::Untried(_) => Disk::Sound,
    }
}

/// The score of the promoted instance on such a disk. `usual`: what it would be on a sound one.
pub fn primary(usual: ScoreStep, memory: &Memory, finding: &Finding) -> ScoreStep {
    match (finding.disk.is_fit(), &usual) {
        (true, _) => usual,
        // Nothing is written twice; the complaint stays.
        (false, _) if memory.score == Some(ENCUMBERED) => ScoreStep::Keep(finding.reason.clone()),
        (false, _) => ScoreStep::Set(ENCUMBERED, reason(finding)),
    }
}

/// The score of a standby, or of an instance that was found dead, on such a disk. Without space it is the last choice; where a
/// promotion can't succeed it is none.
pub fn standby(usual: ScoreStep, memory: &Memory, finding: &Finding) -> ScoreStep {
    let cap = match finding.disk {
        Disk::Sound | Disk::Slow => return usual,
        Disk::Full => CRAMPED,
        Disk::ReadOnly | Disk::Broken | Disk::Stuck => WITHDRAWN,
    };
    match (&usual, memory.score) {
        (ScoreStep::Set(score, why), _) if *score <= cap => ScoreStep::Set(*score, why.clone()),
        // Without a score it is no candidate, and one that is lower has its reason.
        (ScoreStep::Keep(_) | ScoreStep::AskCluster, None) => usual,
        (_, Some(score)) if score <= cap => match usual {
            ScoreStep::AskCluster => ScoreStep::AskCluster,
            ScoreStep::Keep(_) | ScoreStep::Set(..) => ScoreStep::Keep(finding.reason.clone()),
        },
        (ScoreStep::Set(..), None) | (_, Some(_)) => ScoreStep::Set(cap, reason(finding)),
    }
}

/// A primary that crashed because of its disk is not the one to start again there, where another can take over.
pub fn crashed(memory: &Memory, finding: &Finding) -> Option<ScoreStep> {
    let was_primary = memory.score.is_some_and(|s| s >= PRIMARY || s == ENCUMBERED);
    (was_primary && !finding.disk.is_fit()).then(|| standby(ScoreStep::Keep(None), memory, finding))
}

fn reason(finding: &Finding) -> String {
    finding.reason.clone().unwrap_or_else(|| finding.disk.text().to_owned())
}

#[cfg(test)]
mod tests;
