//! The order in which the record and the setting change, and what stops it.

use super::*;
use crate::pg::lsn::Lsn;
use crate::pg::view::{ConnectedStandby, Connection, SyncState};

fn primary(standby: Option<SyncState>) -> FakeHost {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x500));
    host.promotions = vec!["1:2:7:-:-:0000000a::srv1".parse().unwrap()];
    let mut status = cluster(Some("srv1"));
    status.quorate = Some(true);
    host.status = Some(status);
    host.standbys = standby
        .map(|sync_state| ConnectedStandby {
            application_name: "srv2".into(),
            state: "streaming".into(),
            sync_state,
            sent: None,
            flush: Some(Lsn(0x500)),
            connection: Connection::default(),
        })
        .into_iter()
        .collect();
    host
}

fn act_with(host: &mut FakeHost, action: Action, sync: &str, more: &[(&str, &str)]) -> Report {
    let mut env = environment(more);
    env.insert("OCF_RESKEY_sync".into(), sync.into());
    let (settings, problems) = Settings::tolerant(&env).unwrap();
    assert_eq!(problems, []);
    Agent::new(host, &env, Run::from(&env), settings).perform(action)
}

/// What it did about it, in order; a record without its number, which is a time.
fn steps(host: &FakeHost) -> Vec<String> {
    let done = host.done.iter().map(String::as_str);
    done.filter(|d| d.starts_with("voters") || d.starts_with("wait")).map(without_number).collect()
}

fn without_number(text: &str) -> String {
    match text.splitn(3, ':').collect::<Vec<_>>()[..] {
        [generation, _, rest] => format!("{generation}:{rest}"),
        _ => text.to_owned(),
    }
}

fn monitor_with(host: &mut FakeHost, sync: &str) -> Vec<String> {
    host.done.clear();
    act_with(host, Action::Monitor, sync, &[("interval", "15000")]);
    steps(host)
}

#[test]
fn a_standby_that_streams_is_waited_for_and_then_put_on_record() {
    let mut host = primary(Some(SyncState::Quorum));
    let on_record = "voters srv1,srv2 1:2:srv1,srv2";
    assert_eq!(monitor_with(&mut host, "prefer"), ["wait for ANY 1 (\"srv2\")", on_record, on_record]);
    assert_eq!(monitor_with(&mut host, "prefer"), [""; 0], "nothing changed, nobody is asked");
    assert_eq!(monitor_with(&mut host, "off"), ["voters srv1,srv2 1:0:", "wait for "]);
}

#[test]
fn who_goes_is_written_off_before_commits_stop_waiting_for_it() {
    let mut host = primary(None);
    host.synchronous = "ANY 1 (\"srv2\")".into();
    host.voters = vec!["1:1:2:srv1,srv2".parse().unwrap()];
    let leaving = [
        ("notify_type", "pre"),
        ("notify_operation", "stop"),
        ("notify_stop_uname", "srv2"),
        ("notify_promoted_uname", "srv1"),
    ];
    let mut without_quorum = host.clone();
    act_with(&mut host, Action::Notify, "prefer", &leaving);
    let alone = "voters srv1,srv2 1:1:srv1";
    // Once more right before the setting: it may be another call's, which nobody has heard.
    let weaker = "voters srv1,srv2 1:1:srv1,srv2";
    assert_eq!(steps(&host), [weaker, weaker, "wait for ", alone, alone]);
    // What is said in a partition of its own the others do not know. Pacemaker's status may be late.
    let mut late = without_quorum.clone();
    late.votequorum = Some(false);
    act_with(&mut late, Action::Notify, "prefer", &leaving);
    assert_eq!(steps(&late), [""; 0]);
    without_quorum.status.as_mut().unwrap().quorate = Some(false);
    act_with(&mut without_quorum, Action::Notify, "prefer", &leaving);
    assert_eq!(steps(&without_quorum), [""; 0]);
    // Not by a later call either, where an earlier one was cut off after the record.
    without_quorum.voters.push("1:2:1:srv1,srv2".parse().unwrap());
    act_with(&mut without_quorum, Action::Notify, "prefer", &leaving);
    assert_eq!(without_quorum.did("wait"), [""; 0]);
    assert_eq!(without_quorum.synchronous, "ANY 1 (\"srv2\")");
}

#[test]
fn a_standby_that_runs_gets_a_moment_to_stream_again() {
    let mut host = primary(None);
    host.synchronous = "ANY 1 (\"srv2\")".into();
    host.voters = vec!["1:1:2:srv1,srv2".parse().unwrap()];
    assert_eq!(monitor_with(&mut host, "prefer"), [""; 0]);
    host.now += 15_000;
    assert_eq!(monitor_with(&mut host, "prefer").get(2).map(String::as_str), Some("wait for "));
}

#[test]
fn a_setting_that_does_not_come_into_force_is_said() {
    let mut host = primary(Some(SyncState::Async));
    host.keeps_synchronous = true;
    act_with(&mut host, Action::Monitor, "prefer", &[("interval", "15000")]);
    assert!(host.log.iter().any(|(_, line)| line.contains("take it out of start_opts")), "{:?}", host.log);
    assert!(host.voters.is_empty());
}

#[test]
fn a_candidate_sets_the_names_ahead_and_needs_enough_answers() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    host.memory.knowledge = Knowledge::Current;
    host.promotions = vec!["1:2:7:-:-:0000000a::srv2".parse().unwrap()];
    host.status = Some(cluster(None));
    host.voters = vec!["1:1:2:srv1,srv2,srv3".parse().unwrap()];
    let mut alone = host.clone();
    let report = act_with(&mut alone, Action::Promote, "prefer", &[]);
    assert_eq!(report.code, OcfCode::ErrGeneric);
    assert!(report.reason.contains("start srv2, srv3: acknowledged"), "{}", report.reason);
    assert_eq!(alone.did("promote"), [""; 0]);
    host.ballots = vec![Ballot { node: "srv3".into(), position: position(2, 0x500), fitness: Fitness::Fit }];
    let report = act_with(&mut host, Action::Promote, "prefer", &[]);
    assert_eq!(report.code, OcfCode::Success, "{}", report.reason);
    let told: Vec<&str> = host
        .done
        .iter()
        .map(|d| d.split(' ').next().unwrap())
        .filter(|d| ["voters", "wait", "publish", "promote"].contains(d))
        .collect();
    assert_eq!(told, ["voters", "wait", "publish", "promote"]);
    assert_eq!(host.synchronous, "ANY 1 (\"srv3\")");
    let last = host.voters.last().map(|v| without_number(&v.to_string()));
    assert_eq!(last.as_deref(), Some("2:2:srv1,srv2,srv3"));
}

#[test]
fn the_record_is_put_there_again_where_every_attrd_has_lost_it() {
    let mut host = primary(Some(SyncState::Quorum));
    monitor_with(&mut host, "prefer");
    host.voters.clear();
    assert_eq!(monitor_with(&mut host, "prefer"), [""; 0], "not looked for at each monitor");
    host.now += 31_000;
    let again = "voters srv1,srv2 1:2:srv1,srv2";
    assert_eq!(monitor_with(&mut host, "prefer"), [again, again]);
}

#[test]
fn commits_that_wait_for_nobody_there_are_said_once() {
    let mut host = primary(None);
    host.synchronous = "ANY 1 (\"srv2\")".into();
    host.voters = vec!["1:1:2:srv1,srv2".parse().unwrap()];
    for _ in 0..3 {
        act_with(&mut host, Action::Monitor, "strict", &[("interval", "15000")]);
        host.now += 40_000;
    }
    let said =
        host.log.iter().filter(|(_, line)| line.contains("commits wait: 0 of 1 standbys stream")).count();
    assert_eq!(said, 1, "{:?}", host.log);
}

#[test]
fn who_was_not_told_of_the_record_knows_nothing_when_all_that_had_it_are_gone() {
    let candidate = |of: &str, role| {
        let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
        (host.memory.knowledge, host.memory.last_role) = (Knowledge::Current, role);
        host.promotions = vec!["1:2:7:-:-:0000000a::srv1".parse().unwrap()];
        host.mark = host.promotions.first().cloned();
        let mut status = cluster(None);
        status.instances.retain(|i| i.nodes.iter().all(|n| n == "srv1"));
        host.status = Some(status);
        host.voters_of = of.into();
        host
    };
    for (of, record, role, sync, won) in [
        ("srv1", "1:1:1:srv1", LastRole::Standby, "prefer", true),
        // Its own pacemaker-attrd has lost it; another node's has it, or none.
        ("srv2", "1:1:1:srv1", LastRole::Standby, "prefer", false),
        ("srv1", "", LastRole::Standby, "prefer", false),
        ("srv1", "", LastRole::Standby, "off", true),
        // It has its own commits.
        ("srv1", "", LastRole::Primary, "prefer", true),
    ] {
        let mut host = candidate(of, role);
        host.voters = record.parse().into_iter().collect();
        let report = act_with(&mut host, Action::Promote, sync, &[]);
        let row = format!("{of} {record:?} {role:?} {sync}: {}", report.reason);
        assert_eq!(report.code == OcfCode::Success, won, "{row}");
        assert!(won || report.reason.contains("start the other instances"), "{row}");
    }
}

#[test]
fn a_standby_counts_once_it_is_told_who_has_the_commits() {
    let mut host = streaming();
    host.voters_of = "srv2".into();
    host.voters = vec!["1:1:2:srv1,srv2".parse().unwrap()];
    for (of, knowledge) in [("srv2", Knowledge::Unproven), ("srv1", Knowledge::Current)] {
        host.voters_of = of.into();
        act_with(&mut host, Action::Monitor, "prefer", &[("interval", "15000")]);
        assert_eq!(host.memory.knowledge, knowledge, "{of}: {:?}", host.log);
    }
    assert!(host.log.iter().any(|(_, line)| line.contains("is not told yet")), "{:?}", host.log);
}
