//! What follows what a phase has found. The phases themselves, with their effects, are in `src/rejoin/phases.rs`.

use std::time::Duration;

use super::primary::{Primary, Worker};
use super::task::{Cause, Data, Phase, Task, Way};

/// How a new standby answered at the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// No server runs, or it takes no connections.
    Down,
    /// It is up and receives nothing.
    Up,
    Streams,
    /// It takes writes: it was promoted since.
    Promoted,
}

/// A WAL receiver calls itself streaming before the primary has refused its position.
const STEADY_LOOKS: u32 = 3;
/// How long a new standby may take until it streams.
const STREAM_WITHIN: Duration = Duration::from_secs(300);

/// What the looks at a new standby have shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watched {
    /// Looks in a row at which it streamed.
    looks: u32,
    was_up: bool,
}

/// What follows a look at the new standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterLook {
    Again,
    /// The old data are needed no longer.
    Streams,
    /// Rewound, it was up and follows nobody: as without the WAL that it needs.
    CopyInstead,
    /// It is the operator's, and the old data stay.
    GivenUp,
}

impl Watched {
    /// Takes one look into account. `since`: how long it has been watched.
    #[must_use]
    pub fn look(&mut self, stream: Stream, since: Duration, way: Way) -> AfterLook {
        match stream {
            Stream::Streams => self.looks += 1,
            Stream::Promoted => self.looks = STEADY_LOOKS,
            Stream::Up => (self.looks, self.was_up) = (0, true),
            Stream::Down => self.looks = 0,
        }
        match (self.looks >= STEADY_LOOKS, since >= STREAM_WITHIN, self.was_up, way) {
            (true, ..) => AfterLook::Streams,
            (false, false, ..) => AfterLook::Again,
            (false, true, true, Way::Rewind) => AfterLook::CopyInstead,
            (false, true, false, _) | (false, true, true, Way::Copy) => AfterLook::GivenUp,
        }
    }
}

/// What is known before data that were rewound, and follow nobody, are replaced by a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewound {
    pub primary: Primary,
    /// The last promotion on record is this node's.
    pub was_promoted: bool,
    /// The task on the disk is still this one, and nobody else works on the data.
    pub is_ours: bool,
    /// No server runs on the data.
    pub rests: bool,
}

impl Rewound {
    /// Whether they are copied: only what rests, follows a primary on record, and was not promoted meanwhile.
    #[must_use]
    pub fn may_be_copied(self) -> bool {
        self == Self { primary: Primary::Known, was_promoted: false, is_ours: true, rests: true }
    }
}

/// Whether the primary still has the WAL that comes next for a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextWal {
    There,
    Gone,
}

/// The phase after [`Phase::Wanted`]; `None`: nothing is to be replaced. `next`: asked where the cause is that it is gone.
#[must_use]
pub const fn after_wanted(next: Option<NextWal>, is_kept: bool, way: Way) -> Option<Phase> {
    match (next, is_kept, way) {
        (Some(NextWal::There), ..) => None,
        (Some(NextWal::Gone) | None, false, _) => Some(Phase::Keeping),
        (Some(NextWal::Gone) | None, true, _) => Some(after_keeping(way)),
    }
}

/// The phase after [`Phase::Keeping`].
#[must_use]
pub const fn after_keeping(way: Way) -> Phase {
    match way {
        Way::Rewind => Phase::Recovering,
        Way::Copy => Phase::Copying,
    }
}

/// What of the WAL is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: the primary has all of it.
    Nothing,
    /// What was found past the last common byte.
    Difference,
    /// All that is there: the difference is not known.
    All,
}

/// What is kept, by the comparison of our WAL with the primary's. `is_known`: whether their last common byte is known; `differs`:
/// whether we have WAL past it.
#[must_use]
pub const fn keep(cause: Cause, is_known: bool, differs: bool) -> Keep {
    match (cause, is_known, differs) {
        // It has only replayed what the primary wrote.
        (Cause::Starved, ..) => Keep::Nothing,
        (Cause::Diverged | Cause::Forked | Cause::Asked, false, _)
        // It did diverge, and where can't be told.
        | (Cause::Diverged, true, false) => Keep::All,
        (Cause::Diverged | Cause::Forked | Cause::Asked, true, true)
        | (Cause::Forked | Cause::Asked, true, false) => Keep::Difference,
    }
}

/// The way by which data are replaced of which so much is kept. pg_rewind has to know the last common byte, too.
#[must_use]
pub const fn way(wanted: Way, kept: Keep) -> Way {
    match kept {
        Keep::All => Way::Copy,
        Keep::Nothing | Keep::Difference => wanted,
    }
}

/// The primary's checkpoint after its promotion is its agent's first job.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(600);

/// Whether the primary's control file is of its own timeline, which pg_rewind reads from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    Done,
    Awaited,
    /// For too long.
    Missing,
}

/// Decides on the wait for the primary's checkpoint. `since`: how long it is awaited.
#[must_use]
pub fn checkpoint(is_on_own_timeline: bool, since: Duration) -> Checkpoint {
    match (is_on_own_timeline, since >= CHECKPOINT_WITHIN) {
        (true, _) => Checkpoint::Done,
        (false, false) => Checkpoint::Awaited,
        (false, true) => Checkpoint::Missing,
    }
}

/// systemd starts the unit within this time.
const UNIT_STARTS: Duration = Duration::from_secs(5);

/// How a start waits for the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub since: Duration,
    pub at_most: Duration,
    /// The unit was told that nobody waits any more: it has the instance started by itself.
    pub is_abandoned: bool,
}

/// What a start that waits for the unit does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    Again,
    /// The data are a standby's.
    Launch,
    /// The unit is told; after that it is looked at once more, since it may just have ended.
    Abandon,
    Refuse(String),
}

/// Decides on a start that waits for the unit. `task`: as it stands on the disk; none is one that was dropped.
#[must_use]
pub fn awaited(task: Option<&Task>, worker: Worker, waiting: Waiting) -> Awaited {
    let Some(task) = task else { return Awaited::Launch };
    let is_over = waiting.since >= waiting.at_most;
    match (task.data(), task.phase, worker, waiting.is_abandoned) {
        (Data::Ready, ..) => Awaited::Launch,
        (_, Phase::Manual, Worker::Absent, _) | (_, _, Worker::Absent, true) => {
            Awaited::Refuse(format!("rejoin: {}", task.summary()))
        }
        (_, _, Worker::Runs, true) => {
            Awaited::Refuse(format!("rejoin: {}; it is started when that is done", task.summary()))
        }
        (_, _, Worker::Absent, false) if is_over || waiting.since >= UNIT_STARTS => Awaited::Abandon,
        (_, _, Worker::Runs, false) if is_over => Awaited::Abandon,
        (_, _, Worker::Runs | Worker::Absent, false) => Awaited::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_waits_for_the_unit_and_tells_it_when_it_does_not() {
        let asked =
            Task::new("p", "srv1", std::collections::BTreeMap::new(), Cause::Diverged, Way::Copy, "", 0);
        let at_most = Duration::from_secs(20);
        let wait = |since, is_abandoned| Waiting { since: Duration::from_secs(since), at_most, is_abandoned };
        for phase in Phase::ALL {
            let task = Task { phase, ..asked.clone() };
            for (worker, since, is_abandoned) in
                [Worker::Runs, Worker::Absent].into_iter().flat_map(|worker| {
                    [0, 6, 20]
                        .into_iter()
                        .flat_map(move |since| [false, true].map(|told| (worker, since, told)))
                })
            {
                let decided = awaited(Some(&task), worker, wait(since, is_abandoned));
                let is_ready = task.data() == Data::Ready;
                assert_eq!(
                    decided == Awaited::Launch,
                    is_ready,
                    "{phase:?} {worker:?} {since} {is_abandoned}"
                );
                if is_ready {
                    continue;
                }
                let says = matches!(decided, Awaited::Refuse(_));
                let is_manual = phase == Phase::Manual && worker == Worker::Absent;
                assert_eq!(
                    says,
                    is_abandoned || is_manual,
                    "{phase:?} {worker:?} {since}: never before it is told"
                );
                if !is_abandoned && !is_manual {
                    let over = since >= 20 || worker == Worker::Absent && since >= 6;
                    assert_eq!(decided == Awaited::Abandon, over, "{phase:?} {worker:?} {since}");
                }
            }
        }
        assert_eq!(awaited(None, Worker::Runs, wait(0, false)), Awaited::Launch);
    }

    #[test]
    fn one_look_is_not_a_stream() {
        let (mut watched, now) = (Watched::default(), Duration::ZERO);
        for stream in [Stream::Streams, Stream::Streams, Stream::Up, Stream::Streams, Stream::Streams] {
            assert_eq!(watched.look(stream, now, Way::Copy), AfterLook::Again, "{stream:?}");
        }
        assert_eq!(watched.look(Stream::Streams, now, Way::Copy), AfterLook::Streams);
        assert_eq!(Watched::default().look(Stream::Promoted, now, Way::Rewind), AfterLook::Streams);
    }

    /// A primary whose WAL is gone is no reason to copy what was never started.
    #[test]
    fn only_what_was_up_after_a_rewind_is_copied_instead() {
        let late = STREAM_WITHIN;
        for (first, way, expected) in [
            (Stream::Up, Way::Rewind, AfterLook::CopyInstead),
            (Stream::Up, Way::Copy, AfterLook::GivenUp),
            (Stream::Down, Way::Rewind, AfterLook::GivenUp),
            (Stream::Down, Way::Copy, AfterLook::GivenUp),
        ] {
            let mut watched = Watched::default();
            assert_eq!(watched.look(first, Duration::ZERO, way), AfterLook::Again);
            assert_eq!(watched.look(Stream::Down, late, way), expected, "{first:?} {way:?}");
        }
    }

    #[test]
    fn each_doubt_keeps_rewound_data() {
        let fine = Rewound { primary: Primary::Known, was_promoted: false, is_ours: true, rests: true };
        assert!(fine.may_be_copied());
        for doubt in [
            Rewound { primary: Primary::Nobody, ..fine },
            Rewound { was_promoted: true, ..fine },
            Rewound { is_ours: false, ..fine },
            Rewound { rests: false, ..fine },
        ] {
            assert!(!doubt.may_be_copied(), "{doubt:?}");
        }
    }

    #[test]
    fn nothing_is_replaced_before_it_is_kept() {
        for way in [Way::Rewind, Way::Copy] {
            for next in [None, Some(NextWal::Gone)] {
                assert_eq!(after_wanted(next, false, way), Some(Phase::Keeping));
                assert_eq!(after_wanted(next, true, way), Some(after_keeping(way)));
            }
            for is_kept in [false, true] {
                assert_eq!(after_wanted(Some(NextWal::There), is_kept, way), None);
            }
        }
        for cause in [Cause::Diverged, Cause::Forked, Cause::Asked] {
            for differs in [false, true] {
                assert_eq!(keep(cause, false, differs), Keep::All, "{cause:?}: unknown is everything");
                assert_ne!(keep(cause, true, differs), Keep::Nothing, "{cause:?}");
            }
            assert_eq!(keep(cause, true, true), Keep::Difference);
        }
        assert_eq!(keep(Cause::Diverged, true, false), Keep::All, "it did diverge");
        assert_eq!(keep(Cause::Starved, false, true), Keep::Nothing);
        assert_eq!(way(Way::Rewind, Keep::All), Way::Copy, "pg_rewind needs the last common byte");
        assert_eq!(way(Way::Rewind, Keep::Difference), Way::Rewind);
    }

    #[test]
    fn a_checkpoint_is_awaited_for_a_time() {
        assert_eq!(checkpoint(true, CHECKPOINT_WITHIN), Checkpoint::Done);
        assert_eq!(checkpoint(false, Duration::ZERO), Checkpoint::Awaited);
        assert_eq!(checkpoint(false, CHECKPOINT_WITHIN), Checkpoint::Missing);
    }
}
