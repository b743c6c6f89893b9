//! Constraints that forbid what a failover needs, or that move things by themselves.

use super::facts::{Facts, File};
use super::float_ips::follows_the_primary;
use super::instances::{self, Instance, at, is_address};
use super::rule::{Finding, Outcome};
use crate::cluster::cib::allowed::{self, BEST_SCORE, Kept, names, worth};
use crate::cluster::cib::constraints::Location;
use crate::cluster::cib::resources::{NodeAttributes, Resource};
use crate::cluster::cib::{Cib, INFINITY};

/// How pcs and crm_resource call what `ban` and `move` leave.
const CLI_BAN: &str = "cli-ban-";
const CLI_PREFER: [&str; 2] = ["cli-prefer-", "cli-standby-"];
/// With fewer there is no failover.
const FEWEST: usize = 2;

fn kept<'a>(facts: &Facts, cib: &'a Cib, resource: &Resource, node: &NodeAttributes) -> Kept<'a> {
    allowed::kept(cib, resource, node, facts.surroundings.now_s)
}

pub(super) fn ban(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let cib = &file.content;
    let mut found = Vec::new();
    for instance in &instances {
        found.extend(of_instance(facts, file, instance));
    }
    for resource in cib.resources.iter().filter(|r| is_address(r)) {
        let follows = follows_the_primary(cib, resource);
        for node in &cib.node_attributes {
            let kept = kept(facts, cib, resource, node);
            let by = kept.by.iter().filter(|l| follows || l.id.starts_with(CLI_BAN));
            found.extend(by.filter(|_| kept.off).map(|location| {
                let what = format!("{} may not run on {}: {}", resource.id, node.name, location.id);
                Finding::new(&at(file, location.line), what, delete(&location.id))
            }));
        }
    }
    for ticket in &cib.constraints.tickets {
        let is_held = cib.tickets.get(&ticket.ticket) == Some(&true);
        let waits = instances.iter().any(|i| ticket.resources.iter().any(|r| i.primitive.is_named(r)));
        if waits && !is_held {
            let what = format!(
                "PostgreSQL waits for the ticket {}, which this cluster does not hold",
                ticket.ticket
            );
            let cure = format!(
                "crm_ticket --ticket {} --grant, where booth does not; or {}",
                ticket.ticket,
                delete(&ticket.id)
            );
            found.push(Finding::new(&at(file, ticket.line), what, cure));
        }
    }
    Ok(found)
}

/// The nodes on which constraints forbid a resource's promotion.
#[must_use]
pub fn barred(facts: &Facts, resource: &str) -> Vec<String> {
    let Ok((file, instances)) = instances::known(facts) else { return Vec::new() };
    let Some(instance) = instances.iter().find(|i| i.primitive.id == resource) else { return Vec::new() };
    let nodes = file.content.node_attributes.iter();
    let barred = nodes.filter(|node| kept(facts, &file.content, instance.primitive, node).unpromoted);
    barred.map(|node| node.name.clone()).collect()
}

fn delete(id: &str) -> String {
    format!("pcs constraint delete {id}")
}

fn of_instance(facts: &Facts, file: &File<Cib>, instance: &Instance<'_>) -> Vec<Finding> {
    let cib = &file.content;
    let all: Vec<(&NodeAttributes, Kept<'_>)> =
        cib.node_attributes.iter().map(|node| (node, kept(facts, cib, instance.primitive, node))).collect();
    let able = all.iter().filter(|(_, kept)| !kept.unpromoted).count();
    let few = able < FEWEST.min(all.len());
    let mut found: Vec<Finding> = Vec::new();
    for (node, kept) in all.iter().filter(|(_, kept)| kept.unpromoted) {
        let left = match able {
            0 => "nobody can be promoted".to_owned(),
            1 => "there is no failover".to_owned(),
            n => format!("{n} nodes are left"),
        };
        let what = if kept.off { "may not run on" } else { "may not be promoted on" };
        let by: Vec<&&Location> = kept.by.iter().filter(|l| few || l.id.starts_with(CLI_BAN)).collect();
        for location in &by {
            found.push(Finding::new(
                &at(file, location.line),
                format!("{} {what} {}: {}; {left}", instance.id(), node.name, location.id),
                delete(&location.id),
            ));
        }
        if kept.by.is_empty() && few {
            let cure = format!(
                "pcs constraint location {} prefers {}=0; or pcs property set symmetric-cluster=true",
                instance.id(),
                node.name
            );
            let line = cib.property("symmetric-cluster").map_or(instance.primitive.line, |p| p.line);
            let what = format!("{} {what} {}: no constraint allows it; {left}", instance.id(), node.name);
            found.push(Finding::new(&at(file, line), what, cure));
        }
    }
    found
}

pub(super) fn preference(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let cib = &file.content;
    let now_s = facts.surroundings.now_s;
    let instances = instances::of(cib);
    let mut found = Vec::new();
    for location in &cib.constraints.locations {
        let is_cli = CLI_PREFER.iter().any(|p| location.id.starts_with(p));
        let promotes = location.role.as_deref() == Some("Promoted")
            && instances.iter().any(|i| names(location, i.primitive));
        let moves =
            cib.resources.iter().any(|r| names(location, r) && is_address(r) && follows_the_primary(cib, r));
        for node in &cib.node_attributes {
            let Some(score) = worth(location, node, now_s).filter(|s| *s > 0) else { continue };
            if !(is_cli || (promotes && score >= BEST_SCORE) || (moves && score >= INFINITY)) {
                continue;
            }
            let score = if score >= INFINITY { "INFINITY".to_owned() } else { score.to_string() };
            let what = format!(
                "{} wants {} on {} with a score of {score}",
                location.id,
                location.resources.join(", "),
                node.name
            );
            found.push(Finding::new(&at(file, location.line), what, delete(&location.id)));
        }
    }
    Ok(found)
}
