//! What a fault is to hit, from a word of the command line to the nodes that it means now.

use crate::cluster::observe::Observation;
use crate::host::error::{LabError, Result};
use quorate::layout::site::Site;

/// Which nodes a fault is to hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The node that has the first instance's primary.
    Primary,
    /// The first instance's standby that would be promoted next.
    Standby,
    /// The quorum device's machine.
    Witness,
    /// One of the database nodes, by chance.
    Random,
    /// All nodes of the data centre in which the first instance's primary is.
    Site,
    /// All nodes of a data centre in which it isn't.
    OtherSite,
    /// All database nodes at once.
    All,
    /// A node by name.
    Node(String),
}

impl Target {
    /// Reads a word of the command line; what is none of the words is a node's name.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "witness" => Self::Witness,
            "random" => Self::Random,
            "site" => Self::Site,
            "other-site" => Self::OtherSite,
            "all" => Self::All,
            node => Self::Node(node.to_owned()),
        }
    }

    /// Whether it is the quorum device's machine, by its role or by its name.
    #[must_use]
    pub fn is_witness_of(&self, site: &Site) -> bool {
        match self {
            Self::Witness => true,
            Self::Node(name) => site.witness.as_ref().is_some_and(|w| w.name == *name),
            Self::Primary | Self::Standby | Self::Random | Self::Site | Self::OtherSite | Self::All => false,
        }
    }

    /// The nodes that this means now; `draw` is the chance.
    ///
    /// # Errors
    /// When no node plays that role now, or there is none of that name.
    pub fn resolve(&self, seen: &Observation, draw: u64) -> Result<Vec<String>> {
        let nobody = |role: &str| {
            LabError::Host(format!("no node is {role} now; look with: quorate-lab status, or name a node"))
        };
        let site = &seen.site;
        let primary = || seen.primary().ok_or_else(|| nobody("the primary"));
        match self {
            Self::Primary => Ok(vec![primary()?.to_owned()]),
            Self::Standby => {
                let standby = site.instances.first().and_then(|i| seen.best_standby(i));
                Ok(vec![standby.ok_or_else(|| nobody("a standby"))?.to_owned()])
            }
            Self::Witness => {
                let witness = site.witness.as_ref().ok_or_else(|| {
                    LabError::Host(format!(
                        "{} has no witness: the nodes have a majority without",
                        site.kind.name()
                    ))
                })?;
                Ok(vec![witness.name.clone()])
            }
            Self::Random => {
                let node = drawn(&site.nodes, draw).ok_or_else(|| nobody("a database node"))?;
                Ok(vec![node.name.clone()])
            }
            Self::Site => Ok(nodes_of(site, centre_of(site, primary()?)?)),
            Self::OtherSite => {
                let here = centre_of(site, primary()?)?;
                let others: Vec<&str> = site.centres().into_iter().filter(|c| *c != here).collect();
                let there = drawn(&others, draw).ok_or_else(|| nobody("in another data centre"))?;
                Ok(nodes_of(site, there))
            }
            Self::All => Ok(site.nodes.iter().map(|n| n.name.clone()).collect()),
            Self::Node(name) => {
                let known: Vec<&str> = seen.nodes.iter().map(|n| n.info.name.as_str()).collect();
                if known.contains(&name.as_str()) {
                    return Ok(vec![name.clone()]);
                }
                Err(LabError::NoSuchNode {
                    cluster: site.name.clone(),
                    node: name.clone(),
                    known: format!(
                        "{}; or primary, standby, random, witness, site, other-site, all",
                        known.join(", ")
                    ),
                })
            }
        }
    }
}

fn drawn<T>(from: &[T], draw: u64) -> Option<&T> {
    from.get(usize::try_from(draw % from.len().max(1) as u64).unwrap_or(0))
}

fn centre_of<'a>(site: &'a Site, node: &str) -> Result<&'a str> {
    let found = site.nodes.iter().find(|n| n.name == node);
    found.map(|n| n.centre.as_str()).ok_or_else(|| LabError::Host(format!("{node} is in no data centre")))
}

fn nodes_of(site: &Site, centre: &str) -> Vec<String> {
    site.nodes.iter().filter(|n| n.centre == centre).map(|n| n.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{healthy, site};
    use quorate::layout::kind::Kind;

    fn resolved(kind: Kind, word: &str) -> Vec<String> {
        Target::parse(word).resolve(&healthy(site(kind)), 0).expect(word)
    }

    #[test]
    fn words_are_roles_and_all_else_is_a_node() {
        assert_eq!(Target::parse("primary"), Target::Primary);
        assert_eq!(Target::parse("other-site"), Target::OtherSite);
        assert_eq!(Target::parse("srv2"), Target::Node("srv2".to_owned()));
    }

    #[test]
    fn a_data_centre_is_all_of_its_nodes() {
        assert_eq!(resolved(Kind::ManyReplicas, "site"), ["many1", "many2"]);
        assert_eq!(resolved(Kind::ManyReplicas, "other-site"), ["many3", "many4"]);
        assert_eq!(resolved(Kind::ThreeCentres, "site"), ["tri1"]);
        assert_eq!(resolved(Kind::ThreeCentres, "other-site"), ["tri2"]);
        assert_eq!(resolved(Kind::ThreeCentres, "all"), ["tri1", "tri2", "tri3"]);
        assert_eq!(resolved(Kind::Packed, "site"), ["pack1"]);
        assert_eq!(resolved(Kind::Packed, "standby"), ["pack2"]);
        assert_eq!(resolved(Kind::Classic, "witness"), ["witness"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let seen = healthy(site(Kind::ThreeCentres));
        let error = |word: &str| Target::parse(word).resolve(&seen, 0).expect_err(word).to_string();
        assert!(error("witness").contains("three-centres has no witness"));
        assert!(error("srv7").contains("srv7") && error("srv7").contains("tri1, tri2, tri3"));
    }
}
