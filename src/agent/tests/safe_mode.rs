//! Safe mode: who may lack commits says so, serves reads, and ends it when somebody is the primary again.

use super::*;
use crate::decide::clock::BootTime;

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
    monitor(&mut host);
    assert_eq!(host.did("safe"), [""; 0], "each cold start begins with the first instance alone");
    host.now += 21_000;
    for _ in 0..3 {
        monitor(&mut host);
        // As the CIB shows it.
        let reason = "start the missing instances, 1 of 2 run: nobody is promoted";
        let published = host.memory.safe_mode.clone().unwrap_or_else(|| reason.to_owned());
        let all = host.status.as_mut().unwrap().attributes.entry("srv1".into()).or_default();
        all.insert("quorate-safe-mode-pgsqld".into(), published);
    }
    let said = host.did("safe");
    assert!(
        matches!(&said[..], [one] if one.contains("start the missing instances, 1 of 2 run")),
        "{said:?}"
    );
    assert_eq!(host.did("score"), [""; 0], "without a score it is no candidate: the read addresses stay");
    let published = host.status.take().unwrap().attributes;
    let mut status = cluster(Some("srv2"));
    status.attributes = published;
    host.status = Some(status);
    monitor(&mut host);
    assert_eq!(host.did("no"), [""; 0], "not while the primary's address is brought up");
    host.now += 6_000;
    // Whatever became of the memory.
    host.memory.safe_mode = None;
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
    assert_eq!(host.did("score"), ["score srv1 -900"]);
    // The primary of a moment ago handed over to it once more.
    host.done.clear();
    act(&mut host, Action::Promote, &[]);
    assert_eq!(host.did("score"), ["score srv1 -900"], "whatever is remembered");
}

#[test]
fn what_starts_beside_an_approved_instance_does_not_bring_it_into_safe_mode() {
    for approved in [true, false] {
        let mut host = alone();
        host.memory.score = Some(Score::FirstStart);
        if approved {
            let all = host.status.as_mut().unwrap().attributes.entry("srv1".into()).or_default();
            all.insert("quorate-approve-pgsqld".into(), "1".into());
        }
        let started = [
            ("notify_type", "post"),
            ("notify_operation", "start"),
            ("notify_start_uname", "srv1"),
            ("clone_max", "3"),
        ];
        act(&mut host, Action::Notify, &started);
        let score = if approved { Score::FirstStart } else { Score::SafeMode };
        assert_eq!(host.memory.score, Some(score), "{:?}", host.log);
    }
}

#[test]
fn an_approval_that_nobody_needed_ends_with_a_primary() {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x500));
    host.promotions = vec!["1:2:7:-:-:0000000a::srv1".parse().unwrap()];
    let mut status = cluster(Some("srv1"));
    status.attributes.entry("srv2".into()).or_default().insert("quorate-approve-pgsqld".into(), "1".into());
    host.status = Some(status);
    host.memory.promoted = Some(BootTime::at(host.now));
    // In a reign before this one.
    host.memory.approvals_looked = Some(BootTime::at(0));
    host.now += 10_000;
    monitor(&mut host);
    assert_eq!(host.did("disapprove"), [""; 0], "not before the promotion has settled");
    host.now += 21_000;
    monitor(&mut host);
    assert_eq!(host.did("disapprove"), ["disapprove srv2"]);
    monitor(&mut host);
    assert_eq!(host.did("disapprove").len(), 1, "looked for now and then");
}

/// `quorate recover` compares them on any node.
#[test]
fn a_monitor_reports_where_the_instance_is() {
    let mut host = alone();
    host.mark = Some("1:2:7:-:-:0000000a::srv2".parse().unwrap());
    monitor(&mut host);
    monitor(&mut host);
    let reported: Vec<String> = host.reported.iter().map(ToString::to_string).collect();
    assert_eq!(reported, ["2:0/500:0000000a"], "once, while it does not change");
    host.now += 61_000;
    monitor(&mut host);
    assert_eq!(host.reported.len(), 2, "pacemaker-attrd may have lost it");
}
