//! Whether a cluster is whole: as redundant as it was designed, and ready for the next fault.

use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::error::{LabError, Result};
use super::layout::RESOURCE;
use super::observe::{Database, Observation};
use super::protocol::{Activity, Cable, NodeKind, Power};
use super::wait::{OnInterrupt, interrupted, pause};
use crate::cluster::crm_mon::{Role, Status};

/// A cluster counts as whole when it stayed so for this long: a fencing loop looks whole in between.
const STABLE: Duration = Duration::from_secs(3);

/// What is missing for the cluster to be whole; empty when nothing is.
#[must_use]
pub fn problems(seen: &Observation) -> Vec<String> {
    let mut found = Vec::new();
    for node in &seen.nodes {
        let name = &node.info.name;
        if node.info.power == Power::Off {
            found.push(format!("{name} is powered off"));
        }
        if node.info.cable == Cable::Unlinked {
            found.push(format!("{name} has no network"));
        }
        if node.info.activity == Activity::Frozen {
            found.push(format!("{name} is frozen"));
        }
    }
    match &seen.status {
        Err(reason) => found.push(format!("Pacemaker does not answer: {reason}")),
        Ok(status) => in_pacemaker(seen, status, &mut found),
    }
    found
}

fn in_pacemaker(seen: &Observation, status: &Status, found: &mut Vec<String>) {
    if status.quorate != Some(true) {
        found.push("there is no quorum".to_owned());
    }
    let Some(primary) = seen.primary() else {
        let promoted = status.nodes_with_role(RESOURCE, &Role::Promoted);
        found.push(if promoted.is_empty() {
            "nothing is promoted".to_owned()
        } else {
            format!("more than one is promoted: {}", promoted.join(", "))
        });
        return;
    };
    for node in seen.databases() {
        let name = node.info.name.as_str();
        match status.node(name) {
            Some(member) if member.online && !member.unclean && !member.pending && !member.standby => {}
            Some(member) => found.push(format!("{name} is no full member: {member:?}")),
            None => found.push(format!("{name} is not in the cluster")),
        }
        if name != primary {
            standby(status, name, node.database.as_ref(), found);
        }
    }
    let standbys = seen.nodes.iter().filter(|n| n.info.kind == NodeKind::Database).count().saturating_sub(1);
    streaming(seen, primary, standbys, found);
    for instance in status.instances.iter().filter(|i| i.failed || i.blocked || !i.managed) {
        found.push(format!(
            "{} is failed, blocked or unmanaged on {}",
            instance.resource,
            instance.nodes.join(", ")
        ));
    }
    match status.node_of("primary-ip") {
        Some(node) if node == primary => {}
        other => {
            found.push(format!("primary-ip is on {}, the primary is {primary}", other.unwrap_or("no node")))
        }
    }
    match status.node_of("standby-ip") {
        Some(node) if node != primary => {}
        Some(_) => found.push("standby-ip is on the primary".to_owned()),
        None => found.push("standby-ip is on no node".to_owned()),
    }
}

fn standby(status: &Status, name: &str, database: Option<&Database>, found: &mut Vec<String>) {
    match status.role_on(RESOURCE, name) {
        Some(Role::Unpromoted) => {}
        other => found.push(format!("{name} is no standby in Pacemaker: {other:?}")),
    }
    // Without a positive score the cluster has nobody to promote: it is not ready for a fault.
    match status.promotion_score(RESOURCE, name) {
        Some(score) if score == "INFINITY" || score.parse::<i64>().is_ok_and(|s| s > 0) => {}
        Some(score) => found.push(format!("{name} is no candidate: its promotion score is {score}")),
        None => found.push(format!("{name} is no candidate: it has no promotion score")),
    }
    match database {
        Some(Database::Answers { in_recovery: true, upstream: Some(_), .. }) => {}
        Some(Database::Silent(reason)) => {
            found.push(format!("PostgreSQL on {name} does not answer: {reason}"))
        }
        other => found.push(format!("{name} does not stream: {other:?}")),
    }
}

fn streaming(seen: &Observation, primary: &str, wanted: usize, found: &mut Vec<String>) {
    match seen.databases().find(|n| n.info.name == primary).and_then(|n| n.database.as_ref()) {
        Some(Database::Answers { in_recovery: false, standbys, .. }) if *standbys as usize >= wanted => {}
        Some(Database::Answers { in_recovery: false, standbys, .. }) => {
            found.push(format!("{standbys} of {wanted} standbys stream from {primary}"));
        }
        other => found.push(format!("the primary {primary} is none to PostgreSQL: {other:?}")),
    }
}

/// Waits until the cluster is whole and stays so for a while; returns the last observation.
///
/// # Errors
/// [`LabError::Timeout`] with what is still missing, or [`LabError::Interrupted`].
pub fn wait_whole(cluster: &Cluster, limit: Duration, on_interrupt: OnInterrupt) -> Result<Observation> {
    wait_whole_unless(cluster, limit, on_interrupt, |_| false)
}

/// As [`wait_whole`], and fails as soon as `hopeless` says that waiting is of no use.
///
/// # Errors
/// As [`wait_whole`]; a hopeless cluster is a [`LabError::Timeout`] with the time that had passed.
pub fn wait_whole_unless(
    cluster: &Cluster,
    limit: Duration,
    on_interrupt: OnInterrupt,
    mut hopeless: impl FnMut(&Observation) -> bool,
) -> Result<Observation> {
    let started = Instant::now();
    let end = Instant::now() + limit;
    let mut whole_since: Option<Instant> = None;
    loop {
        let seen = Observation::take(cluster)?;
        let missing = problems(&seen);
        if missing.is_empty() {
            let since = *whole_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= STABLE {
                return Ok(seen);
            }
        } else {
            whole_since = None;
            if Instant::now() >= end || hopeless(&seen) {
                return Err(LabError::Timeout {
                    what: "the cluster whole again".to_owned(),
                    seconds: started.elapsed().as_secs(),
                    last: format!("; missing: {}", missing.join("; ")),
                });
            }
        }
        if on_interrupt == OnInterrupt::Stop && interrupted() {
            return Err(LabError::Interrupted);
        }
        pause(Duration::from_secs(1), on_interrupt)?;
    }
}
