//! The record of promotions on a played host.

use super::*;
use crate::decide::promotions::Promotion;

/// The third promotion, to timeline 3.
fn promotion(node: &str) -> Promotion {
    format!("3:3:7:2:0/300:0000000a:00000009:{node}").parse().unwrap()
}

#[test]
fn a_promotion_is_on_record_before_the_postmaster_is_told_and_in_the_cib_once_it_has_settled() {
    let mut host = FakeHost::new(Condition::Standby, position(3, 0x500));
    host.memory.knowledge = Knowledge::Current;
    host.memory.score = Some(Score::Standby);
    host.promotions = vec![promotion("srv2")];
    host.status = Some(cluster(None));
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::Success);
    let words: Vec<&str> = host.done.iter().filter_map(|d| d.split(' ').next()).collect();
    assert_eq!(words, ["publish", "promote", "mark"]);
    assert!(host.done[0].starts_with("publish srv1,srv2 4:4:7:3:0/500:"), "{:?}", host.done);
    assert_eq!(host.recorded, Some((PgRole::Primary, Phase::Running)));
    // A change of the CIB before would hold up the float IP.
    host.timeline = timeline(4);
    monitor(&mut host);
    assert_eq!(host.did("keep").len(), 0);
    for _ in 0..3 {
        host.now += 10_000;
        monitor(&mut host);
    }
    assert_eq!(host.did("keep"), [format!("keep {}", host.promotions[1])]);
}

#[test]
fn nobody_is_promoted_whose_promotion_can_not_be_put_on_record() {
    let mut host = FakeHost::new(Condition::Standby, position(3, 0x500));
    host.memory.knowledge = Knowledge::Current;
    host.failing = Failing::Cluster;
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::ErrGeneric);
    assert_eq!(host.did("promote").len(), 0, "{:?}", host.done);
}

#[test]
fn who_knows_of_a_later_promotion_is_not_promoted() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    host.memory.knowledge = Knowledge::Current;
    host.promotions = vec![promotion("srv2")];
    host.status = Some(cluster(None));
    let report = act(&mut host, Action::Promote, &[]);
    assert!(report.reason.contains("srv2 was promoted to timeline 3"), "{}", report.reason);
    assert_eq!(host.did("promote").len(), 0);
    assert_eq!(host.memory.score, Some(Score::Withdrawn));
}

#[test]
fn a_primary_by_hand_is_failed_and_a_hung_daemon_is_no_reason_for_that() {
    for (recorded, promotions, failing, code) in [
        (None, vec![promotion("srv2")], Failing::Nothing, OcfCode::FailedPromoted),
        (Some(PgRole::Standby), vec![promotion("srv1")], Failing::Nothing, OcfCode::FailedPromoted),
        (Some(PgRole::Standby), vec![], Failing::Cluster, OcfCode::FailedPromoted),
        // Its own reign, whose word was lost; nobody on record; nothing is known.
        (
            None,
            vec![Promotion { timeline: timeline(4), ..promotion("srv1") }],
            Failing::Nothing,
            OcfCode::RunningPromoted,
        ),
        (None, vec![], Failing::Nothing, OcfCode::RunningPromoted),
        (None, vec![], Failing::Cluster, OcfCode::RunningPromoted),
        (Some(PgRole::Primary), vec![promotion("srv2")], Failing::Cluster, OcfCode::RunningPromoted),
    ] {
        let mut host = FakeHost::new(Condition::Primary, position(4, 0x500));
        host.recorded = recorded.map(|role| (role, Phase::Running));
        (host.promotions, host.failing) = (promotions, failing);
        assert_eq!(monitor(&mut host).code, code, "{recorded:?} {:?} {failing:?}", host.promotions);
    }
}

#[test]
fn a_promotion_once_told_is_brought_down_by_the_demotion() {
    let mut host = FakeHost::new(Condition::Standby, position(3, 0x500));
    host.recorded = Some((PgRole::Primary, Phase::Running));
    act(&mut host, Action::Demote, &[]);
    assert_eq!(host.did("send"), ["send Fast"]);
}

#[test]
fn a_standby_on_the_wrong_branch_is_no_candidate_while_nobody_is_promoted() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    host.memory.knowledge = Knowledge::Current;
    host.memory.score = Some(Score::FormerPrimary);
    host.promotions = vec![promotion("srv2")];
    host.status = Some(cluster(None));
    monitor(&mut host);
    assert_eq!(host.did("score"), ["score srv1 -1000"]);
}

#[test]
fn an_idle_primary_tells_a_new_standby_how_far_it_is() {
    let mut host = streaming();
    host.view.receiver.as_mut().unwrap().latest_end = None;
    monitor(&mut host);
    assert!(host.did("score").is_empty(), "not known is not level: {:?}", host.done);
    host.announced = Some(position(2, 0x501));
    monitor(&mut host);
    assert!(host.did("score").is_empty(), "{:?}", host.done);
    host.announced = Some(position(2, 0x500));
    monitor(&mut host);
    assert_eq!(host.did("score"), ["score srv1 900"]);
}

#[test]
fn an_approval_holds_for_one_promotion() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    host.promotions = vec![promotion("srv2")];
    let mut status = cluster(None);
    let approval = ("quorate-approve-pgsqld".to_owned(), "1".to_owned());
    status.attributes.entry("srv1".into()).or_default().extend([approval]);
    host.status = Some(status);
    host.timeline = timeline(2);
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::Success, "{:?}", host.log);
    assert_eq!(host.did("reserve"), ["reserve 3"]);
    assert_eq!(host.did("disapprove").len(), 0, "it changes the CIB");
    for _ in 0..3 {
        host.now += 10_000;
        monitor(&mut host);
    }
    assert_eq!(host.did("disapprove").len(), 1);
}

#[test]
fn who_was_promoted_by_hand_is_not_taken_for_promoted() {
    let mut host = FakeHost::new(Condition::Primary, position(4, 0x500));
    host.recorded = Some((PgRole::Standby, Phase::Running));
    host.promotions = vec![promotion("srv2")];
    host.status = Some(cluster(None));
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::ErrGeneric);
    host.recorded = Some((PgRole::Primary, Phase::Running));
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::Success);
}

/// Pacemaker in maintenance, PostgreSQL stopped by hand for an hour, and started by hand after the primary's end.
#[test]
fn what_a_server_knows_that_somebody_else_started_is_not_known() {
    for (recorded, knowledge) in
        [(Some((PgRole::Standby, Phase::Running)), Knowledge::Current), (None, Knowledge::Unproven)]
    {
        let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
        (host.memory.knowledge, host.memory.score) = (Knowledge::Current, Some(Score::Standby));
        host.recorded = recorded;
        monitor(&mut host);
        assert_eq!(host.memory.knowledge, knowledge, "monitor, {recorded:?}");
        let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
        host.memory.knowledge = Knowledge::Current;
        host.recorded = recorded;
        act(&mut host, Action::Start, &[]);
        assert_eq!(host.memory.knowledge, knowledge, "start, {recorded:?}");
    }
}
