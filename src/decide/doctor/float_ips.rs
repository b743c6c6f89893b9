//! Float IPs, and what PostgreSQL's place depends on.

use super::facts::Facts;
use super::instances::{self, Instance, at, clone_of, is_address};
use super::rule::{Finding, Outcome};
use crate::cluster::cib::constraints::Colocation;
use crate::cluster::cib::resources::Resource;
use crate::cluster::cib::{Cib, INFINITY};

/// Constraints from one resource to the next: more is a circle.
const LONGEST: usize = 8;

fn resource<'a>(cib: &'a Cib, id: &str) -> Option<&'a Resource> {
    cib.resources.iter().find(|r| r.id == id)
}

/// Whether an id is PostgreSQL's clone or its primitive.
fn is_instance(instances: &[Instance<'_>], id: &str) -> bool {
    instances.iter().any(|i| i.primitive.is_named(id))
}

/// What a float IP follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    Primary,
    /// A standby, or the primary where there is none.
    Standby,
    /// Whatever instance.
    Any,
    Nothing,
}

fn follows(cib: &Cib, ip: &Resource, depth: usize) -> Follows {
    let instances = instances::of(cib);
    let own: Vec<&Colocation> =
        cib.constraints.colocations.iter().filter(|c| ip.is_named(&c.resource)).collect();
    let to_server = |c: &&&Colocation| is_instance(&instances, &c.with);
    let strict = |c: &&&Colocation| c.score >= INFINITY;
    let promoted = |c: &Colocation| c.with_role.as_deref() == Some("Promoted");
    let servers: Vec<&&Colocation> = own.iter().filter(to_server).collect();
    if servers.iter().any(|c| c.score >= INFINITY && promoted(c)) {
        return Follows::Primary;
    }
    if servers.iter().any(|c| c.score >= INFINITY && c.with_role.as_deref() == Some("Unpromoted")) {
        return Follows::Standby;
    }
    if servers.iter().any(|c| c.score >= INFINITY) {
        let away = servers.iter().any(|c| c.score < 0 && promoted(c));
        return if away { Follows::Standby } else { Follows::Any };
    }
    // With another resource that follows PostgreSQL; what is in one group follows together.
    let others = own.iter().filter(strict).filter_map(|c| resource(cib, &c.with));
    let found = others.filter(|_| depth < LONGEST).map(|other| follows(cib, other, depth + 1));
    found.into_iter().find(|f| *f != Follows::Nothing).unwrap_or(Follows::Nothing)
}

/// Whether a float IP is where the primary is.
pub(super) fn follows_the_primary(cib: &Cib, ip: &Resource) -> bool {
    follows(cib, ip, 0) == Follows::Primary
}

/// The clone that a cure names.
fn clone(cib: &Cib) -> String {
    instances::of(cib).first().map_or_else(|| "CLONE".to_owned(), |i| i.id().to_owned())
}

pub(super) fn follow(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let cib = &file.content;
    if instances.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for ip in cib.resources.iter().filter(|r| is_address(r)) {
        if let Some(clone) = clone_of(cib, ip).filter(|c| !c.flag("globally-unique", false)) {
            let what =
                format!("{} is in the clone {}: several nodes have the address at once", ip.id, clone.id);
            found.push(Finding::new(&at(file, ip.line), what, format!("pcs resource unclone {}", clone.id)));
            continue;
        }
        let whole = ip.within.last().unwrap_or(&ip.id);
        let add =
            format!("pcs constraint colocation add {whole} with Promoted {} score=INFINITY", clone(cib));
        let own = cib
            .constraints
            .colocations
            .iter()
            .find(|c| ip.is_named(&c.resource) && is_instance(&instances, &c.with) && c.score >= 0);
        let line = own.map_or(ip.line, |c| c.line);
        let (what, cure) = match (follows(cib, ip, 0), own) {
            (Follows::Primary | Follows::Standby, _) => continue,
            (Follows::Any, Some(own)) => (
                format!("{} follows any instance, not the primary: {} names no role", ip.id, own.id),
                format!("pcs constraint delete {} && {add}", own.id),
            ),
            (Follows::Nothing, Some(own)) => (
                format!("{} follows PostgreSQL only with a score of {}: {}", ip.id, own.score, own.id),
                format!("pcs constraint delete {} && {add}", own.id),
            ),
            (Follows::Any | Follows::Nothing, None) => {
                (format!("no colocation binds {} to the primary", ip.id), add)
            }
        };
        found.push(Finding::new(&at(file, line), what, cure));
    }
    let mut ips = cib.resources.iter().filter(|r| is_address(r));
    let nobodys = found.is_empty() && !ips.clone().any(|ip| follows_the_primary(cib, ip));
    if let Some(ip) = ips.next().filter(|_| nobodys) {
        let whole = ip.within.last().unwrap_or(&ip.id);
        let add =
            format!("pcs constraint colocation add {whole} with Promoted {} score=INFINITY", clone(cib));
        let what = format!("no float IP follows the primary: {} is a standby's", ip.id);
        found.push(Finding::new(&at(file, ip.line), what, add));
    }
    Ok(found)
}

pub(super) fn order(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let cib = &file.content;
    let mut found = Vec::new();
    for ip in cib.resources.iter().filter(|r| is_address(r) && follows_the_primary(cib, r)) {
        let orders: Vec<_> = cib
            .constraints
            .orders
            .iter()
            .filter(|o| is_instance(&instances, &o.first) && ip.is_named(&o.then) && o.then_action == "start")
            .collect();
        if orders.iter().any(|o| o.first_action == "promote" && o.is_mandatory) {
            continue;
        }
        // Bound to another resource that is ordered.
        let is_bound = cib
            .constraints
            .colocations
            .iter()
            .any(|c| ip.is_named(&c.resource) && is_instance(&instances, &c.with));
        if !is_bound {
            continue;
        }
        let whole = ip.within.last().unwrap_or(&ip.id);
        let add = format!(
            "pcs constraint order promote {} then start {whole} symmetrical=false kind=Mandatory",
            clone(cib)
        );
        let (line, what, cure) = match orders.first() {
            Some(order) => {
                let why = if order.is_mandatory {
                    format!("{} is started after {} and not after promote", ip.id, order.first_action)
                } else {
                    format!("{} is started after the promotion only where both happen at once", ip.id)
                };
                (
                    order.line,
                    format!("{why}: {}", order.id),
                    format!("pcs constraint delete {} && {add}", order.id),
                )
            }
            None => (ip.line, format!("nothing says that {} is started after the promotion", ip.id), add),
        };
        found.push(Finding::new(&at(file, line), what, cure));
    }
    Ok(found)
}

pub(super) fn postgres_follows(facts: &Facts) -> Outcome {
    let (file, instances) = instances::known(facts)?;
    let cib = &file.content;
    let is_ip = |id: &str| {
        cib.resources
            .iter()
            .any(|r| is_address(r) && r.is_named(id) && !instances.iter().any(|i| i.primitive.is_named(id)))
    };
    let mut found = Vec::new();
    for colocation in cib.constraints.colocations.iter().filter(|c| is_instance(&instances, &c.resource)) {
        let c = colocation;
        let why = if c.score >= 0 && is_ip(&c.with) && c.score > 0 {
            "where the address can't be, nobody is promoted"
        } else if c.score <= -INFINITY && is_ip(&c.with) {
            "where the address is, PostgreSQL may not be"
        } else if c.score <= -INFINITY && is_instance(&instances, &c.with) && cib.nodes.len() <= 2 {
            "one node can't take all primaries over"
        } else {
            continue;
        };
        let what = format!("{} follows {} ({}): {why}", c.resource, c.with, c.id);
        found.push(Finding::new(&at(file, c.line), what, format!("pcs constraint delete {}", c.id)));
    }
    for order in cib.constraints.orders.iter().filter(|o| o.is_mandatory && is_instance(&instances, &o.then))
    {
        if is_ip(&order.first)
            && matches!(order.first_action.as_str(), "start" | "promote")
            && matches!(order.then_action.as_str(), "start" | "promote")
        {
            let what = format!(
                "{} waits for {} before it is {}ed: {}",
                order.then,
                order.first,
                order.then_action.trim_end_matches('e'),
                order.id
            );
            found.push(Finding::new(
                &at(file, order.line),
                what,
                format!("pcs constraint delete {}", order.id),
            ));
        }
    }
    Ok(found)
}
