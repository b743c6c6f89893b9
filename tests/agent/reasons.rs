//! A start that fails says why: the cause, ahead of what follows from it.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::support::{Run, SOON, World, code, owned_dir, owned_file, wait_for};

/// Pacemaker keeps so many characters of a reason.
const KEPT: usize = 128;

#[track_caller]
fn assert_cause(run: &Run, cause: &str) {
    let reason = run.stderr.lines().find_map(|l| l.strip_prefix("ocf-exit-reason:")).unwrap_or_default();
    assert!(reason.find(cause).is_some_and(|at| at + cause.len() <= KEPT), "{cause}: {run}");
    for refusal in ["starting up", "not yet accepting", "not accepting"] {
        assert!(!reason.contains(refusal), "{run}");
    }
}

/// The server refuses connections for two seconds before it ends; all the while the agent asks.
#[test]
fn the_cause_of_a_failed_start_comes_ahead_of_refused_connections() {
    let world = World::new("reason-late");
    let one = world.primary(1);
    let two = one.standby(2);
    two.append_conf("restore_command = 'sleep 2; exit 1'\nmax_connections = 5\n");
    let run = two.call("start").timeout(30).must(code::GENERIC);
    assert_cause(&run, "insufficient parameter settings");
}

/// The usual one on Red Hat: the server's own output holds a line that says where the log is.
#[test]
fn the_cause_is_found_in_the_collectors_log() {
    let world = World::new("reason-collector");
    let one = world.primary(1);
    let two = one.standby(2);
    two.append_conf("logging_collector = on\nrestore_command = 'sleep 1; exit 1'\nmax_connections = 5\n");
    let run = two.call("start").timeout(30).must(code::GENERIC);
    assert_cause(&run, "insufficient parameter settings");
}

/// Their times are the wall clock's.
#[test]
fn the_cause_is_found_in_the_present_file_after_the_clock_was_set_back() {
    let world = World::new("reason-clock-back");
    let one = world.primary(1);
    let two = one.standby(2);
    two.append_conf("logging_collector = on\nlog_directory = 'log'\nrestore_command = 'sleep 1; exit 1'\nmax_connections = 5\n");
    owned_dir(&two.pgdata.join("log"));
    let before = two.pgdata.join("log/before.log");
    owned_file(&before, b"LOG:  starting PostgreSQL 15\nFATAL:  the trouble of another day\n", 0o600);
    let later = SystemTime::now() + Duration::from_secs(600);
    fs::File::open(&before).and_then(|file| file.set_modified(later)).expect("it is ours");
    let run = two.call("start").timeout(30).must(code::GENERIC);
    assert_cause(&run, "insufficient parameter settings");
}

#[test]
fn what_a_summary_sums_up_is_named() {
    let world = World::new("reason-summary");
    let node = world.node(1);
    node.append_conf("max_connections = banana\n");
    let run = node.call("start").timeout(30).must(code::GENERIC);
    assert_cause(&run, "invalid value for parameter \"max_connections\"");
    let other = world.primary(2);
    let three = world.node(3);
    three.append_conf(&format!("listen_addresses = '{}'\n", other.address()));
    let run = three.call("start").timeout(30).must(code::GENERIC);
    assert_cause(&run, "could not bind IPv4 address");
}

/// It stands in PostgreSQL's log alone.
#[test]
fn why_a_standby_does_not_stream_is_said() {
    let world = World::new("reason-stream");
    let [one, two] = world.pair();
    two.sql("alter system set primary_slot_name = 'no_such_slot'");
    two.sql("select pg_reload_conf()");
    wait_for("refused stream", SOON, || (!one.streams_to("srv2")).then_some(()));
    let remembered = world.rsctmp().join("srv2/quorate-pgsqld.json");
    wait_for("the reason", SOON, || {
        two.call("monitor").recurring().must(code::SUCCESS);
        let text = fs::read_to_string(&remembered).expect("the agent's memory");
        (text.contains("does not stream")
            && text.contains("replication slot")
            && text.contains("no_such_slot"))
        .then_some(())
    });
}
