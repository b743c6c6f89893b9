//! The parser of `crm_mon --output-as=xml -1 -A`.
//!
//! Reads what Pacemaker 2.1 and 3.0 print. Unknown elements and attributes are skipped, because each
//! release adds some; a role that is not in [`Role`] becomes [`Role::Unknown`] with its text, so that
//! nothing mistakes it for one that we know.

use std::collections::BTreeMap;
use std::fmt;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// Deeper is none of crm_mon's output: what is asked of each element's ancestors would cost the square of the text.
const DEEPEST: usize = 100;

/// Why the output could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not well-formed XML; usually crm_mon was killed in the middle of printing.
    #[error("crm_mon printed broken XML: {0}")]
    Xml(#[from] quick_xml::Error),
    /// An attribute of an element could not be read.
    #[error("crm_mon printed a broken attribute: {0}")]
    Attribute(#[from] quick_xml::events::attributes::AttrError),
    /// No document of crm_mon's.
    #[error("crm_mon printed elements that lie more than {DEEPEST} deep in each other")]
    Deep,
    /// The document ended before its root element, or has another root.
    #[error("crm_mon printed no <pacemaker-result> element; does the cluster run on this node?")]
    NoResult,
    /// An element without an attribute that it must have.
    #[error("crm_mon printed <{element}> without its attribute {attribute:?}")]
    Missing {
        /// The element's name.
        element: String,
        /// The attribute that is not there.
        attribute: &'static str,
    },
}

/// What crm_mon says of the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Whether this partition has quorum; `None` when there is no DC to say it.
    pub quorate: Option<bool>,
    /// Name of the designated controller.
    pub dc: Option<String>,
    /// Pacemaker's version as the DC tells it, for example `2.1.5-a3f44794f94`.
    pub version: Option<String>,
    /// The configured nodes.
    pub nodes: Vec<Node>,
    /// Each instance of each primitive, also those inside clones and groups.
    pub instances: Vec<Instance>,
    /// Node attributes, transient ones too: node → name → value.
    pub attributes: BTreeMap<String, BTreeMap<String, String>>,
    /// Failed actions that were not cleaned up.
    pub failures: Vec<Failure>,
    /// Location constraints that ban a resource from a node (`pcs resource move` leaves them).
    pub bans: Vec<Ban>,
}

/// A cluster node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name in the cluster.
    pub name: String,
    /// Member of the cluster and its Pacemaker is up.
    pub online: bool,
    /// Its state is not known and it waits to be fenced.
    pub unclean: bool,
    /// Member of the cluster, its Pacemaker has not finished joining.
    pub pending: bool,
    /// Told to run no resources.
    pub standby: bool,
}

/// Role of a resource's instance, in Pacemaker's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Not running.
    Stopped,
    /// Running (a resource that is not promotable).
    Started,
    /// Running in the lower role (`Slave` before Pacemaker 2.1).
    Unpromoted,
    /// Running in the upper role (`Master` before Pacemaker 2.1).
    Promoted,
    /// On its way: `Starting`, `Stopping`, `Promoting`, `Demoting`, `Migrating`.
    Changing(String),
    /// A word that this parser does not know.
    Unknown(String),
}

impl Role {
    fn parse(word: &str) -> Self {
        match word {
            "Stopped" => Self::Stopped,
            "Started" => Self::Started,
            "Unpromoted" | "Slave" => Self::Unpromoted,
            "Promoted" | "Master" => Self::Promoted,
            "Starting" | "Stopping" | "Promoting" | "Demoting" | "Migrating" => {
                Self::Changing(word.to_owned())
            }
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// Pacemaker's word.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "Stopped",
            Self::Started => "Started",
            Self::Unpromoted => "Unpromoted",
            Self::Promoted => "Promoted",
            Self::Changing(word) | Self::Unknown(word) => word,
        })
    }
}

/// One instance of a primitive resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The primitive's id, without the number of the clone's instance (`pgsqld`, not `pgsqld:0`).
    pub resource: String,
    /// The agent, for example `ocf:quorate:postgres`.
    pub agent: String,
    /// Its role.
    pub role: Role,
    /// Its last action failed.
    pub failed: bool,
    /// The cluster does nothing with it, because it can't.
    pub blocked: bool,
    /// The cluster may touch it.
    pub managed: bool,
    /// The action that runs on it now, for example `Monitoring`.
    pub pending: Option<String>,
    /// The nodes where it is active; more than one after a failed stop or a split brain.
    pub nodes: Vec<String>,
}

/// A failed action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Resource, action and interval: `pgsqld_monitor_15000`.
    pub operation: String,
    /// Where it failed.
    pub node: String,
    /// In words: `not running`, `error`, `Timed Out`.
    pub status: String,
    /// What the agent said: the last `ocf-exit-reason`.
    pub reason: String,
}

/// A location constraint with a negative infinite score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The constraint's id.
    pub id: String,
    /// The resource that may not run there.
    pub resource: String,
    /// The node.
    pub node: String,
    /// Bans only the upper role.
    pub promoted_only: bool,
}

/// Parses the output of `crm_mon --output-as=xml`.
///
/// # Errors
/// [`ParseError`] when the text is not crm_mon's XML. An empty cluster is not an error.
pub fn parse(xml: &str) -> Result<Status, ParseError> {
    let mut reader = Reader::from_str(xml);
    let mut parser = Parser::default();
    loop {
        match reader.read_event()? {
            Event::Start(element) => {
                parser.enter(&element)?;
                parser.path.push(name_of(&element));
                if parser.path.len() > DEEPEST {
                    return Err(ParseError::Deep);
                }
            }
            Event::Empty(element) => parser.enter(&element)?,
            Event::End(_) => {
                parser.path.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if parser.has_root && parser.path.is_empty() { Ok(parser.status) } else { Err(ParseError::NoResult) }
}

#[derive(Default)]
struct Parser {
    status: Status,
    /// The open elements: `node` means another thing under each parent.
    path: Vec<String>,
    has_root: bool,
    /// Whose `<attribute>` elements follow: they do not repeat the node's name.
    attributes_of: String,
}

impl Parser {
    /// Takes one opening element in.
    fn enter(&mut self, element: &BytesStart<'_>) -> Result<(), ParseError> {
        let parent = self.path.last().map(String::as_str);
        match (parent, name_of(element).as_str()) {
            (None, "pacemaker-result" | "crm_mon") => self.has_root = true,
            (Some("summary"), "current_dc") => {
                self.status.dc = optional(element, "name")?;
                self.status.version = optional(element, "version")?;
                self.status.quorate = optional(element, "with_quorum")?.map(|v| v == "true");
            }
            (Some("nodes"), "node") => self.status.nodes.push(node(element)?),
            (_, "resource") if self.path.iter().any(|e| e == "resources") => {
                self.status.instances.push(instance(element)?);
            }
            (Some("resource"), "node") => {
                let name = required(element, "name")?;
                if let Some(instance) = self.status.instances.last_mut() {
                    instance.nodes.push(name);
                }
            }
            (Some("node_attributes"), "node") => {
                self.attributes_of = required(element, "name")?;
                self.status.attributes.entry(self.attributes_of.clone()).or_default();
            }
            (Some("node"), "attribute") => {
                let (name, value) = (required(element, "name")?, required(element, "value")?);
                self.status.attributes.entry(self.attributes_of.clone()).or_default().insert(name, value);
            }
            (Some("failures"), "failure") => self.status.failures.push(failure(element)?),
            (Some("bans"), "ban") => self.status.bans.push(ban(element)?),
            _ => {}
        }
        Ok(())
    }
}

fn node(element: &BytesStart<'_>) -> Result<Node, ParseError> {
    Ok(Node {
        name: required(element, "name")?,
        online: flag(element, "online")?,
        unclean: flag(element, "unclean")?,
        pending: flag(element, "pending")?,
        standby: flag(element, "standby")?,
    })
}

fn instance(element: &BytesStart<'_>) -> Result<Instance, ParseError> {
    let id = required(element, "id")?;
    Ok(Instance {
        resource: id.split(':').next().unwrap_or(&id).to_owned(),
        agent: optional(element, "resource_agent")?.unwrap_or_default(),
        role: Role::parse(&required(element, "role")?),
        failed: flag(element, "failed")?,
        blocked: flag(element, "blocked")?,
        managed: flag(element, "managed")?,
        pending: optional(element, "pending")?,
        nodes: Vec::new(),
    })
}

fn failure(element: &BytesStart<'_>) -> Result<Failure, ParseError> {
    let operation = match optional(element, "op_key")? {
        Some(key) => key,
        None => optional(element, "id")?.unwrap_or_default(),
    };
    Ok(Failure {
        operation,
        node: optional(element, "node")?.unwrap_or_default(),
        status: optional(element, "exitstatus")?.unwrap_or_default(),
        reason: optional(element, "exitreason")?.unwrap_or_default(),
    })
}

fn ban(element: &BytesStart<'_>) -> Result<Ban, ParseError> {
    Ok(Ban {
        id: required(element, "id")?,
        resource: optional(element, "resource")?.unwrap_or_default(),
        node: optional(element, "node")?.unwrap_or_default(),
        promoted_only: flag(element, "promoted-only")? || flag(element, "master_only")?,
    })
}

fn name_of(element: &BytesStart<'_>) -> String {
    element.name().as_ref().to_owned()
}

fn optional(element: &BytesStart<'_>, name: &'static str) -> Result<Option<String>, ParseError> {
    match element.try_get_attribute(name)? {
        Some(found) => Ok(Some(found.normalized_value(XmlVersion::Implicit1_0)?.into_owned())),
        None => Ok(None),
    }
}

fn required(element: &BytesStart<'_>, name: &'static str) -> Result<String, ParseError> {
    optional(element, name)?.ok_or_else(|| ParseError::Missing { element: name_of(element), attribute: name })
}

/// An attribute that is not there is a flag that is not set: older releases leave some out.
fn flag(element: &BytesStart<'_>, name: &'static str) -> Result<bool, ParseError> {
    Ok(optional(element, name)?.as_deref() == Some("true"))
}

impl Status {
    /// The instances of one primitive.
    pub fn instances_of<'a, 'r>(
        &'a self,
        resource: &'r str,
    ) -> impl Iterator<Item = &'a Instance> + use<'a, 'r> {
        self.instances.iter().filter(move |i| i.resource == resource)
    }

    /// The nodes where `resource` has the role; in a healthy cluster at most one is promoted.
    pub fn nodes_with_role<'a>(&'a self, resource: &str, role: &Role) -> Vec<&'a str> {
        self.instances_of(resource)
            .filter(|i| i.role == *role)
            .flat_map(|i| i.nodes.iter().map(String::as_str))
            .collect()
    }

    /// The node that runs `resource` at all, whatever its role.
    pub fn node_of<'a>(&'a self, resource: &str) -> Option<&'a str> {
        self.instances_of(resource).flat_map(|i| i.nodes.iter().map(String::as_str)).next()
    }

    /// The role of `resource` on a node; `None` when it is not active there.
    pub fn role_on<'a>(&'a self, resource: &str, node: &str) -> Option<&'a Role> {
        self.instances_of(resource).find(|i| i.nodes.iter().any(|n| n == node)).map(|i| &i.role)
    }

    /// The promotion score of `resource` on a node, as the agent set it: a number, `INFINITY` or
    /// `-INFINITY`. `None` when there is none, which to Pacemaker means "not a candidate".
    pub fn promotion_score(&self, resource: &str, node: &str) -> Option<&str> {
        let attributes = self.attributes.get(node)?;
        attributes.get(&format!("master-{resource}")).map(String::as_str)
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name == name)
    }
}

#[cfg(test)]
mod tests;
