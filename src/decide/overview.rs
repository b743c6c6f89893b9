//! `quorate status`: what is expected and what is there, who is the primary, how far the standbys are, and what is wrong.

mod issues;
mod types;

use super::doctor::facts::{Known, Quorated, Unknown};
use super::doctor::{span, watchdog_words};
use super::reported::NodeReported;
use crate::cluster::attributes;
use crate::cluster::checker::OwnDevice;
use crate::cluster::cib::{boolean, milliseconds};
use crate::cluster::crm_mon::{Node, Role, Status};
use crate::pg::view::{Answer, PrimaryView, StandbyView, SyncState};

pub use types::{Health, Issue, Member, Overview, Seen, SeenServer, Server, Votes, Waits};

/// Puts it together.
#[must_use]
pub fn overview(seen: &Seen<'_>) -> Overview {
    let status = seen.status.as_ref().ok();
    let servers = status.map(|status| servers(seen, status)).unwrap_or_default();
    let servers = if status.is_none() { alone(seen) } else { servers };
    let votes = seen.facts.node.votes.as_ref().ok();
    let issues = issues::all(seen, &servers);
    Overview {
        health: issues::health(seen, &issues),
        one_more_loss: issues::one_more_loss(seen, &servers),
        commits: commits(seen),
        kept: seen.kept.as_ref().ok().filter(|(entries, _)| *entries > 0).map(|(entries, bytes)| {
            format!("{entries} rejoins put data aside here, {bytes} bytes of WAL: quorate kept list")
        }),
        seen_from: seen.host.to_owned(),
        quorate: votes.and_then(|v| v.quorate).or(status.and_then(|s| s.quorate)),
        dc: status.and_then(|s| s.dc.clone()),
        votes: votes.map(|v| Votes { expected: v.expected, present: v.total, needed: v.quorum }),
        quorum_device: quorum_device(seen),
        fencing: fencing(seen),
        watchdog: watchdog_words(seen.facts),
        quorated: quorated(&seen.facts.node.quorated),
        members: members(seen, status),
        issues,
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
    let site = |name: &str| {
        let nodes = &seen.facts.cib.as_ref().ok()?.content.node_attributes;
        nodes.iter().find(|n| n.name == name)?.get("site").map(|v| v.value.clone())
    };
    let member = |name: &str, expected| Member {
        name: name.to_owned(),
        expected,
        site: site(name),
        state: match status {
            Some(s) => s.node(name).map_or("OFFLINE", state),
            None => in_corosync(seen, name),
        },
        away_s: away(name),
    };
    expected.iter().map(|n| member(n, true)).chain(others.iter().map(|n| member(n, false))).collect()
}

/// Where Pacemaker is silent: what corosync has.
fn in_corosync(seen: &Seen<'_>, name: &str) -> &'static str {
    match &seen.facts.node.votes {
        Ok(votes) if votes.members.iter().any(|m| m.name == name) => "in corosync",
        Ok(_) => "NOT in corosync",
        Err(_) => "unknown",
    }
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

fn server(resource: &str, node: &str) -> Server {
    Server {
        resource: resource.to_owned(),
        node: node.to_owned(),
        role: "-".to_owned(),
        timeline: None,
        lsn: None,
        lag_bytes: None,
        is_reported: false,
        replication: None,
        sync: None,
        upstream: None,
        score: None,
    }
}

fn servers(seen: &Seen<'_>, status: &Status) -> Vec<Server> {
    let mut all = Vec::new();
    for SeenServer { resource, answer, reported, .. } in &seen.servers {
        let begin = all.len();
        for node in &status.nodes {
            let mut server = Server {
                role: status.role_on(resource, &node.name).map_or("-".to_owned(), Role::to_string),
                score: status.promotion_score(resource, &node.name).and_then(attributes::score),
                ..server(resource, &node.name)
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
        if let Ok(reported) = reported {
            from_reports(&mut all[begin..], reported);
        }
    }
    all
}

/// Where Pacemaker is silent: the server here, by its own word.
fn alone(seen: &Seen<'_>) -> Vec<Server> {
    let one = |found: &SeenServer| {
        let mut server = server(&found.resource, seen.host);
        match &found.answer {
            Ok(Answer::Primary(view)) => {
                server.role = "(primary)".to_owned();
                from_primary(&mut server, view, seen.host);
            }
            Ok(Answer::Standby(view)) => {
                server.role = "(standby)".to_owned();
                from_standby(&mut server, view);
            }
            Ok(other) => server.replication = Some(said(other)),
            Err(Unknown(why)) => server.replication = Some(why.clone()),
        }
        server
    };
    seen.servers.iter().map(one).collect()
}

/// Fills in what the agents told where nothing better is known.
fn from_reports(servers: &mut [Server], reported: &[NodeReported]) {
    let primary = servers.iter().find(|s| s.role == "Promoted");
    let end = primary.and_then(|p| {
        let told = reported.iter().find(|r| r.node == p.node).map(|r| r.reported.position);
        told.map(|position| (position.timeline, p.lsn.unwrap_or(position.lsn)))
    });
    for server in servers.iter_mut().filter(|s| s.lsn.is_none()) {
        let Some(told) = reported.iter().find(|r| r.node == server.node) else { continue };
        let position = told.reported.position;
        server.timeline = server.timeline.or(Some(position.timeline.get()));
        server.lsn = Some(position.lsn);
        server.is_reported = true;
        if server.role != "Promoted" {
            server.lag_bytes = end
                .filter(|(timeline, _)| *timeline == position.timeline)
                .map(|(_, end)| end.saturating_bytes_since(position.lsn));
        }
    }
}

/// What commits wait for, where anything waits or may.
fn commits(seen: &Seen<'_>) -> Vec<String> {
    let one = |server: &SeenServer| {
        let Ok(Answer::Primary(view)) = &server.answer else { return None };
        let waits = server.waits.as_ref().ok()?;
        if view.synchronous_standby_names.is_empty() && waits.sessions == 0 {
            return None;
        }
        let now = match waits.sessions {
            0 => "nothing waits".to_owned(),
            n => format!("waiting: {n}, the longest for {}", span(waits.longest_s)),
        };
        Some(format!("of {} wait for {:?}; {now}", server.resource, view.synchronous_standby_names))
    };
    seen.servers.iter().filter_map(one).collect()
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
            server.sync = Some(sync(&standby.sync_state));
        }
        None => server.replication = Some("not connected".to_owned()),
    }
}

fn sync(state: &SyncState) -> String {
    match state {
        SyncState::Sync => "sync",
        SyncState::Quorum => "quorum",
        SyncState::Potential => "potential",
        SyncState::Async => "async",
        SyncState::Unknown(word) => word,
    }
    .to_owned()
}

fn from_standby(server: &mut Server, view: &StandbyView) {
    server.lsn = view.position_lsn();
    match &view.receiver {
        Some(receiver) => {
            server.timeline = receiver.timeline.map(|t| t.get());
            server.lag_bytes =
                receiver.latest_end.zip(server.lsn).map(|(end, at)| end.saturating_bytes_since(at));
            server.replication = Some(receiver.status.clone());
            server.upstream = receiver.sender_host.clone();
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

#[cfg(test)]
mod tests;
