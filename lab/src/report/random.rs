//! What the report reads of `random.json`, which `quorate-lab random` writes.

use serde::{Deserialize, Serialize};

use crate::truth::Found;

/// One schedule of faults at random.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomResult {
    /// "packed", "classic", …
    pub layout: String,
    /// "quorate" or "paf".
    pub agent: String,
    /// Everything by chance came from this.
    pub seed: u64,
    /// What each round was to do.
    #[serde(default)]
    pub rounds: Vec<String>,
    /// Acknowledged writes.
    pub acked: usize,
    /// Those that the final primary does not have.
    pub lost_acked: usize,
    /// Their write-ahead log, in bytes.
    #[serde(default)]
    pub lost_bytes: Option<u64>,
    /// From the answer to the first lost write to the answer to the last, in ms.
    #[serde(default)]
    pub lost_ms: u64,
    /// Writes without an answer that are there.
    #[serde(default)]
    pub recovered: usize,
    /// The longest time without an acknowledged write, in ms.
    pub longest_pause_ms: u64,
    /// All that the truth checker found.
    #[serde(default)]
    pub findings: Vec<Found>,
    /// Why the test failed.
    #[serde(default)]
    pub complaints: Vec<String>,
}
