//! A start on data that can't follow the primary.

use super::*;
use crate::boundary::fake::Unit;
use crate::decide::promotions::Promotion;
use crate::decide::rejoin::{Phase, Way};

/// A former primary at rest, 232 bytes past the point where the new one left its timeline.
fn diverged(unit: Unit) -> FakeHost {
    let mut host = FakeHost::new(Condition::Standby, position(1, 0x500_0148));
    host.at_rest = true;
    host.status = Some(cluster(Some("srv2")));
    host.histories = vec![History::parse(timeline(2), "1\t0/5000060\tx\n").unwrap()];
    host.memory.last_role = LastRole::Primary;
    host.unit = unit;
    host.promotions = vec![ON_RECORD.parse().unwrap()];
    host
}

/// srv2 was promoted last.
const ON_RECORD: &str = "2:2:7:1:0/5000060:00000009:0000000a:srv2";

fn start(host: &mut FakeHost) -> Report {
    act(host, Action::Start, &[])
}

#[test]
fn a_short_rewind_is_waited_for() {
    let mut host = diverged(Unit::Takes(3_000, Phase::Starting));
    let report = start(&mut host);
    assert_eq!(report.code, OcfCode::Success, "{}", report.reason);
    assert_eq!(host.did("ask"), ["ask pg_rewind"]);
    let launched = host.done.iter().rposition(|done| done == "launch");
    assert!(at(&host, "ask") < launched, "{:?}", host.done);
    assert_eq!(host.memory.last_role, LastRole::Standby, "what is remembered is of the data before");
}

#[test]
fn a_long_one_ends_the_start_and_goes_on() {
    let mut host = diverged(Unit::Takes(3_600_000, Phase::Starting));
    let report = start(&mut host);
    assert_eq!(report.code, OcfCode::ErrGeneric);
    assert!(report.reason.starts_with("rejoin: ") && report.reason.contains("started when that is done"));
    assert_eq!(host.did("abandon"), ["abandon"], "the unit has it started");
    // It was seen once it had streamed, and brought down.
    assert_eq!((host.did("launch").len(), host.condition), (1, Condition::Down));
    // Asked again meanwhile, as after a boot of the node.
    let report = start(&mut host);
    assert_eq!((report.code, host.did("ask").len(), host.did("launch").len()), (OcfCode::ErrGeneric, 1, 1));
}

#[test]
fn half_replaced_data_are_never_started() {
    for phase in [Phase::Rewinding, Phase::Swapping, Phase::Configuring] {
        let mut host = diverged(Unit::Takes(3_000, Phase::Starting));
        start(&mut host);
        let task = host.task.clone();
        // The node lost its power in the middle.
        let mut host = diverged(Unit::Dies);
        host.task = task.map(|task| crate::decide::rejoin::Task { phase, half: true, ..task });
        let report = start(&mut host);
        assert_eq!((report.code, host.did("launch").len()), (OcfCode::ErrGeneric, 0), "{phase:?}");
        assert_eq!(host.did("ask").len(), 1, "{phase:?}: the unit is started again");
        // Nobody to copy from: still no mixture of two servers.
        host.status = Some(cluster(None));
        let report = start(&mut host);
        assert_eq!((report.code, host.did("launch").len()), (OcfCode::ErrGeneric, 0), "{phase:?}");
        assert!(report.reason.contains("it is started when that is done"), "{}", report.reason);
        assert_eq!(host.did("abandon").last(), Some(&"abandon"), "nobody would start it");
    }
}

#[test]
fn untouched_data_are_a_candidate_when_the_primary_is_gone() {
    let mut host = diverged(Unit::Takes(3_600_000, Phase::Starting));
    start(&mut host);
    let task = host.task.clone();
    let mut host = diverged(Unit::Dies);
    (host.task, host.status, host.histories) = (task, Some(cluster(None)), Vec::new());
    let report = start(&mut host);
    assert_eq!(report.code, OcfCode::Success, "{}", report.reason);
    assert_eq!(host.did("drop"), ["drop"]);
}

#[test]
fn without_a_unit_it_is_refused_as_ever() {
    let mut host = diverged(Unit::Missing);
    let report = start(&mut host);
    assert_eq!(report.code, OcfCode::ErrGeneric);
    assert!(
        report.reason.contains("data diverged") && report.reason.contains("pg_rewind"),
        "{}",
        report.reason
    );
    assert_eq!(host.condition, Condition::Down);
}

#[test]
fn a_policy_of_stop_touches_nothing() {
    let mut host = diverged(Unit::Takes(0, Phase::Starting));
    let mut env = environment(&[]);
    env.insert("OCF_RESKEY_on_diverged".into(), "stop".into());
    let (settings, _) = Settings::tolerant(&env).unwrap();
    let report = Agent::new(&mut host, &env, Run::from(&env), settings).perform(Action::Start);
    assert_eq!((report.code, host.did("ask").len()), (OcfCode::ErrGeneric, 0));
}

/// Who was promoted by hand passes for a primary in Pacemaker's status. In the middle of a failover there is none at all. The unit
/// waits for the one on record; the start does not, for the next promotion waits for the end of every start.
#[test]
fn only_the_primary_on_record_replaces_data() {
    for promotions in [vec!["3:3:7:1:0/300:0000000a:00000009:srv3".parse().unwrap()], Vec::new()] {
        waits_for_another_primary(promotions);
    }
}

fn waits_for_another_primary(promotions: Vec<Promotion>) {
    let mut host = diverged(Unit::Takes(3_600_000, Phase::Starting));
    host.promotions = promotions;
    let before = host.now;
    let report = start(&mut host);
    assert_eq!((report.code, host.did("abandon").len()), (OcfCode::ErrGeneric, 1), "{}", report.reason);
    // It was seen by the primary's history, and brought down.
    assert_eq!(host.condition, Condition::Down);
    assert!(
        host.now - before < 4_000 && report.reason.contains("waiting for a primary"),
        "{}",
        report.reason
    );
}

#[test]
fn an_operators_request_is_used_once() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500_0148));
    host.at_rest = true;
    let mut status = cluster(Some("srv2"));
    let name = crate::decide::rejoin::request_attribute("pgsqld");
    status.attributes.entry("srv1".into()).or_default().insert(name, "copy,accept-loss".into());
    host.status = Some(status);
    host.promotions = vec![ON_RECORD.parse().unwrap()];
    host.unit = Unit::Takes(3_600_000, Phase::Starting);
    let report = start(&mut host);
    assert_eq!((report.code, host.did("ask")), (OcfCode::ErrGeneric, vec!["ask pg_basebackup"]));
    assert_eq!(host.did("request"), ["request taken back"]);
    let task = host.task.unwrap();
    assert!(task.loss_accepted && task.way == Way::Copy);
}

fn at(host: &FakeHost, word: &str) -> Option<usize> {
    host.done.iter().position(|done| done.starts_with(word))
}
