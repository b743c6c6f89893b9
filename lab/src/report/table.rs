//! The table at the end of a test, for a terminal.

use std::fmt::Write as _;

use super::results::RunResult;
use super::statistics::{self, median};
use super::verdict::extent;
use crate::record::phases::noticed::words;
use crate::truth::TakeOver;

/// Width of a fault's name.
const NAME: usize = 14;

/// The table at the end: one line a fault and target, 80 columns.
#[must_use]
pub fn table(results: &[RunResult]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:32}{:>21}  {:>5}  {:>9}", "", "outage, s", "lost", "two");
    let _ = writeln!(
        text,
        "{:<NAME$} {:<10} {:>5}  {:>6} {:>6} {:>6}  {:>5}  {:>9}  old primary",
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
        // A long name has a line of its own, and the columns stay where they are.
        let name =
            if fault.len() > NAME { format!("{fault}\n{:NAME$}", "") } else { format!("{fault:<NAME$}") };
        let _ = write!(text, "{name} {target:<10} {:>5}  ", runs.len());
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
            let _ = writeln!(text, "{:NAME$} run {run} lost {extent}", "");
        }
        for run in &runs {
            if let Some(noticed) = &run.noticed {
                let _ = writeln!(text, "{:NAME$} run {} noticed by {}", "", run.run, words(noticed));
            }
            for split in run.take_overs.iter().filter_map(TakeOver::split) {
                let _ = writeln!(text, "{:NAME$} run {} two primaries: {split}", "", run.run);
            }
        }
    }
    text
}

fn seconds(millis: Option<u64>) -> String {
    millis.map_or("-".to_owned(), statistics::seconds)
}

/// The different fates, each with its number when there are several.
pub(super) fn fates(runs: &[&RunResult]) -> String {
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
