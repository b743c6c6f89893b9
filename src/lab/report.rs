//! Results of a test: one object a run, the table at the end, and the verdict.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{LabError, Result};
use super::faults::{self, Loss, Pause, Service};
use super::truth::{Finding, Found};
use crate::layout::kind::Kind;

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
    /// By whose rules it was tested: "quorate", or "tuchanka" (docs/lab.md).
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
    /// What a human would have had to do.
    pub human_help: Vec<String>,
    /// From the beginning of the healing until the cluster was whole, in ms.
    pub whole_after_ms: Option<u64>,
    /// Where everything was once the fault had settled, before it was healed.
    #[serde(default)]
    pub placement: String,
    /// The same when the cluster was whole again.
    #[serde(default)]
    pub placement_after: String,
    /// Why the run failed.
    pub failed: Option<String>,
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
            if let (Some(lost @ 1..), Loss::Forbidden) = (result.lost_acked, loss_of(result)) {
                complain(format!("{lost} acknowledged writes were lost"));
            }
            continue;
        }
        if result.outage_ms.is_none() && result.service == Service::MustReturn {
            complain("writes were not restored".to_owned());
        }
        if result.outage_ms.is_some_and(|ms| ms > 0) && pause_of(&result.fault) == Pause::Forbidden {
            complain(format!("writes were not good for {} ms", result.outage_ms.unwrap_or_default()));
        }
        if result.two_primaries_ms > 0 {
            complain(format!("two nodes took writes for {} ms", result.two_primaries_ms));
        }
        match (result.lost_acked, loss_of(result)) {
            (Some(0), _) => {}
            (None, _) => complain("it is not known what was lost".to_owned()),
            (Some(lost), Loss::Forbidden) => complain(format!(
                "{lost} acknowledged writes were lost{}",
                extent(result).map_or(String::new(), |extent| format!(": {extent}"))
            )),
            // Asynchronous replication: in the table, not condemned.
            (Some(_), Loss::Possible) => {}
        }
        if result.unexpected > 0 {
            complain(format!("{} refused writes are there all the same", result.unexpected));
        }
        for found in &result.findings {
            match found.finding {
                // They have fields of their own, which are judged above.
                Finding::LostAcked { .. }
                | Finding::Recovered { .. }
                | Finding::CameBack { .. }
                | Finding::TwoPrimaries { .. } => {}
                Finding::WentBack { .. }
                | Finding::RegisterStale { .. }
                | Finding::RegisterImpossible { .. }
                | Finding::BrokenTimelines { .. } => {
                    if found.finding.is_condemned(loss_of(result)) {
                        complain(format!("{}: {}", found.instance, found.finding));
                    }
                }
            }
        }
        let refused = result.old_primary.starts_with("refused: diverged");
        if !result.human_help.is_empty() && !refused {
            complain(format!("a human had to help: {}", result.human_help.join(", ")));
        }
    }
    complaints
}

/// How much was lost, in bytes and ms; `None` when nothing was.
fn extent(result: &RunResult) -> Option<String> {
    result.lost_acked.filter(|lost| *lost > 0)?;
    let bytes = result.lost_bytes.map_or("an unknown number of".to_owned(), |b| b.to_string());
    Some(format!("{bytes} bytes of WAL, written within {} ms", result.lost_ms))
}

/// A fault or a layout that this program doesn't know (results of another version) may lose nothing.
fn loss_of(result: &RunResult) -> Loss {
    match (faults::by_name(&result.fault), Kind::parse(&result.layout)) {
        (Ok(fault), Some(kind)) => fault.loss(kind.replication()),
        (Err(_), _) | (_, None) => Loss::Forbidden,
    }
}

/// A fault that this program doesn't know may pause the writes: how long is in the table.
fn pause_of(fault: &str) -> Pause {
    faults::by_name(fault).map_or(Pause::Possible, |f| f.pause)
}

/// The table at the end: one line a fault and target, 80 columns.
#[must_use]
pub fn table(results: &[RunResult]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:32}{:>21}  {:>5}  {:>9}", "", "outage, s", "lost", "two");
    let _ = writeln!(
        text,
        "{:<14} {:<10} {:>5}  {:>6} {:>6} {:>6}  {:>5}  {:>9}  old primary",
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
        let _ = write!(text, "{fault:<14} {target:<10} {:>5}  ", runs.len());
        let mut outages: Vec<u64> = runs.iter().filter_map(|r| r.outage_ms).collect();
        outages.sort_unstable();
        let never = runs.len() - outages.len();
        let (min, max) = (outages.first().copied(), outages.last().copied());
        let max = if never > 0 { "never".to_owned() } else { seconds(max) };
        let _ = write!(text, "{:>6} {:>6} {max:>6}  ", seconds(median(&outages)), seconds(min));
        let lost: Option<usize> = runs.iter().map(|r| r.lost_acked).sum();
        let lost = lost.map_or("?".to_owned(), |n| n.to_string());
        let extents: Vec<(u32, String)> = runs.iter().filter_map(|r| Some((r.run, extent(r)?))).collect();
        let two: u64 = runs.iter().map(|r| r.two_primaries_ms).sum();
        let _ = writeln!(text, "{lost:>5}  {:>9}  {}", format!("{two} ms"), fates(&runs));
        for (run, extent) in extents {
            let _ = writeln!(text, "{:14} run {run} lost {extent}", "");
        }
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
