//! `quorate verify`: what has to hold of a cluster that serves, item by item. What is not known fails.

use std::collections::BTreeMap;

use serde::Serialize;

use super::promotions::Record;
use super::switchover::primary;
use crate::cluster::attributes;
use crate::cluster::cib::Management;
use crate::cluster::cib::placement::Placement;
use crate::cluster::crm_mon::{Role, Status};
use crate::pg::role::PgRole;
use crate::pg::survey::Survey;

/// What is known.
#[derive(Debug)]
pub struct Facts<'a> {
    pub resource: &'a str,
    pub status: &'a Status,
    pub management: &'a Management,
    pub constraints: &'a Placement,
    pub surveys: &'a BTreeMap<String, Survey>,
    pub record: &'a Record,
    pub now: u64,
    pub now_utc: &'a str,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub name: &'static str,
    pub passed: bool,
    pub what: String,
}

/// Older than this a node's word of itself says nothing.
const FRESH_S: u64 = super::switchover::FRESH_S;

fn item(name: &'static str, passed: bool, what: impl Into<String>) -> Item {
    Item { name, passed, what: what.into() }
}

/// Looks at each.
#[must_use]
pub fn verify(facts: &Facts<'_>) -> Vec<Item> {
    vec![
        quorum(facts),
        managed(facts),
        one_primary(facts),
        redundancy(facts),
        timeline(facts),
        synchronous(facts),
        addresses(facts),
        constraints(facts),
    ]
}

fn fresh<'a>(facts: &Facts<'a>, node: &str) -> Option<&'a Survey> {
    facts.surveys.get(node).filter(|survey| facts.now.saturating_sub(survey.at) <= FRESH_S)
}

fn quorum(facts: &Facts<'_>) -> Item {
    match (facts.status.quorate, &facts.status.dc) {
        (Some(true), Some(dc)) => item("quorum", true, format!("this partition has it; DC {dc}")),
        (Some(false), _) => item("quorum", false, "this partition has none"),
        (Some(true) | None, _) => item("quorum", false, "not known: there is no DC"),
    }
}

fn managed(facts: &Facts<'_>) -> Item {
    let of_node = facts.management.nodes.iter().find_map(|node| node.maintenance.clone());
    let why = facts.management.cluster.clone();
    let why = why.or_else(|| facts.management.unmanaged.get(facts.resource).cloned()).or(of_node);
    match why {
        None => item("managed", true, "Pacemaker acts on everything"),
        Some(why) => item("managed", false, format!("nothing would fail over: {why}")),
    }
}

fn one_primary(facts: &Facts<'_>) -> Item {
    let Some(node) = primary(facts.status, facts.resource) else {
        let nodes = facts.status.nodes_with_role(facts.resource, &Role::Promoted);
        let on = if nodes.is_empty() { "nowhere".to_owned() } else { format!("on {}", nodes.join(", ")) };
        return item("primary", false, format!("{} is promoted {on}", facts.resource));
    };
    match fresh(facts, node) {
        Some(survey) if survey.role == PgRole::Primary => {
            item("primary", true, format!("{node} takes writes"))
        }
        Some(_) => item("primary", false, format!("the server of {node} is in recovery")),
        None => {
            item("primary", false, format!("{node}, which has told nothing of its server for {FRESH_S} s"))
        }
    }
}

fn redundancy(facts: &Facts<'_>) -> Item {
    let standbys = facts.status.nodes_with_role(facts.resource, &Role::Unpromoted);
    let lacks = |node: &&str| {
        let score = facts.status.promotion_score(facts.resource, node).and_then(attributes::score);
        let streams = fresh(facts, node).is_some_and(|survey| {
            survey.role == PgRole::Standby && survey.timeline.is_some() && !survey.is_paused
        });
        !(streams && score.is_some_and(|score| score > 0))
    };
    let unfit: Vec<&str> = standbys.iter().copied().filter(lacks).collect();
    let down = facts.status.instances_of(facts.resource).filter(|instance| instance.role == Role::Stopped);
    let down = down.count();
    let fit = standbys.len() - unfit.len();
    let mut what = format!("{fit} of {} standbys stream and may be promoted", standbys.len() + down);
    if !unfit.is_empty() {
        what.push_str(&format!("; not {}", unfit.join(", ")));
    }
    if down > 0 {
        what.push_str(&format!("; {down} not running"));
    }
    item("redundancy", fit > 0 && unfit.is_empty() && down == 0, what)
}

fn timeline(facts: &Facts<'_>) -> Item {
    let last = match facts.record {
        Record::Last(last) => last,
        Record::Empty => return item("timeline", false, "no promotion is on record"),
        Record::Unread(why) => return item("timeline", false, format!("the record of promotions: {why}")),
        Record::Contradictory(one, other) => {
            let what =
                format!("two promotions have the number {}: {}, {}", one.generation, one.node, other.node);
            return item("timeline", false, what);
        }
    };
    if primary(facts.status, facts.resource) != Some(last.node.as_str()) {
        let what = format!("the last promotion on record is {}'s, which is not the primary", last.node);
        return item("timeline", false, what);
    }
    let others: Vec<String> = facts
        .status
        .instances_of(facts.resource)
        .flat_map(|instance| &instance.nodes)
        .filter_map(|node| match fresh(facts, node).map(|survey| survey.timeline) {
            Some(Some(timeline)) if timeline == last.timeline => None,
            Some(Some(timeline)) => Some(format!("{node} is on {timeline}")),
            Some(None) | None => Some(format!("that of {node} is not known")),
        })
        .collect();
    let what = format!("{}, of promotion {} ({})", last.timeline, last.generation, last.node);
    if others.is_empty() {
        item("timeline", true, what)
    } else {
        item("timeline", false, format!("{what}; {}", others.join(", ")))
    }
}

fn synchronous(facts: &Facts<'_>) -> Item {
    let survey = primary(facts.status, facts.resource).and_then(|node| fresh(facts, node));
    let Some(survey) = survey else { return item("synchronous", false, "not known: no word of the primary") };
    let waiting = survey.load.waiting;
    match survey.synchronous {
        None => item("synchronous", true, "commits wait for no standby"),
        Some(0) => item("synchronous", false, format!("no standby answers; {waiting} commits wait")),
        Some(n) => item("synchronous", true, format!("{n} standbys answer for commits; {waiting} wait")),
    }
}

fn addresses(facts: &Facts<'_>) -> Item {
    let primary = primary(facts.status, facts.resource);
    let at_primary = facts.constraints.with_the_primary();
    let mut said = Vec::new();
    let mut passed = true;
    for colocation in &facts.constraints.colocations {
        let name = colocation.resource.as_str();
        if said.iter().any(|line: &String| line.starts_with(&format!("{name} "))) {
            continue;
        }
        let node =
            facts.status.instances_of(name).find(|i| i.role == Role::Started).and_then(|i| i.nodes.first());
        match node {
            Some(node) if at_primary.contains(&name) && Some(node.as_str()) != primary => {
                passed = false;
                said.push(format!("{name} is on {node}, not with the primary"));
            }
            Some(node) => said.push(format!("{name} on {node}")),
            None => {
                passed = false;
                said.push(format!("{name} runs nowhere"));
            }
        }
    }
    if said.is_empty() {
        return item("float IPs", true, "none is configured");
    }
    item("float IPs", passed, said.join(", "))
}

fn constraints(facts: &Facts<'_>) -> Item {
    let typed = facts.constraints.locations.iter().filter(|location| location.is_typed());
    let left: Vec<String> = typed
        .map(|location| {
            let over = if location.is_over(facts.now_utc) { " (over)" } else { "" };
            format!("{}{over}", location.id)
        })
        .collect();
    if left.is_empty() {
        return item("constraints", true, "no move or ban is left behind");
    }
    let clone = facts.constraints.clone.as_deref().unwrap_or(facts.resource);
    item("constraints", false, format!("left behind: {}; pcs resource clear {clone}", left.join(", ")))
}

#[cfg(test)]
mod tests;
