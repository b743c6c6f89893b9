//! The record of who has the acknowledged commits of a synchronous primary.
//!
//! It is a statement that holds for every commit acknowledged so far: *it is on at least `count` of these instances*. So whoever hears
//! from `nodes - count + 1` of them hears from one that has it (R + W > N). The statement is written to pacemaker-attrd before
//! anything is acknowledged by a weaker rule, and made stronger only when the WAL that a weaker rule acknowledged is where the stronger
//! one says.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::clock::BootTime;

/// The private node attribute in which the record stands.
#[must_use]
pub fn attribute(resource: &str) -> String {
    format!("quorate-voters-{resource}")
}

/// Every acknowledged commit is on at least `count` of `nodes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub count: usize,
    /// By Pacemaker's names; the primary counts as one of them.
    pub nodes: BTreeSet<String>,
}

impl Statement {
    /// All that is known of a primary that replicates asynchronously: it has its own commits.
    #[must_use]
    pub fn alone(node: &str) -> Statement {
        Statement { count: 1, nodes: BTreeSet::from([node.to_owned()]) }
    }

    /// How many of them have to answer, so that one of these has every commit.
    #[must_use]
    pub fn needed(&self) -> usize {
        (self.nodes.len() + 1).saturating_sub(self.count)
    }

    /// Whether what is on `count` of these is, by that alone, on as many of the others as `other` says.
    #[must_use]
    pub fn implies(&self, other: &Statement) -> bool {
        let elsewhere = self.nodes.difference(&other.nodes).count();
        other.count <= self.count.saturating_sub(elsewhere)
    }

    /// What holds for a commit of which one of the two holds.
    #[must_use]
    pub fn or(&self, other: &Statement) -> Statement {
        Statement {
            count: self.count.min(other.count),
            nodes: self.nodes.union(&other.nodes).cloned().collect(),
        }
    }

    /// Those of them that are not among `answered`, where too few answered; `None`: enough did.
    #[must_use]
    pub fn missing(&self, answered: &BTreeSet<String>) -> Option<Vec<String>> {
        let silent: Vec<String> = self.nodes.difference(answered).cloned().collect();
        (self.nodes.len() - silent.len() < self.needed()).then_some(silent)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        write!(f, "{} of {nodes}", self.count)
    }
}

/// The record: a statement, and which one is the latest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voters {
    /// Number of the promotion whose primary wrote it.
    pub generation: u64,
    /// Orders the records of all primaries: the writer's uptime in milliseconds, or one more than the last one's.
    pub sequence: u64,
    /// `None`: replication is asynchronous, and nothing is promised.
    pub statement: Option<Statement>,
}

/// The record as it stands under the name of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVoters {
    pub node: String,
    pub voters: Voters,
}

impl Voters {
    /// The latest of these.
    #[must_use]
    pub fn latest(all: &[NodeVoters]) -> Option<Voters> {
        all.iter().map(|v| &v.voters).max_by_key(|v| (v.generation, v.sequence)).cloned()
    }

    /// The one after `last`, of the primary of this promotion, by the writer's clock.
    ///
    /// Where each pacemaker-attrd has lost the record, a node that was cut off may bring an older one of the same promotion back later. A
    /// count that began at 1 again would lose against it. One promotion has one writer in one boot: its time goes on.
    #[must_use]
    pub fn after(
        last: Option<&Voters>,
        generation: u64,
        statement: Option<Statement>,
        now: BootTime,
    ) -> Voters {
        let (before, sequence) = last.map_or((0, 0), |v| (v.generation, v.sequence));
        // One that was put on record for a promotion that never began may have a higher number.
        Voters {
            generation: generation.max(before),
            sequence: sequence.saturating_add(1).max(now.millis()),
            statement,
        }
    }
}

/// `GENERATION:SEQUENCE:COUNT:NODE,…`, the value of the node attribute; the count is 0 and the list empty where nothing is promised.
impl fmt::Display for Voters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.generation, self.sequence)?;
        match &self.statement {
            None => f.write_str("0:"),
            Some(Statement { count, nodes }) => {
                write!(f, "{count}:{}", nodes.iter().map(String::as_str).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// What is no [`Voters`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no record of synchronous standbys (GENERATION:SEQUENCE:COUNT:NODE,NODE)")]
pub struct VotersError(String);

impl FromStr for Voters {
    type Err = VotersError;

    fn from_str(text: &str) -> Result<Self, VotersError> {
        let read = || {
            let mut fields = text.trim().splitn(4, ':');
            let generation = fields.next()?.parse().ok()?;
            let sequence = fields.next()?.parse().ok()?;
            let count: usize = fields.next()?.parse().ok()?;
            let list = fields.next()?;
            if count == 0 {
                return list.is_empty().then_some(Voters { generation, sequence, statement: None });
            }
            let nodes: BTreeSet<String> = list.split(',').map(str::to_owned).collect();
            let is_plain = nodes.iter().all(|node| is_name(node));
            let statement = (is_plain && count <= nodes.len()).then_some(Statement { count, nodes })?;
            Some(Voters { generation, sequence, statement: Some(statement) })
        };
        read().ok_or_else(|| VotersError(text.chars().take(80).collect()))
    }
}

/// A node's name: it stands in attributes and in a setting of PostgreSQL.
fn is_name(node: &str) -> bool {
    !node.is_empty() && node.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// `synchronous_standby_names`, as far as it can be counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Each commit waits for so many of them; 0: for nobody.
    pub count: usize,
    pub nodes: BTreeSet<String>,
}

impl Names {
    /// What it says of a commit that the primary on `node` acknowledges by it.
    #[must_use]
    pub fn statement(&self, node: &str) -> Statement {
        // A server is no standby of its own.
        let mut nodes: BTreeSet<String> = self.nodes.iter().filter(|n| *n != node).cloned().collect();
        if self.count == 0 || nodes.len() < self.count {
            return Statement::alone(node);
        }
        nodes.insert(node.to_owned());
        Statement { count: self.count + 1, nodes }
    }

    /// Reads the setting. `FIRST` waits for as many of the list as `ANY` does. `None`: words that name nobody (`*`), or that are none of
    /// ours to read; it says nothing about who has a commit.
    #[must_use]
    pub fn parse(setting: &str) -> Option<Names> {
        let setting = setting.trim();
        if setting.is_empty() {
            return Some(Names::default());
        }
        let (head, list) = match setting.split_once('(') {
            Some((head, rest)) => (head.trim(), rest.trim_end().strip_suffix(')')?),
            None => ("1", setting),
        };
        let count = head.rsplit(char::is_whitespace).next()?.parse().ok().filter(|count| *count > 0)?;
        let unquoted = |name: &str| name.trim().trim_matches('"').to_owned();
        let nodes: BTreeSet<String> = list.split(',').map(unquoted).collect();
        nodes.iter().all(|node| is_name(node)).then_some(Names { count, nodes })
    }
}

/// As it is written into the setting.
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return Ok(());
        }
        let nodes = self.nodes.iter().map(|node| format!("\"{node}\"")).collect::<Vec<_>>().join(", ");
        write!(f, "ANY {} ({nodes})", self.count)
    }
}

#[cfg(test)]
mod tests;
