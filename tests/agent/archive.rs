//! Archives that hang, or are gone: they decide over no instance's life.

use std::time::Duration;

use crate::support::{SOON, World, code, wait_for};

/// A switchover waits for the standby, and not for an archive_command.
#[test]
fn a_hanging_archive_command_does_not_hold_up_a_demotion() {
    let world = World::new("archive-hangs");
    let one = world.node(1);
    one.append_conf("archive_mode = on\narchive_command = 'sleep 1000'\n");
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    let two = one.standby(2);
    two.must("start", code::SUCCESS);
    wait_for("streaming standby", SOON, || one.streams_to("srv2").then_some(()));
    one.write();
    one.sql("select pg_switch_wal()");
    wait_for("archive_command", SOON, || {
        let query = "select count(*) from pg_stat_activity where backend_type = 'archiver'";
        (one.sql(query) == "1" && sleeps(&one) == 1).then_some(())
    });
    let run = one.call("demote").timeout(120).must(code::SUCCESS);
    run.assert_within(Duration::from_secs(8));
    assert!(one.is_standby());
    assert_eq!(sleeps(&one), 0, "the command is ended");
    // The standby has the shutdown checkpoint: nothing diverges.
    let lists = [("promote_uname", "srv2"), ("unpromoted_uname", "srv1 srv2")];
    one.call("notify").notify("pre", "promote", &lists).must(code::SUCCESS);
    two.call("promote").notify("pre", "promote", &lists).must(code::SUCCESS);
    one.call("notify").notify("post", "promote", &lists).must(code::SUCCESS);
    wait_for("old primary that streams", SOON, || two.streams_to("srv1").then_some(()));
    let run = two.call("stop").timeout(60).must(code::SUCCESS);
    run.assert_within(Duration::from_secs(8));
}

/// A standby that receives nothing more is waited for all the same.
#[test]
fn a_standby_that_lacks_wal_is_waited_for() {
    let world = World::new("archive-hangs-standby-too");
    let one = world.node(1);
    one.append_conf("archive_mode = on\narchive_command = 'sleep 1000'\nwal_sender_timeout = 60s\n");
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    let two = one.standby(2);
    two.must("start", code::SUCCESS);
    wait_for("streaming standby", SOON, || one.streams_to("srv2").then_some(()));
    two.signal_all(nix::sys::signal::Signal::SIGSTOP);
    one.write();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(5));
            two.signal_all(nix::sys::signal::Signal::SIGCONT);
        });
        let run = one.call("demote").timeout(120).must(code::SUCCESS);
        assert!(run.elapsed > Duration::from_secs(4), "{run}");
    });
    let lists = [("promote_uname", "srv2"), ("unpromoted_uname", "srv1 srv2")];
    two.call("promote").notify("pre", "promote", &lists).must(code::SUCCESS);
    one.call("notify").notify("post", "promote", &lists).must(code::SUCCESS);
    wait_for("old primary that streams", SOON, || two.streams_to("srv1").then_some(()));
}

/// How many commands named sleep work in its data directory.
fn sleeps(node: &crate::support::Node<'_>) -> usize {
    let name = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    node.processes().iter().filter(|pid| name(pid).trim() == "sleep").count()
}
