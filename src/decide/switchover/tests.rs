use std::collections::BTreeMap;

use super::*;
use crate::cluster::cib::placement::{Colocation, Location, Placement};
use crate::cluster::cib::{Management, NodeState};
use crate::cluster::crm_mon::{self, Ban, Instance};
use crate::pg::lsn::Lsn;
use crate::pg::role::PgRole;
use crate::pg::survey::{Load, Survey};
use crate::pg::timeline::Timeline;

const NOW: u64 = 1_764_000_000;

/// Everything that the facts borrow.
struct World {
    status: Status,
    management: Management,
    constraints: Placement,
    surveys: BTreeMap<String, Survey>,
    to: Option<&'static str>,
    unfenced: Option<&'static str>,
    force: bool,
    here: &'static str,
}

fn node(name: &str) -> crm_mon::Node {
    crm_mon::Node { name: name.into(), online: true, unclean: false, pending: false, standby: false }
}

fn instance(node: &str, role: Role) -> Instance {
    Instance {
        resource: "pgsqld".into(),
        agent: "ocf:quorate:postgres".into(),
        role,
        failed: false,
        blocked: false,
        managed: true,
        pending: None,
        nodes: vec![node.into()],
    }
}

fn survey(role: PgRole) -> Survey {
    Survey {
        at: NOW - 9,
        role,
        timeline: Timeline::new(3),
        end: Some(Lsn(0x500_0000)),
        replayed: (role == PgRole::Standby).then_some(Lsn(0x500_0000)),
        is_paused: false,
        synchronous: None,
        load: Load::default(),
    }
}

/// A primary srv1, a standby srv2, a witness that runs Pacemaker.
fn healthy() -> World {
    let mut status = Status {
        quorate: Some(true),
        dc: Some("srv3".into()),
        nodes: ["srv1", "srv2", "srv3"].map(node).to_vec(),
        instances: vec![instance("srv1", Role::Promoted), instance("srv2", Role::Unpromoted)],
        ..Status::default()
    };
    for (node, score) in [("srv1", "1001"), ("srv2", "1000")] {
        let all = status.attributes.entry(node.into()).or_default();
        all.insert("master-pgsqld".into(), score.into());
    }
    let constraints = Placement {
        clone: Some("pgsqld-clone".into()),
        colocations: vec![Colocation {
            resource: "pgsql-ip".into(),
            with: "pgsqld-clone".into(),
            with_role: Some("Promoted".into()),
            score: "INFINITY".into(),
        }],
        ..Placement::default()
    };
    let surveys = [("srv1", PgRole::Primary), ("srv2", PgRole::Standby)];
    World {
        status,
        management: Management::default(),
        constraints,
        surveys: surveys.map(|(node, role)| (node.to_owned(), survey(role))).into(),
        to: Some("srv2"),
        unfenced: None,
        force: false,
        here: "srv3",
    }
}

impl World {
    fn plan(&self) -> Plan {
        decide(&Facts {
            resource: "pgsqld",
            to: self.to,
            status: &self.status,
            management: &self.management,
            constraints: &self.constraints,
            surveys: &self.surveys,
            unfenced: self.unfenced,
            now: NOW,
            now_utc: "2026-11-29 12:00:00",
            here: self.here,
            force: self.force,
            timeout_s: 180,
        })
    }

    fn standby(&mut self) -> &mut Survey {
        self.surveys.get_mut("srv2").expect("it is there")
    }

    fn load(&mut self) -> &mut Load {
        &mut self.surveys.get_mut("srv1").expect("it is there").load
    }

    fn score(&mut self, node: &str, score: &str) {
        self.status.attributes.entry(node.into()).or_default().insert("master-pgsqld".into(), score.into());
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.status.attributes.entry("srv2".into()).or_default().insert(name.into(), value.into());
    }

    fn locate(&mut self, id: &str, score: &str, ends: Option<&str>) {
        self.constraints.locations.push(Location {
            id: id.into(),
            resource: "pgsqld-clone".into(),
            node: Some("srv2".into()),
            role: Some("Promoted".into()),
            score: score.into(),
            ends: ends.map(str::to_owned),
        });
    }
}

type Change = fn(&mut World);

/// Each case: what is changed in a healthy cluster, the check that says so, how it rules, and a word of what it says.
const CASES: &[(Change, &str, Ruling, &str)] = &[
    (|w| w.status.quorate = Some(false), "quorum", Ruling::Refused, "has none"),
    (|w| w.status.quorate = None, "quorum", Ruling::Refused, "not known"),
    (|w| w.status.dc = None, "quorum", Ruling::Refused, "no DC"),
    (
        |w| w.management.cluster = Some("maintenance-mode=true".into()),
        "managed",
        Ruling::Refused,
        "maintenance-mode=true",
    ),
    (
        |w| {
            w.management.unmanaged.insert("pgsqld".into(), "maintenance=true of pgsqld-clone".into());
        },
        "managed",
        Ruling::Refused,
        "pgsqld-clone",
    ),
    (
        |w| {
            let told = Some("maintenance=true of the node srv2".to_owned());
            w.management.nodes =
                vec![NodeState { id: None, name: "srv2".into(), maintenance: told, standby: None }];
        },
        "managed",
        Ruling::Refused,
        "srv2",
    ),
    (|w| w.status.instances[1].managed = false, "managed", Ruling::Refused, "unmanaged"),
    (|w| w.status.instances[0].role = Role::Unpromoted, "primary", Ruling::Refused, "nowhere"),
    (|w| w.status.instances[1].role = Role::Promoted, "primary", Ruling::Refused, "srv1 and srv2"),
    (
        |w| w.status.instances[1].pending = Some("Stopping".into()),
        "transition",
        Ruling::Refused,
        "is stopping",
    ),
    (|w| w.status.nodes[2].unclean = true, "transition", Ruling::Refused, "srv3"),
    (
        |w| w.locate("cli-prefer-pgsqld-clone", "INFINITY", None),
        "constraints",
        Ruling::Refused,
        "cli-prefer-pgsqld-clone",
    ),
    (
        |w| w.locate("cli-prefer-pgsqld-clone", "INFINITY", Some("2026-11-29 12:00:01Z")),
        "constraints",
        Ruling::Refused,
        "still holds",
    ),
    (
        |w| w.locate("cli-prefer-pgsqld-clone", "INFINITY", Some("2026-11-29 12:00:00Z")),
        "constraints",
        Ruling::Warned,
        "is over",
    ),
    (|w| w.unfenced = Some("stonith-enabled is false"), "fencing", Ruling::Doubted, "stonith-enabled"),
    (|w| w.to = Some("srv1"), "target", Ruling::Refused, "already"),
    (|w| w.to = Some("srv9"), "target", Ruling::Refused, "no node srv9"),
    (|w| w.to = Some("srv3"), "target", Ruling::Refused, "does not run"),
    (|w| w.status.nodes[1].online = false, "target", Ruling::Refused, "not online"),
    (|w| w.status.nodes[1].standby = true, "target", Ruling::Refused, "on standby"),
    (|w| w.attribute("master-pgsqld", "-1000"), "score", Ruling::Refused, "-1000"),
    (
        |w| {
            w.status.attributes.remove("srv2");
        },
        "score",
        Ruling::Refused,
        "none",
    ),
    (|w| w.locate("no-promotion", "-INFINITY", None), "bans", Ruling::Refused, "no-promotion"),
    (
        |w| {
            w.status.bans.push(Ban {
                id: "ban".into(),
                resource: "pgsqld-clone".into(),
                node: "srv2".into(),
                promoted_only: true,
            });
        },
        "bans",
        Ruling::Refused,
        "ban",
    ),
    (|w| w.attribute("quorate-rejoin-pgsqld", "rewinding"), "data", Ruling::Refused, "rewinding"),
    (|w| w.attribute("quorate-rejoin-request-pgsqld", "rewind"), "data", Ruling::Refused, "to be replaced"),
    (|w| w.attribute("quorate-safe-mode-pgsqld", "1 of 2 run"), "data", Ruling::Refused, "safe mode"),
    (
        |w| {
            w.surveys.remove("srv1");
        },
        "replication",
        Ruling::Refused,
        "srv1 has told nothing",
    ),
    (|w| w.standby().at = NOW - 61, "replication", Ruling::Refused, "for 61 s, or its clock is behind"),
    (|w| w.standby().at = NOW + 6, "replication", Ruling::Refused, "the clock of srv2 is 6 s ahead"),
    (
        |w| w.surveys.values_mut().for_each(|survey| survey.at = NOW + 3_600),
        "replication",
        Ruling::Refused,
        "the clock of srv1 is 3600 s ahead",
    ),
    (|w| w.standby().role = PgRole::Primary, "replication", Ruling::Refused, "says it is a primary"),
    (|w| w.standby().is_paused = true, "replication", Ruling::Refused, "paused"),
    (|w| w.standby().timeline = None, "replication", Ruling::Refused, "receives nothing"),
    (|w| w.standby().timeline = Timeline::new(2), "replication", Ruling::Refused, "timeline 2"),
    (|w| w.standby().end = None, "replication", Ruling::Refused, "not known"),
    (|w| w.standby().replayed = Some(Lsn(0xf_ffff)), "replication", Ruling::Doubted, "bytes of WAL behind"),
    (|w| w.load().prepared = 2, "transactions", Ruling::Warned, "2 prepared"),
    (|w| w.load().oldest_s = 60, "transactions", Ruling::Warned, "60 s"),
    (|w| w.load().waiting = 3, "commits", Ruling::Warned, "3 wait"),
    (|w| w.load().backups = 1, "base backups", Ruling::Doubted, "breaks them off"),
    (|w| w.load().to_archive = Some(16), "archiver", Ruling::Warned, "16 segments"),
    (|w| w.load().to_archive = Some(128), "archiver", Ruling::Doubted, "128 segments"),
    (|w| w.load().to_archive = Some(u32::MAX), "archiver", Ruling::Doubted, "an unknown number of segments"),
    (
        |w| {
            w.load().to_archive = Some(1);
            w.load().archiver_fails = true;
        },
        "archiver",
        Ruling::Doubted,
        "attempt failed",
    ),
];

#[test]
fn each_check_refuses_by_itself_and_says_why() {
    for (change, name, ruling, word) in CASES {
        let mut world = healthy();
        // More than the limit lies below it.
        world.surveys.values_mut().for_each(|s| s.end = Some(Lsn(0x500_0000)));
        change(&mut world);
        let plan = world.plan();
        let said: Vec<&Check> = plan.checks.iter().filter(|c| c.ruling != Ruling::Passed).collect();
        let case = said.iter().find(|c| c.name == *name);
        let case = case.unwrap_or_else(|| panic!("{name}, {word}: {:?}", plan.checks));
        assert_eq!(case.ruling, *ruling, "{case}");
        assert!(case.what.contains(word), "{word}: {case}");
        assert!(!case.cure.is_empty(), "without a cure: {case}");
        assert_eq!(said.len(), 1, "one cause, one check: {said:?}");
        assert_eq!(plan.steps.is_some(), *ruling == Ruling::Warned, "{case}");
        // --force overrules doubts alone.
        world.force = true;
        assert_eq!(world.plan().steps.is_some(), *ruling != Ruling::Refused, "forced: {case}");
    }
}

#[test]
fn a_healthy_cluster_and_its_steps() {
    let mut world = healthy();
    // A little ahead is no matter.
    world.standby().at = NOW + 5;
    let plan = world.plan();
    assert!(plan.checks.iter().all(|check| check.ruling == Ruling::Passed), "{:?}", plan.checks);
    let steps = plan.steps.expect("nothing is against it");
    let text = steps.to_string();
    let order = ["no CHECKPOINT", "crm_resource --move", "wait until pgsqld", "pgsql-ip", "remove", "verify"];
    let at: Vec<Option<usize>> = order.iter().map(|word| text.find(word)).collect();
    assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{text}");
    assert!(text.contains("--lifetime PT240S"), "longer than the wait: {text}");
    world.here = "srv1";
    assert!(world.plan().steps.is_some_and(|steps| steps.all.first() == Some(&Step::Checkpoint)));
}

#[test]
fn without_a_name_the_best_standby_is_taken() {
    let mut world = healthy();
    world.to = None;
    world.status.nodes.push(node("srv4"));
    world.status.instances.push(instance("srv4", Role::Unpromoted));
    world.surveys.insert("srv4".into(), survey(PgRole::Standby));
    let of = |world: &World| world.plan().steps.map(|steps| steps.to);
    assert_eq!(of(&world).as_deref(), Some("srv2"), "the other one has no score");
    for (score, taken) in [("990", "srv2"), ("1000", "srv2"), ("1010", "srv4")] {
        let all = world.status.attributes.entry("srv4".into()).or_default();
        all.insert("master-pgsqld".into(), score.into());
        assert_eq!(of(&world).as_deref(), Some(taken), "{score}");
    }
    world.status.attributes.clear();
    let plan = world.plan();
    assert!(plan.steps.is_none() && plan.checks.iter().any(|c| c.what.contains("no standby has")));
}

#[test]
fn progress_by_what_pacemaker_tells() {
    let mut world = healthy();
    let steps = world.plan().steps.expect("it goes");
    let mut progress = Progress::default();
    let mut look = |world: &World, now| progress.observe(&steps, &world.status, now);
    assert_eq!(look(&world, 200), "srv1 is the primary still");
    world.status.instances[0].pending = Some("Monitoring".into());
    assert_eq!(look(&world, 400), "srv1 is the primary still");
    world.status.instances[0].pending = Some("Demoting".into());
    assert_eq!(look(&world, 600), "srv1 demoting, srv2 unpromoted");
    world.status.instances[0] = instance("srv1", Role::Unpromoted);
    world.status.instances[1].pending = Some("Promoting".into());
    assert_eq!(look(&world, 1_000), "srv1 unpromoted, srv2 promoting");
    world.status.instances[1] = instance("srv2", Role::Promoted);
    assert_eq!(look(&world, 2_000), "srv2 is promoted; pgsql-ip not there yet");
    let address = Instance { resource: "pgsql-ip".into(), ..instance("srv2", Role::Started) };
    world.status.instances.push(address);
    // Until the agents have settled srv1 would get the role back.
    assert_eq!(look(&world, 2_400), "srv2 is the primary; its score is not the highest yet");
    world.attribute("master-pgsqld", "1001");
    assert_eq!(look(&world, 2_600), "srv2 is the primary; its score is not the highest yet", "as high");
    world.score("srv1", "990");
    assert_eq!(look(&world, 6_000), "srv2 is the primary");
    assert!(progress.is_over() && progress.failed().is_none());
    assert!(progress.outage(&steps.addresses).contains("for 1.4 s to 2.0 s, at pgsql-ip"));
}

#[test]
fn another_one_is_promoted_in_its_place() {
    let mut world = healthy();
    let steps = world.plan().steps.expect("it goes");
    let mut progress = Progress::default();
    world.status.instances[0] = instance("srv1", Role::Unpromoted);
    world.status.instances.push(instance("srv4", Role::Promoted));
    assert_eq!(progress.observe(&steps, &world.status, 5_000), "srv4 was promoted in its place");
    assert!(progress.failed().is_some() && !progress.is_over());
}

#[test]
fn the_constraint_is_held_while_another_standby_has_the_higher_score() {
    let mut world = healthy();
    let steps = world.plan().steps.expect("it goes");
    let mut progress = Progress::since(&world.status);
    let address = Instance { resource: "pgsql-ip".into(), ..instance("srv2", Role::Started) };
    world.status.instances =
        vec![instance("srv1", Role::Unpromoted), instance("srv2", Role::Promoted), address];
    world.score("srv4", "1000");
    for (of_srv2, of_srv1, over) in
        [("990", "1001", false), ("990", "980", false), ("1000", "980", false), ("1001", "980", true)]
    {
        world.score("srv2", of_srv2);
        world.score("srv1", of_srv1);
        progress.observe(&steps, &world.status, 1_000);
        assert_eq!((progress.has_moved(), progress.is_over()), (true, over), "{of_srv2} {of_srv1}");
    }
    world.status.instances[1].pending = Some("Demoting".into());
    progress.observe(&steps, &world.status, 2_000);
    assert!(!progress.is_over(), "it goes again");
    world.status.instances[1] = instance("srv2", Role::Unpromoted);
    world.status.instances[0] = instance("srv1", Role::Promoted);
    progress.observe(&steps, &world.status, 3_000);
    assert_eq!(progress.failed(), Some("srv1 was promoted again"));
}

#[test]
fn what_cannot_come_about_is_seen_at_once() {
    let failure = |operation: &str, node: &str| crm_mon::Failure {
        operation: operation.into(),
        node: node.into(),
        status: "error".into(),
        reason: "its WAL has a gap".into(),
    };
    let mut world = healthy();
    world.status.failures =
        vec![failure("pgsqld_promote_0", "srv2"), failure("pgsqld_monitor_10000", "srv2")];
    let steps = world.plan().steps.expect("it goes");
    world.status.instances[0] = instance("srv1", Role::Unpromoted);
    // What the look after the demotion shows, and what is said.
    type Case = (fn(&mut World), Option<&'static str>);
    let cases: &[Case] = &[
        (|_| (), None),
        (|w| w.status.failures[0].reason = "another".into(), Some("on srv2: error: another")),
        (|w| w.status.failures[0].node = "srv1".into(), None),
        (|w| w.status.failures[1].operation = "pgsqld_start_0".into(), Some("pgsqld_start_0 failed")),
        (|w| w.status.failures[1].operation = "pgsqld_demote_0".into(), Some("pgsqld_demote_0 failed")),
        (|w| w.status.failures[1].operation = "pgsqld_monitor_15000".into(), None),
        (|w| w.status.failures[1].operation = "web_start_0".into(), None),
        (|w| w.score("srv2", "0"), Some("became 0")),
        (|w| w.score("srv2", "-1000"), Some("became -1000")),
        (|w| w.status.instances[0].role = Role::Promoted, Some("srv1 was promoted again")),
    ];
    for (change, said) in cases {
        let mut progress = Progress::since(&world.status);
        assert_eq!(progress.observe(&steps, &world.status, 1_000), "srv1 unpromoted, srv2 unpromoted");
        let mut after = World { status: world.status.clone(), ..healthy() };
        change(&mut after);
        progress.observe(&steps, &after.status, 1_200);
        match said {
            Some(said) => {
                assert!(progress.failed().is_some_and(|why| why.contains(said)), "{said}: {progress:?}")
            }
            None => assert_eq!(progress.failed(), None),
        }
        assert!(!progress.is_over());
    }
}

#[test]
fn who_is_the_primary_is_said_only_when_nothing_is_under_way() {
    let mut world = healthy();
    assert_eq!(settled(&world.status, "pgsqld"), Ok("srv1"));
    world.status.instances[0].pending = Some("Demoting".into());
    assert_eq!(settled(&world.status, "pgsqld"), Err("srv1 demoting, srv2 unpromoted".into()));
    world.status.instances[0] = instance("srv1", Role::Unpromoted);
    assert_eq!(settled(&world.status, "pgsqld"), Err("srv1 unpromoted, srv2 unpromoted".into()));
    world.status.instances.clear();
    assert_eq!(settled(&world.status, "pgsqld"), Err("pgsqld runs nowhere".into()));
    world = healthy();
    world.status.dc = None;
    assert!(settled(&world.status, "pgsqld").is_err(), "without a DC it is what was");
}

#[test]
fn only_the_own_constraint_is_taken_back() {
    let mut world = healthy();
    let steps = world.plan().steps.expect("it goes");
    // 2026-11-29 12:00:00 UTC, and the 240 s that it holds.
    let begun = 1_795_953_600;
    let made = |world: &World| steps.made(&world.constraints.locations[0], begun, begun + 1);
    for (ends, own) in [
        (Some("2026-11-29 12:04:00Z"), true),
        (Some("2026-11-29 07:04:01 -05:00"), true),
        (Some("2026-11-29 12:05:00Z"), false),
        (Some("2026-11-29 12:03:00Z"), false),
        (Some("soon"), false),
        (None, false),
    ] {
        world.constraints.locations.clear();
        world.locate("cli-prefer-pgsqld-clone", "INFINITY", ends);
        assert_eq!(made(&world), own, "{ends:?}");
        world.constraints.locations[0].node = Some("srv4".into());
        assert!(!made(&world), "to another node");
        world.constraints.locations.clear();
        world.locate("cli-prefer-other", "INFINITY", ends);
        assert!(!made(&world), "another one");
    }
}
