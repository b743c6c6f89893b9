//! What hangs: a stopped postmaster, stopped children, everything stopped. PAF's monitor hangs with it (its faults 4).

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Node, SOON, World, code, wait_for};

/// Below the monitor's own timeout of 10 s, with room for a slow machine.
const NOTICED: Duration = Duration::from_millis(9500);

fn monitor(node: &Node<'_>) -> crate::support::Run {
    node.call("monitor").recurring().timeout(10).run()
}

fn assert_failed(node: &Node<'_>) {
    let run = monitor(node);
    assert!(matches!(run.code, Some(code::GENERIC | code::FAILED_PROMOTED)), "{run}");
    run.assert_within(NOTICED);
    run.assert_reason(&[]);
}

#[test]
fn a_stopped_postmaster_is_noticed() {
    let world = World::new("stopped-postmaster");
    let node = world.primary(1);
    node.signal_postmaster(Signal::SIGSTOP);
    assert_failed(&node);
    node.signal_postmaster(Signal::SIGCONT);
    monitor(&node).assert_code(code::PROMOTED);
}

#[test]
fn a_wholly_stopped_instance_is_noticed() {
    let world = World::new("stopped-all");
    let node = world.primary(1);
    node.signal_all(Signal::SIGSTOP);
    assert_failed(&node);
}

#[test]
fn a_stopped_standby_is_noticed() {
    let world = World::new("stopped-standby");
    let primary = world.primary(1);
    let standby = primary.running_standby(2);
    standby.signal_all(Signal::SIGSTOP);
    assert_failed(&standby);
    monitor(&primary).assert_code(code::PROMOTED);
}

/// The same within the times of the meta-data: a monitor of five seconds.
#[test]
fn a_short_timeout_is_kept() {
    let world = World::new("short-timeout");
    let node = world.primary(1);
    node.signal_all(Signal::SIGSTOP);
    let run = node.call("monitor").recurring().timeout(5).run();
    assert!(matches!(run.code, Some(code::GENERIC | code::FAILED_PROMOTED)), "{run}");
    run.assert_within(Duration::from_millis(4800));
}

fn assert_stops(node: &Node<'_>, timeout: u64) {
    let run = node.call("stop").timeout(timeout).run();
    run.assert_code(code::SUCCESS);
    assert_eq!(node.processes(), Vec::<i32>::new(), "stop left processes: {run}");
    node.must("monitor", code::NOT_RUNNING);
}

#[test]
fn stop_of_a_stopped_postmaster() {
    let world = World::new("stop-stopped-postmaster");
    let node = world.primary(1);
    node.signal_postmaster(Signal::SIGSTOP);
    assert_stops(&node, 30);
}

#[test]
fn stop_of_a_wholly_stopped_instance() {
    let world = World::new("stop-stopped-all");
    let node = world.primary(1);
    node.signal_all(Signal::SIGSTOP);
    assert_stops(&node, 30);
}

#[test]
fn stop_with_stopped_children() {
    let world = World::new("stop-stopped-children");
    let node = world.primary(1);
    let postmaster = node.postmaster();
    for pid in node.processes() {
        if Some(pid) != postmaster {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGSTOP);
        }
    }
    assert_stops(&node, 30);
}

/// A session that ignores a fast shutdown until its own statement ends is no reason to hang.
#[test]
fn stop_with_a_postmaster_that_does_not_finish() {
    let world = World::new("stop-slow");
    let primary = world.primary(1);
    let standby = primary.running_standby(2);
    // A fast shutdown waits until the walsender has sent everything; a stopped receiver takes nothing.
    standby.signal_all(Signal::SIGSTOP);
    primary.write();
    assert_stops(&primary, 20);
    standby.signal_all(Signal::SIGCONT);
}

#[test]
fn demote_of_a_frozen_primary_ends_in_a_standby() {
    let world = World::new("demote-frozen");
    let node = world.primary(1);
    node.signal_all(Signal::SIGSTOP);
    let run = node.call("demote").timeout(60).run();
    // A demotion that can't keep its promise says so, and Pacemaker stops the instance; it never hangs.
    assert!(run.code == Some(code::SUCCESS) && node.is_standby() || run.code == Some(code::GENERIC), "{run}");
    assert_stops(&node, 30);
}

/// A server in a long crash recovery: the monitor ends by itself, and stop succeeds.
#[test]
fn crash_recovery_that_hangs() {
    let world = World::new("recovery-hangs");
    let node = world.primary(1);
    node.write();
    node.crash();
    // A zombie that nobody reaped yet would keep the lock.
    for lock in [node.pgdata.join("postmaster.pid"), node.sockets.join(".s.PGSQL.5432.lock")] {
        let _ = std::fs::remove_file(lock);
    }
    // Start it, and stop its start-up process as soon as it is there.
    let pgdata = node.pgdata.clone();
    let postgres = World::bindir().join("postgres");
    crate::support::spawn_as_owner(&[&postgres.to_string_lossy(), "-D", &pgdata.to_string_lossy()], &pgdata);
    wait_for("postmaster", SOON, || node.postmaster());
    node.signal_all(Signal::SIGSTOP);
    node.signal_postmaster(Signal::SIGCONT);
    let run = monitor(&node);
    // The start-up process may have been quicker than we were.
    if run.code != Some(code::PROMOTED) {
        assert!(matches!(run.code, Some(code::GENERIC | code::FAILED_PROMOTED)), "{run}");
        run.assert_within(NOTICED);
    }
    assert_stops(&node, 30);
}

/// The receiver's own word is shared memory: it says that it streams for as long as the process is there.
#[test]
fn a_stopped_receiver_is_noticed_and_the_restart_mends_it() {
    let world = World::new("stopped-receiver");
    let [one, two] = world.pair();
    monitor(&two).assert_code(code::SUCCESS);
    let receiver: i32 = two.sql("select pid from pg_stat_wal_receiver").parse().expect("it runs");
    let receiver = nix::unistd::Pid::from_raw(receiver);
    nix::sys::signal::kill(receiver, Signal::SIGSTOP).expect("it is there");
    assert_eq!(two.sql("select status from pg_stat_wal_receiver"), "streaming");
    let run = monitor(&two);
    run.assert_code(code::GENERIC);
    run.assert_reason(&["WAL receiver"]);
    assert!(world.score("srv2").is_some_and(|s| s < 0), "{:?}", world.score("srv2"));
    assert_stops(&two, 30);
    two.must("start", code::SUCCESS);
    one.write();
    one.wait_caught_up(&two);
    monitor(&one).assert_code(code::PROMOTED);
    monitor(&two).assert_code(code::SUCCESS);
}
