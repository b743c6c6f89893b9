//! Histories made by hand, one for each violation, and the good ones beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::record::history::{Outcome, Served};
use quorate::pg::lsn::Lsn;
use quorate::pg::timeline::Timeline;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An answered operation of a client on its first connection, which took 5 ms.
fn op(client: &str, at: u64, action: Action) -> Op {
    Op {
        client: client.to_owned(),
        connection: 1,
        action,
        asked: ms(at),
        ended: ms(at + 5),
        outcome: Outcome::Acked,
        served: None,
    }
}

fn append(id: i64, at: u64) -> Op {
    op("heart", at, Action::Append { list: "heart".to_owned(), id })
}

fn write(value: i64, at: u64) -> Op {
    op("writer", at, Action::Write { register: 1, value })
}

fn read_list(at: u64, newest: i64) -> Op {
    let newest = BTreeMap::from([("heart".to_owned(), Some(newest))]);
    op("reader", at, Action::Read(Shown { newest, ..Shown::default() }))
}

fn read_register(at: u64, value: i64) -> Op {
    let registers = BTreeMap::from([(1, value)]);
    op("reader", at, Action::Read(Shown { registers, ..Shown::default() }))
}

fn refused(op: Op) -> Op {
    Op { outcome: Outcome::Refused("read-only".to_owned()), served: None, ..op }
}

fn uncertain(op: Op) -> Op {
    Op { ended: op.asked + ms(1000), outcome: Outcome::Uncertain("no answer".to_owned()), served: None, ..op }
}

/// Answered by a node's server, on a timeline, at a position.
fn on(node: &str, timeline: u32, lsn: u64, op: Op) -> Op {
    let run = node.bytes().map(i64::from).sum();
    let timeline = Timeline::new(timeline);
    Op { served: Some(Served { run, node: Some(node.to_owned()), timeline, lsn: Some(Lsn(lsn)) }), ..op }
}

fn by(client: &str, op: Op) -> Op {
    Op { client: client.to_owned(), ..op }
}

fn end(ids: &[i64]) -> Final {
    Final {
        asked: ms(1_000_000),
        lists: BTreeMap::from([("heart".to_owned(), ids.iter().copied().collect())]),
        registers: BTreeMap::new(),
    }
}

fn found(ops: &[Op], end: &Final) -> Vec<Finding> {
    check(ops, end).findings
}

fn nothing() -> Vec<Finding> {
    Vec::new()
}

#[test]
fn a_good_history_has_no_findings() {
    let ops = [
        on("a", 1, 100, append(1, 0)),
        uncertain(append(2, 50)),
        on("b", 2, 200, append(3, 1100)),
        on("a", 1, 110, write(1, 10)),
        read_register(20, 1),
        read_list(30, 1),
        read_list(2000, 3),
    ];
    let truth = check(&ops, &end(&[1, 3]));
    assert_eq!(truth, Truth { acked: 2, findings: nothing() });
}

#[test]
fn acknowledged_writes_that_are_gone_are_lost_with_their_bytes_and_time() {
    let ops = [
        on("a", 1, 1000, append(1, 0)),
        on("a", 1, 1200, append(2, 50)),
        on("a", 1, 1500, append(3, 100)),
        on("b", 2, 1300, append(4, 5000)),
    ];
    let lost = Finding::LostAcked {
        count: 2,
        ids: vec!["heart:2".to_owned(), "heart:3".to_owned()],
        bytes: Some(500),
        span_ms: 50,
    };
    assert_eq!(found(&ops, &end(&[1, 4])), [lost]);
    let unknown = [append(1, 0), append(2, 50)];
    assert!(matches!(
        found(&unknown, &end(&[1])).as_slice(),
        [Finding::LostAcked { count: 1, bytes: None, span_ms: 0, .. }]
    ));
}

#[test]
fn the_ends_of_two_timelines_are_lost_one_by_one() {
    let ops = [
        on("a", 1, 1000, append(1, 0)),
        on("a", 1, 1100, append(2, 50)),
        on("b", 2, 1050, append(3, 60_000)),
        on("b", 2, 1070, append(4, 60_050)),
        on("a", 3, 1060, append(5, 90_000)),
    ];
    assert!(matches!(
        found(&ops, &end(&[1, 3, 5])).as_slice(),
        [Finding::LostAcked { count: 2, bytes: Some(120), span_ms: 0, .. }]
    ));
}

#[test]
fn a_list_that_was_not_read_is_not_judged() {
    let other = op("direct a", 0, Action::Append { list: "direct a".to_owned(), id: 1 });
    assert_eq!(found(&[other], &end(&[])), nothing());
}

#[test]
fn an_unanswered_write_that_is_there_is_counted_and_not_condemned() {
    let finding = Finding::Recovered { count: 1 };
    assert!(!finding.is_condemned(crate::faults::Loss::Forbidden));
    assert_eq!(found(&[uncertain(append(1, 0)), uncertain(append(2, 2000))], &end(&[2])), [finding]);
}

#[test]
fn refused_and_invented_writes_that_are_there_came_back() {
    let back = Finding::CameBack { count: 2, ids: vec!["heart:2".to_owned(), "heart:9".to_owned()] };
    assert_eq!(found(&[append(1, 0), refused(append(2, 50))], &end(&[1, 2, 9])), [back]);
}

/// Acknowledged direct writes every 50 ms.
fn beats(node: &str, from: u64, to: u64) -> Vec<Op> {
    let list = format!("direct {node}");
    (from..to)
        .step_by(50)
        .map(|at| {
            let action = Action::Append { list: list.clone(), id: i64::try_from(at).expect("small") };
            Op { served: on(node, 1, 1, append(1, at)).served, ..op(&list, at, action) }
        })
        .collect()
}

fn both(ops: &[Op]) -> Duration {
    primaries::two_primaries(ops)
}

#[test]
fn two_primaries_are_measured_by_the_overlap_of_their_writes() {
    let ops = [beats("a", 0, 5000), beats("b", 4000, 9000)].concat();
    // A's last write began at 4950 and was answered at 4955.
    assert_eq!(both(&ops), ms(955));
    assert!(found(&ops, &end(&[])).contains(&Finding::TwoPrimaries { ms: 955 }));
}

#[test]
fn one_after_the_other_is_one_primary() {
    assert_eq!(both(&[beats("a", 0, 5000), beats("b", 5000, 9000)].concat()), ms(0));
    // Two clients on the same node are not two primaries.
    let session = beats("a", 0, 5000).into_iter().map(|op| by("session", op)).collect();
    assert_eq!(both(&[beats("a", 0, 5000), session].concat()), ms(0));
}

#[test]
fn a_client_that_moves_to_the_new_primary_shows_the_old_one_that_goes_on() {
    let heart: Vec<Op> = [beats("a", 0, 1000), beats("b", 1000, 3000)].concat();
    let heart = heart.into_iter().map(|op| by("heart", op)).collect();
    assert_eq!(both(&[heart, beats("a", 0, 2000)].concat()), ms(955));
}

#[test]
fn a_single_write_on_the_old_primary_is_seen() {
    let mut a = beats("a", 0, 3000);
    a.push(uncertain(Op { asked: ms(3000), ..a[0].clone() }));
    a.extend(beats("a", 4100, 4150));
    assert_eq!(both(&[a, beats("b", 4000, 9000)].concat()), ms(5));
}

#[test]
fn a_failed_attempt_and_a_long_pause_end_a_span() {
    let mut a = beats("a", 0, 100);
    a.push(refused(Op { asked: ms(100), ended: ms(105), ..a[0].clone() }));
    a.extend(beats("a", 150, 200));
    a.extend(beats("a", 900, 950));
    // Each span by itself: 55, 5 and 5 ms.
    assert_eq!(both(&[a, beats("b", 0, 2000)].concat()), ms(65));
}

#[test]
fn a_read_that_shows_less_than_before_went_back() {
    let went_back = |ops: &[Op]| {
        let all = end(&[1, 2, 3, 4, 5]);
        found(ops, &all).iter().any(|f| matches!(f, Finding::WentBack { times: 1, .. }))
    };
    let history: Vec<Op> = (1..=5).map(|id| append(id, u64::try_from(id).expect("small"))).collect();
    let with = |more: &[Op]| [&history, more].concat();
    assert!(went_back(&with(&[read_list(100, 5), read_list(200, 4)])));
    assert!(!went_back(&with(&[read_list(100, 4), read_list(200, 4), read_list(300, 5)])));
    // Another connection may end on another server, which may be behind.
    let other = Op { connection: 2, ..read_list(200, 4) };
    assert!(!went_back(&with(&[read_list(100, 5), other])));
    // Its own write was acknowledged on this connection.
    assert!(went_back(&with(&[by("heart", read_list(100, 4))])));
    assert!(!went_back(&with(&[by("heart", read_list(100, 5))])));
    let empty = Shown { newest: BTreeMap::from([("heart".to_owned(), None)]), ..Shown::default() };
    assert!(went_back(&with(&[read_list(100, 5), op("reader", 200, Action::Read(empty))])));
}

#[test]
fn a_register_goes_back_on_one_connection() {
    let ops = [write(1, 0), write(2, 100), read_register(200, 2), read_register(300, 1)];
    let findings = found(&ops, &end(&[]));
    assert!(findings.iter().any(|f| matches!(f, Finding::WentBack { times: 1, .. })), "{findings:?}");
    let own = [write(1, 0), write(2, 100), by("writer", read_register(300, 1))];
    assert!(found(&own, &end(&[])).iter().any(|f| matches!(f, Finding::WentBack { .. })));
}

#[test]
fn a_register_that_shows_what_was_overwritten_is_stale() {
    let stale = |ops: &[Op]| found(ops, &end(&[])).iter().any(|f| matches!(f, Finding::RegisterStale { .. }));
    assert!(stale(&[write(1, 0), write(2, 100), read_register(200, 1)]));
    assert!(stale(&[write(1, 10), read_register(200, 0)]), "the initial value");
    // The reading began before the second write was answered: both values are right.
    assert!(!stale(&[write(1, 0), write(2, 100), read_register(103, 1)]));
    // Two writes at the same time: either may have come last.
    assert!(!stale(&[write(1, 100), by("other", write(2, 102)), read_register(200, 1)]));
    // A write without an answer may take effect at any time later.
    assert!(!stale(&[uncertain(write(1, 0)), write(2, 2000), read_register(3000, 1)]));
    // Unless it was seen before the other one began.
    assert!(stale(&[uncertain(write(1, 0)), read_register(1500, 1), write(2, 2000), read_register(3000, 1)]));
}

#[test]
fn the_registers_are_checked_in_the_end_too() {
    let ops = [write(1, 0), write(2, 100)];
    let with = |value| Final { registers: BTreeMap::from([(1, value)]), ..end(&[]) };
    assert_eq!(found(&ops, &with(2)), nothing());
    assert!(matches!(found(&ops, &with(1)).as_slice(), [Finding::RegisterStale { times: 1, .. }]));
}

#[test]
fn a_value_that_nobody_wrote_is_impossible() {
    let impossible = |ops: &[Op]| {
        found(ops, &end(&[])).iter().any(|f| matches!(f, Finding::RegisterImpossible { times: 1, .. }))
    };
    assert!(impossible(&[write(1, 0), read_register(200, 7)]));
    assert!(impossible(&[refused(write(1, 0)), read_register(200, 1)]));
    assert!(!impossible(&[uncertain(write(1, 0)), read_register(200, 1), read_register(300, 1)]));
}

fn broken(ops: &[Op], end: &Final) -> Option<String> {
    found(ops, end).into_iter().find_map(|f| match f {
        Finding::BrokenTimelines { first, .. } => Some(first),
        _ => None,
    })
}

#[test]
fn a_later_write_on_a_lower_timeline_breaks_the_line() {
    let ops =
        [on("a", 1, 100, append(1, 0)), on("b", 2, 200, append(2, 100)), on("a", 1, 300, append(3, 200))];
    let first = broken(&ops, &end(&[1, 2])).expect("broken");
    assert!(first.contains("timeline 1 of a") && first.contains("timeline 2 of b"), "{first}");
    // Asked before the other was answered: they may have come in either order.
    let ops =
        [on("a", 1, 100, append(1, 0)), on("b", 2, 200, append(2, 100)), on("a", 1, 90, append(3, 102))];
    assert_eq!(broken(&ops, &end(&[1, 2, 3])), None);
}

#[test]
fn two_nodes_on_one_timeline_break_the_line() {
    let ops = [on("a", 3, 100, append(1, 0)), on("b", 3, 200, append(2, 100))];
    assert!(broken(&ops, &end(&[1, 2])).expect("broken").contains("a and b both wrote on timeline 3"));
    // The same node may have been started anew.
    let mut again = on("a", 3, 200, append(2, 100));
    again.served.as_mut().expect("served").run = 7;
    assert_eq!(broken(&[on("a", 3, 100, append(1, 0)), again], &end(&[1, 2])), None);
}

#[test]
fn what_is_kept_lies_below_the_fork() {
    let ops = [on("a", 1, 500, append(1, 0)), on("b", 2, 400, append(2, 100))];
    assert!(broken(&ops, &end(&[1, 2])).expect("broken").contains("is kept"));
    // Lost with the end of its timeline: that is the other finding.
    assert_eq!(broken(&ops, &end(&[2])), None);
}

#[test]
fn findings_are_told_with_their_verdict() {
    use crate::faults::Loss;
    let lost = Finding::LostAcked { count: 1, ids: vec![], bytes: Some(80), span_ms: 0 };
    let found = [Found { instance: "main".to_owned(), finding: lost }];
    assert!(words(&found, Loss::Possible)[0].starts_with("note: main: 1 acknowledged"));
    assert!(words(&found, Loss::Forbidden)[0].starts_with("BAD: main: 1 acknowledged"));
    let json = serde_json::to_value(&found[0]).expect("serializes");
    assert_eq!(json["finding"], "lost-acked");
    assert_eq!(serde_json::from_value::<Found>(json).expect("reads").finding, found[0].finding);
}

#[test]
fn a_history_is_told_in_the_order_of_its_beginning() {
    let told = tell(&[refused(append(2, 50)), on("a", 3, 0x5000148, append(1, 0))]);
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert_eq!(
        lines[0],
        "0.0000     0.0050 heart/1 append heart:1 acknowledged by a on timeline 3 at 0/5000148"
    );
    assert!(lines[1].ends_with("append heart:2 refused: read-only"), "{told}");
}

#[test]
fn the_end_of_one_primary_and_the_beginning_of_the_next() {
    let at = |client: &str, node: &str, ms: u64| on(node, 1, ms, by(client, append(ms.cast_signed(), ms)));
    let mut ops = vec![at("heart", "srv1", 100), at("heart", "srv1", 900)];
    // The float IP leads to the other node, and a session inside goes on.
    ops.extend((10..=30).map(|n| at("inside srv1", "srv1", n * 100)));
    ops.extend((25..=40).map(|n| at("heart", "srv2", n * 100)));
    let told = take_over(&ops, ms(1000)).expect("there was a primary");
    assert_eq!((told.old_node.as_str(), told.new_node.as_str()), ("srv1", "srv2"));
    assert_eq!((told.last_commit_ms, told.last_commit_to.as_str()), (Some(2005), "inside srv1"));
    assert_eq!((told.first_commit_ms, told.overlap_ms), (Some(1505), 505));
    let split = TakeOver { reset_ms: Some(2010), ..told }.split().expect("two primaries");
    assert!(
        split.contains("last commit on srv1 after 2.00 s (to inside srv1), first on srv2 after 1.50 s"),
        "{split}"
    );
    assert!(split.ends_with("srv1 reset after 2.01 s"), "{split}");
}

#[test]
fn a_server_that_is_started_again_is_no_new_primary() {
    let again = |ms: u64| {
        let op = on("srv1", 1, ms, append(ms.cast_signed(), ms));
        Op { served: op.served.map(|served| Served { run: 7, ..served }), ..op }
    };
    let ops = [on("srv1", 1, 100, append(1, 100)), again(3000), again(3100)];
    let told = take_over(&ops, ms(1000)).expect("there was a primary");
    assert_eq!((told.first_commit_ms, told.last_commit_ms, told.overlap_ms), (None, Some(2105), 0));
    assert_eq!(told.split(), None);
    assert_eq!(take_over(&ops[1..], ms(1000)), None, "nobody had written before");
}
