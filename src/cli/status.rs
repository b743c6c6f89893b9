//! `quorate status`: the cluster as this node sees it.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;

use super::{CliError, doctor};
use crate::boundary::clock::{Deadline, wall_seconds};
use crate::boundary::inspect::{self, Instance};
use crate::boundary::rejoin::entries;
use crate::boundary::{printable, setup, terminal};
use crate::cluster::calendar::utc;
use crate::cluster::corosync;
use crate::cluster::crm_mon::{Role, Status};
use crate::decide::doctor::facts::{Known, Unknown};
use crate::decide::doctor::read::read;
use crate::decide::doctor::{examine, span};
use crate::decide::overview::{Health, Overview, Seen, SeenServer, Server, overview};
use crate::decide::topology::tree;
use crate::pg::view::Answer;

/// How to print it.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 healthy, 1 degraded (something is wrong, the service goes on), 2 down (no quorum, no primary, safe mode, or \
commits that hang), 3 could not tell"
)]
pub struct StatusArgs {
    /// For programs
    #[arg(long)]
    json: bool,
    /// Again and again, each so many seconds, until it is interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", conflicts_with = "json",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
}

/// Where a terminal begins, and what clears it to its end.
const HOME: &str = "\x1b[H\x1b[J";

/// Looks and prints; gives the exit code.
///
/// # Errors
/// When this machine's name can't be had, or the document not be written.
pub(super) fn run(args: &StatusArgs) -> Result<u8, CliError> {
    let Some(seconds) = args.watch else {
        let (text, code) = screen(args)?;
        print!("{text}");
        return Ok(code);
    };
    let pause = Duration::from_secs(seconds);
    let clears = if std::io::stdout().is_terminal() { HOME } else { "" };
    loop {
        let (text, _) = screen(args)?;
        print!("{clears}{}\n\n{text}", utc(wall_seconds()));
        std::io::stdout().flush().map_err(|e| CliError::Other(e.to_string()))?;
        Deadline::after(pause).sleep(pause);
    }
}

/// What is printed, and the exit code.
fn screen(args: &StatusArgs) -> Result<(String, u8), CliError> {
    let Some(found) = look()? else { return Ok((String::new(), Health::Unknown.exit_code())) };
    let text = if args.json { json(&found)? } else { fitted(&text(&found)) };
    Ok((text, found.health.exit_code()))
}

fn json(found: &Overview) -> Result<String, CliError> {
    Ok(serde_json::to_string_pretty(found).map_err(|e| CliError::Other(e.to_string()))? + "\n")
}

/// As wide as the terminal.
fn fitted(text: &str) -> String {
    let text = printable::lines(text);
    terminal::width().map_or_else(|| text.clone(), |width| terminal::wrapped(&text, width))
}

/// How to print it.
#[derive(Debug, Args)]
#[command(
    after_help = "A part of what quorate status sees, with its exit code: 0 healthy, 1 degraded, 2 down, 3 could not tell"
)]
pub struct TopologyArgs {
    /// For programs: all of quorate status
    #[arg(long)]
    json: bool,
}

/// The tree; gives the exit code.
///
/// # Errors
/// As [`run`].
pub(super) fn topology(args: &TopologyArgs) -> Result<u8, CliError> {
    let Some(found) = look()? else { return Ok(Health::Unknown.exit_code()) };
    print!("{}", if args.json { json(&found)? } else { fitted(&tree(&found)) });
    Ok(found.health.exit_code())
}

/// The cluster, as far as it can be seen from here; `None`: nothing, and why was said.
fn look() -> Result<Option<Overview>, CliError> {
    let host = setup::host_name()?;
    let live = match doctor::look().and_then(|live| {
        let facts = read(live.gathered).map_err(|e| e.to_string())?;
        Ok((live.status, live.instances, facts))
    }) {
        Ok(live) => live,
        Err(problem) => {
            eprintln!("quorate: {}", printable::line(&problem));
            return Ok(None);
        }
    };
    let (status, instances, facts) = live;
    let report = examine(&facts);
    let servers = instances.unwrap_or_default().iter().map(|instance| server(instance, &status)).collect();
    let seen = Seen {
        host: &host,
        now: wall_seconds(),
        status: &status,
        report: &report,
        connected: inspect::quorum_device().map(|said| corosync::quorum_device_is_connected(&said)),
        sbd_runs: inspect::runs("sbd.service"),
        servers,
        facts: &facts,
        kept: kept(),
    };
    Ok(Some(overview(&seen)))
}

/// What is known of an instance on this node.
fn server(instance: &Instance, status: &Known<Status>) -> SeenServer {
    let answer = instance.answer();
    let reported =
        if status.is_ok() { instance.reported() } else { Err(Unknown("Pacemaker is silent".to_owned())) };
    let nobody =
        status.as_ref().ok().filter(|s| s.nodes_with_role(&instance.resource, &Role::Promoted).is_empty());
    SeenServer {
        resource: instance.resource.clone(),
        outlook: nobody.and_then(|status| instance.outlook(status, &reported)),
        waits: match &answer {
            Ok(Answer::Primary(_)) => instance.waits(),
            Ok(_) | Err(_) => Err(Unknown("no primary runs here".to_owned())),
        },
        trouble: match &answer {
            Ok(Answer::Standby(view)) if view.receiver.is_none() => instance.receiver_trouble(),
            Ok(_) | Err(_) => None,
        },
        reported,
        answer,
    }
}

/// What rejoins put aside here.
fn kept() -> Known<(usize, u64)> {
    let entries = entries().map_err(|e| Unknown(e.to_string()))?;
    let bytes = entries.iter().filter_map(|e| e.kept.as_ref()?.bytes).sum();
    Ok((entries.len(), bytes))
}

fn text(found: &Overview) -> String {
    let mut out = String::new();
    let number = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
    let quorum = match found.quorate {
        Some(true) => "quorate",
        Some(false) => "NO quorum",
        None => "quorum unknown",
    };
    let votes = found.votes.as_ref().map_or(String::new(), |v| {
        format!(", {} of {} votes, {} needed", number(v.present), number(v.expected), number(v.needed))
    });
    let dc = found.dc.as_deref().unwrap_or("none");
    let health = match found.health {
        Health::Healthy => "healthy",
        Health::Degraded => "DEGRADED",
        Health::Down => "DOWN",
        Health::Unknown => "UNKNOWN",
    };
    let _ = writeln!(out, "cluster       {health}, seen from {}", found.seen_from);
    let _ = writeln!(out, "quorum        {quorum}{votes}; DC {dc}");
    let _ = writeln!(out, "quorum device {}\nfencing       {}", found.quorum_device, found.fencing);
    let _ = writeln!(out, "watchdog      {}\nquorated      {}", found.watchdog, found.quorated);
    let present = found.members.iter().filter(|m| m.expected && m.state == "online").count();
    let expected = found.members.iter().filter(|m| m.expected).count();
    let words: Vec<String> = found
        .members
        .iter()
        .map(|m| {
            let away = m.away_s.map_or(String::new(), |s| format!(" for {}", span(s)));
            let more = if m.expected { "" } else { " (not in corosync.conf)" };
            let site = m.site.as_ref().map_or(String::new(), |site| format!(" ({site})"));
            format!("{}{site} {}{away}{more}", m.name, m.state)
        })
        .collect();
    let _ = writeln!(out, "members       {present} of {expected}: {}", words.join(", "));
    let _ = writeln!(out, "next loss     {}", found.one_more_loss);
    for commits in &found.commits {
        let _ = writeln!(out, "commits       {commits}");
    }
    if let Some(kept) = &found.kept {
        let _ = writeln!(out, "kept          {kept}");
    }
    out.push('\n');
    out.push_str(&table(&found.servers));
    if found.issues.is_empty() {
        out.push_str("\nno issues found\n");
    }
    for issue in &found.issues {
        let (what, cure) = (printable::line(&issue.what), printable::line(&issue.cure));
        let _ = writeln!(out, "\n{}: {what}\n  cure  {cure}", issue.severity.name());
    }
    out
}

/// In three digits.
fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

const HEADINGS: [&str; 8] = ["resource", "node", "role", "TL", "LSN", "lag", "replication", "score"];

fn table(servers: &[Server]) -> String {
    let dash = || "-".to_owned();
    let mut rows: Vec<[String; 8]> = vec![HEADINGS.map(str::to_owned)];
    rows.extend(servers.iter().map(|s| {
        [
            s.resource.clone(),
            s.node.clone(),
            s.role.clone(),
            s.timeline.map_or_else(dash, |t| t.to_string()),
            s.lsn.map_or_else(dash, |l| l.to_string()),
            // As of the agent's last monitor.
            s.lag_bytes
                .map_or_else(dash, |b| format!("{}{}", if s.is_reported { "~" } else { "" }, bytes(b))),
            match (&s.replication, &s.sync) {
                (Some(word), Some(sync)) if word == "streaming" => format!("streaming, {sync}"),
                (Some(word), _) => word.clone(),
                (None, _) => dash(),
            },
            s.score.map_or_else(dash, |s| s.to_string()),
        ]
    }));
    let width =
        |column: usize| rows.iter().map(|r| printable::line(&r[column]).chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| printable::line(cell))
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    out
}
