//! Results of a test: one object a run, the table at the end, and the verdict.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{LabError, Result};
use super::faults::{self, Loss};

/// One run of one fault. `results.json` is an array of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// "classic".
    pub layout: String,
    /// Debian suite of the nodes.
    pub suite: String,
    /// "quorate" or "paf".
    pub agent: String,
    /// Set of timings.
    pub timing: String,
    /// Name of the fault.
    pub fault: String,
    /// What it was to hit: primary, standby, random, or a node's name.
    pub target: String,
    /// The node that it hit.
    pub node: String,
    /// Counted from 1 for each fault.
    pub run: u32,
    /// From the fault to the first write of the series that stayed good, in ms; null: not restored.
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
    /// What became of the node that was the primary.
    pub old_primary: String,
    /// What a human would have had to do.
    pub human_help: Vec<String>,
    /// From the beginning of the healing until the cluster was whole, in ms.
    pub whole_after_ms: Option<u64>,
    /// Why the run failed.
    pub failed: Option<String>,
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

/// Why a test has failed; empty when it passed.
#[must_use]
pub fn verdict(results: &[RunResult]) -> Vec<String> {
    let mut complaints = Vec::new();
    if results.is_empty() {
        complaints.push("nothing was tested".to_owned());
    }
    for result in results {
        let mut complain =
            |what: String| complaints.push(format!("{} run {}: {what}", result.fault, result.run));
        if let Some(reason) = &result.failed {
            complain(format!("failed: {reason}"));
            continue;
        }
        if result.outage_ms.is_none() {
            complain("writes were not restored".to_owned());
        }
        if result.two_primaries_ms > 0 {
            complain(format!("two nodes took writes for {} ms", result.two_primaries_ms));
        }
        match (result.lost_acked, loss_of(&result.fault)) {
            (Some(0), _) => {}
            (None, _) => complain("it is not known what was lost".to_owned()),
            (Some(lost), Loss::Forbidden) => complain(format!("{lost} acknowledged writes were lost")),
            // Asynchronous replication: in the table, not condemned.
            (Some(_), Loss::Possible) => {}
        }
        if result.unexpected > 0 {
            complain(format!("{} refused writes are there all the same", result.unexpected));
        }
        let refused = result.old_primary.starts_with("refused: diverged");
        if !result.human_help.is_empty() && !refused {
            complain(format!("a human had to help: {}", result.human_help.join(", ")));
        }
    }
    complaints
}

/// A fault that this program doesn't know (results of another version) may lose nothing.
fn loss_of(fault: &str) -> Loss {
    faults::by_name(fault).map_or(Loss::Forbidden, |f| f.loss)
}

/// The table at the end: one line a fault and target, 80 columns.
#[must_use]
pub fn table(results: &[RunResult]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:30}{:>21}  {:>5}  {:>9}", "", "outage, s", "lost", "two");
    let _ = writeln!(
        text,
        "{:<14} {:<8} {:>5}  {:>6} {:>6} {:>6}  {:>5}  {:>9}  old primary",
        "fault", "target", "runs", "median", "min", "max", "acked", "primaries"
    );
    let mut groups: Vec<(&str, &str)> = Vec::new();
    for result in results {
        let group = (result.fault.as_str(), result.target.as_str());
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for (fault, target) in groups {
        let runs: Vec<&RunResult> =
            results.iter().filter(|r| r.fault == fault && r.target == target).collect();
        let _ = write!(text, "{fault:<14} {target:<8} {:>5}  ", runs.len());
        let mut outages: Vec<u64> = runs.iter().filter_map(|r| r.outage_ms).collect();
        outages.sort_unstable();
        let never = runs.len() - outages.len();
        let (min, max) = (outages.first().copied(), outages.last().copied());
        let max = if never > 0 { "never".to_owned() } else { seconds(max) };
        let _ = write!(text, "{:>6} {:>6} {max:>6}  ", seconds(median(&outages)), seconds(min));
        let lost: Option<usize> = runs.iter().map(|r| r.lost_acked).sum();
        let lost = lost.map_or("?".to_owned(), |n| n.to_string());
        let two: u64 = runs.iter().map(|r| r.two_primaries_ms).sum();
        let _ = writeln!(text, "{lost:>5}  {:>9}  {}", format!("{two} ms"), fates(&runs));
    }
    text
}

/// The middle of sorted values; of an even number the mean of the two in the middle.
#[must_use]
pub fn median(sorted: &[u64]) -> Option<u64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(sorted[middle - 1].midpoint(sorted[middle])),
    }
}

fn seconds(millis: Option<u64>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "outages are minutes at most")]
    millis.map_or("-".to_owned(), |ms| format!("{:.1}", ms as f64 / 1000.0))
}

/// The different fates, each with its number when there are several.
fn fates(runs: &[&RunResult]) -> String {
    let mut counted: Vec<(String, u32)> = Vec::new();
    for run in runs {
        // The reason in brackets is in results.json; here it would fill the line.
        let fate = run.old_primary.split(" (").next().unwrap_or_default().to_owned();
        let fate = if run.failed.is_some() { "FAILED".to_owned() } else { fate };
        match counted.iter_mut().find(|(known, _)| *known == fate) {
            Some((_, n)) => *n += 1,
            None => counted.push((fate, 1)),
        }
    }
    match counted.as_slice() {
        [(fate, _)] => fate.clone(),
        several => several.iter().map(|(fate, n)| format!("{n}× {fate}")).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests;
