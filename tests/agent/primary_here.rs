//! `quorate primary-here` beside the agent that leaves the words it goes by.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Node, SOON, Volume, World, code, wait_for};

/// corosync-qdevice's shortest patience with heuristics is 1 s, and the program takes 0.7 s at most; the rest is for a machine that
/// builds beside. A wait without a bound would last for ever.
const IN_TIME: Duration = Duration::from_secs(4);
/// See `disk`: until the agent calls a disk stuck.
const NOTICED: Duration = Duration::from_secs(14);

/// Its exit code and what it says.
fn ask(node: &Node<'_>) -> (Option<i32>, String) {
    let began = Instant::now();
    let run = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .arg("primary-here")
        .env("HA_RSCTMP", node.world.rsctmp().join(&node.name))
        .output()
        .expect("it can be started");
    assert!(began.elapsed() < IN_TIME, "it took {:?}", began.elapsed());
    (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned())
}

#[track_caller]
fn assert_says(node: &Node<'_>, code: i32, words: &str) {
    let (found, said) = ask(node);
    assert!(found == Some(code) && said.contains(words), "{found:?} {said}");
}

#[test]
fn a_primary_passes_and_nobody_else() {
    let world = World::new("primary-here");
    let node = world.node(1);
    assert_says(&node, 1, "no instance runs here");
    node.must("start", code::SUCCESS);
    assert_says(&node, 1, "is a standby");
    node.must("promote", code::SUCCESS);
    assert_says(&node, 0, "pgsqld is a primary that is well");
    node.signal_postmaster(Signal::SIGSTOP);
    // A process on a busy host stops when it comes to the signal.
    wait_for("a postmaster that is stopped", SOON, || ask(&node).1.contains("is stopped").then_some(()));
    assert_says(&node, 1, "postmaster is stopped");
    node.signal_postmaster(Signal::SIGCONT);
    assert_says(&node, 0, "is well");
    node.crash();
    assert_says(&node, 1, "postmaster is gone");
    node.must("stop", code::SUCCESS);
    assert_says(&node, 1, "no instance runs here");
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let world = World::new("primary-here-silent");
    let node = world.node(1);
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    // A socket that takes connections and says nothing.
    let socket = node.sockets.join(".s.PGSQL.5432");
    std::fs::rename(&socket, socket.with_extension("aside")).expect("the server listens there");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("nobody is there");
    std::os::unix::fs::chown(&socket, Some(World::owner().0), Some(World::owner().1)).expect("root may");
    let (found, said) = ask(&node);
    let is_silent = said.contains("was silent for") || said.contains("nothing was seen");
    assert!(found == Some(1) && is_silent, "{said}");
    drop(listener);
    assert_says(&node, 1, "nobody listens");
}

#[test]
fn a_stuck_disk_hangs_nobody_and_fails_once_the_agent_has_seen_it() {
    let world = World::new("primary-here-disk");
    let volume = Volume::of_data(&world, 1);
    let node = world.node(1);
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    let monitor = || node.call("monitor").recurring().timeout(5).run().assert_code(code::PROMOTED);
    monitor();
    assert_says(&node, 0, "is well");
    volume.freeze();
    ask(&node);
    wait_for("a disk that the agent calls stuck", NOTICED, || {
        monitor();
        ask(&node).1.contains("disk is stuck").then_some(())
    });
    assert_says(&node, 1, "disk is stuck");
    volume.thaw();
    wait_for("the end of it", SOON, || {
        monitor();
        (ask(&node).0 == Some(0)).then_some(())
    });
}
