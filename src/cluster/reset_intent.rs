//! What the `quorated` of a cluster tell each other before one of them resets its node.
//!
//! CPG delivers all of it in the same order on every node: the first intent that is delivered is the first one for all.

use serde::{Deserialize, Serialize};

/// A node is about to reset itself, and asks who goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetIntent {
    /// Counted by the sender, so that an answer belongs to one intent.
    pub number: u64,
    /// What hangs, for the log of the others.
    pub reason: String,
}

/// The intent is given up: nobody well was found, or what hung answers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentWithdrawn {
    pub number: u64,
}

/// How the answering node is, by its own `quorated`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// Pacemaker's name of the node that answers.
    pub node: String,
    /// Why it can't go on for another one. `None`: it can.
    pub obstacle: Option<String>,
    /// The resources of the instances that run on it and may be promoted.
    pub instances: Vec<String>,
}

/// The answer to one intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionAnswer {
    /// corosync's id of the node that asked.
    pub to: u32,
    /// Which of its intents.
    pub number: u64,
    pub condition: Condition,
}
