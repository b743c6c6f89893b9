//! A fork bomb: root's, in a service of the node's own systemd, until the node's limit of tasks is reached. The limit is
//! that of the node's control groups: host and other nodes live on.

use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::machines::cgroup;
use std::fs;
use std::time::Duration;

/// systemd of a node that can't fork answers all the same.
const QUICK: Duration = Duration::from_secs(15);
const UNIT: &str = "quorate-lab-fork-bomb.service";
/// The classic: a function that calls itself twice, in the background. The first process becomes one
/// that stays without a fork, or systemd would end the service and the bomb with it.
const BOMB: &str = "bomb() { bomb | bomb & }; bomb; wait; exec sleep infinity";

/// The tasks in the node's groups, and how many they may be.
fn tasks(cluster: &Cluster, node: &str) -> Result<Option<(u32, u32)>> {
    let number = |path| fs::read_to_string(path).ok()?.trim().parse::<u32>().ok();
    let groups = cluster.node(node)?.cgroups;
    Ok(groups.iter().find_map(|dir| Some((number(dir.join("pids.current"))?, number(dir.join("pids.max"))?))))
}

pub(super) fn explode(cluster: &Cluster, node: &str) -> Result<Trace> {
    if tasks(cluster, node)?.is_none() {
        return Err(LabError::Host(format!(
            "{node} has no limit of {} tasks on this host, and the bomb would hit the host: enable the control groups' pids controller, and bring the cluster up anew",
            cgroup::MAX_TASKS
        )));
    }
    let boots = cluster.node(node)?.boots;
    let unit = format!("--unit={UNIT}");
    let argv = [
        "systemd-run",
        "--quiet",
        "--collect",
        "--no-block",
        &unit,
        "--property=TasksMax=infinity",
        "--property=KillMode=control-group",
        "bash",
        "-c",
        BOMB,
    ];
    cluster.exec(node, &argv, QUICK)?.success("systemd-run of the fork bomb")?;
    Ok(Trace { boots, ..Trace::default() })
}

pub(super) fn tasks_are_used_up(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    if cluster.node(node).map_err(|e| e.to_string())?.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    match tasks(cluster, node).map_err(|e| e.to_string())? {
        Some((now, limit)) if now * 10 >= limit * 9 => Ok(format!("{now} of {limit} tasks are used")),
        other => Err(format!("tasks, and their limit: {other:?}")),
    }
}

/// Ends a fork bomb, where there is one: first it may not fork any more, or it would be quicker than the signals.
pub(super) fn defuse(cluster: &Cluster, node: &str) -> Option<Result<()>> {
    let state = cluster.exec(node, &["systemctl", "is-active", UNIT], QUICK).ok()?.stdout;
    if !matches!(state.trim(), "active" | "activating" | "deactivating") {
        return None;
    }
    let script = "systemctl set-property --runtime \"$1\" TasksMax=1; systemctl kill --signal=KILL \"$1\"; \
        systemctl stop \"$1\"";
    let argv = ["sh", "-c", script, "sh", UNIT];
    Some(
        cluster
            .exec(node, &argv, Duration::from_secs(60))
            .and_then(|out| out.success("ending the fork bomb").map(drop)),
    )
}
