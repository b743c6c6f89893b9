use super::*;
use crate::cluster::crm_mon::{Failure, Node, Status};
use crate::decide::rejoin::Commits;
use crate::pg::lsn::Lsn;
use crate::pg::timeline::{Timeline, WalPosition};

fn promotion(at: u64, generation: u64, from: Option<&str>, to: &str, kind: Kind) -> Entry {
    let text = format!("{generation}:{}:7:1:0/3000000:{:08x}::{to}", generation + 1, generation);
    let promotion: Promotion = text.parse().expect("a record");
    Entry::promotion(at, &promotion, from.map(str::to_owned), kind, "a \"reason\", 100 %".into())
}

fn kept(at: u64, node: &str) -> Entry {
    let position = |lsn| WalPosition { timeline: Timeline::FIRST, lsn: Lsn(lsn) };
    let kept = Kept {
        directory: format!("/data.kept/{at}"),
        at,
        source: "srv2".into(),
        system_identifier: 7,
        from: Some(position(0x300_0000)),
        to: position(0x300_0100),
        bytes: Some(256),
        commits: Some(Commits { number: 12, first: None, last: None }),
    };
    Entry::kept(node, &kept)
}

#[test]
fn what_is_written_and_told_is_read() {
    let all = vec![promotion(10, 1, None, "srv1", Kind::First), kept(20, "srv1")];
    assert_eq!(read(&lines(&all)), (all.clone(), 0));
    assert_eq!(read("{\n\n{\"at\":1}\n"), (Vec::new(), 2));
    let value = told(&all);
    assert!(!value.contains(['"', '\n', '\\', '<', '&', '\'']), "{value}");
    assert_eq!(hear(&value, 100), all);
    assert_eq!(hear("%", 100), []);
    assert_eq!(hear("%zz{", 100), []);
    // The latest alone.
    let many: Vec<Entry> = (1..=20).map(|n| promotion(n, n, None, "srv1", Kind::First)).collect();
    assert_eq!(hear(&told(&many), 100), many[12..]);
    // Another node's clock, or somebody who writes attributes.
    let ahead =
        vec![promotion(5_000, 9, None, "srv1", Kind::First), promotion(50, 8, None, "srv1", Kind::First)];
    assert_eq!(hear(&told(&ahead), 100), ahead[1..]);
    let value = told(&many).repeat(100);
    assert!(hear(&value, 100).len() <= TOLD, "as many as one tells");
}

#[test]
fn who_was_the_primary_before() {
    let all = [
        kept(1, "srv3"),
        promotion(12, 2, Some("srv1"), "srv2", Kind::Failover),
        promotion(10, 1, None, "srv1", Kind::First),
        promotion(15, 3, Some("srv2"), "srv3", Kind::Switchover),
    ];
    let before = |number| primary_before(&all, number);
    assert_eq!(
        [before(4), before(3), before(2), before(1)],
        [Some("srv3"), Some("srv2"), Some("srv1"), None]
    );
}

#[test]
fn histories_of_several_nodes_become_one() {
    let first = promotion(10, 1, None, "srv1", Kind::First);
    let guess = promotion(12, 2, Some("srv1"), "srv2", Kind::Unknown);
    let told = promotion(11, 2, Some("srv1"), "srv2", Kind::Failover);
    let mut all = vec![first.clone()];
    assert!(merge(&mut all, [guess.clone()]));
    assert!(!merge(&mut all, [first.clone(), guess.clone()]), "nothing is new");
    assert!(merge(&mut all, [told.clone()]), "who saw it knows more");
    assert!(!merge(&mut all, [guess]), "and a guess does not take it back");
    assert!(merge(&mut all, [promotion(5, 9, None, "srv3", Kind::First)]));
    assert_eq!(all.iter().map(|e| e.at).collect::<Vec<_>>(), [10, 11, 5], "in the order of their numbers");
    let many = (1..=1500).map(|n| promotion(n + 100, n + 100, None, "srv1", Kind::First));
    assert!(merge(&mut all, many));
    assert_eq!((all.len(), all.last().map(|e| e.at)), (LONGEST, Some(1600)));
}

#[test]
fn losses_belong_to_the_promotion_that_made_them() {
    let all = vec![
        promotion(10, 1, None, "srv1", Kind::First),
        kept(15, "srv1"),
        promotion(20, 2, Some("srv1"), "srv2", Kind::Failover),
        kept(25, "srv1"),
        kept(26, "srv3"),
        promotion(30, 3, Some("srv2"), "srv1", Kind::Switchover),
        kept(35, "srv1"),
    ];
    let of = |index: usize| lost(&all, &all[index]).iter().map(|e| e.at).collect::<Vec<_>>();
    assert_eq!((of(0), of(2), of(5)), (vec![], vec![25], vec![]));
}

fn status(online: bool, standby: bool, failure: Option<&str>) -> Status {
    let node = |name: &str, online, standby| Node {
        name: name.into(),
        online,
        unclean: false,
        pending: false,
        standby,
    };
    let failures = failure.map(|reason| Failure {
        operation: "pgsqld_monitor_3000".into(),
        node: "srv1".into(),
        status: "error".into(),
        reason: reason.into(),
    });
    Status {
        nodes: vec![node("srv1", online, standby), node("srv2", true, false)],
        failures: failures.into_iter().collect(),
        ..Status::default()
    }
}

#[test]
fn causes() {
    let base = Evidence {
        from: Some("srv1".into()),
        to: "srv2".into(),
        resource: "pgsqld".into(),
        ..Evidence::default()
    };
    let fenced =
        |client: &str| Fencing::Done { client: client.to_owned(), done: "2026-11-29 12:00:00Z".to_owned() };
    let well = status(true, false, None);
    let cases = [
        (Evidence { from: None, ..base.clone() }, &well, Kind::First, "won the election"),
        (Evidence { from: None, adopted: true, ..base.clone() }, &well, Kind::First, "already"),
        (Evidence { approved: true, ..base.clone() }, &well, Kind::Failover, "approved srv2"),
        (Evidence { to: "srv1".into(), ..base.clone() }, &well, Kind::Recovery, "started again"),
        (
            Evidence { to: "srv1".into(), ..base.clone() },
            &status(true, false, Some("no postmaster")),
            Kind::Recovery,
            "monitor: no postmaster",
        ),
        (
            Evidence { asked_on: Some("srv3".into()), demoted: true, ..base.clone() },
            &well,
            Kind::Switchover,
            "on srv3: quorate switchover",
        ),
        (Evidence { demoted: true, ..base.clone() }, &well, Kind::Switchover, "while srv1 ran"),
        (
            Evidence { demoted: true, stopped: true, ..base.clone() },
            &status(true, true, None),
            Kind::Switchover,
            "on standby",
        ),
        (
            Evidence { demoted: true, stopped: true, fencing: Fencing::None, ..base.clone() },
            &status(false, false, None),
            Kind::Switchover,
            "in good order",
        ),
        // Whether it was fenced is not known, and what was asked for was overtaken.
        (
            Evidence { asked_on: Some("srv3".into()), demoted: true, stopped: true, ..base.clone() },
            &status(false, false, None),
            Kind::Failover,
            "could not be asked",
        ),
        (
            Evidence {
                asked_on: Some("srv3".into()),
                fencing: fenced("pacemaker-controld.7"),
                ..base.clone()
            },
            &status(false, false, None),
            Kind::Failover,
            "had it fenced",
        ),
        (
            Evidence { demoted: true, stopped: true, ..base.clone() },
            &status(true, false, Some("no postmaster")),
            Kind::Failover,
            "failed: monitor: no postmaster",
        ),
        (
            Evidence {
                announced: Some("its disk hangs".into()),
                fencing: fenced("pacemaker-controld.7"),
                ..base.clone()
            },
            &status(false, false, None),
            Kind::Failover,
            "its disk hangs",
        ),
        (
            Evidence { fencing: fenced("pacemaker-controld.7"), ..base.clone() },
            &status(false, false, None),
            Kind::Failover,
            "lost it and had it fenced, done 2026",
        ),
        (
            Evidence { fencing: fenced("stonith_admin.9"), ..base.clone() },
            &status(false, false, None),
            Kind::Failover,
            "operator",
        ),
        (base.clone(), &status(false, false, None), Kind::Failover, "not a member"),
        (base.clone(), &well, Kind::Failover, "does not run on srv1"),
        (base.clone(), &Status::default(), Kind::Unknown, "not known"),
    ];
    for (evidence, status, kind, word) in cases {
        let (found, sentence) = cause(&evidence, Some(status));
        assert_eq!(found, kind, "{sentence}");
        assert!(sentence.contains(word), "{word}: {sentence}");
    }
    assert_eq!(cause(&base, None).0, Kind::Unknown, "Pacemaker did not answer");
}

/// Clocks of nodes differ: a promotion that was made later is the later one whatever the clock of its node says.
#[test]
fn promotions_stand_in_the_order_of_their_numbers() {
    let mut all = vec![promotion(1_000, 5, None, "srv1", Kind::First)];
    merge(&mut all, [promotion(700, 6, Some("srv1"), "srv2", Kind::Failover), kept(800, "srv1")]);
    let last = all.iter().rfind(|entry| is_promotion(entry)).expect("two");
    assert_eq!(generation(last), 6);
    // It rejoins after another one has been the primary.
    merge(&mut all, [promotion(2_000, 7, Some("srv2"), "srv3", Kind::Failover), kept(3_000, "srv1")]);
    let of = |n| all.iter().find(|e| generation(e) == n).expect("a promotion");
    assert_eq!(lost(&all, of(6)).len(), 2, "{all:?}");
    assert_eq!(lost(&all, of(7)).len(), 0);
}
