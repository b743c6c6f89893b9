//! Why nobody is promoted.

use std::fmt;

use crate::decide::cluster::InstanceCount;
use crate::decide::disk::Disk;
use crate::decide::promotion_score::Score;
use crate::decide::promotions::Mismatch;
use crate::decide::voters::Statement;
use crate::pg::timeline::WalPosition;

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
    /// Its data are not on the WAL of the last promotion.
    Branch(Mismatch),
    Unproven {
        answered: usize,
        instances: InstanceCount,
    },
    /// Too few of those that may have the last acknowledged commits are heard of.
    TooFewVoters {
        statement: Statement,
        missing: Vec<String>,
    },
}

impl Refusal {
    /// The score of a candidate that was refused: what it may lack is no reason against reading what it has.
    #[must_use]
    pub const fn score(&self) -> Score {
        match self {
            Refusal::TooFewVoters { .. } | Refusal::Unproven { .. } | Refusal::AnotherIsAhead(_) => {
                Score::SafeMode
            }
            Refusal::PositionUnknown | Refusal::Disk(_) | Refusal::Lag { .. } | Refusal::Branch(_) => {
                Score::Withdrawn
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::PositionUnknown => f.write_str("its position in the WAL is unknown"),
            Refusal::Branch(mismatch) => write!(f, "{mismatch}"),
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
            Refusal::TooFewVoters { statement, missing } => {
                write!(
                    f,
                    "start {}: acknowledged commits may be missing here, each is on {statement}, and {} of these must answer; or \
                     type: quorate recover",
                    missing.join(", "),
                    statement.needed(),
                )
            }
            Refusal::Unproven { answered, instances } => {
                let others = match instances {
                    InstanceCount::Missing { expected, .. } => {
                        format!("{answered} of {}", expected.saturating_sub(1))
                    }
                    InstanceCount::All | InstanceCount::Unknown => format!("{answered}"),
                };
                write!(
                    f,
                    "start the other instances, {others} answered: this node saw no primary since Pacemaker started and may lack \
                     commits; or type: quorate recover"
                )
            }
        }
    }
}

/// Why this operation promotes nobody, whatever a later one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The others' positions could not be read, and why.
    BallotsUnread(String),
    /// The record of promotions could not be read, and why.
    RecordUnread(String),
    /// That of who has the acknowledged commits.
    VotersUnread(String),
    /// WAL still arrives, here.
    OldPrimaryLives(WalPosition),
    /// The others published their positions before the old primary's end.
    BallotsOutdated,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::BallotsUnread(why) => write!(f, "the others' positions could not be read: {why}"),
            Failure::RecordUnread(why) => write!(f, "not promoted: the record of promotions {why}"),
            Failure::VotersUnread(why) => {
                write!(f, "not promoted: the record of synchronous standbys could not be read: {why}")
            }
            Failure::OldPrimaryLives(position) => write!(
                f,
                "not promoted: WAL still arrives, at {position}: the old primary is alive; end it first"
            ),
            Failure::BallotsOutdated => f.write_str(
                "not promoted: the old primary ended only now, and the others' positions are older than that; Pacemaker asks them again",
            ),
        }
    }
}
