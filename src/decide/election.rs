//! May this node be promoted?
//!
//! Every instance publishes its position when a promotion is announced (pre-promote); the candidate compares. The
//! timeline comes first, then the greater of received and replayed LSN: positions on unrelated timelines have no
//! order in bytes, but the higher timeline was promoted later.

use std::fmt;

use crate::pg::timeline::{WalPosition, election_order};

use super::memory::Standing;
use super::score::{Attendance, Vouched};

/// One instance's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    pub node: String,
    pub position: WalPosition,
}

/// The text of a ballot in a node attribute: `TIMELINE:LSN`.
pub fn ballot_text(position: WalPosition) -> String {
    format!("{}:{}", position.timeline, position.lsn)
}

/// Reads [`ballot_text`]. `None`: not a ballot, which counts as no answer.
pub fn parse_ballot(text: &str) -> Option<WalPosition> {
    let (timeline, lsn) = text.trim().split_once(':')?;
    Some(WalPosition { timeline: timeline.parse().ok()?, lsn: lsn.parse().ok()? })
}

/// Who runs the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Pacemaker,
    /// A tester or a shell: there is no cluster to ask.
    Nobody,
}

/// What the candidate knows.
#[derive(Debug, Clone)]
pub struct Candidacy<'a> {
    pub node: &'a str,
    pub manager: Manager,
    pub position: Option<WalPosition>,
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
    Lag { bytes: u64, maxlag: u64 },
    Unproven { answered: usize, attendance: Attendance },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::PositionUnknown => f.write_str("its position in the WAL is unknown"),
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
    let best =
        c.ballots.iter().filter(|b| b.node != c.node).max_by(|a, b| election_order(a.position, b.position));
    if let Some(best) = best
        && election_order(best.position, own).is_gt()
    {
        return Election::Lost(best.clone());
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
    if !proven {
        return Election::Refused(Refusal::Unproven { answered: others, attendance: c.attendance });
    }
    Election::Won(match best {
        None => format!("{own}; nobody else answered"),
        Some(b) => format!("{own}; the next is {} at {}", b.node, b.position),
    })
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
        list.iter().map(|(n, t, l)| Ballot { node: (*n).into(), position: position(*t, *l) }).collect()
    }

    fn candidacy<'a>(own: Option<WalPosition>, ballots: &'a [Ballot]) -> Candidacy<'a> {
        Candidacy {
            node: "srv1",
            manager: Manager::Pacemaker,
            position: own,
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
        assert_eq!(parse_ballot(&ballot_text(p)), Some(p));
        for bad in ["", ":", "0:0/1", "1:0", "x:0/1", "1#0/1", "1:0/1:"] {
            assert_eq!(parse_ballot(bad), None, "{bad:?}");
        }
    }
}
