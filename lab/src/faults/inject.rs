//! How each fault is done, and by what it is recognised.

use std::time::Duration;

use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::host::error::{LabError, Result};
use crate::machines::disk::PACKAGE;
use crate::machines::protocol::{Activity, Cable, Impairment, Power};
use quorate::cluster::crm_mon::Role;

/// For a command inside a node that only looks or sends a signal.
const QUICK: Duration = Duration::from_secs(10);
/// `pcs resource move` waits until the cluster has settled, and takes the constraint away again.
const MOVE: Duration = Duration::from_secs(150);

/// All levels of the topology one after the other, on a busy host.
const FENCING: Duration = Duration::from_secs(60);

/// dpkg with its synchronous writes, on a busy disk.
const DPKG: Duration = Duration::from_secs(60);

/// Makes a newer package of the one that was installed and installs it; says which version that is.
const UPGRADE: &str = "set -e; version=$(dpkg-query -W -f '${Version}' quorate)+next; \
    dir=$(mktemp -d /var/tmp/quorate-upgrade.XXXXXX); trap 'rm -rf \"$dir\"' EXIT; \
    dpkg-deb --raw-extract \"/$1\" \"$dir/content\"; \
    sed -i \"s/^Version: .*/Version: $version/\" \"$dir/content/DEBIAN/control\"; \
    dpkg-deb -Znone --build \"$dir/content\" \"$dir/quorate.deb\" >&2; \
    dpkg -i \"$dir/quorate.deb\" >&2; echo \"$version\"";

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

/// By another database node that runs, as Pacemaker has it done after a `stop` that failed.
pub(super) fn fence(cluster: &Cluster, node: &str) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    let others = cluster.site().nodes.iter().map(|n| n.name.as_str()).filter(|name| *name != node);
    let mut by = others.filter(|name| cluster.node(name).is_ok_and(|n| n.power == Power::On));
    let by =
        by.next().ok_or_else(|| LabError::Host(format!("no other node is on that could fence {node}")))?;
    cluster.exec(by, &["stonith_admin", "--reboot", node], FENCING)?.success("stonith_admin --reboot")?;
    Ok(Trace { boots, ..Trace::default() })
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

pub(super) fn impair(cluster: &Cluster, node: &str, by: Impairment) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    cluster.impair(node, by)?;
    Ok(Trace { boots, ..Trace::default() })
}

pub(super) fn packets_are_lost(cluster: &Cluster, node: &str, by: Impairment) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    match (info.impairment == by, info.lost_packets) {
        (true, 0) => Err("no packet was lost yet".to_owned()),
        (true, lost) => Ok(format!("{lost} packets were lost")),
        (false, _) => Err(format!("its cables lose {:?}", info.impairment)),
    }
}

pub(super) fn pause_machine(cluster: &Cluster, node: &str, time: Duration) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    // Refused where one process runs on.
    cluster.pause(node, time)?;
    Ok(Trace { boots, ..Trace::default() })
}

pub(super) fn stands_still(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    match info.activity {
        Activity::Frozen => Ok("all its processes stand still, and its watchdogs with them".to_owned()),
        Activity::Running if info.boots > trace.boots => Ok("the node was reset since".to_owned()),
        Activity::Running => Ok("it stood still, and goes on".to_owned()),
    }
}

/// `node` has a primary, which gives its role away: to the standby that would be promoted next.
pub(super) fn switchover(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instances = &seen.site.instances;
    let instance = instances.iter().find(|i| seen.primary_of(i) == Some(node)).ok_or_else(|| {
        LabError::Host(format!(
            "a switchover starts from a primary, which {node} is not; use --target primary"
        ))
    })?;
    let destination = seen
        .best_standby(instance)
        .ok_or_else(|| LabError::Host("there is no standby to switch over to".to_owned()))?
        .to_owned();
    let names = seen.site.names(instance);
    let clone = names.clone_id();
    let argv = ["pcs", "resource", "move", &clone, &destination, "--promoted"];
    cluster.exec(node, &argv, MOVE)?.success(&argv.join(" "))?;
    Ok(Trace { moved: Some((names.resource(), destination)), ..Trace::default() })
}

pub(super) fn primary_moved(cluster: &Cluster, _: &str, trace: &Trace) -> Seen {
    let (resource, wanted) = trace.moved.as_ref().ok_or("nothing was moved")?;
    let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
    let status = seen.status?;
    match status.nodes_with_role(resource, &Role::Promoted).as_slice() {
        [one] if one == wanted => Ok(format!("{resource} is promoted on {wanted}")),
        others => Err(format!("promoted: {}", others.join(", "))),
    }
}

pub(super) fn upgrade(cluster: &Cluster, node: &str) -> Result<Trace> {
    let argv = ["sh", "-c", UPGRADE, "sh", PACKAGE];
    let version = cluster.exec(node, &argv, DPKG)?.success(&format!("upgrade of the package on {node}"))?;
    Ok(Trace { version: version.trim().to_owned(), ..Trace::default() })
}

pub(super) fn package_is_newer(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let argv = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", "quorate"];
    let found = cluster.exec(node, &argv, QUICK).map_err(|e| e.to_string())?.stdout;
    if found == format!("installed {}", trace.version) {
        Ok(format!("version {} is installed", trace.version))
    } else {
        Err(format!("dpkg says {found:?}"))
    }
}
