//! Faults of several machines, one after the other. The node that is named is the primary's.

use super::inject;
use super::signals::{self, Processes, Signal};
use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::host::error::{LabError, Result};
use crate::host::wait::{OnInterrupt, pause};
use crate::machines::protocol::Power;
use std::time::Duration;

/// In the middle of a failover: the loss is noticed after 3 s, the standby may take over after some 15 s.
const MEANWHILE: Duration = Duration::from_secs(5);

/// Longer than whoever looks after the quorum device's client may need to notice that it hangs, and to start it anew.
const NOTICED: Duration = Duration::from_secs(20);

/// The standby that would take over from this node.
pub(super) fn successor(cluster: &Cluster, node: &str) -> Result<String> {
    let seen = Observation::take(cluster)?;
    let instance =
        seen.site.instances.iter().find(|i| seen.primary_of(i) == Some(node)).ok_or_else(|| {
            LabError::Host(format!("it begins with a primary, which {node} is not; use --target primary"))
        })?;
    let standby = seen.best_standby(instance);
    standby.map(str::to_owned).ok_or_else(|| {
        LabError::Host(format!("no standby would take over from {node}; look with: quorate-lab status"))
    })
}

fn one_after_the_other(cluster: &Cluster, first: &str, second: &str, other: String) -> Result<Trace> {
    cluster.power_off(first)?;
    pause(MEANWHILE, OnInterrupt::Stop)?;
    cluster.power_off(second)?;
    Ok(Trace { others: vec![other], ..Trace::default() })
}

pub(super) fn witness_then_node(cluster: &Cluster, node: &str) -> Result<Trace> {
    let witness = cluster.site().witness.as_ref().map(|w| w.name.clone());
    let witness = witness.ok_or_else(|| LabError::Host("no witness to lose".to_owned()))?;
    one_after_the_other(cluster, &witness, node, witness.clone())
}

pub(super) fn second_fault(cluster: &Cluster, node: &str) -> Result<Trace> {
    let next = successor(cluster, node)?;
    one_after_the_other(cluster, node, &next, next.clone())
}

pub(super) fn standby_then_primary(cluster: &Cluster, node: &str) -> Result<Trace> {
    let next = successor(cluster, node)?;
    one_after_the_other(cluster, &next, node, next.clone())
}

/// What counts as an outage then is the switchover and the failover together: the role has just come to a standby that has had
/// no monitor as a primary yet, and the one that could follow it had none as its standby.
pub(super) fn switchover_then_primary(cluster: &Cluster, node: &str) -> Result<Trace> {
    let moved = inject::switchover(cluster, node)?;
    let (_, next) = moved.moved.ok_or_else(|| LabError::Host("the switchover went nowhere".to_owned()))?;
    cluster.power_off(&next)?;
    Ok(Trace { others: vec![next], ..Trace::default() })
}

/// The survivor's vote of the quorum device hangs with its client, and nobody sees it before the primary is cut off.
pub(super) fn survivors_qdevice_then_unlink(cluster: &Cluster, node: &str) -> Result<Trace> {
    let next = successor(cluster, node)?;
    signals::send(cluster, &next, Processes::Of("corosync-qdevice"), Signal::Stop)?;
    pause(NOTICED, OnInterrupt::Stop)?;
    cluster.unlink(node)?;
    Ok(Trace { others: vec![next], ..Trace::default() })
}

pub(super) fn the_other_is_off(cluster: &Cluster, _: &str, trace: &Trace) -> Seen {
    let next = trace.others.first().ok_or("no role was moved")?;
    inject::power_is_off(cluster, next, trace)
}

pub(super) fn all_are_off(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let both: Vec<&str> = trace.others.iter().map(String::as_str).chain([node]).collect();
    for name in &both {
        if cluster.node(name).map_err(|e| e.to_string())?.power == Power::On {
            return Err(format!("{name} is still on"));
        }
    }
    Ok(format!("{} are off", both.join(" and ")))
}
