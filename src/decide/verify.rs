//! `quorate verify`: what has to hold of a cluster that serves, item by item. What is not known fails.

use std::collections::BTreeMap;

use serde::Serialize;

use super::promotions::Record;
use super::switchover::{Stale, primary};
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
    /// Of the server of this node, where it is the primary's.
    pub commits: Option<Commits>,
    pub now: u64,
    pub now_utc: &'a str,
}

/// The commits of a primary that wait for standbys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commits {
    /// How many standbys have to answer.
    pub needed: u32,
    pub waiting: u32,
    /// The longest, in seconds.
    pub longest_s: u64,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub name: &'static str,
    pub passed: bool,
    pub what: String,
}

/// A commit that has waited for so long hangs.
const HANGS_S: u64 = 10;

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

fn fresh<'a>(facts: &Facts<'a>, node: &str) -> Result<&'a Survey, Stale> {
    super::switchover::fresh(facts.surveys, node, facts.now)
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
        Ok(survey) if survey.role == PgRole::Primary => item("primary", true, format!("{node} takes writes")),
        Ok(_) => item("primary", false, format!("the server of {node} is in recovery")),
        Err(stale) => {
            item("primary", false, format!("{node}, not known: {}; {}", stale.of(node), stale.cure()))
        }
    }
}

fn redundancy(facts: &Facts<'_>) -> Item {
    let standbys = facts.status.nodes_with_role(facts.resource, &Role::Unpromoted);
    let lacks = |node: &&str| {
        let score = facts.status.promotion_score(facts.resource, node).and_then(attributes::score);
        let streams = fresh(facts, node).is_ok_and(|survey| {
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
            Ok(Some(timeline)) if timeline == last.timeline => None,
            Ok(Some(timeline)) => Some(format!("{node} is on {timeline}")),
            Ok(None) => Some(format!("that of {node} is not known")),
            Err(stale) => Some(format!("that of {node} is not known: {}", stale.of(node))),
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
    let node = primary(facts.status, facts.resource);
    let Some(node) = node else { return item("synchronous", false, "not known: there is no primary") };
    let survey = match fresh(facts, node) {
        Ok(survey) => survey,
        Err(stale) => return item("synchronous", false, format!("not known: {}", stale.of(node))),
    };
    let Some(answer) = survey.synchronous else {
        return item("synchronous", true, "commits wait for no standby");
    };
    let waiting = facts.commits.map_or(survey.load.waiting, |commits| commits.waiting);
    let what = |said: &str| format!("{answer} standbys answer for commits{said}");
    match facts.commits {
        _ if answer == 0 => item("synchronous", false, format!("no standby answers; {waiting} commits wait")),
        Some(Commits { needed, .. }) if answer < needed => {
            item("synchronous", false, what(&format!(" that need {needed}; {waiting} wait")))
        }
        Some(Commits { longest_s, .. }) if waiting > 0 && longest_s >= HANGS_S => {
            item("synchronous", false, what(&format!("; {waiting} wait, one of them for {longest_s} s")))
        }
        // From elsewhere: none of them has waited for longer than the oldest transaction runs.
        None if waiting > 0 && survey.load.oldest_s >= HANGS_S => {
            let since = survey.load.oldest_s;
            let unknown =
                format!("; {waiting} wait, whether for {since} s is not known: quorate verify on {node}");
            item("synchronous", false, what(&unknown))
        }
        Some(_) | None => item("synchronous", true, what(&format!("; {waiting} wait"))),
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
