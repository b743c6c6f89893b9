//! The doctor: what is wrong with a cluster's configuration, where, and what to type about it.
//!
//! A registry of rules ([`registry::rules`]). Each is a function from [`Facts`] to what it found; a fact that is not there
//! is "could not check", which is not "failed".

mod bans;
mod clone;
pub mod cluster_times;
mod devices;
mod disks;
pub mod facts;
mod failover;
mod fencing;
pub mod fix;
mod float_ips;
mod instances;
mod levels;
mod membership;
mod node;
mod postgresql;
mod quorum;
mod quorum_device;
pub mod read;
pub mod registry;
mod resources;
mod rule;
mod sbd_options;
mod self_fencing;
mod server_rules;
mod told;
mod watchdog;
mod watchdog_device;

pub use bans::barred;
use facts::{Facts, Unknown};
pub use node::span;
pub use rule::{Finding, Rule, Severity, Subject};
pub use watchdog_device::words as watchdog_words;

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
    Report { verdicts: registry::rules().map(verdict).collect() }
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
