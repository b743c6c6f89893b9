//! Pacemaker has been told not to act.

use super::facts::{Facts, File, Place};
use super::instances::{at, is_address, is_device, is_server};
use super::rule::{Finding, Outcome};
use crate::cluster::cib::resources::Resource;
use crate::cluster::cib::{Cib, INFINITY, Value, boolean, score};

/// The whole cluster, nodes and resources in maintenance.
pub(super) fn maintenance(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let cib = &file.content;
    let mut found = Vec::new();
    if let Some(why) = &cib.management.cluster {
        let line = cib.property("maintenance-mode").map_or(1, |p| p.line);
        found.push(Finding::new(
            &at(file, line),
            format!("{why}: Pacemaker does nothing about anything"),
            "pcs property set maintenance-mode=false",
        ));
    }
    for node in &cib.management.nodes {
        let Some(why) = &node.maintenance else { continue };
        found.push(Finding::new(
            &of_node(file, &node.name, "maintenance"),
            format!("{why}: nothing there is recovered, and nothing of it elsewhere"),
            format!("pcs node unmaintenance {}", node.name),
        ));
    }
    found.extend(left_alone(file, |why| !why.starts_with("target-role")));
    Ok(found)
}

/// Where a node's attribute stands.
fn of_node(file: &File<Cib>, name: &str, attribute: &str) -> Place {
    let node = file.content.node_attributes.iter().find(|n| n.name == name);
    let line = node.map_or(1, |n| n.get(attribute).map_or(n.line, |v| v.line));
    at(file, line)
}

/// The resources that Pacemaker leaves alone for a reason of that kind.
fn left_alone(file: &File<Cib>, is: impl Fn(&str) -> bool) -> Vec<Finding> {
    let cib = &file.content;
    let mut found: Vec<Finding> = Vec::new();
    for (id, why) in cib.management.unmanaged.iter().filter(|(_, why)| is(why)) {
        let Some(resource) = cib.resources.iter().find(|r| r.id == *id) else { continue };
        if !(is_server(resource) || is_address(resource) || is_device(resource)) {
            continue;
        }
        let name = why.split(['=', ' ']).next().unwrap_or_default();
        let ruled = resource.meta.ruled.iter().find(|(n, _)| n == name).map(|(_, v)| v);
        let value = resource.meta(name).or(ruled);
        let place = at(file, value.map_or(resource.line, |v| v.line));
        let cure = cure(resource, name, value);
        let known = found.iter_mut().find(|f| f.at == place && f.cure == cure);
        match known {
            Some(known) => {
                known.what =
                    known.what.replacen(" has ", " have ", 1).replacen(" have", &format!(", {id} have"), 1)
            }
            None => found.push(Finding::new(&place, format!("{id} has {why}"), cure)),
        }
    }
    found
}

fn cure(resource: &Resource, name: &str, value: Option<&Value>) -> String {
    let whole = resource.within.last().unwrap_or(&resource.id);
    match (name, value.map(|v| v.of.as_ref())) {
        ("is-managed", None) => "pcs property unset is-managed-default".to_owned(),
        (_, Some(None)) => format!("pcs resource defaults update {name}="),
        ("is-managed", _) => format!("pcs resource manage {whole}"),
        ("target-role", _) if is_device(resource) => format!("pcs stonith enable {}", resource.id),
        ("target-role", _) => format!("pcs resource enable {whole}"),
        (_, of) => format!("pcs resource meta {} {name}=", of.flatten().unwrap_or(whole)),
    }
}

/// Resources that are stopped by order.
pub(super) fn disabled(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let mut found = left_alone(file, |why| why.starts_with("target-role"));
    if let Some(set) = file.property("stop-all-resources").filter(|p| boolean(&p.value) == Some(true)) {
        found.push(Finding::new(
            &set.place,
            "stop-all-resources is true: nothing is started",
            "pcs property set stop-all-resources=false",
        ));
    }
    Ok(found)
}

/// Nodes on standby, and those that Pacemaker avoids for their health.
pub(super) fn node_standby(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let mut found = Vec::new();
    for node in &file.content.management.nodes {
        let Some(why) = &node.standby else { continue };
        found.push(Finding::new(
            &of_node(file, &node.name, "standby"),
            format!("{why}: it runs nothing, and takes nothing over"),
            format!("pcs node unstandby {}", node.name),
        ));
    }
    let strategy = file.property("node-health-strategy").filter(|p| p.value != "none");
    let Some(strategy) = strategy else { return Ok(found) };
    for node in &file.content.node_attributes {
        let all = node.passing.plain.iter().chain(&node.lasting.plain);
        let bad = all.filter(|(name, value)| {
            let is_bad = value.value == "red" || (strategy.value == "only-green" && value.value == "yellow");
            name.starts_with("#health") && is_bad
        });
        for (name, value) in bad {
            let (health, strategy) = (&value.value, &strategy.value);
            found.push(Finding::new(
                &at(file, value.line),
                format!(
                    "{name} of {} is {health}, with node-health-strategy {strategy}: nothing runs there",
                    node.name
                ),
                format!(
                    "mend what it measures; or crm_attribute --node {} --name '{name}' --delete",
                    node.name
                ),
            ));
        }
    }
    Ok(found)
}

/// Nodes that a resource is kept off for its failures there.
pub(super) fn fail_count(facts: &Facts) -> Outcome {
    const PREFIX: &str = "fail-count-";
    let file = facts.cib.as_ref()?;
    let cib = &file.content;
    let mut found = Vec::new();
    for node in &cib.node_attributes {
        for resource in cib.resources.iter().filter(|r| is_server(r) || is_address(r)) {
            let counts = node.passing.plain.iter().filter(|(name, _)| {
                let of = name.strip_prefix(PREFIX).and_then(|n| n.split(['#', ':']).next());
                of == Some(resource.id.as_str())
            });
            let (mut sum, mut line) = (0, None);
            for (_, value) in counts {
                sum += score(&value.value).unwrap_or_default();
                line.get_or_insert(value.line);
            }
            let limit = resource.number("migration-threshold").filter(|n| *n > 0).unwrap_or(INFINITY);
            let Some(line) = line.filter(|_| sum >= limit) else { continue };
            let count = if sum >= INFINITY { "INFINITY".to_owned() } else { sum.to_string() };
            let whole = resource.within.last().unwrap_or(&resource.id);
            found.push(Finding::new(
                &at(file, line),
                format!(
                    "{} has failed on {} (fail-count {count}): Pacemaker keeps it off there",
                    resource.id, node.name
                ),
                format!("mend what failed there, then pcs resource cleanup {whole} node={}", node.name),
            ));
        }
    }
    Ok(found)
}
