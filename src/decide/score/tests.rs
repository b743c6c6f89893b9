//! The scores as tables of situations.

use super::*;
use crate::decide::samples::*;

fn cluster(primary: Option<&str>, everybody: InstanceCount) -> ClusterAnswer {
    ClusterAnswer::Says(ClusterFacts {
        primary: primary.map(|n| Upstream { node: n.into(), host: n.into(), score: Some(Score::Primary) }),
        everybody,
        approved: Approved::No,
        safe_mode: None,
        rejoin: None,
    })
}

fn facts<'a>(now: BootTime, receiver: Option<&'a Receiver>, cluster: ClusterAnswer) -> StandbyFacts<'a> {
    StandbyFacts {
        now,
        interval: 16_000,
        position: Some(position(2, 0x500)),
        receiver,
        maxlag: None,
        caught_up: CaughtUp::Yes,
        from_itself: false,
        is_paused: false,
        mismatch: None,
        cluster,
    }
}

#[test]
fn a_standby_whose_replay_is_paused_is_the_last_choice_until_it_goes_on() {
    let r = receiver("srv1", 2, 0x500);
    let known = ClusterAnswer::NotAsked;
    let mut m = Memory { upstream: Some("srv1".into()), knowledge: Knowledge::Current, ..Memory::default() };
    for before in [None, Some(Score::Standby), Some(Score::ranked(0)), Some(Score::FirstStart)] {
        m.score = before;
        let step = standby(
            &mut m,
            &StandbyFacts { is_paused: true, ..facts(BootTime::at(1), Some(&r), known.clone()) },
        );
        assert!(
            matches!(&step, ScoreStep::Set(Score::Detached, why) if why.contains("max_connections")),
            "{step:?}"
        );
    }
    for before in [Score::Detached, Score::Withdrawn, Score::StandbyDiskFull] {
        m.score = Some(before);
        let step = standby(
            &mut m,
            &StandbyFacts { is_paused: true, ..facts(BootTime::at(1), Some(&r), known.clone()) },
        );
        assert!(matches!(step, ScoreStep::Keep(Some(_))), "{before}: {step:?}");
    }
    m.score = Some(Score::Detached);
    let step = standby(&mut m, &facts(BootTime::at(1), Some(&r), cluster(Some("srv1"), InstanceCount::All)));
    assert!(matches!(step, ScoreStep::Set(Score::Standby, _)), "{step:?}");
}

#[test]
fn the_first_stream_is_confirmed_by_the_cluster_then_nothing_is_asked_again() {
    let mut m = Memory::default();
    let r = receiver("srv1", 2, 0x500);
    assert_eq!(
        standby(&mut m, &facts(BootTime::at(1), Some(&r), ClusterAnswer::NotAsked)),
        ScoreStep::AskCluster
    );
    let step = standby(&mut m, &facts(BootTime::at(1), Some(&r), cluster(Some("srv1"), InstanceCount::All)));
    assert!(matches!(step, ScoreStep::Set(Score::Standby, _)));
    m.score = Some(Score::Standby);
    for now in 2..100 {
        let step = standby(&mut m, &facts(BootTime::at(now * 16_000), Some(&r), ClusterAnswer::NotAsked));
        assert_eq!(step, ScoreStep::Keep(None), "a steady state asks or writes");
    }
}

#[test]
fn no_standby_rises_above_the_primary() {
    let r = receiver("srv1", 2, 0x500);
    let with = |score| {
        let mut word = cluster(Some("srv1"), InstanceCount::All);
        if let ClusterAnswer::Says(ClusterFacts { primary: Some(primary), .. }) = &mut word {
            primary.score = score;
        }
        facts(BootTime::at(1), Some(&r), word)
    };
    for low in [Some(Score::FirstStartFormerPrimary), Some(Score::from(899)), None] {
        let mut m = Memory { score: Some(Score::FirstStart), ..Memory::default() };
        assert_eq!(standby(&mut m, &with(low)), ScoreStep::Keep(None), "{low:?}");
        assert_eq!(m.knowledge, Knowledge::Current, "it streams all the same");
        // The next monitor asks again.
        assert_eq!(
            standby(&mut m, &facts(BootTime::at(2), Some(&r), ClusterAnswer::NotAsked)),
            ScoreStep::AskCluster
        );
    }
    for settled in [Some(Score::Primary), Some(Score::Standby), Some(Score::PrimaryDiskFailing)] {
        let mut m = Memory { score: Some(Score::FirstStart), ..Memory::default() };
        assert!(matches!(standby(&mut m, &with(settled)), ScoreStep::Set(Score::Standby, _)), "{settled:?}");
    }
}

#[test]
fn streaming_from_another_standby_proves_nothing() {
    let mut m = Memory::default();
    let r = receiver("srv2", 2, 0x500);
    let step = standby(
        &mut m,
        &facts(BootTime::at(1), Some(&r), cluster(None, InstanceCount::Missing { running: 2, expected: 3 })),
    );
    assert!(matches!(step, ScoreStep::Wait(_)), "{step:?}");
    assert_eq!(m.knowledge, Knowledge::Unproven);
}

#[test]
fn the_score_stays_when_the_primary_vanishes() {
    let mut m = Memory { knowledge: Knowledge::Current, score: Some(Score::Standby), ..Memory::default() };
    for now in [0, 10_000, 1_000_000] {
        let step = standby(
            &mut m,
            &facts(
                BootTime::at(now),
                None,
                cluster(None, InstanceCount::Missing { running: 1, expected: 2 }),
            ),
        );
        assert_eq!(step, ScoreStep::Keep(None));
    }
}

#[test]
fn a_standby_without_a_stream_loses_its_score_while_a_primary_is_there() {
    let mut m = Memory { knowledge: Knowledge::Current, score: Some(Score::Standby), ..Memory::default() };
    let at = |now| facts(now, None, cluster(Some("srv1"), InstanceCount::All));
    assert!(matches!(standby(&mut m, &at(BootTime::at(0))), ScoreStep::Keep(Some(_))));
    assert!(matches!(standby(&mut m, &at(BootTime::at(RECONNECT + 1))), ScoreStep::Set(Score::Detached, _)));
    m.score = Some(Score::Detached);
    assert!(matches!(standby(&mut m, &at(BootTime::at(DETACHED_GRACE + 32_000))), ScoreStep::Keep(Some(_))));
    assert!(matches!(
        standby(&mut m, &at(BootTime::at(DETACHED_GRACE + 32_001))),
        ScoreStep::Set(Score::Withdrawn, _)
    ));
    // The primary dies afterwards: still no candidate, but it serves reads. Where all instances vote they know who has most.
    m.score = Some(Score::Withdrawn);
    let alone = InstanceCount::Missing { running: 1, expected: 2 };
    let step = standby(&mut m, &facts(BootTime::at(90_000), None, cluster(None, alone)));
    assert!(matches!(step, ScoreStep::Set(Score::SafeMode, _)), "{step:?}");
    assert_eq!(m.knowledge, Knowledge::Unproven);
    let step = standby(&mut m, &facts(BootTime::at(90_000), None, cluster(None, InstanceCount::All)));
    assert!(matches!(step, ScoreStep::Set(Score::FirstStart, _)), "{step:?}");
}

#[test]
fn a_cold_start_alone_waits_for_the_others_or_the_operator() {
    let mut m = Memory::default();
    let alone = InstanceCount::Missing { running: 1, expected: 2 };
    let step = standby(&mut m, &facts(BootTime::at(1), None, cluster(None, alone)));
    assert!(matches!(step, ScoreStep::Wait(_)), "{step:?}");
    m.score = Some(Score::FirstStart);
    let step = standby(&mut m, &facts(BootTime::at(1), None, cluster(None, alone)));
    assert!(matches!(step, ScoreStep::Set(Score::SafeMode, _)), "the other one left again: {step:?}");
    m.score = Some(Score::SafeMode);
    let mut word = facts(BootTime::at(1), None, cluster(None, alone));
    if let ClusterAnswer::Says(c) = &mut word.cluster {
        c.approved = Approved::Yes;
    }
    assert!(matches!(standby(&mut m, &word), ScoreStep::Set(Score::FirstStart, _)));
    let mut m = Memory { last_role: LastRole::Primary, ..Memory::default() };
    let step = standby(&mut m, &facts(BootTime::at(1), None, cluster(None, InstanceCount::All)));
    assert!(
        matches!(step, ScoreStep::Set(Score::FirstStartFormerPrimary, _)),
        "the former primary first: {step:?}"
    );
}

#[test]
fn maxlag_withdraws_once_and_rests() {
    let mut m = Memory {
        knowledge: Knowledge::Current,
        score: Some(Score::Standby),
        score_written: Some(BootTime::at(0)),
        upstream: Some("srv1".into()),
        ..Memory::default()
    };
    let far = receiver("srv1", 2, 0x500 + 2000);
    let mut f = facts(BootTime::at(1_000), Some(&far), ClusterAnswer::NotAsked);
    f.maxlag = Some(1000);
    assert!(matches!(standby(&mut m, &f), ScoreStep::Set(Score::Withdrawn, _)));
    (m.score, m.score_written) = (Some(Score::Withdrawn), Some(BootTime::at(1_000)));
    assert!(matches!(standby(&mut m, &f), ScoreStep::Keep(Some(_))));
    f.position = Some(position(2, 0x500 + 2000));
    assert_eq!(standby(&mut m, &f), ScoreStep::Keep(None), "no second write within a minute");
    f.now = BootTime::at(1_000 + LAG_REST);
    assert_eq!(standby(&mut m, &f), ScoreStep::AskCluster);
    f.cluster = cluster(Some("srv1"), InstanceCount::All);
    assert!(matches!(standby(&mut m, &f), ScoreStep::Set(Score::Standby, _)));
}

#[test]
fn the_promoted_writes_its_score_once() {
    let mut m = Memory::default();
    assert!(
        matches!(promoted(&mut m, BootTime::at(0)), ScoreStep::Set(Score::Primary, _)),
        "without a score there is no time to lose"
    );
    (m.score, m.promoted) = (Some(Score::Standby), Some(BootTime::at(1_000)));
    assert_eq!(
        promoted(&mut m, BootTime::at(1_000 + SETTLE - 1)),
        ScoreStep::Keep(None),
        "the float IP is being started"
    );
    assert!(matches!(promoted(&mut m, BootTime::at(1_000 + SETTLE)), ScoreStep::Set(Score::Primary, _)));
    m.score = Some(Score::Primary);
    assert_eq!(promoted(&mut m, BootTime::at(1_000 + SETTLE)), ScoreStep::Keep(None));
    assert_eq!(m.knowledge, Knowledge::Current);
}

#[test]
fn a_demoted_primary_is_no_higher_than_its_successor() {
    let mut m = Memory {
        knowledge: Knowledge::Current,
        last_role: LastRole::Primary,
        score: Some(Score::Primary),
        ..Memory::default()
    };
    let r = receiver("srv2", 3, 0x500);
    let step = standby(&mut m, &facts(BootTime::at(1), Some(&r), cluster(Some("srv2"), InstanceCount::All)));
    assert!(matches!(step, ScoreStep::Set(Score::Standby, _)), "{step:?}");
}

#[test]
fn a_standby_that_has_not_caught_up_is_no_candidate() {
    let r = receiver("srv1", 2, 0x500);
    let word = || cluster(Some("srv1"), InstanceCount::All);
    let mut m = Memory::default();
    let behind = StandbyFacts { caught_up: CaughtUp::NotYet, ..facts(BootTime::at(1), Some(&r), word()) };
    assert!(matches!(standby(&mut m, &behind), ScoreStep::Keep(Some(_))));
    assert_eq!((m.knowledge, m.upstream.as_deref()), (Knowledge::Unproven, None));
    assert!(matches!(
        standby(&mut m, &facts(BootTime::at(2), Some(&r), word())),
        ScoreStep::Set(Score::Standby, _)
    ));
    // One that was a candidate before its stream broke stays one.
    let mut m = Memory { knowledge: Knowledge::Current, score: Some(Score::Standby), ..Memory::default() };
    assert_eq!(standby(&mut m, &behind), ScoreStep::Keep(None));
}

#[test]
fn who_streams_from_itself_streams_from_nobody() {
    let r = receiver("srv1", 2, 0x500);
    let mut m = Memory::default();
    let itself = |now| StandbyFacts {
        from_itself: true,
        ..facts(now, Some(&r), cluster(Some("srv1"), InstanceCount::All))
    };
    assert!(
        matches!(standby(&mut m, &itself(BootTime::at(1))), ScoreStep::Keep(Some(why)) if why.contains("itself"))
    );
    let later = standby(&mut m, &itself(BootTime::at(100_000)));
    assert!(matches!(&later, ScoreStep::Set(Score::Withdrawn, why) if why.contains("itself")), "{later:?}");
    assert_eq!(m.knowledge, Knowledge::Unproven);
}

#[test]
fn another_branch_than_the_last_promotions_is_no_candidate_when_nobody_is_promoted() {
    let mismatch = Mismatch::Unusable("x".into());
    for knowledge in [Knowledge::Current, Knowledge::Unproven] {
        for everybody in [InstanceCount::All, InstanceCount::Unknown] {
            let mut m = Memory { knowledge, score: Some(Score::FormerPrimary), ..Memory::default() };
            let other = StandbyFacts {
                mismatch: Some(&mismatch),
                ..facts(BootTime::at(1), None, cluster(None, everybody))
            };
            assert!(matches!(standby(&mut m, &other), ScoreStep::Set(Score::Withdrawn, _)));
        }
    }
}

/// What it has becomes old while somebody else is the primary; it is no candidate on the way.
#[test]
fn safe_mode_ends_with_a_primary_and_is_no_candidate_meanwhile() {
    for knowledge in [Knowledge::Current, Knowledge::Unproven] {
        let mut m = Memory { knowledge, score: Some(Score::SafeMode), ..Memory::default() };
        let at = |now| facts(now, None, cluster(Some("srv1"), InstanceCount::All));
        let step = standby(&mut m, &at(BootTime::at(1)));
        assert!(matches!(step, ScoreStep::Keep(Some(_))), "{step:?}");
        let step = standby(&mut m, &at(BootTime::at(RECONNECT + 2)));
        assert!(matches!(step, ScoreStep::Keep(Some(_))), "{step:?}");
        let step = standby(&mut m, &at(BootTime::at(DETACHED_GRACE + 60_000)));
        assert!(matches!(step, ScoreStep::Set(Score::Withdrawn, _)), "{step:?}");
    }
}

/// Each refusal is a failed action, and after some Pacemaker bans the instance.
#[test]
fn who_was_refused_is_no_candidate_again_at_once() {
    let mut m = Memory { refused: Some(BootTime::at(1_000)), ..Memory::default() };
    let at = |now| facts(now, None, cluster(None, InstanceCount::All));
    assert!(matches!(standby(&mut m, &at(BootTime::at(2_000))), ScoreStep::Wait(_)));
    let later = standby(&mut m, &at(BootTime::at(1_000 + REFUSED_REST)));
    assert!(matches!(later, ScoreStep::Set(Score::FirstStart, _)), "{later:?}");
    let mut approved = at(BootTime::at(2_000));
    if let ClusterAnswer::Says(c) = &mut approved.cluster {
        c.approved = Approved::Yes;
    }
    assert!(matches!(standby(&mut m, &approved), ScoreStep::Set(Score::FirstStart, _)));
}

/// The standbys' addresses stay on an instance without a score.
#[test]
fn who_never_streams_while_a_primary_is_there_is_not_read_from_for_ever() {
    let mut m = Memory::default();
    let at = |now| facts(now, None, cluster(Some("srv1"), InstanceCount::All));
    assert!(matches!(standby(&mut m, &at(BootTime::at(0))), ScoreStep::Keep(Some(_))));
    assert!(matches!(
        standby(&mut m, &at(BootTime::at(DETACHED_GRACE + 32_001))),
        ScoreStep::Set(Score::Withdrawn, _)
    ));
}
