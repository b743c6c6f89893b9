//! Undoing faults, and bringing the old primary back.

use std::time::Duration;

use crate::cluster::crm_mon::Role;
use crate::lab::cluster::Cluster;
use crate::lab::error::{LabError, Result};
use crate::lab::health::{wait_whole, wait_whole_unless};
use crate::lab::layout::{CLONE, RESOURCE};
use crate::lab::observe::Observation;
use crate::lab::protocol::{Activity, Cable, NodeInfo, NodeKind, Power};
use crate::lab::wait::OnInterrupt;

const QUICK: Duration = Duration::from_secs(10);
/// A node needs 12 to 16 s from nothing to streaming, and PAF one monitor interval more until it is a
/// candidate again; a fencing loop shows itself within 20 s.
const BY_ITSELF: Duration = Duration::from_secs(75);
/// After a human's help, which may have stopped and started everything once more.
const WITH_HELP: Duration = Duration::from_secs(120);
/// Copying an almost empty data directory.
const COPY: Duration = Duration::from_secs(120);

/// How the fate of a node begins whose agent refused to start diverged data.
const DIVERGED: &str = "refused: diverged";

/// What healing did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Healed {
    /// Each thing that was undone.
    pub done: Vec<String>,
    /// What went wrong; healing went on all the same.
    pub problems: Vec<String>,
}

impl Healed {
    fn note(&mut self, what: String, result: Result<()>) {
        match result {
            Ok(()) => self.done.push(what),
            Err(e) => self.problems.push(format!("{what}: {e}")),
        }
    }
}

/// Undoes every fault that it finds: thaws, puts cables in, powers on, continues stopped PostgreSQLs,
/// starts the cluster's services, takes bans away. Collects its errors and goes on; what is already well is
/// left alone.
#[must_use]
pub fn heal(cluster: &Cluster) -> Healed {
    let mut healed = Healed::default();
    let nodes = match cluster.nodes() {
        Ok(nodes) => nodes,
        Err(e) => {
            healed.problems.push(format!("asking for the nodes: {e}"));
            return healed;
        }
    };
    for node in &nodes {
        machine(cluster, node, &mut healed);
    }
    // The witness first: the other nodes ask it for a vote when they start.
    let witness_first = nodes.iter().rev();
    for node in witness_first {
        services(cluster, node, &mut healed);
    }
    bans(cluster, &mut healed);
    healed
}

fn machine(cluster: &Cluster, node: &NodeInfo, healed: &mut Healed) {
    let name = &node.name;
    if node.activity == Activity::Frozen {
        healed.note(format!("{name} thawed"), cluster.thaw(name));
    }
    if node.cable == Cable::Unlinked {
        healed.note(format!("{name} linked"), cluster.link(name));
    }
    if node.power == Power::Off {
        healed.note(format!("{name} powered on"), cluster.power_on(name));
    } else if node.kind == NodeKind::Database && has_stopped_postgres(cluster, name) {
        let go_on = cluster.exec(name, &["pkill", "-CONT", "-x", "postgres"], QUICK).map(drop);
        healed.note(format!("PostgreSQL on {name} continued"), go_on);
    }
}

fn has_stopped_postgres(cluster: &Cluster, node: &str) -> bool {
    cluster
        .exec(node, &["ps", "-o", "stat=", "-C", "postgres"], QUICK)
        .is_ok_and(|out| out.stdout.split_whitespace().any(|state| state.starts_with('T')))
}

fn services(cluster: &Cluster, node: &NodeInfo, healed: &mut Healed) {
    let unit = match node.kind {
        NodeKind::Database => "pacemaker",
        NodeKind::Witness => "corosync-qnetd",
    };
    let active =
        cluster.exec(&node.name, &["systemctl", "is-active", unit], QUICK).is_ok_and(|out| out.status == 0);
    if !active {
        let started = cluster.start_cluster(&node.name);
        healed.note(format!("{unit} started on {}", node.name), started);
    }
}

fn bans(cluster: &Cluster, healed: &mut Healed) {
    let Ok(seen) = Observation::take(cluster) else { return };
    let Ok(status) = &seen.status else { return };
    // pcs takes its own constraint away again; one that stays is left over from a move that was cut short.
    if !status.bans.iter().any(|ban| ban.resource == CLONE || ban.resource == RESOURCE) {
        return;
    }
    let result = on_any_node(&seen, |node| {
        let argv = ["crm_resource", "--clear", "--resource", CLONE];
        cluster.exec(node, &argv, QUICK)?.success("crm_resource --clear").map(drop)
    });
    healed.note(format!("bans of {CLONE} cleared"), result);
}

fn on_any_node(seen: &Observation, mut action: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut last = Err(LabError::Host("no database node is powered on".to_owned()));
    for node in seen.databases().filter(|n| n.info.power == Power::On) {
        last = action(&node.info.name);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Makes Pacemaker forget failed actions, as `pcs resource cleanup` does.
///
/// # Errors
/// When no node could do it.
pub fn forget_failures(cluster: &Cluster) -> Result<()> {
    let seen = Observation::take(cluster)?;
    on_any_node(&seen, |node| {
        let argv = ["crm_resource", "--cleanup"];
        cluster.exec(node, &argv, Duration::from_secs(40))?.success("crm_resource --cleanup").map(drop)
    })
}

/// What became of the old primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// In the words of the report: "standby by itself", "primary again", "refused: diverged", …
    pub fate: String,
    /// What a human would have had to do.
    pub help: Vec<String>,
}

/// Heals and waits until the cluster is whole, with a human's means only after it didn't come back by
/// itself: first clean-up, then a new copy of the data.
///
/// # Errors
/// When the cluster isn't whole even after all help, or Ctrl-C was pressed.
pub fn bring_back(cluster: &Cluster, old_primary: &str, mut say: impl FnMut(&str)) -> Result<Return> {
    for done in tell(heal(cluster), &mut say) {
        say(&done);
    }
    let boots_before = boots(cluster, old_primary);
    let mut help = Vec::new();
    let fenced = || boots(cluster, old_primary) > boots_before;
    let hopeless = |seen: &Observation| fenced() || divergence(seen, old_primary).is_some();
    let first = match wait_whole_unless(cluster, BY_ITSELF, OnInterrupt::Stop, hopeless) {
        Ok(seen) => return Ok(Return { fate: by_itself(&seen, old_primary).to_owned(), help }),
        Err(LabError::Interrupted) => return Err(LabError::Interrupted),
        Err(e) => e,
    };
    say(&first.to_string());
    let fate = if fenced() { "fenced when it joined".to_owned() } else { why_not(cluster, old_primary) };
    say(&format!("{old_primary}: {fate}; now with a human's help"));
    // Cleaning up does not bring diverged data back, and lets a fenced node be fenced once more.
    if !fenced() && !fate.starts_with(DIVERGED) {
        help.push("pcs resource cleanup".to_owned());
        for done in tell(heal(cluster), &mut say) {
            say(&done);
        }
        if let Err(e) = forget_failures(cluster) {
            say(&e.to_string());
        }
        match wait_whole(cluster, BY_ITSELF, OnInterrupt::Stop) {
            Ok(_) => return Ok(Return { fate: format!("{fate}; back after clean-up"), help }),
            Err(LabError::Interrupted) => return Err(LabError::Interrupted),
            Err(e) => say(&e.to_string()),
        }
    }
    let broken = broken_node(cluster, old_primary);
    say(&format!("now with more help: {broken} gets a new copy of the data"));
    help.push(format!("pg_basebackup on {broken}"));
    rebuild(cluster, &broken)?;
    for done in tell(heal(cluster), &mut say) {
        say(&done);
    }
    // It waits for an answer of every node, and one may be just being fenced: then the failures stay.
    if let Err(e) = forget_failures(cluster) {
        say(&e.to_string());
    }
    wait_whole(cluster, WITH_HELP, OnInterrupt::Stop)?;
    Ok(Return { fate: format!("{fate}; rebuilt by a human"), help })
}

fn boots(cluster: &Cluster, node: &str) -> u32 {
    cluster.node(node).map_or(0, |info| info.boots)
}

fn tell(healed: Healed, say: &mut impl FnMut(&str)) -> Vec<String> {
    for problem in &healed.problems {
        say(&format!("healing: {problem}"));
    }
    healed.done
}

fn by_itself(seen: &Observation, old_primary: &str) -> &'static str {
    if seen.primary() == Some(old_primary) { "primary again" } else { "standby by itself" }
}

/// The agent's refusal to start diverged data, if that is what keeps the node away.
fn divergence(seen: &Observation, node: &str) -> Option<String> {
    let status = seen.status.as_ref().ok()?;
    let failure = status.failures.iter().find(|f| f.node == node && f.reason.contains("diverge"))?;
    let runs = status.role_on(RESOURCE, node).is_some_and(|role| *role != Role::Stopped);
    (!runs).then(|| failure.reason.clone())
}

/// The reason why the old primary did not come back, from the failures that Pacemaker shows.
fn why_not(cluster: &Cluster, old_primary: &str) -> String {
    if cluster.node(old_primary).is_ok_and(|n| n.power == Power::Off) {
        return "fenced when it joined".to_owned();
    }
    let seen = match Observation::take(cluster) {
        Ok(seen) => seen,
        Err(e) => return format!("needs a human: {e}"),
    };
    let Ok(status) = &seen.status else { return "needs a human: Pacemaker does not answer".to_owned() };
    if let Some(reason) = divergence(&seen, old_primary) {
        return format!("{DIVERGED} ({reason})");
    }
    let reasons: Vec<&str> =
        status.failures.iter().filter(|f| f.node == old_primary).map(|f| f.reason.as_str()).collect();
    match (status.role_on(RESOURCE, old_primary), reasons.last()) {
        (Some(Role::Unpromoted), None) => "needs a human: started, but does not stream".to_owned(),
        (_, Some(reason)) => format!("needs a human: {reason}"),
        (role, None) => format!("needs a human: {role:?}"),
    }
}

/// The database node that isn't the primary: the one whose data can be replaced.
fn broken_node(cluster: &Cluster, old_primary: &str) -> String {
    match Observation::take(cluster) {
        Ok(seen) if seen.primary() == Some(old_primary) => seen
            .databases()
            .map(|n| n.info.name.clone())
            .find(|name| name != old_primary)
            .unwrap_or_else(|| old_primary.to_owned()),
        _ => old_primary.to_owned(),
    }
}

/// Replaces a node's data by a new copy of the primary's, as a human would by hand. The old data is
/// kept beside it.
///
/// # Errors
/// When there is no primary to copy from, or a step fails.
pub fn rebuild(cluster: &Cluster, node: &str) -> Result<()> {
    if cluster.node(node)?.power == Power::Off {
        cluster.power_on(node)?;
    } else {
        cluster.stop_cluster(node)?;
    }
    let seen = Observation::take(cluster)?;
    let primary = seen
        .primary()
        .filter(|primary| *primary != node)
        .ok_or_else(|| LabError::Host(format!("there is no primary to copy to {node} from")))?;
    let address = cluster.node(primary)?.address.to_string();
    // The settings that ALTER SYSTEM or an agent wrote are the node's own (its application_name).
    let script = format!(
        "set -e; cd /; export HOME=~postgres; d=$(echo /var/lib/postgresql/*/main); \
         rm -rf \"$d.before\"; mv \"$d\" \"$d.before\"; \
         pg_basebackup -h {address} -U replicator -D \"$d\" -X stream -c fast; \
         cp \"$d.before/postgresql.auto.conf\" \"$d/\"; touch \"$d/standby.signal\""
    );
    let argv = ["runuser", "-u", "postgres", "--", "bash", "-c", &script];
    cluster.exec(node, &argv, COPY)?.success("pg_basebackup").map(drop)
}
