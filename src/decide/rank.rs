//! The primary's part in the scores: with two standbys or more, the better one should be the first choice.
//!
//! Each standby writes its own score; the primary only corrects an order that is wrong in substance, so that under
//! load nothing is written.

use crate::pg::view::{ConnectedStandby, SyncState};

use super::clock::Millis;
use super::memory::{Memory, Safety};
use super::promotion_score::Score;

/// How often the scores of the others are read and compared.
pub const PERIOD: Millis = 60_000;

/// Positions that are closer than this count as equal: a WAL segment of the usual size, bytes.
pub const NEAR: u64 = 16 << 20;

/// What the primary remembers of its standbys for the case that it crashes.
pub fn safety(synchronous_standby_names: &str, standbys: &[ConnectedStandby]) -> Safety {
    let attached = standbys.iter().any(|s| {
        s.state == "streaming"
            && match s.sync_state {
                SyncState::Sync | SyncState::Quorum => true,
                SyncState::Potential | SyncState::Async | SyncState::Unknown(_) => false,
            }
    });
    if attached && !synchronous_standby_names.trim().is_empty() { Safety::Synchronous } else { Safety::Alone }
}

/// Whether the others' scores should be read now. Not before its promotion has settled: until then the primary has a
/// standby's score itself, and Pacemaker would move its role to the first standby that is ranked above that.
pub fn due(memory: &Memory, standbys: &[ConnectedStandby], now: Millis) -> bool {
    memory.score == Some(Score::Primary)
        && standbys.len() > 1
        && memory.ranked.is_none_or(|at| now.saturating_sub(at) >= PERIOD)
}

/// The scores to write, given those that stand: node and new score. Nodes without a positive score withdrew
/// themselves, and stay so.
pub fn corrections(standbys: &[ConnectedStandby], scores: &[(String, Score)]) -> Vec<(String, Score)> {
    let score_of = |name: &str| scores.iter().find(|(n, s)| n == name && s.is_candidate()).map(|(_, s)| *s);
    let mut ranked: Vec<(&ConnectedStandby, Score)> =
        standbys.iter().filter_map(|s| Some((s, score_of(&s.application_name)?))).collect();
    ranked.sort_by_key(|(s, _)| (class(&s.sync_state), std::cmp::Reverse(s.flush)));
    let wrong = ranked.windows(2).any(|pair| clearly_better(pair[0].0, pair[1].0) && pair[0].1 <= pair[1].1);
    if !wrong {
        return Vec::new();
    }
    let mut place = 0;
    let mut corrections = Vec::new();
    for (index, (standby, score)) in ranked.iter().enumerate() {
        if index > 0 && clearly_better(ranked[index - 1].0, standby) {
            place += 1;
        }
        let wanted = Score::ranked(place);
        if *score != wanted {
            corrections.push((standby.application_name.clone(), wanted));
        }
    }
    corrections
}

const fn class(sync: &SyncState) -> u8 {
    match sync {
        SyncState::Sync | SyncState::Quorum => 0,
        SyncState::Potential => 1,
        SyncState::Async | SyncState::Unknown(_) => 2,
    }
}

fn clearly_better(a: &ConnectedStandby, b: &ConnectedStandby) -> bool {
    let ahead = match (a.flush, b.flush) {
        (Some(a), Some(b)) => a.saturating_bytes_since(b) > NEAR,
        (Some(_), None) => true,
        (None, _) => false,
    };
    class(&a.sync_state) < class(&b.sync_state) || (class(&a.sync_state) == class(&b.sync_state) && ahead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::lsn::Lsn;

    fn standby(name: &str, sync: &str, flush: u64) -> ConnectedStandby {
        ConnectedStandby {
            application_name: name.into(),
            state: "streaming".into(),
            sync_state: SyncState::from(sync),
            sent: None,
            flush: Some(Lsn(flush)),
        }
    }

    fn scores(list: &[(&str, i32)]) -> Vec<(String, Score)> {
        list.iter().map(|(n, s)| ((*n).into(), Score::from(*s))).collect()
    }

    #[test]
    fn the_most_advanced_comes_first_not_the_most_lagging() {
        // PAF 2.3.0 ranks them the other way round.
        let s = [standby("a", "async", 100 << 20), standby("b", "async", 900 << 20)];
        assert_eq!(corrections(&s, &scores(&[("a", 900), ("b", 900)])), scores(&[("b", 1000), ("a", 990)]));
    }

    #[test]
    fn load_alone_changes_nothing() {
        let before = scores(&[("a", 900), ("b", 900)]);
        for flush in [(100, 200), (200, 100), (5000, 16 << 20)] {
            let s = [standby("a", "async", flush.0), standby("b", "async", flush.1)];
            assert_eq!(corrections(&s, &before), []);
        }
    }

    #[test]
    fn a_synchronous_standby_comes_before_an_asynchronous_one() {
        let s = [standby("a", "async", 900 << 20), standby("b", "sync", 100)];
        let c = corrections(&s, &scores(&[("a", 1000), ("b", 990)]));
        assert_eq!(c, scores(&[("b", 1000), ("a", 990)]));
        assert_eq!(corrections(&s, &c), [], "settled");
    }

    #[test]
    fn who_withdrew_stays_withdrawn() {
        let s = [standby("a", "async", 900 << 20), standby("b", "async", 1)];
        assert_eq!(corrections(&s, &scores(&[("a", -1000), ("b", 900)])), []);
    }

    #[test]
    fn one_synchronous_standby_that_streams_is_safety() {
        assert_eq!(safety("ANY 1 (a)", &[standby("a", "quorum", 1)]), Safety::Synchronous);
        assert_eq!(safety("", &[standby("a", "sync", 1)]), Safety::Alone);
        assert_eq!(safety("a", &[standby("a", "async", 1)]), Safety::Alone);
        let mut behind = standby("a", "sync", 1);
        behind.state = "catchup".into();
        assert_eq!(safety("a", &[behind]), Safety::Alone);
    }

    #[test]
    fn nobody_is_ranked_before_the_promotion_has_settled() {
        let two = [standby("a", "async", 900 << 20), standby("b", "sync", 100)];
        for score in [None, Some(Score::Standby)] {
            assert!(!due(&Memory { score, ..Memory::default() }, &two, 1), "{score:?}");
        }
        let mut settled = Memory { score: Some(Score::Primary), ..Memory::default() };
        assert!(due(&settled, &two, 1));
        assert!(!due(&settled, &two[..1], 1), "there is nobody to compare with");
        settled.ranked = Some(1);
        assert!(!due(&settled, &two, PERIOD) && due(&settled, &two, 1 + PERIOD));
    }
}
