//! quorated taken away: what is left is sbd.

use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::host::error::Result;

const QUICK: Duration = Duration::from_secs(20);
const UNIT: &str = "quorated.service";

/// A cluster without it. It comes back when this is dropped.
#[derive(Debug)]
pub struct Unwatched<'a>(&'a Cluster);

impl<'a> Unwatched<'a> {
    /// Stops it on each database node, also for the boots that follow.
    ///
    /// # Errors
    /// When a node does not do it; where it was done already, it comes back.
    pub fn make(cluster: &'a Cluster) -> Result<Self> {
        let unwatched = Self(cluster);
        for node in &cluster.site().nodes {
            let done = cluster.exec(&node.name, &["systemctl", "disable", "--now", UNIT], QUICK)?;
            done.success(&format!("taking {UNIT} away on {}", node.name))?;
        }
        Ok(unwatched)
    }
}

impl Drop for Unwatched<'_> {
    fn drop(&mut self) {
        for node in &self.0.site().nodes {
            let argv = ["systemctl", "enable", "--now", UNIT];
            let done = self.0.exec(&node.name, &argv, QUICK).and_then(|out| out.success("systemctl enable"));
            if let Err(e) = done {
                eprintln!(
                    "{UNIT} does not come back on {}: {e}; do it by hand: systemctl enable --now {UNIT}",
                    node.name
                );
            }
        }
    }
}
