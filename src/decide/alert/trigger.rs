//! The event for which Pacemaker runs the alert agent, as its environment tells it.

use super::message::Environment;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A node joined the membership, or left it.
    Node { node: String, is_member: bool },
    /// A fencing came to its end, well or not.
    Fencing { node: String, description: String, is_done: bool },
    /// An action of a resource ended on this node.
    Resource(Operation),
    /// A node attribute was written; empty: deleted.
    Attribute { name: String, node: String, value: String },
}

/// An action of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub resource: String,
    pub node: String,
    /// `start`, `promote`, `monitor` …
    pub task: String,
    /// The exit code in words, or what else became of it.
    pub description: String,
    pub has_succeeded: bool,
    /// Pacemaker itself broke it off.
    pub is_cancelled: bool,
}

/// Why there is nothing to tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    #[error(
        "CRM_alert_kind is not set: Pacemaker runs this program, nobody else: pcs alert create path=/usr/share/quorate/alert, then pcs alert recipient add"
    )]
    NotAnAlert,
    #[error("Pacemaker's {name} is {value:?}, which no event of the kind {kind} has")]
    Value { name: &'static str, kind: String, value: String },
}

impl Trigger {
    /// Reads it; `None`: of a kind that is not known here.
    ///
    /// # Errors
    /// It is no alert of Pacemaker's.
    pub fn read(environment: &Environment) -> Result<Option<Self>, TriggerError> {
        let get = |name: &str| environment.get(name).cloned().unwrap_or_default();
        let kind = get("CRM_alert_kind");
        if kind.is_empty() {
            return Err(TriggerError::NotAnAlert);
        }
        let number = |name: &'static str| {
            let value = get(name);
            let number = value.parse::<i64>();
            number.map_err(|_| TriggerError::Value { name, kind: kind.clone(), value })
        };
        let named = |name: &'static str| {
            let value = get(name);
            if value.is_empty() {
                return Err(TriggerError::Value { name, kind: kind.clone(), value });
            }
            Ok(value)
        };
        let node = || named("CRM_alert_node");
        Ok(Some(match kind.as_str() {
            "node" => Self::Node { node: node()?, is_member: get("CRM_alert_desc") == "member" },
            "fencing" => Self::Fencing {
                node: node()?,
                description: get("CRM_alert_desc"),
                is_done: number("CRM_alert_rc")? == 0,
            },
            "resource" => {
                let status = number("CRM_alert_status")?;
                let (rc, wanted) = (number("CRM_alert_rc")?, number("CRM_alert_target_rc")?);
                Self::Resource(Operation {
                    resource: named("CRM_alert_rsc")?,
                    node: node()?,
                    task: named("CRM_alert_task")?,
                    description: get("CRM_alert_desc"),
                    has_succeeded: status == DONE && rc == wanted,
                    is_cancelled: status == CANCELLED || status == PENDING,
                })
            }
            "attribute" => Self::Attribute {
                name: named("CRM_alert_attribute_name")?,
                node: node()?,
                value: get("CRM_alert_attribute_value"),
            },
            _ => return Ok(None),
        }))
    }
}

/// Whether it may be worth a look at the cluster: most actions of a transition are not, and neither are most attributes.
#[must_use]
pub fn is_wanted(trigger: &Trigger) -> bool {
    match trigger {
        Trigger::Node { .. } | Trigger::Fencing { .. } => true,
        Trigger::Resource(operation) => {
            let task = operation.task.as_str();
            let is_monitor = task == "monitor" && !operation.has_succeeded;
            !operation.is_cancelled && (is_monitor || ["start", "stop", "promote", "demote"].contains(&task))
        }
        Trigger::Attribute { name, .. } => name.starts_with("master-") || name.starts_with("quorate-"),
    }
}

/// Pacemaker's states of an action (`enum pcmk_exec_status`).
const PENDING: i64 = -1;
const DONE: i64 = 0;
const CANCELLED: i64 = 1;
