//! `quorate status`: what is expected and what is there, who is the primary, how far the standbys are, and what is wrong.

use serde::Serialize;

use super::doctor::facts::{Facts, Known, Quorated, Unknown};
use super::doctor::{Report, Severity, watchdog_words};
use super::follow::safe_mode_attribute;
use super::rejoin;
use crate::cluster::attributes;
use crate::cluster::checker::OwnDevice;
use crate::cluster::cib::{boolean, milliseconds};
use crate::cluster::crm_mon::{Node, Role, Status};
use crate::pg::lsn::Lsn;
use crate::pg::view::{Answer, PrimaryView, StandbyView};

/// What was seen from one node.
#[derive(Debug)]
pub struct Seen<'a> {
    /// This node.
    pub host: &'a str,
    pub status: &'a Known<Status>,
    pub facts: &'a Facts,
    pub report: &'a Report,
    /// What corosync-qdevice is connected to, where a quorum device is configured.
    pub connected: Known<bool>,
    /// Whether sbd runs here.
    pub sbd_runs: Known<bool>,
    /// The servers that Pacemaker has, by resource, and how the one on this node is.
    pub servers: Vec<(String, Known<Answer>)>,
}

/// All of it, for people and programs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    pub seen_from: String,
    pub quorate: Option<bool>,
    pub dc: Option<String>,
    pub votes: Option<Votes>,
    /// In words.
    pub quorum_device: String,
    pub fencing: String,
    /// sbd's device here, and the last drill with it.
    pub watchdog: String,
    pub quorated: String,
    pub members: Vec<Member>,
    pub servers: Vec<Server>,
    pub issues: Vec<Issue>,
}

/// Votes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Votes {
    pub expected: Option<u32>,
    pub present: Option<u32>,
    pub needed: Option<u32>,
}

/// A node.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    pub name: String,
    /// Whether corosync.conf has it.
    pub expected: bool,
    /// In a word: `online`, `OFFLINE`, `UNCLEAN`, `standby`, `pending`, `unknown`.
    pub state: &'static str,
    pub away_s: Option<u64>,
}

/// One instance on one node.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    pub resource: String,
    pub node: String,
    /// Pacemaker's word; `-` where it runs nothing there.
    pub role: String,
    pub timeline: Option<u32>,
    pub lsn: Option<Lsn>,
    /// Bytes behind the primary.
    pub lag_bytes: Option<u64>,
    /// `streaming`, or why not.
    pub replication: Option<String>,
    pub score: Option<i32>,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    pub severity: Severity,
    pub what: String,
    pub cure: String,
}

impl Overview {
    /// 0: nothing is wrong, 1: warnings, 2: errors or worse.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.issues.iter().map(|i| i.severity).max() {
            None => 0,
            Some(Severity::Warning) => 1,
            Some(Severity::Error | Severity::Critical) => 2,
        }
    }
}

/// Puts it together.
#[must_use]
pub fn overview(seen: &Seen<'_>) -> Overview {
    let status = seen.status.as_ref().ok();
    let servers = status.map(|status| servers(seen, status)).unwrap_or_default();
    let votes = seen.facts.node.votes.as_ref().ok();
    Overview {
        seen_from: seen.host.to_owned(),
        quorate: votes.and_then(|v| v.quorate).or(status.and_then(|s| s.quorate)),
        dc: status.and_then(|s| s.dc.clone()),
        votes: votes.map(|v| Votes { expected: v.expected, present: v.total, needed: v.quorum }),
        quorum_device: quorum_device(seen),
        fencing: fencing(seen),
        watchdog: watchdog_words(seen.facts),
        quorated: quorated(&seen.facts.node.quorated),
        members: members(seen, status),
        issues: issues(seen, &servers),
        servers,
    }
}

fn quorum_device(seen: &Seen<'_>) -> String {
    match seen.facts.corosync.as_ref().map(|c| c.device.as_ref()) {
        Err(Unknown(why)) => format!("unknown: {why}"),
        Ok(None) => "none".to_owned(),
        Ok(Some(device)) => {
            let host = device.host.as_ref().map_or("?", |h| h.value.as_str());
            let voting =
                |m: &crate::cluster::corosync::tools::Member| m.device.is_some_and(|d| d.alive && d.votes);
            let votes = match &seen.facts.node.votes {
                Ok(v) => format!(
                    "votes on {} of {} members",
                    v.members.iter().filter(|m| voting(m)).count(),
                    v.members.len()
                ),
                Err(Unknown(why)) => format!("votes unknown: {why}"),
            };
            match &seen.connected {
                Ok(true) => format!("connected to {host}, {votes}"),
                Ok(false) => format!("NOT connected to {host}, {votes}"),
                Err(Unknown(why)) => format!("{host}: {why}; {votes}"),
            }
        }
    }
}

/// Armed: a hang of what it watches has consequences.
fn quorated(told: &Known<Quorated>) -> String {
    match told {
        Err(Unknown(why)) => format!("unknown: {why}"),
        Ok(Quorated::Silent) => "NOT armed: it does not run on this node, or hangs".to_owned(),
        Ok(Quorated::Runs(checker)) if !checker.acts => "NOT armed: it only reports what it finds".to_owned(),
        Ok(Quorated::Runs(checker)) => {
            let armed = checker.watched.iter().filter(|w| w.armed).count();
            let quorum = if checker.quorum_armed { "the quorum" } else { "not yet the quorum" };
            let idle: Vec<&str> =
                checker.watched.iter().filter(|w| !w.armed).map(|w| w.name.as_str()).collect();
            let without =
                if idle.is_empty() { String::new() } else { format!("; not seen well: {}", idle.join(", ")) };
            let device = match checker.device {
                OwnDevice::None => "",
                OwnDevice::KeptAlive => ", a watchdog device",
                OwnDevice::Missing(_) => ", NOT its watchdog device",
            };
            let sealed = match &checker.group.no_key {
                None => String::new(),
                Some(why) => format!("; NO message of another node is believed: {why}"),
            };
            let excuses: Vec<String> =
                checker.excuses.iter().map(|e| format!("{} ({})", e.name, checker.because(e))).collect();
            let left_alone = if excuses.is_empty() {
                String::new()
            } else {
                format!("; hangs, LEFT ALONE: {}", excuses.join(", "))
            };
            let reset = checker.last_reset.as_ref().map(|reset| format!("; {reset}")).unwrap_or_default();
            format!(
                "armed: {armed} daemons, {} directories, {quorum}{device}{without}{left_alone}{sealed}{reset}",
                checker.places
            )
        }
    }
}

/// Armed: Pacemaker may count a lost node as reset, and a watchdog does reset this one.
fn fencing(seen: &Seen<'_>) -> String {
    let cib = match &seen.facts.cib {
        Ok(cib) => cib,
        Err(Unknown(why)) => return format!("unknown: {why}"),
    };
    if cib.property("stonith-enabled").is_some_and(|p| boolean(&p.value) == Some(false)) {
        return "NOT armed: stonith-enabled is false".to_owned();
    }
    let wait =
        cib.property("stonith-watchdog-timeout").filter(|p| milliseconds(&p.value).is_some_and(|ms| ms > 0));
    let Some(wait) = wait else {
        return "NOT armed by a watchdog: stonith-watchdog-timeout is not set".to_owned();
    };
    match &seen.sbd_runs {
        Ok(true) => format!(
            "armed: sbd runs, a lost node counts as reset after {} s",
            wait.value.trim_end_matches('s')
        ),
        Ok(false) => "NOT armed: sbd does not run on this node".to_owned(),
        Err(Unknown(why)) => format!("unknown: {why}"),
    }
}

fn members(seen: &Seen<'_>, status: Option<&Status>) -> Vec<Member> {
    let expected: Vec<&str> = match &seen.facts.corosync {
        Ok(corosync) => corosync.nodes.iter().filter_map(|n| n.name.as_deref()).collect(),
        Err(_) => Vec::new(),
    };
    let present = status.into_iter().flat_map(|s| &s.nodes).map(|n| n.name.as_str());
    let others: Vec<&str> = present.filter(|n| !expected.contains(n)).collect();
    let away = |name: &str| {
        let members = seen.facts.node.members.as_ref().ok()?;
        members.iter().find(|m| m.name == name)?.away_s
    };
    let member = |name: &str, expected| Member {
        name: name.to_owned(),
        expected,
        state: status.map_or("unknown", |s| s.node(name).map_or("OFFLINE", state)),
        away_s: away(name),
    };
    expected.iter().map(|n| member(n, true)).chain(others.iter().map(|n| member(n, false))).collect()
}

fn state(node: &Node) -> &'static str {
    match node {
        Node { unclean: true, .. } => "UNCLEAN",
        Node { online: false, .. } => "OFFLINE",
        Node { pending: true, .. } => "pending",
        Node { standby: true, .. } => "standby",
        _ => "online",
    }
}

fn servers(seen: &Seen<'_>, status: &Status) -> Vec<Server> {
    let mut all = Vec::new();
    for (resource, answer) in &seen.servers {
        for node in &status.nodes {
            let mut server = Server {
                resource: resource.clone(),
                node: node.name.clone(),
                role: status.role_on(resource, &node.name).map_or("-".to_owned(), Role::to_string),
                timeline: None,
                lsn: None,
                lag_bytes: None,
                replication: None,
                score: status.promotion_score(resource, &node.name).and_then(attributes::score),
            };
            match answer {
                Ok(Answer::Primary(view)) => from_primary(&mut server, view, seen.host),
                Ok(Answer::Standby(view)) if node.name == seen.host => from_standby(&mut server, view),
                Ok(Answer::Standby(_)) => {}
                Ok(other) if node.name == seen.host => server.replication = Some(said(other)),
                Ok(_) | Err(_) => {}
            }
            all.push(server);
        }
    }
    all
}

/// What a primary knows of itself and of those who stream from it.
fn from_primary(server: &mut Server, view: &PrimaryView, host: &str) {
    if server.node == host {
        server.timeline = Some(view.timeline.get());
        server.lsn = Some(view.lsn);
        return;
    }
    match view.standbys.iter().find(|s| s.application_name == server.node) {
        Some(standby) => {
            server.lsn = standby.flush;
            server.lag_bytes = standby.flush.map(|flush| view.lsn.saturating_bytes_since(flush));
            // Who streams does so on its primary's timeline.
            server.timeline = (standby.state == "streaming").then(|| view.timeline.get());
            server.replication = Some(standby.state.clone());
        }
        None => server.replication = Some("not connected".to_owned()),
    }
}

fn from_standby(server: &mut Server, view: &StandbyView) {
    server.lsn = view.position_lsn();
    match &view.receiver {
        Some(receiver) => {
            server.timeline = receiver.timeline.map(|t| t.get());
            server.lag_bytes =
                receiver.latest_end.zip(server.lsn).map(|(end, at)| end.saturating_bytes_since(at));
            server.replication = Some(receiver.status.clone());
        }
        None => server.replication = Some("not connected".to_owned()),
    }
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Primary(_) | Answer::Standby(_) => String::new(),
        Answer::Rejects(rejection) => rejection.to_string(),
        Answer::Silent { after } => format!("no answer within {after:.1?}"),
        Answer::Refused => "nothing listens".to_owned(),
        Answer::Unusable(why) => why.clone(),
    }
}

fn issues(seen: &Seen<'_>, servers: &[Server]) -> Vec<Issue> {
    let issue = |severity, what: String, cure: &str| Issue { severity, what, cure: cure.to_owned() };
    let mut found = Vec::new();
    match seen.status {
        Err(Unknown(why)) => found.push(issue(
            Severity::Error,
            format!("Pacemaker does not answer on this node: {why}"),
            "pcs cluster start, or ask on another node",
        )),
        Ok(status) => {
            if status.quorate == Some(false) {
                let what = "this partition has no quorum: nothing runs, nothing is started".to_owned();
                found.push(issue(Severity::Critical, what, "bring the other nodes or the witness back"));
            }
            for node in status.nodes.iter().filter(|n| n.unclean) {
                let what = format!("{} is unclean: it waits to be fenced", node.name);
                let cure = "wait until its watchdog must have reset it; pcs stonith confirm only when it was seen to be off";
                found.push(issue(Severity::Error, what, cure));
            }
            for failure in &status.failures {
                let what = format!(
                    "{} failed on {}: {} {}",
                    failure.operation, failure.node, failure.status, failure.reason
                );
                found.push(issue(
                    Severity::Warning,
                    what.trim_end().to_owned(),
                    "mend what it names, then pcs resource cleanup",
                ));
            }
            for (resource, _) in &seen.servers {
                found.extend(primaries(status, resource));
                found.extend(rejoins(status, resource));
            }
        }
    }
    if let Err(Unknown(why)) = &seen.facts.node.votes {
        let what = format!("corosync does not tell the votes: {why}");
        found.push(issue(
            Severity::Error,
            what,
            "corosync-quorumtool -s; journalctl -u corosync says why it is silent",
        ));
    }
    for server in servers.iter().filter(|s| s.role == "Unpromoted" || s.role == "Promoted") {
        let Some(word) = server.replication.as_ref().filter(|word| *word != "streaming") else { continue };
        let what = format!("{} on {} does not stream: {word}", server.resource, server.node);
        found.push(issue(Severity::Error, what, "journalctl -t quorate-postgres there says why"));
    }
    for (rule, findings) in seen.report.broken() {
        for finding in findings {
            let what = format!("{}: {}", rule.name, finding.what);
            found.push(issue(rule.severity, what, &finding.cure));
        }
    }
    found.sort_by_key(|i| std::cmp::Reverse(i.severity));
    found
}

/// The instances in safe mode: their nodes, and why.
fn safe_mode<'a>(status: &'a Status, resource: &str) -> (Vec<&'a str>, Option<&'a str>) {
    let name = safe_mode_attribute(resource);
    let all =
        status.attributes.iter().filter_map(|(node, all)| Some((node.as_str(), all.get(&name)?.as_str())));
    let all: Vec<(&str, &str)> = all.collect();
    (all.iter().map(|(node, _)| *node).collect(), all.first().map(|(_, why)| *why))
}

/// The instances whose data are being replaced.
fn rejoins(status: &Status, resource: &str) -> Vec<Issue> {
    let name = rejoin::attribute(resource);
    let all = status.attributes.iter().filter_map(|(node, all)| Some((node, all.get(&name)?)));
    all.map(|(node, text)| {
        let what = format!("{resource} on {node} is no standby yet, rejoin: {text}");
        let (severity, cure) = if text.starts_with("manual") {
            (Severity::Error, format!("mend what it names, then quorate rejoin {node}"))
        } else {
            (Severity::Warning, format!("nothing: journalctl -t quorate-rejoin on {node} shows its progress"))
        };
        Issue { severity, what, cure }
    })
    .collect()
}

fn primaries(status: &Status, resource: &str) -> Option<Issue> {
    let nodes = status.nodes_with_role(resource, &Role::Promoted);
    match (nodes.as_slice(), safe_mode(status, resource)) {
        ([_], _) => None,
        ([], (nodes, Some(why))) => Some(Issue {
            severity: Severity::Error,
            what: format!("{resource} is in SAFE MODE on {}: reads only, no primary: {why}", nodes.join(", ")),
            cure: "quorate recover says who has which data, and what ends it; where an instance was banned after failed promotions: pcs resource cleanup"
                .to_owned(),
        }),
        ([], _) => Some(Issue {
            severity: Severity::Error,
            what: format!("{resource} has no primary"),
            cure: "wait for a failover that is under way; else crm_mon -1 and journalctl -t quorate-postgres say why".to_owned(),
        }),
        (several, _) => Some(Issue {
            severity: Severity::Critical,
            what: format!("{resource} is promoted on {}", several.join(" and ")),
            cure: "power all but one of them off; then see which data to keep".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
