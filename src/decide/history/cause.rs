//! Why a promotion came about: whose decision, and on what evidence.

use serde::{Deserialize, Serialize};

use crate::cluster::crm_mon::{Role, Status};

/// Kinds of promotions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    First,
    /// Somebody wanted it.
    Switchover,
    /// The primary was lost.
    Failover,
    /// The same node again.
    Recovery,
    /// Not known: the node that knew is gone.
    Unknown,
}

impl Kind {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first promotion",
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Recovery => "recovery in place",
            Self::Unknown => "promotion",
        }
    }
}

/// What the promoted node knows, moments after its promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The primary before.
    pub from: Option<String>,
    pub to: String,
    pub resource: String,
    /// In Pacemaker's plan of the promotion the primary before was to be demoted; to be stopped.
    pub demoted: bool,
    pub stopped: bool,
    /// The promotion is the first that is on record although the primary ran already.
    pub adopted: bool,
    /// An operator approved it.
    pub approved: bool,
    /// The node where a switchover to this one was asked for by `quorate switchover`.
    pub asked_on: Option<String>,
    /// Why the primary before announced that it resets itself.
    pub announced: Option<String>,
    pub fencing: Fencing,
}

/// The fencing of the primary before, in the last minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fencing {
    /// By which program, and when it was done.
    Done {
        client: String,
        done: String,
    },
    None,
    #[default]
    Unknown,
}

/// The kind and the sentence.
#[must_use]
pub fn cause(evidence: &Evidence, status: Option<&Status>) -> (Kind, String) {
    let to = evidence.to.as_str();
    let Some(from) = evidence.from.as_deref() else {
        let sentence = if evidence.adopted {
            format!("{to} was a primary already when the record of promotions began")
        } else {
            format!("no promotion was on record: {to} won the election among the instances that ran")
        };
        return (Kind::First, sentence);
    };
    if evidence.approved {
        let sentence = format!(
            "an operator approved {to} (quorate-approve-{}) without the missing instances",
            evidence.resource
        );
        return (if from == to { Kind::Recovery } else { Kind::Failover }, sentence);
    }
    let failure = status.and_then(|status| failure(status, &evidence.resource, from));
    if from == to {
        let why = failure.unwrap_or_else(|| {
            "it, its node or the whole cluster was started again, and it has the last commits".to_owned()
        });
        return (Kind::Recovery, format!("PostgreSQL of {to} was the last primary and is it again: {why}"));
    }
    if let Some(why) = &evidence.announced {
        return (Kind::Failover, format!("{from} reset itself and said so beforehand: {why}"));
    }
    if let Fencing::Done { client, done } = &evidence.fencing {
        let who = if client.starts_with("pacemaker-controld") {
            "the cluster lost it and had it fenced".to_owned()
        } else {
            format!("{client} had it fenced (an operator)")
        };
        return (Kind::Failover, format!("{from}: {who}, done {done}"));
    }
    // Whoever is demoted alone was well; what was asked for may be overtaken by its loss.
    if let (Some(here), true, false) = (&evidence.asked_on, evidence.demoted, evidence.stopped) {
        return (Kind::Switchover, format!("an operator asked for it on {here}: quorate switchover"));
    }
    let node = status.and_then(|status| status.node(from));
    if evidence.demoted && !evidence.stopped {
        let sentence = format!(
            "the role was moved while {from} ran: by an order (pcs resource move, crm_resource, a location constraint), or because \
             its agent handed over (journalctl -t quorate-postgres there)"
        );
        return (Kind::Switchover, sentence);
    }
    if evidence.demoted {
        // Stopped as well: a failure, or somebody took the node out.
        if node.is_some_and(|node| node.standby) {
            return (Kind::Switchover, format!("an operator set {from} on standby"));
        }
        match (node.is_none_or(|node| !node.online), &evidence.fencing) {
            (true, Fencing::None) => {
                return (
                    Kind::Switchover,
                    format!("the cluster services of {from} were stopped in good order"),
                );
            }
            (true, Fencing::Unknown | Fencing::Done { .. }) => {
                let sentence = format!("{from} left the cluster; whether it was fenced could not be asked");
                return (Kind::Failover, sentence);
            }
            (false, _) => {}
        }
        if let Some(why) = failure {
            return (Kind::Failover, format!("PostgreSQL of {from} failed: {why}"));
        }
        return (
            Kind::Failover,
            format!("PostgreSQL of {from} was stopped by Pacemaker, why is not on record"),
        );
    }
    if let Some(why) = failure {
        return (Kind::Failover, format!("PostgreSQL of {from} failed: {why}"));
    }
    match node {
        Some(node) if node.standby => (Kind::Failover, format!("{from} is on standby")),
        Some(node) if node.online => {
            let role = status.and_then(|status| status.role_on(&evidence.resource, from));
            let runs = role.is_some_and(|role| *role != Role::Stopped);
            let sentence = if runs {
                format!("{from} was no primary any more, and runs as a standby")
            } else {
                format!("PostgreSQL does not run on {from}, which is online")
            };
            (Kind::Failover, sentence)
        }
        Some(_) => {
            (Kind::Failover, format!("{from} is not a member of the cluster; no fencing of it is on record"))
        }
        None => (Kind::Unknown, format!("not known: Pacemaker told nothing of {from}")),
    }
}

/// The failed action that Pacemaker shows of the resource there.
fn failure(status: &Status, resource: &str, node: &str) -> Option<String> {
    let operation = format!("{resource}_");
    let failure = status.failures.iter().find(|f| f.node == node && f.operation.starts_with(&operation))?;
    let action = failure.operation.trim_start_matches(&operation).split('_').next().unwrap_or_default();
    let reason = if failure.reason.is_empty() { &failure.status } else { &failure.reason };
    Some(format!("{action}: {reason}"))
}
