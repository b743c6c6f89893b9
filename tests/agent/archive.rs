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
    run.assert_within(Duration::from_secs(20));
    assert!(one.is_standby());
    assert_eq!(sleeps(&one), 0, "the command is ended");
    // The standby has the shutdown checkpoint: nothing diverges.
    let lists = [("promote_uname", "srv2"), ("unpromoted_uname", "srv1 srv2")];
    one.call("notify").notify("pre", "promote", &lists).must(code::SUCCESS);
    two.call("promote").notify("pre", "promote", &lists).must(code::SUCCESS);
    one.call("notify").notify("post", "promote", &lists).must(code::SUCCESS);
    wait_for("old primary that streams", SOON, || two.streams_to("srv1").then_some(()));
    // Nobody waits for a stop: a command that works gets its time.
    two.call("stop").timeout(60).must(code::SUCCESS);
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
    two.append_conf("wal_receiver_timeout = 60s\n");
    two.must("start", code::SUCCESS);
    wait_for("streaming standby", SOON, || one.streams_to("srv2").then_some(()));
    two.signal_all(nix::sys::signal::Signal::SIGSTOP);
    // Little enough for the socket: the sender gets as far as the shutdown's checkpoint.
    one.send_wal();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(6));
            two.signal_all(nix::sys::signal::Signal::SIGCONT);
        });
        let run = one.call("demote").timeout(120).must(code::SUCCESS);
        assert!(run.elapsed > Duration::from_secs(5), "{run}");
    });
    let lists = [("promote_uname", "srv2"), ("unpromoted_uname", "srv1 srv2")];
    one.call("notify").notify("pre", "promote", &lists).must(code::SUCCESS);
    two.call("promote").notify("pre", "promote", &lists).must(code::SUCCESS);
    one.call("notify").notify("post", "promote", &lists).must(code::SUCCESS);
    wait_for("old primary that streams", SOON, || two.streams_to("srv1").then_some(()));
}

/// A primary and its standby, which has everything; the standby's archive is a command that hangs.
fn pair_with_restore_command<'w>(world: &'w World, command: &str) -> [crate::support::Node<'w>; 2] {
    let [one, two] = world.pair();
    two.append_conf(&format!("restore_command = '{command}'\n"));
    two.signal_postmaster(nix::sys::signal::Signal::SIGHUP);
    wait_for("reload", SOON, || (two.setting("restore_command") == command).then_some(()));
    one.write();
    one.wait_caught_up(&two);
    [one, two]
}

const PROMOTE_TWO: &[(&str, &str)] =
    &[("promote_uname", "srv2"), ("unpromoted_uname", "srv2"), ("active_uname", "srv2")];

#[test]
fn a_hanging_restore_command_does_not_hold_up_a_promotion() {
    let world = World::new("restore-hangs");
    let [one, two] = pair_with_restore_command(&world, "sleep 1000");
    let rows = one.sql("select count(*) from t");
    one.crash();
    wait_for("restore_command", SOON, || (sleeps(&two) == 1).then_some(()));
    let run = two.call("promote").notify("pre", "promote", PROMOTE_TWO).timeout(30).must(code::SUCCESS);
    run.assert_within(Duration::from_secs(15));
    assert!(
        run.stderr.contains("restore_command has not returned") && run.stderr.contains("(sleep)"),
        "{run}"
    );
    assert_eq!(two.sql("select count(*) from t"), rows);
    assert_eq!(sleeps(&two), 0, "the command is ended");
    two.write();
    two.call("monitor").recurring().must(code::PROMOTED);
}

/// PostgreSQL waits for it once it has left standby.signal behind: a launch then would end on the old timeline.
#[test]
fn a_recovery_end_command_decides_over_no_promotion() {
    for (name, command) in [("end-command-hangs", "sleep 1000"), ("end-command-fails", "exit 255")] {
        let world = World::new(name);
        let one = world.node(1);
        one.must("start", code::SUCCESS);
        one.must("promote", code::SUCCESS);
        let two = one.standby(2);
        two.append_conf(&format!("recovery_end_command = '{command}'\n"));
        two.must("start", code::SUCCESS);
        wait_for("streaming standby", SOON, || one.streams_to("srv2").then_some(()));
        one.send_wal();
        one.wait_caught_up(&two);
        two.call("monitor").recurring().must(code::SUCCESS);
        one.crash();
        let run = two.call("promote").notify("pre", "promote", PROMOTE_TWO).timeout(30).must(code::SUCCESS);
        run.assert_within(Duration::from_secs(15));
        two.write();
    }
}

#[test]
fn a_start_leaves_an_archive_out_that_hangs_or_fails() {
    for (name, command, said) in [
        ("restore-hangs-start", "sleep 1000", "restore_command has not returned"),
        ("restore-fails-start", "exit 255", "restore_command fails"),
    ] {
        let world = World::new(name);
        let [one, two] = pair_with_restore_command(&world, command);
        two.must("stop", code::SUCCESS);
        let run = two.call("start").timeout(30).must(code::SUCCESS);
        run.assert_within(Duration::from_secs(25));
        assert!(run.stderr.contains(said), "{run}");
        assert!(two.is_standby());
        wait_for("stream", SOON, || one.streams_to("srv2").then_some(()));
    }
    // One that finds nothing is usual.
    let world = World::new("restore-empty-start");
    let [_one, two] = pair_with_restore_command(&world, "exit 1");
    two.must("stop", code::SUCCESS);
    two.call("start").timeout(30).must(code::SUCCESS);
    assert_eq!(two.setting("restore_command"), "exit 1");
}

/// A standby that has to fetch much from the archive before it is consistent.
#[test]
fn a_recovery_that_gets_on_is_not_ended_by_the_timeout() {
    let world = World::new("restore-long");
    let one = world.node(1);
    one.append_conf("max_wal_size = 4GB\n");
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    let two = one.standby(2);
    two.must("start", code::SUCCESS);
    wait_for("streaming standby", SOON, || one.streams_to("srv2").then_some(()));
    for _ in 0..16 {
        one.write();
        one.sql("select pg_switch_wal()");
    }
    one.write();
    one.wait_caught_up(&two);
    two.must("stop", code::SUCCESS);
    one.crash();
    let archive = two.pgdata.with_file_name("archive");
    crate::support::owned_dir(&archive);
    for entry in std::fs::read_dir(two.pgdata.join("pg_wal")).expect("it is there").flatten() {
        if entry.file_name().len() == 24 {
            std::fs::rename(entry.path(), archive.join(entry.file_name())).expect("the same file system");
        }
    }
    two.append_conf(&format!("restore_command = 'sleep 1; cp {}/%f %p'\n", archive.display()));
    let run = two.call("start").timeout(15).must(code::SUCCESS);
    run.assert_within(Duration::from_secs(15));
    assert!(!two.is_standby(), "it is consistent already: the test shows nothing");
    assert!(run.stderr.contains("longer timeout"), "{run}");
    let postmaster = two.postmaster();
    two.call("monitor").recurring().timeout(20).must(code::SUCCESS);
    wait_for("consistent standby", Duration::from_secs(60), || two.is_standby().then_some(()));
    assert_eq!(two.postmaster(), postmaster, "it was ended");
    two.call("monitor").recurring().timeout(5).must(code::SUCCESS);
}

/// How many commands named sleep work in its data directory.
fn sleeps(node: &crate::support::Node<'_>) -> usize {
    let name = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    node.processes().iter().filter(|pid| name(pid).trim() == "sleep").count()
}
