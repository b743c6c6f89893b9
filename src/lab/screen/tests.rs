use std::collections::BTreeMap;

use super::*;
use crate::cluster::crm_mon::{Instance, Node, Status};
use crate::lab::protocol::{NodeInfo, Watchdog};

fn info(name: &str, kind: NodeKind) -> NodeInfo {
    NodeInfo {
        name: name.to_owned(),
        address: [10, 77, 0, 11].into(),
        kind,
        power: Power::On,
        cable: Cable::Linked,
        activity: Activity::Running,
        watchdog: Watchdog::Armed,
        leader: Some(1),
        boots: 1,
        cgroups: Vec::new(),
    }
}

fn instance(resource: &str, role: Role, node: &str) -> Instance {
    Instance {
        resource: resource.to_owned(),
        agent: String::new(),
        role,
        failed: false,
        blocked: false,
        managed: true,
        pending: None,
        nodes: vec![node.to_owned()],
    }
}

fn healthy() -> Observation {
    let member = |name: &str| Node {
        name: name.to_owned(),
        online: true,
        unclean: false,
        pending: false,
        standby: false,
    };
    let score = |value: &str| BTreeMap::from([("master-pgsqld".to_owned(), value.to_owned())]);
    let answers = |in_recovery, upstream: Option<&str>, standbys| {
        Some(Database::Answers {
            in_recovery,
            lsn: "0/5000148".to_owned(),
            timeline: "3".to_owned(),
            standbys,
            upstream: upstream.map(str::to_owned),
        })
    };
    Observation {
        nodes: vec![
            Seen { info: info("srv1", NodeKind::Database), database: answers(false, None, 1) },
            Seen { info: info("srv2", NodeKind::Database), database: answers(true, Some("10.77.0.11"), 0) },
            Seen { info: info("witness", NodeKind::Witness), database: None },
        ],
        status: Ok(Status {
            quorate: Some(true),
            nodes: vec![member("srv1"), member("srv2")],
            instances: vec![
                instance("pgsqld", Role::Promoted, "srv1"),
                instance("pgsqld", Role::Unpromoted, "srv2"),
                instance("primary-ip", Role::Started, "srv1"),
                instance("standby-ip", Role::Started, "srv2"),
            ],
            attributes: BTreeMap::from([
                ("srv1".to_owned(), score("1001")),
                ("srv2".to_owned(), score("1000")),
            ]),
            ..Status::default()
        }),
    }
}

#[test]
fn a_healthy_cluster_is_whole_and_fits_the_columns() {
    let seen = healthy();
    assert_eq!(crate::lab::health::problems(&seen), Vec::<String>::new());
    let pulse = Pulse {
        now: Duration::from_millis(10_000),
        heart: Some(Attempt {
            id: 198,
            sent: Duration::from_millis(9960),
            ended: Duration::from_millis(9965),
            outcome: Outcome::Acked,
        }),
        beat: Some(Reading { at: Duration::from_millis(9800), newest: Ok(194) }),
        ..Pulse::default()
    };
    let view = render(&seen, &pulse);
    assert!(view.lines().all(|line| line.chars().count() <= COLUMNS), "{view}");
    assert!(view.contains("row 198 written 35 ms ago"), "{view}");
    assert!(view.contains("row 194 read back 200 ms ago"), "{view}");
    let primary = view.lines().find(|l| l.contains("srv1")).expect("a line");
    for word in ["on", "promoted", "1001", "0/5000148 @3", "takes writes", "primary"] {
        assert!(primary.contains(word), "{word} in {primary}");
    }
    assert_eq!(roles(&seen), "srv1 promoted, srv2 unpromoted");
}

#[test]
fn what_is_missing_is_named() {
    let mut seen = healthy();
    seen.nodes[1].info.power = Power::Off;
    seen.nodes[1].database = None;
    if let Ok(status) = &mut seen.status {
        status.nodes[1].online = false;
        status.instances.retain(|i| i.nodes != ["srv2"]);
        status.attributes.remove("srv2");
    }
    let problems = crate::lab::health::problems(&seen).join("; ");
    for part in
        ["srv2 is powered off", "srv2 is no full member", "no promotion score", "standby-ip is on no node"]
    {
        assert!(problems.contains(part), "{part} in {problems}");
    }
    assert_eq!(roles(&seen), "srv1 promoted, srv2 offline");
}

#[test]
fn a_standby_without_a_score_is_not_ready_for_a_fault() {
    let mut seen = healthy();
    if let Ok(status) = &mut seen.status {
        status
            .attributes
            .insert("srv2".to_owned(), BTreeMap::from([("master-pgsqld".to_owned(), "-1000".to_owned())]));
    }
    assert_eq!(crate::lab::health::problems(&seen), ["srv2 is no candidate: its promotion score is -1000"]);
}

#[test]
fn a_failing_heart_says_why() {
    let pulse = Pulse {
        now: Duration::from_secs(9),
        tried: Some(Attempt {
            id: 5,
            sent: Duration::from_secs(8),
            ended: Duration::from_secs(9),
            outcome: Outcome::Refused("no TCP connection in time".to_owned()),
        }),
        ..Pulse::default()
    };
    assert!(render(&healthy(), &pulse).contains("nothing written yet; no TCP connection in time"));
}
