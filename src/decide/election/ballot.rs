//! What each instance publishes for an election, and how it is written in a node attribute.

use crate::decide::disk::Disk;
use crate::decide::memory::LastRole;
use crate::pg::timeline::WalPosition;

/// One instance's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    pub node: String,
    pub position: WalPosition,
    pub fitness: Fitness,
}

/// Whether an instance could be promoted, by its disk, and whether another one may be promoted that has less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitness {
    Fit,
    /// A standby without space: of equals the last choice, but what it has is not given up for another one's room.
    DiskFull,
    /// A standby whose disk takes no writes: it can't be promoted, and what it has may be acknowledged commits.
    NotWritable,
    /// It was the primary, and its disk ended that: passed by like a primary whose node died.
    FailedPrimary,
}

impl Fitness {
    pub const ALL: [Fitness; 4] =
        [Fitness::Fit, Fitness::DiskFull, Fitness::NotWritable, Fitness::FailedPrimary];

    /// Of an instance that was this on such a disk.
    pub const fn of(disk: Disk, last_role: LastRole) -> Fitness {
        match (disk, last_role) {
            (Disk::Sound | Disk::Slow, _) => Fitness::Fit,
            (Disk::Full | Disk::ReadOnly | Disk::Broken | Disk::Stuck, LastRole::Primary) => {
                Fitness::FailedPrimary
            }
            (Disk::Full, LastRole::Standby) => Fitness::DiskFull,
            (Disk::ReadOnly | Disk::Broken | Disk::Stuck, LastRole::Standby) => Fitness::NotWritable,
        }
    }

    /// What stands behind the position in a ballot.
    const fn word(self) -> Option<&'static str> {
        match self {
            Fitness::Fit => None,
            Fitness::DiskFull => Some("full"),
            Fitness::NotWritable => Some("not-writable"),
            Fitness::FailedPrimary => Some("failed-primary"),
        }
    }
}

/// The answers that count: one that was left by an instance that stopped since is none. `running`: as Pacemaker says; nobody: it does not
/// say.
#[must_use]
pub fn of_running(ballots: Vec<Ballot>, running: &[&str]) -> Vec<Ballot> {
    let counts = |ballot: &Ballot| running.is_empty() || running.contains(&ballot.node.as_str());
    ballots.into_iter().filter(counts).collect()
}

/// The text of a ballot in a node attribute: `TIMELINE:LSN`, and a third word where the disk is not sound.
pub fn ballot_text(position: WalPosition, fitness: Fitness) -> String {
    let text = format!("{}:{}", position.timeline, position.lsn);
    fitness.word().map_or(text.clone(), |word| format!("{text}:{word}"))
}

/// Reads [`ballot_text`]. `None`: not a ballot, which counts as no answer.
pub fn parse_ballot(text: &str) -> Option<(WalPosition, Fitness)> {
    let (timeline, rest) = text.trim().split_once(':')?;
    let (lsn, word) = match rest.split_once(':') {
        None => (rest, None),
        Some((lsn, word)) => (lsn, Some(word)),
    };
    let fitness = Fitness::ALL.into_iter().find(|fitness| fitness.word() == word)?;
    Some((WalPosition { timeline: timeline.parse().ok()?, lsn: lsn.parse().ok()? }, fitness))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::position;

    #[test]
    fn what_a_ballot_says_of_the_disk() {
        for disk in Disk::ALL {
            let standby = Fitness::of(disk, LastRole::Standby);
            assert_eq!(standby == Fitness::Fit, disk.is_fit());
            assert_eq!(standby == Fitness::DiskFull, disk == Disk::Full);
            let primary = Fitness::of(disk, LastRole::Primary);
            assert_eq!(primary, if disk.is_fit() { Fitness::Fit } else { Fitness::FailedPrimary });
        }
    }

    #[test]
    fn ballots_are_read_back_or_count_as_no_answer() {
        let p = position(7, 0x1_0000_0028);
        for fitness in Fitness::ALL {
            assert_eq!(parse_ballot(&ballot_text(p, fitness)), Some((p, fitness)));
        }
        for bad in ["", ":", "0:0/1", "1:0", "x:0/1", "1#0/1", "1:0/1:", "1:0/1:x", "1:0/1:full:"] {
            assert_eq!(parse_ballot(bad), None, "{bad:?}");
        }
    }
}
