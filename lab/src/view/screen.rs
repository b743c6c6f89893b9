//! The live view: what an observation looks like in 80 columns, with and without a terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use crate::client::clients::Clients;
use crate::client::state::ClientState;
use crate::cluster::handle::Cluster;
use crate::cluster::observe::{Database, Observation, Seen};
use crate::host::error::Result;
use crate::host::wait::{OnInterrupt, interrupted, pause};
use crate::machines::protocol::{Activity, Cable, NodeKind, Power};
use crate::record::history::{Outcome, Reading};
use quorate::cluster::crm_mon::Role;
use quorate::layout::site::Instance;

/// How often `watch` prints a picture.
const REFRESH: Duration = Duration::from_secs(1);
/// Entries of history that a view keeps: it needs only the newest.
const KEEP: usize = 1000;
/// Width of the view.
const COLUMNS: usize = 80;

/// Each database node's role in a few words, for one line of a log.
#[must_use]
pub fn roles(seen: &Observation) -> String {
    let words: Vec<String> = seen
        .databases()
        .flat_map(|node| {
            let instances = seen.site.instances.iter();
            instances.map(move |i| format!("{} {}", label(seen, node, Some(i)), role(seen, node, i)))
        })
        .collect();
    words.join(", ")
}

/// A node's name, with that of the instance where there are several.
pub(crate) fn label(seen: &Observation, node: &Seen, instance: Option<&Instance>) -> String {
    match instance {
        Some(instance) if seen.site.instances.len() > 1 => format!("{} {}", node.info.name, instance.name),
        Some(_) | None => node.info.name.clone(),
    }
}

/// A node's role in an instance, or why it has none, in a word.
pub(crate) fn role(seen: &Observation, node: &Seen, instance: &Instance) -> String {
    let Ok(status) = &seen.status else { return "?".to_owned() };
    match status.node(&node.info.name) {
        Some(member) if member.unclean => return "unclean".to_owned(),
        Some(member) if member.pending => return "joining".to_owned(),
        Some(member) if member.standby => return "in standby".to_owned(),
        Some(member) if member.online => {}
        Some(_) | None => return "offline".to_owned(),
    }
    match status.role_on(&seen.site.names(instance).resource(), &node.info.name) {
        Some(Role::Promoted) => "promoted".to_owned(),
        Some(Role::Unpromoted) => "unpromoted".to_owned(),
        Some(Role::Stopped) | None => "stopped".to_owned(),
        Some(Role::Started) => "started".to_owned(),
        Some(Role::Changing(word) | Role::Unknown(word)) => word.to_lowercase(),
    }
}

/// The state of a node's machine in a word.
pub(crate) fn machine(node: &Seen) -> &'static str {
    match (node.info.power, node.info.cable, node.info.activity) {
        (Power::Off, _, _) => "off",
        (Power::On, Cable::Unlinked, _) => "no net",
        (Power::On, Cable::Linked, Activity::Frozen) => "frozen",
        (Power::On, Cable::Linked, Activity::Running) => "on",
    }
}

/// Position and doings of an instance's PostgreSQL on a node.
pub(crate) fn database(seen: &Observation, node: &Seen, instance: &Instance) -> (String, String) {
    match seen.database(&node.info.name, instance) {
        Some(Database::Answers { in_recovery: false, lsn, timeline, .. }) => {
            (format!("{lsn} @{timeline}"), "takes writes".to_owned())
        }
        Some(Database::Answers { lsn, timeline, upstream, .. }) => {
            let from = upstream.as_ref().map_or("no stream".to_owned(), |host| {
                let known = seen.nodes.iter().find(|n| n.info.address.to_string() == *host);
                format!("from {}", known.map_or(host, |n| &n.info.name))
            });
            (format!("{lsn} @{timeline}"), from)
        }
        Some(Database::Silent(_)) => ("-".to_owned(), "no answer".to_owned()),
        None => ("-".to_owned(), String::new()),
    }
}

/// The float IPs of an instance that a node holds, in at most so many characters.
pub(crate) fn float_ips(seen: &Observation, node: &Seen, instance: &Instance, room: usize) -> String {
    let Ok(status) = &seen.status else { return String::new() };
    let names = seen.site.names(instance);
    let holds = |ip: &str| status.nodes_with_role(ip, &Role::Started).contains(&node.info.name.as_str());
    let suffix = if seen.site.instances.len() > 1 { format!(" {}", instance.name) } else { String::new() };
    let primary = holds(&names.primary_ip());
    let count = instance.standby_ips.len();
    let standby: Vec<String> = (0..count)
        .filter(|index| holds(&names.standby_ip(*index, count)))
        .map(|index| if count > 1 { (index + 1).to_string() } else { String::new() })
        .collect();
    let text = |upper: &str, lower: &str| {
        let mut words = Vec::new();
        if primary {
            words.push(format!("{upper}{suffix}"));
        }
        if !standby.is_empty() {
            words.push(format!("{lower}{suffix} {}", standby.join(" ")).trim_end().to_owned());
        }
        words.join(" ")
    };
    let long = text("primary", "standby");
    if long.chars().count() <= room { long } else { text("P", "S") }
}

/// The view as lines of at most 80 columns; a client for each instance.
#[must_use]
pub fn render(seen: &Observation, clients_seen: &[ClientState]) -> String {
    let mut lines: Vec<(&Seen, Option<&Instance>)> = Vec::new();
    for node in &seen.nodes {
        match node.info.kind {
            NodeKind::Database => lines.extend(seen.site.instances.iter().map(|i| (node, Some(i)))),
            NodeKind::Witness => lines.push((node, None)),
        }
    }
    let labels: Vec<String> = lines.iter().map(|(node, instance)| label(seen, node, *instance)).collect();
    let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max("witness".len());
    let columns = |words: [&str; 6]| {
        let [name, machine, role, score, lsn, does] = words;
        format!("  {name:<width$} {machine:<6} {role:<10} {score:>6}  {lsn:<14} {does:<13} ")
    };
    let head = columns(["node", "power", "role", "score", "LSN @timeline", "PostgreSQL"]);
    let room = COLUMNS.saturating_sub(head.chars().count());
    let mut text = String::new();
    let _ = writeln!(text, "{}", cut(&format!("{head}float IP")));
    for ((node, instance), label) in lines.into_iter().zip(&labels) {
        let line = match instance {
            None => columns([label, machine(node), "qdevice", "-", "-", ""]),
            Some(instance) => {
                let resource = seen.site.names(instance).resource();
                let status = seen.status.as_ref().ok();
                let score = status.and_then(|s| s.promotion_score(&resource, &node.info.name)).unwrap_or("-");
                let (lsn, does) = database(seen, node, instance);
                let role = role(seen, node, instance);
                let floats = float_ips(seen, node, instance, room);
                columns([label, machine(node), &role, score, &lsn, &does]) + &floats
            }
        };
        let _ = writeln!(text, "{}", cut(line.trim_end()));
    }
    for (client, instance) in clients_seen.iter().zip(&seen.site.instances) {
        let of = if clients_seen.len() > 1 { format!(" {}", instance.name) } else { String::new() };
        let _ = writeln!(text, "{}", cut(&heart(client, &of)));
        if !instance.standby_ips.is_empty() {
            let _ = writeln!(text, "{}", cut(&beat(client, &of)));
        }
    }
    text
}

fn heart(client: &ClientState, of: &str) -> String {
    let written = match &client.heart {
        Some(ack) => {
            format!("row {} written {} ms ago", ack.id, client.now.saturating_sub(ack.ended).as_millis())
        }
        None => "nothing written yet".to_owned(),
    };
    match client.tried.as_ref().map(|a| &a.outcome) {
        Some(Outcome::Refused(why) | Outcome::Uncertain(why)) => format!("  heart{of}  {written}; {why}"),
        Some(Outcome::Acked) | None => format!("  heart{of}  {written}"),
    }
}

fn beat(client: &ClientState, of: &str) -> String {
    match &client.beat {
        Some(Reading { at, newest: Ok(id), .. }) => {
            format!("  beat{of}   row {id} read back {} ms ago", client.now.saturating_sub(*at).as_millis())
        }
        Some(Reading { newest: Err(why), .. }) => format!("  beat{of}   {why}"),
        None => format!("  beat{of}   nothing read yet"),
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
    /// Lines, or one block after the other.
    Plain,
}

impl Style {
    /// In place on a terminal, unless plain lines are asked for.
    #[must_use]
    pub fn choose(plain: bool) -> Self {
        if plain || !std::io::stdout().is_terminal() { Self::Plain } else { Self::Terminal }
    }
}

/// `quorate-lab watch` without a terminal: one picture after the other until Ctrl-C; of several clusters each with its name.
///
/// # Errors
/// When a cluster is gone or its client can't start.
pub fn watch(clusters: &[Cluster]) -> Result<()> {
    let start = |cluster| Clients::start(cluster, "watch_", Duration::from_secs(30));
    let clients: Vec<Clients> = clusters.iter().map(start).collect::<Result<_>>()?;
    while !interrupted() {
        for (cluster, clients) in clusters.iter().zip(&clients) {
            let view = render(&Observation::take(cluster)?, &clients.clients_seen());
            let name = if clusters.len() > 1 { format!("{}\n", cluster.name()) } else { String::new() };
            // A pipe whose reader has gone ends this with SIGPIPE's error, not with a panic.
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{name}{view}").and_then(|()| out.flush()).is_err() {
                return Ok(());
            }
            clients.trim(KEEP);
        }
        if pause(REFRESH, OnInterrupt::Stop).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
