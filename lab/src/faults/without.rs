//! Protections taken away from a running cluster: the proof that the checker finds what they prevent.

mod election;
mod quorated;

use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::cluster::health::wait_whole;
use crate::cluster::observe::Observation;
use crate::host::error::{LabError, Result};
use crate::host::run::Output;
use crate::host::wait::OnInterrupt;

const QUICK: Duration = Duration::from_secs(20);
/// Pacemaker's CRM_EX_DISCONNECT.
const DISCONNECTED: i32 = 102;
/// For the resources of a node to stop.
const STOP: Duration = Duration::from_secs(100);
/// After a restart of everything.
const WHOLE: Duration = Duration::from_secs(120);

/// What can be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protection {
    /// Nobody is fenced, and who has lost the quorum goes on: an isolated primary stays one.
    Fencing,
    /// Nobody publishes its position when a promotion is announced: the candidate compares with nobody, and whoever
    /// Pacemaker likes best is promoted.
    Election,
    /// Nothing notices that a daemon or a disk hangs but sbd and Pacemaker themselves.
    Quorated,
}

/// A protection that is away. It comes back when this is dropped.
#[derive(Debug)]
pub enum Removed<'a> {
    Fencing(Properties<'a>),
    Election(election::Muted<'a>),
    Quorated(quorated::Unwatched<'a>),
}

impl<'a> Removed<'a> {
    /// Takes it away.
    ///
    /// # Errors
    /// When no node can do it, or the cluster isn't whole afterwards; what was changed until then comes back.
    pub fn take(cluster: &'a Cluster, protection: Protection) -> Result<Self> {
        match protection {
            Protection::Fencing => Properties::set(cluster, &NO_FENCING).map(Self::Fencing),
            Protection::Election => election::Muted::make(cluster).map(Self::Election),
            Protection::Quorated => quorated::Unwatched::make(cluster).map(Self::Quorated),
        }
    }
}

/// Cluster properties and the values that take fencing away.
const NO_FENCING: [(&str, &str); 2] = [("stonith-enabled", "false"), ("no-quorum-policy", "ignore")];

/// Cluster properties that have other values for a while.
#[derive(Debug)]
pub struct Properties<'a> {
    cluster: &'a Cluster,
    /// The properties as they were; `None`: not set.
    before: Vec<(&'static str, Option<String>)>,
}

impl<'a> Properties<'a> {
    fn set(cluster: &'a Cluster, values: &[(&'static str, &str)]) -> Result<Self> {
        let mut removed = Self { cluster, before: Vec::new() };
        for &(name, value) in values {
            let asked = crm_attribute(cluster, &["--name", name, "--query", "--quiet"])?;
            let before = (asked.status == 0).then(|| asked.stdout.trim().to_owned());
            removed.before.push((name, before));
            set(cluster, name, Some(value))?;
        }
        // pacemaker-controld never forgets that it once read "suicide" (controld_no_quorum_suicide in 2.1.5): without a
        // restart it goes on killing its own node when it loses the quorum.
        restart(cluster)?;
        Ok(removed)
    }
}

/// Stops Pacemaker everywhere, the primary's last, so that nothing moves, and starts it again. Corosync and the quorum
/// device stay: a node that loses the quorum while it stops would be killed.
fn restart(cluster: &Cluster) -> Result<()> {
    let seen = Observation::take(cluster)?;
    let mut nodes: Vec<&str> = cluster.site().nodes.iter().map(|n| n.name.as_str()).collect();
    nodes.sort_by_key(|node| seen.primary() == Some(node));
    for node in &nodes {
        cluster.exec(node, &["systemctl", "stop", "pacemaker"], STOP)?.success("systemctl stop pacemaker")?;
    }
    let started: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = nodes.iter().map(|node| scope.spawn(|| cluster.start_cluster(node))).collect();
        let ended = |_| Err(LabError::Host("the thread that starts a node ended by itself".to_owned()));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(ended)).collect()
    });
    started.into_iter().collect::<Result<()>>()?;
    wait_whole(cluster, WHOLE, OnInterrupt::Stop).map(drop)
}

impl Drop for Properties<'_> {
    fn drop(&mut self) {
        for (name, value) in &self.before {
            if let Err(e) = set(self.cluster, name, value.as_deref()) {
                let value = value.as_deref().unwrap_or_default();
                eprintln!(
                    "the protection does not come back: {e}; do it by hand: pcs property set {name}={value}"
                );
            }
        }
    }
}

fn set(cluster: &Cluster, name: &str, value: Option<&str>) -> Result<()> {
    let argv = match value {
        Some(value) => vec!["--name", name, "--update", value],
        None => vec!["--name", name, "--delete"],
    };
    crm_attribute(cluster, &argv)?.success(&format!("crm_attribute {}", argv.join(" "))).map(drop)
}

/// On the first database node that can.
fn crm_attribute(cluster: &Cluster, words: &[&str]) -> Result<Output> {
    let argv = [&["crm_attribute", "--type", "crm_config"], words].concat();
    let mut last = Err(LabError::Host("the site has no database node".to_owned()));
    for node in &cluster.site().nodes {
        last = cluster.exec(&node.name, &argv, QUICK);
        // A node whose Pacemaker is down says so; what another one says holds, also that there is no such property.
        if last.as_ref().is_ok_and(|out| out.status != DISCONNECTED) {
            break;
        }
    }
    last
}
