//! What happened on one node, in a sentence.

use super::message::{Event, Message, Severity};
use super::trigger::Operation;
use crate::cluster::crm_mon::{Role, Status};
use crate::decide::history::{Evidence, Kind, cause};

/// A promotion that has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted<'a> {
    pub resource: &'a str,
    pub node: &'a str,
    /// The primary before, as it was told; `None`: not known.
    pub from: Option<&'a str>,
    pub timeline: Option<u32>,
}

/// The message of a promotion. `found`: what is known of the primary before.
#[must_use]
pub fn promotion(promoted: &Promoted<'_>, found: Evidence, status: &Status) -> Message {
    let Promoted { resource, node, from, timeline } = *promoted;
    let standing = from.and_then(|from| status.node(from));
    let failed = from.is_some_and(|from| has_failed(status, resource, from));
    let runs = from.is_some_and(|from| status.role_on(resource, from).is_some_and(is_there));
    let standby = standing.is_some_and(|node| node.standby);
    let gone = standing.is_some_and(|node| !node.online);
    let evidence = Evidence {
        from: from.map(str::to_owned),
        to: node.to_owned(),
        resource: resource.to_owned(),
        // Of Pacemaker's plan the alert hears nothing: what it has led to is what it was.
        demoted: (runs && !failed) || standby || gone,
        stopped: !runs || standby || gone,
        ..found
    };
    let (kind, why) = cause(&evidence, Some(status));
    let on = timeline.map_or(String::new(), |timeline| format!(", timeline {timeline}"));
    let (severity, text) = match (from, kind) {
        (None, _) => (Severity::Info, format!("{resource}: {node} is the primary{on}; quorate why")),
        (Some(_), Kind::Recovery) => {
            (Severity::Warning, format!("{resource}: recovered in place on {node}{on}: {why}; quorate why"))
        }
        (Some(from), kind) => {
            let severity = if kind == Kind::Switchover { Severity::Info } else { Severity::Warning };
            let name = kind.name();
            let text = format!(
                "{resource}: {name}, {node} is the primary now, it was {from}{on}: {why}; quorate why"
            );
            (severity, text)
        }
    };
    Message {
        role: Some("primary"),
        from: from.map(str::to_owned),
        timeline,
        ..Message::new(Event::Primary, severity, text).node(node).resource(resource)
    }
}

fn is_there(role: &Role) -> bool {
    matches!(role, Role::Promoted | Role::Unpromoted | Role::Started)
}

fn has_failed(status: &Status, resource: &str, node: &str) -> bool {
    let operation = format!("{resource}_");
    status.failures.iter().any(|failure| failure.node == node && failure.operation.starts_with(&operation))
}

/// The message of an instance's role on its node, for what follows it there; a promotion is another one.
#[must_use]
pub fn role(operation: &Operation) -> Option<Message> {
    let role = match operation.task.as_str() {
        "demote" | "start" => "standby",
        "stop" => "stopped",
        _ => return None,
    };
    if !operation.has_succeeded {
        return None;
    }
    let Operation { resource, node, .. } = operation;
    let text = format!("{resource} is {role} on {node}");
    let message = Message::new(Event::Role, Severity::Info, text).node(node).resource(resource);
    Some(Message { role: Some(role), ..message })
}

/// The message of an action that failed.
#[must_use]
pub fn failure(operation: &Operation, status: &Status) -> Option<Message> {
    if operation.has_succeeded || operation.is_cancelled {
        return None;
    }
    let Operation { resource, node, task, description, .. } = operation;
    let begins = format!("{resource}_{task}_");
    let shown = status.failures.iter().find(|f| f.node == *node && f.operation.starts_with(&begins));
    let reason = shown.map_or("", |failure| failure.reason.as_str());
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let text = format!("{resource} failed on {node}: {task}: {description}{reason}; quorate status");
    Some(Message::new(Event::Failure, Severity::Warning, text).node(node).resource(resource))
}

/// The message of a fencing, and the word by which all nodes know the same one.
#[must_use]
pub fn fencing(node: &str, description: &str, is_done: bool) -> (Message, String) {
    let (what, reference) = match description.rsplit_once(" (ref=") {
        Some((what, reference)) => (what, reference.trim_end_matches(')')),
        None => (description, description),
    };
    let text = match (is_done, parts(what)) {
        (true, Some((action, by, client))) => {
            format!("{node} was fenced ({action}) by {by}, {client} asked for it")
        }
        (true, None) => format!("{node} was fenced: {what}"),
        (false, _) => {
            format!(
                "the fencing of {node} FAILED, and nothing of it is taken over before it succeeds: {what}; pcs stonith history show"
            )
        }
    };
    let severity = if is_done { Severity::Warning } else { Severity::Critical };
    (Message::new(Event::Fencing, severity, text).node(node), reference.to_owned())
}

/// Action, executing node and who asked of `Operation reboot of srv1 by srv2 for pacemaker-controld.7@srv2: OK`.
fn parts(what: &str) -> Option<(&str, &str, String)> {
    let (action, rest) = what.strip_prefix("Operation ")?.split_once(" of ")?;
    let (_, rest) = rest.split_once(" by ")?;
    let (by, rest) = rest.split_once(" for ")?;
    let (client, _) = rest.split_once(": ")?;
    let (program, origin) = client.split_once('@')?;
    let program = program.split('.').next().unwrap_or(program);
    let who = if program.starts_with("pacemaker-controld") {
        "the cluster".to_owned()
    } else {
        format!("{program} on {origin}")
    };
    Some((action, by, who))
}
