//! `quorate switchover`: whether the role of the primary may move, to whom, and by which steps.

mod checks;
mod facts;
mod progress;
mod schedule;
mod steps;

use crate::cluster::attributes;
use crate::cluster::crm_mon::{Role, Status};

pub use facts::{Check, Facts, Ruling, Stale, fresh, unfenced};
pub use progress::{Progress, settled};
pub use schedule::moment;
pub use steps::{Step, Steps};

/// What comes of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub checks: Vec<Check>,
    /// `None`: it is refused, by the checks.
    pub steps: Option<Steps>,
}

/// Decides.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Plan {
    let primary = primary(facts.status, facts.resource);
    let mut checks = checks::cluster(facts, primary);
    let target = match facts.to {
        Some(node) => Some(node),
        None => candidate(facts, primary),
    };
    let (Some(from), Some(to)) = (primary, target) else {
        if primary.is_some() {
            checks.push(checks::no_candidate());
        }
        return Plan { checks, steps: None };
    };
    checks.extend(checks::target(facts, from, to));
    checks.extend(checks::load(facts, from));
    let worst = checks.iter().map(|check| check.ruling).max().unwrap_or(Ruling::Refused);
    let goes = match worst {
        Ruling::Passed | Ruling::Warned => true,
        Ruling::Doubted => facts.force,
        Ruling::Refused => false,
    };
    let steps = goes.then(|| Steps::of(facts, from, to));
    Plan { checks, steps }
}

/// The one primary.
#[must_use]
pub fn primary<'a>(status: &'a Status, resource: &str) -> Option<&'a str> {
    match status.nodes_with_role(resource, &Role::Promoted).as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// The standby that Pacemaker would promote next.
fn candidate<'a>(facts: &Facts<'a>, primary: Option<&str>) -> Option<&'a str> {
    let score = |node: &str| {
        let score = facts.status.promotion_score(facts.resource, node);
        score.and_then(attributes::score).filter(|score| *score > 0)
    };
    let others = facts.status.nodes.iter().map(|node| node.name.as_str()).filter(|n| Some(*n) != primary);
    let fit = others.filter_map(|node| Some((score(node)?, std::cmp::Reverse(node))));
    fit.max().map(|(_, node)| node.0)
}

#[cfg(test)]
mod tests;
