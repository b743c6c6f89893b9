//! Where timelines left one another: the files `00000002.history` in pg_wal.

use super::lsn::Lsn;
use super::timeline::{Timeline, WalPosition};

/// The ancestry of one timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    timeline: Timeline,
    ancestors: Vec<Ancestor>,
}

/// One line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ancestor {
    timeline: Timeline,
    /// The first byte that is *not* common: WAL of `timeline` from here on is not part of the newer one.
    left_at: Lsn,
}

/// A history file that can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the history of timeline {timeline}: {problem}: \"{text}\"; restore the file from another node's pg_wal"
)]
pub struct HistoryError {
    /// Whose history.
    pub timeline: Timeline,
    /// Line, from 1.
    pub line: usize,
    /// The line's text, cut at 80 characters.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl History {
    /// The history of a timeline that has no file: the first, which follows none.
    pub fn without_ancestors(timeline: Timeline) -> Self {
        Self { timeline, ancestors: Vec::new() }
    }

    /// Reads the text of `timeline`'s history file, by the rules of PostgreSQL's `readTimeLineHistory` (timeline.c): comments and
    /// empty lines are skipped, each other line is *timeline*, *where it was left*, *reason*; timelines increase and stay
    /// below `timeline`.
    ///
    /// # Errors
    /// The first line that breaks those rules; also a file with no ancestor at all, which PostgreSQL never writes
    /// (it is what a crash leaves of a file that was not yet synced).
    pub fn parse(timeline: Timeline, text: &str) -> Result<Self, HistoryError> {
        let mut ancestors: Vec<Ancestor> = Vec::new();
        let mut lines = 0;
        for (index, line) in text.lines().enumerate() {
            lines = index + 1;
            let fail = |problem| HistoryError {
                timeline,
                line: index + 1,
                text: line.chars().take(80).collect(),
                problem,
            };
            let content = line.trim_start();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let mut fields = content.split_whitespace();
            let number = fields.next().and_then(|field| field.parse().ok());
            let ancestor = number.ok_or_else(|| fail("expected the number of a timeline first"))?;
            let left_at = fields.next().and_then(|field| field.parse().ok());
            let left_at = left_at.ok_or_else(|| fail("expected a WAL position second"))?;
            if ancestors.last().is_some_and(|last| last.timeline >= ancestor) {
                return Err(fail("timelines must increase"));
            }
            if ancestor >= timeline {
                return Err(fail("an ancestor must be below the timeline itself"));
            }
            ancestors.push(Ancestor { timeline: ancestor, left_at });
        }
        if ancestors.is_empty() {
            return Err(HistoryError {
                timeline,
                line: lines,
                text: String::new(),
                problem: "names no ancestor",
            });
        }
        Ok(Self { timeline, ancestors })
    }

    /// Where a history that only makes its timeline look taken leaves its ancestor: below every byte of WAL.
    pub const PLACEHOLDER: Lsn = Lsn(1);

    /// Whether it only makes its timeline look taken.
    pub fn is_placeholder(&self) -> bool {
        self.ancestors.last().is_some_and(|ancestor| ancestor.left_at == Self::PLACEHOLDER)
    }

    /// The timeline whose history this is.
    pub fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// Where this line of history left `timeline` (timeline.c: `tliSwitchPoint`). `None` for the newest timeline itself, which was not left,
    /// and for one that is not an ancestor; [`Self::contains`] tells the two apart.
    pub fn fork_of(&self, timeline: Timeline) -> Option<Lsn> {
        self.ancestors.iter().find(|ancestor| ancestor.timeline == timeline).map(|ancestor| ancestor.left_at)
    }

    /// All timelines of this line, the oldest first, each with where it was left; `None` for the newest.
    pub fn line(&self) -> Vec<(Timeline, Option<Lsn>)> {
        let ancestors = self.ancestors.iter().map(|ancestor| (ancestor.timeline, Some(ancestor.left_at)));
        ancestors.chain([(self.timeline, None)]).collect()
    }

    /// Whether `timeline` is this one or an ancestor (timeline.c: `tliInHistory`).
    pub fn contains(&self, timeline: Timeline) -> bool {
        timeline == self.timeline || self.fork_of(timeline).is_some()
    }
}

/// The histories in a pg_wal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histories {
    /// Those that can be read, with those that only make their timeline look taken.
    pub read: Vec<History>,
    /// Those that can't, and why.
    pub broken: Vec<Broken>,
}

/// A history file that can't be read, or that can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Whose it is by its name.
    pub timeline: Timeline,
    /// Why not; names the file.
    pub why: String,
}

impl Histories {
    /// Whether PostgreSQL reads this one on the way from these timelines: it asks for the next number until there is none (timeline.c:
    /// `findNewestTimeLine`), and a WAL receiver leaves none out. What lies beyond a gap came from somewhere else.
    fn is_reached(&self, wanted: Timeline, from: &[Timeline]) -> bool {
        let is_there = |timeline: &Timeline| {
            self.read.iter().any(|history| history.timeline == *timeline)
                || self.broken.iter().any(|broken| broken.timeline == *timeline)
        };
        let line = |from: Timeline| {
            std::iter::successors(Some(from), |last: &Timeline| last.next().filter(&is_there))
        };
        from.iter().any(|from| line(*from).any(|timeline| timeline == wanted))
    }

    /// The first broken one that concerns data of these timelines.
    #[must_use]
    pub fn broken_of(&self, timelines: &[Timeline]) -> Option<&Broken> {
        self.broken.iter().find(|broken| self.is_reached(broken.timeline, timelines))
    }

    /// Those that say something.
    #[must_use]
    pub fn real(self) -> Vec<History> {
        self.read.into_iter().filter(|history| !history.is_placeholder()).collect()
    }
}

/// How a server's WAL relates to a newer line of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divergence {
    /// All of it is part of the newer line: the server can follow by streaming.
    InLine,
    /// The server went past the fork: it holds WAL that the newer line does not have. It needs pg_rewind or a new copy.
    Diverged {
        /// The server's end of WAL.
        own: WalPosition,
        /// The line that the others follow.
        newer: Timeline,
        /// Where `newer` left the server's timeline.
        fork: Lsn,
        /// Bytes of WAL past the fork, at least 1.
        bytes_past: u64,
    },
    /// The server's timeline is no ancestor of the newer one: they were promoted independently, or the server is *ahead*. No order.
    Unrelated {
        /// The server's end of WAL.
        own: WalPosition,
        /// The line that the others follow.
        newer: Timeline,
    },
}

/// Compares `own`, the end of a server's WAL, with the line of history of `history.timeline()`.
///
/// By timeline.c (`tliOfPointInHistory`): an ancestor ends at its switch point, *exclusive*, so an end of WAL that is exactly
/// there has nothing past the fork. The same timeline number counts as the same timeline: two servers that each promoted to
/// number 2 by themselves look in line here; only the histories' fork points or pg_rewind can tell.
pub fn divergence(own: WalPosition, history: &History) -> Divergence {
    let newer = history.timeline();
    if own.timeline == newer {
        return Divergence::InLine;
    }
    match history.fork_of(own.timeline) {
        None => Divergence::Unrelated { own, newer },
        Some(fork) => match own.lsn.bytes_since(fork) {
            None | Some(0) => Divergence::InLine,
            Some(bytes_past) => Divergence::Diverged { own, newer, fork, bytes_past },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 00000003.history as PostgreSQL 15 wrote it after two promotions.
    const THIRD: &str =
        "1\t0/3081348\tno recovery target specified\n\n2\t0/309A528\tno recovery target specified\n";

    fn tl(number: u32) -> Timeline {
        Timeline::new(number).expect("not zero")
    }

    fn at(timeline: u32, lsn: u64) -> WalPosition {
        WalPosition { timeline: tl(timeline), lsn: Lsn(lsn) }
    }

    #[test]
    fn reads_forks() {
        let history = History::parse(tl(3), THIRD).expect("valid");
        assert_eq!(history.fork_of(tl(1)), Some(Lsn(0x308_1348)));
        assert_eq!(history.fork_of(tl(2)), Some(Lsn(0x309_A528)));
        assert_eq!(history.fork_of(tl(3)), None);
        assert!(history.contains(tl(3)) && history.contains(tl(1)) && !history.contains(tl(4)));
    }

    #[test]
    fn a_broken_history_concerns_who_reaches_it_without_a_gap() {
        let read = |number: u32| History::parse(tl(number), "1\t0/1\tx\n").expect("valid");
        let all = |read_ones: &[u32], broken: &[u32]| Histories {
            read: read_ones.iter().map(|n| read(*n)).collect(),
            broken: broken.iter().map(|n| Broken { timeline: tl(*n), why: "x".into() }).collect(),
        };
        for (read_ones, broken, of, expected) in [
            (&[2][..], &[9][..], &[2][..], None),
            (&[2, 3], &[4], &[2], Some(4)),
            // One that only makes its timeline look taken is there, too.
            (&[2, 3], &[2], &[2], Some(2)),
            (&[3], &[2], &[3], None),
            (&[2], &[9], &[2, 9], Some(9)),
            (&[2], &[9, 3], &[2], Some(3)),
            (&[2], &[9], &[2, 8], Some(9)),
        ] {
            let found = all(read_ones, broken);
            let of: Vec<Timeline> = of.iter().map(|n| tl(*n)).collect();
            assert_eq!(
                found.broken_of(&of).map(|b| b.timeline.get()),
                expected,
                "{read_ones:?} {broken:?} {of:?}"
            );
        }
        assert_eq!(all(&[2, 3], &[]).real(), [], "both are placeholders");
    }

    #[test]
    fn comments_and_indentation_are_allowed() {
        assert!(History::parse(tl(2), "# by hand\n  1 0/3000148 \n").is_ok());
    }

    #[test]
    fn bad_lines_are_named() {
        for (text, line) in [
            ("x\t0/1\t\n", 1),
            ("1\n", 1),
            ("1\t0-1\n", 1),
            ("\n1\t0/1\n1\t0/2\n", 3),
            ("3\t0/1\n", 1),
            ("0\t0/1\n", 1),
            ("# nothing\n", 1),
            ("", 0),
        ] {
            assert_eq!(History::parse(tl(3), text).map_err(|e| e.line), Err(line), "{text:?}");
        }
    }

    #[test]
    fn the_fork_itself_is_common() {
        let history = History::parse(tl(3), THIRD).expect("valid");
        assert_eq!(divergence(at(3, 1), &history), Divergence::InLine);
        assert_eq!(divergence(at(1, 0x308_1348), &history), Divergence::InLine);
        assert_eq!(
            divergence(at(1, 0x308_1350), &history),
            Divergence::Diverged {
                own: at(1, 0x308_1350),
                newer: tl(3),
                fork: Lsn(0x308_1348),
                bytes_past: 8
            }
        );
        assert_eq!(divergence(at(4, 1), &history), Divergence::Unrelated { own: at(4, 1), newer: tl(3) });
        let first = History::without_ancestors(Timeline::FIRST);
        assert!(matches!(divergence(at(2, 1), &first), Divergence::Unrelated { .. }));
    }
}
