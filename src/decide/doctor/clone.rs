//! PostgreSQL's clone and its operations: what the agent needs of them.

use super::facts::{Facts, File};
use super::instances::{self, Instance, at, update};
use super::rule::{Finding, Outcome};
use crate::cluster::cib::resources::{Op, Resource};
use crate::cluster::cib::{Cib, Value};

/// A monitor that comes more seldom notices a server that failed later than a whole node that is lost.
const LONGEST_MONITOR_MS: i64 = 60_000;
/// The least timeouts: half of what the agent's meta-data advises, two thirds for a promotion.
const LEAST_TIMEOUTS: [(&str, i64, &str); 4] = [
    ("start", 30_000, "60s"),
    ("promote", 20_000, "30s"),
    ("demote", 60_000, "120s"),
    ("notify", 10_000, "20s"),
];

/// Looks at each clone.
fn each(facts: &Facts, check: impl Fn(&File<Cib>, &Instance<'_>, &Resource) -> Vec<Finding>) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let found = instances.iter().filter_map(|i| Some(check(file, i, i.clone?)));
    Ok(found.flatten().collect())
}

fn line(clone: &Resource, value: Option<&Value>) -> usize {
    value.map_or(clone.line, |v| v.line)
}

fn word(value: Option<&Value>) -> String {
    value.map_or("not set".to_owned(), |v| v.value.clone())
}

pub(super) fn promotable(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let mut found = Vec::new();
    for instance in instances {
        let id = &instance.primitive.id;
        match instance.clone {
            None => found.push(Finding::new(
                &at(file, instance.primitive.line),
                format!("{id} is in no clone: it runs on one node, and is never promoted"),
                format!("pcs resource promotable {id} notify=true"),
            )),
            Some(clone) if clone.flag("promotable", false) => {}
            Some(clone) => {
                let set = clone.meta("promotable");
                found.push(Finding::new(
                    &at(file, line(clone, set)),
                    format!("promotable of {} is {}: nobody is promoted", clone.id, word(set)),
                    format!("pcs resource meta {} promotable=true", clone.id),
                ));
            }
        }
    }
    Ok(found)
}

pub(super) fn notify(facts: &Facts) -> Outcome {
    each(facts, |file, instance, clone| {
        if clone.flag("notify", false) {
            return Vec::new();
        }
        let set = clone.meta("notify");
        let of_primitive = instance.primitive.meta("notify").filter(|_| set.is_none());
        let what = match of_primitive {
            Some(_) => {
                format!("notify is set for {}, and not for the clone {}", instance.primitive.id, clone.id)
            }
            None => format!("notify of {} is {}", clone.id, word(set)),
        };
        let place = at(file, line(clone, set.or(of_primitive)));
        vec![Finding::new(&place, what, format!("pcs resource meta {} notify=true", clone.id))]
    })
}

pub(super) fn promoted_max(facts: &Facts) -> Outcome {
    each(facts, |file, _, clone| {
        let wrong = ["promoted-max", "promoted-node-max"].into_iter().filter_map(|name| {
            let set = clone.meta(name)?;
            (clone.number(name) != Some(1)).then_some((name, set))
        });
        let finding = |(name, set): (&str, &Value)| {
            let what = format!("{name} of {} is {}", clone.id, set.value);
            Finding::new(&at(file, set.line), what, format!("pcs resource meta {} {name}=1", clone.id))
        };
        wrong.map(finding).collect()
    })
}

pub(super) fn instances_of_clone(facts: &Facts) -> Outcome {
    each(facts, |file, _, clone| {
        let mut found = Vec::new();
        let mut say = |name: &str, what: String| {
            let at = at(file, line(clone, clone.meta(name)));
            found.push(Finding::new(&at, what, format!("pcs resource meta {} {name}=", clone.id)));
        };
        let nodes = i64::try_from(file.content.nodes.len()).unwrap_or(i64::MAX);
        if let Some(max) = clone.number("clone-max").filter(|max| *max < nodes) {
            say("clone-max", format!("clone-max of {} is {max}, and there are {nodes} nodes", clone.id));
        }
        if let Some(max) = clone.number("clone-node-max").filter(|max| *max != 1) {
            say("clone-node-max", format!("clone-node-max of {} is {max}", clone.id));
        }
        if clone.flag("globally-unique", false) {
            say(
                "globally-unique",
                format!("globally-unique of {} is true: its instances are no copies of each other", clone.id),
            );
        }
        found
    })
}

/// What an op's finding names it.
fn named(resource: &Resource, op: &Op) -> String {
    let role = op.role_now().map_or(String::new(), |r| format!(" role={r}"));
    format!("the {} of {}{role}", op.name, resource.id)
}

pub(super) fn monitors(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let mut found = Vec::new();
    for instance in instances {
        let server = instance.primitive;
        let monitors: Vec<&Op> =
            server.operations.iter().filter(|op| op.name == "monitor" && op.recurs()).collect();
        let of = |roles: &[&str]| {
            monitors.iter().find(|m| roles.contains(&m.role_now().unwrap_or("Started"))).copied()
        };
        let disabled = |role: &str| {
            server.operations.iter().find(|op| op.name == "monitor" && op.role_now() == Some(role))
        };
        for (role, roles, interval) in
            [("Promoted", &["Promoted"][..], 3), ("Unpromoted", &["Unpromoted", "Started"], 4)]
        {
            if of(roles).is_some() {
                continue;
            }
            let there = disabled(role);
            let why = match there {
                Some(op) if !op.is_enabled() => "is disabled",
                Some(_) => "has no interval",
                None => "is not there",
            };
            found.push(Finding::new(
                &at(file, there.map_or(server.line, |op| op.line)),
                format!("the recurring monitor of {} role={role} {why}", server.id),
                format!(
                    "pcs resource update {} op monitor interval={interval}s timeout=5s role={role}",
                    server.id
                ),
            ));
        }
        for (i, op) in monitors.iter().enumerate() {
            let same = monitors.iter().take(i).find(|before| before.interval_ms == op.interval_ms);
            if same.is_some() {
                let what = format!(
                    "{} has the interval {} of another one: Pacemaker drops one of them",
                    named(server, op),
                    op.interval
                );
                let role = op.role.as_deref().unwrap_or("Unpromoted");
                let cure = format!(
                    "pcs resource op remove {} monitor interval={} role={role}; pcs resource op add {} monitor interval={}s timeout=5s role={role}",
                    server.id,
                    op.interval,
                    server.id,
                    op.interval_ms / 1000 + 1
                );
                found.push(Finding::new(&at(file, op.line), what, cure));
            }
        }
    }
    Ok(found)
}

pub(super) fn monitor_interval(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let all = instances.iter().flat_map(|i| i.primitive.operations.iter().map(|op| (i.primitive, op)));
    let seldom =
        all.filter(|(_, op)| op.name == "monitor" && op.recurs() && op.interval_ms > LONGEST_MONITOR_MS);
    let finding = |(server, op): (&Resource, &Op)| {
        let role = op.role.as_ref().map_or(String::new(), |r| format!(" role={r}"));
        let cure = format!(
            "pcs resource op remove {} monitor interval={}{role}; pcs resource op add {} monitor interval=3s timeout=5s{role}",
            server.id, op.interval, server.id
        );
        Finding::new(
            &at(file, op.line),
            format!("{} has the interval {}", named(server, op), op.interval),
            cure,
        )
    };
    Ok(seldom.map(finding).collect())
}

pub(super) fn on_fail(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let mut found = Vec::new();
    for server in file.content.resources.iter().filter(|r| !r.operations.is_empty()) {
        let is_instance = instances.iter().any(|i| i.primitive.id == server.id);
        if !(is_instance || instances::is_address(server)) {
            continue;
        }
        for op in &server.operations {
            let wrong = op.on_fail.as_ref().filter(|v| {
                matches!(
                    v.value.to_ascii_lowercase().as_str(),
                    "ignore" | "nothing" | "block" | "stop" | "standby"
                )
            });
            let disabled = op.enabled.as_ref().filter(|_| !op.is_enabled() && op.name != "monitor");
            let (name, value, then) = match (wrong, disabled) {
                (Some(value), _) => ("on-fail", value, follows(&value.value)),
                (None, Some(value)) => ("enabled", value, "Pacemaker never runs it"),
                (None, None) => continue,
            };
            let cure = if value.line == op.line {
                update(&server.id, op, None)
            } else {
                format!("pcs resource op defaults update {name}=")
            };
            let what = format!("{} has {name}={}: {then}", named(server, op), value.value);
            found.push(Finding::new(&at(file, value.line), what, cure));
        }
    }
    Ok(found)
}

fn follows(on_fail: &str) -> &'static str {
    match on_fail {
        "block" => "after one failure it is left as it is",
        "stop" => "after one failure it stays stopped",
        "standby" => "after one failure the node stays on standby",
        _ => "a failure counts as a success",
    }
}

pub(super) fn timeouts(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let mut found = Vec::new();
    for instance in instances {
        let server = instance.primitive;
        for (name, least, advised) in LEAST_TIMEOUTS {
            let op = server.operations.iter().find(|op| op.name == name);
            let own = crate::cluster::cib::resources::OWN_TIMEOUT_MS;
            let timeout = op.map_or(own, Op::timeout_ms);
            if timeout >= least {
                continue;
            }
            let what = match op {
                Some(_) => format!(
                    "the {name} of {} has a timeout of {} s, below {}",
                    server.id,
                    timeout / 1000,
                    least / 1000
                ),
                None => format!(
                    "{} has no operation {name}: its timeout is Pacemaker's {} s, below {}",
                    server.id,
                    own / 1000,
                    least / 1000
                ),
            };
            let cure = match op {
                Some(op) => update(&server.id, op, Some(advised)),
                None => format!("pcs resource update {} op {name} interval=0s timeout={advised}", server.id),
            };
            found.push(Finding::new(&at(file, op.map_or(server.line, |op| op.line)), what, cure));
        }
    }
    Ok(found)
}

/// A node that has less than PostgreSQL is said to need.
pub(super) fn capacity(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let is_used = file.property("placement-strategy").is_some_and(|p| p.value != "default");
    let mut found = Vec::new();
    for instance in instances.iter().filter(|_| is_used) {
        for node in &file.content.node_attributes {
            for (name, needs) in &instance.primitive.utilization.plain {
                let number = |v: &Value| v.value.trim().parse::<i64>().unwrap_or_default();
                let has = node.utilization.get(name).map_or(0, number);
                if number(needs) <= has {
                    continue;
                }
                let what = format!(
                    "{} needs {name}={}, and {} has {has}",
                    instance.primitive.id, needs.value, node.name
                );
                let cure = format!(
                    "pcs node utilization {} {name}={}; or pcs property set placement-strategy=default",
                    node.name, needs.value
                );
                found.push(Finding::new(&at(file, needs.line), what, cure));
            }
        }
    }
    Ok(found)
}
