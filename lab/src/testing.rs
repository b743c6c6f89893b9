//! The sites and observations of the lab's unit tests.

use super::faults::Service;
use super::report::RunResult;
use crate::cluster::observe::{Database, Observation, Seen};
use crate::machines::protocol::{Activity, Cable, Impairment, NodeInfo, NodeKind, Power, Watchdog};
use quorate::cluster::crm_mon::{Instance, Node, Role, Status};
use quorate::layout::kind::Kind;
use quorate::layout::site::Site;
use quorate::layout::{self, Overrides, examples};
use std::net::IpAddr;
use std::sync::Arc;

/// The site of a layout's example.
pub fn site(kind: Kind) -> Site {
    layout::read(examples::text(kind), &Overrides::default()).expect("an example is sound")
}

fn info(name: &str, address: IpAddr, kind: NodeKind) -> NodeInfo {
    NodeInfo {
        name: name.to_owned(),
        address,
        kind,
        power: Power::On,
        cable: Cable::Linked,
        impairment: Impairment::NONE,
        delay: None,
        late_packets: 0,
        apart_from: Vec::new(),
        lost_packets: 0,
        activity: Activity::Running,
        watchdog: Watchdog::Armed,
        second_watchdog: Watchdog::Idle,
        leader: Some(1),
        boots: 1,
        cgroups: Vec::new(),
    }
}

/// An instance of a resource that runs on a node.
pub fn runs(resource: &str, role: Role, node: &str) -> Instance {
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

/// A cluster in which all is well, each primary at home.
pub fn healthy(site: Site) -> Observation {
    let site = Arc::new(site);
    let mut status = Status { quorate: Some(true), ..Status::default() };
    let mut nodes = Vec::new();
    for node in &site.nodes {
        let name = node.name.as_str();
        status.nodes.push(Node {
            name: name.to_owned(),
            online: true,
            unclean: false,
            pending: false,
            standby: false,
        });
        let mut databases = Vec::new();
        for instance in &site.instances {
            let resource = site.names(instance).resource();
            let home = site.nodes.iter().find(|n| n.name == instance.home).expect("a node");
            let primary = home.name == name;
            databases.push(Database::Answers {
                in_recovery: !primary,
                lsn: "0/5000148".to_owned(),
                timeline: "3".to_owned(),
                standbys: if primary { u32::try_from(site.nodes.len() - 1).expect("few") } else { 0 },
                upstream: (!primary).then(|| home.address().to_string()),
            });
            status.instances.push(runs(
                &resource,
                if primary { Role::Promoted } else { Role::Unpromoted },
                name,
            ));
            let score = if primary { 1001 } else { 1000 };
            let scores = status.attributes.entry(name.to_owned()).or_default();
            scores.insert(format!("master-{resource}"), score.to_string());
        }
        nodes.push(Seen { info: info(name, node.address(), NodeKind::Database), databases });
    }
    for instance in &site.instances {
        let (names, count) = (site.names(instance), instance.standby_ips.len());
        status.instances.push(runs(&names.primary_ip(), Role::Started, &instance.home));
        let standbys = site.nodes.iter().filter(|n| n.name != instance.home);
        for (index, node) in standbys.enumerate().take(count) {
            status.instances.push(runs(&names.standby_ip(index, count), Role::Started, &node.name));
        }
    }
    if let Some(witness) = &site.witness {
        let info = info(&witness.name, witness.address, NodeKind::Witness);
        nodes.push(Seen { info, databases: Vec::new() });
    }
    Observation { site, nodes, status: Ok(status) }
}

/// A run of `classic` in which all went well.
pub fn good(fault: &str) -> RunResult {
    RunResult {
        layout: "classic".to_owned(),
        suite: "bookworm".to_owned(),
        agent: "quorate".to_owned(),
        timing: "default".to_owned(),
        protocol: "quorate".to_owned(),
        reaction_ms: None,
        fault: fault.to_owned(),
        target: "primary".to_owned(),
        node: "srv1".to_owned(),
        run: 1,
        service: Service::MustReturn,
        outage_ms: Some(2500),
        interruption_ms: 2500,
        interruption_healing_ms: 80,
        acked: 500,
        lost_acked: Some(0),
        recovered: 0,
        unexpected: 0,
        two_primaries_ms: 0,
        replication: "free".to_owned(),
        lost_bytes: None,
        lost_ms: 0,
        findings: Vec::new(),
        old_primary: "standby by itself".to_owned(),
        help_by_hand: Vec::new(),
        whole_after_ms: Some(14_000),
        placement: "primary srv2 · primary-ip srv2 · standby-ip srv2".to_owned(),
        placement_after: "primary srv2 · primary-ip srv2 · standby-ip srv1".to_owned(),
        started_ms: Some(1_795_520_400_000),
        load: "2.10 1.90 1.70".to_owned(),
        noticed: None,
        take_overs: Vec::new(),
        phases: Vec::new(),
        failed: None,
    }
}
