//! The shells on a disk that is full, read-only or stuck.

use super::*;
use crate::decide::disk::{Disk, ROOM, STUCK_AFTER, Trial};
use crate::decide::memory::LastRole;
use crate::decide::promotion_score::Score;

const BAD: [Trial; 5] =
    [Trial::Written { free: 0 }, Trial::NoSpace, Trial::ReadOnly, Trial::Broken, Trial::Pending(STUCK_AFTER)];

const GOOD: Trial = Trial::Written { free: ROOM };

#[test]
fn a_primary_that_can_not_write_stays_one_and_lets_a_standby_go_before_it() {
    for trial in BAD {
        let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
        host.memory.score = Some(Score::Primary);
        host.trial = trial.clone();
        for _ in 0..3 {
            let begun = host.now;
            assert_eq!(monitor(&mut host).code, OcfCode::RunningPromoted, "{trial:?}");
            assert!(host.now - begun < 2_000, "{trial:?}: a monitor waits for the disk");
        }
        assert_eq!(
            host.did("score"),
            [format!("score srv1 {}", Score::PrimaryDiskFailing)],
            "{trial:?}: written once"
        );
        assert!(host.log.iter().any(|(_, line)| line.contains("the file system of")), "{:?}", host.log);
        host.trial = GOOD;
        monitor(&mut host);
        assert_eq!(
            host.did("score").last(),
            Some(&&*format!("score srv1 {}", Score::Primary)),
            "{trial:?}: mended"
        );
    }
}

#[test]
fn a_write_that_takes_some_seconds_changes_nothing() {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
    host.memory.score = Some(Score::Primary);
    host.memory.kept = Some(1);
    for age in [1, 1000, STUCK_AFTER - 1] {
        host.trial = Trial::Pending(age);
        assert_eq!(monitor(&mut host).code, OcfCode::RunningPromoted);
    }
    assert!(host.done.is_empty(), "{:?}", host.done);
}

#[test]
fn a_standby_that_can_not_write_is_no_candidate_until_it_can() {
    for trial in BAD {
        let mut host = streaming();
        monitor(&mut host);
        host.trial = trial.clone();
        assert_eq!(monitor(&mut host).code, OcfCode::Success, "{trial:?}: a restart does not help");
        let expected = if matches!(trial, Trial::Written { .. } | Trial::NoSpace) {
            Score::StandbyDiskFull
        } else {
            Score::Withdrawn
        };
        assert_eq!(host.memory.score, Some(expected), "{trial:?}");
        monitor(&mut host);
        host.trial = GOOD;
        monitor(&mut host);
        assert_eq!(host.memory.score, Some(Score::Standby), "{trial:?}: mended");
        assert_eq!(host.did("score").len(), 3, "{:?}", host.done);
    }
}

#[test]
fn a_primary_that_died_of_its_disk_does_not_ask_for_its_role_again() {
    for trial in BAD {
        let mut host = FakeHost::new(Condition::Down, position(2, 0x100));
        host.memory.score = Some(Score::Primary);
        host.trial = trial.clone();
        assert_eq!(monitor(&mut host).code, OcfCode::NotRunning);
        assert!(
            host.memory.score.is_some_and(|s| s <= Score::StandbyDiskFull),
            "{trial:?} {:?}",
            host.memory.score
        );
    }
    let mut host = FakeHost::new(Condition::Down, position(2, 0x100));
    host.memory.score = Some(Score::Primary);
    monitor(&mut host);
    assert_eq!(host.memory.score, Some(Score::Primary), "an ordinary crash: restarted in place");
}

#[test]
fn nothing_is_promoted_where_it_can_not_write() {
    for (trial, promoted) in [
        (GOOD, 1),
        (Trial::Pending(1000), 1),
        // The last choice: it got so far because there is no other.
        (Trial::NoSpace, 1),
        (Trial::ReadOnly, 0),
        (Trial::Broken, 0),
        (Trial::Pending(STUCK_AFTER), 0),
    ] {
        let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
        host.memory.knowledge = Knowledge::Current;
        host.trial = trial.clone();
        act(&mut host, Action::Promote, &[]);
        assert_eq!(host.did("promote").len(), promoted, "{trial:?}");
    }
}

#[test]
fn of_two_that_have_the_same_the_one_with_room_is_promoted() {
    for (trial, theirs, promoted) in [
        (Trial::NoSpace, Fitness::Fit, 0),
        (Trial::NoSpace, Fitness::DiskFull, 1),
        (GOOD, Fitness::Fit, 1),
        (GOOD, Fitness::DiskFull, 1),
    ] {
        let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
        host.memory.knowledge = Knowledge::Current;
        host.trial = trial.clone();
        host.ballots = vec![Ballot { node: "srv2".into(), position: position(2, 0x100), fitness: theirs }];
        act(&mut host, Action::Promote, &[]);
        assert_eq!(host.did("promote").len(), promoted, "{trial:?} {theirs:?}");
        assert_eq!(host.did("score").len(), if promoted == 1 { 0 } else { 2 }, "{:?}", host.done);
    }
}

#[test]
fn nobody_waits_for_a_stuck_disk_and_nothing_is_written_to_it() {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
    host.trial = Trial::Pending(STUCK_AFTER);
    host.memory.disk = Disk::Stuck;
    host.condition = Condition::Immortal;
    for action in [Action::Demote, Action::Stop] {
        let begun = host.now;
        let report = act(&mut host, action, &[]);
        assert_eq!(report.code, OcfCode::ErrGeneric, "{action}: what survives SIGKILL is not stopped");
        // A demotion that fails is followed by a stop, a stop that fails by fencing: each second counts.
        assert!(host.now - begun < 15_000, "{action} took {} ms", host.now - begun);
    }
    assert_eq!(host.did("send"), ["send Killed", "send Killed"]);
    let mut idle = FakeHost::new(Condition::Primary, position(2, 0x100));
    idle.trial = Trial::Pending(STUCK_AFTER);
    idle.memory.disk = Disk::Stuck;
    act(
        &mut idle,
        Action::Notify,
        &[
            ("notify_type", "pre"),
            ("notify_operation", "demote"),
            ("notify_demote_uname", "srv1"),
            ("notify_promote_uname", "srv2"),
        ],
    );
    assert!(idle.did("checkpoint").is_empty(), "{:?}", idle.done);
    act(&mut idle, Action::Stop, &[]);
    assert_eq!(idle.did("send"), ["send Killed"]);
    // Once it answers the shutdown is an orderly one.
    let mut thawed = FakeHost::new(Condition::Primary, position(2, 0x100));
    thawed.memory.disk = Disk::Stuck;
    act(&mut thawed, Action::Stop, &[]);
    assert_eq!(thawed.did("send"), ["send Fast"]);
}

#[test]
fn an_instance_that_can_not_write_says_so_in_its_ballot() {
    let plan = [
        ("notify_type", "pre"),
        ("notify_operation", "promote"),
        ("notify_promote_uname", "srv2"),
        ("notify_unpromoted_uname", "srv1 srv2"),
    ];
    for (disk, last_role, ballot) in [
        (Disk::Sound, LastRole::Standby, "vote 2:0/100"),
        (Disk::Full, LastRole::Standby, "vote 2:0/100:full"),
        (Disk::ReadOnly, LastRole::Standby, "vote 2:0/100:not-writable"),
        (Disk::Full, LastRole::Primary, "vote 2:0/100:failed-primary"),
    ] {
        let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
        (host.memory.disk, host.memory.last_role) = (disk, last_role);
        act(&mut host, Action::Notify, &plan);
        assert_eq!(host.did("vote"), [ballot]);
    }
}

/// The trial write of the last monitor hangs when the start is asked.
#[test]
fn a_start_waits_for_a_disk_within_its_time() {
    let start = |thawed_after: Option<u64>, more: &[(&str, &str)]| {
        let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
        (host.at_rest, host.trial, host.memory.disk) = (true, Trial::Pending(STUCK_AFTER), Disk::Stuck);
        host.thaws_at = thawed_after.map(|ms| host.now + ms);
        let begun = host.now;
        let code = act(&mut host, Action::Start, more).code;
        (code, host.did("launch").len(), host.now - begun)
    };
    let (code, launched, _) = start(Some(5_000), &[]);
    assert_eq!((code, launched), (OcfCode::Success, 1));
    let (code, launched, took) = start(None, &[]);
    assert_eq!((code, launched), (OcfCode::ErrGeneric, 0));
    assert!((13_000..18_000).contains(&took), "{took}");
    let (code, _, took) = start(None, &[("notify_promote_uname", "srv2")]);
    assert_eq!(code, OcfCode::ErrGeneric);
    assert!((10_000..12_000).contains(&took), "the next primary waits for it: {took}");
}
