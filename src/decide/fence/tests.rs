//! Every combination of facts, the times of a notice, and what votequorum says.

use super::*;
use crate::cluster::corosync::{Ring, tools};
use crate::cluster::self_fencing::{Left, SelfFencingNotice};

const NOTICES: [Notice; 10] = [
    Notice::Unknown,
    Notice::None,
    Notice::Another,
    Notice::Impossible,
    Notice::Staying,
    Notice::Foreign,
    Notice::Reboots,
    Notice::Old,
    Notice::Running,
    Notice::Left,
];

fn words() -> Vec<VotequorumAnswer> {
    let mut all = vec![VotequorumAnswer::NotAsked, VotequorumAnswer::Silent];
    for quorum in [Quorum::Held, Quorum::Lost] {
        for device in [Device::Unknown, Device::None, Device::Votes, Device::Withholds, Device::Dead] {
            for membership in [Membership::Own, Membership::Member, Membership::Unfollowed, Membership::Gone]
            {
                all.push(VotequorumAnswer::Said(quorum, device, membership));
            }
        }
    }
    all
}

/// Every combination, with what is decided.
fn cases() -> impl Iterator<Item = (Notice, VotequorumAnswer, Request, Time, Verdict)> {
    NOTICES.into_iter().flat_map(|notice| {
        words().into_iter().flat_map(move |answer| {
            [Request::NotSent, Request::Sent, Request::Failed].into_iter().flat_map(move |request| {
                [Time::Left, Time::Over]
                    .map(|time| (notice, answer, request, time, decide(notice, answer, request, time)))
            })
        })
    })
}

#[test]
fn only_positive_evidence_confirms() {
    for (notice, answer, request, time, verdict) in cases() {
        let evidence = notice == Notice::Left
            && matches!(
                answer,
                VotequorumAnswer::Said(Quorum::Held, Device::None | Device::Votes, Membership::Gone)
            );
        let case = format!("{notice:?} {answer:?} {request:?} {time:?}: {verdict:?}");
        assert_eq!(matches!(verdict, Verdict::Confirmed(_)), evidence, "{case}");
        // It ends: nothing is waited for where the time is spent, nor asked for twice.
        assert!(!(time == Time::Over && matches!(verdict, Verdict::Wait(_))), "{case}");
        assert_eq!(
            verdict == Verdict::Ask,
            matches!(notice, Notice::None | Notice::Left) && answer == VotequorumAnswer::NotAsked,
            "{case}"
        );
    }
}

#[test]
fn only_another_member_is_told_to_end_once_and_with_quorum() {
    for (notice, answer, request, time, verdict) in cases() {
        let member = matches!(answer, VotequorumAnswer::Said(Quorum::Held, _, Membership::Member));
        let case = format!("{notice:?} {answer:?} {request:?} {time:?}: {verdict:?}");
        assert_eq!(
            verdict == Verdict::Tell,
            notice == Notice::None && member && request == Request::NotSent,
            "{case}"
        );
    }
}

#[test]
fn nothing_is_waited_for_from_a_node_that_is_gone_without_a_word() {
    for (notice, answer, request, time, verdict) in cases() {
        if let Verdict::Wait(_) = verdict {
            let told = request == Request::Sent
                && matches!(answer, VotequorumAnswer::Said(Quorum::Held, _, Membership::Member));
            assert!(
                matches!(notice, Notice::Staying | Notice::Running | Notice::Left)
                    || notice == Notice::None && told,
                "{notice:?} {answer:?} {request:?} {time:?}"
            );
        }
    }
}

#[test]
fn status_of_every_combination() {
    for notice in NOTICES {
        for answer in words() {
            let wanted = match (decide(notice, answer, Request::Failed, Time::Over), answer) {
                (_, VotequorumAnswer::Said(_, _, Membership::Member | Membership::Own)) => 0,
                (Verdict::Confirmed(_), _) => 2,
                _ => 1,
            };
            let found = match status(notice, answer) {
                Status::On => 0,
                Status::Unknown(_) => 1,
                Status::Off => 2,
            };
            assert_eq!(found, wanted, "{notice:?} {answer:?}");
        }
    }
}

const RING: Ring = Ring { seq: 44, node_id: 2 };

fn record(received: Millis, left: Option<Millis>) -> SelfFenceRecord {
    let (received, left) = (BootTime::at(received), left.map(BootTime::at));
    let notice = SelfFencingNotice {
        node: "srv1".into(),
        boot: "b".into(),
        reason: "r".into(),
        how: How::Reboot,
        within: 400,
        foreign: Some(Vec::new()),
    };
    SelfFenceRecord { notice, node_id: 1, received, left: left.map(|at| Left { at, ring: RING }) }
}

#[test]
fn the_times_of_a_notice() {
    let now = 100_000;
    let of = |received, left| notice(Some(&record(received, left)), "srv1", How::Reboot, BootTime::at(now));
    assert_eq!(of(99_000, None), Notice::Staying);
    assert_eq!(of(99_000, Some(now)), Notice::Left);
    assert_eq!(of(now - 450, Some(now)), Notice::Left);
    assert_eq!(of(now - 449, Some(now)), Notice::Running);
    assert_eq!(of(now - 449, Some(now - 400)), Notice::Running);
    assert_eq!(of(20_000, Some(now - FRESH_MS)), Notice::Left);
    assert_eq!(of(20_000, Some(now - FRESH_MS - 1)), Notice::Old);
    assert_eq!(of(20_000, Some(now + 1)), Notice::Impossible);
    assert_eq!(of(20_000, Some(19_999)), Notice::Impossible);
    assert_eq!(notice(Some(&record(1, Some(now))), "srv2", How::Reboot, BootTime::at(now)), Notice::Another);
    assert_eq!(notice(None, "srv1", How::Reboot, BootTime::at(now)), Notice::None);
}

#[test]
fn what_a_notice_is_good_for() {
    let now = 100_000;
    let of = |change: &dyn Fn(&mut SelfFencingNotice), how, left| {
        let mut record = record(99_000, left);
        change(&mut record.notice);
        notice(Some(&record), "srv1", how, BootTime::at(now))
    };
    let left = Some(99_500);
    assert_eq!(of(&|_| {}, How::Off, left), Notice::Reboots, "it comes back");
    assert_eq!(of(&|n| n.how = How::Off, How::Off, left), Notice::Running, "its devices end first");
    assert_eq!(of(&|n| (n.how, n.within) = (How::Off, 0), How::Off, left), Notice::Left);
    assert_eq!(of(&|n| (n.how, n.within) = (How::Off, 0), How::Reboot, left), Notice::Left, "that is more");
    for left in [None, left] {
        assert_eq!(of(&|n| n.foreign = None, How::Reboot, left), Notice::Foreign, "not known");
        assert_eq!(of(&|n| n.foreign = Some(vec!["web".into()]), How::Reboot, left), Notice::Foreign);
    }
}

const SAID: &str = "Nodes: 2\nNode ID: 2\nRing ID: 2.2c\nQuorate: Yes\nMembership information\n Nodeid Votes Qdevice Name\n 2 1 A,V,NMW srv2 (local)\n 3 1 NA,NV,NMW srv3\n 0 1 Qdevice\n";

#[test]
fn what_votequorum_says() {
    let left = record(1, Some(1));
    let word_of = |text: &str| answer(&tools::votes(text).expect("its output"), "srv1", Some(&left));
    let said = |quorum, device, membership| VotequorumAnswer::Said(quorum, device, membership);
    assert_eq!(word_of(SAID), said(Quorum::Held, Device::Votes, Membership::Gone));
    assert_eq!(word_of(&SAID.replace("Yes", "No")), said(Quorum::Lost, Device::Votes, Membership::Gone));
    let changes = [
        ("A,V,NMW srv2", "A,NV,NMW srv2", Device::Withholds),
        ("A,V,NMW srv2", "NA,V,NMW srv2", Device::Dead),
        ("A,V,NMW srv2", "NR srv2", Device::Dead),
        ("A,V,NMW srv2", "srv2", Device::None),
        ("Node ID: 2", "Node ID: 4", Device::Unknown),
        ("Node ID: 2\n", "", Device::Unknown),
    ];
    for (from, to, device) in changes {
        assert_eq!(word_of(&SAID.replace(from, to)), said(Quorum::Held, device, Membership::Gone), "{to}");
    }
    for cut in [SAID.replace("Nodes: 2", "Nodes: 3"), SAID.replace("Nodes: 2\n", "")] {
        assert_eq!(word_of(&cut), VotequorumAnswer::Silent, "{cut}");
    }
    // It may have been back in a membership that this record has not followed.
    for ring in ["2.30", "1.2c", "?"] {
        let text = SAID.replace("2.2c", ring);
        assert_eq!(word_of(&text), said(Quorum::Held, Device::Votes, Membership::Unfollowed), "{ring}");
    }
    // By its name, and where that is not what corosync calls it by its id.
    for row in [" 7 1 srv1\n", " 1 1 elsewhere\n"] {
        let text = SAID.replace(" 0 1 Qdevice\n", row).replace("Nodes: 2", "Nodes: 3");
        assert_eq!(word_of(&text), said(Quorum::Held, Device::Votes, Membership::Member), "{row}");
    }
    let own = answer(&tools::votes(SAID).expect("its output"), "srv2", None);
    assert_eq!(own, said(Quorum::Held, Device::Votes, Membership::Own));
}
