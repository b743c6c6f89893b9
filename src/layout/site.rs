//! A site: names, addresses and numbers of one cluster, checked. Only [`super::check`] and the lab make one.

use std::net::IpAddr;

use ipnet::IpNet;

use super::kind::{Kind, Replication};
use super::names::Names;
use crate::cluster::timing::Profile;
use crate::ocf::Sync;

/// A cluster as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// corosync's cluster_name; a witness tells its clusters apart by it.
    pub name: String,
    pub kind: Kind,
    /// The networks of corosync's links, the first one that of the clients and the float IPs too.
    pub networks: Vec<IpNet>,
    /// The database nodes, in corosync's order.
    pub nodes: Vec<Node>,
    /// The machine of the quorum device, where there is one.
    pub witness: Option<Witness>,
    pub instances: Vec<Instance>,
    /// PostgreSQL's major version.
    pub postgresql: u16,
    /// Whether a primary goes back to its home node by itself: a second outage.
    pub failback: Failback,
    pub at_boot: AtBoot,
    pub profile: Profile,
}

/// A database node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its host name; Pacemaker's and, as application_name, PostgreSQL's name for it too.
    pub name: String,
    /// Its data centre.
    pub centre: String,
    /// One for each of the site's networks.
    pub addresses: Vec<IpAddr>,
}

/// The machine that runs corosync-qnetd, outside of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    pub name: String,
    /// Where it is: none of the nodes' centres.
    pub centre: String,
    pub address: IpAddr,
    pub heuristics: Heuristics,
}

/// Who keeps the quorum when the data centres lose each other and both still see the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heuristics {
    /// The side with the primary, where it is well.
    PrimaryHere,
    /// The side with the first node, whatever runs there.
    Off,
}

/// One PostgreSQL: a primary and its standbys, one on each node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Debian's name of the cluster: `/var/lib/postgresql/15/NAME`.
    pub name: String,
    pub port: u16,
    /// The node on which it is made, and to which it goes back with [`Failback::Home`].
    pub home: String,
    /// The primary's float IP.
    pub primary_ip: IpAddr,
    /// The standbys' float IPs.
    pub standby_ips: Vec<IpAddr>,
    /// Whether commits wait for a standby (the agent's parameter `sync`).
    pub sync: Sync,
}

/// What the cluster's services do when a node boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtBoot {
    /// They start: a node that was reset comes back by itself, after the others have counted it as reset.
    Start,
    /// They wait for somebody to start them.
    StayOut,
}

/// Whether a primary that was moved by a failure moves back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failback {
    /// It stays where it is until somebody moves it.
    Stay,
    /// It goes home as soon as it can.
    Home,
}

impl Node {
    /// Its address on the first network: PostgreSQL's, pcs's and link 0 of corosync.
    ///
    /// # Panics
    /// Never: a checked node has an address for each network, and there is at least one network.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.addresses[0]
    }
}

impl Site {
    /// The names of an instance's resources.
    #[must_use]
    pub fn names(&self, instance: &Instance) -> Names {
        Names::new(&instance.name, self.instances.len())
    }

    /// The nodes' data centres, in the order of their first node.
    #[must_use]
    pub fn centres(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for node in &self.nodes {
            if !found.contains(&node.centre.as_str()) {
                found.push(&node.centre);
            }
        }
        found
    }

    /// The nodes on which instances are made, each once.
    #[must_use]
    pub fn homes(&self) -> Vec<String> {
        let is_home = |name: &str| self.instances.iter().any(|i| i.home == name);
        self.nodes.iter().map(|n| n.name.clone()).filter(|n| is_home(n)).collect()
    }

    /// The length of the clients' network's prefix, which is that of the float IPs.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.networks[0].prefix_len()
    }

    /// `synchronous_standby_names` of a node where no agent of ours keeps it (PAF); empty where commits wait for nobody.
    #[must_use]
    pub fn synchronous_standby_names(&self, node: &Node) -> String {
        let others = || self.nodes.iter().filter(|n| n.name != node.name);
        let quoted = |n: &Node| format!("\"{}\"", n.name);
        match self.kind.replication() {
            Replication::Asynchronous => String::new(),
            Replication::AnyOne => {
                format!("ANY 1 ({})", others().map(quoted).collect::<Vec<_>>().join(", "))
            }
            Replication::OtherCentreFirst => {
                let far = others().filter(|n| n.centre != node.centre);
                let near = others().filter(|n| n.centre == node.centre);
                format!("FIRST 1 ({})", far.chain(near).map(quoted).collect::<Vec<_>>().join(", "))
            }
        }
    }
}
