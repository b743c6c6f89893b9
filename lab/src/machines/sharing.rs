//! A witness that serves several clusters, as in life: one cluster runs its machine and lends it, the others are plugged
//! into the lender's network. Whether that can be, and under which address their clients stand there. Pure.

use crate::machines::plan::{self, WitnessIs, machines};
use ipnet::IpNet;
use quorate::layout::site::Site;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a cluster brings into a network that it shares with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its name in the lab.
    pub cluster: String,
    /// corosync's cluster_name: the quorum device's server tells clusters apart by it.
    pub site: String,
    /// The clients' network, in which the witness is.
    pub network: IpNet,
    /// Its own machines.
    pub machines: Vec<String>,
    /// All addresses of its machines and its float IPs; the client's too, once it has one.
    pub addresses: Vec<IpAddr>,
    /// The witness's name and address.
    pub witness: (String, IpAddr),
    /// What its machines' disks are laid over: the quorum device's certificates are in it.
    pub template: String,
}

impl Neighbour {
    /// As a neighbour; `None` for a site that needs no witness.
    #[must_use]
    pub fn of(cluster: &str, site: &Site, witness_is: WitnessIs, template: &str) -> Option<Self> {
        let witness = site.witness.as_ref()?;
        let mut addresses = plan::addresses(site);
        if witness_is == WitnessIs::Own {
            addresses.push(witness.address);
        }
        Some(Self {
            cluster: cluster.to_owned(),
            site: site.name.clone(),
            network: *site.networks.first()?,
            machines: machines(site, witness_is).into_iter().map(|m| m.name).collect(),
            addresses,
            witness: (witness.name.clone(), witness.address),
            template: template.to_owned(),
        })
    }
}

/// Why the newcomer can't join those who share the first one's witness; `None` when it can.
#[must_use]
pub fn objection(there: &[Neighbour], newcomer: &Neighbour) -> Option<String> {
    let lender = there.first()?;
    let who = |n: &Neighbour| format!("cluster {}", n.cluster);
    if lender.witness != newcomer.witness {
        let (name, address) = &lender.witness;
        return Some(format!("the witness of {} is {name} at {address}", who(lender)));
    }
    if lender.template != newcomer.template {
        return Some(format!("the machines of {} are made from {}", who(lender), lender.template));
    }
    for other in there {
        if other.network != newcomer.network {
            return Some(format!("{} is in the network {}", who(other), other.network));
        }
        if other.site == newcomer.site {
            return Some(format!("{} has the same name in corosync, {}", who(other), other.site));
        }
        if let Some(name) = other.machines.iter().find(|m| newcomer.machines.contains(m)) {
            return Some(format!("{} has a machine {name} too", who(other)));
        }
        if let Some(address) = other.addresses.iter().find(|a| newcomer.addresses.contains(a)) {
            return Some(format!("{} uses {address} too", who(other)));
        }
    }
    None
}

/// The address for a newcomer's client: the highest that nobody uses. From the other end than that of a lender's, and
/// out of the way of most sites.
#[must_use]
pub fn client_address(there: &[Neighbour], newcomer: &Neighbour) -> Option<IpAddr> {
    let used = |a: &IpAddr| {
        newcomer.addresses.contains(a)
            || newcomer.witness.1 == *a
            || there.iter().any(|n| n.addresses.contains(a))
    };
    let hosts = newcomer.network.hosts();
    hosts.rev().find(|a| !used(a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    fn neighbour(kind: Kind, witness_is: WitnessIs) -> Neighbour {
        Neighbour::of(kind.name(), &site(kind), witness_is, "bookworm-1").expect("has a witness")
    }

    #[test]
    fn the_examples_share_a_witness() {
        let mut there = vec![neighbour(Kind::Packed, WitnessIs::Own)];
        there[0].addresses.push([192, 168, 56, 1].into());
        for (kind, host) in [(Kind::Classic, 254), (Kind::ManyReplicas, 253)] {
            let mut newcomer = neighbour(kind, WitnessIs::Borrowed);
            assert_eq!(objection(&there, &newcomer), None);
            let client = client_address(&there, &newcomer).expect("there are some");
            assert_eq!(client, IpAddr::from([192, 168, 56, host]));
            newcomer.addresses.push(client);
            there.push(newcomer);
        }
        assert_eq!(Neighbour::of("x", &site(Kind::ThreeCentres), WitnessIs::Own, ""), None);
    }

    #[test]
    fn what_collides_does_not_share() {
        let there = [neighbour(Kind::Packed, WitnessIs::Own)];
        let newcomer = neighbour(Kind::Classic, WitnessIs::Borrowed);
        type Change = fn(&mut Neighbour);
        let cases: [(&str, Change); 6] = [
            ("same name in corosync", |n| n.site = "packed".to_owned()),
            ("a machine pack2 too", |n| n.machines.push("pack2".to_owned())),
            ("uses 192.168.56.101 too", |n| n.addresses.push([192, 168, 56, 101].into())),
            ("uses 192.168.56.5 too", |n| n.addresses.push([192, 168, 56, 5].into())),
            ("is witness at", |n| n.witness.1 = [192, 168, 56, 6].into()),
            ("made from bookworm-1", |n| n.template = "trixie-1".to_owned()),
        ];
        for (word, change) in cases {
            let mut bad = newcomer.clone();
            change(&mut bad);
            let objection = objection(&there, &bad).expect(word);
            assert!(objection.contains(word), "{word}: {objection}");
        }
    }
}
