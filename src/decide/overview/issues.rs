//! What is wrong, and what to type; whether the service is up, and what one more loss would mean.

use super::super::doctor::facts::Unknown;
use super::super::doctor::{Severity, barred, span};
use super::super::follow::safe_mode_attribute;
use super::super::pause::{self, Pause};
use super::super::promotion_score::Score;
use super::super::recover::{Advice, Outlook, cure};
use super::super::rejoin;
use super::types::{Health, Issue, Seen, SeenServer, Server};
use crate::cluster::attributes;
use crate::cluster::crm_mon::{Role, Status};
use crate::pg::view::{Answer, SyncState};

fn issue(severity: Severity, what: String, cure: &str) -> Issue {
    Issue { severity, what, cure: cure.to_owned() }
}

/// All issues, the worst first.
pub(super) fn all(seen: &Seen<'_>, servers: &[Server]) -> Vec<Issue> {
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
            for node in status.nodes.iter().filter(|n| n.pending && !n.unclean) {
                let what =
                    format!("{} is pending: its corosync runs, and its Pacemaker has not joined", node.name);
                let cure =
                    format!("pcs cluster start {0}; journalctl -u pacemaker on {0} says why not", node.name);
                found.push(issue(Severity::Error, what, &cure));
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
            for server in &seen.servers {
                found.extend(primaries(status, server));
                found.extend(rejoins(status, &server.resource));
                found.extend(paused(seen, &server.resource));
                found.extend(hanging(server));
            }
            for server in servers {
                found.extend(of_instance(status, server));
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
        let here =
            (server.node == seen.host).then(|| seen.servers.iter().find(|s| s.resource == server.resource));
        let trouble = here.flatten().and_then(|s| s.trouble.as_ref());
        let why = trouble.map_or(String::new(), |trouble| format!("; its WAL receiver: {trouble}"));
        let what = format!("{} on {} does not stream: {word}{why}", server.resource, server.node);
        let cure = match trouble {
            Some(_) => "mend what it names",
            None => {
                "quorate status there shows the WAL receiver's last error; journalctl -t quorate-postgres there says what is done"
            }
        };
        found.push(issue(Severity::Error, what, cure));
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

/// `quorate pause`, with its reason and age.
fn paused(seen: &Seen<'_>, resource: &str) -> Option<Issue> {
    let told = &seen.facts.cib.as_ref().ok()?.property(&pause::property(resource))?.value;
    let pause = Pause::read(told)?;
    let age = span(seen.now.saturating_sub(pause.since));
    let what = format!("{resource} is paused for {age}, nothing fails over: {}", pause.reason);
    Some(issue(Severity::Warning, what, "quorate resume"))
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

fn primaries(status: &Status, server: &SeenServer) -> Option<Issue> {
    let resource = &server.resource;
    let nodes = status.nodes_with_role(resource, &Role::Promoted);
    match (nodes.as_slice(), safe_mode(status, resource)) {
        ([_], _) => None,
        ([], (nodes, Some(why))) => {
            let (known, cure) = outage(server.outlook.as_ref());
            Some(Issue {
                severity: Severity::Error,
                what: format!(
                    "{resource} is in SAFE MODE on {}: reads only, no primary: {why}{known}",
                    nodes.join(", ")
                ),
                cure: cure.unwrap_or_else(|| RECOVER.to_owned()),
            })
        }
        ([], _) => {
            let (known, cure) = outage(server.outlook.as_ref());
            Some(Issue {
                severity: Severity::Error,
                what: format!("{resource} has no primary{known}"),
                cure: match (under_way(status, resource), cure) {
                    (Some(wait), Some(cure)) => {
                        format!("{wait}; where that takes longer than a minute: {cure}")
                    }
                    (Some(wait), None) => wait,
                    (None, Some(cure)) => cure,
                    (None, None) => {
                        "quorate recover, crm_mon -1 and journalctl -t quorate-postgres say why".to_owned()
                    }
                },
            })
        }
        (several, _) => Some(Issue {
            severity: Severity::Critical,
            what: format!("{resource} is promoted on {}", several.join(" and ")),
            cure: "power all but one of them off; then see which data to keep".to_owned(),
        }),
    }
}

/// What Pacemaker is about to do by itself.
fn under_way(status: &Status, resource: &str) -> Option<String> {
    if let Some(node) = status.nodes.iter().find(|n| n.unclean) {
        return Some(format!("wait: {} is being fenced, then a standby is promoted", node.name));
    }
    let is_fit = |node: &str| {
        let score = status.promotion_score(resource, node).and_then(attributes::score);
        status.role_on(resource, node) == Some(&Role::Unpromoted)
            && score.is_some_and(|s| s >= Score::Standby.value())
    };
    let fit = status.nodes.iter().find(|n| n.online && is_fit(&n.name))?;
    Some(format!("wait for a failover that is under way: {} is fit", fit.name))
}

const RECOVER: &str = "quorate recover says who has which data, and what ends it; where an instance was banned after failed promotions: pcs resource cleanup";

/// Who is missing and who is furthest, and what to type.
fn outage(outlook: Option<&Outlook>) -> (String, Option<String>) {
    let Some(outlook) = outlook else { return (String::new(), None) };
    let missing: Vec<String> = outlook
        .rows
        .iter()
        .filter(|row| !row.runs)
        .map(|row| {
            format!("{} {}{}", row.node, row.state, if row.was_primary { " (was the primary)" } else { "" })
        })
        .collect();
    let furthest =
        outlook.rows.iter().filter(|row| row.runs && row.position.is_some()).max_by_key(|row| row.position);
    let mut known = String::new();
    if !missing.is_empty() {
        known.push_str(&format!("; missing: {}", missing.join(", ")));
    }
    if let Some((row, position)) = furthest.and_then(|row| Some((row, row.position?))) {
        known.push_str(&format!(
            "; furthest of those that run: {} at {}:{}",
            row.node, position.timeline, position.lsn
        ));
    }
    let cure = match &outlook.advice {
        Advice::Nothing { .. } | Advice::Wait => None,
        Advice::Fence { primary } => {
            Some(format!("{primary} is fenced first: pcs stonith history show {primary}"))
        }
        Advice::Quorum { missing } => Some(format!("there is no quorum: {}", cures(outlook, missing))),
        Advice::Choose { start, accept } => {
            let start = (!start.is_empty()).then(|| format!("{} (nothing is lost)", cures(outlook, start)));
            let accept = accept
                .as_ref()
                .map(|loss| format!("quorate recover --promote {} ({})", loss.node, loss.sentence()));
            let both: Vec<String> = start.into_iter().chain(accept).collect();
            (!both.is_empty()).then(|| both.join("; or "))
        }
    };
    (known, cure)
}

fn cures(outlook: &Outlook, nodes: &[String]) -> String {
    nodes.iter().map(|node| cure(outlook, node)).collect::<Vec<_>>().join(", ")
}

/// A commit waits for a moment in every synchronous cluster.
const LONG_WAIT_S: u64 = 10;

/// Commits that hang, and for whom.
fn hanging(server: &SeenServer) -> Option<Issue> {
    let (Ok(Answer::Primary(view)), Ok(waits)) = (&server.answer, &server.waits) else { return None };
    if waits.sessions == 0 || waits.longest_s < LONG_WAIT_S {
        return None;
    }
    let is = |state: &SyncState| matches!(state, SyncState::Sync | SyncState::Quorum);
    let there: Vec<&str> = view
        .standbys
        .iter()
        .filter(|s| s.state == "streaming" && is(&s.sync_state))
        .map(|s| s.application_name.as_str())
        .collect();
    let there = if there.is_empty() {
        "none of them streams".to_owned()
    } else {
        format!("{} stream", there.join(", "))
    };
    Some(Issue {
        severity: Severity::Error,
        what: format!(
            "commits of {} HANG ({}, the longest for {}): synchronous_standby_names is {:?}, and {there}",
            server.resource,
            waits.sessions,
            span(waits.longest_s),
            view.synchronous_standby_names
        ),
        cure: "bring a standby of that list back (quorate doctor says what holds it up); the agent drops the list only where it keeps it \
               (the resource's parameter sync)"
            .to_owned(),
    })
}

/// What is wrong with one instance, as Pacemaker has it.
fn of_instance(status: &Status, server: &Server) -> Option<Issue> {
    let Server { resource, node, .. } = server;
    let is_rejoined =
        status.attributes.get(node).is_some_and(|all| all.contains_key(&rejoin::attribute(resource)));
    let is_online = status.node(node).is_some_and(|n| n.online && !n.standby && !n.pending && !n.unclean);
    match (server.role.as_str(), server.score) {
        ("-" | "Stopped", _) if is_online && !is_rejoined => Some(issue(
            Severity::Error,
            format!("{resource} does not run on {node}"),
            &format!(
                "crm_mon -1 names what failed there; mend it, then pcs resource cleanup {resource} node={node}"
            ),
        )),
        ("Promoted" | "Unpromoted", None) => Some(issue(
            Severity::Error,
            format!("{resource} runs on {node} and has no promotion score: it is never promoted"),
            &format!(
                "wait for the next monitor; else journalctl -t quorate-postgres on {node} says why; pcs resource refresh {resource} node={node} makes Pacemaker look again"
            ),
        )),
        ("Unpromoted", Some(score)) if Score::from(score) == Score::Withdrawn => Some(issue(
            Severity::Error,
            format!(
                "{resource} on {node} is refused (score {score}): its data may be of another line, or old; redundancy is gone"
            ),
            &format!("quorate rejoin {node} brings it back; journalctl -t quorate-postgres there says why"),
        )),
        _ => None,
    }
}

/// How the cluster is.
pub(super) fn health(seen: &Seen<'_>, issues: &[Issue]) -> Health {
    let Ok(status) = seen.status else { return Health::Unknown };
    let has_one = |server: &SeenServer| status.nodes_with_role(&server.resource, &Role::Promoted).len() == 1;
    let is_down = status.quorate == Some(false)
        || !seen.servers.iter().all(has_one)
        || seen.servers.iter().any(|server| hanging(server).is_some());
    match issues {
        _ if is_down => Health::Down,
        [] => Health::Healthy,
        _ => Health::Degraded,
    }
}

/// What the loss of one node more would mean.
pub(super) fn one_more_loss(seen: &Seen<'_>, servers: &[Server]) -> String {
    let votes = seen.facts.node.votes.as_ref().ok();
    match votes.and_then(|v| Some((v.total?, v.quorum?))) {
        Some((present, needed)) if present <= needed => {
            return format!("ENDS THE SERVICE: {present} votes are present, {needed} are needed");
        }
        Some(_) => {}
        None => return "unknown: nobody tells the votes".to_owned(),
    }
    if seen.status.is_err() {
        return "unknown: Pacemaker is silent".to_owned();
    }
    let management = seen.facts.cib.as_ref().ok().map(|cib| &cib.content.management);
    let mut words = Vec::new();
    for SeenServer { resource, .. } in &seen.servers {
        let told = management.and_then(|m| m.cluster.as_ref().or_else(|| m.unmanaged.get(resource)));
        if let Some(told) = told {
            words.push(format!(
                "of {resource}'s primary ENDS THE SERVICE: Pacemaker is told not to act, {told}"
            ));
            continue;
        }
        let barred = barred(seen.facts, resource);
        let able = |s: &&Server| {
            s.resource == *resource
                && s.role == "Unpromoted"
                && s.score.is_some_and(|score| score >= Score::Standby.value())
        };
        let (able, kept): (Vec<&Server>, Vec<&Server>) =
            servers.iter().filter(able).partition(|s| !barred.contains(&s.node));
        let names = |all: &[&Server]| all.iter().map(|s| s.node.as_str()).collect::<Vec<_>>().join(", ");
        words.push(match (able.as_slice(), kept.as_slice()) {
            ([], []) => format!("of {resource}'s primary ENDS THE SERVICE: no standby may take over"),
            ([], kept) => {
                format!(
                    "of {resource}'s primary ENDS THE SERVICE: {} may not be promoted by a ban",
                    names(kept)
                )
            }
            (able, _) => format!("of {resource}'s primary: {} may take over", names(able)),
        });
    }
    if words.is_empty() { "the quorum stays".to_owned() } else { words.join("; ") }
}
