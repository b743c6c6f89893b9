//! Notifications: also those that make no sense.

use std::time::Duration;

use crate::support::{World, code};

type Lists<'a> = &'a [(&'a str, &'a str)];

#[test]
fn an_empty_environment_is_fine() {
    let world = World::new("notify-empty");
    let node = world.node(1);
    node.must("notify", code::SUCCESS);
    node.must("start", code::SUCCESS);
    node.must("notify", code::SUCCESS);
}

#[test]
fn senseless_environments_never_fail() {
    let world = World::new("notify-senseless");
    let node = world.primary(1);
    let long = "srv1 ".repeat(5000);
    let cases: [(&str, &str, Lists); 12] = [
        ("", "", &[]),
        ("pre", "", &[]),
        ("during", "promote", &[]),
        ("pre", "migrate", &[]),
        ("post", "promote", &[("promote_uname", "srv1 srv2 srv3")]),
        ("post", "promote", &[("promote_uname", "nobody-knows-me")]),
        ("pre", "demote", &[("demote_uname", "srv1"), ("promote_uname", "srv1")]),
        ("post", "start", &[("start_uname", "../../etc/passwd")]),
        ("post", "promote", &[("promote_uname", "srv2'; drop table t; --")]),
        ("pre", "promote", &[("promote_uname", &long)]),
        ("post", "stop", &[("stop_uname", "srv9"), ("promoted_uname", "\t\n")]),
        ("pre", "stop", &[("master_uname", "srv1"), ("slave_uname", "srv2"), ("stop_uname", "srv2")]),
    ];
    for (when, operation, lists) in cases {
        let run = node.call("notify").notify(when, operation, lists).timeout(20).run();
        assert_eq!(run.code, Some(code::SUCCESS), "{when} {operation} {lists:?}: {run}");
        run.assert_within(Duration::from_secs(15));
        assert!(!run.stderr.contains("panicked"), "{run}");
    }
    assert!(node.is_primary(), "no notification may change a running primary");
    assert_eq!(node.sql("select count(*) from t"), "0");
}

#[test]
fn notifications_of_a_stopped_instance_are_fine() {
    let world = World::new("notify-stopped");
    let node = world.node(1);
    for when in ["pre", "post"] {
        for operation in ["start", "stop", "promote", "demote"] {
            node.call("notify").notify(when, operation, &[("promote_uname", "srv2")]).must(code::SUCCESS);
        }
    }
}

/// The pre-demote notify of PAF starts a crashed server, as a primary, while the float IP is up.
#[test]
fn no_notification_starts_a_crashed_primary() {
    let world = World::new("notify-crashed");
    let node = world.primary(1);
    node.write();
    node.crash();
    let lists = [("demote_uname", "srv1"), ("promoted_uname", "srv1"), ("stop_uname", "srv1")];
    for (when, operation) in [("pre", "demote"), ("pre", "stop"), ("post", "demote"), ("post", "stop")] {
        node.call("notify").notify(when, operation, &lists).must(code::SUCCESS);
        assert!(node.processes().is_empty(), "{when}-{operation} started the crashed server");
    }
}
