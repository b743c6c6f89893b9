//! After a crash: what monitor says, that stop succeeds, that start brings a standby back. PAF: monitor 9, stop 1, start 1.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{SOON, World, code, wait_for};

#[test]
fn stop_after_a_crash_succeeds() {
    let world = World::new("crash-stop");
    let node = world.primary(1);
    node.write();
    node.crash();
    let run = node.call("monitor").recurring().timeout(10).run();
    assert!(matches!(run.code, Some(code::NOT_RUNNING | code::FAILED_PROMOTED | code::GENERIC)), "{run}");
    node.must("stop", code::SUCCESS);
    node.must("monitor", code::NOT_RUNNING);
}

/// A probe of a crashed primary that joins again: 9 would ask for a demotion and a stop, and PAF's node is fenced for it.
#[test]
fn a_probe_after_a_crash_is_not_running() {
    let world = World::new("crash-probe");
    let node = world.primary(1);
    node.write();
    node.crash();
    let pid_file = fs::read_to_string(node.pgdata.join("postmaster.pid")).expect("a crash leaves it");
    node.must("monitor", code::NOT_RUNNING);
    let after = fs::read_to_string(node.pgdata.join("postmaster.pid")).expect("still there");
    assert_eq!(pid_file, after, "a probe must not change anything");
    assert_eq!(world.writes(), Vec::<String>::new(), "a probe must not change anything");
}

#[test]
fn a_probe_of_a_crashed_standby_is_not_running() {
    let world = World::new("crash-probe-standby");
    let primary = world.primary(1);
    let standby = primary.running_standby(2);
    standby.crash();
    standby.must("monitor", code::NOT_RUNNING);
    standby.must("start", code::SUCCESS);
    assert!(standby.is_standby());
    wait_for("streaming standby", SOON, || primary.streams_to("srv2").then_some(()));
}

/// A crashed primary that nobody replaced: start makes it a standby, promote makes it the primary again.
#[test]
fn a_crashed_primary_comes_back_in_place() {
    let world = World::new("crash-in-place");
    let node = world.node(1);
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    node.sql("insert into t values (42)");
    node.crash();
    node.must("stop", code::SUCCESS);
    node.must("start", code::SUCCESS);
    assert!(node.is_standby(), "start must give a standby");
    node.must("promote", code::SUCCESS);
    assert_eq!(node.sql("select count(*) from t where n = 42"), "1");
}

/// A crashed primary whose standby was promoted when it had everything: it streams by itself.
#[test]
fn a_crashed_primary_that_did_not_diverge_streams_again() {
    let world = World::new("crash-rejoin");
    let [one, two] = world.pair();
    one.write();
    one.wait_caught_up(&two);
    one.crash();
    two.call("promote")
        .notify("pre", "promote", &[("promote_uname", "srv2"), ("unpromoted_uname", "srv2")])
        .must(0);
    two.write();
    let lists = [("promoted_uname", "srv2"), ("start_uname", "srv1"), ("active_uname", "srv2")];
    one.call("start").notify("pre", "start", &lists).must(code::SUCCESS);
    assert!(one.is_standby());
    one.call("notify").notify("post", "start", &lists).must(code::SUCCESS);
    wait_for("old primary that streams", SOON, || two.streams_to("srv1").then_some(()));
    assert_eq!(one.timeline().max(two.timeline()), two.timeline());
}

/// A crashed primary with WAL that the new primary never had: refused, with both timelines, LSNs and the cure.
#[test]
fn diverged_data_is_refused() {
    let world = World::new("diverged");
    let [one, two] = world.pair();
    two.crash();
    one.write();
    one.write();
    one.crash();
    two.must("start", code::SUCCESS);
    let promote = || {
        two.call("promote").notify(
            "pre",
            "promote",
            &[("promote_uname", "srv2"), ("unpromoted_uname", "srv2")],
        )
    };
    // It may lack commits, as it does here: only the operator can take the loss.
    let refused = promote().run();
    assert_eq!(refused.code, Some(code::GENERIC), "{refused}");
    refused.assert_reason(&["quorate recover"]);
    world.set_attribute("srv2", "quorate-approve-pgsqld", "1");
    promote().must(code::SUCCESS);
    two.write();
    let lists = [("promoted_uname", "srv2"), ("start_uname", "srv1"), ("active_uname", "srv2")];
    let run = one.call("start").notify("pre", "start", &lists).run();
    assert_ne!(run.code, Some(code::SUCCESS), "a diverged instance must not start as if nothing were: {run}");
    assert!(run.code.is_some(), "{run}");
    // Both timelines, an LSN each, and what to do about it.
    run.assert_reason(&["timeline 2", "timeline 3", "0/", "pg_rewind"]);
    assert!(world.score("srv1").is_none_or(|s| s < 0), "a diverged node must not be a candidate");
    assert!(one.processes().is_empty(), "a refused start must leave nothing running");
    one.must("stop", code::SUCCESS);
}

/// The postmaster alone is killed: its children may still write, so this is not "not running".
#[test]
fn children_without_a_postmaster() {
    let world = World::new("orphans");
    let node = world.primary(1);
    // Stopped children can't notice that the postmaster died.
    let postmaster = node.postmaster().expect("it runs");
    let children: Vec<i32> = node.processes().into_iter().filter(|p| *p != postmaster).collect();
    for pid in &children {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), Signal::SIGSTOP);
    }
    node.signal_postmaster(Signal::SIGKILL);
    wait_for("end of the postmaster", SOON, || node.postmaster().is_none().then_some(()));
    let run = node.call("monitor").recurring().timeout(10).run();
    assert!(matches!(run.code, Some(code::GENERIC | code::FAILED_PROMOTED)), "{run}");
    node.must("stop", code::SUCCESS);
    assert_eq!(node.processes(), Vec::<i32>::new());
}

/// A stale postmaster.pid that names a living process of somebody else.
#[test]
fn a_recycled_pid_is_not_ours() {
    let world = World::new("recycled-pid");
    let node = world.primary(1);
    node.crash();
    let file = node.pgdata.join("postmaster.pid");
    let text = fs::read_to_string(&file).expect("a crash leaves it");
    let rest: Vec<&str> = text.lines().skip(1).collect();
    let ours = std::process::id();
    node.overwrite("postmaster.pid", format!("{ours}\n{}\n", rest.join("\n")).as_bytes());
    node.must("monitor", code::NOT_RUNNING);
    node.must("stop", code::SUCCESS);
    // That we still run shows that stop killed nobody else.
    node.must("start", code::SUCCESS);
    assert!(node.is_standby());
}

/// backup_label beside a crashed primary must not be eaten.
#[test]
fn a_restored_backup_starts() {
    let world = World::new("backup-label");
    let primary = world.primary(1);
    let restored = primary.standby(2);
    assert!(restored.pgdata.join("backup_label").exists());
    restored.must("monitor", code::NOT_RUNNING);
    restored.must("start", code::SUCCESS);
    wait_for("streaming standby", SOON, || primary.streams_to("srv2").then_some(()));
}

/// A crash while a start waits for a primary that is not there: bounded.
#[test]
fn start_without_any_primary_is_bounded() {
    let world = World::new("start-alone");
    let primary = world.primary(1);
    let standby = primary.standby(2);
    primary.crash();
    let run = standby.call("start").timeout(30).run();
    run.assert_within(Duration::from_secs(29));
    run.assert_code(code::SUCCESS);
    assert!(standby.is_standby());
}

/// A primary with a standby that is synchronous or not, crashed and looked at by its monitor.
fn score_after_a_crash(world: &World, synchronous: bool, on_crash: &str) -> Option<i64> {
    let [one, two] = world.pair();
    if synchronous {
        one.sql("alter system set synchronous_standby_names = 'srv2'");
        one.sql("select pg_reload_conf()");
        let query = "select sync_state from pg_stat_replication where application_name = 'srv2'";
        wait_for("synchronous standby", SOON, || (one.sql(query) == "sync").then_some(()));
    }
    // The promoted score is written some seconds after the promotion.
    wait_for("promoted score", Duration::from_secs(20), || {
        one.call("monitor").recurring().param("on_crash", on_crash).must(code::PROMOTED);
        world.score("srv1").is_some_and(|s| s > 1000).then_some(())
    });
    two.call("monitor").recurring().must(code::SUCCESS);
    one.crash();
    one.call("monitor").recurring().param("on_crash", on_crash).must(code::NOT_RUNNING);
    world.score("srv1")
}

#[test]
fn a_crashed_primary_gives_way_to_a_synchronous_standby_if_asked_to() {
    let world = World::new("on-crash-failover");
    assert!(
        score_after_a_crash(&world, true, "failover").is_some_and(|s| s < 0),
        "{:?}",
        world.score("srv1")
    );
    assert!(world.score("srv2").is_some_and(|s| s > 0), "{:?}", world.score("srv2"));
}

#[test]
fn a_crashed_primary_never_gives_way_to_an_asynchronous_standby() {
    let world = World::new("on-crash-async");
    assert!(
        score_after_a_crash(&world, false, "failover") > world.score("srv2"),
        "it may lack the last commits"
    );
}

#[test]
fn a_crashed_primary_is_restarted_in_place_by_default() {
    let world = World::new("on-crash-restart");
    assert!(score_after_a_crash(&world, true, "restart") > world.score("srv2"), "{:?}", world.score("srv2"));
}

/// A start by hand beside another primary would be a second one.
#[test]
fn a_primary_that_was_stopped_comes_up_as_a_standby_by_hand_too() {
    let world = World::new("stop-signal");
    let node = world.primary(1);
    node.write();
    node.must("stop", code::SUCCESS);
    assert!(node.pgdata.join("standby.signal").exists());
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    assert!(node.is_primary(), "it is its own, and knows everything");
}
