//! How a switchover gets on, by what Pacemaker tells.

use super::steps::Steps;
use crate::cluster::attributes;
use crate::cluster::crm_mon::{Failure, Instance, Role, Status};

/// What was seen so far; times in milliseconds since the move.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The primary was last seen untouched.
    untouched: Option<u64>,
    /// Its demotion was first seen.
    demoting: Option<u64>,
    /// It was seen in another role.
    demoted: bool,
    promoted: Option<u64>,
    /// The primary's addresses run on the new one.
    addresses: Option<u64>,
    /// At the last look the new one was promoted and had the highest score: without the constraint it stays.
    stays: bool,
    failed: Option<String>,
    /// The failed actions that were there before the move.
    known: Vec<Failure>,
}

impl Progress {
    /// Directly before the move.
    #[must_use]
    pub fn since(status: &Status) -> Self {
        Self { known: status.failures.clone(), ..Self::default() }
    }

    /// Takes a look in; gives the state in words.
    pub fn observe(&mut self, steps: &Steps, status: &Status, now: u64) -> String {
        let Steps { resource, from, to, addresses, .. } = steps;
        let on = |node: &str| on(status, resource, node);
        self.failed = self.failed.take().or_else(|| self.failure(steps, status));
        if let Some(why) = &self.failed {
            return why.clone();
        }
        self.demoted |= on(from).is_none_or(|i| matches!(i.role, Role::Stopped | Role::Unpromoted));
        if self.demoting.is_none() {
            if on(from).is_some_and(is_untouched) {
                self.untouched = Some(now);
                return format!("{from} is the primary still");
            }
            self.demoting = Some(now);
        }
        let is_promoted = on(to).is_some_and(is_untouched);
        if self.promoted.is_none() {
            match status.nodes_with_role(resource, &Role::Promoted).as_slice() {
                [node] if node == to && is_promoted => self.promoted = Some(now),
                _ => {
                    let last = on(to).map_or("not running".to_owned(), |i| state(i).to_lowercase());
                    let first = on(from).map_or("stopped".to_owned(), |i| state(i).to_lowercase());
                    return format!("{from} {first}, {to} {last}");
                }
            }
        }
        self.stays = is_promoted && leads(status, resource, to);
        let runs = |name: &String| status.node_of(name) == Some(to.as_str());
        let missing: Vec<&str> = addresses.iter().filter(|name| !runs(name)).map(String::as_str).collect();
        if missing.is_empty() {
            self.addresses.get_or_insert(now);
        } else if self.addresses.is_none() {
            return format!("{to} is promoted; {} not there yet", missing.join(", "));
        }
        if !self.stays {
            return format!("{to} is the primary; its score is not the highest yet");
        }
        format!("{to} is the primary")
    }

    /// Why a look shows that it can't come about: the preference would have a promotion that fails tried again and again.
    fn failure(&self, steps: &Steps, status: &Status) -> Option<String> {
        let Steps { resource, from, to, .. } = steps;
        let actions = ["promote", "start", "demote"].map(|action| format!("{resource}_{action}_"));
        let is_new = |failure: &&Failure| {
            failure.node == *to
                && actions.iter().any(|action| failure.operation.starts_with(action))
                && !self.known.contains(failure)
        };
        if let Some(Failure { operation, status, reason, .. }) = status.failures.iter().find(is_new) {
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            return Some(format!("{operation} failed on {to}: {status}{reason}"));
        }
        if let Some(score) = score(status, resource, to).filter(|score| *score <= 0) {
            return Some(format!("the score of {to} became {score}: its agent refuses a promotion"));
        }
        if self.demoted && on(status, resource, from).is_some_and(|i| is_untouched(i) && !i.failed) {
            return Some(format!("{from} was promoted again"));
        }
        match status.nodes_with_role(resource, &Role::Promoted).as_slice() {
            [node] if node != to && node != from => Some(format!("{node} was promoted in its place")),
            _ => None,
        }
    }

    /// The role and the addresses were seen there.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.promoted.is_some() && self.addresses.is_some()
    }

    /// Everything that was asked for is there, and stays without the constraint.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.has_moved() && self.stays
    }

    /// Why it can't come about any more.
    #[must_use]
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// For how long writes were not possible.
    #[must_use]
    pub fn outage(&self, addresses: &[String]) -> String {
        let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
        let (Some(promoted), Some(demoting)) = (self.promoted, self.demoting) else {
            return "no writes      for how long is not known".to_owned();
        };
        let least = promoted.saturating_sub(demoting);
        let since = self.untouched.unwrap_or_default();
        let most = promoted.max(self.addresses.unwrap_or_default()).saturating_sub(since);
        let at = if addresses.is_empty() { String::new() } else { format!(", at {}", addresses.join(", ")) };
        format!(
            "no writes      for {} to {}{at} (by Pacemaker's roles, from this node)",
            seconds(least),
            seconds(most)
        )
    }
}

/// The primary, where nothing is under way; else what is known of each instance.
///
/// # Errors
/// It is not settled.
pub fn settled<'a>(status: &'a Status, resource: &str) -> Result<&'a str, String> {
    let promoted = status.instances_of(resource).filter(|i| i.role == Role::Promoted);
    let nodes: Vec<&str> = promoted.flat_map(|i| i.nodes.iter().map(String::as_str)).collect();
    let is_busy = |i: &Instance| {
        matches!(i.role, Role::Changing(_)) || i.pending.as_deref().is_some_and(|word| word != "Monitoring")
    };
    match nodes.as_slice() {
        [one] if status.dc.is_some() && !status.instances_of(resource).any(is_busy) => Ok(one),
        _ => {
            let of = |i: &Instance| format!("{} {}", i.nodes.join(" and "), state(i).to_lowercase());
            let running = status.instances_of(resource).filter(|i| !i.nodes.is_empty());
            let all: Vec<String> = running.map(of).collect();
            Err(if all.is_empty() { format!("{resource} runs nowhere") } else { all.join(", ") })
        }
    }
}

fn on<'a>(status: &'a Status, resource: &str, node: &str) -> Option<&'a Instance> {
    status.instances_of(resource).find(|i| i.nodes.iter().any(|n| n == node))
}

fn score(status: &Status, resource: &str, node: &str) -> Option<i32> {
    status.promotion_score(resource, node).and_then(attributes::score)
}

/// Whether Pacemaker would choose it by the scores alone.
fn leads(status: &Status, resource: &str, node: &str) -> bool {
    let others = status.attributes.keys().filter(|other| *other != node);
    let best = others.filter_map(|other| score(status, resource, other)).max();
    score(status, resource, node).is_some_and(|own| best.is_none_or(|best| own > best))
}

/// Promoted, and no action on it but a monitor.
fn is_untouched(instance: &Instance) -> bool {
    let is_idle = instance.pending.as_deref().is_none_or(|word| word == "Monitoring");
    instance.role == Role::Promoted && is_idle
}

fn state(instance: &Instance) -> String {
    let pending = instance.pending.clone().filter(|word| word != "Monitoring");
    pending.unwrap_or_else(|| match &instance.role {
        Role::Stopped => "stopped".to_owned(),
        Role::Started => "started".to_owned(),
        Role::Unpromoted => "unpromoted".to_owned(),
        Role::Promoted => "promoted".to_owned(),
        Role::Changing(word) | Role::Unknown(word) => word.clone(),
    })
}
