//! A server that answers with an error, or once too late: what is a failure, and when.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Node, SOON, World, code, wait_for};

const PRIMARY: i64 = 1001;
/// The promoted instance, when another one is to take its role.
const HANDS_OVER: i64 = 150;

fn monitor(node: &Node<'_>) -> crate::support::Run {
    let run = node.call("monitor").recurring().timeout(5).run();
    run.assert_within(Duration::from_millis(4900));
    run
}

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

#[test]
fn a_database_whose_files_are_gone_fails_the_second_monitor() {
    let world = World::new("files-gone");
    let node = primary(&world);
    let oid = node.sql("select oid from pg_database where datname = 'postgres'");
    let directory = node.pgdata.join("base").join(oid);
    let aside = directory.with_extension("aside");
    std::fs::rename(&directory, &aside).expect("it is there");
    let run = monitor(&node);
    run.assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY), "{run}");
    for _ in 0..2 {
        let run = monitor(&node);
        run.assert_code(code::GENERIC);
        run.assert_reason(&["base/", "missing"]);
        assert_eq!(world.score("srv1"), Some(HANDS_OVER), "{run}");
    }
    std::fs::rename(&aside, &directory).expect("it is there");
    monitor(&node).assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY));
}

#[test]
fn files_that_can_not_be_read_fail_the_second_monitor() {
    let world = World::new("files-unreadable");
    let node = primary(&world);
    let oid = node.sql("select oid from pg_database where datname = 'postgres'");
    let file = node.pgdata.join("base").join(oid).join("pg_filenode.map");
    let text = std::fs::read(&file).expect("it is there");
    node.overwrite(file.strip_prefix(&node.pgdata).expect("below").to_str().expect("a name"), b"damaged");
    monitor(&node).assert_code(code::PROMOTED);
    monitor(&node).assert_code(code::GENERIC);
    node.overwrite(file.strip_prefix(&node.pgdata).expect("below").to_str().expect("a name"), &text);
    monitor(&node).assert_code(code::PROMOTED);
}

#[test]
fn an_unknown_database_a_refused_login_and_a_full_server_fail_no_monitor() {
    let world = World::new("own-mistakes");
    let node = primary(&world);
    for (parameter, value) in [("dbname", "nowhere"), ("dbuser", "nobody")] {
        for _ in 0..3 {
            let run = node.call("monitor").recurring().timeout(5).param(parameter, value).run();
            run.assert_code(code::PROMOTED);
        }
    }
    node.sql("alter database postgres connection limit 0");
    for _ in 0..3 {
        monitor(&node).assert_code(code::PROMOTED);
    }
    assert_eq!(world.score("srv1"), Some(PRIMARY));
}

/// Each login takes so many seconds from now on.
fn delay_logins(node: &Node<'_>, seconds: u32) {
    node.append_conf(&format!("post_auth_delay = {seconds}\n"));
    node.signal_postmaster(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn one_login_that_takes_too_long_is_no_failure_and_a_second_one_is() {
    let world = World::new("slow-login");
    let node = primary(&world);
    delay_logins(&node, 6);
    monitor(&node).assert_code(code::PROMOTED);
    delay_logins(&node, 0);
    monitor(&node).assert_code(code::PROMOTED);
    delay_logins(&node, 6);
    monitor(&node).assert_code(code::PROMOTED);
    let run = monitor(&node);
    run.assert_code(code::GENERIC);
    run.assert_reason(&["second time in a row"]);
    delay_logins(&node, 0);
    // What takes three seconds is in time.
    delay_logins(&node, 3);
    monitor(&node).assert_code(code::PROMOTED);
    monitor(&node).assert_code(code::PROMOTED);
    assert_eq!(world.score("srv1"), Some(PRIMARY));
}
