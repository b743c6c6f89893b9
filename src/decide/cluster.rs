//! The cluster as the decisions of one instance see it: who calls the agent, who is promoted, who is there.

use super::promotion_score::Score;

/// Who runs the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Pacemaker,
    /// A tester or a shell: there is no cluster to ask.
    Nobody,
}

/// What the cluster says, when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterAnswer {
    NotAsked,
    /// It could not be asked.
    Silent,
    Says(ClusterFacts),
}

/// The part of the cluster's status that a standby's decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFacts {
    /// The other node whose instance is promoted and healthy, with the host that replication reaches it by.
    pub primary: Option<Upstream>,
    pub everybody: InstanceCount,
    /// The operator approves of this node's data (`quorate-approve-<resource>=1`).
    pub approved: Approved,
    /// The reason that this node publishes for its safe mode; `None`: none, or it was not asked for.
    pub safe_mode: Option<String>,
    /// What an operator asked this node's instance to do with its data (`quorate rejoin`).
    pub rejoin: Option<String>,
}

/// The primary to stream from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    pub node: String,
    pub host: String,
    /// Its promotion score; `None` where that was not told.
    pub score: Option<Score>,
}

/// Whether every instance that the clone should have is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceCount {
    All,
    Missing { running: usize, expected: usize },
    Unknown,
}

/// Whether the operator approved this node's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    Yes,
    No,
}
