//! What Pacemaker was told to leave alone is left alone here too: the cluster, this node, a resource.

use std::path::Path;

use super::observation::{Maintenance, Sight};
use crate::cluster::cib::NodeState;

/// What Pacemaker is told of this node.
fn this_node(sight: &Sight) -> Option<&NodeState> {
    let name = sight.instances.iter().find_map(|i| i.instance.node.as_deref());
    sight.cluster.management.node(sight.node_id, name)
}

/// Nothing of this node is Pacemaker's concern.
pub(super) fn node(sight: &Sight) -> Option<String> {
    if sight.cluster.maintenance == Maintenance::On {
        return Some("the cluster is in maintenance mode".to_owned());
    }
    let of_node = || this_node(sight).and_then(|n| n.maintenance.clone());
    sight.cluster.management.cluster.clone().or_else(of_node).map(|what| format!("maintenance: {what}"))
}

/// This instance is not.
pub(super) fn instance(resource: &str, sight: &Sight) -> Option<String> {
    let of_resource = || sight.cluster.management.unmanaged.get(resource);
    node(sight).or_else(|| of_resource().map(|what| format!("{resource} is unmanaged: {what}")))
}

/// The instance whose data lies there is not.
pub(super) fn place(path: &Path, sight: &Sight) -> Option<String> {
    let there = sight.instances.iter().find(|i| path.starts_with(&i.instance.pgdata));
    there.map_or_else(|| node(sight), |i| instance(&i.instance.resource, sight))
}

/// Nobody is promoted on this node.
pub(super) fn standby(sight: &Sight) -> Option<String> {
    this_node(sight).and_then(|n| n.standby.clone())
}
