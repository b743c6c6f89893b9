//! What a site needs of the lab: its machines, what they are plugged into, and where the measuring client stands.

use ipnet::IpNet;
use quorate::layout::site::{Instance, Site};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The role, its password and its database for a measuring client. It may create tables there.
pub const CLIENT_USER: &str = "heart";
pub const CLIENT_PASSWORD: &str = "heart-and-beat";
pub const CLIENT_DATABASE: &str = "heart";

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A cluster member that runs PostgreSQL.
    Database,
    /// The machine that runs corosync-qnetd, outside the cluster.
    Witness,
}

/// A machine of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub name: String,
    pub kind: NodeKind,
    /// Its place among the cluster's machines: host names are too long for the names of its cables.
    pub number: usize,
    /// An address, with the length of its network's prefix, for each network that it is plugged into, from the first on.
    pub addresses: Vec<IpNet>,
}

/// Whose machine the witness is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessIs {
    /// This cluster's own.
    Own,
    /// That of a cluster that lends it.
    Borrowed,
}

/// The machines that a cluster has to run, the witness last.
#[must_use]
pub fn machines(site: &Site, witness: WitnessIs) -> Vec<Machine> {
    let net = |address: &IpAddr, network: &IpNet| IpNet::new(*address, network.prefix_len()).ok();
    let mut machines: Vec<Machine> = Vec::new();
    for node in &site.nodes {
        let addresses = node.addresses.iter().zip(&site.networks).filter_map(|(a, n)| net(a, n)).collect();
        let number = machines.len();
        machines.push(Machine { name: node.name.clone(), kind: NodeKind::Database, number, addresses });
    }
    if let (Some(there), WitnessIs::Own) = (&site.witness, witness) {
        let addresses = site.networks.first().and_then(|n| net(&there.address, n)).into_iter().collect();
        let number = machines.len();
        machines.push(Machine { name: there.name.clone(), kind: NodeKind::Witness, number, addresses });
    }
    machines
}

/// Each address that a site uses, the float IPs too, but for the witness's.
#[must_use]
pub fn addresses(site: &Site) -> Vec<IpAddr> {
    let nodes = site.nodes.iter().flat_map(|n| n.addresses.iter().copied());
    nodes.chain(site.instances.iter().flat_map(float_ips)).collect()
}

/// The float IPs of an instance, the primary's first.
pub fn float_ips(instance: &Instance) -> impl Iterator<Item = IpAddr> + '_ {
    std::iter::once(instance.primary_ip).chain(instance.standby_ips.iter().copied())
}

/// Where the measuring client of a cluster with its own witness stands: the first address of the clients' network that
/// nobody uses. `None` when the network is full.
#[must_use]
pub fn client_address(site: &Site) -> Option<IpAddr> {
    let mut taken = addresses(site);
    taken.extend(site.witness.as_ref().map(|w| w.address));
    site.networks.first()?.hosts().find(|a| !taken.contains(a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    #[test]
    fn a_site_has_its_machines_and_a_borrower_no_witness() {
        let many = site(Kind::ManyReplicas);
        let own = machines(&many, WitnessIs::Own);
        let names: Vec<&str> = own.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["many1", "many2", "many3", "many4", "witness"]);
        assert_eq!(own[1].addresses.len(), 2, "one for each link");
        assert_eq!(own[1].addresses[1].to_string(), "192.168.57.42/24");
        assert_eq!(own[4].addresses.len(), 1, "the witness is on the clients' network alone");
        assert_eq!(machines(&many, WitnessIs::Borrowed).len(), 4);
        assert_eq!(machines(&site(Kind::ThreeCentres), WitnessIs::Own).len(), 3);
    }

    #[test]
    fn the_client_stands_where_nobody_is() {
        let mut classic = site(Kind::Classic);
        assert_eq!(client_address(&classic), Some([192, 168, 56, 1].into()));
        classic.nodes[0].addresses[0] = [192, 168, 56, 1].into();
        assert_eq!(client_address(&classic), Some([192, 168, 56, 2].into()));
    }
}
