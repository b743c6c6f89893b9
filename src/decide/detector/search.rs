//! When all of /proc is read for a daemon that is not in its unit: seldom, and at once where something has
//! changed.

use super::subjects::Subject;
use crate::decide::clock::{ElapsedTime, Millis};

/// Never more often.
const LEAST: Millis = 2000;
/// What is missing for good costs one pass in this time.
const MOST: Millis = 60_000;

/// What is remembered of the last passes.
#[derive(Debug, Default)]
pub struct Search {
    last: Option<ElapsedTime>,
    wait: Millis,
    /// What was missing then, and which of it answered all the same.
    before: Vec<(Subject, bool)>,
}

impl Search {
    /// Whether a pass is due at the moment `now`. `missing`: those without a process, each with whether it
    /// answers on its socket: then it runs somewhere.
    pub fn is_due(&mut self, now: ElapsedTime, missing: &[(Subject, bool)]) -> bool {
        if missing.is_empty() {
            self.before.clear();
            return false;
        }
        if self.before != missing {
            self.before = missing.to_vec();
            self.wait = LEAST;
        }
        if self.last.is_some_and(|last| now.since(last) < self.wait) {
            return false;
        }
        self.last = Some(now);
        self.wait = self.wait.saturating_mul(2).min(MOST);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many passes there are in so long, one look a second.
    fn passes(search: &mut Search, from: Millis, seconds: Millis, missing: &[(Subject, bool)]) -> usize {
        (0..seconds).filter(|s| search.is_due(ElapsedTime::at(from + s * 1000), missing)).count()
    }

    #[test]
    fn what_is_never_there_is_looked_for_seldom() {
        let mut search = Search::default();
        assert_eq!(passes(&mut search, 0, 600, &[(Subject::Sbd, false)]), 13);
        assert_eq!(passes(&mut search, 600_000, 600, &[(Subject::Sbd, false)]), 10);
        assert_eq!(passes(&mut search, 1_200_000, 600, &[]), 0);
    }

    #[test]
    fn what_has_changed_is_looked_for_at_once() {
        let mut search = Search::default();
        let gone = [(Subject::Sbd, false)];
        passes(&mut search, 0, 590, &gone);
        assert!(!search.is_due(ElapsedTime::at(590_000), &gone));
        // One that answers runs somewhere; another one is gone; one that was there is gone again.
        for (at, missing) in [
            (602_000, vec![(Subject::Sbd, false), (Subject::Controld, true)]),
            (604_000, vec![(Subject::Sbd, false), (Subject::Controld, false)]),
            (606_000, vec![(Subject::Controld, false)]),
        ] {
            assert!(search.is_due(ElapsedTime::at(at), &missing), "{at}");
            assert!(!search.is_due(ElapsedTime::at(at + 1000), &missing), "{at}");
        }
        search.is_due(ElapsedTime::at(609_000), &[]);
        assert!(search.is_due(ElapsedTime::at(610_000), &gone));
    }

    #[test]
    fn one_that_comes_and_goes_can_not_make_it_frequent() {
        let mut search = Search::default();
        let due = (0..600)
            .filter(|s| search.is_due(ElapsedTime::at(s * 500), &[(Subject::Controld, s % 2 == 0)]))
            .count();
        assert!(due <= 150, "{due} in 300 s");
    }
}
