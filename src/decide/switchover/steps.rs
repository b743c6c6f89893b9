//! What is done, in which order.

use std::fmt;

use super::facts::Facts;
use crate::cluster::cib::placement::Location;

/// What the constraint outlives the wait by: time to take it back. It goes by itself when the command was killed.
const AFTER_S: u64 = 60;
/// crm_resource takes the time a moment after this command.
const SLACK_S: i64 = 5;

/// The steps of one switchover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    pub resource: String,
    pub clone: String,
    pub from: String,
    pub to: String,
    /// Of Pacemaker's, made by the move.
    pub constraint: String,
    /// What runs with the primary: float IPs.
    pub addresses: Vec<String>,
    pub timeout_s: u64,
    pub all: Vec<Step>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// On the primary, where the command is typed.
    Checkpoint,
    /// On another node: its agent does it.
    LeaveCheckpoint,
    Move {
        lifetime_s: u64,
    },
    AwaitPromotion,
    AwaitAddresses,
    Remove,
    Verify,
}

impl Steps {
    pub(super) fn of(facts: &Facts<'_>, from: &str, to: &str) -> Steps {
        let clone = facts.constraints.clone.clone().unwrap_or_else(|| facts.resource.to_owned());
        let addresses: Vec<String> =
            facts.constraints.with_the_primary().into_iter().map(str::to_owned).collect();
        let checkpoint = if facts.here == from { Step::Checkpoint } else { Step::LeaveCheckpoint };
        let mut all =
            vec![checkpoint, Step::Move { lifetime_s: facts.timeout_s + AFTER_S }, Step::AwaitPromotion];
        if !addresses.is_empty() {
            all.push(Step::AwaitAddresses);
        }
        all.extend([Step::Remove, Step::Verify]);
        Steps {
            constraint: format!("cli-prefer-{clone}"),
            resource: facts.resource.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            timeout_s: facts.timeout_s,
            clone,
            addresses,
            all,
        }
    }

    /// How long the constraint holds at most; 0: none is made.
    #[must_use]
    pub fn lifetime_s(&self) -> u64 {
        let of = |step: &Step| if let Step::Move { lifetime_s } = step { Some(*lifetime_s) } else { None };
        self.all.iter().find_map(of).unwrap_or_default()
    }

    /// Whether the move of these steps made it, between these two times: the next one's, and another operator's, has the same id.
    #[must_use]
    pub fn made(&self, location: &Location, begun: u64, ended: u64) -> bool {
        let end = |from: u64| i64::try_from(from.saturating_add(self.lifetime_s())).unwrap_or(i64::MAX);
        let range = end(begun).saturating_sub(SLACK_S)..=end(ended).saturating_add(SLACK_S);
        location.id == self.constraint
            && location.node.as_deref() == Some(self.to.as_str())
            && location.end().is_some_and(|end| range.contains(&end))
    }

    /// One of them, in words.
    #[must_use]
    pub fn text(&self, step: &Step) -> String {
        let Steps { resource, clone, from, to, constraint, addresses, timeout_s, .. } = self;
        match step {
            Step::Checkpoint => {
                format!("CHECKPOINT on {from}, so that its shutdown has little left to write")
            }
            Step::LeaveCheckpoint => format!(
                "(no CHECKPOINT from here: the agent of {from} writes one before the demotion, in 10 s at most; \
                 with much to write type this on {from})"
            ),
            Step::Move { lifetime_s } => format!(
                "crm_resource --move --resource {clone} --node {to} --promoted --lifetime PT{lifetime_s}S: \
                 Pacemaker demotes {from}, then promotes {to}"
            ),
            Step::AwaitPromotion => {
                format!("wait until {resource} is promoted on {to}, {timeout_s} s at most")
            }
            Step::AwaitAddresses => format!("wait until {} runs on {to}", addresses.join(", ")),
            Step::Remove => format!("remove the constraint {constraint}, whatever has happened"),
            Step::Verify => "quorate verify".to_owned(),
        }
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.all.iter().enumerate() {
            writeln!(f, "{}. {}", number + 1, self.text(step))?;
        }
        Ok(())
    }
}
