//! A node over time, played look by look.

mod waits;
mod watched;

use super::disk_tests::place;
use super::*;
use crate::cluster::reset_intent::Condition;
use crate::cluster::timing::NoQuorumPolicy;
use crate::decide::facts::RunState;
use crate::decide::reset::{Answer, View, VoteCount};
use crate::pg::instance::{Instance, Phase, ProcessId};
use crate::pg::role::PgRole;

pub(super) const TICK: Millis = 500;

/// A node whose daemons are all well, until a test says otherwise.
pub(super) struct Played {
    pub(super) detector: Detector,
    pub(super) snapshot: NodeSnapshot,
    pub(super) at: Millis,
    /// How another node answers an intent.
    pub(super) other: Condition,
}

pub(super) fn id(pid: i32) -> ProcessId {
    ProcessId { pid, start_time: 7 }
}

pub(super) fn pid_of(subject: Subject) -> i32 {
    // Two subjects are services of one process.
    100 + if subject == Subject::Totem { Subject::Corosync as i32 } else { subject as i32 }
}

pub(super) fn instance(role: PgRole) -> InstanceObservation {
    InstanceObservation {
        instance: Instance {
            resource: "pgsqld".into(),
            node: Some("srv1".into()),
            pgdata: "/data".into(),
            postmaster: Some(id(9)),
            role,
            phase: Phase::Running,
            access: None,
        },
        postmaster: PostmasterState::Runs,
        score: Some(crate::decide::promotion_score::Score::Primary),
    }
}

impl Played {
    pub(super) fn healthy() -> Self {
        let daemons = Subject::ALL.map(|s| {
            (
                s,
                DaemonObservation {
                    process: Some((id(pid_of(s)), RunState::Running)),
                    answers: 1,
                    ..DaemonObservation::default()
                },
            )
        });
        let mut played = Self {
            detector: Detector::new(Limits::default()),
            snapshot: NodeSnapshot {
                elapsed: TICK,
                daemons: daemons.into(),
                starved: false,
                quorum: Quorum::Quorate,
                instances: vec![instance(PgRole::Primary)],
                places: Vec::new(),
                cluster: ClusterSettings::default(),
                units: ["corosync.service", "pacemaker.service", "sbd.service", "corosync-qdevice.service"]
                    .map(|u| (u, Unit::Active))
                    .into(),
                request: None,
                node_id: Some(1),
                votes: Some(VoteCount { total: 3, needed: 2, own: 1, device: 1 }),
                resets: View { settled: true, others: vec![2], ..View::default() },
            },
            at: 0,
            other: Condition { node: "srv2".into(), obstacle: None, instances: vec!["pgsqld".into()] },
        };
        assert_eq!(played.run(5000, |_| {}), []);
        assert_eq!(played.detector.armed(), Subject::ALL);
        played
    }

    pub(super) fn look(&mut self, subject: Subject) -> &mut DaemonObservation {
        &mut self.snapshot.daemons.iter_mut().find(|(s, _)| *s == subject).expect("all are there").1
    }

    pub(super) fn stop(&mut self, subject: Subject) {
        let look = self.look(subject);
        look.process = look.process.map(|(id, _)| (id, RunState::Stopped));
    }

    /// Goes on for so long; `each` changes what is seen before each look. Gives what was done, and when.
    pub(super) fn run(&mut self, millis: Millis, mut each: impl FnMut(&mut Self)) -> Vec<(Millis, Act)> {
        let mut done = Vec::new();
        let until = self.at + millis;
        while self.at < until {
            self.at += TICK;
            for (subject, look) in &mut self.snapshot.daemons {
                let beats = matches!(look.process, Some((_, RunState::Running)));
                if subject.answers() && beats {
                    (look.answers, look.failures) = (look.answers + 1, 0);
                } else {
                    look.failures += 1;
                }
            }
            each(self);
            let acts = self.detector.step(&self.snapshot);
            for act in &acts {
                match act {
                    Act::AskOthers { number, .. } => {
                        let answer = Answer { from: 2, condition: self.other.clone() };
                        (self.snapshot.resets.own, self.snapshot.resets.answers) =
                            (Some(*number), vec![answer]);
                    }
                    Act::Withdraw { .. } => {
                        (self.snapshot.resets.own, self.snapshot.resets.answers) = (None, Vec::new());
                    }
                    _ => {}
                }
            }
            done.extend(acts.into_iter().map(|act| (self.at, act)));
        }
        done
    }

    /// What is done in so long, without what is only said or asked.
    pub(super) fn deeds(&mut self, millis: Millis, each: impl FnMut(&mut Self)) -> Vec<(Millis, Act)> {
        let all = self.run(millis, each);
        let said = |act: &Act| {
            matches!(act, Act::Say(..) | Act::AskUnits | Act::AskOthers { .. } | Act::Withdraw { .. })
        };
        all.into_iter().filter(|(_, act)| !said(act)).collect()
    }
}

/// Runs, and gives no answer.
pub(super) fn mute(subject: Subject) -> impl FnMut(&mut Played) {
    let mut before = None;
    let mut failures = 0;
    move |played| {
        failures += 1;
        let look = played.look(subject);
        look.answers = *before.get_or_insert(look.answers - 1);
        look.failures = failures;
    }
}

#[test]
fn a_stopped_daemon_is_treated_by_its_rule_within_three_seconds() {
    for subject in Subject::ALL.into_iter().filter(|s| *s != Subject::Totem) {
        let mut played = Played::healthy();
        played.stop(subject);
        let began = played.at;
        let deeds = played.deeds(4000, |_| {});
        let (at, act) = &deeds[0];
        assert!((2500..=3500).contains(&(at - began)), "{subject:?}: {deeds:?}");
        let victim = id(pid_of(subject));
        let right = match (subject.rule().remedy, act) {
            (Remedy::Kill, Act::Kill { process, .. }) | (Remedy::Restart, Act::Restart { process, .. }) => {
                *process == victim
            }
            (Remedy::Reset, Act::Reset { .. }) => true,
            _ => false,
        };
        assert!(right, "{subject:?}: {act:?}");
    }
}

#[test]
fn a_daemon_that_is_silent_has_its_time() {
    for subject in [Subject::Corosync, Subject::Based, Subject::Controld, Subject::Pacemakerd] {
        let mut played = Played::healthy();
        let deeds = played.deeds(9500, mute(subject));
        assert_eq!(deeds, [], "{subject:?}");
        let mut played = Played::healthy();
        assert_eq!(played.deeds(10_500, mute(subject)).len(), 1, "{subject:?}");
    }
}

#[test]
fn one_answer_in_time_is_enough() {
    let mut played = Played::healthy();
    for _ in 0..5 {
        assert_eq!(played.deeds(9000, mute(Subject::Controld)), []);
        assert_eq!(played.deeds(500, |_| {}), []);
    }
}

#[test]
fn a_moment_in_which_nobody_ran_is_held_against_nobody() {
    let mut played = Played::healthy();
    played.snapshot.elapsed = 60_000;
    let deeds = played.deeds(4 * TICK, mute(Subject::Corosync));
    assert_eq!(deeds, []);
    played.snapshot.elapsed = TICK;
    assert_eq!(played.deeds(5000, |_| {}), []);
}

#[test]
fn what_was_never_well_or_is_a_new_process_is_not_armed() {
    let mut played = Played::healthy();
    played.detector = Detector::new(Limits::default());
    played.stop(Subject::Based);
    assert_eq!(played.deeds(30_000, |_| {}), []);
    let mut played = Played::healthy();
    let mut mute = mute(Subject::Based);
    let deeds = played.deeds(60_000, |p| {
        mute(p);
        let at = i32::try_from(p.at / 8000).unwrap();
        p.look(Subject::Based).process = Some((id(1000 + at), RunState::Running));
    });
    assert_eq!(deeds, [], "a daemon that is restarted again and again is its supervisor's matter");
}

#[test]
fn an_orderly_stop_is_left_alone_and_not_knowing_is_no_excuse() {
    for (unit, acts) in [(Unit::Changing, 0), (Unit::Off, 0), (Unit::Unknown, 1), (Unit::Active, 1)] {
        let mut played = Played::healthy();
        played.snapshot.units = vec![("pacemaker.service", unit)];
        played.stop(Subject::Controld);
        assert_eq!(played.deeds(5000, |_| {}).len(), acts, "{unit:?}");
    }
    let mut played = Played::healthy();
    played.snapshot.units = Vec::new();
    played.stop(Subject::Controld);
    let all = played.run(20_000, |_| {});
    assert!(all.iter().any(|(_, a)| *a == Act::AskUnits), "{all:?}");
    assert!(all.iter().any(|(_, a)| matches!(a, Act::Kill { .. })), "{all:?}");
}

#[test]
fn maintenance_excuses_everything_and_says_it_once() {
    let mut played = Played::healthy();
    played.snapshot.cluster.maintenance = Maintenance::On;
    played.stop(Subject::Controld);
    played.stop(Subject::Corosync);
    played.snapshot.quorum = Quorum::Lost;
    played.snapshot.instances[0].postmaster = PostmasterState::Gone;
    played.snapshot.places = vec![place(Content::Data(PgRole::Primary))];
    let all = played.run(60_000, |_| {});
    assert!(all.iter().all(|(_, a)| matches!(a, Act::Say(..) | Act::AskUnits)), "{all:?}");
    let said = all.iter().filter(|(_, a)| matches!(a, Act::Say(LogLevel::Note, t) if t.contains("controld")));
    assert_eq!(said.count(), 1);
}

#[test]
fn one_that_hangs_again_and_again_costs_the_node() {
    let mut played = Played::healthy();
    let mut deeds = Vec::new();
    for round in 0..3 {
        played.stop(Subject::Attrd);
        deeds.extend(played.deeds(4000, |_| {}));
        played.look(Subject::Attrd).process = Some((id(500 + round), RunState::Running));
        deeds.extend(played.deeds(30_000, |_| {}));
    }
    let [(_, Act::Kill { .. }), (_, Act::Kill { .. }), (_, Act::Reset { why, .. })] = deeds.as_slice() else {
        panic!("{deeds:?}")
    };
    assert!(why.contains("3 times"), "{why}");
    // Far apart they are separate mishaps.
    let mut played = Played::healthy();
    for round in 0..5 {
        played.stop(Subject::Attrd);
        assert!(matches!(played.deeds(3000, |_| {})[0].1, Act::Kill { .. }));
        played.look(Subject::Attrd).process = Some((id(500 + round), RunState::Running));
        assert_eq!(played.deeds(400_000, |_| {}), []);
    }
}

#[test]
fn one_that_survives_sigkill_costs_the_node_unless_it_is_only_restarted() {
    for (subject, resets) in [(Subject::Execd, true), (Subject::Qdevice, false)] {
        let mut played = Played::healthy();
        played.stop(subject);
        let deeds = played.deeds(20_000, |_| {});
        let reset = deeds.iter().any(|(_, a)| matches!(a, Act::Reset { .. }));
        assert_eq!(reset, resets, "{subject:?}: {deeds:?}");
    }
}

#[test]
fn nothing_comes_after_a_reset() {
    let mut played = Played::healthy();
    played.stop(Subject::Corosync);
    let deeds = played.deeds(60_000, |p| p.snapshot.quorum = Quorum::Unknown);
    assert_eq!(deeds.len(), 1, "{deeds:?}");
}

#[test]
fn without_quorum_no_primary_of_this_node_writes() {
    let mut played = Played::healthy();
    played.snapshot.quorum = Quorum::Lost;
    let began = played.at;
    let deeds = played.deeds(5000, |_| {});
    assert!(deeds[0].0 - began <= 1000 && matches!(deeds[0].1, Act::Fence { .. }), "{deeds:?}");
    // As long as one is there.
    played.snapshot.instances[0].postmaster = PostmasterState::Gone;
    assert_eq!(
        played.deeds(5000, |p| p.snapshot.instances[0].instance.phase = Phase::Stopping),
        [],
        "it is gone"
    );
    for (postmaster, what) in [
        (PostmasterState::Runs, "one that was started since"),
        (PostmasterState::Leftovers, "a backend goes on alone"),
    ] {
        played.snapshot.instances[0].postmaster = postmaster;
        assert!(matches!(played.deeds(TICK, |_| {})[0].1, Act::Fence { .. }), "{what}");
    }
}

#[test]
fn a_standby_a_flaw_of_one_look_and_a_node_that_never_had_quorum_are_left_alone() {
    let mut standby = Played::healthy();
    standby.snapshot.instances = vec![instance(PgRole::Standby)];
    standby.snapshot.quorum = Quorum::Lost;
    assert_eq!(standby.deeds(60_000, |_| {}), []);

    let mut flawed = Played::healthy();
    let deeds = flawed.deeds(60_000, |p| {
        p.snapshot.quorum = if p.at % 1000 == 0 { Quorum::Lost } else { Quorum::Quorate };
    });
    assert_eq!(deeds, []);

    let mut fresh = Played::healthy();
    fresh.detector = Detector::new(Limits::default());
    fresh.snapshot.quorum = Quorum::Lost;
    assert_eq!(fresh.deeds(60_000, |_| {}), []);
    assert!(!fresh.detector.quorum_armed());

    let mut ignoring = Played::healthy();
    ignoring.snapshot.cluster.no_quorum_policy = Some(NoQuorumPolicy::Ignore);
    ignoring.snapshot.quorum = Quorum::Lost;
    assert_eq!(ignoring.deeds(60_000, |_| {}), []);
}

#[test]
fn a_membership_that_never_forms_ends_the_primaries_not_the_node() {
    let mut played = Played::healthy();
    let began = played.at;
    let deeds = played.deeds(30_000, mute(Subject::Totem));
    let [(at, Act::Fence { .. })] = deeds.as_slice() else { panic!("{deeds:?}") };
    assert!((12_600..14_000).contains(&(at - began)), "{deeds:?}");
    let mut standby = Played::healthy();
    standby.snapshot.instances = vec![instance(PgRole::Standby)];
    assert_eq!(standby.deeds(60_000, mute(Subject::Totem)), []);
}

#[test]
fn a_postmaster_that_ended_is_told_once_and_one_that_is_stopped_by_the_agent_never() {
    let mut played = Played::healthy();
    played.snapshot.instances[0].postmaster = PostmasterState::Gone;
    let deeds = played.deeds(10_000, |_| {});
    let [(_, Act::Fail { resource, node, .. })] = deeds.as_slice() else { panic!("{deeds:?}") };
    assert_eq!((resource.as_str(), node.as_str()), ("pgsqld", "srv1"));
    played.snapshot.instances[0].instance.postmaster = Some(id(10));
    assert_eq!(played.deeds(10_000, |_| {}).len(), 1, "the next one");

    let mut stopping = Played::healthy();
    stopping.snapshot.instances[0].instance.phase = Phase::Stopping;
    stopping.snapshot.instances[0].postmaster = PostmasterState::Gone;
    assert_eq!(stopping.deeds(10_000, |_| {}), []);

    let mut by_hand = Played::healthy();
    by_hand.snapshot.instances[0].instance.node = None;
    by_hand.snapshot.instances[0].postmaster = PostmasterState::Gone;
    assert_eq!(by_hand.deeds(10_000, |_| {}), []);
}

#[test]
fn a_frozen_postmaster_is_told_after_its_time() {
    let mut played = Played::healthy();
    played.snapshot.instances[0].postmaster = PostmasterState::Stopped;
    assert_eq!(played.deeds(1500, |_| {}), []);
    assert_eq!(played.deeds(10_000, |_| {}).len(), 1);
    let mut flapping = Played::healthy();
    let deeds = flapping.deeds(60_000, |p| {
        p.snapshot.instances[0].postmaster =
            if p.at % 2000 == 0 { PostmasterState::Runs } else { PostmasterState::Stopped };
    });
    assert_eq!(deeds, []);
}

#[test]
fn where_the_policy_is_to_end_a_node_without_quorum_ends_though_pacemaker_hangs() {
    let lost = |policy, stop: fn(&mut Played)| {
        let mut played = Played::healthy();
        played.snapshot.cluster.no_quorum_policy = policy;
        played.snapshot.quorum = Quorum::Lost;
        stop(&mut played);
        let began = played.at;
        let deeds = played.deeds(10_000, |_| {});
        deeds.into_iter().find(|(_, a)| matches!(a, Act::Reset { .. })).map(|(at, _)| at - began)
    };
    for policy in [NoQuorumPolicy::Suicide, NoQuorumPolicy::Fence] {
        let after = lost(Some(policy), |_| {}).expect("a reset");
        assert!((4000..=5000).contains(&after), "{after}");
        // No Pacemaker runs here that could have a policy; or it is stopped by order.
        assert_eq!(lost(Some(policy), |p| p.look(Subject::Pacemakerd).process = None), None);
        let stopping = |p: &mut Played| p.snapshot.units = vec![("pacemaker.service", Unit::Changing)];
        assert_eq!(lost(Some(policy), stopping), None);
        assert_eq!(lost(Some(policy), |p| p.snapshot.cluster.maintenance = Maintenance::On), None);
    }
    for policy in
        [None, Some(NoQuorumPolicy::Stop), Some(NoQuorumPolicy::Freeze), Some(NoQuorumPolicy::Ignore)]
    {
        assert_eq!(lost(policy, |_| {}), None, "{policy:?}");
    }
}

#[test]
fn a_fenced_node_ends_also_under_maintenance() {
    for maintenance in [Maintenance::Off, Maintenance::On] {
        let mut node = Played::healthy();
        node.snapshot.cluster.maintenance = maintenance;
        node.snapshot.request = Some("srv2".into());
        let done = node.deeds(3000, |_| {});
        assert!(
            matches!(&done[..], [(_, Act::Reset { mode: ShutdownMode::Orderly, why, .. })] if why.contains("srv2")),
            "{done:?}"
        );
    }
}
