//! The primary's part in the scores: with two standbys or more, the better one should be the first choice.
//!
//! Each standby writes its own score; the primary only corrects an order that is wrong in substance, so that under
//! load nothing is written.

use std::cmp::Reverse;

use crate::pg::lsn::Lsn;
use crate::pg::view::{ConnectedStandby, PrimaryView, SyncState};

use super::clock::{BootTime, Millis};
use super::memory::{CommitCoverage, Memory, ScoreChecks};
use super::promotion_score::Score;

/// How often the scores of the others are read and compared.
pub const LOOK: Millis = 20_000;

/// An order that is wrong in so many looks in a row is put right.
pub const LOOKS: u8 = 3;

/// No second correction within this time: under load at most one change of the CIB a minute.
pub const REST: Millis = 60_000;

/// Positions that are closer than this count as equal, or closer than what is written in a second: bytes.
pub const NEAR: u64 = 1 << 20;

/// What the primary remembers of its standbys for the case that it crashes.
pub fn coverage(synchronous_standby_names: &str, standbys: &[ConnectedStandby]) -> CommitCoverage {
    let attached = standbys.iter().any(|s| {
        s.state == "streaming"
            && match s.sync_state {
                SyncState::Sync | SyncState::Quorum => true,
                SyncState::Potential | SyncState::Async | SyncState::Unknown(_) => false,
            }
    });
    if attached && !synchronous_standby_names.trim().is_empty() {
        CommitCoverage::Synchronous
    } else {
        CommitCoverage::Alone
    }
}

/// Whether the others' scores should be read now. Not before its promotion has settled: until then the primary has a
/// standby's score itself, and Pacemaker would move its role to the first standby that is ranked above that.
pub fn due(memory: &Memory, standbys: &[ConnectedStandby], now: BootTime) -> bool {
    memory.score == Some(Score::Primary)
        && standbys.len() > 1
        && memory.score_checks.last.is_none_or(|(at, _)| now.since(at) >= LOOK)
}

/// The scores to write, given those that stand: node and new score. Two that stream with nothing against them never keep the same
/// one: `crm_mon -A` shows who would be promoted. Whoever has less withdrew or is a last choice, and stays so.
pub fn corrections(
    looks: &mut ScoreChecks,
    now: BootTime,
    view: &PrimaryView,
    scores: &[(String, Score)],
) -> Vec<(String, Score)> {
    let near = near(looks.last, now, view.lsn);
    looks.last = Some((now, view.lsn));
    let score_of =
        |name: &str| scores.iter().find(|(n, s)| n == name && s.is_full_standby()).map(|(_, s)| *s);
    let mut ranked: Vec<(&ConnectedStandby, Score)> =
        view.standbys.iter().filter_map(|s| Some((s, score_of(&s.application_name)?))).collect();
    ranked.sort_by_key(|(_, score)| Reverse(*score));
    let is_tied = ranked.windows(2).any(|pair| pair[0].1 == pair[1].1);
    let is_wrong = ranked
        .iter()
        .enumerate()
        .any(|(place, (better, _))| ranked[place + 1..].iter().any(|(s, _)| clearly_better(s, better, near)));
    looks.wrong = if is_wrong { looks.wrong.saturating_add(1) } else { 0 };
    let has_rested = looks.corrected.is_none_or(|at| now.since(at) >= REST);
    if !has_rested || !(is_tied || looks.wrong >= LOOKS) {
        return Vec::new();
    }
    ranked.sort_by_key(|(s, _)| (class(&s.sync_state), Reverse(s.flush), &s.application_name));
    let corrections: Vec<(String, Score)> = ranked
        .iter()
        .enumerate()
        .filter(|(place, (_, score))| *score != Score::ranked(*place))
        .map(|(place, (standby, _))| (standby.application_name.clone(), Score::ranked(place)))
        .collect();
    looks.wrong = 0;
    looks.corrected = Some(now);
    corrections
}

/// What a primary writes in a second, by two looks.
fn near(last: Option<(BootTime, Lsn)>, now: BootTime, lsn: Lsn) -> u64 {
    let Some((at, from)) = last else { return NEAR };
    let written = lsn.saturating_bytes_since(from);
    written.saturating_mul(1000).checked_div(now.since(at)).unwrap_or(0).max(NEAR)
}

const fn class(sync: &SyncState) -> u8 {
    match sync {
        SyncState::Sync | SyncState::Quorum => 0,
        SyncState::Potential => 1,
        SyncState::Async | SyncState::Unknown(_) => 2,
    }
}

fn clearly_better(a: &ConnectedStandby, b: &ConnectedStandby, near: u64) -> bool {
    let ahead = match (a.flush, b.flush) {
        (Some(a), Some(b)) => a.saturating_bytes_since(b) > near,
        (Some(_), None) => true,
        (None, _) => false,
    };
    class(&a.sync_state) < class(&b.sync_state) || (class(&a.sync_state) == class(&b.sync_state) && ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standby(name: &str, sync: &str, flush: u64) -> ConnectedStandby {
        ConnectedStandby {
            application_name: name.into(),
            state: "streaming".into(),
            sync_state: SyncState::from(sync),
            sent: None,
            flush: Some(Lsn(flush)),
            connection: crate::pg::view::Connection::default(),
        }
    }

    fn scores(list: &[(&str, i32)]) -> Vec<(String, Score)> {
        list.iter().map(|(n, s)| ((*n).into(), Score::from(*s))).collect()
    }

    fn view(lsn: u64, standbys: &[ConnectedStandby]) -> PrimaryView {
        PrimaryView {
            lsn: Lsn(lsn),
            timeline: crate::pg::timeline::Timeline::FIRST,
            standbys: standbys.to_vec(),
            synchronous_standby_names: String::new(),
        }
    }

    /// So many looks, one each [`LOOK`]; what the last one corrects.
    fn after(looks: u8, standbys: &[ConnectedStandby], before: &[(String, Score)]) -> Vec<(String, Score)> {
        let mut state = ScoreChecks::default();
        let mut last = Vec::new();
        for look in 1..=looks {
            assert_eq!(last, [], "corrected by look {}", look - 1);
            last = corrections(
                &mut state,
                BootTime::at(u64::from(look) * LOOK),
                &view(1 << 30, standbys),
                before,
            );
        }
        last
    }

    #[test]
    fn the_most_advanced_comes_first_not_the_most_lagging() {
        // PAF 2.3.0 ranks them the other way round.
        let s = [standby("a", "async", 100 << 20), standby("b", "async", 900 << 20)];
        assert_eq!(after(1, &s, &scores(&[("a", 900), ("b", 900)])), scores(&[("b", 1000), ("a", 990)]));
        assert_eq!(after(3, &s, &scores(&[("a", 1000), ("b", 990)])), scores(&[("b", 1000), ("a", 990)]));
    }

    #[test]
    fn two_never_keep_the_same_score() {
        let s = [standby("a", "async", 200), standby("b", "async", 200), standby("c", "async", 300)];
        let c = after(1, &s, &scores(&[("a", 900), ("b", 900), ("c", 900)]));
        assert_eq!(c, scores(&[("c", 1000), ("a", 990), ("b", 980)]));
        assert_eq!(after(5, &s, &c), [], "settled");
        // One that comes back is the last until it is better.
        assert_eq!(after(5, &s[..2], &scores(&[("a", 900), ("b", 990)])), []);
    }

    #[test]
    fn load_alone_changes_nothing() {
        let before = scores(&[("a", 1000), ("b", 990)]);
        for flush in [(100, 200), (200, 100), (5000, 1 << 20)] {
            let s = [standby("a", "async", flush.0), standby("b", "async", flush.1)];
            assert_eq!(after(9, &s, &before), []);
        }
    }

    #[test]
    fn what_is_written_in_a_second_is_near() {
        let s = [standby("a", "async", 1 << 20), standby("b", "async", 9 << 20)];
        let before = scores(&[("a", 1000), ("b", 990)]);
        let mut looks = ScoreChecks::default();
        for look in 1..9 {
            let lsn = look * (10 << 20) * LOOK / 1000;
            assert_eq!(
                corrections(&mut looks, BootTime::at(look * LOOK), &view(lsn, &s), &before),
                [],
                "{look}"
            );
        }
    }

    #[test]
    fn a_moment_is_no_reason_and_a_correction_rests() {
        let mut looks = ScoreChecks::default();
        let a_first = [standby("a", "async", 9 << 20), standby("b", "async", 1)];
        let b_first = [standby("a", "async", 1), standby("b", "async", 9 << 20)];
        let before = scores(&[("a", 1000), ("b", 990)]);
        let mut now = 0;
        for standbys in [&b_first, &b_first, &a_first, &b_first, &b_first] {
            now += LOOK;
            assert_eq!(corrections(&mut looks, BootTime::at(now), &view(1 << 30, standbys), &before), []);
        }
        now += LOOK;
        let corrected = corrections(&mut looks, BootTime::at(now), &view(1 << 30, &b_first), &before);
        assert_eq!(corrected, scores(&[("b", 1000), ("a", 990)]));
        let end = now + REST;
        while now + LOOK < end {
            now += LOOK;
            assert_eq!(corrections(&mut looks, BootTime::at(now), &view(1 << 30, &a_first), &corrected), []);
        }
        assert_ne!(corrections(&mut looks, BootTime::at(end), &view(1 << 30, &a_first), &corrected), []);
    }

    #[test]
    fn a_synchronous_standby_comes_before_an_asynchronous_one() {
        let s = [standby("a", "async", 900 << 20), standby("b", "sync", 100)];
        let c = after(3, &s, &scores(&[("a", 1000), ("b", 990)]));
        assert_eq!(c, scores(&[("b", 1000), ("a", 990)]));
        assert_eq!(after(5, &s, &c), [], "settled");
    }

    #[test]
    fn who_withdrew_stays_withdrawn() {
        let s =
            [standby("a", "async", 900 << 20), standby("b", "async", 1), standby("c", "async", 900 << 20)];
        assert_eq!(after(5, &s, &scores(&[("a", -1000), ("b", 900), ("c", 50)])), []);
    }

    #[test]
    fn one_synchronous_standby_that_streams_is_safety() {
        assert_eq!(coverage("ANY 1 (a)", &[standby("a", "quorum", 1)]), CommitCoverage::Synchronous);
        assert_eq!(coverage("", &[standby("a", "sync", 1)]), CommitCoverage::Alone);
        assert_eq!(coverage("a", &[standby("a", "async", 1)]), CommitCoverage::Alone);
        let mut behind = standby("a", "sync", 1);
        behind.state = "catchup".into();
        assert_eq!(coverage("a", &[behind]), CommitCoverage::Alone);
    }

    #[test]
    fn nobody_is_ranked_before_the_promotion_has_settled() {
        let two = [standby("a", "async", 900 << 20), standby("b", "sync", 100)];
        for score in [None, Some(Score::Standby)] {
            assert!(!due(&Memory { score, ..Memory::default() }, &two, BootTime::at(1)), "{score:?}");
        }
        let mut settled = Memory { score: Some(Score::Primary), ..Memory::default() };
        assert!(due(&settled, &two, BootTime::at(1)));
        assert!(!due(&settled, &two[..1], BootTime::at(1)), "there is nobody to compare with");
        settled.score_checks.last = Some((BootTime::at(1), Lsn(1)));
        assert!(!due(&settled, &two, BootTime::at(LOOK)) && due(&settled, &two, BootTime::at(1 + LOOK)));
    }
}
