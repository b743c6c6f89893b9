//! Where Pacemaker may promote a resource: what constraints, failures and the health of a node forbid.

use super::constraints::{Location, Place};
use super::resources::{NodeAttributes, Resource, Shape};
use super::{Cib, INFINITY, boolean, score};

/// What the best standby's score is: a constraint has to weigh more to forbid its promotion.
pub const BEST_SCORE: i64 = 1000;

/// What a location is worth on a node; `None`: it does not count there, or nobody knows.
#[must_use]
pub fn worth(location: &Location, node: &NodeAttributes, now_s: Option<i64>) -> Option<i64> {
    match &location.place {
        Place::Node { name, score } => (*name == node.name).then_some(*score),
        Place::Rules(rules) => {
            let hold = rules.iter().filter(|rule| rule.holds(node, now_s) == Some(true));
            let scores: Vec<i64> = hold.filter_map(|rule| rule.score).collect();
            (!scores.is_empty()).then(|| sum(scores.into_iter()))
        }
    }
}

/// -INFINITY wins, then INFINITY.
fn sum(scores: impl Iterator<Item = i64> + Clone) -> i64 {
    if scores.clone().any(|s| s <= -INFINITY) {
        return -INFINITY;
    }
    scores.fold(0, i64::saturating_add).min(INFINITY)
}

/// A pattern is taken for one of a part of the name: anchors and `.*` at its ends are dropped.
#[must_use]
pub fn names(location: &Location, resource: &Resource) -> bool {
    location.resources.iter().any(|name| match name.strip_prefix('/').and_then(|n| n.strip_suffix('/')) {
        None => resource.is_named(name),
        Some(pattern) => {
            let part = pattern.trim_matches(['^', '$', '.', '*']);
            std::iter::once(&resource.id).chain(&resource.within).any(|id| id.contains(part))
        }
    })
}

/// What keeps a resource off a node.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Off the node at all.
    pub off: bool,
    /// Off the node as a primary.
    pub unpromoted: bool,
    /// Those that say so.
    pub by: Vec<&'a Location>,
}

/// What the constraints say of a resource on a node.
#[must_use]
pub fn kept<'a>(cib: &'a Cib, resource: &Resource, node: &NodeAttributes, now_s: Option<i64>) -> Kept<'a> {
    let all: Vec<&Location> = cib
        .constraints
        .locations
        .iter()
        .filter(|l| names(l, resource) && l.role.as_deref() != Some("Stopped"))
        .collect();
    let is_promotion = |l: &Location| l.role.as_deref() == Some("Promoted");
    let scores = |promotion: bool| -> Vec<i64> {
        all.iter().filter(|l| is_promotion(l) == promotion).filter_map(|l| worth(l, node, now_s)).collect()
    };
    let (here, promoted) = (scores(false), scores(true));
    let exclusive: Vec<&&Location> =
        all.iter().filter(|l| l.discovery.as_deref() == Some("exclusive")).collect();
    let is_left_out = !exclusive.is_empty() && exclusive.iter().all(|l| worth(l, node, now_s).is_none());
    let opt_in = cib.property("symmetric-cluster").is_some_and(|p| boolean(&p.value) == Some(false));
    let off = sum(here.iter().copied()) < 0 || is_left_out || (opt_in && here.is_empty());
    let unpromoted = off || sum(promoted.iter().copied()) < -BEST_SCORE + 1;
    let by = all.iter().filter(|l| worth(l, node, now_s).is_some_and(|s| s < 0)).copied().collect();
    Kept { off, unpromoted, by }
}

/// A resource that Pacemaker promotes nowhere on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    /// corosync's id of the node.
    pub node_id: Option<u32>,
    pub node: String,
    /// The primitive.
    pub resource: String,
    pub why: String,
}

/// All of them. Failures and most of health are known where the CIB has its status section. What holds at some times only bars
/// nothing: nobody may count on that a node is no help.
#[must_use]
pub fn barred(cib: &Cib, now_s: Option<i64>) -> Vec<Barred> {
    let mut found = Vec::new();
    let mut cib = cib.clone();
    cib.constraints.locations.retain(|location| match &location.place {
        Place::Node { .. } => true,
        Place::Rules(rules) => rules.iter().all(super::rule::Rule::has_sure_times),
    });
    let cib = &cib;
    for resource in cib.resources.iter().filter(|r| r.shape == Shape::Primitive) {
        for node in &cib.node_attributes {
            if let Some(why) = bar(cib, resource, node, now_s) {
                let (node_id, node) = (node.id.parse().ok(), node.name.clone());
                found.push(Barred { node_id, node, resource: resource.id.clone(), why });
            }
        }
    }
    found
}

fn bar(cib: &Cib, resource: &Resource, node: &NodeAttributes, now_s: Option<i64>) -> Option<String> {
    let on = |name: &str| cib.property(name).and_then(|p| boolean(&p.value)) == Some(true);
    if on("stop-all-resources") {
        return Some("stop-all-resources=true".to_owned());
    }
    let kept = kept(cib, resource, node, now_s);
    if kept.unpromoted {
        let by: Vec<&str> = kept.by.iter().map(|location| location.id.as_str()).collect();
        let by = if by.is_empty() { "no constraint allows it".to_owned() } else { by.join(", ") };
        return Some(format!("{} may not be promoted there: {by}", resource.id));
    }
    unhealthy(cib, resource, node).or_else(|| failed(resource, node))
}

/// A red attribute keeps everything off a node, a yellow one with the strategy for it.
fn unhealthy(cib: &Cib, resource: &Resource, node: &NodeAttributes) -> Option<String> {
    let strategy = cib.property("node-health-strategy").map(|p| p.value.as_str()).filter(|s| *s != "none")?;
    if resource.flag("allow-unhealthy-nodes", false) {
        return None;
    }
    let bad = |value: &str| value == "red" || (strategy == "only-green" && value == "yellow");
    let mut all = node.passing.plain.iter().chain(&node.lasting.plain);
    let (name, value) = all.find(|(name, value)| name.starts_with("#health") && bad(&value.value))?;
    Some(format!("{name}={}, with node-health-strategy {strategy}", value.value))
}

/// It failed there as often as `migration-threshold` allows; once for all where a start failed.
fn failed(resource: &Resource, node: &NodeAttributes) -> Option<String> {
    // Pacemaker's own is INFINITY; 0 is never.
    let threshold = resource.number("migration-threshold").unwrap_or(INFINITY);
    let of_it = |name: &str| {
        let rest = name.strip_prefix("fail-count-")?;
        let id = rest.split_once('#').map_or(rest, |(id, _)| id);
        let id = id.split_once(':').map_or(id, |(id, _)| id);
        (id == resource.id).then_some(())
    };
    let counts = node.passing.plain.iter().filter(|(name, _)| of_it(name).is_some());
    let count = counts.filter_map(|(_, v)| score(&v.value)).fold(0, i64::saturating_add).min(INFINITY);
    let barred = threshold > 0 && count >= threshold;
    barred.then(|| {
        let count = if count == INFINITY { "INFINITY".to_owned() } else { count.to_string() };
        format!("{} has failed there: fail-count {count}", resource.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::cib;

    const CIB: &str = include_str!("../../../tests/doctor/pcs/classic.xml");

    /// What bars PostgreSQL's promotion on the nodes, with this added after these texts.
    fn barred_with(added: &[(&str, &str)]) -> Vec<(Option<u32>, String)> {
        let mut text = CIB.to_owned();
        for (after, what) in added {
            assert!(text.contains(after), "{after}");
            text = text.replacen(after, &format!("{after}\n{what}"), 1);
        }
        let cib = cib::parse(&text).expect("a CIB");
        let all = barred(&cib, Some(1_790_000_000)).into_iter().filter(|b| b.resource == "pgsqld");
        all.map(|b| (b.node_id, b.why)).collect()
    }

    fn pair(name: &str, value: &str) -> String {
        format!("<nvpair id=\"x\" name=\"{name}\" value=\"{value}\"/>")
    }

    #[test]
    fn where_nothing_may_be_promoted() {
        assert_eq!(barred_with(&[]), []);
        let ban = |more: &str, score: &str| {
            format!(
                "<rsc_location id=\"cli-ban-pgsqld-clone-on-srv2\" rsc=\"pgsqld-clone\" node=\"srv2\" score=\"{score}\"{more}/>"
            )
        };
        for (more, score, bars) in [
            (" role=\"Promoted\"", "-INFINITY", true),
            ("", "-INFINITY", true),
            (" role=\"Promoted\"", "-100", false),
            (" role=\"Promoted\"", "100", false),
        ] {
            let found = barred_with(&[("<constraints>", &ban(more, score))]);
            let named = |(node, why): &(Option<u32>, String)| {
                *node == Some(2) && why.contains("cli-ban-pgsqld-clone-on-srv2")
            };
            assert_eq!(found.len() == 1 && found.iter().all(named), bars, "{more} {score}: {found:?}");
            assert!(bars || found.is_empty());
        }
        let options = "<cluster_property_set id=\"cib-bootstrap-options\">";
        assert_eq!(barred_with(&[(options, &pair("stop-all-resources", "true"))]).len(), 2);
    }

    fn of_srv2(attributes: &str) -> String {
        format!(
            "<status><node_state id=\"2\" uname=\"srv2\"><transient_attributes id=\"2\"><instance_attributes id=\"s\">\
             {attributes}</instance_attributes></transient_attributes></node_state></status>"
        )
    }

    #[test]
    fn where_it_failed_too_often_or_the_node_is_not_healthy() {
        let options = "<cluster_property_set id=\"cib-bootstrap-options\">";
        let meta = "<meta_attributes id=\"pgsqld-clone-meta_attributes\">";
        for (name, value, threshold, strategy, bars) in [
            ("fail-count-pgsqld#start_0", "INFINITY", "", "", true),
            ("fail-count-pgsqld#monitor_3000", "3", "", "", false),
            ("fail-count-pgsqld#monitor_3000", "3", "3", "", true),
            ("fail-count-pgsqld#monitor_3000", "2", "3", "", false),
            ("fail-count-pgsqld#monitor_3000", "9", "0", "", false),
            ("fail-count-pgsqld:1", "INFINITY", "", "", true),
            ("fail-count-other#start_0", "INFINITY", "", "", false),
            ("#health-smart", "red", "", "", false),
            ("#health-smart", "red", "", "none", false),
            ("#health-smart", "red", "", "migrate-on-red", true),
            ("#health-smart", "yellow", "", "migrate-on-red", false),
            ("#health-smart", "yellow", "", "only-green", true),
        ] {
            let (threshold, strategy) = (
                if threshold.is_empty() { String::new() } else { pair("migration-threshold", threshold) },
                if strategy.is_empty() { String::new() } else { pair("node-health-strategy", strategy) },
            );
            let status = of_srv2(&pair(name, value));
            let found =
                barred_with(&[(options, &strategy), (meta, &threshold), ("</configuration>", &status)]);
            let case = format!("{name}={value} {threshold} {strategy}: {found:?}");
            assert_eq!(
                found.iter().map(|(node, _)| *node).collect::<Vec<_>>(),
                if bars { vec![Some(2)] } else { vec![] },
                "{case}"
            );
        }
    }

    /// Nobody writes the CIB when a time comes or goes, and a node that is held for no help holds a reset back.
    #[test]
    fn a_ban_of_some_times_bars_nothing_but_until_its_end() {
        let rule = |expression: &str| {
            format!(
                "<rsc_location id=\"t\" rsc=\"pgsqld-clone\"><rule id=\"r\" score=\"-INFINITY\" boolean-op=\"and\">\
                 <expression id=\"e\" attribute=\"#uname\" operation=\"eq\" value=\"srv2\" type=\"string\"/>{expression}</rule></rsc_location>"
            )
        };
        for (expression, bars) in [
            ("<date_expression id=\"d\" operation=\"lt\" end=\"2040-01-01 00:00:00Z\"/>", true),
            ("<date_expression id=\"d\" operation=\"lt\" end=\"2020-01-01 00:00:00Z\"/>", false),
            ("<date_expression id=\"d\" operation=\"gt\" start=\"2040-01-01 00:00:00Z\"/>", false),
            (
                "<date_expression id=\"d\" operation=\"date_spec\"><date_spec id=\"s\" hours=\"9-16\"/></date_expression>",
                false,
            ),
        ] {
            let found = barred_with(&[("<constraints>", &rule(expression))]);
            assert_eq!(!found.is_empty(), bars, "{expression}: {found:?}");
        }
    }
}
