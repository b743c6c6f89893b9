//! Disks that are full, read-only or stuck, below a server that answers as if nothing was. No competitor notices them.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{Node, Run, SOON, Volume, World, code, wait_for};

/// The promoted instance, when it should hand over; a standby without room; one that can't write at all.
const PRIMARY_DISK_FAILING: i64 = 150;
const STANDBY_DISK_FULL: i64 = 50;
const WITHDRAWN: i64 = -1000;
const PRIMARY: i64 = 1001;
const STANDBY: i64 = 900;

/// From the first write that hangs.
const NOTICED: Duration = Duration::from_secs(14);

fn monitor(node: &Node<'_>) -> Run {
    let run = node.call("monitor").recurring().timeout(5).run();
    run.assert_within(Duration::from_millis(4500));
    run
}

/// A primary that the agent started, on a file system of its own, monitored once.
fn primary(world: &World) -> Node<'_> {
    let node = world.node(1);
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    wait_for("score of the promoted instance", SOON, || {
        monitor(&node).assert_code(code::PROMOTED);
        (world.score("srv1") == Some(PRIMARY)).then_some(())
    });
    node
}

/// Trial writes of this world that hang in the kernel: processes of the agent's program with a lock in the place of stdin.
fn hanging(world: &World) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        let ours = fs::read_link(entry.path().join("fd/0")).is_ok_and(|lock| lock.starts_with(&world.dir))
            && fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == World::agent());
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if ours && stat.contains(") D ") {
            found.push(pid);
        }
    }
    found
}

#[test]
fn a_full_disk_is_noticed_at_once_and_the_end_of_it() {
    let world = World::new("disk-full");
    let volume = Volume::of_data(&world, 1);
    let node = primary(&world);
    volume.fill();
    let run = monitor(&node);
    run.assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY_DISK_FAILING), "{run}");
    volume.make_room();
    monitor(&node).assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY));
}

#[test]
fn a_read_only_disk_is_noticed_without_a_write_by_anybody() {
    let world = World::new("disk-read-only");
    let volume = Volume::of_data(&world, 1);
    let node = primary(&world);
    volume.break_it();
    let run = monitor(&node);
    // PostgreSQL may have found it too.
    assert!(matches!(run.code, Some(code::PROMOTED | code::NOT_RUNNING)), "{run}");
    assert!(world.score("srv1").is_some_and(|s| s <= PRIMARY_DISK_FAILING), "{:?}", world.score("srv1"));
    let run = node.call("stop").timeout(20).run();
    run.assert_code(code::SUCCESS);
}

#[test]
fn a_stuck_disk_is_noticed_in_time_and_one_write_hangs_for_it() {
    let world = World::new("disk-stuck");
    let volume = Volume::of_data(&world, 1);
    let node = primary(&world);
    volume.freeze();
    let frozen = Instant::now();
    monitor(&node).assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY), "a write of a second is no reason");
    wait_for("lowered score", NOTICED, || {
        monitor(&node).assert_code(code::PROMOTED);
        assert_eq!(hanging(&world).len(), 1, "one trial write is evidence enough");
        (world.score("srv1") == Some(PRIMARY_DISK_FAILING)).then_some(())
    });
    assert!(frozen.elapsed() > Duration::from_secs(7), "{:?}", frozen.elapsed());
    volume.thaw();
    wait_for("end of the trial write", SOON, || hanging(&world).is_empty().then_some(()));
    monitor(&node).assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY));
}

/// Stops the trial write while its disk hangs, and gives the disk back: from then on the child is in state T.
fn stopped_by(
    world: &World,
    volume: &Volume,
    node: &Node<'_>,
    stop: impl FnOnce(i32) -> bool,
) -> (i32, bool) {
    volume.freeze();
    let pid = wait_for("a trial write that hangs", SOON, || {
        monitor(node).assert_code(code::PROMOTED);
        hanging(world).first().copied()
    });
    let done = stop(pid);
    volume.thaw();
    (pid, done)
}

#[test]
fn the_owner_of_the_data_cannot_make_a_sound_disk_look_stuck() {
    let world = World::new("disk-owner-stops");
    let volume = Volume::of_data(&world, 1);
    let node = primary(&world);
    let (pid, sent) = stopped_by(&world, &volume, &node, |pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it hangs");
        // Root's blocks and quota are not its own.
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
        crate::support::succeeds_as_owner(&["/bin/kill", "-STOP", &pid.to_string()], &world.dir)
    });
    assert!(!sent, "the owner could stop process {pid}");
    wait_for("end of the trial write", SOON, || (!alive(pid)).then_some(()));
    monitor(&node).assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY));
}

#[test]
fn a_trial_write_that_root_stops_is_no_evidence() {
    let world = World::new("disk-root-stops");
    let volume = Volume::of_data(&world, 1);
    let node = primary(&world);
    let (pid, sent) = stopped_by(&world, &volume, &node, |pid| {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGSTOP).is_ok()
    });
    assert!(sent);
    // Longer than a write that hangs is borne with.
    let until = Instant::now() + NOTICED;
    while Instant::now() < until {
        monitor(&node).assert_code(code::PROMOTED);
        assert_eq!(world.score("srv1"), Some(PRIMARY), "a sound disk is called stuck");
    }
    assert!(!alive(pid), "nobody ended it");
}

/// Whether this trial write still runs.
fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_stop_on_a_stuck_disk_ends_soon_and_tells_the_truth() {
    let world = World::new("disk-stuck-stop");
    let volume = Volume::of_data(&world, 1);
    let node = primary(&world);
    volume.freeze();
    // A commit that hangs: its process can't be killed.
    let psql = World::bindir().join("psql");
    let (psql, sockets) = (psql.to_string_lossy(), node.sockets.to_string_lossy());
    let words = [&*psql, "-h", &*sockets, "-p", "5432", "-d", "postgres", "-c", "insert into t values (1)"];
    crate::support::spawn_as_owner(&words, &world.dir);
    wait_for("lowered score", NOTICED, || {
        monitor(&node).assert_code(code::PROMOTED);
        (world.score("srv1") == Some(PRIMARY_DISK_FAILING)).then_some(())
    });
    for action in ["demote", "stop"] {
        let run = node.call(action).timeout(60).run();
        run.assert_code(code::GENERIC);
        run.assert_within(Duration::from_secs(8));
        run.assert_reason(&["stuck"]);
    }
    assert!(!node.processes().is_empty(), "nothing survived: the test shows nothing");
    volume.thaw();
    node.call("stop").timeout(20).must(code::SUCCESS);
    assert_eq!(node.processes(), Vec::<i32>::new());
}

#[test]
fn a_start_waits_for_a_stuck_disk_and_says_so_instead_of_hanging() {
    let world = World::new("disk-stuck-start");
    let volume = Volume::of_data(&world, 1);
    let node = primary(&world);
    node.must("stop", code::SUCCESS);
    volume.freeze();
    let run = node.call("start").timeout(20).run();
    run.assert_code(code::GENERIC);
    run.assert_within(Duration::from_secs(19));
    run.assert_reason(&["stuck"]);
    // By now the trial write hangs for long. While another instance waits for its promotion the start fails sooner.
    let run = node.call("start").env("OCF_RESKEY_CRM_meta_notify_promote_uname", "srv2").timeout(60).run();
    run.assert_code(code::GENERIC);
    assert!(run.elapsed > Duration::from_secs(9), "{run}");
    run.assert_within(Duration::from_secs(15));
    // The disk is well again while a start waits for it.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(4));
            volume.thaw();
        });
        let run = node.call("start").timeout(60).must(code::SUCCESS);
        assert!(run.elapsed > Duration::from_secs(3), "{run}");
    });
    assert!(node.is_standby());
}

#[test]
fn a_file_system_of_the_wal_alone_counts_too() {
    let world = World::new("disk-wal");
    let place = world.dir.join("srv1/wal");
    let volume = Volume::at(&world, &place);
    let node = world.node(1);
    let inside = node.pgdata.join("pg_wal");
    let command = format!(
        "cp -a '{0}/.' '{1}' && rm -r '{0}' && ln -s '{1}' '{0}' && chown -h postgres '{0}'",
        inside.display(),
        place.display()
    );
    let moved = std::process::Command::new("sh").args(["-c", &command]).status().expect("sh is there");
    assert!(moved.success());
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    volume.fill();
    monitor(&node).assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY_DISK_FAILING));
}

#[test]
fn a_standby_whose_disk_is_full_or_read_only_is_no_candidate() {
    let world = World::new("disk-standby");
    let volume = Volume::of_data(&world, 2);
    let [one, two] = world.pair();
    wait_for("score of the primary", SOON, || {
        monitor(&one).assert_code(code::PROMOTED);
        (world.score("srv1") == Some(PRIMARY)).then_some(())
    });
    let look = |expected: i64| {
        let run = monitor(&two);
        run.assert_code(code::SUCCESS);
        assert_eq!(world.score("srv2"), Some(expected), "{run}");
    };
    look(STANDBY);
    volume.fill();
    look(STANDBY_DISK_FULL);
    volume.make_room();
    look(STANDBY);
    volume.break_it();
    look(WITHDRAWN);
}
