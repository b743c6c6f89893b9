//! Disks that hang: on one node, on both, with data and with the cluster's state.

use super::tests::{Played, TICK};
use super::*;
use crate::cluster::cib::allowed::Barred;
use crate::cluster::cib::{Management, NodeState};
use crate::decide::reset::Ground;
use crate::pg::role::PgRole;

pub(super) fn place(content: Content) -> PlaceObservation {
    PlaceObservation { path: "/data".into(), content, pending: true, progress: Progress::Still }
}

fn hanging(content: Content) -> Played {
    let mut played = Played::healthy();
    played.snapshot.places = vec![place(content)];
    played
}

#[test]
fn a_stuck_disk_ends_a_node_with_a_primary_where_another_one_is_well() {
    let mut played = hanging(Content::Data(PgRole::Primary));
    let began = played.at;
    let done = played.deeds(12_000, |_| {});
    let [(at, Act::Reset { mode: ShutdownMode::Immediate, ground: Ground::PrimaryDisk, .. })] = &done[..]
    else {
        panic!("{done:?}: a shutdown would wait for the disk")
    };
    assert!((8000..=9000).contains(&(at - began)), "{at}: no more than a look is lost by asking");
    assert_eq!(hanging(Content::Data(PgRole::Standby)).deeds(60_000, |_| {}), []);
}

/// Row Q2: an array's failover, a multipath's switch, a backup of the virtual machine.
#[test]
fn the_state_s_disk_may_hang_for_minutes() {
    let mut played = hanging(Content::State);
    let said = played.run(60_000, |_| {});
    let hangs = |(_, act): &&(Millis, Act)| matches!(act, Act::Say(LogLevel::Error, text) if text.starts_with("hangs"));
    assert_eq!(said.iter().filter(hangs).count(), 1, "{said:?}");
    assert!(said.iter().all(|(_, act)| matches!(act, Act::Say(..) | Act::AskUnits)), "{said:?}");
    let done = played.deeds(240_000 + 2 * TICK, |_| {});
    assert!(matches!(&done[..], [(_, Act::Reset { mode: ShutdownMode::Orderly, .. })]), "{done:?}");
    let mut slow = hanging(Content::State);
    let deeds = slow.deeds(900_000, |p| p.snapshot.places[0].pending = p.at % 7000 != 0);
    assert_eq!(deeds, [], "each write returned, if late");
}

#[test]
fn a_disk_that_is_only_busy_ends_nobody() {
    let mut busy = hanging(Content::Data(PgRole::Primary));
    let deeds = busy.deeds(60_000, |p| {
        p.snapshot.places[0].progress = if p.at % 6000 == 0 { Progress::Advances } else { Progress::Still };
    });
    assert_eq!(deeds, [], "somebody's writes are completed");
    // From then on nobody's.
    assert_eq!(busy.deeds(10_000, |p| p.snapshot.places[0].progress = Progress::Still).len(), 1);
    let mut untold = hanging(Content::Data(PgRole::Primary));
    let each = |p: &mut Played| p.snapshot.places[0].progress = Progress::Unknown;
    assert_eq!(untold.deeds(23_500, each), []);
    assert_eq!(untold.deeds(5000, each).len(), 1);
}

#[test]
fn nobody_well_means_that_the_node_goes_on_and_says_it_until_somebody_is() {
    let mut played = hanging(Content::Data(PgRole::Primary));
    played.other.obstacle = Some("a small write to /data has not returned".into());
    let all = played.run(120_000, |_| {});
    assert!(!all.iter().any(|(_, act)| matches!(act, Act::Reset { .. })), "{all:?}");
    let errors: Vec<_> = all.iter().filter(|(_, act)| matches!(act, Act::Say(LogLevel::Error, _))).collect();
    let [(_, Act::Say(_, wanted)), (_, Act::Say(_, text))] = &errors[..] else { panic!("{errors:?}") };
    assert!(wanted.starts_with("reset wanted"), "{wanted}");
    assert!(text.contains("reset held back") && text.contains("srv2: a small write"), "{text}");
    assert!(played.detector.held().is_some());
    assert!(played.detector.condition(&played.snapshot).obstacle.is_some(), "it goes on for nobody");
    // The other one recovers first.
    played.other.obstacle = None;
    let began = played.at;
    let done = played.deeds(10_000, |_| {});
    assert!(matches!(&done[..], [(at, Act::Reset { .. })] if at - began <= 3000), "{done:?}");
    // Or this one does.
    let mut back = hanging(Content::Data(PgRole::Primary));
    back.other.obstacle = Some("hangs".into());
    back.run(30_000, |_| {});
    back.snapshot.places.clear();
    back.other.obstacle = None;
    assert_eq!(back.deeds(60_000, |_| {}), []);
    assert_eq!((back.detector.held(), back.detector.condition(&back.snapshot).obstacle), (None, None));
}

/// Row Q3.
#[test]
fn all_forms_of_maintenance_keep_a_node_from_its_reset() {
    let node = |maintenance: Option<&str>| {
        let maintenance = maintenance.map(Into::into);
        NodeState { id: Some(1), name: "srv1".into(), maintenance, standby: None }
    };
    let resource = || std::iter::once(("pgsqld".to_owned(), "is-managed=false".to_owned())).collect();
    for management in [
        Management { cluster: Some("by a rule".into()), ..Management::default() },
        Management { nodes: vec![node(Some("maintenance=true"))], ..Management::default() },
        Management { unmanaged: resource(), ..Management::default() },
    ] {
        let mut played = hanging(Content::Data(PgRole::Primary));
        played.snapshot.cluster.management = management.clone();
        let all = played.run(60_000, |_| {});
        assert!(all.iter().all(|(_, act)| matches!(act, Act::Say(..) | Act::AskUnits)), "{all:?}");
        let told =
            |(_, act): &&(Millis, Act)| matches!(act, Act::Say(_, text) if text.contains("left alone"));
        assert_eq!(all.iter().filter(told).count(), 1, "{all:?}");
        // Its postmaster is not told of either, and nobody else may rely on it.
        let mut dead = Played::healthy();
        dead.snapshot.cluster.management = management;
        dead.snapshot.instances[0].postmaster = PostmasterState::Gone;
        assert_eq!(dead.deeds(10_000, |_| {}), []);
        let condition = dead.detector.condition(&dead.snapshot);
        assert!(condition.obstacle.is_some() || condition.instances.is_empty(), "{condition:?}");
    }
    // Another node's maintenance is no excuse, but that node goes on for nobody.
    let mut other = hanging(Content::Data(PgRole::Primary));
    let away = NodeState { id: Some(2), name: "srv2".into(), ..node(Some("maintenance=true")) };
    other.snapshot.cluster.management = Management { nodes: vec![node(None), away], ..Management::default() };
    assert_eq!(other.deeds(60_000, |_| {}), []);
    assert!(other.detector.held().is_some_and(|h| h.because.contains("maintenance=true")));
}

#[test]
fn a_daemon_is_killed_where_its_node_would_be_reset_and_nobody_is_well() {
    for (subject, times) in [(Subject::Execd, 4)] {
        let mut played = Played::healthy();
        played.other.obstacle = Some("hangs".into());
        let mut kills = 0;
        for _ in 0..times {
            played.stop(subject);
            let deeds = played.deeds(8000, |p| {
                if kills_in(&p.detector, subject) {
                    // Its supervisor has started it anew.
                    let look = p.look(subject);
                    let (id, _) = look.process.expect("there");
                    let fresh = crate::pg::instance::ProcessId { pid: id.pid + 1000, ..id };
                    look.process = Some((fresh, crate::decide::facts::RunState::Running));
                }
            });
            kills += deeds.iter().filter(|(_, act)| matches!(act, Act::Kill { .. })).count();
            assert!(deeds.iter().all(|(_, act)| matches!(act, Act::Kill { .. })), "{subject:?}: {deeds:?}");
        }
        assert_eq!(kills, times, "{subject:?}");
    }
}

/// The others call a node lost whose pacemaker-based ended, and have it fenced.
#[test]
fn pacemaker_based_is_not_killed_in_place_of_a_reset_while_another_node_is_there() {
    let mut played = Played::healthy();
    played.other.obstacle = Some("hangs".into());
    played.stop(Subject::Based);
    let deeds = played.deeds(8000, |_| {});
    assert!(deeds.iter().all(|(_, act)| !matches!(act, Act::Kill { .. } | Act::Reset { .. })), "{deeds:?}");
}

/// Whether it was just killed: it is not armed any more.
fn kills_in(detector: &Detector, subject: Subject) -> bool {
    !detector.armed().contains(&subject)
}

/// Row Q9: 160 MiB in /dev/shm, by nobody.
#[test]
fn what_this_machine_lacks_is_no_evidence_against_its_daemons() {
    let lacks = |p: &mut Played| {
        for (subject, look) in &mut p.snapshot.daemons {
            if subject.rule().socket.is_some() {
                (look.answers, look.failures, look.shortage) = (5, 9, Some(Shortage::Space));
            }
        }
    };
    let mut played = Played::healthy();
    played.run(1000, lacks);
    let all = played.run(60_000, lacks);
    assert!(all.iter().all(|(_, act)| matches!(act, Act::Say(..) | Act::AskUnits)), "{all:?}");
    let mut fresh = Played::healthy();
    let said = fresh.run(60_000, lacks);
    let named = |(_, act): &&(Millis, Act)| matches!(act, Act::Say(LogLevel::Error, t) if t.contains("ENOSPC") && t.contains("df /dev/shm"));
    assert_eq!(said.iter().filter(named).count(), 1, "{said:?}");
    assert!(fresh.detector.condition(&fresh.snapshot).obstacle.is_some_and(|o| o.contains("ENOSPC")));
    // One that hangs meanwhile is still seen, by the state of its process.
    fresh.stop(Subject::Execd);
    let deeds = fresh.deeds(5000, lacks);
    assert!(matches!(&deeds[..], [(_, Act::Kill { .. }), ..]), "{deeds:?}");
}

/// It lacks commits: Pacemaker promotes nobody there, so nobody may go for it.
#[test]
fn a_standby_that_can_not_be_promoted_goes_on_for_nobody() {
    let mut standby = Played::healthy();
    standby.snapshot.instances = vec![super::tests::instance(PgRole::Standby)];
    for (score, goes_on) in [(Some(900), true), (Some(0), true), (Some(-1000), false), (None, false)] {
        standby.snapshot.instances[0].score = score.map(crate::decide::promotion_score::Score::from);
        standby.deeds(1000, |_| {});
        let able = standby.detector.condition(&standby.snapshot).instances;
        assert_eq!(able == ["pgsqld"], goes_on, "{score:?}: {able:?}");
    }
}

/// A standby attribute that lasts until the next reboot stands in the live configuration alone, and may be gone again.
#[test]
fn who_is_asked_to_go_on_asks_pacemaker_anew() {
    let asks = |all: &[(Millis, Act)]| all.iter().filter(|(_, act)| *act == Act::AskUnits).count();
    let mut asked = Played::healthy();
    assert_eq!(asks(&asked.run(10_000, |_| {})), 0);
    asked.snapshot.resets.another_first = Some(2);
    assert!(asks(&asked.run(10_000, |_| {})) >= 4);
}

/// A ban that a switchover has left, a fail-count, a red node: the reset would end the service.
#[test]
fn who_may_not_be_promoted_goes_on_for_nobody() {
    let barred = |node: u32, resource: &str| Barred {
        node_id: Some(node),
        node: format!("srv{node}"),
        resource: resource.into(),
        why: "pgsqld may not be promoted there: cli-ban-pgsqld-clone-on-srv2".into(),
    };
    let mut played = hanging(Content::Data(PgRole::Primary));
    played.snapshot.cluster.barred = vec![barred(2, "pgsqld")];
    assert_eq!(played.deeds(60_000, |_| {}), []);
    assert!(played.detector.held().is_some_and(|hold| hold.because.contains("srv2: pgsqld may not")));
    for elsewhere in [barred(1, "pgsqld"), barred(2, "other")] {
        let mut free = hanging(Content::Data(PgRole::Primary));
        free.snapshot.cluster.barred = vec![elsewhere];
        assert_eq!(free.deeds(12_000, |_| {}).len(), 1);
    }
    // The one that is asked says so itself.
    let mut asked = Played::healthy();
    assert_eq!(asked.detector.condition(&asked.snapshot).instances, ["pgsqld"]);
    asked.snapshot.cluster.barred = vec![barred(2, "pgsqld"), barred(1, "other")];
    assert_eq!(asked.detector.condition(&asked.snapshot).instances, ["pgsqld"]);
    asked.snapshot.cluster.barred = vec![barred(1, "pgsqld")];
    assert_eq!(asked.detector.condition(&asked.snapshot).instances, Vec::<String>::new());
}
