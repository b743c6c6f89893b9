//! Promotion scores: always a candidate, never a stale one, and no write without a change. PAF's faults 7, 8, 9 and 12.

use std::time::Duration;

use crate::support::{Node, Run, SOON, Tools, World, code, wait_for};

fn monitor(node: &Node<'_>) -> Run {
    node.call("monitor").recurring().timeout(10).run()
}

/// One primary and one standby, both started by the agent and monitored once.
fn pair(world: &World) -> [Node<'_>; 2] {
    let [one, two] = world.pair();
    monitor(&one).assert_code(code::PROMOTED);
    monitor(&two).assert_code(code::SUCCESS);
    [one, two]
}

#[test]
fn the_primary_scores_highest_and_the_standby_is_a_candidate() {
    let world = World::new("scores");
    let _pair = pair(&world);
    let (one, two) = (world.score("srv1"), world.score("srv2"));
    assert!(two.is_some_and(|s| s > 0), "the standby is no candidate: {two:?}");
    assert!(one > two, "{one:?} {two:?}");
}

/// PAF #26, #220: only the primary refreshes scores. If its monitor never runs again, the standby must stay a candidate.
#[test]
fn a_standby_is_a_candidate_without_the_primarys_help() {
    let world = World::new("score-alone");
    let primary = world.primary(1);
    let standby = primary.standby(2);
    standby.must("start", code::SUCCESS);
    wait_for("streaming standby", SOON, || primary.streams_to("srv2").then_some(()));
    // The primary is idle and does not say how far it is: not known is not level.
    monitor(&standby).assert_code(code::SUCCESS);
    assert_eq!(world.score("srv2"), None);
    // The primary's monitor never ran; that a standby was started it is told.
    let lists = [("start_uname", "srv2"), ("promoted_uname", "srv1"), ("unpromoted_uname", "srv2")];
    primary.call("notify").notify("post", "start", &lists).must(code::SUCCESS);
    standby.call("notify").notify("post", "start", &lists).must(code::SUCCESS);
    assert!(world.score("srv2").is_some_and(|s| s > 0), "{:?}", world.score("srv2"));
}

/// "The primary lost within 15 s of any role change: no failover at all" is PAF's.
#[test]
fn no_window_without_a_candidate_after_a_role_change() {
    let world = World::new("score-window");
    let [one, two] = pair(&world);
    let lists = [
        ("promote_uname", "srv2"),
        ("demote_uname", "srv1"),
        ("promoted_uname", "srv1"),
        ("unpromoted_uname", "srv2"),
    ];
    let tell = |when: &str, what: &str| {
        for node in [&one, &two] {
            node.call("notify").notify(when, what, &lists).must(code::SUCCESS);
        }
    };
    tell("pre", "demote");
    one.must("demote", code::SUCCESS);
    tell("post", "demote");
    tell("pre", "promote");
    two.call("promote").notify("pre", "promote", &lists).must(code::SUCCESS);
    tell("post", "promote");
    wait_for("old primary that streams", SOON, || two.streams_to("srv1").then_some(()));
    // At most its own monitor later.
    monitor(&one).assert_code(code::SUCCESS);
    assert!(world.score("srv1").is_some_and(|s| s > 0), "{:?}", world.score("srv1"));
    // Equal for a few seconds: of equals Pacemaker prefers the promoted one.
    assert!(world.score("srv2") >= world.score("srv1"));
    // A write right after the promotion would abort the transition that starts the float IP; it comes a moment later.
    std::thread::sleep(Duration::from_secs(6));
    monitor(&two).assert_code(code::PROMOTED);
    assert!(world.score("srv2") > world.score("srv1"), "{:?} {:?}", world.score("srv2"), world.score("srv1"));
}

/// PAF #56: a dead primary keeps its 1001.
#[test]
fn a_stopped_primary_keeps_no_score() {
    let world = World::new("score-stopped");
    let [one, _two] = pair(&world);
    one.must("stop", code::SUCCESS);
    assert!(world.score("srv1").is_none_or(|s| s < 0), "{:?}", world.score("srv1"));
}

/// heartbeat:pgsql #2036, PAF #123: a standby that does not stream stays a healthy candidate.
#[test]
fn a_standby_that_does_not_stream_ranks_below_one_that_does() {
    let world = World::new("score-stream");
    let one = world.node(1);
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    one.sql("create role other replication login");
    let two = one.standby(2);
    let three = one.standby(3);
    let as_other =
        |action: &str| three.call(action).param("replication_conninfo", "user=other port=5432").timeout(15);
    two.must("start", code::SUCCESS);
    as_other("start").must(code::SUCCESS);
    for standby in [&two, &three] {
        wait_for("streaming standby", SOON, || one.streams_to(&standby.name).then_some(()));
    }
    one.send_wal();
    // Nobody rises above a primary that has no score of its own yet.
    monitor(&two).assert_code(code::SUCCESS);
    assert_eq!(world.score("srv2"), None);
    monitor(&one).assert_code(code::PROMOTED);
    monitor(&two).assert_code(code::SUCCESS);
    as_other("monitor").recurring().must(code::SUCCESS);
    assert!(world.score("srv3").is_some_and(|s| s > 0), "{:?}", world.score("srv3"));
    // The primary refuses srv3, and nothing that the agent does can change it.
    one.sql("alter role other nologin");
    one.sql("select pg_terminate_backend(pid) from pg_stat_replication where application_name = 'srv3'");
    wait_for("end of the stream", SOON, || (!one.streams_to("srv3")).then_some(()));
    one.write();
    one.wait_caught_up(&two);
    let _ = as_other("monitor").recurring().run();
    std::thread::sleep(Duration::from_secs(7));
    let _ = as_other("monitor").recurring().run();
    monitor(&one).assert_code(code::PROMOTED);
    monitor(&two).assert_code(code::SUCCESS);
    assert!(world.score("srv3") < world.score("srv2"), "{:?} {:?}", world.score("srv3"), world.score("srv2"));
}

/// PAF #126: each change of an LSN is a CIB write and a transition.
#[test]
fn load_alone_writes_no_score() {
    let world = World::new("score-churn");
    let [one, two] = pair(&world);
    world.writes();
    for _ in 0..6 {
        one.write();
        monitor(&one).assert_code(code::PROMOTED);
        monitor(&two).assert_code(code::SUCCESS);
    }
    // Where it is in the WAL, and how it is, are private attributes: no write to the CIB.
    let mut writes = world.writes();
    writes.retain(|write| !write.ends_with("--private"));
    assert!(writes.len() <= 1, "{} writes in six monitors under load: {writes:#?}", writes.len());
}

/// Steady state: no process on a standby, at most two on a primary.
#[test]
fn steady_state_runs_next_to_no_tool() {
    let world = World::new("score-steady");
    let [one, two] = pair(&world);
    monitor(&two).assert_code(code::SUCCESS);
    world.calls();
    monitor(&two).assert_code(code::SUCCESS);
    assert_eq!(world.calls(), Vec::<String>::new(), "a standby runs no tool when nothing changed");
    monitor(&one).assert_code(code::PROMOTED);
    assert!(world.calls().len() <= 2, "a primary runs at most two");
}

/// PAF #139: setting a score polls without bound; a slow attrd bounces the primary.
#[test]
fn a_hanging_crm_attribute_does_not_fail_the_primary() {
    let world = World::new("score-hang");
    let node = world.node(1);
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    let run = node.call("monitor").recurring().timeout(10).tools(&node, Tools::Hanging).run();
    run.assert_code(code::PROMOTED);
    run.assert_within(Duration::from_secs(9));
}

#[test]
fn the_whole_life_with_each_broken_crm_attribute() {
    for tools in [Tools::NoScores, Tools::MissingScores, Tools::HangingScores] {
        let world = World::new(&format!("scores-{tools:?}"));
        let node = world.node(1);
        let must = |action: &str, expected: i32| {
            let run = node.call(action).tools(&node, tools).timeout(30).run();
            assert_eq!(run.code, Some(expected), "{tools:?}: {run}");
        };
        must("start", code::SUCCESS);
        must("monitor", code::SUCCESS);
        // Whether another node was promoted meanwhile can't be read.
        must("promote", code::GENERIC);
        node.must("promote", code::SUCCESS);
        must("monitor", code::PROMOTED);
        must("demote", code::SUCCESS);
        must("stop", code::SUCCESS);
        must("monitor", code::NOT_RUNNING);
    }
}

/// With no word from the cluster at all a promotion is refused, with its reason: somebody else may be more advanced.
/// Everything else works.
#[test]
fn the_whole_life_without_a_cluster() {
    for tools in [Tools::NoCluster, Tools::Missing, Tools::Hanging] {
        let world = World::new(&format!("cluster-{tools:?}"));
        let node = world.node(1);
        let run = |action: &str| node.call(action).tools(&node, tools).timeout(20).run();
        let must = |action: &str, expected: i32| {
            let run = run(action);
            assert_eq!(run.code, Some(expected), "{tools:?}: {run}");
        };
        must("start", code::SUCCESS);
        must("monitor", code::SUCCESS);
        let promotion = node.call("promote").tools(&node, tools).timeout(6).run();
        assert_eq!(promotion.code, Some(code::GENERIC), "{tools:?}: {promotion}");
        promotion.assert_reason(&["could not be read"]);
        must("notify", code::SUCCESS);
        must("monitor", code::SUCCESS);
        must("demote", code::SUCCESS);
        must("stop", code::SUCCESS);
        must("monitor", code::NOT_RUNNING);
    }
}

/// A primary whose cluster falls silent is still a primary.
#[test]
fn a_primary_outlives_the_tools() {
    for tools in [Tools::NoCluster, Tools::Missing, Tools::Hanging] {
        let world = World::new(&format!("outlives-{tools:?}"));
        let node = world.node(1);
        node.must("start", code::SUCCESS);
        node.must("promote", code::SUCCESS);
        let run = node.call("monitor").recurring().tools(&node, tools).timeout(10).run();
        assert_eq!(run.code, Some(code::PROMOTED), "{tools:?}: {run}");
        let stop = node.call("stop").tools(&node, tools).timeout(20).run();
        assert_eq!(stop.code, Some(code::SUCCESS), "{tools:?}: {stop}");
    }
}

/// A lost write is made good: the score that the cluster has is what counts, not what was sent once.
#[test]
fn a_score_that_could_not_be_set_is_set_later() {
    let world = World::new("score-retry");
    let primary = world.primary(1);
    let standby = primary.standby(2);
    standby.call("start").tools(&standby, Tools::NoCluster).must(code::SUCCESS);
    wait_for("streaming standby", SOON, || primary.streams_to("srv2").then_some(()));
    primary.send_wal();
    standby.call("monitor").recurring().tools(&standby, Tools::NoCluster).must(code::SUCCESS);
    assert_eq!(world.score("srv2"), None);
    monitor(&standby).assert_code(code::SUCCESS);
    assert!(world.score("srv2").is_some_and(|s| s > 0), "{:?}", world.score("srv2"));
}

/// PAF matches node names as an unanchored pattern: srv1 is taken for srv10.
#[test]
fn a_node_is_not_its_namesake() {
    let world = World::new("namesake");
    let one = world.node(1);
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    let ten = one.standby(10);
    let with_ten = |call: crate::support::Call| {
        let addresses = format!("srv1={} srv10={}", world.address(1), world.address(10));
        call.param("addresses", &addresses)
    };
    with_ten(ten.call("start")).must(code::SUCCESS);
    wait_for("streaming standby", SOON, || one.streams_to("srv10").then_some(()));
    one.send_wal();
    with_ten(one.call("monitor").recurring()).must(code::PROMOTED);
    with_ten(ten.call("monitor").recurring()).must(code::SUCCESS);
    assert!(world.score("srv1") > world.score("srv10"));
    // srv1 stops; that says nothing about srv10.
    let lists = [("stop_uname", "srv1"), ("promoted_uname", "srv1"), ("unpromoted_uname", "srv10")];
    with_ten(ten.call("notify").notify("pre", "stop", &lists)).must(code::SUCCESS);
    with_ten(one.call("stop")).must(code::SUCCESS);
    with_ten(ten.call("notify").notify("post", "stop", &lists)).must(code::SUCCESS);
    assert!(world.score("srv10").is_some_and(|s| s > 0), "{:?}", world.score("srv10"));
}
