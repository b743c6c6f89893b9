//! What a run gives, and the file of it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::faults::Service;
use crate::host::error::{LabError, Result};
use crate::record::phases::Failover;
use crate::record::phases::noticed::Noticed;
use crate::truth::{Found, TakeOver};

/// One run of one fault. `results.json` is an array of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// "packed", "classic", …
    pub layout: String,
    /// Debian suite of the nodes.
    pub suite: String,
    /// "quorate" or "paf".
    pub agent: String,
    /// Set of timings.
    pub timing: String,
    /// By whose rules it was tested: "quorate", or "tuchanka" (docs/lab/README.md).
    #[serde(default = "ours")]
    pub protocol: String,
    /// Tuchanka's reaction: from the injection to the fifth good round of heart and beat, in ms; null: it never came, or the
    /// protocol has none.
    #[serde(default)]
    pub reaction_ms: Option<u64>,
    /// Name of the fault.
    pub fault: String,
    /// What it was to hit: primary, standby, random, site, …, or a node's name.
    pub target: String,
    /// The node that it hit; several are joined by `+`.
    pub node: String,
    /// Counted from 1 for each fault.
    pub run: u32,
    /// What was expected of the service while the fault lasted.
    #[serde(default)]
    pub service: Service,
    /// Of the instance that fared worst: from the fault to the first write of the series that stayed good, in ms; null: not restored.
    pub outage_ms: Option<u64>,
    /// The longest time without an acknowledged write between the fault and the healing, in ms.
    pub interruption_ms: u64,
    /// The same from the healing until the cluster was whole, in ms: what the rejoin cost.
    pub interruption_healing_ms: u64,
    /// Acknowledged writes of the run.
    pub acked: usize,
    /// Those that the final primary does not have; null: it could not be read.
    pub lost_acked: Option<usize>,
    /// Writes without an answer that the final primary has.
    pub recovered: usize,
    /// Writes that were refused and are there all the same.
    pub unexpected: usize,
    /// Time in which two nodes acknowledged writes, in ms.
    pub two_primaries_ms: u64,
    /// How replication fared before the fault: free, or how far behind.
    #[serde(default)]
    pub replication: String,
    /// Write-ahead log of the lost writes, in bytes; null: none was lost, or nobody knows.
    #[serde(default)]
    pub lost_bytes: Option<u64>,
    /// From the answer to the first lost write to the answer to the last, in ms.
    #[serde(default)]
    pub lost_ms: u64,
    /// All that the truth checker found.
    #[serde(default)]
    pub findings: Vec<Found>,
    /// What became of the node that was the primary.
    pub old_primary: String,
    /// What an operator would have had to do.
    pub help_by_hand: Vec<String>,
    /// From the beginning of the healing until the cluster was whole, in ms.
    pub whole_after_ms: Option<u64>,
    /// Where everything was once the fault had settled, before it was healed.
    #[serde(default)]
    pub placement: String,
    /// The same when the cluster was whole again.
    #[serde(default)]
    pub placement_after: String,
    /// When the run began: ms since 1970, UTC. Older results don't say.
    #[serde(default)]
    pub started_ms: Option<u64>,
    /// The host's load when the fault was injected, as `/proc/loadavg` has it: of 1, 5 and 15 minutes.
    #[serde(default)]
    pub load: String,
    /// Who noticed the fault, each with the first sign; empty: nobody; null: the journals could not be read.
    #[serde(default)]
    pub noticed: Option<Vec<Noticed>>,
    /// How the primary of each instance ended, and the next one began.
    #[serde(default)]
    pub take_overs: Vec<TakeOver>,
    /// What each instance whose writes were interrupted spent its time on.
    #[serde(default)]
    pub phases: Vec<Failover>,
    /// Why the run failed.
    pub failed: Option<String>,
}

impl RunResult {
    /// Whether the fault was injected and its consequences measured. A run can fail before that.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.failed.is_none() || self.outage_ms.is_some() || self.acked > 0
    }
}

/// Results that don't say it are from before there was another one.
fn ours() -> String {
    "quorate".to_owned()
}

/// Writes the results; called after each run, so that an interrupted test leaves what it had.
///
/// # Errors
/// When the file can't be written.
pub fn write_results(dir: &Path, results: &[RunResult]) -> Result<()> {
    let path = dir.join("results.json");
    let fail = |source| LabError::File { path: path.clone(), source };
    let text = serde_json::to_string_pretty(results).map_err(|e| fail(e.into()))?;
    std::fs::write(&path, text + "\n").map_err(fail)
}
