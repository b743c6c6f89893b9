//! Start, monitor, promote, demote, stop of a healthy instance, as a cluster goes through them.

use crate::support::{Node, SOON, World, code, owned_dir, owned_file, wait_for};

#[test]
fn a_fresh_instance_goes_through_its_life() {
    let world = World::new("life");
    let node = world.node(1);
    node.must("monitor", code::NOT_RUNNING);
    node.must("start", code::SUCCESS);
    assert!(node.is_standby(), "start must give a standby");
    node.must("monitor", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    assert!(node.is_primary());
    node.write();
    node.must("monitor", code::PROMOTED);
    node.call("monitor").recurring().must(code::PROMOTED);
    node.must("demote", code::SUCCESS);
    assert!(node.is_standby(), "demote must end in a running standby");
    node.call("monitor").recurring().must(code::SUCCESS);
    node.must("stop", code::SUCCESS);
    node.must("monitor", code::NOT_RUNNING);
    assert_eq!(node.processes(), Vec::<i32>::new());
}

#[test]
fn every_action_twice_is_as_once() {
    let world = World::new("twice");
    let node = world.node(1);
    node.must("stop", code::SUCCESS);
    node.must("start", code::SUCCESS);
    let first = node.postmaster();
    node.must("start", code::SUCCESS);
    assert_eq!(node.postmaster(), first, "a second start must not restart");
    node.must("promote", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    assert_eq!(node.timeline(), 2, "a second promote must not make a timeline");
    node.must("demote", code::SUCCESS);
    let demoted = node.postmaster();
    node.must("demote", code::SUCCESS);
    assert_eq!(node.postmaster(), demoted, "a second demote must not restart");
    node.must("stop", code::SUCCESS);
    node.must("stop", code::SUCCESS);
}

/// A start that Pacemaker asks for where the instance runs as a primary (a cluster that is taken out of maintenance).
#[test]
fn start_leaves_no_primary_behind() {
    let world = World::new("start-primary");
    let node = world.primary(1);
    let run = node.agent("start");
    // Either it answers with an error, or the instance is a standby now; success with a primary would let Pacemaker
    // believe in a standby that takes writes.
    assert!(run.code != Some(code::SUCCESS) || node.is_standby(), "{run}");
}

#[test]
fn several_instances_on_a_node() {
    let world = World::new("several");
    let (one, two) = (world.node(1), world.node(2));
    // Two resources on one node, each a clone of its own.
    let of_one = |action: &str| one.call(action).env("OCF_RESKEY_CRM_meta_clone_max", "1");
    let of_two = |action: &str| {
        two.call(action)
            .env("OCF_RESKEY_CRM_meta_clone_max", "1")
            .env("OCF_RESOURCE_INSTANCE", "otherd")
            .env("OCF_RESKEY_CRM_meta_on_node", &one.name)
            .env("HA_RSCTMP", &world.rsctmp().join(&one.name).to_string_lossy())
    };
    of_one("start").must(code::SUCCESS);
    of_two("monitor").must(code::NOT_RUNNING);
    of_two("start").must(code::SUCCESS);
    of_one("promote").must(code::SUCCESS);
    of_two("monitor").must(code::SUCCESS);
    of_one("stop").must(code::SUCCESS);
    of_two("monitor").must(code::SUCCESS);
    assert!(two.is_standby());
    of_two("stop").must(code::SUCCESS);
}

/// Two instances of which one has the other's directory as a prefix of its own.
#[test]
fn an_instance_is_not_its_neighbour() {
    let world = World::new("neighbour");
    let (one, ten) = (world.node(1), world.node(10));
    ten.must("start", code::SUCCESS);
    one.must("monitor", code::NOT_RUNNING);
    one.must("stop", code::SUCCESS);
    assert!(ten.is_standby(), "stop of srv1's instance must not touch srv10's");
}

/// An operator's shell stands in the data directory. The agent's file is called `postgres`: it must not take itself, nor
/// the shell, for a server.
#[test]
fn called_from_within_the_data_directory() {
    let world = World::new("from-pgdata");
    let node = world.node(1);
    for (action, expected) in [
        ("monitor", code::NOT_RUNNING),
        ("start", code::SUCCESS),
        ("promote", code::SUCCESS),
        ("demote", code::SUCCESS),
        ("stop", code::SUCCESS),
        ("stop", code::SUCCESS),
    ] {
        node.call(action).from(&node.pgdata).must(expected);
    }
}

#[test]
fn a_monitor_role_that_needs_no_superuser() {
    let world = World::new("pg-monitor");
    let node = world.primary(1);
    let home = world.dir.join("home");
    owned_dir(&home);
    owned_file(&home.join(".pgpass"), b"*:*:*:watcher:secret\n", 0o600);
    let watch = |node: &Node<'_>| node.call("monitor").param("dbuser", "watcher").home(&home);
    watch(&node).must(code::PROMOTED);
    let standby = node.running_standby(2);
    watch(&standby).must(code::SUCCESS);
}

#[test]
fn switchover_by_hand_loses_nothing() {
    let world = World::new("switchover");
    let one = world.node(1);
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    one.sql("create table w (n int)");
    let two = one.standby(2);
    two.must("start", code::SUCCESS);
    wait_for("streaming standby", SOON, || one.streams_to("srv2").then_some(()));
    one.sql("insert into w select generate_series(1, 5000)");
    let lists = [
        ("promoted_uname", "srv1"),
        ("unpromoted_uname", "srv2"),
        ("demote_uname", "srv1"),
        ("promote_uname", "srv2"),
        ("active_uname", "srv1 srv2"),
    ];
    for node in [&one, &two] {
        node.call("notify").notify("pre", "demote", &lists).must(code::SUCCESS);
    }
    one.must("demote", code::SUCCESS);
    for node in [&one, &two] {
        node.call("notify").notify("post", "demote", &lists).must(code::SUCCESS);
    }
    for node in [&one, &two] {
        node.call("notify").notify("pre", "promote", &lists).must(code::SUCCESS);
    }
    two.call("promote").notify("pre", "promote", &lists).must(code::SUCCESS);
    for node in [&one, &two] {
        node.call("notify").notify("post", "promote", &lists).must(code::SUCCESS);
    }
    assert!(two.is_primary() && one.is_standby());
    assert_eq!(two.sql("select count(*) from w"), "5000");
    two.sql("insert into w values (0)");
    wait_for("old primary that streams from the new one", SOON, || two.streams_to("srv1").then_some(()));
    wait_for("row on the old primary", SOON, || (one.sql("select count(*) from w") == "5001").then_some(()));
    // Straight from the new primary's own address, application_name as the node is called.
    let conninfo = one.setting("primary_conninfo");
    assert!(conninfo.contains(&two.address()), "{conninfo}");
}

/// quorated and the quorum device's heuristics go by it.
#[test]
fn the_node_is_told_what_runs() {
    let world = World::new("told");
    let node = world.node(1);
    let file = world.rsctmp().join(&node.name).join("quorate-pgsqld.instance");
    let told = || std::fs::read_to_string(&file).unwrap_or_default();
    let runs = |role: &str| format!(r#""role":"{role}","phase":"running""#);
    node.must("start", code::SUCCESS);
    assert!(told().contains(&runs("standby")), "{}", told());
    let postmaster = node.postmaster().expect("it runs");
    assert!(told().contains(&format!(r#""pid":{postmaster},"#)), "{}", told());
    node.must("promote", code::SUCCESS);
    assert!(told().contains(&runs("primary")), "{}", told());
    node.must("demote", code::SUCCESS);
    assert!(told().contains(&runs("standby")), "{}", told());
    std::fs::remove_file(&file).expect("the word is there");
    node.must("monitor", code::SUCCESS);
    assert!(!file.exists(), "a probe changes nothing");
    node.call("monitor").recurring().must(code::SUCCESS);
    assert!(told().contains(&runs("standby")), "{}", told());
    node.must("stop", code::SUCCESS);
    assert!(!file.exists(), "{}", told());
}
