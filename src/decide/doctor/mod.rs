//! The doctor: what is wrong with a cluster's configuration, where, and what to type about it.
//!
//! A registry of rules ([`registry::RULES`]). Each is a function from [`Facts`] to what it found; a fact that is not there
//! is "could not check", which is not "failed".

pub mod facts;
mod fencing;
mod levels;
mod membership;
mod node;
mod postgresql;
mod quorum_device;
pub mod read;
pub mod registry;
mod resources;
mod self_fencing;
mod watchdog;

use serde::Serialize;

use facts::{Facts, Place, Unknown};
pub use node::span;

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
    check: fn(&Facts) -> Outcome,
}

/// What a rule found; nothing where all is well or where it does not apply.
type Outcome = Result<Vec<Finding>, Unknown>;

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
    fn new(at: &Place, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { at: at.clone(), what: what.into(), cure: cure.into() }
    }
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept, or does not apply.
    Kept,
    Broken(Vec<Finding>),
    /// Why it could not be checked.
    NotChecked(String),
}

/// What became of all rules, in the order of the registry.
#[derive(Debug)]
pub struct Report {
    pub verdicts: Vec<(&'static Rule, Verdict)>,
}

/// Checks all rules.
#[must_use]
pub fn examine(facts: &Facts) -> Report {
    let verdict = |rule: &'static Rule| {
        let verdict = match (rule.check)(facts) {
            Ok(found) if found.is_empty() => Verdict::Kept,
            Ok(found) => Verdict::Broken(found),
            Err(Unknown(why)) => Verdict::NotChecked(why),
        };
        (rule, verdict)
    };
    Report { verdicts: registry::RULES.iter().map(verdict).collect() }
}

impl Report {
    /// The rules that are broken, with what was found.
    pub fn broken(&self) -> impl Iterator<Item = (&'static Rule, &[Finding])> {
        self.verdicts.iter().filter_map(|(rule, verdict)| match verdict {
            Verdict::Broken(found) => Some((*rule, found.as_slice())),
            Verdict::Kept | Verdict::NotChecked(_) => None,
        })
    }

    /// The rules that could not be checked, and why.
    pub fn not_checked(&self) -> impl Iterator<Item = (&'static Rule, &str)> {
        self.verdicts.iter().filter_map(|(rule, verdict)| match verdict {
            Verdict::NotChecked(why) => Some((*rule, why.as_str())),
            Verdict::Kept | Verdict::Broken(_) => None,
        })
    }

    /// How many rules are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Kept).count()
    }

    /// The worst of what was found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.broken().map(|(rule, _)| rule.severity).max()
    }

    /// 0: nothing found. 1: warnings. 2: errors or worse. What could not be checked does not count.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.worst() {
            None => 0,
            Some(Severity::Warning) => 1,
            Some(Severity::Error | Severity::Critical) => 2,
        }
    }
}
