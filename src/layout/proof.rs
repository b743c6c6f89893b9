//! Where everything should run after each single failure, and what is wrong with where it does: the offline proof of a
//! rendered configuration. The scheduler itself is Pacemaker's `crm_simulate`, which the shell calls.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::kind::Sharing;
use super::site::{AtBoot, Instance, Site};
use crate::cluster::crm_mon::{Role, Status};

/// The promotion scores that the agent sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scores {
    /// Of a primary.
    pub primary: i32,
    /// Of a standby that streams.
    pub standby: i32,
}

/// One thing that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nothing.
    None,
    Node(String),
    /// All nodes of a data centre at once.
    Centre(String),
    Witness,
    /// PostgreSQL can't run on a node that is well otherwise.
    Instance {
        resource: String,
        node: String,
    },
}

impl Failure {
    /// In the words of the table.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::None => "nothing".to_owned(),
            Self::Node(node) => format!("node {node}"),
            Self::Centre(centre) => format!("centre {centre}"),
            Self::Witness => "witness".to_owned(),
            Self::Instance { resource, node } => format!("{resource} on {node}"),
        }
    }
}

/// Every single failure of a site, the healthy cluster first.
#[must_use]
pub fn failures(site: &Site) -> Vec<Failure> {
    let mut all = vec![Failure::None];
    all.extend(site.nodes.iter().map(|n| Failure::Node(n.name.clone())));
    all.extend(site.centres().into_iter().map(|c| Failure::Centre(c.to_owned())));
    all.extend(site.witness.iter().map(|_| Failure::Witness));
    for instance in &site.instances {
        let resource = site.names(instance).resource();
        all.extend(
            site.nodes.iter().map(|n| Failure::Instance { resource: resource.clone(), node: n.name.clone() }),
        );
    }
    all
}

/// The nodes that a failure takes down.
#[must_use]
pub fn lost<'a>(site: &'a Site, failure: &Failure) -> Vec<&'a str> {
    site.nodes
        .iter()
        .filter(|n| match failure {
            Failure::Node(node) => n.name == *node,
            Failure::Centre(centre) => n.centre == *centre,
            Failure::None | Failure::Witness | Failure::Instance { .. } => false,
        })
        .map(|n| n.name.as_str())
        .collect()
}

/// Whether those who are left have more than half of the votes. The quorum device has one, and gives it to them.
#[must_use]
pub fn quorate(site: &Site, failure: &Failure) -> bool {
    let device = usize::from(site.witness.is_some());
    let total = site.nodes.len() + device;
    let device_votes = if *failure == Failure::Witness { 0 } else { device };
    (site.nodes.len() - lost(site, failure).len() + device_votes) * 2 > total
}

/// What crm_simulate is told to make a failure of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Injection {
    /// Further arguments of `crm_simulate`.
    pub arguments: Vec<String>,
    /// An element for the CIB's status section.
    pub status: Option<String>,
}

/// How a failure is injected.
#[must_use]
pub fn injection(site: &Site, failure: &Failure) -> Injection {
    match failure {
        Failure::None | Failure::Witness => Injection::default(),
        Failure::Node(_) | Failure::Centre(_) => Injection {
            arguments: lost(site, failure).iter().map(|n| format!("--node-fail={n}")).collect(),
            status: None,
        },
        Failure::Instance { resource, node } => {
            let id = site.nodes.iter().position(|n| n.name == *node).map_or(0, |i| i + 1);
            // A start that failed counts as if it had failed INFINITY times (start-failure-is-fatal).
            let attributes = format!(
                "<nvpair id=\"proof-count\" name=\"fail-count-{resource}#start_0\" value=\"INFINITY\"/>\
                 <nvpair id=\"proof-last\" name=\"last-failure-{resource}#start_0\" value=\"1\"/>"
            );
            Injection { arguments: Vec::new(), status: Some(node_state(id, "", &attributes)) }
        }
    }
}

fn node_state(id: usize, more: &str, attributes: &str) -> String {
    format!(
        "<node_state id=\"{id}\"{more}><transient_attributes id=\"{id}\"><instance_attributes id=\"status-{id}\">\
         {attributes}</instance_attributes></transient_attributes></node_state>"
    )
}

/// The configuration as it is after the first start: all nodes are up, nothing runs, and the agents have set the scores
/// that they set where the data was made.
///
/// # Errors
/// When the CIB has a status already.
pub fn started(site: &Site, cib: &str, scores: Scores) -> Result<String, String> {
    const EMPTY: &str = "<status/>";
    if !cib.contains(EMPTY) {
        return Err(
            "the configuration is not that of a cluster before its first start: it has a status".to_owned()
        );
    }
    let mut status = String::from("<status>");
    for (index, node) in site.nodes.iter().enumerate() {
        let id = index + 1;
        let mut attributes = String::new();
        for instance in &site.instances {
            let resource = site.names(instance).resource();
            let score = if instance.home == node.name { scores.primary } else { scores.standby };
            let _ = write!(
                attributes,
                "<nvpair id=\"status-{id}-{resource}\" name=\"master-{resource}\" value=\"{score}\"/>"
            );
        }
        let more = format!(
            " uname=\"{}\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\"",
            node.name
        );
        status.push_str(&node_state(id, &more, &attributes));
    }
    status.push_str("</status>");
    Ok(cib.replacen(EMPTY, &status, 1))
}

/// Where things run: the resource, or `clone` of a primary, and its node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement(BTreeMap<String, String>);

impl Placement {
    /// From what crm_mon says. A resource that runs nowhere is not in it.
    #[must_use]
    pub fn of(site: &Site, status: &Status) -> Self {
        let mut found = BTreeMap::new();
        for instance in &site.instances {
            let names = site.names(instance);
            let promoted = status.nodes_with_role(&names.resource(), &Role::Promoted);
            if !promoted.is_empty() {
                found.insert(names.resource(), promoted.join("+"));
            }
            for ip in float_ips(site, instance) {
                found.extend(status.node_of(&ip).map(|node| (ip, node.to_owned())));
            }
        }
        Self(found)
    }

    fn get(&self, resource: &str) -> Option<&str> {
        self.0.get(resource).map(String::as_str)
    }
}

fn standby_ips(site: &Site, instance: &Instance) -> Vec<String> {
    let (names, count) = (site.names(instance), instance.standby_ips.len());
    (0..count).map(|i| names.standby_ip(i, count)).collect()
}

fn float_ips(site: &Site, instance: &Instance) -> Vec<String> {
    let mut all = vec![site.names(instance).primary_ip()];
    all.extend(standby_ips(site, instance));
    all
}

/// What is wrong with a placement after a failure.
#[must_use]
pub fn complaints(site: &Site, failure: &Failure, placement: &Placement) -> Vec<String> {
    let gone = lost(site, failure);
    let mut found = Vec::new();
    for instance in &site.instances {
        let names = site.names(instance);
        let resource = names.resource();
        let alive = site.nodes.iter().map(|n| n.name.as_str()).filter(|n| !gone.contains(n));
        let able: Vec<&str> = alive
            .filter(|n| *failure != Failure::Instance { resource: resource.clone(), node: (*n).to_owned() })
            .collect();
        let primary = placement.get(&resource);
        match primary {
            None => found.push(format!("{resource} has no primary")),
            Some(node) if !able.contains(&node) => {
                found.push(format!("{resource} has its primary on {node}"))
            }
            Some(node) => {
                let ip = names.primary_ip();
                if placement.get(&ip) != Some(node) {
                    found.push(format!("{ip} is on {}", placement.get(&ip).unwrap_or("no node")));
                }
            }
        }
        let ips = standby_ips(site, instance);
        let standbys: Vec<&str> = able.iter().copied().filter(|n| Some(*n) != primary).collect();
        standby_complaints(site.kind.sharing(), &ips, &standbys, primary, placement, &mut found);
    }
    found
}

fn standby_complaints(
    sharing: Sharing,
    ips: &[String],
    standbys: &[&str],
    primary: Option<&str>,
    placement: &Placement,
    found: &mut Vec<String>,
) {
    let up: Vec<&str> = ips.iter().filter_map(|ip| placement.get(ip)).collect();
    let wanted = match sharing {
        Sharing::Avoided => ips.len(),
        Sharing::Never => ips.len().min(standbys.len().max(1)),
    };
    if up.len() < wanted {
        found.push(format!("{} of {wanted} float IPs of standbys are up", up.len()));
    }
    let allowed: &[&str] = if standbys.is_empty() { primary.as_slice() } else { standbys };
    for node in &up {
        if !allowed.contains(node) {
            found.push(format!("a standby's float IP is on {node}, where no standby is"));
        }
    }
    for node in allowed {
        let here = up.iter().filter(|n| *n == node).count();
        let share = match sharing {
            Sharing::Never => 1,
            Sharing::Avoided => ips.len().div_ceil(allowed.len()),
        };
        if here > share {
            found.push(format!("{here} float IPs of standbys are on {node}"));
        }
    }
}

/// Whether a node that was reset comes back by itself, and when.
#[must_use]
pub fn after_reset(site: &Site) -> String {
    match site.at_boot {
        AtBoot::Start => format!(
            "reset: the node comes back by itself as a standby, {} s after its boot at the earliest (start_at_boot)",
            site.profile.start_delay_s()
        ),
        AtBoot::StayOut => {
            "reset: the node stays out until pcs cluster start (start_at_boot = false)".to_owned()
        }
    }
}

/// The tables for people, one for each instance: a line a failure, a column a resource.
#[must_use]
pub fn tables(site: &Site, rows: &[(Failure, Placement)]) -> String {
    let tables: Vec<String> = site.instances.iter().map(|instance| table(site, instance, rows)).collect();
    tables.join("\n")
}

fn table(site: &Site, instance: &Instance, rows: &[(Failure, Placement)]) -> String {
    let mut columns = vec![site.names(instance).resource()];
    columns.extend(float_ips(site, instance));
    let mut lines = vec![["fails".to_owned(), columns[0].clone() + ", promoted"].to_vec()];
    lines[0].extend(columns[1..].iter().cloned());
    for (failure, placement) in rows {
        let mut line = vec![failure.name()];
        line.extend(columns.iter().map(|r| placement.get(r).unwrap_or("-").to_owned()));
        lines.push(line);
    }
    let width = |i: usize| lines.iter().map(|l| l[i].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..=columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::kind::Kind;
    use crate::layout::{Overrides, examples, read};

    const SCORES: Scores = Scores { primary: 1001, standby: 900 };

    fn site(kind: Kind) -> Site {
        read(examples::text(kind), &Overrides::default()).expect("an example")
    }

    fn placed(pairs: &[(&str, &str)]) -> Placement {
        Placement(pairs.iter().map(|(r, n)| ((*r).to_owned(), (*n).to_owned())).collect())
    }

    #[test]
    fn no_single_failure_costs_the_quorum() {
        for kind in Kind::ALL {
            let site = site(kind);
            for failure in failures(&site) {
                assert!(quorate(&site, &failure), "{kind:?} {failure:?}");
            }
        }
        let mut alone = site(Kind::Classic);
        alone.witness = None;
        assert!(!quorate(&alone, &Failure::Node("srv1".to_owned())));
    }

    #[test]
    fn each_wrong_placement_is_named() {
        let classic = site(Kind::Classic);
        let whole = [("pgsqld", "srv1"), ("primary-ip", "srv1"), ("standby-ip", "srv2")];
        assert_eq!(complaints(&classic, &Failure::None, &placed(&whole)), Vec::<String>::new());
        let named = |pairs: &[(&str, &str)], failure: &Failure, words: &str| {
            let all = complaints(&classic, failure, &placed(pairs)).join("; ");
            assert!(all.contains(words), "{all:?} instead of {words:?}");
        };
        named(&whole[1..], &Failure::None, "pgsqld has no primary");
        named(&[whole[0], ("primary-ip", "srv2"), whole[2]], &Failure::None, "primary-ip is on srv2");
        named(&[whole[0], whole[2]], &Failure::None, "primary-ip is on no node");
        named(&whole[..2], &Failure::None, "0 of 1 float IPs of standbys are up");
        named(
            &[whole[0], whole[1], ("standby-ip", "srv1")],
            &Failure::None,
            "is on srv1, where no standby is",
        );
        named(&whole, &Failure::Node("srv1".to_owned()), "pgsqld has its primary on srv1");
        let unable = Failure::Instance { resource: "pgsqld".to_owned(), node: "srv1".to_owned() };
        named(&whole, &unable, "pgsqld has its primary on srv1");
        // Alone it has everything.
        let alone = [("pgsqld", "srv2"), ("primary-ip", "srv2"), ("standby-ip", "srv2")];
        assert!(complaints(&classic, &unable, &placed(&alone)).is_empty());
    }

    #[test]
    fn the_layouts_share_nodes_as_they_may() {
        let three = site(Kind::ThreeCentres);
        let base = [("pgsqld", "tri1"), ("primary-ip", "tri1"), ("standby-ip-1", "tri2")];
        let both = |second| [base[0], base[1], base[2], ("standby-ip-2", second)];
        assert!(complaints(&three, &Failure::None, &placed(&both("tri3"))).is_empty());
        assert_eq!(
            complaints(&three, &Failure::None, &placed(&both("tri2"))),
            ["2 float IPs of standbys are on tri2"]
        );
        let lost = Failure::Node("tri3".to_owned());
        assert!(complaints(&three, &lost, &placed(&both("tri2"))).is_empty());
        let many = site(Kind::ManyReplicas);
        let west = Failure::Centre("west".to_owned());
        let left = [("pgsqld", "many1"), ("primary-ip", "many1"), ("standby-ip-1", "many2")];
        assert!(complaints(&many, &west, &placed(&left)).is_empty());
        let crowded = [left[0], left[1], left[2], ("standby-ip-2", "many2")];
        assert_eq!(complaints(&many, &west, &placed(&crowded)), ["2 float IPs of standbys are on many2"]);
        assert_eq!(
            complaints(&many, &Failure::None, &placed(&left)),
            ["1 of 3 float IPs of standbys are up"]
        );
    }

    #[test]
    fn a_configuration_that_ran_is_refused() {
        assert!(started(&site(Kind::Classic), "<cib><status><node_state/></status></cib>", SCORES).is_err());
        let text = started(&site(Kind::Packed), "<cib><status/></cib>", SCORES).expect("a new one");
        assert!(text.contains("name=\"master-pgsqld-a\" value=\"1001\""), "{text}");
        assert_eq!(text.matches("value=\"900\"").count(), 2);
    }
}
