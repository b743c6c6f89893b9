//! A report for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::boundary::printable;
use crate::decide::doctor::facts::Place;
use crate::decide::doctor::{Finding, Report, Rule, Severity, Verdict};

/// A place as a compiler prints it.
fn place(at: &Place) -> String {
    match at.line {
        Some(line) => format!("{}:{line}", at.file),
        None => at.file.clone(),
    }
}

/// For people.
pub(super) fn text(report: &Report, verbose: bool) -> String {
    let mut out = String::new();
    let mut broken: Vec<_> = report.broken().collect();
    broken.sort_by_key(|(rule, _)| std::cmp::Reverse(rule.severity));
    for (rule, found) in &broken {
        for finding in *found {
            let _ = writeln!(
                out,
                "{} {}: {}\n  at    {}\n  rule  {}\n  why   {}\n  cure  {}\n",
                rule.severity.name(),
                rule.name,
                printable::line(&finding.what),
                printable::line(&place(&finding.at)),
                rule.rule,
                rule.why,
                printable::line(&finding.cure)
            );
        }
    }
    if verbose {
        for (rule, _) in report.verdicts.iter().filter(|(_, v)| *v == Verdict::Kept) {
            let _ = writeln!(out, "kept {}: {}", rule.name, rule.rule);
        }
        if report.kept() > 0 {
            out.push('\n');
        }
    }
    for (why, rules) in by_reason(report) {
        let _ = writeln!(out, "could not check {}: {}", rules.join(", "), printable::line(why));
    }
    if report.not_checked().next().is_some() {
        out.push('\n');
    }
    let count = |severity| broken.iter().filter(|(rule, _)| rule.severity == severity).count();
    let _ = writeln!(
        out,
        "{} rules: {} broken ({} critical, {} errors, {} warnings), {} kept or not concerned, {} not checked",
        report.verdicts.len(),
        broken.len(),
        count(Severity::Critical),
        count(Severity::Error),
        count(Severity::Warning),
        report.kept(),
        report.not_checked().count(),
    );
    out
}

/// Reasons in the order of their first rule, each with all rules that it concerns.
fn by_reason(report: &Report) -> Vec<(&str, Vec<&'static str>)> {
    let mut found: Vec<(&str, Vec<&'static str>)> = Vec::new();
    for (rule, why) in report.not_checked() {
        match found.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, rules)) => rules.push(rule.name),
            None => found.push((why, vec![rule.name])),
        }
    }
    found
}

#[derive(Serialize)]
struct Document<'a> {
    exit_code: u8,
    worst: Option<Severity>,
    rules: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'static str,
    severity: Severity,
    subject: &'static str,
    rule: &'static str,
    why: &'static str,
    /// `kept`, `broken` or `not checked`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    findings: &'a [Finding],
}

/// For programs.
pub(super) fn json(report: &Report) -> String {
    let rules = report.verdicts.iter().map(|(rule, verdict)| row(rule, verdict)).collect();
    let document = Document { exit_code: report.exit_code(), worst: report.worst(), rules };
    // Strings and numbers alone: nothing that JSON can't hold.
    serde_json::to_string_pretty(&document)
        .map_or_else(|e| format!("{{\"error\": \"{e}\"}}\n"), |text| text + "\n")
}

fn row<'a>(rule: &'static Rule, verdict: &'a Verdict) -> Row<'a> {
    let (word, reason, findings): (_, _, &[Finding]) = match verdict {
        Verdict::Kept => ("kept", None, &[]),
        Verdict::Broken(found) => ("broken", None, found),
        Verdict::NotChecked(why) => ("not checked", Some(why.as_str()), &[]),
    };
    Row {
        name: rule.name,
        severity: rule.severity,
        subject: rule.subject.name(),
        rule: rule.rule,
        why: rule.why,
        verdict: word,
        reason,
        findings,
    }
}
