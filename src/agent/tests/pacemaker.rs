//! What Pacemaker's daemons and plans do to an instance's score and vote, on a played host.

use super::*;
use crate::decide::clock::BootTime;
use crate::decide::kept_score::DOUBT;
use crate::pg::view::{Answer, Rejection};

#[test]
fn a_score_that_the_cib_lost_is_sent_again_by_the_next_monitor() {
    let mut host = FakeHost::new(Condition::Standby, position(3, 0x500));
    host.memory.knowledge = Knowledge::Current;
    host.memory.score = Some(Score::Standby);
    host.memory.score_doubted = Some(BootTime::at(host.now));
    host.status = Some(cluster(None));
    monitor(&mut host);
    assert_eq!(host.did("score"), ["score srv1 900 again"]);
    let mut found = cluster(None);
    found.attributes.entry("srv1".into()).or_default().insert("master-pgsqld".into(), "900".into());
    host.status = Some(found);
    host.now += DOUBT;
    monitor(&mut host);
    assert_eq!(host.memory.score_doubted, None);
    host.status = Some(cluster(None));
    monitor(&mut host);
    assert_eq!(host.did("score").len(), 1, "without a doubt nobody looks: {:?}", host.done);
}

#[test]
fn a_vote_waits_for_a_server_that_is_full_of_clients() {
    let plan = [
        ("notify_type", "pre"),
        ("notify_operation", "promote"),
        ("notify_promote_uname", "srv2"),
        ("notify_unpromoted_uname", "srv1 srv2"),
    ];
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    host.answer = Some(Answer::Rejects(Rejection::TooManyConnections));
    let begun = host.now;
    act(&mut host, Action::Notify, &plan);
    let waited = host.now - begun;
    assert!((5_000..8_000).contains(&waited), "{waited} ms");
    assert_eq!(host.did("vote").len(), 0, "{:?}", host.done);
    // Then with the WAL that it has.
    host.wal_end = Some(position(2, 0x180));
    act(&mut host, Action::Notify, &plan);
    assert_eq!(host.did("vote"), ["vote 2:0/180"]);
    // One that is down is not waited for.
    let mut host = FakeHost::new(Condition::Down, position(2, 0x100));
    let begun = host.now;
    act(&mut host, Action::Notify, &plan);
    assert!(host.now - begun < 2_000, "{} ms", host.now - begun);
}

#[test]
fn a_clone_with_two_primaries_is_refused() {
    let beside = [
        ("promoted_max", "2"),
        ("notify_promote_uname", "srv1"),
        ("notify_promoted_uname", "srv2"),
        ("notify_unpromoted_uname", "srv1"),
    ];
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    host.memory.knowledge = Knowledge::Current;
    let report = act(&mut host, Action::Promote, &beside);
    assert_eq!(report.code, OcfCode::ErrInstalled, "{}", report.reason);
    assert!(report.reason.contains("promoted-max=1"), "{}", report.reason);
    assert_eq!(host.did("promote").len(), 0);
    let mut host = FakeHost::new(Condition::Down, position(2, 0x100));
    // Whether somebody is promoted is not known: for "configured" Pacemaker would stop a primary too.
    assert_eq!(act(&mut host, Action::Start, &[("promoted_max", "2")]).code, OcfCode::ErrInstalled);
    assert_eq!(host.did("launch").len(), 0);
}
