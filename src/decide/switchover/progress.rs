//! How a switchover gets on, by what Pacemaker tells.

use super::steps::Steps;
use crate::cluster::crm_mon::{Instance, Role, Status};

/// What was seen so far; times in milliseconds since the move.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The primary was last seen untouched.
    untouched: Option<u64>,
    /// Its demotion was first seen.
    demoting: Option<u64>,
    promoted: Option<u64>,
    /// The primary's addresses run on the new one.
    addresses: Option<u64>,
    failed: Option<String>,
}

impl Progress {
    /// Takes a look in; gives the state in words.
    pub fn observe(&mut self, steps: &Steps, status: &Status, now: u64) -> String {
        let Steps { resource, from, to, addresses, .. } = steps;
        let on = |node: &str| status.instances_of(resource).find(|i| i.nodes.iter().any(|n| n == node));
        if self.demoting.is_none() {
            if on(from).is_some_and(is_untouched) {
                self.untouched = Some(now);
                return format!("{from} is the primary still");
            }
            self.demoting = Some(now);
        }
        let promoted = status.nodes_with_role(resource, &Role::Promoted);
        if self.promoted.is_none() {
            match promoted.as_slice() {
                [node] if node == to && on(to).is_some_and(is_untouched) => self.promoted = Some(now),
                [node] if node != to && node != from => {
                    self.failed = Some(format!("{node} was promoted in its place"));
                }
                _ => {
                    let last = on(to).map_or("not running".to_owned(), |i| state(i).to_lowercase());
                    let first = on(from).map_or("stopped".to_owned(), |i| state(i).to_lowercase());
                    return format!("{from} {first}, {to} {last}");
                }
            }
        }
        if let Some(why) = &self.failed {
            return why.clone();
        }
        let runs = |name: &String| status.node_of(name) == Some(to.as_str());
        let missing: Vec<&str> = addresses.iter().filter(|name| !runs(name)).map(String::as_str).collect();
        if missing.is_empty() {
            self.addresses.get_or_insert(now);
        } else if self.addresses.is_none() {
            return format!("{to} is promoted; {} not there yet", missing.join(", "));
        }
        format!("{to} is the primary")
    }

    /// Everything that was asked for is there.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.promoted.is_some() && self.addresses.is_some()
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
