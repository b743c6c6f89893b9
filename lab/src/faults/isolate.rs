//! A daemon hangs, and a little later the node is cut off: what it can't learn any more, it does not obey.

use std::time::Duration;

use super::inject;
use super::signals::{self, Processes, Signal};
use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::wait::{OnInterrupt, pause};

/// Stops the processes, waits, and pulls the cable.
pub(super) fn stop_then_unlink(
    cluster: &Cluster,
    node: &str,
    whom: Processes,
    after: Duration,
) -> Result<Trace> {
    let trace = signals::send(cluster, node, whom, Signal::Stop)?;
    pause(after, OnInterrupt::Stop)?;
    // One that goes on again hangs no more: then this would be measured as what it is not.
    signals::were_sent(cluster, node, Signal::Stop, &trace)
        .map_err(|why| LabError::Host(format!("before the cable of {node} was pulled, {why}")))?;
    cluster.unlink(node)?;
    Ok(trace)
}

/// That they were stopped was seen before the cable went.
pub(super) fn is_cut_off(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let cable = inject::cable_is_out(cluster, node, trace)?;
    Ok(format!("{} processes were stopped, and {cable}", trace.processes.len()))
}
