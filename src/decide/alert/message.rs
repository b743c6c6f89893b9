//! What is told, and the names under which.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decide::{follow, rejoin};

/// The agent of the instances that are told of.
pub const AGENT: &str = "ocf:quorate:postgres";

/// The node attribute by which `quorate pause` and `resume` have the alerts look: `SECONDS REASON`.
#[must_use]
pub fn pause_attribute(resource: &str) -> String {
    format!("quorate-paused-{resource}")
}

/// The attributes whose changes Pacemaker is to tell of.
#[must_use]
pub fn attributes(resource: &str) -> [String; 4] {
    [
        format!("master-{resource}"),
        follow::safe_mode_attribute(resource),
        rejoin::attribute(resource),
        pause_attribute(resource),
    ]
}

/// What a message is about: the option `events` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An instance was promoted: failover, switchover, recovery in place.
    Primary,
    /// An instance's role on this node changed to another one: for commands alone.
    Role,
    /// An action on an instance failed.
    Failure,
    Fencing,
    /// A node left the cluster or came back.
    Node,
    /// How many standbys could take over.
    Redundancy,
    SafeMode,
    Rejoin,
    Pause,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Primary,
        Self::Role,
        Self::Failure,
        Self::Fencing,
        Self::Node,
        Self::Redundancy,
        Self::SafeMode,
        Self::Rejoin,
        Self::Pause,
    ];

    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Role => "role",
            Self::Failure => "failure",
            Self::Fencing => "fencing",
            Self::Node => "node",
            Self::Redundancy => "redundancy",
            Self::SafeMode => "safe-mode",
            Self::Rejoin => "rejoin",
            Self::Pause => "pause",
        }
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// All is as it was wanted, or better than before.
    Info,
    /// Less safe than before, or a service that was interrupted.
    Warning,
    /// Somebody has to act.
    Critical,
}

impl Severity {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub event: Event,
    pub severity: Severity,
    /// The sentence.
    pub text: String,
    /// The node that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Of an instance whose role has changed: `primary`, `standby`, `stopped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// The node of the primary before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u32>,
}

impl Message {
    pub(super) fn new(event: Event, severity: Severity, text: String) -> Self {
        Self { event, severity, text, node: None, resource: None, role: None, from: None, timeline: None }
    }

    pub(super) fn node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    pub(super) fn resource(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }
}

/// The environment of a program, as far as it is text.
pub type Environment = BTreeMap<String, String>;
