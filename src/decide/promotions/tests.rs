use super::*;
use crate::decide::samples::{position, timeline};

fn promotion(generation: u64, timeline_number: u32, node: &str) -> Promotion {
    Promotion {
        generation,
        timeline: timeline(timeline_number),
        system: 7,
        fork: Some(position(timeline_number - 1, 0x300_0000)),
        id: Id(generation as u32),
        line: (1..generation as u32).rev().map(Id).collect(),
        node: node.into(),
    }
}

fn data(node: &str, own: WalPosition) -> Data<'_> {
    Data { node, system: Some(7), position: own, on: None, histories: &[] }
}

fn history(number: u32) -> History {
    History::parse(timeline(number), &format!("{}\t0/3000000\tx\n", number - 1)).unwrap()
}

#[test]
fn a_promotion_is_read_back() {
    let adopted = Promotion { fork: None, node: "srv2.example-5".into(), ..promotion(12, 5, "x") };
    for promotion in [promotion(1, 2, "srv1"), adopted] {
        assert_eq!(promotion.to_string().parse(), Ok(promotion));
    }
    for bad in [
        "",
        "1",
        "0:2:7:1:0/1:0000000a::srv1",
        "1:0:7:1:0/1:0000000a::srv1",
        "1:2:7:-:0/1:0000000a::srv1",
        "1:2:7:1:0/1:0000000a::",
        "1:2:7:1:0/1:a::srv1",
        "1:2:7:1:0/1:0000000a:x:srv1",
    ] {
        assert!(bad.parse::<Promotion>().is_err(), "{bad:?}");
    }
}

#[test]
fn the_highest_generation_counts_and_a_contradiction_is_said() {
    let (old, new) = (promotion(3, 4, "srv1"), promotion(4, 5, "srv2"));
    assert_eq!(Record::of(&[]), Record::Empty);
    assert_eq!(Record::of(&[new.clone(), old.clone(), new.clone()]), Record::Last(new.clone()));
    let other = Promotion { node: "srv3".into(), ..new.clone() };
    assert!(matches!(Record::of(&[new.clone(), other.clone(), old]), Record::Contradictory(..)));
}

#[test]
fn who_is_not_on_the_last_promotions_wal_is_told_apart() {
    let record = Record::Last(promotion(4, 3, "srv2"));
    let of = |node, number, histories: &[History]| {
        branch(&record, &Data { histories, ..data(node, position(number, 0x300_0000)) })
    };
    assert_eq!(of("srv1", 3, &[]), Branch::Last);
    assert!(matches!(of("srv1", 2, &[]), Branch::Other(Mismatch::Older { .. })));
    assert!(matches!(of("srv1", 4, &[]), Branch::Other(Mismatch::Unknown { .. })));
    // Its own promotion: it began only if there is a history of it, and not before the WAL that it had then.
    let restored = data("srv2", position(2, 0x2ff_ffff));
    assert!(matches!(branch(&record, &restored), Branch::Other(Mismatch::Older { .. })));
    assert_eq!(of("srv2", 2, &[]), Branch::NotBegun);
    assert!(matches!(of("srv2", 2, &[history(3)]), Branch::Other(Mismatch::Older { .. })));
    for system in [None, Some(8)] {
        let foreign = Data { system, ..data("srv1", position(3, 0x300_0000)) };
        assert!(matches!(branch(&record, &foreign), Branch::Other(Mismatch::AnotherSystem { .. })));
    }
    let own = data("srv1", position(9, 1));
    assert_eq!(branch(&Record::Empty, &own), Branch::Unrecorded);
    assert!(matches!(branch(&Record::Unread("x".into()), &own), Branch::Other(Mismatch::Unusable(_))));
}

#[test]
fn no_timeline_is_used_twice() {
    let record = Record::Last(promotion(4, 5, "srv2"));
    let own = data("srv1", position(2, 0x300_0000));
    let next = next(&record, &Data { histories: &[history(3), history(6)], ..own }, BootTime::at(5)).unwrap();
    assert_eq!(next.reserve, [timeline(4), timeline(5)]);
    assert_eq!(next.promotion.timeline, timeline(7));
    assert_eq!(next.promotion.generation, 5);
    let first = super::next(&Record::Empty, &own, BootTime::at(5)).unwrap();
    assert_eq!(
        (first.promotion.generation, first.promotion.timeline, first.reserve),
        (1, timeline(3), vec![])
    );
    assert_eq!(super::next(&record, &Data { system: None, ..own }, BootTime::at(5)), None);
    assert_eq!(super::next(&record, &data("srv1", position(u32::MAX, 1)), BootTime::at(5)), None);
}

#[test]
fn a_primary_by_hand_is_not_adopted() {
    let record = Record::Last(promotion(4, 3, "srv2"));
    assert!(Record::Empty.adopts("srv1", Some(timeline(1)), Some(7)));
    assert!(record.adopts("srv2", Some(timeline(3)), Some(7)));
    for (node, number, system) in [("srv1", 3, 7), ("srv2", 2, 7), ("srv2", 4, 7), ("srv2", 3, 8)] {
        assert!(!record.adopts(node, Some(timeline(number)), Some(system)), "{node} {number} {system}");
    }
    assert!(!record.adopts("srv2", None, Some(7)));
    assert!(!Record::Unread("x".into()).adopts("srv2", Some(timeline(3)), Some(7)));
}

#[test]
fn a_primary_that_is_not_on_record_comes_to_be() {
    let record = Record::Last(promotion(4, 3, "srv2"));
    assert_eq!(adopted(&record, "srv2", timeline(3), Some(7), None, BootTime::at(5)), None);
    let first = adopted(&Record::Empty, "srv1", timeline(1), Some(7), None, BootTime::at(5)).unwrap();
    assert_eq!((first.generation, first.fork), (1, None));
    assert_eq!(adopted(&record, "srv1", timeline(4), Some(7), None, BootTime::at(5)).unwrap().generation, 5);
    assert_eq!(
        adopted(&Record::Unread("x".into()), "srv1", timeline(4), Some(7), None, BootTime::at(5)),
        None
    );
    assert_eq!(adopted(&Record::Empty, "srv1", timeline(4), None, None, BootTime::at(5)), None);
}

#[test]
fn two_branches_with_one_timeline_are_told_apart() {
    let first = promotion(1, 2, "srv1");
    let own = |on| Data { on: Some(on), ..data("srv1", position(2, 0x300_0000)) };
    let one = next(&Record::Last(first.clone()), &own(&first), BootTime::at(5)).unwrap().promotion;
    let other = next(&Record::Last(first.clone()), &Data { node: "srv2", ..own(&first) }, BootTime::at(5))
        .unwrap()
        .promotion;
    assert_eq!((one.timeline, one.generation), (other.timeline, other.generation));
    assert_ne!(one.id, other.id);
    assert!(one.descends_from(first.id) && other.descends_from(first.id));
    let record = Record::Last(one.clone());
    let of = |on| branch(&record, &Data { on: Some(on), ..data("srv2", position(3, 0x300_0000)) });
    assert_eq!(of(&one), Branch::Last);
    assert_eq!(of(&first), Branch::Last);
    assert!(matches!(of(&other), Branch::Other(Mismatch::AnotherBranch { .. })));
    // An operator accepts the data of the branch that is not the last one's: what follows comes from that alone.
    let accepted = next(&record, &own(&other), BootTime::at(6)).unwrap().promotion;
    assert!(accepted.descends_from(other.id) && !accepted.descends_from(one.id));
    assert!(accepted.descends_from(first.id), "what both come from");
    // The note beside the data is older than their WAL.
    let lagging = Data { on: Some(&first), ..data("srv2", position(3, 0x300_0000)) };
    assert!(next(&record, &lagging, BootTime::at(6)).unwrap().promotion.descends_from(one.id));
    let older = next(&record, &own(&first), BootTime::at(6)).unwrap().promotion;
    assert!(older.descends_from(first.id) && !older.descends_from(one.id));
}

#[test]
fn a_line_does_not_grow_without_end() {
    let mut last = promotion(1, 2, "srv1");
    for round in 0..100 {
        let on = last.clone();
        let own = Data { on: Some(&on), ..data("srv1", position(last.timeline.get(), 0x300_0000)) };
        last = next(&Record::Last(on.clone()), &own, BootTime::at(round)).unwrap().promotion;
        assert!(last.descends_from(on.id) && last.line.len() <= LINE);
    }
}

#[test]
fn a_contradiction_ends_with_the_next_primary() {
    let (one, other) = (promotion(4, 5, "srv2"), promotion(4, 6, "srv3"));
    let record = Record::Contradictory(one, other);
    let own = data("srv1", position(2, 0x300_0000));
    assert!(matches!(branch(&record, &own), Branch::Other(Mismatch::Unusable(_))));
    let next = next(&record, &own, BootTime::at(5)).unwrap();
    assert_eq!((next.promotion.generation, next.promotion.timeline), (5, timeline(7)));
    assert_eq!(adopted(&record, "srv1", timeline(2), Some(7), None, BootTime::at(5)).unwrap().generation, 5);
}

#[test]
fn what_stands_beside_the_data_is_believed_where_it_fits_them() {
    let mark = promotion(4, 3, "srv2");
    let own = position(3, 0x300_0000);
    assert!(mark.fits(0, Some(7), own));
    assert!(!mark.fits(0, Some(8), own) && !mark.fits(0, None, own));
    assert!(!mark.fits(0, Some(7), position(2, 0x300_0000)));
    assert!(!Promotion { generation: u64::MAX, ..mark }.fits(5, Some(7), own));
    let far = Record::Last(promotion(4, 1_000_000, "srv2"));
    assert_eq!(next(&far, &data("srv1", own), BootTime::at(5)), None);
    let line = vec!["0000000a"; LINE + 1].join(",");
    for bad in [format!("1:2:7:-:-:0000000a:{line}:srv1"), "1:2:7:-:-:0000000a::a\"b".to_owned()] {
        assert!(bad.parse::<Promotion>().is_err(), "{bad}");
    }
}
