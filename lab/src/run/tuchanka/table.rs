//! The table of reactions, with the published one beside it. Pure.

use std::fmt::Write as _;

use super::{NINE, Published};
use crate::report::RunResult;
use quorate::layout::kind::Kind;

/// Mean and standard deviation (of a sample, as theirs) of the reactions in s, and how many there are.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "reactions are minutes at most, and few")]
pub fn figures(reactions_ms: &[u64]) -> Option<(f64, Option<f64>, usize)> {
    let count = reactions_ms.len();
    if count == 0 {
        return None;
    }
    let seconds: Vec<f64> = reactions_ms.iter().map(|ms| *ms as f64 / 1000.0).collect();
    let mean = seconds.iter().sum::<f64>() / count as f64;
    let squares: f64 = seconds.iter().map(|s| (s - mean).powi(2)).sum();
    Some((mean, (count > 1).then(|| (squares / (count - 1) as f64).sqrt()), count))
}

/// A line a fault, a pair of columns a layout: ours, and theirs as it was published.
#[must_use]
pub fn table(results: &[RunResult]) -> String {
    let ours: Vec<&RunResult> = results.iter().filter(|r| r.protocol == "tuchanka").collect();
    let tested = |kind: &&Kind| ours.iter().any(|r| r.layout == kind.name());
    let kinds: Vec<Kind> = Kind::ALL.iter().filter(tested).copied().collect();
    let mut text = String::from("reaction, s: mean/standard deviation (count), after Tuchanka's protocol\n");
    let _ = write!(text, "{:<14} {:<14}", "fault", "published as");
    for kind in &kinds {
        let _ = write!(text, " {:>19} {:>13}", kind.name(), "published");
    }
    text.push('\n');
    for published in NINE.iter().filter(|p| ours.iter().any(|r| r.fault == p.fault)) {
        let _ = write!(text, "{:<14} {:<14}", published.fault, published.name);
        for kind in &kinds {
            let of = |r: &&&RunResult| r.fault == published.fault && r.layout == kind.name();
            let runs: Vec<&RunResult> = ours.iter().filter(of).copied().collect();
            let _ = write!(text, " {:>19} {:>13}", measured(&runs), theirs(published, *kind));
        }
        text.push('\n');
    }
    text
}

fn measured(runs: &[&RunResult]) -> String {
    let reactions: Vec<u64> = runs.iter().filter_map(|r| r.reaction_ms).collect();
    let never = runs.len() - reactions.len();
    let mut text = match figures(&reactions) {
        None => String::new(),
        Some((mean, None, count)) => format!("{mean:.1}/- ({count})"),
        Some((mean, Some(deviation), count)) => format!("{mean:.1}/{deviation:.1} ({count})"),
    };
    if never > 0 {
        let _ = write!(text, "{}{never}× never", if text.is_empty() { "" } else { ", " });
    }
    if text.is_empty() { "-".to_owned() } else { text }
}

fn theirs(published: &Published, kind: Kind) -> String {
    let place = Kind::ALL.iter().position(|k| *k == kind);
    match (published.reactions, place) {
        (None, _) => "never noticed".to_owned(),
        (Some(of), Some(place)) => {
            let figures = of.get(place);
            figures.map_or("-".to_owned(), |(mean, deviation, count)| format!("{mean}/{deviation} ({count})"))
        }
        (Some(_), None) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it stands in a file: fields that have a default need not be there.
    fn result(fault: &str) -> RunResult {
        let text = format!(
            r#"{{"layout": "classic", "suite": "bookworm", "agent": "quorate", "timing": "default", "fault": "{fault}",
            "target": "random", "node": "srv1", "run": 1, "outage_ms": 0, "interruption_ms": 0,
            "interruption_healing_ms": 0, "acked": 500, "lost_acked": 0, "recovered": 0, "unexpected": 0,
            "two_primaries_ms": 0, "old_primary": "stayed primary", "help_by_hand": [], "whole_after_ms": 0,
            "failed": null}}"#
        );
        serde_json::from_str(&text).expect("a result")
    }

    #[test]
    fn a_result_without_a_protocol_is_ours() {
        assert_eq!((result("unlink").protocol.as_str(), result("unlink").reaction_ms), ("quorate", None));
    }

    fn run(layout: &str, fault: &str, reaction_ms: Option<u64>) -> RunResult {
        RunResult { layout: layout.to_owned(), protocol: "tuchanka".to_owned(), reaction_ms, ..result(fault) }
    }

    #[test]
    fn mean_and_deviation_of_a_sample() {
        let (mean, deviation, count) = figures(&[6000, 8000, 10_000]).expect("three");
        assert!((mean - 8.0).abs() < 1e-9 && (deviation.expect("several") - 2.0).abs() < 1e-9);
        assert_eq!(count, 3);
        assert_eq!(figures(&[6000]), Some((6.0, None, 1)));
        assert_eq!(figures(&[]), None);
    }

    #[test]
    fn ours_stands_beside_the_published_one() {
        let results = [
            run("classic", "power-off", Some(20_000)),
            run("classic", "power-off", Some(24_000)),
            run("packed", "power-off", Some(30_000)),
            run("classic", "out-of-space", None),
            result("switchover"),
        ];
        let table = table(&results);
        let line = |fault: &str| table.lines().find(|l| l.starts_with(fault)).unwrap_or_default().to_owned();
        let words: Vec<String> = line("power-off").split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            words,
            ["power-off", "PowerOff", "30.0/-", "(1)", "43/8", "(12)", "22.0/2.8", "(2)", "39/8", "(21)"]
        );
        assert!(line("out-of-space").contains("1× never never noticed"), "{table}");
        assert!(!table.contains("switchover") && !table.contains("three-centres"), "{table}");
    }
}
