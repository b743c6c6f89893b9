//! Timelines: each promotion begins a new one.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lsn::Lsn;

/// Number of a timeline, from 1. Zero is not a timeline; a missing one is `Option`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline(NonZeroU32);

/// The text is not a timeline's number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a timeline: expected a decimal number from 1 to 4294967295")]
pub struct TimelineError(pub String);

impl Timeline {
    /// The timeline that initdb begins with.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// `None` for zero.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number, never zero.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The next number; `None` behind the last one.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// Name of the file in pg_wal that tells where this timeline came from. The first timeline has none.
    pub fn history_file_name(self) -> Option<String> {
        (self != Self::FIRST).then(|| format!("{:08X}.history", self.get()))
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// So much of what is no such thing is shown in the error.
const LONGEST_SHOWN: usize = 40;

impl FromStr for Timeline {
    type Err = TimelineError;

    fn from_str(text: &str) -> Result<Self, TimelineError> {
        // u32's own parser takes a plus sign.
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits
            .then(|| text.parse().ok().and_then(Self::new))
            .flatten()
            .ok_or_else(|| TimelineError(text.chars().take(LONGEST_SHOWN).collect()))
    }
}

/// A position together with the timeline that it was written on.
///
/// Orders for *elections*, timeline first, then position: a node on a newer timeline follows a later promotion, so that
/// no amount of WAL on an older timeline may beat it. Whether the older node's WAL is contained in the newer line is another
/// question: [`super::history::divergence`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WalPosition {
    /// Timeline (compared first).
    pub timeline: Timeline,
    /// Position on that timeline.
    pub lsn: Lsn,
}

impl fmt::Display for WalPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on timeline {}", self.lsn, self.timeline)
    }
}

/// Compares two candidates of an election: the greater one is further. Same as `a.cmp(&b)`, by its name.
pub fn election_order(a: WalPosition, b: WalPosition) -> std::cmp::Ordering {
    a.cmp(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timeline: u32, lsn: u64) -> WalPosition {
        WalPosition { timeline: Timeline::new(timeline).expect("not zero"), lsn: Lsn(lsn) }
    }

    #[test]
    fn strict_numbers() {
        assert_eq!("7".parse(), Ok(Timeline::new(7).expect("not zero")));
        for bad in ["", "0", "+1", "-1", " 1", "1x", "4294967296"] {
            assert!(bad.parse::<Timeline>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_timeline_decides_before_the_position() {
        assert!(at(2, 1) > at(1, 1_000_000));
        assert!(at(2, 2) > at(2, 1));
    }

    #[test]
    fn history_files() {
        assert_eq!(Timeline::FIRST.history_file_name(), None);
        assert_eq!(
            Timeline::new(26).and_then(Timeline::history_file_name).as_deref(),
            Some("0000001A.history")
        );
    }
}
