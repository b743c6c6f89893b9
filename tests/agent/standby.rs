//! Promotion and what the other members do about it.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Node, SOON, World, code, wait_for};

/// One primary, two standbys, all started by the agent.
fn trio(world: &World) -> [Node<'_>; 3] {
    let one = world.node(1);
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    let (two, three) = (one.standby(2), one.standby(3));
    for standby in [&two, &three] {
        standby.must("start", code::SUCCESS);
        wait_for("streaming standby", SOON, || one.streams_to(&standby.name).then_some(()));
    }
    [one, two, three]
}

const PROMOTE_TWO: &[(&str, &str)] =
    &[("promote_uname", "srv2"), ("unpromoted_uname", "srv2 srv3"), ("active_uname", "srv2 srv3")];

fn pre_promote(nodes: &[&Node<'_>]) {
    for node in nodes {
        node.call("notify").notify("pre", "promote", PROMOTE_TWO).must(code::SUCCESS);
    }
}

/// PAF #225: after a restart the received LSN is the start of a segment, all nodes tie, and a stale one may win.
#[test]
fn a_stale_node_is_not_promoted() {
    let world = World::new("stale");
    let [one, two, three] = trio(&world);
    // srv2 falls behind: its receiver stands still while srv3 gets everything.
    one.wait_caught_up(&two);
    two.crash();
    one.write();
    one.sql("insert into t values (7)");
    one.wait_caught_up(&three);
    one.crash();
    // Both restart, so nobody has a received LSN any more.
    two.must("start", code::SUCCESS);
    three.must("stop", code::SUCCESS);
    three.must("start", code::SUCCESS);
    pre_promote(&[&two, &three]);
    let run = two.call("promote").notify("pre", "promote", PROMOTE_TWO).timeout(30).run();
    assert!(run.code.is_some(), "{run}");
    assert_ne!(run.code, Some(code::SUCCESS), "a stale node was promoted: {run}");
    assert!(!two.is_primary(), "a stale node was promoted: {run}");
    run.assert_reason(&["srv3"]);
    // The score now says who should be.
    assert!(world.score("srv3") > world.score("srv2"), "{:?} {:?}", world.score("srv3"), world.score("srv2"));
}

#[test]
fn the_most_advanced_is_promoted() {
    let world = World::new("advanced");
    let [one, two, three] = trio(&world);
    one.wait_caught_up(&three);
    three.crash();
    one.write();
    one.wait_caught_up(&two);
    one.crash();
    three.must("start", code::SUCCESS);
    pre_promote(&[&two, &three]);
    two.call("promote").notify("pre", "promote", PROMOTE_TWO).timeout(30).must(code::SUCCESS);
    assert!(two.is_primary());
    two.write();
}

/// PAF #9, #80, #131: one broken member blocks the election until the promotion times out.
#[test]
fn a_member_that_does_not_answer_does_not_block() {
    let world = World::new("mute-member");
    let [one, two, three] = trio(&world);
    one.write();
    for standby in [&two, &three] {
        one.wait_caught_up(standby);
    }
    one.crash();
    three.signal_all(Signal::SIGSTOP);
    // srv3's own notification is bounded, srv2's promotion does not need it.
    two.call("notify").notify("pre", "promote", PROMOTE_TWO).must(code::SUCCESS);
    let mute = three.call("notify").notify("pre", "promote", PROMOTE_TWO).timeout(20).run();
    mute.assert_code(code::SUCCESS);
    let run = two.call("promote").notify("pre", "promote", PROMOTE_TWO).timeout(30).run();
    run.assert_code(code::SUCCESS);
    run.assert_within(Duration::from_secs(15));
    assert!(two.is_primary());
}

/// PAF's known fault 14: streaming through the float IP hangs on a dead connection.
#[test]
fn every_standby_streams_straight_from_the_new_primary() {
    let world = World::new("repoint");
    let [one, two, three] = trio(&world);
    one.write();
    for standby in [&two, &three] {
        one.wait_caught_up(standby);
    }
    one.crash();
    pre_promote(&[&two, &three]);
    two.call("promote").notify("pre", "promote", PROMOTE_TWO).must(code::SUCCESS);
    let before = three.postmaster();
    for node in [&two, &three] {
        node.call("notify").notify("post", "promote", PROMOTE_TWO).must(code::SUCCESS);
    }
    wait_for("srv3 streaming from srv2", Duration::from_secs(15), || two.streams_to("srv3").then_some(()));
    assert_eq!(three.postmaster(), before, "a reload is enough");
    let conninfo = three.setting("primary_conninfo");
    assert!(conninfo.contains(&two.address()), "{conninfo}");
    assert!(
        conninfo.contains("application_name=srv3") || conninfo.contains("application_name='srv3'"),
        "{conninfo}"
    );
}

/// A promotion is done when the server takes a write.
#[test]
fn promote_ends_in_a_server_that_takes_writes() {
    let world = World::new("takes-writes");
    let [one, two, _three] = trio(&world);
    one.wait_caught_up(&two);
    one.crash();
    two.call("promote").notify("pre", "promote", PROMOTE_TWO).must(code::SUCCESS);
    two.try_sql("insert into t values (1)").expect("it takes a write at once");
}

/// maxlag counts in the election too (PAF #70).
#[test]
fn maxlag_keeps_a_laggard_from_being_promoted() {
    let world = World::new("maxlag");
    let [one, two] = world.pair();
    one.call("monitor").recurring().must(code::PROMOTED);
    two.crash();
    for _ in 0..20 {
        one.write();
    }
    let monitor = one.call("monitor").recurring().param("maxlag", "1000").run();
    monitor.assert_code(code::PROMOTED);
    one.crash();
    two.call("start").param("maxlag", "1000").must(code::SUCCESS);
    let lists = [("promote_uname", "srv2"), ("unpromoted_uname", "srv2"), ("active_uname", "srv2")];
    two.call("notify").notify("pre", "promote", &lists).param("maxlag", "1000").must(code::SUCCESS);
    let run = two.call("promote").notify("pre", "promote", &lists).param("maxlag", "1000").timeout(30).run();
    assert!(run.code.is_some() && run.code != Some(code::SUCCESS), "{run}");
    assert!(!two.is_primary());
}

#[test]
fn promote_of_a_stopped_instance_fails_at_once() {
    let world = World::new("promote-stopped");
    let node = world.node(1);
    let run = node.call("promote").timeout(30).run();
    assert!(matches!(run.code, Some(code::GENERIC | code::NOT_RUNNING)), "{run}");
    run.assert_reason(&[]);
    run.assert_within(Duration::from_secs(10));
}

#[test]
fn demote_of_a_stopped_instance_ends() {
    let world = World::new("demote-stopped");
    let node = world.node(1);
    let run = node.call("demote").timeout(60).run();
    assert!(run.code.is_some(), "{run}");
    // Either "not running", or the standby that demote promises.
    assert!(
        run.code == Some(code::NOT_RUNNING) || (run.code == Some(code::SUCCESS) && node.is_standby()),
        "{run}"
    );
}

/// A primary that once was a standby is demoted, stopped and started in one recovery, while its only standby is lost: nobody streams, and it
/// is still the one that knows that it has everything.
#[test]
fn a_demoted_primary_that_followed_nobody_since_stays_a_former_primary() {
    let world = World::new("former");
    let one = world.node(1);
    one.must("start", code::SUCCESS);
    one.must("promote", code::SUCCESS);
    let two = one.running_standby(2);
    wait_for("streaming standby", SOON, || one.streams_to(&two.name).then_some(()));
    two.call("monitor").recurring().must(code::SUCCESS);
    one.must("stop", code::SUCCESS);
    two.must("promote", code::SUCCESS);
    two.must("demote", code::SUCCESS);
    two.must("stop", code::SUCCESS);
    two.must("start", code::SUCCESS);
    let memory = world.rsctmp().join(&two.name).join("quorate-pgsqld.json");
    let memory = std::fs::read_to_string(memory).expect("it remembers");
    assert!(memory.contains(r#""last_role":"Primary""#), "{memory}");
    assert!(memory.contains(r#""timeline":null"#), "{memory}");
}

/// Of a restored archive, or of another cluster's pg_wal.
#[test]
fn a_history_of_somewhere_else_does_not_make_a_standby_diverge() {
    let world = World::new("foreign-history");
    let [one, two] = world.pair();
    let place = |name: &str| {
        let path = two.pgdata.join("pg_wal").join(name);
        crate::support::owned_file(&path, b"1\t0/1000060\tno recovery target specified\n", 0o600);
        path
    };
    one.call("monitor").recurring().must(code::PROMOTED);
    // PostgreSQL does not look beyond the next number.
    place("00000009.history");
    two.must("stop", code::SUCCESS);
    two.must("start", code::SUCCESS);
    wait_for("score of a candidate", SOON, || {
        two.call("monitor").recurring().must(code::SUCCESS);
        world.score("srv2").filter(|score| *score > 0)
    });
    // While it streams the primary's own timeline decides.
    let next = place(&format!("{:08X}.history", one.timeline() + 1));
    wait_for("stream", SOON, || one.streams_to("srv2").then_some(()));
    let run = two.call("monitor").recurring().must(code::SUCCESS);
    assert!(world.score("srv2").is_some_and(|score| score > 0), "{run}");
    // PostgreSQL would follow it: the file is named.
    two.must("stop", code::SUCCESS);
    let run = two.agent("start");
    assert_ne!(run.code, Some(code::SUCCESS), "{run}");
    run.assert_reason(&[&format!("pg_wal/{}", next.file_name().expect("a name").to_string_lossy()), "move"]);
    std::fs::remove_file(next).expect("there");
    two.must("start", code::SUCCESS);
}

/// It came from an archive, or a crash cut it: PostgreSQL, which finds a gap before it, never reads it.
#[test]
fn a_broken_history_beyond_a_gap_decides_over_nothing() {
    let world = World::new("broken-history");
    let [one, two] = world.pair();
    one.call("monitor").recurring().must(code::PROMOTED);
    two.overwrite("pg_wal/00000009.history", b"");
    std::os::unix::fs::symlink("/nowhere", two.pgdata.join("pg_wal/0000000A.history")).expect("a new name");
    one.crash();
    let lists = [("promote_uname", "srv2"), ("unpromoted_uname", "srv2"), ("active_uname", "srv2")];
    let run = two.call("monitor").recurring().must(code::SUCCESS);
    assert!(run.stderr.contains("00000009.history") && run.stderr.contains("left out"), "{run}");
    two.call("promote").notify("pre", "promote", &lists).timeout(30).must(code::SUCCESS);
    two.write();
    two.must("demote", code::SUCCESS);
    assert!(two.is_standby());
}

/// Promoted while a setting is below the primary's, the server ends itself: whoever replays goes before it.
#[test]
fn a_standby_whose_replay_is_paused_is_the_last_choice() {
    let world = World::new("paused");
    let [one, two, three] = trio(&world);
    one.call("monitor").recurring().must(code::PROMOTED);
    let seen = |node: &Node<'_>, expected: i64| {
        wait_for("score of a standby", Duration::from_secs(40), || {
            node.call("monitor").recurring().must(code::SUCCESS);
            (world.score(&node.name) == Some(expected)).then_some(())
        });
    };
    seen(&two, 900);
    seen(&three, 900);
    two.sql("select pg_wal_replay_pause()");
    seen(&two, 100);
    two.sql("select pg_wal_replay_resume()");
    seen(&two, 900);
}

/// One that is full of clients, or hangs, may be the only one that has the last commits.
#[test]
fn a_standby_that_does_not_answer_votes_with_its_wal() {
    let world = World::new("deaf-voter");
    let [one, two, three] = trio(&world);
    one.call("monitor").recurring().must(code::PROMOTED);
    wait_for("candidate", Duration::from_secs(40), || {
        three.call("monitor").recurring().must(code::SUCCESS);
        (world.score(&three.name) == Some(900)).then_some(())
    });
    one.write();
    one.wait_caught_up(&two);
    // srv3 alone gets what follows.
    two.crash();
    one.sql("insert into t values (7)");
    one.wait_caught_up(&three);
    let end = three.sql("select pg_last_wal_receive_lsn()");
    one.crash();
    let ballot = |node: &Node<'_>| world.attribute(&node.name, "quorate-position-pgsqld");
    // A socket that takes connections and says nothing.
    let socket = three.sockets.join(".s.PGSQL.5432");
    std::fs::rename(&socket, socket.with_extension("aside")).expect("the server listens there");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("nobody is there");
    std::os::unix::fs::chown(&socket, Some(World::owner().0), Some(World::owner().1)).expect("root may");
    two.must("start", code::SUCCESS);
    let deaf = three.call("notify").notify("pre", "promote", PROMOTE_TWO).timeout(30).run();
    deaf.assert_code(code::SUCCESS);
    assert_eq!(ballot(&three), Some(format!("2:{end}")), "{deaf}");
    let run = two.call("promote").notify("pre", "promote", PROMOTE_TWO).timeout(30).run();
    assert_ne!(run.code, Some(code::SUCCESS), "promoted without the last commit: {run}");
    // The same of one that is stopped.
    drop(listener);
    three.call("notify").notify("post", "promote", PROMOTE_TWO).must(code::SUCCESS);
    three.signal_all(Signal::SIGSTOP);
    three.call("notify").notify("pre", "promote", PROMOTE_TWO).timeout(30).must(code::SUCCESS);
    assert_eq!(ballot(&three), Some(format!("2:{end}")));
    // Chosen for it, it is launched anew: who gives up is restarted, and nobody could be promoted any more.
    let lists = [("promote_uname", "srv3"), ("unpromoted_uname", "srv2 srv3"), ("active_uname", "srv2 srv3")];
    let run = three.call("promote").notify("pre", "promote", &lists).timeout(60).must(code::SUCCESS);
    assert!(run.stderr.contains("restarting it"), "{run}");
    assert_eq!(three.sql("select count(*) from t where n = 7"), "2");
}
