//! The shells on a played host: the order of calls, the deadlines, what is written when.

mod archive;
mod disk;
mod hiccup;
mod pacemaker;
mod record;
mod rejoin;
mod safe_mode;
mod slots;
mod synchronous;

use std::time::Duration;

use super::{Agent, Report};
use crate::boundary::fake::{Condition, Failing, FakeHost};
use crate::boundary::host::HostError;
use crate::boundary::host::Level;
use crate::cluster::crm_mon::{self, Status};
use crate::decide::election::{Ballot, Fitness};
use crate::decide::facts::RunState;
use crate::decide::memory::{Knowledge, LastRole, Memory};
use crate::decide::promotion_score::Score;
use crate::decide::samples::{position, receiver, timeline};
use crate::ocf::{Action, Environment, OcfCode, Run, Settings};
use crate::pg::history::{Broken, History};
use crate::pg::instance::Phase;
use crate::pg::role::PgRole;

const TIMEOUT_MS: u64 = 20_000;

fn environment(more: &[(&str, &str)]) -> Environment {
    let mut env: Environment = [
        ("OCF_RESKEY_pgdata", "/nowhere"),
        ("OCF_RESOURCE_INSTANCE", "pgsqld:0"),
        ("OCF_RESKEY_CRM_meta_on_node", "srv1"),
        ("OCF_RESKEY_CRM_meta_timeout", "20000"),
        ("OCF_RESKEY_CRM_meta_clone_max", "2"),
        ("OCF_RESKEY_CRM_meta_notify", "true"),
    ]
    .iter()
    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
    .collect();
    env.extend(more.iter().map(|(k, v)| (format!("OCF_RESKEY_CRM_meta_{k}"), (*v).to_owned())));
    env
}

/// Runs one action, and asserts what holds for all: it ends before Pacemaker's timeout.
fn act(host: &mut FakeHost, action: Action, more: &[(&str, &str)]) -> Report {
    let env = environment(more);
    let (settings, _) = Settings::tolerant(&env).unwrap();
    let begun = host.now;
    let report = Agent::new(host, &env, Run::from(&env), settings).perform(action);
    assert!(host.now - begun < TIMEOUT_MS, "{action} took {} ms in {:?}", host.now - begun, host.condition);
    report
}

fn monitor(host: &mut FakeHost) -> Report {
    act(host, Action::Monitor, &[("interval", "15000")])
}

/// A cluster of two in which `primary` is promoted.
fn cluster(primary: Option<&str>) -> Status {
    let role = |node| if Some(node) == primary { "Promoted" } else { "Unpromoted" };
    let xml = format!(
        r#"<pacemaker-result api-version="2.25" request="crm_mon"><nodes>
        <node name="srv1" id="1" online="true" standby="false" unclean="false" pending="false"/>
        <node name="srv2" id="2" online="true" standby="false" unclean="false" pending="false"/></nodes>
        <resources><clone id="pgsqld-clone" multi_state="true">
        <resource id="pgsqld" resource_agent="ocf:quorate:postgres" role="{}" active="true" failed="false" managed="true" blocked="false"><node name="srv1" id="1" cached="false"/></resource>
        <resource id="pgsqld" resource_agent="ocf:quorate:postgres" role="{}" active="true" failed="false" managed="true" blocked="false"><node name="srv2" id="2" cached="false"/></resource>
        </clone></resources><status code="0" message="OK"/></pacemaker-result>"#,
        role("srv1"),
        role("srv2"),
    );
    crm_mon::parse(&xml).unwrap()
}

fn streaming() -> FakeHost {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    host.view.receiver = Some(receiver("srv2", 2, 0x500));
    host.status = Some(cluster(Some("srv2")));
    host
}

#[test]
fn every_action_ends_in_time_in_every_condition_with_every_failure() {
    let conditions = [
        Condition::Down,
        Condition::Standby,
        Condition::Primary,
        Condition::Frozen,
        Condition::Deaf,
        Condition::Immortal,
        Condition::Orphans,
    ];
    for condition in conditions {
        for failing in
            [Failing::Nothing, Failing::Cluster, Failing::Launch, Failing::Writes, Failing::Histories]
        {
            for action in [
                Action::Start,
                Action::Stop,
                Action::Promote,
                Action::Demote,
                Action::Monitor,
                Action::Notify,
            ] {
                let mut host = FakeHost::new(condition, position(1, 0x100));
                host.failing = failing;
                let report = act(&mut host, action, &[("interval", "15000")]);
                assert!(!report.reason.is_empty());
                if action == Action::Stop {
                    let stopped = report.code == OcfCode::Success;
                    assert_eq!(
                        stopped,
                        condition != Condition::Immortal,
                        "{condition:?} {failing:?} {report:?}"
                    );
                }
                if action == Action::Notify {
                    assert_eq!(report.code, OcfCode::Success);
                }
            }
        }
    }
}

#[test]
fn a_frozen_server_fails_the_monitor_at_once_and_stops_by_sigkill() {
    let mut host = FakeHost::new(Condition::Frozen, position(1, 0x100));
    let begun = host.now;
    assert_eq!(monitor(&mut host).code, OcfCode::ErrGeneric);
    assert!(host.now - begun < 4_000, "{}", host.now - begun);
    assert_eq!(act(&mut host, Action::Stop, &[]).code, OcfCode::Success);
    assert_eq!(host.did("send"), ["send Killed"]);
}

#[test]
fn a_deaf_server_is_asked_twice_then_killed() {
    let mut host = FakeHost::new(Condition::Deaf, position(1, 0x100));
    assert_eq!(act(&mut host, Action::Stop, &[]).code, OcfCode::Success);
    assert_eq!(host.did("send"), ["send Fast", "send Immediate", "send Killed"]);
}

#[test]
fn a_hanging_archive_command_does_not_hold_up_a_switchover() {
    let mut host = FakeHost::new(Condition::Primary, position(1, 0x100));
    (host.archiver_hangs, host.status) = (true, Some(cluster(None)));
    let begun = host.now;
    act(&mut host, Action::Demote, &[("timeout", "120000")]);
    assert_eq!(host.did("send"), ["send Fast", "send Immediate"]);
    let took = host.now - begun;
    assert!((10_000..13_000).contains(&took), "one that works has ten seconds, and no more: {took} ms");
}

#[test]
fn a_probe_changes_nothing() {
    for condition in
        [Condition::Down, Condition::Standby, Condition::Primary, Condition::Frozen, Condition::Orphans]
    {
        let mut host = FakeHost::new(condition, position(1, 0x100));
        host.status = Some(cluster(None));
        act(&mut host, Action::Monitor, &[]);
        assert_eq!(
            (host.done.len(), &host.memory),
            (0, &Memory::default()),
            "{condition:?}: {:?}",
            host.done
        );
    }
}

#[test]
fn a_probe_gives_the_primary_back_the_score_that_went_with_pacemakers_executor() {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
    host.memory.last_role = LastRole::Primary;
    host.memory.kept = Some(1);
    assert_eq!(act(&mut host, Action::Monitor, &[]).code, OcfCode::RunningPromoted);
    assert_eq!(act(&mut host, Action::Monitor, &[]).code, OcfCode::RunningPromoted);
    // pacemaker-attrd has 1001 still and would not pass it on.
    assert_eq!(host.done, ["score srv1 1002"]);
    monitor(&mut host);
    assert_eq!(host.done[1..], ["score srv1 1001"]);
    // Also where its controller alone died, and no primary that wants to hand over is raised.
    act(&mut host, Action::Monitor, &[]);
    assert_eq!(host.done[2..], ["score srv1 1002"]);
    host.memory.score = Some(Score::from(150));
    act(&mut host, Action::Monitor, &[]);
    assert_eq!(host.done.len(), 3);
}

#[test]
fn a_standby_whose_receiver_is_stopped_is_restarted_and_no_candidate() {
    let mut host = streaming();
    monitor(&mut host);
    host.receiver = RunState::Stopped;
    let report = monitor(&mut host);
    assert_eq!(report.code, OcfCode::ErrGeneric);
    assert!(report.reason.contains("WAL receiver"), "{}", report.reason);
    assert_eq!(host.did("score"), ["score srv1 900", "score srv1 -1000"]);
    for other in [RunState::Running, RunState::Uninterruptible] {
        let mut host = streaming();
        host.receiver = other;
        assert_eq!(monitor(&mut host).code, OcfCode::Success);
    }
}

#[test]
fn a_probe_without_binaries_finds_nothing_running() {
    let mut host = FakeHost::new(Condition::Down, position(1, 0x100));
    host.installation = Err(HostError::missing("no postgres here"));
    assert_eq!(act(&mut host, Action::Monitor, &[]).code, OcfCode::NotRunning);
    assert_eq!(act(&mut host, Action::Start, &[]).code, OcfCode::ErrInstalled);
}

#[test]
fn a_steady_standby_asks_the_cluster_once_and_writes_once() {
    let mut host = streaming();
    for _ in 0..20 {
        assert_eq!(monitor(&mut host).code, OcfCode::Success);
        host.now += 16_000;
    }
    assert_eq!(host.done, ["score srv1 900"]);
    assert_eq!(host.memory.knowledge, Knowledge::Current);
}

#[test]
fn a_standby_without_a_primary_to_stream_from_is_pointed_at_the_right_one() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    host.status = Some(cluster(Some("srv2")));
    host.view.primary_conninfo = Some("host=srv9 user=replicator".into());
    monitor(&mut host);
    let repointed = host.did("repoint");
    assert!(repointed.len() == 1 && repointed[0].contains("host=srv2"), "{repointed:?}");
}

#[test]
fn a_diverged_standby_is_neither_healthy_nor_a_candidate() {
    let mut host = FakeHost::new(Condition::Standby, position(1, 0x500_0148));
    host.status = Some(cluster(Some("srv2")));
    host.histories = vec![History::parse(timeline(2), "1\t0/5000060\tx\n").unwrap()];
    let report = monitor(&mut host);
    assert_eq!(report.code, OcfCode::ErrGeneric);
    assert!(report.reason.contains("0/5000060") && report.reason.contains("0/5000148"), "{}", report.reason);
    assert_eq!(host.did("score"), ["score srv1 -1000"]);
}

#[test]
fn a_standby_whose_histories_are_unreadable_proves_nothing() {
    let mut host = streaming();
    host.failing = Failing::Histories;
    for _ in 0..3 {
        assert_eq!(monitor(&mut host).code, OcfCode::Success);
    }
    assert_eq!((host.memory.knowledge, host.did("score").len()), (Knowledge::Unproven, 0));
    assert_eq!(host.log.len(), 1, "complained once: {:?}", host.log);
}

/// A restored archive, or a crash, leaves an empty history somewhere in pg_wal.
#[test]
fn a_broken_history_that_postgresql_never_reads_decides_over_no_promotion() {
    let broken =
        |number| Broken { timeline: timeline(number), why: format!("pg_wal/0000000{number}.history: empty") };
    for (number, code) in [(9, OcfCode::Success), (3, OcfCode::ErrGeneric), (2, OcfCode::ErrGeneric)] {
        let mut host = streaming();
        host.memory.knowledge = Knowledge::Current;
        host.broken_histories = vec![broken(number)];
        let report = act(&mut host, Action::Promote, &[]);
        assert_eq!(report.code, code, "{number}: {report:?}");
        let named = |text: &str| text.contains(&format!("0000000{number}.history"));
        let said = named(&report.reason) || host.log.iter().any(|(_, line)| named(line));
        assert!(said, "{report:?} {:?}", host.log);
    }
}

#[test]
fn a_lost_election_is_handed_over_and_fails() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    host.memory.knowledge = Knowledge::Current;
    host.ballots = vec![Ballot { node: "srv2".into(), position: position(2, 0x900), fitness: Fitness::Fit }];
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::ErrGeneric);
    assert_eq!(host.did("promote").len(), 0);
    assert_eq!(host.did("score"), ["score srv1 500", "score srv2 1001"]);
}

#[test]
fn nobody_is_promoted_while_the_old_primary_still_sends() {
    let connected = |fed| {
        let mut host = streaming();
        host.memory.knowledge = Knowledge::Current;
        host.fed = fed;
        host
    };
    let mut host = connected(5);
    let begun = host.now;
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::Success);
    assert!(host.now - begun > 2_000, "it did not wait for the end: {} ms", host.now - begun);
    assert_eq!(host.log.iter().filter(|(level, _)| *level == Level::Warning).count(), 1, "{:?}", host.log);

    // The others may have received more than they told: they are asked anew, in another election.
    let mut several = connected(5);
    several.ballots =
        vec![Ballot { node: "srv3".into(), position: position(2, 0x500), fitness: Fitness::Fit }];
    let mut anew = several.clone();
    assert_eq!(act(&mut several, Action::Promote, &[]).code, OcfCode::ErrGeneric);
    assert_eq!(several.did("promote").len() + several.did("score").len(), 0, "{:?}", several.done);
    anew.fed = 0;
    assert_eq!(act(&mut anew, Action::Promote, &[]).code, OcfCode::Success);

    let mut zombie = connected(u32::MAX);
    let report = act(&mut zombie, Action::Promote, &[]);
    assert_eq!((report.code, zombie.did("promote").len()), (OcfCode::ErrGeneric, 0));

    // A connection to a node that lost its power looks like one that is good.
    let mut gone = connected(0);
    let begun = gone.now;
    assert_eq!(act(&mut gone, Action::Promote, &[]).code, OcfCode::Success);
    assert!((500..1_000).contains(&(gone.now - begun)), "one more look: {} ms", gone.now - begun);
    let mut cut = connected(0);
    cut.view.receiver = None;
    let begun = cut.now;
    assert_eq!(act(&mut cut, Action::Promote, &[]).code, OcfCode::Success);
    assert!(cut.now - begun < 400, "it waits for nothing: {} ms", cut.now - begun);
}

#[test]
fn an_unproven_node_is_not_promoted_alone() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::ErrGeneric);
    assert_eq!(host.did("promote").len(), 0);
}

#[test]
fn a_promotion_is_done_when_a_write_is() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    host.memory.knowledge = Knowledge::Current;
    let mut full = host.clone();
    assert_eq!(act(&mut host, Action::Promote, &[]).code, OcfCode::Success);
    full.failing = Failing::Writes;
    assert_eq!(act(&mut full, Action::Promote, &[]).code, OcfCode::ErrGeneric);
}

#[test]
fn a_hung_cluster_does_not_fail_a_healthy_primary() {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
    host.failing = Failing::Cluster;
    assert_eq!(monitor(&mut host).code, OcfCode::RunningPromoted);
    assert_eq!(monitor(&mut host).code, OcfCode::RunningPromoted);
    let complaints = host.log.iter().filter(|(_, line)| line.contains("could not be set")).count();
    assert_eq!(complaints, 1, "logged once: {:?}", host.log);
}

#[test]
fn a_demotion_ends_in_a_standby() {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
    host.status = Some(cluster(None));
    // The fake has no control file, which a launch needs: the shell refuses, with the reason.
    let report = act(&mut host, Action::Demote, &[]);
    assert_eq!((report.code, host.condition), (OcfCode::ErrInstalled, Condition::Down));
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    assert_eq!(act(&mut host, Action::Demote, &[]).code, OcfCode::Success);
}

#[test]
fn after_a_promotion_everybody_follows_the_new_primary() {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    host.memory.knowledge = Knowledge::Current;
    host.memory.score = Some(Score::from(1001));
    act(
        &mut host,
        Action::Notify,
        &[
            ("notify_type", "post"),
            ("notify_operation", "promote"),
            ("notify_promote_uname", "srv2"),
            ("notify_unpromoted_uname", "srv1 srv2"),
        ],
    );
    assert!(host.done[0].starts_with("repoint") && host.done[0].contains("host=srv2"), "{:?}", host.done);
    assert_eq!(host.done[1..], ["unvote"], "a score written now aborts the start of the float IP");
}

#[test]
fn a_primary_steps_down_before_its_successor_is_promoted() {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
    host.memory.score = Some(Score::from(1001));
    let plan = [
        ("notify_type", "pre"),
        ("notify_operation", "demote"),
        ("notify_demote_uname", "srv1"),
        ("notify_promote_uname", "srv2"),
        ("notify_promoted_uname", "srv1"),
        ("notify_unpromoted_uname", "srv2"),
    ];
    act(&mut host, Action::Notify, &plan);
    assert_eq!(host.done, ["score srv1 900", "checkpoint"]);
}

#[test]
fn a_recovery_starts_the_instance_once() {
    let mut host = FakeHost::new(Condition::Frozen, position(2, 0x100));
    host.memory.score = Some(Score::from(1001));
    let plan =
        [("notify_demote_uname", "srv1"), ("notify_stop_uname", "srv1"), ("notify_start_uname", "srv1")];
    assert_eq!(act(&mut host, Action::Demote, &plan).code, OcfCode::Success);
    assert_eq!(act(&mut host, Action::Stop, &plan).code, OcfCode::Success);
    assert_eq!(host.done, ["send Killed"], "neither a start in between nor a deleted score");
    assert_eq!(host.memory.score, Some(Score::Primary));
}

#[test]
fn the_budget_of_a_wait_is_the_operations() {
    let mut host = FakeHost::new(Condition::Deaf, position(1, 0x100));
    let begun = host.now;
    let report = monitor(&mut host);
    let took = Duration::from_millis(host.now - begun);
    assert_eq!(report.code, OcfCode::ErrGeneric);
    assert!(
        took >= Duration::from_secs(17) && took < Duration::from_secs(20),
        "a loaded server gets its time: {took:?}"
    );
}

#[test]
fn quorated_knows_a_primary_before_it_takes_writes_and_a_stop_before_it_is_over() {
    let mut host = FakeHost::new(Condition::Standby, position(1, 100));
    host.memory.knowledge = Knowledge::Current;
    // Its promotion fails at the proof: it may take writes all the same.
    host.failing = Failing::Writes;
    act(&mut host, Action::Promote, &[]);
    assert_eq!(host.recorded, Some((PgRole::Primary, Phase::Running)));
    // It can't be ended: it is still a primary, whose end is wanted.
    host.condition = Condition::Immortal;
    act(&mut host, Action::Stop, &[]);
    assert_eq!(host.recorded, Some((PgRole::Primary, Phase::Stopping)));
    host.condition = Condition::Primary;
    act(&mut host, Action::Stop, &[]);
    assert_eq!(host.recorded, None);
}

#[test]
fn nothing_starts_or_is_promoted_on_a_node_that_announced_its_self_fencing() {
    for (condition, action) in [(Condition::Down, Action::Start), (Condition::Standby, Action::Promote)] {
        let mut host = FakeHost::new(condition, position(1, 100));
        host.memory.knowledge = Knowledge::Current;
        host.resetting = Some("hangs: corosync".into());
        let report = act(&mut host, action, &[]);
        assert_eq!(report.code, OcfCode::ErrGeneric, "{action}");
        assert!(report.reason.contains("being reset"), "{}", report.reason);
        assert!(host.did("launch").is_empty() && host.did("promote").is_empty(), "{:?}", host.done);
    }
}
