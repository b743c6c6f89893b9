//! What has to hold before the role moves.

use super::facts::{ARCHIVE_STOPS, ARCHIVE_WARNS, Check, Facts, LAG, LONG_S, Ruling, Stale, fresh};
use crate::cluster::attributes;
use crate::cluster::crm_mon::{Node, Role};
use crate::decide::follow::safe_mode_attribute;
use crate::decide::rejoin;
use crate::pg::role::PgRole;

fn check(name: &'static str, ruling: Ruling, what: String, cure: &str) -> Check {
    Check { name, ruling, what, cure: cure.to_owned() }
}

fn passed(name: &'static str, what: String) -> Check {
    check(name, Ruling::Passed, what, "")
}

fn refused(name: &'static str, what: String, cure: &str) -> Check {
    check(name, Ruling::Refused, what, cure)
}

/// Of the whole cluster.
pub(super) fn cluster(facts: &Facts<'_>, primary: Option<&str>) -> Vec<Check> {
    vec![
        quorum(facts),
        managed(facts),
        one_primary(facts, primary),
        idle(facts),
        left_behind(facts),
        fencing(facts),
    ]
}

pub(super) fn no_candidate() -> Check {
    let what = "no standby has a promotion score above 0".to_owned();
    refused("target", what, "quorate status says what each standby lacks")
}

fn quorum(facts: &Facts<'_>) -> Check {
    match (facts.status.quorate, &facts.status.dc) {
        (Some(true), Some(dc)) => passed("quorum", format!("this partition has it; DC {dc}")),
        (Some(true), None) => {
            refused("quorum", "there is no DC: Pacemaker decides nothing".into(), "quorate status")
        }
        (Some(false), _) => {
            refused("quorum", "this partition has none".into(), "bring the missing nodes or the witness back")
        }
        (None, _) => refused("quorum", "it is not known".into(), "quorate status, pcs status"),
    }
}

fn managed(facts: &Facts<'_>) -> Check {
    let by_node = |name: &str| {
        let node = facts.management.nodes.iter().find(|node| node.name == name);
        node.and_then(|node| node.maintenance.clone())
    };
    let involved = facts.status.instances_of(facts.resource).flat_map(|i| &i.nodes);
    let why = facts.management.cluster.clone();
    let why = why.or_else(|| facts.management.unmanaged.get(facts.resource).cloned());
    let why = why.or_else(|| involved.into_iter().find_map(|node| by_node(node)));
    let unmanaged = facts.status.instances_of(facts.resource).any(|instance| !instance.managed);
    match why.or_else(|| unmanaged.then(|| "Pacemaker calls it unmanaged".to_owned())) {
        None => passed("managed", format!("Pacemaker acts on {}", facts.resource)),
        Some(why) => refused(
            "managed",
            format!("Pacemaker was told to do nothing: {why}"),
            "quorate resume, or take it back as it was set (pcs property, pcs node unmaintenance)",
        ),
    }
}

fn one_primary(facts: &Facts<'_>, primary: Option<&str>) -> Check {
    if let Some(node) = primary {
        return passed("primary", format!("{node}, and no other"));
    }
    match facts.status.nodes_with_role(facts.resource, &Role::Promoted).as_slice() {
        [] => refused(
            "primary",
            format!("{} is promoted nowhere: nothing to switch over from", facts.resource),
            "quorate status says what a promotion waits for",
        ),
        several => refused(
            "primary",
            format!("{} is promoted on {}", facts.resource, several.join(" and ")),
            "quorate status: two primaries are no case for a switchover",
        ),
    }
}

/// A transition that is under way would be aborted.
fn idle(facts: &Facts<'_>) -> Check {
    let busy = facts.status.instances_of(facts.resource).find_map(|instance| match &instance.role {
        Role::Changing(word) => Some(word.clone()),
        _ => instance.pending.clone().filter(|word| word != "Monitoring"),
    });
    let unclean = facts.status.nodes.iter().find(|node| node.unclean);
    match (busy, unclean) {
        (Some(word), _) => refused(
            "transition",
            format!("{} is {} somewhere at this moment", facts.resource, word.to_lowercase()),
            "wait for it: crm_resource --wait",
        ),
        (None, Some(node)) => refused(
            "transition",
            format!("{} is to be fenced", node.name),
            "wait for it: pcs stonith history show",
        ),
        (None, None) => passed("transition", "none is under way".to_owned()),
    }
}

fn left_behind(facts: &Facts<'_>) -> Check {
    let typed = || facts.constraints.locations.iter().filter(|l| l.is_typed());
    let holds: Vec<&str> = typed().filter(|l| !l.is_over(facts.now_utc)).map(|l| l.id.as_str()).collect();
    let clone = facts.constraints.clone.as_deref().unwrap_or(facts.resource);
    if !holds.is_empty() {
        return refused(
            "constraints",
            format!("a move or ban from before still holds: {}", holds.join(", ")),
            &format!("pcs resource clear {clone}"),
        );
    }
    let over: Vec<&str> = typed().map(|l| l.id.as_str()).collect();
    if over.is_empty() {
        return passed("constraints", "no move or ban is left from before".to_owned());
    }
    let what = format!("{} is over and has no effect", over.join(", "));
    check("constraints", Ruling::Warned, what, &format!("pcs resource clear {clone}"))
}

fn fencing(facts: &Facts<'_>) -> Check {
    match facts.unfenced {
        None => passed("fencing", "a primary that does not stop would be fenced".to_owned()),
        Some(why) => check(
            "fencing",
            Ruling::Doubted,
            format!("{why}: a primary that does not stop would leave no primary at all"),
            "quorate doctor",
        ),
    }
}

/// Of the node that is to be promoted.
pub(super) fn target(facts: &Facts<'_>, from: &str, to: &str) -> Vec<Check> {
    let mut all = vec![node(facts, from, to)];
    if all.iter().any(|check| check.ruling == Ruling::Refused) {
        return all;
    }
    all.push(score(facts, to));
    all.push(allowed(facts, to));
    all.push(data(facts, to));
    all.push(replication(facts, from, to));
    all
}

fn node(facts: &Facts<'_>, from: &str, to: &str) -> Check {
    if from == to {
        return refused("target", format!("{to} is the primary already"), "name another node, or none");
    }
    let told = facts.management.nodes.iter().find(|node| node.name == to);
    let standby = told.and_then(|node| node.standby.as_deref());
    match facts.status.node(to) {
        None => {
            let known: Vec<&str> = facts.status.nodes.iter().map(|node| node.name.as_str()).collect();
            refused(
                "target",
                format!("the cluster has no node {to}"),
                &format!("one of {}", known.join(", ")),
            )
        }
        Some(Node { online: true, unclean: false, pending: false, standby: false, .. })
            if standby.is_none() =>
        {
            match facts.status.role_on(facts.resource, to) {
                Some(Role::Unpromoted) => passed("target", format!("{to} is online and runs a standby")),
                _ => refused(
                    "target",
                    format!("{} does not run as a standby on {to}", facts.resource),
                    "quorate status",
                ),
            }
        }
        Some(node) if node.standby || standby.is_some() => {
            refused("target", format!("{to} is on standby"), &format!("pcs node unstandby {to}"))
        }
        Some(_) => {
            refused("target", format!("{to} is not online"), "start the cluster there: pcs cluster start")
        }
    }
}

fn score(facts: &Facts<'_>, to: &str) -> Check {
    let text = facts.status.promotion_score(facts.resource, to);
    match text.and_then(attributes::score) {
        Some(score) if score > 0 => passed("score", format!("{score} of {to}: Pacemaker may promote it")),
        Some(score) => refused(
            "score",
            format!("{score} of {to}: its agent refuses a promotion"),
            &format!("why: journalctl -t quorate-postgres, on {to}"),
        ),
        None => refused(
            "score",
            format!("{to} has none: its agent knows no reason to promote it yet"),
            &format!("why: journalctl -t quorate-postgres, on {to}"),
        ),
    }
}

fn allowed(facts: &Facts<'_>, to: &str) -> Check {
    let bans = facts
        .constraints
        .locations
        .iter()
        .filter(|l| l.score == "-INFINITY" && l.node.as_deref() == Some(to) && !l.is_over(facts.now_utc));
    let mut bans: Vec<&str> = bans.map(|l| l.id.as_str()).collect();
    let clone = facts.constraints.clone.as_deref();
    let of_ours = |resource: &str| resource == facts.resource || Some(resource) == clone;
    bans.extend(
        facts.status.bans.iter().filter(|b| b.node == to && of_ours(&b.resource)).map(|b| b.id.as_str()),
    );
    bans.sort_unstable();
    bans.dedup();
    if bans.is_empty() {
        return passed("bans", format!("none keeps the role from {to}"));
    }
    let what = format!("the role is banned from {to}: {}", bans.join(", "));
    refused("bans", what, "pcs constraint delete ID")
}

/// Whether its data are whole, and its own.
fn data(facts: &Facts<'_>, to: &str) -> Check {
    let of = |name: &str| facts.status.attributes.get(to).and_then(|all| all.get(name));
    if let Some(now) = of(&rejoin::attribute(facts.resource)) {
        return refused("data", format!("those of {to} are being replaced: {now}"), "wait: quorate status");
    }
    if of(&rejoin::request_attribute(facts.resource)).is_some() {
        return refused("data", format!("those of {to} are to be replaced"), "wait: quorate status");
    }
    if let Some(why) = of(&safe_mode_attribute(facts.resource)) {
        return refused("data", format!("{to} is in safe mode: {why}"), "start the missing instances");
    }
    passed("data", format!("those of {to} are whole, as far as the cluster knows"))
}

fn replication(facts: &Facts<'_>, from: &str, to: &str) -> Check {
    let told = |node: &'_ str| fresh(facts.surveys, node, facts.now);
    let not_known = |node: &str, stale: Stale| {
        refused("replication", format!("not known: {}", stale.of(node)), stale.cure())
    };
    let (primary, standby) = match (told(from), told(to)) {
        (Ok(primary), Ok(standby)) => (primary, standby),
        (Err(stale), _) => return not_known(from, stale),
        (_, Err(stale)) => return not_known(to, stale),
    };
    if standby.role != PgRole::Standby || primary.role != PgRole::Primary {
        let what = format!("{to} says it is a {}, {from} a {}", standby.role, primary.role);
        return refused("replication", what, "wait until the last change has settled: quorate status");
    }
    if standby.is_paused {
        return refused(
            "replication",
            format!("replay is paused on {to}: it could not be promoted at once"),
            &format!("SELECT pg_wal_replay_resume(), on {to}"),
        );
    }
    if standby.timeline.is_none() || standby.timeline != primary.timeline {
        let on = standby.timeline.map_or("nothing".to_owned(), |t| format!("timeline {t}"));
        let what = format!("{to} receives {on}, {from} writes on timeline {}", or_unknown(primary.timeline));
        return refused("replication", what, &format!("why: journalctl -t quorate-postgres, on {to}"));
    }
    let (Some(end), Some(replayed)) = (standby.end, standby.replayed) else {
        return refused(
            "replication",
            format!("where {to} is in the WAL is not known"),
            Stale::Silent.cure(),
        );
    };
    // What it has not received comes with the shutdown, which sends everything; what was told is seconds old.
    let behind = primary.end.map_or(0, |written| written.saturating_bytes_since(end));
    let to_replay = end.saturating_bytes_since(replayed);
    let lag = behind.max(to_replay);
    if lag > LAG {
        return check(
            "replication",
            Ruling::Doubted,
            format!("{to} is {lag} bytes of WAL behind {from}: no writes until it has replayed them"),
            "wait until it has caught up: quorate status",
        );
    }
    passed("replication", format!("{to} streams from {from}, {lag} bytes to replay at the last look"))
}

fn or_unknown<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

/// What the demotion would cut off or wait for.
pub(super) fn load(facts: &Facts<'_>, from: &str) -> Vec<Check> {
    let load = match fresh(facts.surveys, from, facts.now) {
        Ok(survey) => survey.load,
        // The check of the replication has refused for it.
        Err(_) => return Vec::new(),
    };
    let mut found = Vec::new();
    if load.prepared > 0 {
        let what = format!("{} prepared: they stay in doubt, and move along with their locks", load.prepared);
        found.push(check("transactions", Ruling::Warned, what, "COMMIT PREPARED or ROLLBACK PREPARED"));
    }
    if load.oldest_s >= LONG_S {
        let what = format!("the oldest has run for {} s: the demotion ends it", load.oldest_s);
        found.push(check("transactions", Ruling::Warned, what, "let it end first, if it matters"));
    }
    if load.waiting > 0 {
        let what = format!("{} wait for a synchronous standby at this moment", load.waiting);
        found.push(check("commits", Ruling::Warned, what, "quorate status, where they do for long"));
    }
    if load.backups > 0 {
        let what = format!("{} run from {from}: the demotion breaks them off", load.backups);
        found.push(check("base backups", Ruling::Doubted, what, "let them end"));
    }
    let waiting = load.to_archive.unwrap_or_default();
    if waiting >= ARCHIVE_STOPS || (load.archiver_fails && load.to_archive.is_some()) {
        let why = if load.archiver_fails { ", and its last attempt failed" } else { "" };
        let segments = if waiting == crate::pg::survey::UNCOUNTED {
            "an unknown number of".to_owned()
        } else {
            waiting.to_string()
        };
        let what = format!("{segments} segments wait for the archiver{why}: the shutdown waits for it");
        found.push(check("archiver", Ruling::Doubted, what, "mend archive_command (pg_stat_archiver)"));
    } else if waiting >= ARCHIVE_WARNS {
        let what = format!("{waiting} segments wait for the archiver: the shutdown takes longer");
        found.push(check("archiver", Ruling::Warned, what, "wait until it has caught up"));
    }
    if found.is_empty() {
        found.push(passed("load", "no prepared or long transactions, backups or archiver's backlog".into()));
    }
    found
}
