//! What Pacemaker was told to leave alone is left alone here too: the cluster, this node, a resource. And where it promotes nobody.

use std::path::Path;

use super::observation::{Maintenance, NodeSnapshot};
use crate::cluster::cib::NodeState;
use crate::cluster::cib::allowed::Barred;

/// What Pacemaker is told of this node.
fn this_node(snapshot: &NodeSnapshot) -> Option<&NodeState> {
    let name = snapshot.instances.iter().find_map(|i| i.instance.node.as_deref());
    snapshot.cluster.management.node(snapshot.node_id, name)
}

/// Nothing of this node is Pacemaker's concern.
pub(super) fn node(snapshot: &NodeSnapshot) -> Option<String> {
    if snapshot.cluster.maintenance == Maintenance::On {
        return Some("the cluster is in maintenance mode".to_owned());
    }
    let of_node = || this_node(snapshot).and_then(|n| n.maintenance.clone());
    snapshot.cluster.management.cluster.clone().or_else(of_node).map(|what| format!("maintenance: {what}"))
}

/// This instance is not.
pub(super) fn instance(resource: &str, snapshot: &NodeSnapshot) -> Option<String> {
    let of_resource = || snapshot.cluster.management.unmanaged.get(resource);
    node(snapshot).or_else(|| of_resource().map(|what| format!("{resource} is unmanaged: {what}")))
}

/// The instance whose data lies there is not.
pub(super) fn place(path: &Path, snapshot: &NodeSnapshot) -> Option<String> {
    let there = snapshot.instances.iter().find(|i| path.starts_with(&i.instance.pgdata));
    there.map_or_else(|| node(snapshot), |i| instance(&i.instance.resource, snapshot))
}

/// Nobody is promoted on this node.
pub(super) fn standby(snapshot: &NodeSnapshot) -> Option<String> {
    this_node(snapshot).and_then(|n| n.standby.clone())
}

/// Nor an instance of this resource.
pub(super) fn barred<'a>(resource: &str, snapshot: &'a NodeSnapshot) -> Option<&'a str> {
    let name = snapshot.instances.iter().find_map(|i| i.instance.node.as_deref());
    let here = |b: &&Barred| match (b.node_id, snapshot.node_id) {
        (Some(id), Some(own)) => id == own,
        _ => Some(b.node.as_str()) == name,
    };
    let barred = snapshot.cluster.barred.iter().filter(here);
    barred.filter(|b| b.resource == resource).map(|b| b.why.as_str()).next()
}
