//! Options of Pacemaker with which a failover is not what it should be: cluster properties, meta attributes, delays.

use super::facts::{At, Facts, File, Place};
use super::instances::{self, at, is_address, is_server, update};
use super::levels::delay_s;
use super::rule::{Finding, Outcome};
use crate::cluster::cib::resources::Resource;
use crate::cluster::cib::{Cib, Value, boolean, milliseconds, score};

/// What is wrong with a value: words for what follows.
type Judge = fn(&str) -> Option<&'static str>;

/// A property that breaks what is promised, and the value that does not.
struct Property {
    name: &'static str,
    judge: Judge,
    good: &'static str,
}

fn is(text: &str, value: bool) -> bool {
    boolean(text) == Some(value)
}

/// Below so many milliseconds.
fn below(text: &str, least_ms: i64) -> bool {
    milliseconds(text).is_some_and(|ms| ms < least_ms)
}

const HEALTHY: &str = "a healthy node that only takes its time is fenced";

const PROPERTIES: &[Property] = &[
    Property {
        name: "shutdown-lock",
        judge: |v| {
            is(v, true).then_some(
                "a float IP stays with a node that was stopped in order, and the primary goes on elsewhere without it",
            )
        },
        good: "false",
    },
    Property {
        name: "enable-startup-probes",
        judge: |v| {
            is(v, false).then_some(
                "what runs already is not seen: a server started by hand, an address that is up twice",
            )
        },
        good: "true",
    },
    Property {
        name: "stop-orphan-resources",
        judge: |v| {
            is(v, false)
                .then_some("a server or an address that is taken out of the configuration goes on running")
        },
        good: "true",
    },
    Property {
        name: "remove-after-stop",
        judge: |v| {
            is(v, true).then_some("a resource that was stopped is forgotten: nobody looks whether it runs")
        },
        good: "false",
    },
    Property {
        name: "stonith-max-attempts",
        judge: |v| {
            score(v).is_some_and(|n| n < LEAST_ATTEMPTS).then_some(
                "after a fencing that failed nobody tries again until the next recheck: nobody is promoted",
            )
        },
        good: "10",
    },
    Property {
        name: "cluster-recheck-interval",
        judge: |v| {
            (milliseconds(v) == Some(0)).then_some(
                "a fencing that was given up is not tried again, and a constraint's end not noticed",
            )
        },
        good: "15min",
    },
    Property {
        name: "cluster-delay",
        judge: |v| {
            below(v, 10_000)
                .then_some("an operation that uses its time up counts as lost before its result is there")
        },
        good: "60s",
    },
    Property { name: "election-timeout", judge: |v| below(v, 10_000).then_some(HEALTHY), good: "2min" },
    Property {
        name: "join-integration-timeout",
        judge: |v| below(v, 30_000).then_some(HEALTHY),
        good: "3min",
    },
    Property {
        name: "join-finalization-timeout",
        judge: |v| below(v, 60_000).then_some(HEALTHY),
        good: "30min",
    },
    Property {
        name: "shutdown-escalation",
        judge: |v| {
            below(v, 180_000)
                .then_some("a node that still writes a checkpoint while it stops is given up, and fenced")
        },
        good: "20min",
    },
    Property { name: "node-health-base", judge: negative_health, good: "0" },
    Property { name: "node-health-green", judge: negative_health, good: "0" },
];

/// Pacemaker's own is 10.
const LEAST_ATTEMPTS: i64 = 3;

fn negative_health(text: &str) -> Option<&'static str> {
    score(text).is_some_and(|n| n < 0).then_some("a healthy node may run nothing")
}

pub(super) fn properties(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let health = file.property("node-health-strategy").map_or_else(|| "none".to_owned(), |p| p.value);
    // Only these add scores of their own.
    let adds = matches!(health.as_str(), "progressive" | "custom");
    let mut found = Vec::new();
    for property in PROPERTIES.iter().filter(|p| adds || !p.name.starts_with("node-health")) {
        let Some(set) = file.property(property.name) else { continue };
        let Some(then) = (property.judge)(&set.value) else { continue };
        let what = format!("{} is {}: {then}", property.name, set.value);
        let cure = format!("pcs property set {}={}", property.name, property.good);
        found.push(Finding::new(&set.place, what, cure));
    }
    Ok(found)
}

/// A meta attribute of PostgreSQL's and the float IPs'.
const META: &[Property] = &[
    Property {
        name: "multiple-active",
        judge: |v| match v.trim().to_ascii_lowercase().as_str() {
            "block" => Some("where it runs twice it is left alone from then on"),
            "stop_only" => Some("where it runs twice it is stopped, and stays so"),
            "stop_unexpected" => Some("where it runs twice the one is trusted that may have been harmed"),
            _ => None,
        },
        good: "stop_start",
    },
    Property {
        name: "resource-stickiness",
        judge: |v| score(v).is_some_and(|n| n < 0).then_some("it moves away again and again"),
        good: "1",
    },
    Property {
        name: "allow-migrate",
        judge: |v| is(v, true).then_some("each move fails first: its agent can't migrate"),
        good: "false",
    },
    Property {
        name: "clone-min",
        judge: |v| {
            score(v).is_some_and(|n| n > 1).then_some(
                "the float IP waits for as many instances: after the loss of a node it is not started",
            )
        },
        good: "1",
    },
];

/// PostgreSQL and the float IPs.
fn watched(cib: &Cib) -> impl Iterator<Item = &Resource> {
    cib.resources.iter().filter(|r| is_server(r) || is_address(r))
}

/// The values of a name that count for a resource at times.
fn values<'a>(resource: &'a Resource, name: &'a str) -> impl Iterator<Item = (&'a Value, bool)> {
    let ruled = resource.meta.ruled.iter().filter(move |(n, v)| n == name && v.counts_for(&resource.agent));
    resource.meta(name).into_iter().map(|v| (v, false)).chain(ruled.map(|(_, v)| (v, true)))
}

/// Says it once for all resources that have the same value.
fn say(found: &mut Vec<Finding>, at: Place, id: &str, what: &str, cure: &str) {
    match found.iter_mut().find(|f| f.at == at && f.cure == cure && f.what.ends_with(what)) {
        Some(known) => known.what = format!("{id}, {}", known.what),
        None => found.push(Finding::new(&at, format!("{id}: {what}"), cure)),
    }
}

fn cure_of(name: &str, value: &Value, by_rule: bool, good: &str) -> String {
    match (&value.of, by_rule) {
        (_, true) => {
            format!("take {name} out of the set with a rule (line {}), pcs cluster edit", value.line)
        }
        (Some(id), false) => format!("pcs resource meta {id} {name}={good}"),
        (None, false) => format!("pcs resource defaults update {name}={good}"),
    }
}

pub(super) fn meta(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let mut found = Vec::new();
    for resource in watched(&file.content) {
        for property in META {
            for (value, by_rule) in values(resource, property.name) {
                let Some(then) = (property.judge)(&value.value) else { continue };
                let what = format!("{} is {}: {then}", property.name, value.value);
                let cure = cure_of(property.name, value, by_rule, property.good);
                say(&mut found, at(file, value.line), &resource.id, &what, &cure);
            }
        }
    }
    Ok(found)
}

/// Whether starts and promotions wait for the fencing of a lost node.
pub(super) fn requires(facts: &Facts) -> Outcome {
    const NAME: &str = "requires";
    let file = facts.cib.as_ref()?;
    let cib = &file.content;
    let unfences = |r: &Resource| {
        r.agent.starts_with("stonith:") && r.meta("provides").is_some_and(|v| v.value == "unfencing")
    };
    let has_unfencing = cib.resources.iter().any(unfences);
    let mut found = Vec::new();
    for resource in watched(cib) {
        for (value, by_rule) in values(resource, NAME) {
            let then = match value.value.trim().to_ascii_lowercase().as_str() {
                "nothing" => "it is started and promoted before a lost node is reset, without quorum too",
                "quorum" => "it is started and promoted before a lost node is reset",
                "unfencing" if !has_unfencing => {
                    "no device here unfences a node (provides=unfencing): it is started nowhere"
                }
                // Any other word is Pacemaker's own: fencing.
                _ => continue,
            };
            let what = format!("{NAME} is {}: {then}", value.value);
            let cure = cure_of(NAME, value, by_rule, "fencing");
            say(&mut found, at(file, value.line), &resource.id, &what, &cure);
        }
    }
    Ok(found)
}

/// Fence devices that need no delay: the watchdog's own time, and a notice, decide.
const DELAYS: [&str; 2] = ["pcmk_delay_base", "pcmk_delay_max"];
const UNDELAYED: [&str; 2] = ["stonith:fence_watchdog", "stonith:fence_quorate"];

/// What Pacemaker waits for before it fences a node with a higher priority; none where all have the same.
pub(super) fn priority_delay_ms(file: &File<Cib>) -> Option<At<i64>> {
    let set = file.property("priority-fencing-delay")?;
    let value = milliseconds(&set.value).filter(|ms| *ms > 0)?;
    let weighs = |r: &Resource| r.number("priority").is_some_and(|n| n != 0);
    file.content.resources.iter().any(weighs).then_some(At { value, place: set.place })
}

/// The longest delay of a fencing by the watchdog.
pub(super) fn fencing_delay_ms(file: &File<Cib>) -> i64 {
    let devices = file.content.primitives.iter().filter(|p| UNDELAYED.contains(&p.agent.as_str()));
    let own = devices.flat_map(|d| DELAYS.iter().filter_map(|name| d.parameters.get(*name)));
    let longest = own.map(|text| i64::from(delay_s(text)) * 1000).max().unwrap_or_default();
    longest + priority_delay_ms(file).map_or(0, |set| set.value)
}

pub(super) fn delays(facts: &Facts) -> Outcome {
    let (file, _) = instances::known(facts)?;
    let mut found = Vec::new();
    if let Some(set) =
        file.property("transition-delay").filter(|s| milliseconds(&s.value).is_some_and(|ms| ms > 0))
    {
        let what = format!("transition-delay is {}: each step of a failover waits for it", set.value);
        found.push(Finding::new(&set.place, what, "pcs property set transition-delay=0s"));
    }
    if let Some(set) = priority_delay_ms(file) {
        let what = format!(
            "priority-fencing-delay is {} s: the fencing of the primary's node begins so much later",
            set.value / 1000
        );
        found.push(Finding::new(&set.place, what, "pcs property set priority-fencing-delay=0"));
    }
    for device in file.content.primitives.iter().filter(|p| UNDELAYED.contains(&p.agent.as_str())) {
        for name in DELAYS {
            let Some(value) = device.parameters.get(name).filter(|v| delay_s(v) > 0) else { continue };
            let what = format!("{name} of {} is {value}: a fencing takes so much longer", device.id);
            let cure = format!("pcs stonith update {} {name}=", device.id);
            found.push(Finding::new(&at(file, device.line), what, cure));
        }
    }
    for resource in watched(&file.content) {
        for op in &resource.operations {
            let delayed = |v: &&Value| milliseconds(&v.value).is_some_and(|ms| ms > 0);
            let Some(value) = op.start_delay.as_ref().filter(delayed) else { continue };
            let what = format!(
                "the {} of {} has start-delay={}: it begins so much later",
                op.name, resource.id, value.value
            );
            let cure = if value.line == op.line {
                update(&resource.id, op, None)
            } else {
                "pcs resource op defaults update start-delay=".to_owned()
            };
            found.push(Finding::new(&at(file, value.line), what, cure));
        }
    }
    Ok(found)
}
