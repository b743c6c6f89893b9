//! The panels of a cluster's column, from top to bottom, as lines of a given width.

use std::time::Duration;

use ratatui::text::Line;

use super::column::{Column, Mark, Strip, beat_mark, heart_mark};
use super::nodes;
use super::statistics::Statistic;
use super::text::{Ink, Tone, clock, cut, printable, span_of, spread, wrap};
use crate::client::state::ClientState;
use crate::cluster::health::problems;
use crate::record::history::{Outcome, Reading};

/// An observation that is older says so: nodes that do not answer take 5 s.
const STALE: Duration = Duration::from_secs(10);
/// A name of a fault has up to 22 characters; a narrow column cuts it.
const FAULT: usize = 14;

/// Room for the newest row, so that the strip stands still.
const STATE: usize = 22;

/// The figures of the statistics, the most important ones first; each with its width.
type Figure = (&'static str, usize, fn(&Statistic) -> String);
const FIGURES: [Figure; 6] = [
    ("runs", 5, |s| s.count.to_string()),
    ("fail", 5, |s| s.failures.to_string()),
    ("mean", 7, |s| seconds(s.mean())),
    ("dev", 7, |s| seconds(s.deviation())),
    ("min", 7, |s| seconds(s.min())),
    ("max", 7, |s| seconds(s.max())),
];

fn seconds(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |s| format!("{s:.1}"))
}

/// The head of a column: who, what, how it is.
#[must_use]
pub fn head(column: &Column, number: Option<usize>, now: Duration, width: usize) -> String {
    let number = number.map_or(String::new(), |n| format!("{n} "));
    let left = format!(" {number}{}  {}  {}", column.name, column.about, column.part);
    let right = format!("{}   {}{} UTC ", state(column, now), runs(column, "   "), clock(now));
    spread(&left, &right, width)
}

/// Runs that are over and those that failed, then `after`; nothing where no runs are counted.
#[must_use]
pub fn runs(column: &Column, after: &str) -> String {
    match column.totals() {
        (0, _) => String::new(),
        (runs, failed) => format!("runs {runs}, failed {failed}{after}"),
    }
}

/// How a cluster is, in a few words.
#[must_use]
pub fn state(column: &Column, now: Duration) -> String {
    match (column.broken, &column.seen) {
        (Some(since), _) => format!("FAULT {} ago", span_of(now.saturating_sub(since))),
        (None, None) => "not seen yet".to_owned(),
        (None, Some((_, seen))) if problems(seen).is_empty() => "whole".to_owned(),
        (None, Some(_)) => "NOT WHOLE".to_owned(),
    }
}

/// One line for a cluster that isn't in focus.
#[must_use]
pub fn summary(column: &Column, number: usize, now: Duration, width: usize) -> String {
    let heart = column.clients_seen.iter().map(|p| if heart_mark(p) == Mark::Good { "good" } else { "BAD" });
    let heart = heart.collect::<Vec<_>>().join(" ");
    let heart = if heart.is_empty() { "-".to_owned() } else { heart };
    let last = column.trace.back().map_or("", |(_, line)| line.trim());
    let text = format!(
        " {number} {:<13} {:<16} {}heart {heart}  {}",
        column.name,
        state(column, now),
        runs(column, "  "),
        printable(last)
    );
    cut(&text, width)
}

/// The statistics, the head and at most `most` faults: those that were tested last. Nothing before the first result.
#[must_use]
pub fn statistics(column: &Column, width: usize, most: usize, ink: Ink) -> Vec<Line<'static>> {
    if column.statistics.is_empty() {
        return Vec::new();
    }
    let mut figures: Vec<&Figure> = Vec::new();
    let mut room = width.saturating_sub(FAULT);
    for figure in &FIGURES {
        if figure.1 <= room {
            room -= figure.1;
            figures.push(figure);
        }
    }
    let name = FAULT + room.min(10);
    let row = |fault: &str, cells: Vec<String>| {
        let cells: String =
            figures.iter().zip(cells).map(|(f, cell)| format!("{cell:>width$}", width = f.1)).collect();
        cut(&format!("{:<name$}{cells}", cut(fault, name)), width)
    };
    let hidden = column.statistics.len().saturating_sub(most);
    let title = if hidden > 0 { format!("outage in s (+{hidden})") } else { "outage in s of".to_owned() };
    let heads = figures.iter().map(|f| f.0.to_owned()).collect();
    let mut lines = vec![ink.line(Tone::Head, row(&title, heads))];
    for statistic in column.statistics.iter().skip(hidden) {
        let tone = if statistic.failures > 0 { Tone::Bad } else { Tone::Normal };
        let cells = figures.iter().map(|f| f.2(statistic)).collect();
        lines.push(ink.line(tone, row(&statistic.fault, cells)));
    }
    lines
}

/// Heart and beat of each instance: the last seconds, one character each, and the newest row.
#[must_use]
pub fn clients_seen(column: &Column, width: usize, ink: Ink) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (index, strips) in column.strips.iter().enumerate() {
        let instance = column.seen.as_ref().and_then(|(_, seen)| seen.site.instances.get(index));
        let several = column.strips.len() > 1;
        let of = instance.filter(|_| several).map_or(String::new(), |i| format!(" {}", i.name));
        let has_beat = instance.is_none_or(|i| !i.standby_ips.is_empty());
        let client = column.clients_seen.get(index);
        let idle = || (Mark::Idle, "no client at work".to_owned());
        let heart = client.map_or_else(idle, |p| (heart_mark(p), heart(p)));
        let beat = client.map_or_else(idle, |p| (beat_mark(p), beat(p)));
        let [heart_strip, beat_strip] = strips;
        lines.push(pulse_line(&format!("heart{of}"), heart, heart_strip, width, ink));
        if has_beat {
            lines.push(pulse_line(&format!("beat{of}"), beat, beat_strip, width, ink));
        }
    }
    lines
}

fn pulse_line(
    name: &str,
    (mark, text): (Mark, String),
    strip: &Strip,
    width: usize,
    ink: Ink,
) -> Line<'static> {
    // The strip keeps a third of the line, so that a long reason doesn't push it out.
    let text = cut(&printable(&text), (width * 2 / 3).saturating_sub(9));
    let left = format!("{name:<8} {text:<STATE$}  ");
    let room = width.saturating_sub(left.chars().count());
    let marks: Vec<Mark> = strip.marks.iter().skip(strip.marks.len().saturating_sub(room)).copied().collect();
    let margin = " ".repeat(room.saturating_sub(marks.len()));
    let mut spans = vec![ink.span(tone(mark), left + &margin)];
    let same = marks.chunk_by(|a, b| a == b);
    spans.extend(same.filter_map(|run| Some(ink.span(tone(*run.first()?), signs(run)))));
    Line::from(spans)
}

fn tone(mark: Mark) -> Tone {
    match mark {
        Mark::Idle => Tone::Normal,
        Mark::Good => Tone::Good,
        Mark::Bad => Tone::Bad,
    }
}

fn signs(marks: &[Mark]) -> String {
    let sign = |mark: &Mark| match mark {
        Mark::Idle => '.',
        Mark::Good => '|',
        Mark::Bad => 'X',
    };
    marks.iter().map(sign).collect()
}

fn heart(client: &ClientState) -> String {
    let ago = |id: i64, at: Duration| format!("row {id}, {} ago", span_of(client.now.saturating_sub(at)));
    let written =
        client.heart.as_ref().map_or("nothing written yet".to_owned(), |ack| ago(ack.id, ack.ended));
    match client.tried.as_ref().map(|a| &a.outcome) {
        Some(Outcome::Refused(why) | Outcome::Uncertain(why)) => format!("{written}; {why}"),
        Some(Outcome::Acked) | None => written,
    }
}

fn beat(client: &ClientState) -> String {
    match &client.beat {
        Some(Reading { at, newest: Ok(id), .. }) => {
            format!("row {id}, {} ago", span_of(client.now.saturating_sub(*at)))
        }
        Some(Reading { newest: Err(why), .. }) => why.clone(),
        None => "nothing read yet".to_owned(),
    }
}

/// What is missing, and the table of the nodes.
#[must_use]
pub fn cluster(column: &Column, now: Duration, width: usize, ink: Ink) -> Vec<Line<'static>> {
    let Some((at, seen)) = &column.seen else {
        return vec![ink.line(Tone::Normal, cut("the cluster has not been looked at yet", width))];
    };
    let mut lines = nodes::table(column, seen, width, ink);
    let age = now.saturating_sub(*at);
    let stale = if age > STALE { format!(" (seen {} ago)", span_of(age)) } else { String::new() };
    let found = problems(seen);
    let (tone, text) = match found.as_slice() {
        [] => (Tone::Good, format!("cluster  whole{stale}")),
        [one] => (Tone::Notice, format!("cluster  {one}{stale}")),
        [first, rest @ ..] => (Tone::Notice, format!("cluster  {first} (+{}){stale}", rest.len())),
    };
    lines.push(ink.line(tone, cut(&text, width)));
    lines
}

/// The newest lines of the journals, under their rule.
#[must_use]
pub fn journal(column: &Column, width: usize, height: usize, ink: Ink) -> Vec<Line<'static>> {
    let room = height.saturating_sub(1);
    let mut lines = vec![ink.rule("journal of the nodes", width)];
    for entry in column.journal.iter().skip(column.journal.len().saturating_sub(room)) {
        let text = format!("{} {} {}: {}", clock(entry.at), entry.node, entry.who, printable(&entry.text));
        lines.push(ink.line(Tone::Normal, cut(&text, width)));
    }
    if column.journal.is_empty() && room > 0 {
        lines.push(ink.line(Tone::Normal, cut("no warning yet", width)));
    }
    lines
}

/// The trace of the test, scrolled back by so many lines.
#[must_use]
pub fn trace(column: &Column, width: usize, height: usize, scroll: usize, ink: Ink) -> Vec<Line<'static>> {
    let room = height.saturating_sub(1);
    // From the newest one back, until there is enough.
    let mut wrapped: Vec<Line<'static>> = Vec::new();
    for (at, line) in column.trace.iter().rev() {
        let text = format!("{} {}", clock(*at), printable(line));
        let tone = trace_tone(line);
        wrapped.extend(wrap(&text, width, 11).into_iter().rev().map(|l| ink.line(tone, l)));
        if wrapped.len() >= room + scroll {
            break;
        }
    }
    let below = scroll.min(wrapped.len().saturating_sub(room));
    let title = if below > 0 { format!("trace, {below} lines below (End)") } else { "trace".to_owned() };
    let mut lines = vec![ink.rule(&title, width)];
    lines.extend(wrapped.into_iter().skip(below).take(room).rev());
    lines
}

fn trace_tone(line: &str) -> Tone {
    if line.starts_with("---") {
        Tone::Head
    } else if line.starts_with("FAILED") || line.starts_with("BAD") {
        Tone::Bad
    } else {
        Tone::Normal
    }
}
