//! Where two lines of WAL parted.

use crate::pg::history::History;
use crate::pg::lsn::Lsn;
use crate::pg::timeline::Timeline;

/// The last that two servers have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// The timeline that both have been on last.
    pub timeline: Timeline,
    /// Where the first of them left it; `None`: neither has.
    pub until: Option<Lsn>,
}

/// Compares two histories, as pg_rewind does (findCommonAncestorTimeline): from the oldest on, as long as the timeline and its beginning
/// are the same; the earlier of the two ends of the last such one. Two nodes may have taken one number at two places. `None`: they
/// never met.
#[must_use]
pub fn common(own: &History, theirs: &History) -> Option<Common> {
    let (own, theirs) = (own.line(), theirs.line());
    let mut found = None;
    for (&(timeline, own_end), &(other, their_end)) in own.iter().zip(&theirs) {
        if timeline != other {
            break;
        }
        let until = match (own_end, their_end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        found = Some(Common { timeline, until });
        // The next one begins at two places.
        if own_end != their_end {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tl(number: u32) -> Timeline {
        Timeline::new(number).unwrap()
    }

    fn history(timeline: u32, text: &str) -> History {
        if text.is_empty() {
            return History::without_ancestors(tl(timeline));
        }
        History::parse(tl(timeline), text).unwrap()
    }

    fn of(own: &History, theirs: &History) -> Option<(u32, Option<u64>)> {
        common(own, theirs).map(|c| (c.timeline.get(), c.until.map(|lsn| lsn.0)))
    }

    #[test]
    fn the_earlier_end_on_the_newest_shared_timeline() {
        let first = history(1, "");
        let second = history(2, "1\t0/3000000\tx\n");
        assert_eq!(of(&first, &second), Some((1, Some(0x300_0000))));
        // Promoted twice from the same timeline, by two nodes that never met.
        let third = history(3, "1\t0/2000000\tx\n");
        assert_eq!(of(&second, &third), Some((1, Some(0x200_0000))));
        // A number that both have taken says nothing of where they parted; neither has left it.
        assert_eq!(of(&second, &history(2, "1\t0/3000000\tx\n")), Some((2, None)));
        let fourth = history(4, "1\t0/3000000\tx\n2\t0/5000000\tx\n");
        assert_eq!(of(&second, &fourth), Some((2, Some(0x500_0000))));
        assert_eq!(of(&history(5, "1\t0/1000000\tx\n"), &fourth), Some((1, Some(0x100_0000))));
        // One number, taken at two places: promoted by hand here, by the cluster there.
        let by_hand = history(3, "1\t0/3000000\tx\n2\t0/4000000\tx\n");
        let theirs = history(4, "1\t0/3000000\tx\n2\t0/5000000\tx\n3\t0/9000000\tx\n");
        assert_eq!(of(&by_hand, &theirs), Some((2, Some(0x400_0000))));
    }
}
