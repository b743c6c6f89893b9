//! What is slow and works: a network, a disk. Nothing of it is broken, so nobody is to be reset for it.

use std::time::{Duration, Instant};

use super::storage::device_of;
use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::machines::data_disk::KINDS;
use crate::machines::delay::Delay;
use crate::machines::throttle;

/// Each way: a distance of a continent, and a queue on the way.
const FAR: Delay = Delay { least: Duration::from_millis(80), jitter: Duration::from_millis(40) };
/// Writes in a second: a disk that is worn out, or shared with others that use it up.
const WRITES: u32 = 20;
/// For a command that writes a little, slowly.
const WRITE: Duration = Duration::from_secs(60);
/// Synced writes that are timed, each with its journal's.
const TRIALS: &str = "5";
/// A quick disk needs a tenth of it for these, a busy one half.
const SLOW: Duration = Duration::from_millis(200);

pub(super) fn network(cluster: &Cluster, node: &str) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    cluster.delay(node, Some(FAR))?;
    Ok(Trace { boots, ..Trace::default() })
}

pub(super) fn packets_are_late(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    match (info.delay, info.late_packets) {
        _ if info.boots > trace.boots => Ok("the node was reset since".to_owned()),
        (Some(_), 0) => Err("no packet was late yet".to_owned()),
        (Some(by), late) => Ok(format!(
            "{late} packets were {} to {} ms late",
            by.least.as_millis(),
            (by.least + by.jitter).as_millis()
        )),
        (None, _) => Err("its cables are quick".to_owned()),
    }
}

/// All of the node's own file systems: as where one disk is below them.
pub(super) fn disk(cluster: &Cluster, node: &str) -> Result<Trace> {
    let info = cluster.node(node)?;
    for kind in KINDS {
        throttle::limit(&device_of(cluster, node, kind.mount_point)?, WRITES, &info.cgroups)?;
    }
    Ok(Trace { boots: info.boots, ..Trace::default() })
}

pub(super) fn writes_are_slow(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    if info.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    let mut told = Vec::new();
    for place in KINDS.map(|kind| kind.mount_point) {
        let (file, count) = (format!("of={place}/quorate-lab-touch"), format!("count={TRIALS}"));
        let argv = ["dd", "if=/dev/zero", &file, "bs=4096", &count, "oflag=dsync", "status=none"];
        let began = Instant::now();
        let done = cluster.exec(node, &argv, WRITE).and_then(|out| out.success("dd").map(drop));
        done.map_err(|e| e.to_string())?;
        let took = began.elapsed();
        if took < SLOW {
            return Err(format!("{TRIALS} synced writes to {place} took {} ms", took.as_millis()));
        }
        told.push(format!("{place} {} ms", took.as_millis()));
    }
    Ok(format!("{TRIALS} synced writes took: {}", told.join(", ")))
}

/// Undoes it on a node that is on; says what it found.
pub(super) fn repair(cluster: &Cluster, node: &str, mut note: impl FnMut(String, Result<()>)) {
    let Ok(info) = cluster.node(node) else { return };
    for place in KINDS.map(|kind| kind.mount_point) {
        let lifted =
            device_of(cluster, node, place).and_then(|device| throttle::lift(&device, &info.cgroups));
        match lifted {
            Ok(true) => note(format!("{place} of {node} is quick"), Ok(())),
            Ok(false) => {}
            Err(e) => note(format!("{place} of {node} is quick"), Err(e)),
        }
    }
}
