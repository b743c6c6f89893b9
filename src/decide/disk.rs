//! What a trial write to the instance's file systems tells of them.

use serde::{Deserialize, Serialize};

use crate::cluster::timing::DISK_STUCK_MS;

use super::clock::Millis;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn trials() -> Vec<(Trial, [Disk; 2])> {
        // What it shows after a sound disk, and after a full one.
        vec![
            (Trial::Written { free: ROOM }, [Disk::Sound, Disk::Sound]),
            (Trial::Written { free: ROOM - 1 }, [Disk::Sound, Disk::Full]),
            (Trial::Written { free: FULL }, [Disk::Sound, Disk::Full]),
            (Trial::Written { free: FULL - 1 }, [Disk::Full, Disk::Full]),
            (Trial::Written { free: 0 }, [Disk::Full, Disk::Full]),
            (Trial::NoSpace, [Disk::Full, Disk::Full]),
            (Trial::ReadOnly, [Disk::ReadOnly, Disk::ReadOnly]),
            (Trial::Broken, [Disk::Broken, Disk::Broken]),
            (Trial::Pending(STUCK_AFTER - 1), [Disk::Slow, Disk::Slow]),
            (Trial::Pending(STUCK_AFTER), [Disk::Stuck, Disk::Stuck]),
            // Could not check is not check failed.
            (Trial::Untried("x".into()), [Disk::Sound, Disk::Sound]),
        ]
    }

    #[test]
    fn full_stuck_and_read_only_are_told_apart() {
        for (trial, expected) in trials() {
            for (before, expected) in [Disk::Sound, Disk::Full].into_iter().zip(expected) {
                let found = judge(&[("/data".into(), trial.clone())], before);
                assert_eq!(found.disk, expected, "{trial:?} after {before:?}");
                assert_eq!(
                    found.reason.is_some(),
                    !matches!(trial, Trial::Written { .. }) || !expected.is_fit()
                );
                assert!(found.reason.is_none_or(|r| r.contains("/data")), "{trial:?}");
            }
        }
    }

    #[test]
    fn the_worst_file_system_counts_in_any_order() {
        for (first, _) in trials() {
            for (second, _) in trials() {
                let one = |t: &Trial| judge(&[("/data".into(), t.clone())], Disk::Sound).disk;
                let both = [("/data".into(), first.clone()), ("/wal".into(), second.clone())];
                let found = judge(&both, Disk::Sound);
                assert_eq!(found.disk, one(&first).max(one(&second)), "{both:?}");
                if !found.disk.is_fit() {
                    let guilty = if one(&first) >= one(&second) { "/data" } else { "/wal" };
                    assert!(found.reason.is_some_and(|r| r.contains(guilty)), "{both:?}");
                }
            }
        }
    }
}
