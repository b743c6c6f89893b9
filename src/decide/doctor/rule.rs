//! What a rule is, and what it finds.

use serde::Serialize;

use super::facts::{Facts, Place, Unknown};

/// How much a broken rule matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, and not as well as it could.
    Warning,
    /// Something will not work when it is needed.
    Error,
    /// Two primaries, or lost quorum, are possible.
    Critical,
}

impl Severity {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    Corosync,
    QuorumDevice,
    Fencing,
    Sbd,
    Resources,
    Postgresql,
    /// What only a node that runs can tell.
    Node,
}

impl Subject {
    /// As a heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corosync => "corosync",
            Self::QuorumDevice => "quorum device",
            Self::Fencing => "fencing",
            Self::Sbd => "sbd and the watchdog",
            Self::Resources => "resources",
            Self::Postgresql => "PostgreSQL",
            Self::Node => "the running node",
        }
    }
}

/// A rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub name: &'static str,
    pub severity: Severity,
    pub subject: Subject,
    /// What has to be so.
    pub rule: &'static str,
    /// What happens otherwise.
    pub why: &'static str,
    pub(super) check: fn(&Facts) -> Outcome,
}

/// What a rule found; nothing where all is well or where it does not apply.
pub(super) type Outcome = Result<Vec<Finding>, Unknown>;

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it stands.
    #[serde(flatten)]
    pub at: Place,
    /// What is wrong; names the value.
    pub what: String,
    /// What to type or to do about it.
    pub cure: String,
}

impl Finding {
    pub(super) fn new(at: &Place, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { at: at.clone(), what: what.into(), cure: cure.into() }
    }
}
