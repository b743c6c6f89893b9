//! The rules that a description as a whole must keep: counts, centres, addresses, ports.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use toml::Spanned;

use super::describe::Description;
use super::kind::{Kind, Replication};
use super::problem::Complaints;
use super::site::Site;

/// Applies all rules to a site of which each value by itself is good.
pub(super) fn apply(d: &Description, site: &Site, c: &mut Complaints<'_>) {
    counts(d, site, c);
    centres(d, site, c);
    witness(d, site, c);
    names(d, c);
    addresses(d, site, c);
    instances(d, site, c);
    times(d, site, c);
}

/// The last node, or the layout where there is none: where a wrong number of nodes is reported.
fn at_nodes(d: &Description, what: String, cure: &str, c: &mut Complaints<'_>) {
    match d.nodes.last() {
        Some(node) => c.at(node, what, cure),
        None => c.at(&d.layout, what, cure),
    }
}

fn counts(d: &Description, site: &Site, c: &mut Complaints<'_>) {
    let (nodes, name) = (site.nodes.len(), site.kind.name());
    let problem = match site.kind {
        Kind::Packed | Kind::Classic if nodes != 2 => {
            Some("describe two, or choose the layout many-replicas (4, 6, …) or three-centres (3)")
        }
        Kind::ThreeCentres if nodes != 3 => {
            Some("describe three, or choose the layout classic (2) or many-replicas (4, 6, …)")
        }
        Kind::ManyReplicas if nodes < 4 || nodes % 2 != 0 => Some("describe 4, 6 or another even number"),
        Kind::ManyReplicas if nodes > 16 => Some("describe at most 16: corosync is made for that many"),
        _ => None,
    };
    if let Some(cure) = problem {
        at_nodes(d, format!("the layout {name} does not have {nodes} nodes"), cure, c);
    }
    let instances = site.instances.len();
    match (site.kind, d.instances.last()) {
        (_, None) => {
            c.at(
                &d.layout,
                "there is no instance".to_owned(),
                "describe PostgreSQL in a section [[instance]]",
            );
        }
        (Kind::Packed, Some(only)) if instances < 2 => c.at(
            only,
            "the layout packed has one instance only".to_owned(),
            "describe a second one with another port, or choose the layout classic",
        ),
        _ => {}
    }
}

fn centres(d: &Description, site: &Site, c: &mut Complaints<'_>) {
    let wanted = match site.kind {
        Kind::Packed | Kind::Classic | Kind::ManyReplicas => 2,
        Kind::ThreeCentres => 3,
    };
    let found = site.centres();
    if found.len() != wanted && !d.nodes.is_empty() {
        let what = format!(
            "the nodes are in {} ({}), the layout {} spans {wanted} centres",
            if found.len() == 1 { "1 centre".to_owned() } else { format!("{} centres", found.len()) },
            found.join(", "),
            site.kind.name()
        );
        at_nodes(d, what, "give each node the centre that it stands in", c);
    } else if site.kind == Kind::ManyReplicas {
        let in_first = site.nodes.iter().filter(|n| n.centre == found[0]).count();
        if in_first * 2 != site.nodes.len() {
            let what = format!(
                "{} has {in_first} nodes, {} has {}: with the larger one the majority would be lost",
                found[0],
                found[1],
                site.nodes.len() - in_first
            );
            at_nodes(d, what, "put half of the nodes into each centre", c);
        }
    }
}

fn witness(d: &Description, site: &Site, c: &mut Complaints<'_>) {
    let even = site.nodes.len().is_multiple_of(2);
    match (&d.witness, even) {
        (None, true) if !d.nodes.is_empty() => at_nodes(
            d,
            format!("{} nodes without a witness: half of them are no majority", site.nodes.len()),
            "describe a [witness] in a third place",
            c,
        ),
        (Some(witness), false) => c.at(
            witness,
            format!("{} nodes and a witness: an even number of votes, which can be split", site.nodes.len()),
            "leave the witness out; an odd number of nodes has a majority by itself",
        ),
        _ => {}
    }
    let Some(witness) = &d.witness else { return };
    let centre = &witness.get_ref().centre;
    if site.nodes.iter().any(|n| n.centre == *centre.get_ref()) {
        c.at(
            centre,
            format!(
                "the witness stands in {}, a data centre of nodes: both would be lost at once",
                centre.get_ref()
            ),
            "put it into a third place, and name that",
        );
    }
}

fn names(d: &Description, c: &mut Complaints<'_>) {
    let machines =
        d.nodes.iter().map(|n| &n.get_ref().name).chain(d.witness.as_ref().map(|w| &w.get_ref().name));
    twice(machines, |n| format!("two machines are called {n}"), "give each machine a name of its own", c);
    let instances = d.instances.iter().map(|i| &i.get_ref().name);
    twice(instances, |n| format!("two instances are called {n}"), "give each instance a name of its own", c);
    let ports = d.instances.iter().map(|i| &i.get_ref().port);
    let what = |p: &i64| format!("two instances have the port {p}, and every node runs both");
    twice(ports, what, "give each instance a port of its own", c);
}

fn twice<'a, T: Eq + std::hash::Hash + 'a>(
    values: impl Iterator<Item = &'a Spanned<T>>,
    what: impl Fn(&T) -> String,
    cure: &str,
    c: &mut Complaints<'_>,
) {
    let mut seen = std::collections::HashSet::new();
    for value in values {
        if !seen.insert(value.get_ref()) {
            c.at(value, what(value.get_ref()), cure);
        }
    }
}

fn addresses(d: &Description, site: &Site, c: &mut Complaints<'_>) {
    let mut seen: HashMap<IpAddr, String> = HashMap::new();
    let mut once = |text: &Spanned<String>, owner: String, c: &mut Complaints<'_>| {
        // Read before, or this is not reached.
        let Ok(address) = text.get_ref().parse::<IpAddr>() else { return };
        if let Some(other) = seen.get(&address) {
            let what = format!("{address} belongs to {other} and to {owner}");
            c.at(text, what, "give each an address of its own");
        } else {
            seen.insert(address, owner);
        }
    };
    for node in d.nodes.iter().map(Spanned::get_ref) {
        if node.addresses.len() != site.networks.len() {
            let what = format!(
                "{} has {} addresses, and there are {} networks",
                node.name.get_ref(),
                node.addresses.len(),
                site.networks.len()
            );
            c.at(&node.name, what, "write one address for each network, in the same order");
        }
        for (text, network) in node.addresses.iter().zip(&site.networks) {
            inside(text, network, c);
        }
        for text in &node.addresses {
            once(text, format!("the node {}", node.name.get_ref()), c);
        }
    }
    if let Some(witness) = &d.witness {
        once(&witness.get_ref().address, "the witness".to_owned(), c);
    }
    for instance in d.instances.iter().map(Spanned::get_ref) {
        let name = instance.name.get_ref();
        for text in std::iter::once(&instance.primary_ip).chain(&instance.standby_ips) {
            inside(text, &site.networks[0], c);
            once(text, format!("a float IP of the instance {name}"), c);
        }
    }
    if let [first, second] = site.networks.as_slice()
        && (first.contains(&second.addr()) || second.contains(&first.addr()))
        && let Some(text) = &d.network.second
    {
        c.at(
            text,
            format!("{second} and {first} overlap: one cable fault would cut both links"),
            "give the second link a network of its own",
        );
    }
}

fn inside(text: &Spanned<String>, network: &IpNet, c: &mut Complaints<'_>) {
    let Ok(address) = text.get_ref().parse::<IpAddr>() else { return };
    if !network.contains(&address) {
        c.at(
            text,
            format!("{address} is outside of {network}"),
            "use an address of that network, or correct [network]",
        );
    } else if address == network.network() || (network.addr().is_ipv4() && address == network.broadcast()) {
        let what = format!("{address} is the network's or the broadcast address of {network}");
        c.at(text, what, "use an address between the two");
    }
}

fn instances(d: &Description, site: &Site, c: &mut Complaints<'_>) {
    let most = match site.kind {
        Kind::Packed => 0,
        Kind::Classic | Kind::ThreeCentres | Kind::ManyReplicas => site.nodes.len().saturating_sub(1),
    };
    for instance in d.instances.iter().map(Spanned::get_ref) {
        if let Some(first_too_many) = instance.standby_ips.get(most) {
            let what = format!(
                "{} standby IPs for {most} standbys in the layout {}",
                instance.standby_ips.len(),
                site.kind.name()
            );
            let cure = match site.kind {
                Kind::Packed => {
                    "leave them out, or choose the layout classic: it has float IPs for standbys too"
                }
                Kind::Classic | Kind::ThreeCentres | Kind::ManyReplicas => {
                    "describe one for each standby at most"
                }
            };
            c.at(first_too_many, what, cure);
        }
        let Some(sync) = &instance.sync else { continue };
        match (sync.get_ref().as_str(), site.kind.replication()) {
            ("strict", Replication::Asynchronous) => c.at(
                sync,
                "sync = \"strict\" with two nodes: every commit would hang while one of them is away"
                    .to_owned(),
                "use \"prefer\", or choose the layout three-centres or many-replicas",
            ),
            ("off", Replication::AnyOne | Replication::OtherCentreFirst) => c.at(
                sync,
                format!(
                    "the layout {} is synchronous: with sync = \"off\" it may lose commits",
                    site.kind.name()
                ),
                "use \"prefer\" or \"strict\", or choose the layout classic",
            ),
            _ => {}
        }
    }
}

fn times(d: &Description, site: &Site, c: &mut Complaints<'_>) {
    // The lab's profile for comparison is unsound on purpose.
    if site.profile.preset == crate::cluster::timing::Preset::Paf {
        return;
    }
    for complaint in site.profile.complaints() {
        c.at(&d.layout, complaint, "change [timing]");
    }
}
