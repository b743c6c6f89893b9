//! What the templates may name.

use std::net::IpAddr;

use serde::Serialize;

use super::kind::Replication;
use super::names::AGENT_ROLE;
use super::render::{Agent, Step, start_command, steps};
use super::site::{AtBoot, Failback, Heuristics, Instance, Site};
use crate::cluster::timing::{self, start_wait_s};
use crate::ocf::{Preference, Sync};

/// Everything that a template can say of a site.
#[derive(Debug, Serialize)]
pub(super) struct Context {
    name: String,
    layout: &'static str,
    summary: &'static str,
    agent: &'static str,
    networks: Vec<String>,
    prefix: u8,
    postgresql: u16,
    failback: bool,
    start_at_boot: bool,
    start_command: String,
    /// The agent's role in the database; empty where it comes as the superuser.
    role: &'static str,
    nodes: Vec<Node>,
    witness: Option<Witness>,
    /// The nodes and the witness.
    machines: Vec<Machine>,
    /// The nodes on which instances are made.
    homes: Vec<String>,
    instances: Vec<Database>,
    heuristics_command: &'static str,
    profile: Profile,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Node {
    name: String,
    centre: String,
    addresses: Vec<IpAddr>,
    synchronous_standby_names: String,
}

#[derive(Debug, Serialize)]
struct Witness {
    name: String,
    centre: String,
    address: IpAddr,
    heuristics: bool,
}

#[derive(Debug, Serialize)]
struct Machine {
    name: String,
    addresses: Vec<IpAddr>,
}

#[derive(Debug, Serialize)]
struct Database {
    name: String,
    port: u16,
    home: String,
    primary_ip: IpAddr,
    resource: String,
    clone: String,
    primary_ip_name: String,
    standby_ips: Vec<FloatIp>,
    /// Every two of the standbys' float IPs, by name.
    standby_ip_pairs: Vec<(String, String)>,
    /// The agent's parameters `sync` and `sync_prefer`.
    sync: &'static str,
    sync_prefer: &'static str,
    waits_for: &'static str,
    bindir: String,
    data: String,
    etc: String,
}

#[derive(Debug, Serialize)]
struct FloatIp {
    name: String,
    address: IpAddr,
}

#[derive(Debug, Serialize)]
struct Profile {
    token_ms: u32,
    qdevice_timeout_ms: u32,
    qdevice_sync_timeout_ms: u32,
    heuristics_ms: u32,
    watchdog_s: u32,
    stonith_watchdog_s: u32,
    fence_timeout_s: Option<u32>,
    no_quorum_policy: &'static str,
    monitor_promoted_s: u32,
    monitor_unpromoted_s: u32,
    monitor_timeout_s: u32,
    start_timeout_s: u32,
    stop_timeout_s: u32,
    promote_timeout_s: u32,
    demote_timeout_s: u32,
    notify_timeout_s: u32,
    dc_deadtime_s: u32,
    wal_timeout_ms: u32,
    recovery_ms: u32,
    failover_ms: u32,
    start_delay_s: u32,
    start_wait_s: u32,
}

impl Context {
    pub(super) fn new(site: &Site, agent: Agent) -> Self {
        let nodes: Vec<Node> = site
            .nodes
            .iter()
            .map(|n| Node {
                name: n.name.clone(),
                centre: n.centre.clone(),
                addresses: n.addresses.clone(),
                synchronous_standby_names: match agent {
                    Agent::Quorate => String::new(),
                    Agent::Paf => site.synchronous_standby_names(n),
                },
            })
            .collect();
        let witness = site.witness.as_ref().map(|w| Witness {
            name: w.name.clone(),
            centre: w.centre.clone(),
            address: w.address,
            // They go by what our agent leaves word of.
            heuristics: w.heuristics == Heuristics::PrimaryHere && agent == Agent::Quorate,
        });
        let machines: Vec<Machine> = nodes
            .iter()
            .map(|n| Machine { name: n.name.clone(), addresses: n.addresses.clone() })
            .chain(witness.iter().map(|w| Machine { name: w.name.clone(), addresses: vec![w.address] }))
            .collect();
        Self {
            name: site.name.clone(),
            layout: site.kind.name(),
            summary: site.kind.summary(),
            agent: agent.name(),
            networks: site.networks.iter().map(ToString::to_string).collect(),
            prefix: site.prefix(),
            postgresql: site.postgresql,
            failback: site.failback == Failback::Home,
            start_at_boot: site.at_boot == AtBoot::Start,
            start_command: start_command(site).join(" "),
            role: match agent {
                Agent::Quorate => AGENT_ROLE,
                Agent::Paf => "",
            },
            homes: site.homes(),
            instances: site.instances.iter().map(|i| database(site, i, agent)).collect(),
            heuristics_command: timing::HEURISTICS_COMMAND,
            profile: profile(&site.profile),
            steps: steps(site),
            nodes,
            witness,
            machines,
        }
    }
}

fn database(site: &Site, instance: &Instance, agent: Agent) -> Database {
    let names = site.names(instance);
    let count = instance.standby_ips.len();
    let standby_ips: Vec<FloatIp> = instance
        .standby_ips
        .iter()
        .enumerate()
        .map(|(i, address)| FloatIp { name: names.standby_ip(i, count), address: *address })
        .collect();
    let pairs = standby_ips.iter().enumerate().flat_map(|(i, first)| {
        standby_ips[i + 1..].iter().map(|second| (first.name.clone(), second.name.clone()))
    });
    let (version, name) = (site.postgresql, &instance.name);
    Database {
        name: name.clone(),
        port: instance.port,
        home: instance.home.clone(),
        primary_ip: instance.primary_ip,
        resource: names.resource(),
        clone: names.clone_id(),
        primary_ip_name: names.primary_ip(),
        standby_ip_pairs: pairs.collect(),
        standby_ips,
        sync: instance.sync.name(),
        sync_prefer: match site.kind.replication() {
            Replication::Asynchronous | Replication::AnyOne => Preference::Any.name(),
            Replication::OtherCentreFirst => Preference::OtherSite.name(),
        },
        waits_for: match agent {
            Agent::Quorate => waits_for(instance.sync, site.kind.replication()),
            // Its list of names is fixed.
            Agent::Paf => match site.kind.replication() {
                Replication::Asynchronous => waits_for(Sync::Off, Replication::Asynchronous),
                fixed @ (Replication::AnyOne | Replication::OtherCentreFirst) => {
                    waits_for(Sync::Strict, fixed)
                }
            },
        },
        bindir: format!("/usr/lib/postgresql/{version}/bin"),
        data: format!("/var/lib/postgresql/{version}/{name}"),
        etc: format!("/etc/postgresql/{version}/{name}"),
    }
}

fn waits_for(sync: Sync, replication: Replication) -> &'static str {
    match (sync, replication) {
        (Sync::Off, _) => "nobody (asynchronous)",
        (Sync::Prefer, Replication::Asynchronous) => "the other node, while it streams",
        (Sync::Prefer, Replication::AnyOne) => "any one of the others, while one streams",
        (Sync::Prefer, Replication::OtherCentreFirst) => {
            "one of the others, the other centre's first, while one streams"
        }
        (Sync::Strict, Replication::Asynchronous) => "the other node",
        (Sync::Strict, Replication::AnyOne) => "any one of the others",
        (Sync::Strict, Replication::OtherCentreFirst) => "one of the others, the other centre's first",
        (Sync::Unreadable, _) => "as it is set",
    }
}

fn profile(p: &timing::Profile) -> Profile {
    Profile {
        token_ms: p.token_ms,
        qdevice_timeout_ms: p.qdevice_timeout_ms,
        qdevice_sync_timeout_ms: p.qdevice_sync_timeout_ms,
        heuristics_ms: p.heuristics_ms,
        watchdog_s: p.watchdog_s,
        stonith_watchdog_s: p.stonith_watchdog_s,
        fence_timeout_s: p.fence_timeout_s(),
        no_quorum_policy: p.no_quorum_policy.word(),
        monitor_promoted_s: p.monitor_promoted_s,
        monitor_unpromoted_s: p.monitor_unpromoted_s,
        monitor_timeout_s: p.monitor_timeout_s,
        start_timeout_s: p.start_timeout_s,
        stop_timeout_s: p.stop_timeout_s,
        promote_timeout_s: p.promote_timeout_s,
        demote_timeout_s: p.demote_timeout_s,
        notify_timeout_s: p.notify_timeout_s,
        dc_deadtime_s: p.dc_deadtime_s,
        wal_timeout_ms: p.wal_timeout_ms,
        recovery_ms: p.recovery_ms(),
        failover_ms: p.failover_ms(),
        start_delay_s: p.start_delay_s(),
        start_wait_s: start_wait_s(p.start_delay_s()),
    }
}
