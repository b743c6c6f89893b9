use super::*;
use crate::testing::{healthy, site};
use quorate::layout::kind::Kind;

fn place(seen: &mut Observation, resource: &str, node: Option<&str>) {
    let Ok(status) = &mut seen.status else { panic!("healthy") };
    let instance = status.instances.iter_mut().find(|i| i.resource == resource).expect("there is one");
    instance.nodes = node.map(str::to_owned).into_iter().collect();
}

#[test]
fn each_layout_can_be_whole() {
    for kind in Kind::ALL {
        assert_eq!(problems(&healthy(site(kind))), Vec::<String>::new(), "{kind:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut seen = healthy(site(Kind::Classic));
    seen.nodes[1].info.power = Power::Off;
    seen.nodes[1].databases.clear();
    if let Ok(status) = &mut seen.status {
        status.nodes[1].online = false;
        status.instances.retain(|i| i.nodes != ["srv2"]);
        status.attributes.remove("srv2");
    }
    let problems = problems(&seen).join("; ");
    for part in
        ["srv2 is powered off", "srv2 is no full member", "no promotion score", "standby-ip is on no node"]
    {
        assert!(problems.contains(part), "{part} in {problems}");
    }
}

#[test]
fn a_standby_without_a_score_is_not_ready_for_a_fault() {
    let mut seen = healthy(site(Kind::Classic));
    if let Ok(status) = &mut seen.status {
        let scores = status.attributes.get_mut("srv2").expect("it has some");
        scores.insert("master-pgsqld".to_owned(), "-1000".to_owned());
    }
    assert_eq!(problems(&seen), ["pgsqld on srv2 is no candidate: its promotion score is -1000"]);
}

#[test]
fn every_instance_counts() {
    let mut seen = healthy(site(Kind::Packed));
    place(&mut seen, "primary-ip-b", Some("pack1"));
    assert_eq!(problems(&seen), ["primary-ip-b is on pack1, the primary is pack2"]);
    let mut seen = healthy(site(Kind::Packed));
    seen.nodes[0].databases[1] = Database::Silent("it is frozen".to_owned());
    assert_eq!(problems(&seen), ["PostgreSQL (pgsqld-b) on pack1 does not answer: it is frozen"]);
}

#[test]
fn float_ips_of_standbys_are_apart() {
    let mut seen = healthy(site(Kind::ThreeCentres));
    place(&mut seen, "standby-ip-2", Some("tri2"));
    assert_eq!(problems(&seen), ["the 2 float IPs of standbys are on tri2 alone"]);
    let mut seen = healthy(site(Kind::ManyReplicas));
    place(&mut seen, "standby-ip-3", None);
    assert_eq!(problems(&seen), ["standby-ip-3 is on no node"]);
    place(&mut seen, "standby-ip-3", Some("many1"));
    assert_eq!(problems(&seen), ["standby-ip-3 is on the primary"]);
}
