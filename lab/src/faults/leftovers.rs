//! What people leave behind: a directory, a setting, a parameter that somebody put there and forgot.

use std::time::Duration;

use super::people::{
    self, COMMITS, QUICK, SETTLED, data_directory, primary_on, run, sql, standby_on, wait_stopped,
};
use super::several::successor;
use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::cluster::observe::{Observation, SOCKETS};
use crate::host::error::Result;
use crate::host::wait::{OnInterrupt, pause};
use quorate::layout::site::Instance;

/// A standby's name that no server has.
const NOBODY: &str = "nobody_has_this_name";
/// Beside the directory that was put in its place.
const ASIDE: &str = "the-right-one";
/// The unit that keeps a standby busy.
const BUSY: &str = "lab-busy.service";
/// So long at most.
const BUSY_FOR: &str = "--property=RuntimeMaxSec=120";

/// A shell of the database's user.
fn as_owner(cluster: &Cluster, node: &str, script: &str, time: Duration) -> Result<()> {
    run(cluster, node, &["runuser", "-u", "postgres", "--", "bash", "-ec", script], time)
}

/// A standby's directory was started once as a server of its own, on the primary's timeline, and wrote; then somebody makes it a standby
/// again: who goes by numbers takes it for the same line.
pub(super) fn forked_copy(cluster: &Cluster, copy: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = standby_on(&seen, copy)?.clone();
    run(cluster, copy, &["pcs", "node", "standby", copy, "--wait=60"], SETTLED)?;
    wait_stopped(cluster, &instance, copy)?;
    let signal = format!("{}/standby.signal", data_directory(cluster, &instance));
    run(cluster, copy, &["rm", "-f", &signal], QUICK)?;
    by_hand(cluster, copy, &instance, "start")?;
    sql(cluster, copy, &instance, "CREATE TABLE forked AS SELECT g FROM generate_series(1, 100000) g")?;
    by_hand(cluster, copy, &instance, "stop")?;
    run(cluster, copy, &["install", "-o", "postgres", "-g", "postgres", "/dev/null", &signal], QUICK)?;
    pause(COMMITS, OnInterrupt::Stop)?;
    run(cluster, copy, &["pcs", "node", "unstandby", copy], SETTLED)?;
    Ok(Trace::default())
}

/// A rejoin has kept them, or the agent refuses them.
pub(super) fn it_was_put_aside_or_refused(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    for instance in &cluster.site().instances {
        let script = format!("ls -d {}.kept*", data_directory(cluster, instance));
        let found = cluster.exec(node, &["bash", "-c", &script], QUICK).map_err(|e| e.to_string())?;
        if let Ok(kept) = found.success("ls") {
            return Ok(format!("kept on {node}: {}", kept.trim()));
        }
    }
    people::is_refused(cluster, node, trace)
}

fn by_hand(cluster: &Cluster, node: &str, instance: &Instance, verb: &str) -> Result<()> {
    let version = cluster.site().postgresql.to_string();
    run(
        cluster,
        node,
        &["pg_ctlcluster", "--skip-systemctl-redirect", &version, &instance.name, verb],
        SETTLED,
    )
}

/// A standby's directory is another one: an empty server that somebody made in its place, as `initdb` or a new package does.
pub(super) fn foreign_datadir(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = standby_on(&seen, node)?.clone();
    let directory = data_directory(cluster, &instance);
    run(cluster, node, &["pcs", "node", "standby", node, "--wait=60"], SETTLED)?;
    wait_stopped(cluster, &instance, node)?;
    let version = cluster.site().postgresql;
    let script = format!(
        "mv '{directory}' '{directory}.{ASIDE}'; /usr/lib/postgresql/{version}/bin/initdb -D '{directory}' >/dev/null; \
         touch '{directory}/standby.signal'"
    );
    as_owner(cluster, node, &script, SETTLED)?;
    run(cluster, node, &["pcs", "node", "unstandby", node], SETTLED)?;
    Ok(Trace::default())
}

/// Puts the right directory back, and has Pacemaker try again, as who does that by hand would.
pub(super) fn put_back(cluster: &Cluster, node: &str, mut note: impl FnMut(String, Result<()>)) {
    for instance in &cluster.site().instances {
        let directory = data_directory(cluster, instance);
        let aside = format!("{directory}.{ASIDE}");
        let found = cluster.exec(node, &["test", "-d", &aside], QUICK);
        if !found.is_ok_and(|output| output.success("test").is_ok()) {
            continue;
        }
        let script = format!(
            "test ! -e '{directory}/postmaster.pid'; rm -rf '{directory}'; mv '{aside}' '{directory}'"
        );
        note(format!("{node} has its own data again"), as_owner(cluster, node, &script, SETTLED));
        let resource = cluster.site().names(instance).resource();
        let argv = ["crm_resource", "--cleanup", "--resource", &resource, "--node", node];
        note(format!("pcs resource cleanup on {node}"), run(cluster, node, &argv, SETTLED));
    }
}

/// A name that no standby has is left in `synchronous_standby_names`: every commit waits.
pub(super) fn commit_hang(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = primary_on(&seen, node)?.clone();
    sql(cluster, node, &instance, &format!("ALTER SYSTEM SET synchronous_standby_names = '{NOBODY}'"))?;
    sql(cluster, node, &instance, "SELECT pg_catalog.pg_reload_conf()")?;
    Ok(Trace::default())
}

/// Commits wait for it, or the agent has put its own names in place of it.
pub(super) fn commits_wait_or_it_was_replaced(cluster: &Cluster, node: &str, _: &Trace) -> Seen {
    let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
    let instance = primary_on(&seen, node).map_err(|e| e.to_string())?;
    let statement = format!(
        "SELECT pg_catalog.count(*), pg_catalog.current_setting('synchronous_standby_names') = '{NOBODY}' \
         FROM pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'"
    );
    let answer = ask(cluster, node, instance, &statement).map_err(|e| e.to_string())?;
    match answer.trim().split_once('|') {
        Some((_, "f")) => Ok("the agent has put its own names in place of it".to_owned()),
        Some((count, "t")) if count != "0" => Ok(format!("{count} commits wait")),
        _ => Err(format!("no commit waits: {answer}")),
    }
}

fn ask(cluster: &Cluster, node: &str, instance: &Instance, statement: &str) -> Result<String> {
    let port = instance.port.to_string();
    let argv =
        ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-h", SOCKETS, "-p", &port, "-c", statement];
    cluster.exec(node, &argv, QUICK)?.success("psql")
}

/// Takes the name out again.
pub(super) fn forget_the_name(cluster: &Cluster, node: &str, mut note: impl FnMut(String, Result<()>)) {
    for instance in &cluster.site().instances {
        let file = format!("{}/postgresql.auto.conf", data_directory(cluster, instance));
        let found = cluster.exec(node, &["grep", "-q", NOBODY, &file], QUICK);
        if found.is_ok_and(|output| output.success("grep").is_ok()) {
            let argv = ["sed", "-i", &format!("/{NOBODY}/d"), &file];
            let removed = run(cluster, node, &argv, QUICK);
            // A server that does not run reads it at its start.
            let _ = sql(cluster, node, instance, "SELECT pg_catalog.pg_reload_conf()");
            note(format!("no commit on {node} waits for {NOBODY}"), removed);
        }
    }
}

/// The parameter `addresses` of an instance, each node's turned by so many places.
fn addresses(cluster: &Cluster, by: usize) -> String {
    let nodes = &cluster.site().nodes;
    let turned = nodes.iter().cycle().skip(by);
    let pairs: Vec<String> =
        nodes.iter().zip(turned).map(|(n, at)| format!("{}={}", n.name, at.address())).collect();
    pairs.join(" ")
}

fn set_addresses(cluster: &Cluster, node: &str, instance: &Instance, value: &str) -> Result<()> {
    let resource = cluster.site().names(instance).resource();
    run(cluster, node, &["pcs", "resource", "update", &resource, &format!("addresses={value}")], SETTLED)
}

/// The parameter `addresses` gives each node the address of the next: a standby would stream from itself, or from another one.
pub(super) fn wrong_address(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = primary_on(&seen, node)?.clone();
    set_addresses(cluster, node, &instance, &addresses(cluster, 1))?;
    Ok(Trace::default())
}

/// What Pacemaker has of it.
fn addresses_of(cluster: &Cluster, node: &str, instance: &Instance) -> Result<String> {
    let resource = cluster.site().names(instance).resource();
    let argv = ["crm_resource", "--resource", &resource, "--get-parameter", "addresses"];
    Ok(cluster.exec(node, &argv, QUICK)?.success("crm_resource")?.trim().to_owned())
}

pub(super) fn the_address_is_wrong(cluster: &Cluster, node: &str, _: &Trace) -> Seen {
    let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
    let wrong = addresses(cluster, 1);
    let has = |i: &&Instance| addresses_of(cluster, node, i).is_ok_and(|value| value == wrong);
    seen.site
        .instances
        .iter()
        .find(has)
        .map(|i| format!("{} has addresses={wrong}", i.name))
        .ok_or_else(|| "no instance has the wrong addresses".to_owned())
}

/// Sets the right addresses again, from a node that runs.
pub(super) fn right_addresses(cluster: &Cluster, node: &str, mut note: impl FnMut(String, Result<()>)) {
    let wrong = addresses(cluster, 1);
    for instance in &cluster.site().instances {
        if addresses_of(cluster, node, instance).is_ok_and(|value| value == wrong) {
            let set = set_addresses(cluster, node, instance, &addresses(cluster, 0));
            note(format!("{} has its right addresses", instance.name), set);
        }
    }
}

/// The standby that would take over has no connection left and no processor to spare, and the primary loses its power. The sessions
/// end when it is the primary.
pub(super) fn busy_voter(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let instance = primary_on(&seen, node)?.clone();
    let next = successor(cluster, node)?;
    let port = instance.port;
    let script = format!(
        "cd /; p='psql -XAtq -h {SOCKETS} -p {port} -d postgres'; \
         n=$($p -c \"SELECT setting::int - (SELECT sum(setting::int) FROM pg_settings WHERE name ~ '^(superuser_)?reserved_connections$') \
         - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') FROM pg_settings WHERE name = 'max_connections'\"); \
         for i in $(seq $n); do $p -c 'DO $$BEGIN WHILE pg_is_in_recovery() LOOP PERFORM pg_sleep(0.05); END LOOP; END$$' & done; \
         for i in 1 2; do timeout 60 sh -c 'while :; do :; done' & done; wait"
    );
    let argv =
        ["systemd-run", "--collect", "--uid=postgres", BUSY_FOR, "--unit", BUSY, "bash", "-c", &script];
    run(cluster, &next, &argv, QUICK)?;
    pause(COMMITS, OnInterrupt::Stop)?;
    cluster.power_off(node)?;
    Ok(Trace::default())
}

/// Ends it.
pub(super) fn leave_in_peace(cluster: &Cluster, node: &str, mut note: impl FnMut(String, Result<()>)) {
    let runs = cluster.exec(node, &["systemctl", "is-active", "--quiet", BUSY], QUICK);
    if runs.is_ok_and(|output| output.success("systemctl").is_ok()) {
        note(format!("{node} is busy no more"), run(cluster, node, &["systemctl", "stop", BUSY], SETTLED));
    }
}
