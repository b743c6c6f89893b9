//! What `quorated` tells twice a second for the HTTP endpoint, which runs without rights: a file that everybody may read. Each fact has
//! the moment at which it was seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clock::{BootTime, Millis};
use crate::pg::instance::Phase;
use crate::pg::role::PgRole;
use crate::pg::statistics::Statistics;

/// Where it is.
pub const PATH: &str = "/run/quorate/health.json";

/// All of it. `deny_unknown_fields` is left out: an upgrade replaces both programs, not at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// When `quorated` looked.
    pub looked: BootTime,
    /// What votequorum said last.
    pub quorum: Option<QuorumFact>,
    /// Nodes of corosync's membership.
    pub members: usize,
    /// Why this node is about to end: a reset that has begun, a fencing that was asked for.
    pub ending: Option<String>,
    /// The others take this node for reset after so long (stonith-watchdog-timeout).
    pub others_go_on_ms: Millis,
    pub writes: Vec<TrialWrite>,
    pub instances: Vec<InstanceHealth>,
}

/// votequorum's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumFact {
    pub at: BootTime,
    pub quorate: bool,
    /// Votes present, needed, of this node, of the quorum device; `None`: not known yet.
    pub votes: Option<[u32; 4]>,
}

/// The small write to a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialWrite {
    pub path: String,
    /// It has not returned.
    pub pending: bool,
    /// How long the last one took; `None`: none has returned yet.
    pub took_ms: Option<Millis>,
}

/// An instance that the agent runs on this node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceHealth {
    /// Pacemaker's name of the resource.
    pub resource: String,
    /// As the agent recorded it: what Pacemaker made of it.
    pub role: PgRole,
    pub phase: Phase,
    pub postmaster: Postmaster,
    /// Why Pacemaker leaves it alone: a pause, maintenance.
    pub unmanaged: Option<String>,
    /// What the server itself said last; `None`: it was not asked yet.
    pub answer: Option<Answer>,
    /// Why it is in safe mode.
    pub safe_mode: Option<String>,
    /// On a primary: the number of its promotion.
    pub generation: Option<u64>,
    /// Promotions that the history of this node has, by kind.
    pub promotions: BTreeMap<String, u64>,
}

/// The process that the agent recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Postmaster {
    Runs,
    /// By a signal.
    Stopped,
    Gone,
    Unknown,
}

/// A server's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// When it was asked.
    pub at: BootTime,
    /// `Err`: why there is none.
    pub said: Result<Statistics, String>,
}
