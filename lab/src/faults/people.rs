//! What people do, by ordinary means, each of which has lost acknowledged commits once (docs/durability.md).

use std::time::Duration;

use super::inject;
use super::several::successor;
use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::cluster::observe::{Observation, SOCKETS};
use crate::host::error::{LabError, Result};
use crate::host::wait::{OnInterrupt, pause, until};
use crate::machines::protocol::Power;
use quorate::cluster::crm_mon::Role;
use quorate::layout::site::Instance;

/// For a command inside a node that only looks.
pub(super) const QUICK: Duration = Duration::from_secs(10);
/// `pcs node standby --wait`, `pcs cluster stop`: until the cluster has settled.
pub(super) const SETTLED: Duration = Duration::from_secs(120);
/// Commits of the lab's clients that the other one alone has.
pub(super) const COMMITS: Duration = Duration::from_secs(3);
/// The cluster takes a lost node for reset after its watchdog's time.
const FENCED: Duration = Duration::from_secs(16);

/// The instance whose primary is on this node.
pub(super) fn primary_on<'a>(seen: &'a Observation, node: &str) -> Result<&'a Instance> {
    seen.site.instances.iter().find(|i| seen.primary_of(i) == Some(node)).ok_or_else(|| {
        LabError::Host(format!("it begins with a primary, which {node} is not; use --target primary"))
    })
}

/// An instance of which this node has a standby.
pub(super) fn standby_on<'a>(seen: &'a Observation, node: &str) -> Result<&'a Instance> {
    let standby = seen.site.instances.iter().find(|i| seen.primary_of(i) != Some(node));
    standby.ok_or_else(|| LabError::Host(format!("{node} has no standby; use --target standby")))
}

pub(super) fn run(cluster: &Cluster, node: &str, argv: &[&str], time: Duration) -> Result<()> {
    cluster.exec(node, argv, time)?.success(&argv.join(" ")).map(drop)
}

/// A statement, as the superuser whom nobody keeps out.
pub(super) fn sql(cluster: &Cluster, node: &str, instance: &Instance, statement: &str) -> Result<()> {
    let port = instance.port.to_string();
    let argv =
        ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-h", SOCKETS, "-p", &port, "-d", "postgres"];
    let argv: Vec<&str> = argv.into_iter().chain(["-c", statement]).collect();
    run(cluster, node, &argv, QUICK)
}

pub(super) fn data_directory(cluster: &Cluster, instance: &Instance) -> String {
    format!("/var/lib/postgresql/{}/{}", cluster.site().postgresql, instance.name)
}

/// The role has moved away from this node.
fn wait_moved(cluster: &Cluster, instance: &Instance, node: &str) -> Result<String> {
    let what = format!("{} has another primary than {node}", instance.name);
    until(&what, SETTLED, OnInterrupt::Stop, || {
        let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
        match seen.primary_of(instance) {
            Some(other) if other != node => Ok(other.to_owned()),
            Some(_) => Err("it has not moved".to_owned()),
            None => Err("there is none".to_owned()),
        }
    })
}

/// This node runs the instance no more.
pub(super) fn wait_stopped(cluster: &Cluster, instance: &Instance, node: &str) -> Result<()> {
    until(&format!("{} is stopped on {node}", instance.name), SETTLED, OnInterrupt::Stop, || {
        let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
        let runs = [Role::Promoted, Role::Unpromoted]
            .iter()
            .any(|role| seen.with_role(instance, role).contains(&node));
        if runs { Err("it runs".to_owned()) } else { Ok(()) }
    })
}

/// The primary goes into standby mode, another one acknowledges commits and loses its power, and the first one comes back: it has
/// seen a primary, and lacks what was acknowledged since.
pub(super) fn standby_then_power_off(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = primary_on(&seen, node)?.clone();
    run(cluster, node, &["pcs", "node", "standby", node, "--wait=60"], SETTLED)?;
    let next = wait_moved(cluster, &instance, node)?;
    pause(COMMITS, OnInterrupt::Stop)?;
    cluster.power_off(&next)?;
    pause(FENCED, OnInterrupt::Stop)?;
    run(cluster, node, &["pcs", "node", "unstandby", node], SETTLED)?;
    Ok(Trace { others: vec![next], ..Trace::default() })
}

/// All standbys go into standby mode: commits that wait for one would hang.
pub(super) fn standbys_away(cluster: &Cluster, node: &str) -> Result<Trace> {
    let others: Vec<String> =
        cluster.site().nodes.iter().map(|n| n.name.clone()).filter(|name| name != node).collect();
    for other in &others {
        run(cluster, node, &["pcs", "node", "standby", other, "--wait=60"], SETTLED)?;
    }
    Ok(Trace { others, ..Trace::default() })
}

pub(super) fn they_are_away(cluster: &Cluster, _: &str, trace: &Trace) -> Seen {
    let status = Observation::take(cluster).map_err(|e| e.to_string())?.status?;
    let here = status.nodes.iter().find(|n| trace.others.contains(&n.name) && !n.standby);
    match here {
        Some(node) => Err(format!("{} is not in standby mode", node.name)),
        None => Ok(format!("{} in standby mode", trace.others.join(", "))),
    }
}

/// Takes nodes out of standby mode.
pub(super) fn unstandby(cluster: &Cluster, seen: &Observation, mut note: impl FnMut(String, Result<()>)) {
    let Ok(status) = &seen.status else { return };
    let on = |name: &str| seen.databases().any(|n| n.info.name == name && n.info.power == Power::On);
    let Some(by) = status.nodes.iter().map(|n| n.name.as_str()).find(|name| on(name)) else { return };
    for node in status.nodes.iter().filter(|n| n.standby) {
        let result = run(cluster, by, &["pcs", "node", "unstandby", &node.name], SETTLED);
        note(format!("{} is in standby mode no more", node.name), result);
    }
}

/// A standby is promoted by hand: it writes on a timeline that no promotion of the cluster began.
pub(super) fn hand_promote(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = standby_on(&seen, node)?;
    sql(cluster, node, instance, "SELECT pg_catalog.pg_promote()")?;
    Ok(Trace::default())
}

/// A former primary is started by hand, as one, and writes; then its cluster services are started: a probe finds it promoted.
pub(super) fn hand_start(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = primary_on(&seen, node)?.clone();
    run(cluster, node, &["pcs", "cluster", "stop"], SETTLED)?;
    wait_moved(cluster, &instance, node)?;
    pause(COMMITS, OnInterrupt::Stop)?;
    let signal = format!("{}/standby.signal", data_directory(cluster, &instance));
    run(cluster, node, &["rm", "-f", &signal], QUICK)?;
    let version = cluster.site().postgresql.to_string();
    run(
        cluster,
        node,
        &["pg_ctlcluster", "--skip-systemctl-redirect", &version, &instance.name, "start"],
        SETTLED,
    )?;
    sql(cluster, node, &instance, "CREATE TABLE by_hand AS SELECT 666 AS i")?;
    run(cluster, node, &["pcs", "cluster", "start"], SETTLED)?;
    Ok(Trace::default())
}

/// The agent refuses it, and Pacemaker's list of failures says why.
pub(super) fn is_refused(cluster: &Cluster, node: &str, _: &Trace) -> Seen {
    let status = Observation::take(cluster).map_err(|e| e.to_string())?.status?;
    let failure = status.failures.iter().find(|f| f.node == node && !f.reason.is_empty());
    failure
        .map(|f| format!("{} on {node}: {}", f.operation, f.reason))
        .ok_or_else(|| "no failed action on it".to_owned())
}

/// A recovery target is left in the primary's postgresql.auto.conf, and its role moves: it would promote itself.
pub(super) fn recovery_target_left(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = primary_on(&seen, node)?.clone();
    sql(cluster, node, &instance, "ALTER SYSTEM SET recovery_target_action = 'promote'")?;
    sql(cluster, node, &instance, "ALTER SYSTEM SET recovery_target = 'immediate'")?;
    inject::switchover(cluster, node)
}

/// Takes it out again.
pub(super) fn forget_recovery_target(
    cluster: &Cluster,
    node: &str,
    mut note: impl FnMut(String, Result<()>),
) {
    for instance in &cluster.site().instances {
        let file = format!("{}/postgresql.auto.conf", data_directory(cluster, instance));
        let found = cluster.exec(node, &["grep", "-q", "^recovery_target", &file], QUICK);
        if found.is_ok_and(|output| output.success("grep").is_ok()) {
            let argv = ["sed", "-i", "/^recovery_target/d", &file];
            note(format!("no recovery target on {node}"), run(cluster, node, &argv, QUICK));
        }
    }
}

/// The primary and the standby that would take over lose their power in the same moment: what both had acknowledged, the others may
/// lack.
pub(super) fn pair(cluster: &Cluster, node: &str) -> Result<Trace> {
    let next = successor(cluster, node)?;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| cluster.power_off(&next));
        cluster.power_off(node)?;
        other
            .join()
            .unwrap_or_else(|_| Err(LabError::Host("the thread that cuts the power ended".to_owned())))
    })?;
    Ok(Trace { others: vec![next], ..Trace::default() })
}

/// All database nodes lose their power, and all but the primary's come back: one that comes back may lack its last commits.
pub(super) fn all_but_the_primary_return(cluster: &Cluster, node: &str) -> Result<Trace> {
    let names: Vec<String> = cluster.site().nodes.iter().map(|n| n.name.clone()).collect();
    cluster.power_off(node)?;
    let others: Vec<String> = names.into_iter().filter(|name| name != node).collect();
    for other in &others {
        cluster.power_off(other)?;
    }
    pause(COMMITS, OnInterrupt::Stop)?;
    for other in &others {
        cluster.power_on(other)?;
        cluster.start_cluster(other)?;
    }
    Ok(Trace { others, ..Trace::default() })
}

pub(super) fn the_others_are_back(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    inject::power_is_off(cluster, node, trace)?;
    let status = Observation::take(cluster).map_err(|e| e.to_string())?.status?;
    let away = trace.others.iter().find(|name| !status.nodes.iter().any(|n| n.name == **name && n.online));
    away.map_or_else(
        || Ok(format!("{node} is off, the others are back")),
        |name| Err(format!("{name} is not online yet")),
    )
}
