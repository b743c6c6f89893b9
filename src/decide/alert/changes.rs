//! The states of a cluster that are worth a message when they change.

use std::collections::BTreeMap;

use super::events::fencing;
use super::message::{AGENT, Event, Message, Severity, attributes};
use super::told::{Told, topic, word};
use super::trigger::Trigger;
use crate::cluster::attributes;
use crate::cluster::crm_mon::{Role, Status};
use crate::decide::follow::safe_mode_attribute;
use crate::decide::promotion_score::Score;
use crate::decide::rejoin;

/// What is looked at.
#[derive(Debug)]
pub struct Facts<'a> {
    pub status: &'a Status,
    /// The resources that Pacemaker leaves alone, each with its reason.
    pub paused: &'a BTreeMap<String, String>,
}

/// A state that is another one than was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub topic: String,
    /// What it is now.
    pub word: String,
    /// `None`: it is noted, and nobody has to hear of it.
    pub message: Option<Message>,
    /// It passes by itself in a promotion: it counts when it has lasted.
    pub settles: bool,
}

impl Change {
    fn of(topic: &str, word: &str, message: Option<Message>) -> Self {
        Self { topic: topic.to_owned(), word: word.to_owned(), message, settles: false }
    }
}

/// The instances of ours, each once.
#[must_use]
pub fn resources(status: &Status) -> Vec<String> {
    let ours = status.instances.iter().filter(|instance| instance.agent == AGENT);
    let mut ours: Vec<String> = ours.map(|instance| instance.resource.clone()).collect();
    ours.sort();
    ours.dedup();
    ours
}

/// What has changed since it was told.
#[must_use]
pub fn changes(facts: &Facts<'_>, trigger: &Trigger, told: &Told) -> Vec<Change> {
    let mut found = nodes(facts.status, trigger, told);
    found.extend(fenced(trigger, told));
    for resource in resources(facts.status) {
        let paused = facts.paused.get(&resource).map(String::as_str);
        found.extend(pause(&resource, paused, told));
        if paused.is_none() {
            found.extend(redundancy(facts.status, &resource, told));
        }
        found.extend(safe_mode(facts.status, &resource, told));
        found.extend(rejoins(facts.status, &resource, told));
    }
    found
}

/// Every member hears of each fencing: the first one tells.
fn fenced(trigger: &Trigger, told: &Told) -> Option<Change> {
    let Trigger::Fencing { node, description, is_done } = trigger else { return None };
    let (message, reference) = fencing(node, description, *is_done);
    let (name, reference) = (topic("fencing", &[node]), word(&reference));
    (told.get(&name) != Some(reference.as_str())).then(|| Change::of(&name, &reference, Some(message)))
}

/// Whether it is of a node, or of an instance of ours.
#[must_use]
pub fn concerns(trigger: &Trigger, status: &Status) -> bool {
    match trigger {
        Trigger::Node { .. } | Trigger::Fencing { .. } => true,
        Trigger::Resource(operation) => resources(status).contains(&operation.resource),
        Trigger::Attribute { name, .. } => resources(status).iter().any(|r| attributes(r).contains(name)),
    }
}

/// Whether Pacemaker's status says already what it tells of: it is written a moment later.
#[must_use]
pub fn agrees(trigger: &Trigger, status: &Status) -> bool {
    match trigger {
        Trigger::Node { node, is_member } => match status.node(node) {
            Some(node) => node.online == *is_member && !node.pending,
            None => !is_member,
        },
        Trigger::Attribute { name, node, value } => {
            let now = status.attributes.get(node).and_then(|of_node| of_node.get(name));
            now.map_or("", String::as_str) == value
        }
        Trigger::Resource(operation) if operation.task == "promote" && operation.has_succeeded => {
            status.role_on(&operation.resource, &operation.node) == Some(&Role::Promoted)
        }
        Trigger::Resource(_) | Trigger::Fencing { .. } => true,
    }
}

fn members(status: &Status, without: &str) -> String {
    let members = status.nodes.iter().filter(|node| node.online && node.name != without);
    let members = members.map(|node| node.name.as_str());
    members.collect::<Vec<_>>().join(", ")
}

fn nodes(status: &Status, trigger: &Trigger, told: &Told) -> Vec<Change> {
    let mut found = Vec::new();
    for node in &status.nodes {
        let name = topic("node", &[&node.name]);
        let is_lost = matches!(trigger, Trigger::Node { node: lost, is_member: false } if *lost == node.name);
        let message =
            |severity, text: String| Some(Message::new(Event::Node, severity, text).node(&node.name));
        // Pacemaker's status may not have it yet, and this event comes once.
        match (told.get(&name), node.online && !is_lost, node.pending && !is_lost) {
            (_, _, true) | (Some("member"), true, _) | (Some("lost"), false, _) => {}
            (Some("lost"), true, false) => {
                let text = format!("{} is back in the cluster; members: {}", node.name, members(status, ""));
                found.push(Change::of(&name, "member", message(Severity::Info, text)));
            }
            (_, true, false) => found.push(Change::of(&name, "member", None)),
            // What was never seen here is not lost, but a cluster that begins.
            (None, false, false) if !is_lost => {}
            (_, false, false) => {
                let left = members(status, &node.name);
                let (severity, quorum) = match status.quorate {
                    Some(true) => (Severity::Warning, "with quorum"),
                    Some(false) => (Severity::Critical, "WITHOUT quorum: PostgreSQL stops on this side"),
                    None => (Severity::Warning, "whether with quorum is not known yet"),
                };
                let text = format!("{} left the cluster; members: {left}, {quorum}", node.name);
                found.push(Change::of(&name, "lost", message(severity, text)));
            }
        }
    }
    found
}

/// The nodes whose instance could take over without a loss of what streams.
fn standbys<'a>(status: &'a Status, resource: &str) -> Vec<&'a str> {
    let is_fit = |node: &&str| {
        let score = status.promotion_score(resource, node).and_then(attributes::score).map(Score::from);
        status.node(node).is_some_and(|n| n.online) && score.is_some_and(Score::is_full_standby)
    };
    status.nodes_with_role(resource, &Role::Unpromoted).into_iter().filter(is_fit).collect()
}

fn redundancy(status: &Status, resource: &str, told: &Told) -> Option<Change> {
    let primary = *status.nodes_with_role(resource, &Role::Promoted).first()?;
    if status.nodes.len() < 2 || !status.node(primary)?.online {
        return None;
    }
    let name = topic("standbys", &[resource]);
    let now = standbys(status, resource);
    let before = told.get(&name).and_then(|word| word.parse::<usize>().ok());
    if before == Some(now.len()) {
        return None;
    }
    let is_less = now.is_empty() || before.is_some_and(|before| now.len() < before);
    let text = match (now.as_slice(), before) {
        ([], _) => Some(format!(
            "{resource} has no standby that could take over: {primary} is the primary, and its loss ends the service; quorate status"
        )),
        (_, None) => None,
        (some, Some(before)) => {
            let names = some.join(", ");
            let was = if before == 0 { "again".to_owned() } else { format!("it was {before}") };
            let number =
                if some.len() == 1 { "a standby".to_owned() } else { format!("{} standbys", some.len()) };
            Some(format!("{resource} has {number} that could take over, {was}: {names}; primary {primary}"))
        }
    };
    let severity = if is_less { Severity::Warning } else { Severity::Info };
    let message = text.map(|text| Message::new(Event::Redundancy, severity, text).resource(resource));
    Some(Change { settles: is_less, ..Change::of(&name, &now.len().to_string(), message) })
}

fn safe_mode(status: &Status, resource: &str, told: &Told) -> Option<Change> {
    let (name, attribute) = (topic("safe-mode", &[resource]), safe_mode_attribute(resource));
    let reason = status.attributes.values().find_map(|of_node| of_node.get(&attribute));
    let message = |severity, text| Some(Message::new(Event::SafeMode, severity, text).resource(resource));
    match (told.get(&name), reason) {
        (Some("yes"), Some(_)) | (Some("no"), None) => None,
        (_, Some(reason)) => {
            let text = format!(
                "{resource} is in safe mode, nobody is promoted: {reason}; quorate recover says what ends it"
            );
            Some(Change::of(&name, "yes", message(Severity::Critical, text)))
        }
        (Some("yes"), None) => {
            let text = format!("{resource} is no longer in safe mode");
            Some(Change::of(&name, "no", message(Severity::Info, text)))
        }
        (_, None) => Some(Change::of(&name, "no", None)),
    }
}

fn rejoins(status: &Status, resource: &str, told: &Told) -> Vec<Change> {
    let attribute = rejoin::attribute(resource);
    let mut found = Vec::new();
    // With a lost node its attributes go: what became of its rejoin is seen when it is back.
    for node in status.nodes.iter().filter(|node| node.online) {
        let name = topic("rejoin", &[resource, &node.name]);
        let summary = status.attributes.get(&node.name).and_then(|of_node| of_node.get(&attribute));
        let is_manual = summary.is_some_and(|summary| summary.starts_with("manual"));
        let message = |severity, text: String| {
            Some(Message::new(Event::Rejoin, severity, text).node(&node.name).resource(resource))
        };
        let before = told.get(&name);
        match (before, summary) {
            (Some("runs"), Some(_)) if !is_manual => {}
            (Some("manual"), Some(_)) if is_manual => {}
            (_, Some(summary)) if is_manual => {
                let text = format!("{resource} on {} does not rejoin by itself: {summary}", node.name);
                found.push(Change::of(&name, "manual", message(Severity::Critical, text)));
            }
            (_, Some(summary)) => {
                let text = format!("{resource} on {} rejoins: {summary}", node.name);
                found.push(Change::of(&name, "runs", message(Severity::Info, text)));
            }
            (Some("runs" | "manual"), None) => {
                // Its end is that it runs.
                if status.role_on(resource, &node.name).is_some_and(|role| *role != Role::Stopped) {
                    let text = format!("{resource} on {} has rejoined", node.name);
                    found.push(Change::of(&name, "none", message(Severity::Info, text)));
                }
            }
            (Some("none"), None) => {}
            (_, None) => found.push(Change::of(&name, "none", None)),
        }
    }
    found
}

fn pause(resource: &str, paused: Option<&str>, told: &Told) -> Option<Change> {
    let name = topic("pause", &[resource]);
    let message = |severity, text| Some(Message::new(Event::Pause, severity, text).resource(resource));
    match (told.get(&name), paused) {
        (Some("yes"), Some(_)) | (Some("no"), None) => None,
        (_, Some(reason)) => {
            let text =
                format!("{resource} is paused, nothing of it fails over: {reason}; quorate resume ends it");
            Some(Change::of(&name, "yes", message(Severity::Warning, text)))
        }
        (Some("yes"), None) => {
            let text = format!("{resource} is no longer paused");
            Some(Change::of(&name, "no", message(Severity::Info, text)))
        }
        (_, None) => Some(Change::of(&name, "no", None)),
    }
}
