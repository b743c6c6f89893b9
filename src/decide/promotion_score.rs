//! The promotion scores: what each number that Pacemaker compares stands for.
//!
//! They are ordered by their numbers. A number that stands for nothing here is kept as it is: the primary gives such ones to the
//! better ones of several standbys, and an operator may have set one by hand.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The promotion score of one instance. In node attributes and files it is its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "i32", into = "i32")]
pub enum Score {
    /// Running, but neither to be promoted nor to be read from: its data may be of another line, or old. The layouts' rules for the
    /// standbys' float IPs see it by its number.
    Withdrawn,
    /// Safe mode: nobody is promoted, and it may lack acknowledged commits. It serves reads, and is not promoted before the missing
    /// instances are back or the operator approves its data.
    SafeMode,
    /// A standby without space: promoted only when there is no other, for it can still serve reads and be cleared up.
    StandbyDiskFull,
    /// A standby that lost its stream while a primary is there, or does not replay what it gets: the last choice.
    Detached,
    /// A primary whose disk fails, which should hand over: below every standby that streams, above one that lost its stream.
    PrimaryDiskFailing,
    /// The first start of all instances: nobody was promoted yet, everybody is there to vote.
    FirstStart,
    /// The same, of an instance that was a primary when it last ran.
    FirstStartFormerPrimary,
    /// A standby that streams, or streamed when the primary vanished. The primary may refine it up to 1000.
    Standby,
    /// A primary that was demoted or restarted, as long as nobody is promoted.
    FormerPrimary,
    /// The promoted instance: above every standby's, so that it stays.
    Primary,
    /// The promoted instance that Pacemaker has lost sight of, until its next monitor.
    PrimaryAtProbe,
    /// Any other number.
    Other(Number),
}

/// A number that none of the named scores has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number(i32);

impl Score {
    /// Those that have a name, the lowest first.
    pub const NAMED: [Score; 11] = [
        Score::Withdrawn,
        Score::SafeMode,
        Score::StandbyDiskFull,
        Score::Detached,
        Score::PrimaryDiskFailing,
        Score::FirstStart,
        Score::FirstStartFormerPrimary,
        Score::Standby,
        Score::FormerPrimary,
        Score::Primary,
        Score::PrimaryAtProbe,
    ];

    /// The number that Pacemaker gets.
    #[must_use]
    pub const fn value(self) -> i32 {
        match self {
            Score::Withdrawn => -1000,
            // Below what rules of location may add, such as the 500 of a failback: the sum must not be a candidate's.
            Score::SafeMode => -900,
            Score::StandbyDiskFull => 50,
            Score::Detached => 100,
            Score::PrimaryDiskFailing => 150,
            Score::FirstStart => 500,
            Score::FirstStartFormerPrimary => 550,
            Score::Standby => 900,
            Score::FormerPrimary => 950,
            Score::Primary => 1001,
            Score::PrimaryAtProbe => 1002,
            Score::Other(Number(value)) => value,
        }
    }

    /// The score of the standby at this place among several, the best being at 0: between [`Score::Standby`] and
    /// [`Score::Primary`] for the first ten of them.
    #[must_use]
    pub fn ranked(place: usize) -> Score {
        let below = i32::try_from(place).unwrap_or(i32::MAX).saturating_mul(10);
        Score::from((Score::Standby.value() + 100).saturating_sub(below))
    }

    /// Below zero Pacemaker promotes nobody.
    #[must_use]
    pub const fn is_withdrawn(self) -> bool {
        self.value() < 0
    }

    /// Whether Pacemaker would promote it.
    #[must_use]
    pub const fn is_candidate(self) -> bool {
        self.value() > 0
    }

    /// A standby's with nothing against it.
    #[must_use]
    pub fn is_full_standby(self) -> bool {
        (Score::Standby..Score::Primary).contains(&self)
    }
}

impl From<i32> for Score {
    fn from(value: i32) -> Score {
        Score::NAMED.into_iter().find(|score| score.value() == value).unwrap_or(Score::Other(Number(value)))
    }
}

impl From<Score> for i32 {
    fn from(score: Score) -> i32 {
        score.value()
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> Ordering {
        self.value().cmp(&other.value())
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

/// What to do with the score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScoreStep {
    /// The decision depends on the cluster: ask it, then decide again.
    AskCluster,
    /// As it is; with a complaint where a standby is not what it should be.
    Keep(Option<String>),
    Set(Score, String),
    /// Safe mode: it has no score, and gets none; with the reason.
    Wait(String),
}

impl ScoreStep {
    /// Nothing to write where it stands already; the reason stays as a complaint for a withdrawn score.
    #[must_use]
    pub fn unless(self, stands: bool) -> ScoreStep {
        match self {
            ScoreStep::Set(score, reason) if stands => {
                ScoreStep::Keep(score.is_withdrawn().then_some(reason))
            }
            step => step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes of another version of this software, rules of an operator and documents know the numbers.
    #[test]
    fn the_numbers_stay() {
        let numbers = Score::NAMED.map(Score::value);
        assert_eq!(numbers, [-1000, -900, 50, 100, 150, 500, 550, 900, 950, 1001, 1002]);
        assert!(Score::NAMED.is_sorted());
    }

    #[test]
    fn a_number_has_one_score() {
        for number in (-1100..1100).chain([i32::MIN, i32::MAX]) {
            let score = Score::from(number);
            assert_eq!(score.value(), number);
            assert_eq!(matches!(score, Score::Other(_)), !Score::NAMED.contains(&score), "{number}");
            let text = serde_json::to_string(&score).unwrap();
            assert_eq!(text, number.to_string());
            assert_eq!(serde_json::from_str::<Score>(&text).unwrap(), score);
        }
    }

    #[test]
    fn a_rank_is_a_standbys() {
        assert_eq!([0, 1, 9].map(|place| Score::ranked(place).value()), [1000, 990, 910]);
        assert!((0..10).all(|place| Score::ranked(place).is_full_standby()));
    }
}
