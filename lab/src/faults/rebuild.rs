//! What an operator does with a node whose data is of no use any more: a new copy of the primary's.

use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::cluster::observe::{Database, Observation};
use crate::host::error::{LabError, Result};
use crate::machines::protocol::Power;
use quorate::cluster::crm_mon::Role;
use quorate::layout::site::Instance;

/// Copying an almost empty data directory.
const COPY: Duration = Duration::from_secs(120);

/// The primary before a fault: an instance and its node.
#[derive(Debug, Clone)]
pub struct OldPrimary {
    pub instance: Instance,
    pub node: String,
    /// The nodes of the other instances' primaries.
    pub others: Vec<String>,
}

/// The nodes whose data has to be replaced, and of which instances: wherever there is neither the primary nor a standby
/// that streams. The old primary's, when nothing can be seen.
pub(super) fn broken(cluster: &Cluster, old: &OldPrimary) -> Vec<(String, Vec<Instance>)> {
    let fallback = || vec![(old.node.clone(), vec![old.instance.clone()])];
    let Ok(seen) = Observation::take(cluster) else { return fallback() };
    let found = broken_in(&seen);
    if found.is_empty() { fallback() } else { found }
}

fn broken_in(seen: &Observation) -> Vec<(String, Vec<Instance>)> {
    let node = |name: &str| -> Vec<Instance> {
        seen.site.instances.iter().filter(|i| is_broken(seen, name, i)).cloned().collect()
    };
    let nodes = seen.databases().map(|n| (n.info.name.clone(), node(&n.info.name)));
    nodes.filter(|(_, instances)| !instances.is_empty()).collect()
}

fn is_broken(seen: &Observation, node: &str, instance: &Instance) -> bool {
    // Without a primary there is nothing to copy from.
    match seen.primary_of(instance) {
        None => return false,
        Some(primary) if primary == node => return false,
        Some(_) => {}
    }
    let unpromoted = seen.with_role(instance, &Role::Unpromoted).contains(&node);
    let streams = matches!(
        seen.database(node, instance),
        Some(Database::Answers { in_recovery: true, upstream: Some(_), .. })
    );
    !(unpromoted && streams)
}

/// Replaces a node's data of these instances by new copies of their primaries', as an operator would by hand. The old data
/// is kept beside it.
///
/// # Errors
/// When there is no primary to copy from, or a step fails.
pub(super) fn rebuild(cluster: &Cluster, node: &str, instances: &[Instance]) -> Result<()> {
    if cluster.node(node)?.power == Power::Off {
        cluster.power_on(node)?;
    } else {
        cluster.stop_cluster(node)?;
    }
    let seen = Observation::take(cluster)?;
    let version = seen.site.postgresql;
    for instance in instances {
        let primary = seen.primary_of(instance).filter(|primary| *primary != node).ok_or_else(|| {
            LabError::Host(format!("there is no primary to copy {} to {node} from", instance.name))
        })?;
        let (address, port, name) = (cluster.node(primary)?.address, instance.port, &instance.name);
        // The settings that ALTER SYSTEM or an agent wrote are the node's own (its application_name).
        let script = format!(
            "set -e; cd /; export HOME=~postgres; d=/var/lib/postgresql/{version}/{name}; \
             rm -rf \"$d.before\"; mv \"$d\" \"$d.before\"; \
             /usr/lib/postgresql/{version}/bin/pg_basebackup -h {address} -p {port} -U replicator -D \"$d\" \
             -X stream -c fast; \
             cp \"$d.before/postgresql.auto.conf\" \"$d/\"; touch \"$d/standby.signal\""
        );
        let argv = ["runuser", "-u", "postgres", "--", "bash", "-c", &script];
        cluster.exec(node, &argv, COPY)?.success("pg_basebackup")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{healthy, site};
    use quorate::layout::kind::Kind;

    #[test]
    fn only_what_does_not_stream_is_copied_anew() {
        let mut seen = healthy(site(Kind::Packed));
        assert_eq!(broken_in(&seen), Vec::new());
        seen.nodes[1].databases[0] = Database::Silent("it does not run".to_owned());
        let found = broken_in(&seen);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0.as_str(), found[0].1[0].name.as_str()), ("pack2", "a"));
    }
}
