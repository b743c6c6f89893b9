//! A recovery that takes long: whether it gets on, and whether the archive holds it up.
//!
//! PostgreSQL runs restore_command as a child of the startup process and waits for it, however long it takes: no connection, no
//! promotion meanwhile. It can't be ended alone: a command that a signal ends, or that exits above 125 (as ssh does with 255), ends the
//! server too (shell_restore.c). So a server that it holds up is shut down, which ends the command with it, and launched without it.

use std::fmt;

use super::activity::Progress;
use super::clock::{BootTime, Millis};
use crate::pg::instance::ProcessId;

/// What the startup process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The number of the WAL segment that it replays or waits for, by its title; `None`: it does something else.
    pub segment: Option<String>,
    /// The restore_command that it waits for.
    pub command: Option<RestoreCommand>,
}

/// A restore_command that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreCommand {
    pub id: ProcessId,
    /// The name of the program that it waits for.
    pub program: String,
    /// Since when it runs.
    pub age: Millis,
}

impl fmt::Display for RestoreCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "restore_command has not returned for {} s: process {} ({})",
            self.age / 1000,
            self.id.pid,
            self.program
        )
    }
}

/// Whether the server asks the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Archive {
    Asked,
    /// Launched without it, and why.
    LeftOut(String),
}

/// What to do about a restore_command that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing runs, or nothing more can be done.
    No,
    /// It usually ends within a second.
    Wait,
    /// Launch the server without it.
    LeaveOut,
}

/// Clients wait for a promotion. A segment from an archive takes less than a second, a compressed one over a slow line some more.
pub const PROMOTION_WAITS: Millis = 3_000;

/// What is replayed again within seconds, bytes.
const SOON_REPLAYED: u64 = 256 << 20;

/// How long a promotion waits for a command. The server that is launched without it replays from its last restartpoint, and what takes
/// too long ends in no promotion at all; most commands that don't get through give up by themselves.
pub fn promotion_waits(budget: Millis, to_replay: Option<u64>) -> Millis {
    match to_replay {
        Some(bytes) if bytes <= SOON_REPLAYED => PROMOTION_WAITS,
        Some(_) | None => (budget / 2).max(PROMOTION_WAITS),
    }
}

/// A start has time: a third of it, or what an archive on tape needs could never be fetched.
pub fn start_waits(budget: Millis) -> Millis {
    (budget / 3).max(PROMOTION_WAITS)
}

/// Decides on a command that runs, or does not. `patience`: how long one may take.
pub fn held(archive: &Archive, command: Option<&RestoreCommand>, patience: Millis) -> Held {
    match (archive, command) {
        (Archive::LeftOut(_), _) | (_, None) => Held::No,
        (Archive::Asked, Some(command)) if command.age >= patience => Held::LeaveOut,
        (Archive::Asked, Some(_)) => Held::Wait,
    }
}

/// Whether the server ended because its restore_command failed, by the last lines of its log: a failing archive is no reason not to
/// start, the WAL may come from pg_wal and from the primary.
pub fn ended_by_archive(log: &str) -> bool {
    log.contains("could not restore file ") && log.contains(" from archive")
}

/// Where the replay was, over the looks of one action.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// The furthest one.
    segment: Option<String>,
    /// When it went on to another segment last.
    moved: Option<BootTime>,
}

impl Track {
    /// Takes note of a look.
    pub fn note(&mut self, recovery: &Recovery, now: BootTime) {
        if let Some(segment) = &recovery.segment
            && self.segment.as_ref().is_none_or(|furthest| segment > furthest)
        {
            if self.segment.is_some() {
                self.moved = Some(now);
            }
            self.segment = Some(segment.clone());
        }
    }

    /// Whether it went on within this time.
    pub fn progress(&self, now: BootTime, within: Millis) -> Progress {
        match self.moved {
            Some(moved) if now.since(moved) <= within => Progress::GoesOn,
            Some(_) | None => Progress::StandsStill,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(age: Millis) -> RestoreCommand {
        RestoreCommand { id: ProcessId { pid: 7, start_time: 1 }, program: "scp".into(), age }
    }

    #[test]
    fn a_promotion_trades_a_command_only_for_a_short_replay() {
        assert_eq!(promotion_waits(54_000, Some(0)), PROMOTION_WAITS);
        assert_eq!(promotion_waits(54_000, Some(SOON_REPLAYED)), PROMOTION_WAITS);
        assert_eq!(promotion_waits(54_000, Some(SOON_REPLAYED + 1)), 27_000);
        assert_eq!(promotion_waits(54_000, None), 27_000);
        assert_eq!(promotion_waits(4_000, None), PROMOTION_WAITS);
    }

    #[test]
    fn a_command_that_hangs_is_left_out_once() {
        let left_out = Archive::LeftOut("x".into());
        for (archive, age, expected) in [
            (&Archive::Asked, None, Held::No),
            (&Archive::Asked, Some(2_999), Held::Wait),
            (&Archive::Asked, Some(3_000), Held::LeaveOut),
            (&left_out, Some(9_000), Held::No),
        ] {
            let command = age.map(command);
            assert_eq!(held(archive, command.as_ref(), PROMOTION_WAITS), expected, "{archive:?} {age:?}");
        }
        assert_eq!(start_waits(54_000), 18_000);
        assert_eq!(start_waits(1_000), PROMOTION_WAITS);
    }

    #[test]
    fn a_recovery_gets_on_from_segment_to_segment() {
        let look = |segment: Option<&str>| Recovery { segment: segment.map(str::to_owned), command: None };
        let mut track = Track::default();
        track.note(&look(Some("0000000000000003")), BootTime::at(1_000));
        track.note(&look(None), BootTime::at(2_000));
        track.note(&look(Some("0000000000000003")), BootTime::at(3_000));
        track.note(&look(Some("0000000000000002")), BootTime::at(3_000));
        assert_eq!(track.progress(BootTime::at(3_000), 10_000), Progress::StandsStill, "it has begun");
        track.note(&look(Some("0000000000000004")), BootTime::at(4_000));
        assert_eq!(track.progress(BootTime::at(14_000), 10_000), Progress::GoesOn);
        assert_eq!(track.progress(BootTime::at(14_001), 10_000), Progress::StandsStill);
    }

    #[test]
    fn a_failing_command_is_told_from_other_ends() {
        let log = "FATAL:  could not restore file \"00000002.history\" from archive: child process exited with exit code 255";
        assert!(ended_by_archive(log));
        assert!(!ended_by_archive("FATAL:  could not open file \"x\""));
    }
}
