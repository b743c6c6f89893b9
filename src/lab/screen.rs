//! The live view: what an observation looks like in 80 columns, with and without a terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use super::client::Client;
use super::client::history::{Attempt, Outcome, Reading};
use super::cluster::Cluster;
use super::error::Result;
use super::experiment::endpoints;
use super::layout::RESOURCE;
use super::observe::{Database, Observation, Seen};
use super::protocol::{Activity, Cable, NodeKind, Power};
use super::wait::{OnInterrupt, interrupted, pause};
use crate::cluster::crm_mon::Role;

/// How often the view is refreshed.
const REFRESH: Duration = Duration::from_secs(1);
/// Entries of history that a view keeps: it needs only the newest.
const KEEP: usize = 1000;
/// Width of the view.
const COLUMNS: usize = 80;

/// What the client saw last.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    /// The client's time now.
    pub now: Duration,
    /// The newest write that was acknowledged.
    pub heart: Option<Attempt>,
    /// The newest attempt to write.
    pub tried: Option<Attempt>,
    /// The newest reading.
    pub beat: Option<Reading>,
    /// The nodes that take writes by their own address.
    pub writable: Vec<String>,
}

impl Pulse {
    /// The client's pulse now.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        Self {
            now: client.now(),
            heart: client.heart().last_where(Attempt::is_acked),
            tried: client.heart().last(),
            beat: client.beat().last(),
            writable: client.writable_nodes(),
        }
    }
}

/// Each database node's role in a few words, for one line of a log.
#[must_use]
pub fn roles(seen: &Observation) -> String {
    let words: Vec<String> =
        seen.databases().map(|node| format!("{} {}", node.info.name, role(seen, node))).collect();
    words.join(", ")
}

fn role(seen: &Observation, node: &Seen) -> String {
    match node.info.kind {
        NodeKind::Witness => return "quorum device".to_owned(),
        NodeKind::Database => {}
    }
    let Ok(status) = &seen.status else { return "?".to_owned() };
    match status.node(&node.info.name) {
        Some(member) if member.unclean => return "unclean".to_owned(),
        Some(member) if member.pending => return "joining".to_owned(),
        Some(member) if member.standby => return "node standby".to_owned(),
        Some(member) if member.online => {}
        Some(_) | None => return "offline".to_owned(),
    }
    match status.role_on(RESOURCE, &node.info.name) {
        Some(Role::Promoted) => "promoted".to_owned(),
        Some(Role::Unpromoted) => "unpromoted".to_owned(),
        Some(Role::Stopped) | None => "stopped".to_owned(),
        Some(Role::Started) => "started".to_owned(),
        Some(Role::Changing(word) | Role::Unknown(word)) => word.to_lowercase(),
    }
}

fn machine(node: &Seen) -> &'static str {
    match (node.info.power, node.info.cable, node.info.activity) {
        (Power::Off, _, _) => "off",
        (Power::On, Cable::Unlinked, _) => "no net",
        (Power::On, Cable::Linked, Activity::Frozen) => "frozen",
        (Power::On, Cable::Linked, Activity::Running) => "on",
    }
}

fn database(seen: &Observation, node: &Seen) -> (String, String) {
    match &node.database {
        Some(Database::Answers { in_recovery: false, lsn, timeline, .. }) => {
            (format!("{lsn} @{timeline}"), "takes writes".to_owned())
        }
        Some(Database::Answers { lsn, timeline, upstream, .. }) => {
            let from = upstream.as_ref().map_or("does not stream".to_owned(), |host| {
                let known = seen.nodes.iter().find(|n| n.info.address.to_string() == *host);
                format!("from {}", known.map_or(host, |n| &n.info.name))
            });
            (format!("{lsn} @{timeline}"), from)
        }
        Some(Database::Silent(_)) => ("-".to_owned(), "no answer".to_owned()),
        None => ("-".to_owned(), String::new()),
    }
}

/// The view as lines of at most 80 columns.
#[must_use]
pub fn render(seen: &Observation, pulse: &Pulse) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  {:<7} {:<7} {:<13} {:>6}  {:<14} {:<16} float IP",
        "node", "machine", "role", "score", "LSN @timeline", "PostgreSQL"
    );
    for node in &seen.nodes {
        let name = &node.info.name;
        let status = seen.status.as_ref().ok();
        let score = status.and_then(|s| s.promotion_score(RESOURCE, name)).unwrap_or("-");
        let (lsn, does) = database(seen, node);
        let holds = |ip: &str| status.is_some_and(|s| s.node_of(ip) == Some(name));
        let floats: Vec<&str> = [("primary-ip", "primary"), ("standby-ip", "standby")]
            .iter()
            .filter(|(ip, _)| holds(ip))
            .map(|(_, word)| *word)
            .collect();
        let role = role(seen, node);
        let line = format!(
            "  {name:<7} {:<7} {role:<13} {score:>6}  {lsn:<14} {does:<16} {}",
            machine(node),
            floats.join(" ")
        );
        let _ = writeln!(text, "{}", cut(line.trim_end()));
    }
    let _ = writeln!(text, "{}", cut(&heart(pulse)));
    let _ = writeln!(text, "{}", cut(&beat(pulse)));
    text
}

fn heart(pulse: &Pulse) -> String {
    let written = match &pulse.heart {
        Some(ack) => {
            format!("row {} written {} ms ago", ack.id, pulse.now.saturating_sub(ack.ended).as_millis())
        }
        None => "nothing written yet".to_owned(),
    };
    match pulse.tried.as_ref().map(|a| &a.outcome) {
        Some(Outcome::Refused(why) | Outcome::Uncertain(why)) => format!("  heart  {written}; {why}"),
        Some(Outcome::Acked) | None => format!("  heart  {written}"),
    }
}

fn beat(pulse: &Pulse) -> String {
    match &pulse.beat {
        Some(Reading { at, newest: Ok(id) }) => {
            format!("  beat   row {id} read back {} ms ago", pulse.now.saturating_sub(*at).as_millis())
        }
        Some(Reading { newest: Err(why), .. }) => format!("  beat   {why}"),
        None => "  beat   nothing read yet".to_owned(),
    }
}

/// At most the view's width of a line.
#[must_use]
pub fn cut(line: &str) -> String {
    line.chars().take(COLUMNS).collect()
}

/// How the view is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Refreshed in place.
    Terminal,
    /// One block after the other, when something changed.
    Plain,
}

impl Style {
    /// In place on a terminal, unless plain lines are asked for.
    #[must_use]
    pub fn choose(plain: bool) -> Self {
        if plain || !std::io::stdout().is_terminal() { Self::Plain } else { Self::Terminal }
    }
}

/// `quorate-lab watch`: shows the cluster until Ctrl-C.
///
/// # Errors
/// When the cluster is gone or the client can't start.
pub fn watch(cluster: &Cluster, style: Style) -> Result<()> {
    let client = Client::start(endpoints(cluster)?, "watch_", Duration::from_secs(30))?;
    let mut height = 0;
    while !interrupted() {
        let seen = Observation::take(cluster)?;
        let view = render(&seen, &Pulse::of(&client));
        let mut out = std::io::stdout().lock();
        if style == Style::Terminal && height > 0 {
            // Up to the first line of the view before, and clear from there on.
            let _ = write!(out, "\x1b[{height}A\x1b[J");
        }
        let _ = writeln!(out, "{view}");
        let _ = out.flush();
        drop(out);
        height = view.lines().count() + 1;
        client.trim(KEEP);
        if pause(REFRESH, OnInterrupt::Stop).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
