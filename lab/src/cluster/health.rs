//! Whether a cluster is whole: as redundant as it was designed, and ready for the next fault.

use std::time::{Duration, Instant};

use super::observe::{Database, Observation};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::wait::{LOOK, OnInterrupt, interrupted, pause};
use crate::machines::protocol::{Activity, Cable, Impairment, Power};
use quorate::cluster::corosync;
use quorate::cluster::crm_mon::{Role, Status};
use quorate::layout::kind::Sharing;
use quorate::layout::site::Instance;

/// A cluster counts as whole when it stayed so for this long: a fencing loop looks whole in between.
pub const STABLE: Duration = Duration::from_secs(3);

/// What is missing for the cluster to be whole; empty when nothing is.
#[must_use]
pub fn problems(seen: &Observation) -> Vec<String> {
    let mut found = lacking(seen);
    if let Ok(status) = &seen.status {
        for instance in &seen.site.instances {
            candidates(seen, status, instance, &mut found);
        }
    }
    found
}

/// What is missing for the cluster to do its service in full. It may still have nobody to promote: PAF finds that out in
/// its next monitor.
#[must_use]
pub fn lacking(seen: &Observation) -> Vec<String> {
    let mut found = Vec::new();
    for node in &seen.nodes {
        let name = &node.info.name;
        if node.info.power == Power::Off {
            found.push(format!("{name} is powered off"));
        }
        if node.info.cable == Cable::Unlinked {
            found.push(format!("{name} has no network"));
        }
        if node.info.impairment != Impairment::NONE {
            found.push(format!("{name} loses packets"));
        }
        if !node.info.apart_from.is_empty() {
            found.push(format!("{name} is cut off from {}", node.info.apart_from.join(", ")));
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
    for node in seen.databases() {
        let name = node.info.name.as_str();
        match status.node(name) {
            Some(member) if member.online && !member.unclean && !member.pending && !member.standby => {}
            Some(member) => found.push(format!("{name} is no full member: {member:?}")),
            None => found.push(format!("{name} is not in the cluster")),
        }
    }
    for instance in &seen.site.instances {
        in_instance(seen, status, instance, found);
    }
    for instance in status.instances.iter().filter(|i| i.failed || i.blocked || !i.managed) {
        found.push(format!(
            "{} is failed, blocked or unmanaged on {}",
            instance.resource,
            instance.nodes.join(", ")
        ));
    }
}

fn in_instance(seen: &Observation, status: &Status, instance: &Instance, found: &mut Vec<String>) {
    let names = seen.site.names(instance);
    let Some(primary) = seen.primary_of(instance) else {
        let promoted = seen.with_role(instance, &Role::Promoted);
        found.push(if promoted.is_empty() {
            format!("no {} is promoted", names.resource())
        } else {
            format!("more than one {} is promoted: {}", names.resource(), promoted.join(", "))
        });
        return;
    };
    for node in seen.databases().filter(|n| n.info.name != primary) {
        standby(seen, status, instance, &node.info.name, found);
    }
    let standbys = seen.databases().count().saturating_sub(1);
    match seen.database(primary, instance) {
        Some(Database::Answers { in_recovery: false, standbys: now, .. }) if *now as usize >= standbys => {}
        Some(Database::Answers { in_recovery: false, standbys: now, .. }) => {
            found.push(format!("{now} of {standbys} standbys of {} stream from {primary}", names.resource()));
        }
        other => found.push(format!("the primary {primary} is none to PostgreSQL: {other:?}")),
    }
    match status.node_of(&names.primary_ip()) {
        Some(node) if node == primary => {}
        other => found.push(format!(
            "{} is on {}, the primary is {primary}",
            names.primary_ip(),
            other.unwrap_or("no node")
        )),
    }
    standby_ips(seen, status, instance, primary, found);
}

fn standby(seen: &Observation, status: &Status, instance: &Instance, name: &str, found: &mut Vec<String>) {
    let resource = seen.site.names(instance).resource();
    match status.role_on(&resource, name) {
        Some(Role::Unpromoted) => {}
        other => found.push(format!("{resource} on {name} is no standby in Pacemaker: {other:?}")),
    }
    match seen.database(name, instance) {
        Some(Database::Answers { in_recovery: true, upstream: Some(_), .. }) => {}
        Some(Database::Silent(reason)) => {
            found.push(format!("PostgreSQL ({resource}) on {name} does not answer: {reason}"));
        }
        other => found.push(format!("{resource} on {name} does not stream: {other:?}")),
    }
}

/// Without a positive score the cluster has nobody to promote: it is not ready for a fault.
fn candidates(seen: &Observation, status: &Status, instance: &Instance, found: &mut Vec<String>) {
    let Some(primary) = seen.primary_of(instance) else { return };
    let resource = seen.site.names(instance).resource();
    for name in seen.databases().map(|n| n.info.name.as_str()).filter(|name| *name != primary) {
        match status.promotion_score(&resource, name) {
            Some(score) if score == "INFINITY" || score.parse::<i64>().is_ok_and(|s| s > 0) => {}
            Some(score) => {
                found.push(format!("{resource} on {name} is no candidate: its promotion score is {score}"));
            }
            None => found.push(format!("{resource} on {name} is no candidate: it has no promotion score")),
        }
    }
}

/// All standbys are there: none of their float IPs is on the primary, and they are apart as far as they can be.
fn standby_ips(
    seen: &Observation,
    status: &Status,
    instance: &Instance,
    primary: &str,
    found: &mut Vec<String>,
) {
    let (names, named) = (seen.site.names(instance), found.len());
    let (count, standbys) = (instance.standby_ips.len(), seen.databases().count().saturating_sub(1));
    let apart = count.min(standbys);
    // Where each has to have a node of its own, those that are left over are down.
    let mut spare = match seen.site.kind.sharing() {
        Sharing::Never => count - apart,
        Sharing::Avoided => 0,
    };
    let mut places: Vec<&str> = Vec::new();
    for ip in (0..count).map(|index| names.standby_ip(index, count)) {
        match status.node_of(&ip) {
            Some(node) if node == primary => found.push(format!("{ip} is on the primary")),
            Some(node) => places.push(node),
            None if spare > 0 => spare -= 1,
            None => found.push(format!("{ip} is on no node")),
        }
    }
    places.sort_unstable();
    places.dedup();
    // One that is nowhere or on the primary was named already.
    if found.len() == named && places.len() < apart {
        found.push(format!("the {count} float IPs of standbys are on {} alone", places.join(" and ")));
    }
}

/// Whether the quorum device has a vote on each node; asked of the nodes themselves, because Pacemaker doesn't know.
///
/// # Errors
/// The first node on which it has none.
pub fn quorum_device(cluster: &Cluster) -> std::result::Result<(), String> {
    if cluster.site().witness.is_none() {
        return Ok(());
    }
    for node in &cluster.site().nodes {
        let asked = cluster.exec(&node.name, &["corosync-qdevice-tool", "-s"], Duration::from_secs(5));
        let answer = asked.map_err(|e| e.to_string())?;
        if !corosync::quorum_device_is_connected(&answer.stdout) {
            return Err(format!("the quorum device's client on {} isn't connected", node.name));
        }
    }
    Ok(())
}

/// Waits until the cluster is whole and stays so for a while; returns the last observation.
///
/// # Errors
/// [`LabError::Timeout`] with what is still missing, or [`LabError::Interrupted`].
pub fn wait_whole(cluster: &Cluster, limit: Duration, on_interrupt: OnInterrupt) -> Result<Observation> {
    wait_whole_for(cluster, STABLE, limit, on_interrupt)
}

/// As [`wait_whole`], and stays so for `stable`.
///
/// # Errors
/// As there.
pub fn wait_whole_for(
    cluster: &Cluster,
    stable: Duration,
    limit: Duration,
    on_interrupt: OnInterrupt,
) -> Result<Observation> {
    wait_for(cluster, (stable, limit), on_interrupt, |_| false)
}

/// As [`wait_whole`], and fails as soon as `hopeless` says that waiting is of no use.
///
/// # Errors
/// As [`wait_whole`]; a hopeless cluster is a [`LabError::Timeout`] with the time that had passed.
pub fn wait_whole_unless(
    cluster: &Cluster,
    limit: Duration,
    on_interrupt: OnInterrupt,
    hopeless: impl FnMut(&Observation) -> bool,
) -> Result<Observation> {
    wait_for(cluster, (STABLE, limit), on_interrupt, hopeless)
}

fn wait_for(
    cluster: &Cluster,
    (stable, limit): (Duration, Duration),
    on_interrupt: OnInterrupt,
    mut hopeless: impl FnMut(&Observation) -> bool,
) -> Result<Observation> {
    let started = Instant::now();
    let end = Instant::now() + limit;
    let mut whole_since: Option<Instant> = None;
    loop {
        let seen = Observation::take(cluster)?;
        let mut missing = problems(&seen);
        if missing.is_empty() {
            missing.extend(quorum_device(cluster).err());
        }
        if missing.is_empty() {
            let since = *whole_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= stable {
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
        pause(LOOK, on_interrupt)?;
    }
}

#[cfg(test)]
mod tests;
