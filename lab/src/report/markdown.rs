//! `report.md`: the tables of the report, for a terminal, a ticket or a repository.

use std::fmt::Write as _;

use super::date;
use super::statistics::{Statistics, in_seconds, median, seconds};
use super::summary::{Group, Summary};
use crate::record::phases::Step;
use crate::record::phases::noticed::words;
use crate::truth::TakeOver;

/// The page.
#[must_use]
pub fn page(summary: &Summary) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# Failover report\n");
    let _ = writeln!(text, "{}, {} UTC\n", summary.scope(), date::minute(summary.made_ms));
    text += &verdict(summary);
    if !summary.groups.is_empty() {
        text += &outages(summary);
        text += &phases(summary);
        text += &noticed(summary);
    }
    if !summary.randoms.is_empty() {
        text += &randoms(summary);
    }
    text += &failures(summary);
    let _ = writeln!(text, "\n## What can be compared\n\n{}", summary.comparable);
    text += "\n## Read from\n\n";
    for file in &summary.files {
        let _ = writeln!(text, "- `{file}`");
    }
    text
}

fn verdict(summary: &Summary) -> String {
    let totals = &summary.totals;
    let mut text = String::new();
    let _ = match summary.complaints.len() {
        0 => writeln!(text, "**PASS**: nothing to complain of.\n"),
        1 => writeln!(text, "**FAIL**: 1 complaint, below.\n"),
        n => writeln!(text, "**FAIL**: {n} complaints, listed below.\n"),
    };
    let _ = writeln!(text, "| | |\n|---|---|");
    let mut row = |name: &str, value: String| writeln!(text, "| {name} | {value} |");
    let _ = row("runs", totals.runs.to_string());
    let _ = row("of them failed", totals.failed.to_string());
    let _ = row("schedules at random", summary.randoms.len().to_string());
    let _ = row("acknowledged writes", totals.acked.to_string());
    let _ = row("acknowledged writes lost where that is forbidden", totals.lost_where_forbidden.to_string());
    let _ = row(
        "lost where replication is asynchronous and the fault left no time",
        totals.lost_where_possible.to_string(),
    );
    if totals.lost_unknown > 0 {
        let _ = row("runs of which nobody knows what was lost", totals.lost_unknown.to_string());
    }
    let _ = row("two nodes took writes", format!("{} ms", totals.two_primaries_ms));
    text
}

fn outages(summary: &Summary) -> String {
    let mut text = format!(
        "\n## Outage, in seconds\n\nFrom the fault to the first write through the primary's float IP that stays good. Last column: {}.\n\n",
        summary.published_source
    );
    text += "| fault | layout | runs | median | mean | std-dev | min | max | lost | two primaries | old primary | Tuchanka: mean ± std-dev (runs) |\n";
    text += "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|\n";
    for group in &summary.groups {
        let cells = [
            cell(&group.fault_label),
            cell(&group.setup_label),
            runs(group),
            spread(group).join(" | "),
            lost(group),
            format!("{} ms", group.two_primaries_ms),
            cell(&group.fates),
            group.published.map_or(String::new(), |p| p.to_string()),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// Runs with a figure, of all, and why the others have none.
#[must_use]
pub fn runs(group: &Group) -> String {
    let figures = group.outage_ms.as_ref().map_or(0, |s| s.count);
    let mut text =
        if figures == group.runs { group.runs.to_string() } else { format!("{figures} of {}", group.runs) };
    for (count, what) in [(group.failed, "failed"), (group.never, "without service")] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

/// Median, mean, std-dev, min and max in seconds.
#[must_use]
pub fn spread(group: &Group) -> [String; 5] {
    let Some(Statistics { median, mean, std_dev, min, max, .. }) = &group.outage_ms else {
        return ["–"; 5].map(str::to_owned);
    };
    let deviation = std_dev.map_or("–".to_owned(), in_seconds);
    [seconds(*median), in_seconds(*mean), deviation, seconds(*min), seconds(*max)]
}

/// Acknowledged writes that are lost, and the runs of which nobody knows.
#[must_use]
pub fn lost(group: &Group) -> String {
    match group.lost_unknown {
        0 => group.lost_acked.to_string(),
        unknown => format!("{}, {unknown} unknown", group.lost_acked),
    }
}

fn phases(summary: &Summary) -> String {
    let mut text = String::new();
    for group in &summary.groups {
        let failovers: Vec<_> = summary.members(group).flat_map(|run| &run.phases).collect();
        if failovers.is_empty() {
            continue;
        }
        let cells = Step::ALL.map(|step| {
            let times = failovers.iter().filter_map(|f| f.steps().into_iter().find(|(s, _)| *s == step)?.1);
            let mut times: Vec<u64> = times.collect();
            times.sort_unstable();
            match median(&times) {
                None => String::new(),
                Some(ms) if times.len() == failovers.len() => seconds(ms),
                Some(ms) => format!("{} ({} of {})", seconds(ms), times.len(), failovers.len()),
            }
        });
        let (fault, setup) = (cell(&group.fault_label), cell(&group.setup_label));
        let _ = writeln!(text, "| {fault} | {setup} | {} | {} |", failovers.len(), cells.join(" | "));
    }
    if text.is_empty() {
        return text;
    }
    let names = Step::ALL.map(Step::name).join(" | ");
    let ends: String =
        Step::ALL.iter().map(|step| format!("- *{}*: {}\n", step.name(), step.ends_when())).collect();
    format!(
        "\n## Phases: seconds from the fault until …\n\nMedians of all failovers of which the journals tell the moment; report.html shows each.\n\n{ends}\n\
         | fault | layout | failovers | {names} |\n|---|---|---:|{}|\n{text}",
        ["---:"; 6].join("|")
    )
}

/// Who noticed each fault, and how one primary ended and the next began: a line a run.
fn noticed(summary: &Summary) -> String {
    let mut text = String::new();
    let seconds =
        |ms: Option<u64>| ms.map_or(String::new(), |ms| format!("{}.{:02}", ms / 1000, ms % 1000 / 10));
    for group in &summary.groups {
        for run in summary.members(group) {
            let Some(noticed) = &run.noticed else { continue };
            let column = |of: &dyn Fn(&TakeOver) -> String| {
                let all: Vec<String> = run.take_overs.iter().map(of).collect();
                cell(&all.join("; "))
            };
            let cells = [
                cell(&group.fault_label),
                cell(&group.setup_label),
                run.run.to_string(),
                cell(&words(noticed)),
                column(&|t| seconds(t.cut_ms)),
                column(&|t| seconds(t.last_commit_ms)),
                column(&|t| seconds(t.first_commit_ms)),
                column(&|t| format!("{} ms", t.overlap_ms)),
                column(&|t| seconds(t.reset_ms)),
            ];
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n## Who noticed, and how the old primary ended: seconds from the fault\n\n\
         | fault | layout | run | noticed by | cut off | last commit on the old primary | first on the next | both | old primary's node without power |\n\
         |---|---|---:|---|---:|---:|---:|---:|---:|\n{text}"
    )
}

fn randoms(summary: &Summary) -> String {
    let mut text = "\n## At random\n\n| layout | agent | seed | rounds | acknowledged | lost | unanswered and there | longest pause, s | findings |\n\
                    |---|---|---:|---:|---:|---:|---:|---:|---|\n"
        .to_owned();
    for random in &summary.randoms {
        let findings: Vec<String> =
            random.findings.iter().map(|f| format!("{}: {}", f.instance, f.finding)).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&random.layout),
            cell(&random.agent),
            random.seed,
            random.rounds.len(),
            random.acked,
            random.lost_acked,
            random.recovered,
            seconds(random.longest_pause_ms),
            cell(&findings.join("; "))
        );
    }
    text
}

fn failures(summary: &Summary) -> String {
    if summary.passed() {
        return String::new();
    }
    let lines: String = summary.complaints.iter().map(|line| format!("- {}\n", cell(line))).collect();
    format!("\n## Complaints\n\n{lines}")
}

/// Text that breaks neither a table nor a list.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '|' | '<' | '*' | '_' | '`' | '[' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}
