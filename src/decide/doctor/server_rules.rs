//! PostgreSQL's settings that break what the agent promises: no commit lost, a standby that can take over, a failover in time.

use super::facts::{At, Facts, Server};
use super::instances;
use super::postgresql::{each, set, setting};
use super::rule::{Finding, Outcome};
use crate::pg::conf::{boolean, milliseconds};
use crate::pg::sync_names::{self, SyncNames};

/// Where an ALTER SYSTEM, or the agent itself, writes to.
const AUTO_CONF: &str = "postgresql.auto.conf";
/// pg_basebackup takes two: one for the data, one for the WAL.
const SENDERS_OF_A_COPY: u32 = 2;
/// Those in which a standby must not have less than its primary.
const NOT_LESS: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];
/// What writes less safely, or hides damage: the name, and the value that is sound.
const SAFE: [(&str, bool, &str); 6] = [
    ("fsync", true, "a crash of the machine loses or tears what was acknowledged"),
    ("full_page_writes", true, "a crash tears pages, and pg_rewind refuses"),
    ("data_sync_retry", false, "a write that failed counts as done after the next try"),
    ("zero_damaged_pages", false, "damaged pages are emptied instead of reported"),
    ("ignore_checksum_failure", false, "damaged pages are read as if they were sound"),
    ("ignore_invalid_pages", false, "replay goes on over missing pages"),
];

/// A line to change in the file, where a reload is not enough.
fn restart(name: &str, value: &str) -> String {
    format!(
        "{name} = {value} in the configuration file on each node, then restart PostgreSQL: pcs resource restart RESOURCE"
    )
}

fn reset(name: &str) -> String {
    format!(
        "take {name} out of the configuration file on each node, or ALTER SYSTEM RESET {name}; then pcs resource restart RESOURCE"
    )
}

/// A setting that is there and not empty.
fn given(server: &Server, name: &str) -> Option<At<String>> {
    server.get(name).filter(|at| !at.value.trim().is_empty())
}

pub(super) fn recovery_target(facts: &Facts) -> Outcome {
    each(facts, |server| {
        let mut found = Vec::new();
        if let Some(at) =
            given(server, "recovery_target_timeline").filter(|at| !at.value.eq_ignore_ascii_case("latest"))
        {
            let what = format!("recovery_target_timeline is {}: a standby follows no new primary", at.value);
            found.push(Finding::new(&at.place, what, reset("recovery_target_timeline")));
        }
        for name in [
            "recovery_target",
            "recovery_target_lsn",
            "recovery_target_name",
            "recovery_target_time",
            "recovery_target_xid",
        ] {
            if let Some(at) = given(server, name) {
                let what = format!("{name} is {:?}: a standby stops there, or promotes itself", at.value);
                found.push(Finding::new(&at.place, what, reset(name)));
            }
        }
        for name in ["promote_trigger_file", "trigger_file"] {
            if let Some(at) = given(server, name) {
                let what = format!(
                    "{name} is {:?}: whoever makes that file promotes a standby behind the cluster's back",
                    at.value
                );
                found.push(Finding::new(&at.place, what, reset(name)));
            }
        }
        found
    })
}

pub(super) fn apply_delay(facts: &Facts) -> Outcome {
    const NAME: &str = "recovery_min_apply_delay";
    each(facts, |server| {
        let at = setting(server, NAME, "0");
        if milliseconds(&at.value) == Some(0) {
            return Vec::new();
        }
        let what = format!("{NAME} is {}: a promotion waits for it, or is refused", at.value);
        vec![Finding::new(&at.place, what, set(NAME, "0"))]
    })
}

pub(super) fn end_command(facts: &Facts) -> Outcome {
    const NAME: &str = "recovery_end_command";
    each(facts, |server| {
        let at = given(server, NAME);
        let finding = |at: At<String>| {
            let what =
                format!("{NAME} is {:?}: it is not run, the agent starts PostgreSQL without it", at.value);
            let cure = format!("pcs alert create path=… for what is to follow a promotion; {}", reset(NAME));
            Finding::new(&at.place, what, cure)
        };
        at.map(finding).into_iter().collect()
    })
}

pub(super) fn standby_delay(facts: &Facts) -> Outcome {
    each(facts, |server| {
        let endless = |name: &str| {
            let at = given(server, name).filter(|at| at.value.trim() == "-1")?;
            let what = format!("{name} is -1: a query holds the replay up without end");
            Some(Finding::new(&at.place, what, set(name, "30s")))
        };
        ["max_standby_streaming_delay", "max_standby_archive_delay"].into_iter().filter_map(endless).collect()
    })
}

/// How many nodes there are, where anything tells.
fn nodes(facts: &Facts) -> Option<u32> {
    let of_corosync = facts.corosync.as_ref().ok().map(super::facts::Corosync::node_count);
    let of_cib = facts.cib.as_ref().ok().and_then(|cib| u32::try_from(cib.content.nodes.len()).ok());
    of_corosync.or(of_cib)
}

pub(super) fn replication(facts: &Facts) -> Outcome {
    let standbys = nodes(facts).unwrap_or(2).saturating_sub(1).max(1);
    // All but the one that is copied anew.
    let senders = standbys - 1 + SENDERS_OF_A_COPY;
    each(facts, |server| {
        let mut found = Vec::new();
        if let Some(at) = given(server, "wal_level").filter(|at| at.value.eq_ignore_ascii_case("minimal")) {
            found.push(Finding::new(
                &at.place,
                "wal_level is minimal: nobody can replicate",
                restart("wal_level", "replica"),
            ));
        }
        if let Some(at) = given(server, "hot_standby").filter(|at| boolean(&at.value) == Some(false)) {
            let what = "hot_standby is off: a standby tells nobody how far it is";
            found.push(Finding::new(&at.place, what, restart("hot_standby", "on")));
        }
        let number =
            |name: &str| given(server, name).and_then(|at| Some((at.value.trim().parse::<u32>().ok()?, at)));
        if let Some((n, at)) = number("max_wal_senders").filter(|(n, _)| *n < senders) {
            let what = format!(
                "max_wal_senders is {n}, and {senders} are needed: {standbys} standbys, one of which may be copied anew"
            );
            found.push(Finding::new(&at.place, what, restart("max_wal_senders", "10")));
        }
        if let Some((n, at)) = number("max_replication_slots").filter(|(n, _)| *n < standbys) {
            let what = format!(
                "max_replication_slots is {n}, and there are {standbys} standbys: nothing keeps their WAL while they are away"
            );
            found.push(Finding::new(&at.place, what, restart("max_replication_slots", "10")));
        }
        let zero = |name: &str| given(server, name).filter(|at| milliseconds(&at.value) == Some(0));
        if let Some(at) = zero("wal_receiver_status_interval") {
            let what = "wal_receiver_status_interval is 0: a standby does not report what it has; synchronous commits hang";
            found.push(Finding::new(&at.place, what, set("wal_receiver_status_interval", "10s")));
        }
        let by_hand = |at: &At<String>| at.place.line.is_some() && !at.place.file.ends_with(AUTO_CONF);
        if let Some(at) = given(server, "primary_slot_name").filter(by_hand) {
            let what = format!(
                "primary_slot_name is {:?}, for whichever node is the primary: without that slot there nothing streams",
                at.value
            );
            found.push(Finding::new(&at.place, what, reset("primary_slot_name")));
        }
        found
    })
}

pub(super) fn listens(facts: &Facts) -> Outcome {
    each(facts, |server| {
        let mut found = Vec::new();
        if let Some(at) = server.get("listen_addresses") {
            let local = |a: &str| a.is_empty() || a == "localhost" || a == "::1" || a.starts_with("127.");
            if at.value.split(',').all(|a| local(a.trim())) {
                let what = format!(
                    "listen_addresses is {:?}: no standby and no client of another machine gets in",
                    at.value
                );
                found.push(Finding::new(&at.place, what, restart("listen_addresses", "'*'")));
            }
        }
        let Some(at) = server.get("unix_socket_directories") else { return found };
        let slash = |path: &str| path.trim().trim_end_matches('/').replacen("/var/run/", "/run/", 1);
        let has: Vec<String> = at.value.split(',').map(slash).collect();
        let wanted = facts.cib.as_ref().ok().map(|cib| {
            let ours = cib.content.primitives.iter().filter(|p| p.agent == instances::AGENTS[0]);
            let all =
                ours.map(|p| slash(p.parameters.get("pghost").map_or("/var/run/postgresql", String::as_str)));
            all.collect::<Vec<_>>()
        });
        let wanted = wanted.unwrap_or_default();
        if at.value.trim().is_empty() || (!wanted.is_empty() && !has.iter().any(|h| wanted.contains(h))) {
            let what = format!(
                "unix_socket_directories is {:?}: the agent, which never asks over the network, can't ask",
                at.value
            );
            found.push(Finding::new(
                &at.place,
                what,
                restart("unix_socket_directories", "'/var/run/postgresql'"),
            ));
        }
        found
    })
}

pub(super) fn crash_safe(facts: &Facts) -> Outcome {
    each(facts, |server| {
        let wrong = SAFE.into_iter().filter_map(|(name, sound, then)| {
            let at = given(server, name).filter(|at| boolean(&at.value) == Some(!sound))?;
            let value = if sound { "on" } else { "off" };
            Some(Finding::new(&at.place, format!("{name} is {}: {then}", at.value), set(name, value)))
        });
        wrong.collect()
    })
}

/// Whether commits wait for a standby: by the server's own list, or by what the agent is told.
fn is_synchronous(facts: &Facts, server: &Server) -> bool {
    let by_agent = facts.cib.as_ref().is_ok_and(|cib| cib.content.primitives.iter().any(synchronous));
    by_agent || given(server, "synchronous_standby_names").is_some()
}

fn synchronous(primitive: &crate::cluster::cib::Primitive) -> bool {
    instances::AGENTS.contains(&primitive.agent.as_str())
        && primitive.parameters.get("sync").is_some_and(|s| !s.is_empty() && s != "off")
}

pub(super) fn acknowledged(facts: &Facts) -> Outcome {
    const NAME: &str = "synchronous_commit";
    each(facts, |server| {
        let Some(at) = given(server, NAME) else { return Vec::new() };
        let value = at.value.to_ascii_lowercase();
        let then = match value.as_str() {
            "local" if is_synchronous(facts, server) => {
                "a commit is acknowledged without the synchronous standby"
            }
            "remote_write" if is_synchronous(facts, server) => {
                "a commit is acknowledged before the standby's disk has it"
            }
            "local" | "remote_write" | "remote_apply" | "on" => return Vec::new(),
            word if boolean(word) == Some(false) => "a commit is acknowledged before any disk has it",
            _ => return Vec::new(),
        };
        vec![Finding::new(&at.place, format!("{NAME} is {}: {then}", at.value), set(NAME, "on"))]
    })
}

pub(super) fn sync_names(facts: &Facts) -> Outcome {
    const NAME: &str = "synchronous_standby_names";
    each(facts, |server| {
        let Some(at) = given(server, NAME) else { return Vec::new() };
        let Some(SyncNames { count, names }) = sync_names::parse(&at.value) else { return Vec::new() };
        let is_any = names.iter().any(|n| n == "*");
        let finding = |what: String| {
            vec![Finding::new(
                &at.place,
                what,
                "sync=… of the resource: the agent keeps the list (docs/agent.md), and drops who is gone",
            )]
        };
        if !is_any && names.len() < count {
            return finding(format!(
                "{NAME} waits for {count} standbys, and names {}: every commit hangs",
                names.len()
            ));
        }
        let by_agent = facts.cib.as_ref().is_ok_and(|cib| cib.content.primitives.iter().any(synchronous));
        let Some(all) = nodes(facts).and_then(|n| usize::try_from(n).ok()).filter(|_| !by_agent) else {
            return Vec::new();
        };
        // After the loss of one node.
        let left = all.saturating_sub(2);
        if count > left {
            return finding(format!(
                "{NAME} waits for {count} of the standbys: with one node lost every commit hangs"
            ));
        }
        Vec::new()
    })
}

/// Servers of one port are one instance on several nodes.
pub(super) fn same(facts: &Facts) -> Outcome {
    let servers = facts.postgresql.as_ref()?;
    let port = |server: &Server| setting(server, "port", "5432").value;
    let mut found = Vec::new();
    for (i, server) in servers.iter().enumerate() {
        for name in NOT_LESS {
            let number = |server: &Server| {
                server.get(name).and_then(|at| Some((at.value.trim().parse::<i64>().ok()?, at.place)))
            };
            let Some((own, place)) = number(server) else { continue };
            let others =
                servers.iter().enumerate().filter(|(j, other)| *j != i && port(other) == port(server));
            let most = others.filter_map(|(_, other)| number(other)).map(|(n, _)| n).max();
            let Some(most) = most.filter(|most| *most > own) else { continue };
            let what = format!(
                "{name} is {own} here and {most} on another node: as its standby this server can't replay, nor be promoted"
            );
            found.push(Finding::new(&place, what, restart(name, &most.to_string())));
        }
    }
    Ok(found)
}

pub(super) fn writable(facts: &Facts) -> Outcome {
    const NAME: &str = "default_transaction_read_only";
    each(facts, |server| {
        let at = given(server, NAME).filter(|at| boolean(&at.value) == Some(true));
        at.map(|at| {
            Finding::new(
                &at.place,
                format!("{NAME} is {}: a primary takes no write", at.value),
                set(NAME, "off"),
            )
        })
        .into_iter()
        .collect()
    })
}

pub(super) fn archive(facts: &Facts) -> Outcome {
    each(facts, |server| {
        let mode = given(server, "archive_mode")
            .filter(|at| at.value.eq_ignore_ascii_case("always") || boolean(&at.value) == Some(true));
        let Some(mode) = mode else { return Vec::new() };
        if given(server, "archive_library").is_some() {
            return Vec::new();
        }
        let (place, what) = match given(server, "archive_command") {
            Some(at) if matches!(at.value.trim(), "false" | "/bin/false" | "/usr/bin/false" | "exit 1") => {
                (at.place, format!("archive_command is {:?}, which always fails", at.value))
            }
            Some(_) => return Vec::new(),
            None => (mode.place, format!("archive_mode is {}, and there is no archive_command", mode.value)),
        };
        vec![Finding::new(
            &place,
            what,
            "archive_command = '…', or set it to /bin/true; archive_mode = off takes a restart",
        )]
    })
}

pub(super) fn data_directory(facts: &Facts) -> Outcome {
    const NAME: &str = "data_directory";
    // Without a CIB nobody says where the agent looks.
    let cib = facts.cib.as_ref()?;
    let ours = cib.content.primitives.iter().filter(|p| p.agent == instances::AGENTS[0]);
    let wanted: Vec<&str> =
        ours.filter_map(|p| p.parameters.get("pgdata")).map(|d| d.trim_end_matches('/')).collect();
    each(facts, |server| {
        let Some(at) = given(server, NAME).filter(|_| !wanted.is_empty()) else { return Vec::new() };
        if wanted.contains(&at.value.trim_end_matches('/')) {
            return Vec::new();
        }
        let what = format!("{NAME} is {:?}, and the agent's pgdata {}", at.value, wanted.join(", "));
        vec![Finding::new(&at.place, what, format!("pcs resource update RESOURCE pgdata={}", at.value))]
    })
}

pub(super) fn kept_wal(facts: &Facts) -> Outcome {
    const NAME: &str = "wal_keep_size";
    each(facts, |server| {
        let at = given(server, NAME).filter(|at| crate::pg::conf::megabytes(&at.value) == Some(0));
        at.map(|at| Finding::new(&at.place, format!("{NAME} is {}", at.value), set(NAME, "512MB")))
            .into_iter()
            .collect()
    })
}

pub(super) fn log_messages(facts: &Facts) -> Outcome {
    const NAME: &str = "log_min_messages";
    each(facts, |server| {
        let at = given(server, NAME).filter(|at| at.value.eq_ignore_ascii_case("panic"));
        at.map(|at| Finding::new(&at.place, format!("{NAME} is {}", at.value), set(NAME, "warning")))
            .into_iter()
            .collect()
    })
}
