//! Safe mode: who may lack commits says so, serves reads, and ends it when somebody is the primary again.

use super::*;

/// A standby of a cluster of two whose other instance is not there.
fn alone() -> FakeHost {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    let mut status = cluster(None);
    status.instances.retain(|i| i.nodes.iter().all(|n| n == "srv1"));
    host.status = Some(status);
    host
}

#[test]
fn it_is_published_once_and_taken_back_by_a_primary() {
    let mut host = alone();
    for _ in 0..3 {
        monitor(&mut host);
    }
    let said = host.did("safe");
    assert!(
        matches!(&said[..], [one] if one.contains("start the missing instances, 1 of 2 run")),
        "{said:?}"
    );
    assert_eq!(host.did("score"), [""; 0], "without a score it is no candidate: the read addresses stay");
    host.status = Some(cluster(Some("srv2")));
    monitor(&mut host);
    assert_eq!(host.did("no"), ["no safe mode"]);
}

#[test]
fn a_candidate_that_may_lack_commits_is_refused_and_goes_on_serving_reads() {
    let mut host = alone();
    host.memory.score = Some(Score::FirstStart);
    let report = act(&mut host, Action::Promote, &[]);
    assert_eq!(report.code, OcfCode::ErrGeneric);
    assert!(report.reason.contains("start the other instances"), "{}", report.reason);
    assert_eq!(host.did("score"), ["score srv1 -10"]);
    assert_eq!(host.did("safe").len(), 1);
}
