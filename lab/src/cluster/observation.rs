//! What the lab sees of a cluster at one moment: machines, Pacemaker's view, each PostgreSQL. Values;
//! [`super::observe`] takes them.

use std::sync::Arc;

use crate::machines::protocol::{NodeInfo, NodeKind};
use quorate::cluster::crm_mon::{Role, Status};
use quorate::layout::site::{Instance, Site};

/// What a PostgreSQL says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// It does not answer, and why.
    Silent(String),
    /// It answers.
    Answers {
        /// Whether it is a standby.
        in_recovery: bool,
        /// Written (primary), received or replayed (standby), as PostgreSQL prints it.
        lsn: String,
        /// Timeline that it writes or receives; where it does neither, that of its newest checkpoint.
        timeline: String,
        /// How many standbys stream from it.
        standbys: u32,
        /// Host that it streams from.
        upstream: Option<String>,
    },
}

impl Database {
    /// Reads psql's one line, columns parted by `|`.
    pub(super) fn parse(line: &str) -> Self {
        let columns: Vec<&str> = line.trim().split('|').collect();
        let &[in_recovery, lsn, timeline, standbys, upstream] = columns.as_slice() else {
            return Self::Silent(format!("psql printed {line:?}"));
        };
        Self::Answers {
            in_recovery: in_recovery == "t",
            lsn: lsn.to_owned(),
            timeline: timeline.to_owned(),
            standbys: standbys.parse().unwrap_or(0),
            upstream: Some(upstream.to_owned()).filter(|u| !u.is_empty()),
        }
    }
}

/// One node as seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The machine.
    pub info: NodeInfo,
    /// Its PostgreSQL of each of the site's instances; empty on the witness and on a node without power.
    pub databases: Vec<Database>,
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What there should be.
    pub site: Arc<Site>,
    /// The nodes, the witness last.
    pub nodes: Vec<Seen>,
    /// Pacemaker's view, from a node with quorum if there is one.
    pub status: std::result::Result<Status, String>,
}

impl Observation {
    /// The node that has the first instance's primary; `None` when there is none, or more than one.
    #[must_use]
    pub fn primary(&self) -> Option<&str> {
        self.primary_of(self.site.instances.first()?)
    }

    /// The node on which Pacemaker has promoted this instance; `None` when there is none, or more than one.
    #[must_use]
    pub fn primary_of(&self, instance: &Instance) -> Option<&str> {
        match self.with_role(instance, &Role::Promoted).as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The nodes where Pacemaker runs this instance in that role.
    #[must_use]
    pub fn with_role(&self, instance: &Instance, role: &Role) -> Vec<&str> {
        let resource = self.site.names(instance).resource();
        self.status.as_ref().map_or(Vec::new(), |s| s.nodes_with_role(&resource, role))
    }

    /// The standby of an instance that would be promoted next, by its score.
    #[must_use]
    pub fn best_standby(&self, instance: &Instance) -> Option<&str> {
        let status = self.status.as_ref().ok()?;
        let resource = self.site.names(instance).resource();
        let score = |node: &&str| match status.promotion_score(&resource, node) {
            Some("INFINITY") => i64::MAX,
            Some(number) => number.parse().unwrap_or(i64::MIN),
            None => i64::MIN,
        };
        // Of equal ones the first: max_by_key would give the last.
        self.with_role(instance, &Role::Unpromoted).into_iter().rev().max_by_key(score)
    }

    /// What the PostgreSQL of this instance on that node says.
    #[must_use]
    pub fn database(&self, node: &str, instance: &Instance) -> Option<&Database> {
        let index = self.site.instances.iter().position(|i| i.name == instance.name)?;
        self.nodes.iter().find(|n| n.info.name == node)?.databases.get(index)
    }

    /// The database nodes.
    pub fn databases(&self) -> impl Iterator<Item = &Seen> {
        self.nodes.iter().filter(|n| n.info.kind == NodeKind::Database)
    }
}
