//! `quorate history` and `quorate why`: what happened to the topology, from the files and words of all members.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::CliError;
use super::live::{self, Live};
use crate::boundary::clock::wall_seconds;
use crate::boundary::pacemaker::Patience;
use crate::boundary::{history, printable, setup};
use crate::cluster::calendar::utc;
use crate::decide::history::{Entry, Event, is_promotion, lost, merge};

/// Which part of it.
#[derive(Debug, Args)]
#[command(
    after_help = "As root. Each node keeps its history in /var/lib/quorate/history, and takes over what the others tell: any node that is left \
has it. What the other members have told since is merged in.\n\nExit code: 0 printed, 1 there is none that can be read"
)]
pub struct History {
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Only what is younger: 90m, 12h, 7d, or from a time on: 2026-11-29, "2026-11-29 12:00" (UTC)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Which promotion.
#[derive(Debug, Args)]
#[command(after_help = "As root.\n\nExit code: 0 printed, 1 there is no such promotion in the history")]
pub struct Why {
    /// Its number, as in quorate history; without it the last one
    #[arg(value_name = "PROMOTION")]
    generation: Option<u64>,
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(3);

/// A limit of age, or a time.
#[derive(Debug, Clone)]
enum Since {
    Age(u64),
    Time(String),
}

fn since(text: &str) -> Result<Since, String> {
    let wrong =
        || format!("{text:?} is no age (90m, 12h, 7d) and no time (2026-11-29, \"2026-11-29 12:00\")");
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => 0,
    };
    if unit > 0 {
        let number = text[..text.len() - 1].parse::<u64>().map_err(|_| wrong())?;
        return Ok(Since::Age(number.saturating_mul(unit)));
    }
    let pattern = "dddd-dd-dd dd:dd:dd";
    let fits = |(c, p): (char, char)| if p == 'd' { c.is_ascii_digit() } else { c == p };
    let is_time = [10, 16, 19].contains(&text.len()) && text.chars().zip(pattern.chars()).all(fits);
    is_time.then(|| Since::Time(text.to_owned())).ok_or_else(wrong)
}

impl Since {
    /// Times as text are in the order of time.
    fn includes(&self, at: u64, now: u64) -> bool {
        match self {
            Self::Age(age) => at >= now.saturating_sub(*age),
            Self::Time(time) => utc(at).as_str() >= time.as_str(),
        }
    }
}

/// All that is known, without the cluster too where there is a name.
fn look(named: Option<&str>) -> Result<(String, Vec<Entry>), CliError> {
    setup::need_root()?;
    let resource = match (live::status(), named) {
        (Ok(status), named) => live::resource(&status, named)?,
        // Pacemaker is down: this node's own file is what there is.
        (Err(_), Some(named)) => named.to_owned(),
        (Err(error), None) => {
            return Err(CliError::Other(format!("{error}; without Pacemaker name the resource: --resource")));
        }
    };
    let (mut all, broken) = history::load(&resource)?;
    if broken > 0 {
        eprintln!("quorate: {broken} lines of this node's history make no sense and are left out");
    }
    match history::of_members(&resource, Patience::of(PATIENCE)) {
        Ok(told) => drop(merge(&mut all, told)),
        Err(error) => eprintln!("quorate: this node's own history alone: {}", printable::line(&error.text)),
    }
    merge(&mut all, history::kept(&resource, &setup::host_name()?));
    Ok((resource, all))
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    time: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<&'a Entry>,
}

pub(super) fn run(args: &History) -> Result<u8, CliError> {
    let (_, all) = look(args.resource.as_deref())?;
    let now = wall_seconds();
    let is_asked = |entry: &&Entry| args.since.as_ref().is_none_or(|since| since.includes(entry.at, now));
    let shown = all.iter().filter(is_asked);
    if args.json {
        let lines = shown.map(|entry| Line { entry, time: utc(entry.at), lost: lost(&all, entry) });
        let lines: Vec<Line<'_>> = lines.collect();
        println!("{}", serde_json::to_string_pretty(&lines).map_err(|e| CliError::Other(e.to_string()))?);
        return Ok(0);
    }
    let shown: Vec<&Entry> = shown.collect();
    if shown.is_empty() {
        println!("no promotion is in the history");
    }
    for entry in shown {
        print!("{}", text(entry));
    }
    Ok(0)
}

pub(super) fn why(args: &Why) -> Result<u8, CliError> {
    let (resource, all) = look(args.resource.as_deref())?;
    let is_asked = |entry: &&Entry| match (&entry.event, args.generation) {
        (Event::Promotion { generation, .. }, Some(asked)) => *generation == asked,
        (Event::Promotion { .. }, None) => true,
        (Event::Kept { .. }, _) => false,
    };
    let Some(entry) = all.iter().rev().find(is_asked) else {
        let last = all.iter().rev().find(|entry| is_promotion(entry));
        let what = match (args.generation, last) {
            (Some(asked), Some(_)) => format!("promotion {asked} is not in the history: quorate history"),
            _ => format!("no promotion of {resource} is in the history"),
        };
        return Err(CliError::Other(what));
    };
    print!("{}", text(entry));
    let losses = lost(&all, entry);
    if losses.is_empty() {
        println!("    lost: nothing is on record (what a lost primary alone had is counted when it rejoins)");
    }
    losses.iter().for_each(|entry| println!("    lost: {}", printable::line(&loss(entry))));
    if let Event::Promotion { from, to, .. } = &entry.event {
        let others = from.iter().filter(|from| *from != to).map(|from| format!(", and on {from}"));
        let others: String = others.collect();
        let on = printable::line(&format!("{to}{others}"));
        println!("    more: journalctl -t quorate-postgres on {on}; pcs stonith history show");
    }
    if let (None, Ok(live)) = (args.generation, Live::look(Some(&resource))) {
        let failing: Vec<String> = live.verify().into_iter().filter(|i| !i.passed).map(|i| i.what).collect();
        let now = if failing.is_empty() { "quorate verify passes".to_owned() } else { failing.join("; ") };
        println!("    now:  {}", printable::line(&now));
    }
    Ok(0)
}

/// Its lines. Nodes, causes and directories come from members' attributes: none of it begins a line of its own.
fn text(entry: &Entry) -> String {
    let mut out = String::new();
    let mut put = |line: String| {
        out.push_str(&printable::line(&line));
        out.push('\n');
    };
    let time = utc(entry.at);
    match &entry.event {
        Event::Promotion { generation, timeline, from, to, fork, kind, cause, .. } => {
            let way = match from {
                Some(from) if from != to => format!("{from} -> {to}"),
                Some(_) | None => to.clone(),
            };
            let fork = fork.as_ref().map_or(String::new(), |fork| format!(" from {fork}"));
            let kind = kind.name();
            put(format!("{time}  {generation}  {kind}: {way}, timeline {timeline}{fork}"));
            put(format!("    {cause}"));
        }
        Event::Kept { node, .. } => put(format!("{time}  -  rejoin of {node}: {}", loss(entry))),
    }
    out
}

fn loss(entry: &Entry) -> String {
    let Event::Kept { node, source, from, to, bytes, commits, directory } = &entry.event else {
        return String::new();
    };
    let commits = match commits {
        Some(1) => "1 commit".to_owned(),
        Some(number) => format!("{number} commits"),
        None => "commits that could not be counted".to_owned(),
    };
    let bytes = bytes.map_or("?".to_owned(), |bytes| bytes.to_string());
    let from = from.as_deref().unwrap_or("?");
    format!(
        "{commits} ({bytes} bytes of WAL, {from} to {to}) that {source} does not have, kept on {node}: {directory}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_members_tell_forges_no_line() {
        let event = Event::Kept {
            node: "srv1\n2026-11-29 12:00:00 UTC  9  switchover: srv1".into(),
            source: "srv2".into(),
            from: None,
            to: "\u{1b}[2J".into(),
            bytes: None,
            commits: None,
            directory: "/d\n".into(),
        };
        let lines = text(&Entry { at: 0, event });
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(!lines.contains('\u{1b}'), "{lines}");
    }

    #[test]
    fn since_when() {
        let at = 1_764_417_600; // 2025-11-29 12:00:00 UTC
        let includes = |text: &str| since(text).expect(text).includes(at, at + 3600);
        assert!(includes("60m") && includes("1h") && !includes("59m"));
        assert!(includes("2025-11-29") && includes("2025-11-29 12:00") && !includes("2025-11-29 12:01"));
        assert!(!includes("2025-11-30"));
        for bad in ["", "h", "7w", "yesterday", "2025-11", "2025-11-29T12:00", "-1d", "1é"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
