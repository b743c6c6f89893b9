//! May this node be promoted?
//!
//! Every instance publishes its position when a promotion is announced (pre-promote); the candidate compares. The
//! timeline comes first, then the greater of received and replayed LSN: positions on unrelated timelines have no
//! order in bytes, but the higher timeline was promoted later.

use std::fmt;

use crate::pg::timeline::{WalPosition, election_order};

use super::cluster::{Attendance, Manager, Vouched};
use super::disk::Disk;
use super::memory::{Former, Standing};

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
    Cramped,
    /// A standby whose disk takes no writes: it can't be promoted, and what it has may be acknowledged commits.
    Blocked,
    /// It was the primary, and its disk ended that: passed by like a primary whose node died.
    Spent,
}

impl Fitness {
    /// Of an instance that was this on such a disk.
    pub const fn of(disk: Disk, former: Former) -> Fitness {
        match (disk, former) {
            (Disk::Sound | Disk::Slow, _) => Fitness::Fit,
            (Disk::Full | Disk::ReadOnly | Disk::Broken | Disk::Stuck, Former::Primary) => Fitness::Spent,
            (Disk::Full, Former::Standby) => Fitness::Cramped,
            (Disk::ReadOnly | Disk::Broken | Disk::Stuck, Former::Standby) => Fitness::Blocked,
        }
    }

    /// What stands behind the position in a ballot.
    const fn word(self) -> Option<&'static str> {
        match self {
            Fitness::Fit => None,
            Fitness::Cramped => Some("full"),
            Fitness::Blocked => Some("blocked"),
            Fitness::Spent => Some("spent"),
        }
    }
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
    let all = [Fitness::Fit, Fitness::Cramped, Fitness::Blocked, Fitness::Spent];
    let fitness = all.into_iter().find(|fitness| fitness.word() == word)?;
    Some((WalPosition { timeline: timeline.parse().ok()?, lsn: lsn.parse().ok()? }, fitness))
}

/// What the candidate knows.
#[derive(Debug, Clone)]
pub struct Candidacy<'a> {
    pub node: &'a str,
    pub manager: Manager,
    pub position: Option<WalPosition>,
    pub disk: Disk,
    pub standing: Standing,
    pub vouched: Vouched,
    /// How many instances run, of how many.
    pub attendance: Attendance,
    /// The others' ballots. Who did not answer is not in it, and does not block.
    pub ballots: &'a [Ballot],
    /// Bytes behind the furthest position of a primary that this node heard of.
    pub lag: Option<u64>,
    pub maxlag: Option<u64>,
}

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Election {
    Won(String),
    /// Another instance is more advanced; it should be promoted.
    Lost(Ballot),
    Refused(Refusal),
}

/// Why nobody should promote this node now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    PositionUnknown,
    /// A promotion could not write.
    Disk(Disk),
    /// Another one is further but can't be promoted, and what it has may be acknowledged commits.
    AnotherIsAhead(String),
    Lag {
        bytes: u64,
        maxlag: u64,
    },
    Unproven {
        answered: usize,
        attendance: Attendance,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::PositionUnknown => f.write_str("its position in the WAL is unknown"),
            Refusal::Disk(disk) => write!(f, "its disk is {}", disk.text()),
            Refusal::AnotherIsAhead(node) => {
                write!(f, "{node} is more advanced, but its disk takes no writes: mend that first")
            }
            Refusal::Lag { bytes, maxlag } => {
                write!(
                    f,
                    "{bytes} bytes behind the last known position of the primary, more than maxlag={maxlag}"
                )
            }
            Refusal::Unproven { answered, attendance } => {
                let others = match attendance {
                    Attendance::Missing { expected, .. } => {
                        format!("{answered} of {}", expected.saturating_sub(1))
                    }
                    Attendance::All | Attendance::Unknown => format!("{answered}"),
                };
                write!(
                    f,
                    "may lack commits: saw no primary since Pacemaker started here, {others} other instances answered; start \
                     them, or vouch for this node (docs/agent.md, \"Cold start\")"
                )
            }
        }
    }
}

/// The election, on the candidate's side.
pub fn hold(c: &Candidacy<'_>) -> Election {
    let Some(own) = c.position else {
        return Election::Refused(Refusal::PositionUnknown);
    };
    match c.disk {
        Disk::Sound | Disk::Slow | Disk::Full => {}
        Disk::ReadOnly | Disk::Broken | Disk::Stuck => return Election::Refused(Refusal::Disk(c.disk)),
    }
    let best = furthest(c, &[Fitness::Cramped, Fitness::Fit]);
    if let Some(best) = best {
        let order = election_order(best.position, own);
        // Who has all that we have, and room besides, is the better one.
        if order.is_gt() || (order.is_eq() && !c.disk.is_fit() && best.fitness == Fitness::Fit) {
            return Election::Lost(best.clone());
        }
    }
    if let (Some(bytes), Some(maxlag)) = (c.lag, c.maxlag)
        && bytes > maxlag
    {
        return Election::Refused(Refusal::Lag { bytes, maxlag });
    }
    let others = c.ballots.iter().filter(|b| b.node != c.node).count();
    let proven = match (c.manager, c.standing, c.vouched) {
        (Manager::Nobody, _, _) | (_, Standing::Current, _) | (_, _, Vouched::Yes) => true,
        // Nobody knows what the last primary was: only the word of every instance tells who has most.
        (Manager::Pacemaker, Standing::Unproven, Vouched::No) => match c.attendance {
            Attendance::All => true,
            Attendance::Missing { .. } | Attendance::Unknown => false,
        },
    };
    // Who was there when the last primary was has what that one's death would have left to it as well: a primary whose disk ended it
    // is passed by like one whose node died. Who does not know that passes nobody by, and a standby that is ahead is passed
    // by by nobody: it may be the one that a synchronous commit waited for.
    let in_the_way: &[Fitness] = match c.standing {
        Standing::Current => &[Fitness::Blocked],
        Standing::Unproven => &[Fitness::Blocked, Fitness::Spent],
    };
    if let (Some(ahead), Vouched::No) = (furthest(c, in_the_way), c.vouched)
        && election_order(ahead.position, own).is_gt()
    {
        return Election::Refused(Refusal::AnotherIsAhead(ahead.node.clone()));
    }
    if !proven {
        return Election::Refused(Refusal::Unproven { answered: others, attendance: c.attendance });
    }
    Election::Won(match best {
        None => format!("{own}; nobody else answered"),
        Some(b) => format!("{own}; the next is {} at {}", b.node, b.position),
    })
}

/// What the stream says of the old primary. Nobody may be promoted while it lives: where Pacemaker has taken a fencing by watchdog for
/// done, and the node lives on (seen when pacemaker-based was killed there), its primary goes on acknowledging commits, with
/// our own confirmation where replication is synchronous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldPrimary {
    /// Nothing arrives. In a switchover it was shut down before.
    Silent,
    /// There is a stream; a second look tells whether it is one of a server that is gone.
    Unknown,
    /// It sends.
    Lives,
}

/// `before`: the position at an earlier look. `streams`: whether a WAL receiver believes to be connected.
pub fn old_primary(before: Option<WalPosition>, now: Option<WalPosition>, streams: bool) -> OldPrimary {
    match (before, now) {
        (Some(before), Some(now)) if election_order(now, before).is_gt() => OldPrimary::Lives,
        (None, Some(_)) if streams => OldPrimary::Unknown,
        (_, _) => OldPrimary::Silent,
    }
}

/// Whether others told their positions. After a wait for the old primary's end these are too old to be compared with: whoever told one may
/// have received more meanwhile, and an election without him would give that up.
pub fn others_told(own: &str, ballots: &[Ballot]) -> bool {
    ballots.iter().any(|b| b.node != own)
}

/// The furthest of the others that are one of these; of equals the one that is named later.
fn furthest<'a>(c: &Candidacy<'a>, those: &[Fitness]) -> Option<&'a Ballot> {
    let rank = |b: &Ballot| those.iter().position(|fitness| *fitness == b.fitness);
    let others = c.ballots.iter().filter(|b| b.node != c.node && rank(b).is_some());
    others.max_by(|a, b| election_order(a.position, b.position).then_with(|| rank(a).cmp(&rank(b))))
}

/// Whether everybody answered, by ballots rather than by running instances.
pub fn attendance(own: &str, ballots: &[Ballot], expected: Option<usize>) -> Attendance {
    let answered = 1 + ballots.iter().filter(|b| b.node != own).count();
    match expected {
        None => Attendance::Unknown,
        Some(expected) if answered >= expected => Attendance::All,
        Some(expected) => Attendance::Missing { running: answered, expected },
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    fn ballots(list: &[(&str, u32, u64)]) -> Vec<Ballot> {
        list.iter()
            .map(|(n, t, l)| Ballot { node: (*n).into(), position: position(*t, *l), fitness: Fitness::Fit })
            .collect()
    }

    fn candidacy<'a>(own: Option<WalPosition>, ballots: &'a [Ballot]) -> Candidacy<'a> {
        Candidacy {
            node: "srv1",
            manager: Manager::Pacemaker,
            position: own,
            disk: Disk::Sound,
            standing: Standing::Current,
            vouched: Vouched::No,
            attendance: attendance("srv1", ballots, Some(3)),
            ballots,
            lag: None,
            maxlag: None,
        }
    }

    #[test]
    fn the_most_advanced_wins_whoever_is_asked() {
        let all = ballots(&[("srv1", 2, 0x100), ("srv2", 2, 0x300), ("srv3", 2, 0x200)]);
        assert_eq!(hold(&candidacy(Some(position(2, 0x100)), &all)), Election::Lost(all[1].clone()));
        assert!(matches!(hold(&candidacy(Some(position(2, 0x300)), &all)), Election::Won(_)));
    }

    #[test]
    fn the_timeline_comes_before_the_position() {
        let all = ballots(&[("srv2", 3, 0x100)]);
        assert!(matches!(hold(&candidacy(Some(position(2, 0xFFFF)), &all)), Election::Lost(_)));
    }

    #[test]
    fn who_does_not_answer_does_not_block() {
        assert!(matches!(hold(&candidacy(Some(position(2, 1)), &[])), Election::Won(_)));
    }

    #[test]
    fn who_is_ahead_on_a_bad_disk_is_passed_by_only_as_a_primary_that_is_gone() {
        for (fitness, current, unproven) in [
            (Fitness::Fit, false, false),
            (Fitness::Cramped, false, false),
            (Fitness::Blocked, false, false),
            (Fitness::Spent, true, false),
        ] {
            let mut ahead = ballots(&[("srv2", 2, 0x300), ("srv3", 2, 0x100)]);
            ahead[0].fitness = fitness;
            let mut c = candidacy(Some(position(2, 0x100)), &ahead);
            assert_eq!(matches!(hold(&c), Election::Won(_)), current, "{fitness:?}");
            c.standing = Standing::Unproven;
            assert_eq!(matches!(hold(&c), Election::Won(_)), unproven, "{fitness:?}");
            let told = hold(&c);
            match fitness {
                Fitness::Fit | Fitness::Cramped => {
                    assert!(matches!(told, Election::Lost(b) if b.node == "srv2"))
                }
                Fitness::Blocked | Fitness::Spent => {
                    assert_eq!(told, Election::Refused(Refusal::AnotherIsAhead("srv2".into())));
                    c.vouched = Vouched::Yes;
                    assert!(matches!(hold(&c), Election::Won(_)));
                }
            }
            (c.vouched, c.position) = (Vouched::No, Some(position(2, 0x300)));
            assert!(matches!(hold(&c), Election::Won(_)), "{fitness:?}: it still votes");
        }
    }

    #[test]
    fn wal_that_arrives_tells_of_a_primary_that_lives() {
        let at = |lsn| Some(position(2, lsn));
        for streams in [true, false] {
            assert_eq!(old_primary(at(0x100), at(0x101), streams), OldPrimary::Lives);
            assert_eq!(old_primary(at(0x100), at(0x100), streams), OldPrimary::Silent);
            assert_eq!(old_primary(None, None, streams), OldPrimary::Silent, "the election refuses that");
        }
        assert_eq!(old_primary(None, at(0x100), true), OldPrimary::Unknown);
        assert_eq!(old_primary(None, at(0x100), false), OldPrimary::Silent);
    }

    #[test]
    fn two_without_space_do_not_send_the_role_to_and_fro() {
        let mut other = ballots(&[("srv2", 2, 0x100)]);
        for (theirs, won) in [(Fitness::Fit, false), (Fitness::Cramped, true)] {
            other[0].fitness = theirs;
            let mut c = candidacy(Some(position(2, 0x100)), &other);
            c.disk = Disk::Full;
            assert_eq!(matches!(hold(&c), Election::Won(_)), won, "{theirs:?}");
        }
    }

    #[test]
    fn what_a_ballot_says_of_the_disk() {
        for disk in Disk::ALL {
            let standby = Fitness::of(disk, Former::Standby);
            assert_eq!(standby == Fitness::Fit, disk.is_fit());
            assert_eq!(standby == Fitness::Cramped, disk == Disk::Full);
            let primary = Fitness::of(disk, Former::Primary);
            assert_eq!(primary, if disk.is_fit() { Fitness::Fit } else { Fitness::Spent });
        }
    }

    #[test]
    fn a_disk_that_takes_no_writes_is_never_elected_and_a_full_one_only_before_worse() {
        for disk in Disk::ALL {
            for theirs in [0xFF, 0x100, 0x101] {
                let other = ballots(&[("srv2", 2, theirs)]);
                let mut c = candidacy(Some(position(2, 0x100)), &other);
                c.disk = disk;
                let won = matches!(hold(&c), Election::Won(_));
                let expected = match disk {
                    Disk::Sound | Disk::Slow => theirs <= 0x100,
                    Disk::Full => theirs < 0x100,
                    Disk::ReadOnly | Disk::Broken | Disk::Stuck => false,
                };
                assert_eq!(won, expected, "{disk:?} {theirs:x}");
            }
        }
    }

    #[test]
    fn an_unknown_own_position_never_wins() {
        assert_eq!(hold(&candidacy(None, &[])), Election::Refused(Refusal::PositionUnknown));
    }

    #[test]
    fn an_unproven_node_needs_everybody_or_the_operator() {
        let two = ballots(&[("srv2", 2, 1)]);
        let mut c = candidacy(Some(position(2, 1)), &two);
        c.standing = Standing::Unproven;
        assert!(matches!(hold(&c), Election::Refused(Refusal::Unproven { .. })));
        c.vouched = Vouched::Yes;
        assert!(matches!(hold(&c), Election::Won(_)));
        let three = ballots(&[("srv2", 2, 1), ("srv3", 2, 1)]);
        let mut c = candidacy(Some(position(2, 1)), &three);
        c.standing = Standing::Unproven;
        assert!(matches!(hold(&c), Election::Won(_)));
    }

    #[test]
    fn maxlag_counts_in_the_election_too() {
        let mut c = candidacy(Some(position(2, 1)), &[]);
        (c.lag, c.maxlag) = (Some(2000), Some(1000));
        assert_eq!(hold(&c), Election::Refused(Refusal::Lag { bytes: 2000, maxlag: 1000 }));
    }

    #[test]
    fn ballots_are_read_back_or_count_as_no_answer() {
        let p = position(7, 0x1_0000_0028);
        for fitness in [Fitness::Fit, Fitness::Cramped, Fitness::Blocked, Fitness::Spent] {
            assert_eq!(parse_ballot(&ballot_text(p, fitness)), Some((p, fitness)));
        }
        for bad in ["", ":", "0:0/1", "1:0", "x:0/1", "1#0/1", "1:0/1:", "1:0/1:x", "1:0/1:full:"] {
            assert_eq!(parse_ballot(bad), None, "{bad:?}");
        }
    }
}
