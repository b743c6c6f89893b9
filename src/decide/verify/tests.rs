use super::*;
use crate::cluster::cib::placement::{Colocation, Location};
use crate::cluster::crm_mon::{Instance, Node};
use crate::decide::promotions::Promotion;
use crate::pg::survey::Load;
use crate::pg::timeline::Timeline;

struct World {
    status: Status,
    management: Management,
    constraints: Placement,
    surveys: BTreeMap<String, Survey>,
    record: Record,
    commits: Option<Commits>,
}

fn instance(resource: &str, role: Role, nodes: &[&str]) -> Instance {
    Instance {
        resource: resource.into(),
        agent: String::new(),
        role,
        failed: false,
        blocked: false,
        managed: true,
        pending: None,
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
    }
}

fn survey(role: PgRole) -> Survey {
    Survey {
        at: 1_000,
        role,
        timeline: Timeline::new(2),
        end: None,
        replayed: None,
        is_paused: false,
        synchronous: None,
        load: Load::default(),
    }
}

fn healthy() -> World {
    let node =
        |name: &str| Node { name: name.into(), online: true, unclean: false, pending: false, standby: false };
    let mut status = Status {
        quorate: Some(true),
        dc: Some("srv1".into()),
        nodes: vec![node("srv1"), node("srv2")],
        instances: vec![
            instance("pgsqld", Role::Promoted, &["srv1"]),
            instance("pgsqld", Role::Unpromoted, &["srv2"]),
            instance("pgsql-ip", Role::Started, &["srv1"]),
        ],
        ..Status::default()
    };
    status.attributes.entry("srv2".into()).or_default().insert("master-pgsqld".into(), "1000".into());
    let colocation = Colocation {
        resource: "pgsql-ip".into(),
        with: "pgsqld-clone".into(),
        with_role: Some("Promoted".into()),
        score: "INFINITY".into(),
    };
    let promotion: Promotion = "4:2:7:1:0/3000000:0000abcd::srv1".parse().expect("a record");
    World {
        status,
        management: Management::default(),
        constraints: Placement { colocations: vec![colocation], ..Placement::default() },
        surveys: [("srv1", PgRole::Primary), ("srv2", PgRole::Standby)]
            .map(|(node, role)| (node.to_owned(), survey(role)))
            .into(),
        record: Record::Last(promotion),
        commits: None,
    }
}

fn failing(world: &World) -> Vec<(&'static str, String)> {
    let items = verify(&Facts {
        resource: "pgsqld",
        status: &world.status,
        management: &world.management,
        constraints: &world.constraints,
        surveys: &world.surveys,
        record: &world.record,
        commits: world.commits,
        now: 1_030,
        now_utc: "2026-11-29 12:00:00",
    });
    assert_eq!(items.len(), 8);
    items.into_iter().filter(|item| !item.passed).map(|item| (item.name, item.what)).collect()
}

/// So many standbys answer, commits wait, and the oldest transaction has run; what the server itself says.
fn waits(world: &mut World, answer: u32, waiting: u32, oldest_s: u64, itself: Option<(u32, u32, u64)>) {
    let survey = world.surveys.get_mut("srv1").expect("it is there");
    survey.synchronous = Some(answer);
    survey.load = Load { waiting, oldest_s, ..Load::default() };
    world.commits = itself.map(|(needed, waiting, longest_s)| Commits { needed, waiting, longest_s });
}

#[test]
fn a_healthy_cluster_passes() {
    assert_eq!(failing(&healthy()), []);
}

#[test]
fn what_is_wrong_fails_its_item_and_what_is_unknown_too() {
    type Change = fn(&mut World);
    let cases: &[(Change, &[&str])] = &[
        (|w| w.status.quorate = Some(false), &["quorum"]),
        (|w| w.status.dc = None, &["quorum"]),
        (|w| w.management.cluster = Some("maintenance-mode=true".into()), &["managed"]),
        (
            |w| w.status.instances[0].role = Role::Unpromoted,
            &["primary", "redundancy", "timeline", "synchronous", "float IPs"],
        ),
        (|w| w.surveys.retain(|node, _| node != "srv1"), &["primary", "timeline", "synchronous"]),
        (|w| w.surveys.get_mut("srv1").unwrap().role = PgRole::Standby, &["primary"]),
        (|w| w.surveys.retain(|node, _| node != "srv2"), &["redundancy", "timeline"]),
        (|w| w.surveys.get_mut("srv2").unwrap().at = 969, &["redundancy", "timeline"]),
        (|w| w.surveys.get_mut("srv2").unwrap().is_paused = true, &["redundancy"]),
        (|w| w.surveys.get_mut("srv2").unwrap().timeline = Timeline::new(1), &["timeline"]),
        (|w| w.status.attributes.clear(), &["redundancy"]),
        (|w| w.status.instances.push(instance("pgsqld", Role::Stopped, &[])), &["redundancy"]),
        (|w| drop(w.status.instances.remove(1)), &["redundancy"]),
        (|w| w.record = Record::Empty, &["timeline"]),
        (|w| w.record = Record::Unread("hangs".into()), &["timeline"]),
        (|w| w.surveys.get_mut("srv1").unwrap().synchronous = Some(0), &["synchronous"]),
        (|w| w.surveys.get_mut("srv2").unwrap().at = 1_036, &["redundancy", "timeline"]),
        (|w| w.surveys.get_mut("srv1").unwrap().at = 1_036, &["primary", "timeline", "synchronous"]),
        (|w| waits(w, 2, 3, 0, None), &[]),
        (|w| waits(w, 1, 3, 9, None), &[]),
        (|w| waits(w, 1, 3, 10, None), &["synchronous"]),
        (|w| waits(w, 1, 0, 600, None), &[]),
        (|w| waits(w, 1, 0, 0, Some((2, 0, 0))), &["synchronous"]),
        (|w| waits(w, 2, 0, 0, Some((2, 0, 0))), &[]),
        (|w| waits(w, 2, 3, 600, Some((2, 3, 9))), &[]),
        (|w| waits(w, 2, 3, 600, Some((2, 3, 10))), &["synchronous"]),
        (|w| w.status.instances[2].nodes = vec!["srv2".into()], &["float IPs"]),
        (|w| drop(w.status.instances.pop()), &["float IPs"]),
        (
            |w| {
                w.constraints.locations.push(Location {
                    id: "cli-ban-pgsqld-clone-on-srv2".into(),
                    resource: "pgsqld-clone".into(),
                    node: Some("srv2".into()),
                    role: None,
                    score: "-INFINITY".into(),
                    ends: Some("2026-11-29 11:00:00Z".into()),
                });
            },
            &["constraints"],
        ),
    ];
    for (change, expected) in cases {
        let mut world = healthy();
        change(&mut world);
        let failing = failing(&world);
        let names: Vec<&str> = failing.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, *expected, "{failing:?}");
    }
}
