//! Replication slots: made for the others, used where the primary has one.

use super::*;
use crate::decide::slots::Slot;

/// A call with the parameter `replication_slots`.
fn with_slots(host: &mut FakeHost, action: Action, value: &str) -> Report {
    let mut env = environment(&[("interval", "15000")]);
    env.insert("OCF_RESKEY_replication_slots".into(), value.into());
    let (settings, _) = Settings::tolerant(&env).unwrap();
    Agent::new(host, &env, Run::from(&env), settings).perform(action)
}

fn primary() -> FakeHost {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x500));
    host.promotions = vec!["1:2:7:-:-:0000000a::srv1".parse().unwrap()];
    host.status = Some(cluster(Some("srv1")));
    host.slots.held.is_limited = true;
    host
}

fn standby() -> FakeHost {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x500));
    host.status = Some(cluster(Some("srv2")));
    host.slots.held.is_limited = true;
    host
}

#[test]
fn a_primary_makes_one_for_each_member_and_says_so() {
    let mut host = primary();
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.did("slot").len(), 1, "{:?}", host.done);
    assert_eq!(host.slots.published, [("srv1".to_owned(), "srv2".to_owned())]);
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.slots.published.len(), 1, "looked after now and then");
    let mut host = primary();
    with_slots(&mut host, Action::Monitor, "no");
    assert!(host.slots.published.is_empty() && host.did("slot").is_empty(), "{:?}", host.done);
}

#[test]
fn a_standby_uses_one_only_where_the_primary_has_it() {
    let mut host = standby();
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.slots.used, None);
    host.slots.published.push(("srv2".into(), "srv1,srv3".into()));
    host.now += 31_000;
    host.done.clear();
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.slots.used.as_deref(), Some("quorate_srv1"));
    assert_eq!(host.did("repoint").len(), 1, "a reload takes it up: {:?}", host.done);
    // Somebody dropped it there: PostgreSQL would ask for it for ever.
    host.slots.published.push(("srv2".into(), "srv3".into()));
    host.now += 31_000;
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.slots.used, None);
}

#[test]
fn a_start_follows_the_primary_by_its_slot_there() {
    let mut host = standby();
    host.at_rest = true;
    host.slots.published.push(("srv2".into(), "srv1".into()));
    host.slots.used = Some("another".into());
    with_slots(&mut host, Action::Start, "yes");
    assert_eq!(host.slots.used.as_deref(), Some("quorate_srv1"));
    // What an operator set is his own without the parameter.
    let mut host = standby();
    host.at_rest = true;
    host.slots.used = Some("another".into());
    with_slots(&mut host, Action::Start, "no");
    assert_eq!(host.slots.used.as_deref(), Some("another"));
}

#[test]
fn a_standby_keeps_the_others_wal_no_longer_than_they_need_it() {
    let mut host = standby();
    host.slots.held.slots.push(Slot {
        name: "quorate_srv2".into(),
        is_active: false,
        restart: Some(crate::pg::lsn::Lsn(0x100)),
        is_lost: false,
        has_xmin: false,
    });
    host.slots.reported.push(crate::decide::reported::NodeReported {
        node: "srv2".into(),
        reported: "2:0/300:-".parse().unwrap(),
    });
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.slots.held.slots[0].restart, Some(crate::pg::lsn::Lsn(0x300)), "{:?}", host.done);
}

#[test]
fn without_a_limit_it_complains_and_makes_none() {
    let mut host = primary();
    host.slots.held.is_limited = false;
    with_slots(&mut host, Action::Monitor, "yes");
    assert!(host.slots.held.slots.is_empty());
    assert!(host.log.iter().any(|(_, line)| line.contains("max_slot_wal_keep_size")), "{:?}", host.log);
}

#[test]
fn switched_off_it_leaves_nothing_that_keeps_wal() {
    let mut host = primary();
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.slots.held.slots.len(), 1);
    host.now += 31_000;
    with_slots(&mut host, Action::Monitor, "no");
    assert!(host.slots.held.slots.is_empty(), "{:?}", host.slots.held);
    assert_eq!(host.slots.published.last().map(|(_, value)| value.as_str()), Some(""));
    host.now += 31_000;
    let published = host.slots.published.len();
    with_slots(&mut host, Action::Monitor, "no");
    assert_eq!(host.slots.published.len(), published, "the operator's from then on");
}

#[test]
fn unknown_changes_no_stream_that_is_there() {
    let mut host = standby();
    host.slots.used = Some("quorate_srv1".into());
    with_slots(&mut host, Action::Monitor, "yes");
    assert_eq!(host.slots.used.as_deref(), Some("quorate_srv1"), "the primary said nothing of slots");
    assert!(host.did("repoint").is_empty(), "{:?}", host.done);
}

#[test]
fn it_complains_once() {
    let mut host = primary();
    host.slots.held.is_limited = false;
    for _ in 0..3 {
        with_slots(&mut host, Action::Monitor, "yes");
        host.now += 31_000;
    }
    let complaints = host.log.iter().filter(|(_, line)| line.contains("max_slot_wal_keep_size")).count();
    assert_eq!(complaints, 1, "{:?}", host.log);
}
