//! How each fault is done, and by what it is recognised.

use std::time::Duration;

use super::Trace;
use crate::cluster::crm_mon::Role;
use crate::lab::cluster::Cluster;
use crate::lab::error::{LabError, Result};
use crate::lab::layout::{CLONE, RESOURCE};
use crate::lab::observe::Observation;
use crate::lab::protocol::{Cable, Power};

/// For a command inside a node that only looks or sends a signal.
const QUICK: Duration = Duration::from_secs(10);
/// `pcs resource move` waits until the cluster has settled, and takes the constraint away again.
const MOVE: Duration = Duration::from_secs(150);

/// What the `happened` functions give: how one sees it, or why it can't be seen yet.
type Seen = std::result::Result<String, String>;

/// The node's postgres processes, the postmaster (lowest) first.
fn processes(cluster: &Cluster, node: &str) -> Result<Vec<i32>> {
    let out = cluster.exec(node, &["pgrep", "-x", "postgres"], QUICK)?;
    // 1: there is none.
    if out.status == 1 {
        return Ok(Vec::new());
    }
    let mut found: Vec<i32> =
        out.success("pgrep -x postgres")?.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    found.sort_unstable();
    Ok(found)
}

fn signal(cluster: &Cluster, node: &str, name: &str) -> Result<Trace> {
    let processes = processes(cluster, node)?;
    if processes.is_empty() {
        return Err(LabError::Host(format!(
            "no postgres process runs on {node}: nothing to send SIG{name} to"
        )));
    }
    // One process sends all the signals, so that the postmaster has no time to react to its children's
    // end. Those that were forked in between are caught by the name.
    cluster.exec(node, &["pkill", &format!("-{name}"), "-x", "postgres"], QUICK)?.success("pkill")?;
    Ok(Trace { processes, ..Trace::default() })
}

pub(super) fn postgres_kill(cluster: &Cluster, node: &str) -> Result<Trace> {
    signal(cluster, node, "KILL")
}

pub(super) fn postgres_stop(cluster: &Cluster, node: &str) -> Result<Trace> {
    signal(cluster, node, "STOP")
}

pub(super) fn processes_are_gone(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let now = match cluster.node(node) {
        Ok(info) if info.power == Power::Off => return Ok("the node is off".to_owned()),
        _ => processes(cluster, node).map_err(|e| e.to_string())?,
    };
    let left = trace.processes.iter().filter(|pid| now.contains(pid)).count();
    if left == 0 {
        Ok(format!("all {} processes are gone", trace.processes.len()))
    } else {
        Err(format!("{left} of {} processes are still there", trace.processes.len()))
    }
}

pub(super) fn processes_were_stopped(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let pids: Vec<String> = trace.processes.iter().map(i32::to_string).collect();
    let argv = ["ps", "-o", "stat=", "-p", &pids.join(",")];
    let out = cluster.exec(node, &argv, QUICK).map_err(|e| e.to_string())?;
    let states: Vec<&str> = out.stdout.split_whitespace().collect();
    // Gone is stopped and then killed by the cluster, which may be quick.
    match states.iter().filter(|s| !s.starts_with('T') && !s.starts_with('Z')).count() {
        0 => Ok(format!("{} processes are stopped", states.len())),
        running => Err(format!("{running} processes are not stopped")),
    }
}

pub(super) fn power_off(cluster: &Cluster, node: &str) -> Result<Trace> {
    cluster.power_off(node)?;
    Ok(Trace::default())
}

pub(super) fn shut_down(cluster: &Cluster, node: &str) -> Result<Trace> {
    cluster.exec(node, &["systemctl", "--no-block", "poweroff"], QUICK)?.success("systemctl poweroff")?;
    Ok(Trace::default())
}

pub(super) fn power_is_off(cluster: &Cluster, node: &str, _: &Trace) -> Seen {
    match cluster.node(node).map_err(|e| e.to_string())?.power {
        Power::Off => Ok("the node is off".to_owned()),
        Power::On => Err("the node is still on".to_owned()),
    }
}

pub(super) fn reset(cluster: &Cluster, node: &str) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    cluster.reset(node)?;
    Ok(Trace { boots, ..Trace::default() })
}

pub(super) fn was_booted_again(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    if info.boots > trace.boots && info.power == Power::On {
        Ok(format!("boot number {}", info.boots))
    } else {
        Err("it was not booted yet".to_owned())
    }
}

pub(super) fn unlink(cluster: &Cluster, node: &str) -> Result<Trace> {
    cluster.unlink(node)?;
    Ok(Trace::default())
}

pub(super) fn cable_is_out(cluster: &Cluster, node: &str, _: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    match (info.cable, info.power) {
        (Cable::Unlinked, _) => Ok("the cable is out".to_owned()),
        (Cable::Linked, Power::Off) => Ok("the node is off".to_owned()),
        (Cable::Linked, Power::On) => Err("the cable is still in".to_owned()),
    }
}

/// `node` is the primary that gives its role away; the other database node gets it.
pub(super) fn switchover(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    if seen.primary() != Some(node) {
        return Err(LabError::Host(format!(
            "a switchover starts from the primary, which {node} is not; use --target primary"
        )));
    }
    let destination = seen
        .standby()
        .ok_or_else(|| LabError::Host("there is no standby to switch over to".to_owned()))?
        .to_owned();
    let argv = ["pcs", "resource", "move", CLONE, &destination, "--promoted"];
    cluster.exec(node, &argv, MOVE)?.success(&argv.join(" "))?;
    Ok(Trace { destination: Some(destination), ..Trace::default() })
}

pub(super) fn primary_moved(cluster: &Cluster, _: &str, trace: &Trace) -> Seen {
    let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
    let status = seen.status?;
    let promoted = status.nodes_with_role(RESOURCE, &Role::Promoted);
    match (promoted.as_slice(), &trace.destination) {
        ([one], Some(wanted)) if one == wanted => Ok(format!("{wanted} is promoted")),
        _ => Err(format!("promoted: {}", promoted.join(", "))),
    }
}
