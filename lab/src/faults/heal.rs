//! Undoing faults, and bringing the old primary back.

use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::cluster::health::{wait_whole, wait_whole_unless};
use crate::cluster::observe::Observation;
use crate::faults::replication::mend;
use crate::host::error::{LabError, Result};
use crate::host::wait::{OnInterrupt, until};
use crate::machines::protocol::{Activity, Cable, Impairment, NodeInfo, NodeKind, Power};
use quorate::cluster::crm_mon::Role;

use super::rebuild::{self, OldPrimary, rebuild};
use super::{bomb, clock, leftovers, people, signals, slow, storage};

const QUICK: Duration = Duration::from_secs(10);
/// A node needs 12 to 16 s from nothing to streaming, and PAF one monitor interval more until it is a
/// candidate again; a fencing loop shows itself within 20 s.
const BY_ITSELF: Duration = Duration::from_secs(75);
/// After help by hand, which may have stopped and started everything once more.
const WITH_HELP: Duration = Duration::from_secs(120);

/// The fate of a primary that has, or never lost, its role.
pub const PRIMARY_AGAIN: &str = "primary again";
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
    if nodes.iter().any(|node| !node.apart_from.is_empty()) {
        healed.note("the data centres reach each other".to_owned(), cluster.reunite());
    }
    each(nodes.iter(), &mut healed, |node, healed| machine(cluster, node, healed));
    // The witness first: the other nodes ask it for a vote when they start.
    let of_kind = |kind| nodes.iter().filter(move |n: &&NodeInfo| n.kind == kind);
    for kind in [NodeKind::Witness, NodeKind::Database] {
        each(of_kind(kind), &mut healed, |node, healed| services(cluster, node, healed));
    }
    match mend(cluster) {
        Ok(mended) => healed.done.extend(mended.iter().map(|node| format!("replication to {node} mended"))),
        Err(e) => healed.problems.push(format!("mending replication: {e}")),
    }
    bans(cluster, &mut healed);
    healed
}

/// Does something for several nodes at once: those of a lost data centre wait for each other.
fn each<'a>(
    nodes: impl Iterator<Item = &'a NodeInfo>,
    healed: &mut Healed,
    work: impl Fn(&NodeInfo, &mut Healed) + Sync,
) {
    let work = &work;
    let all: Vec<Healed> = std::thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .map(|node| {
                scope.spawn(move || {
                    let mut healed = Healed::default();
                    work(node, &mut healed);
                    healed
                })
            })
            .collect();
        let ended =
            |_| Healed { problems: vec!["a thread of it ended by itself".to_owned()], ..Healed::default() };
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(ended)).collect()
    });
    for one in all {
        healed.done.extend(one.done);
        healed.problems.extend(one.problems);
    }
}

fn machine(cluster: &Cluster, node: &NodeInfo, healed: &mut Healed) {
    let name = &node.name;
    if node.activity == Activity::Frozen {
        healed.note(format!("{name} thawed"), cluster.thaw(name));
    }
    if node.cable == Cable::Unlinked {
        healed.note(format!("{name} linked"), cluster.link(name));
    }
    if node.impairment != Impairment::NONE {
        healed.note(format!("{name} loses no more packets"), cluster.impair(name, Impairment::NONE));
    }
    if node.delay.is_some() {
        healed.note(format!("{name} has quick cables"), cluster.delay(name, None));
    }
    if node.power == Power::Off {
        healed.note(format!("{name} powered on"), cluster.power_on(name));
    } else {
        // First, for the rest needs processes.
        if let Some(ended) = bomb::defuse(cluster, name) {
            healed.note(format!("fork bomb on {name} ended"), ended);
        }
        if node.kind == NodeKind::Database {
            clock::repair(cluster, name, |what, result| healed.note(what, result));
            slow::repair(cluster, name, |what, result| healed.note(what, result));
            storage::repair(cluster, name, |what, result| healed.note(what, result));
            people::forget_recovery_target(cluster, name, |what, result| healed.note(what, result));
            leftovers::leave_in_peace(cluster, name, |what, result| healed.note(what, result));
            leftovers::forget_the_name(cluster, name, |what, result| healed.note(what, result));
            leftovers::put_back(cluster, name, |what, result| healed.note(what, result));
        }
        let stopped = signals::stopped(cluster, name);
        if !stopped.is_empty() {
            let what = format!("{} stopped processes on {name} continued", stopped.len());
            healed.note(what, signals::go_on(cluster, name, &stopped));
        }
    }
}

fn services(cluster: &Cluster, node: &NodeInfo, healed: &mut Healed) {
    let units = cluster.services(node.kind);
    let argv: Vec<&str> = ["systemctl", "is-active"].iter().chain(units).copied().collect();
    // It says a word for each, and is content with one.
    let asked = cluster.exec(&node.name, &argv, QUICK);
    let active = asked.is_ok_and(|out| out.stdout.lines().filter(|l| *l == "active").count() == units.len());
    if !active {
        let started = cluster.start_cluster(&node.name);
        healed.note(format!("{} started on {}", units.join(", "), node.name), started);
    }
}

fn bans(cluster: &Cluster, healed: &mut Healed) {
    let Ok(seen) = Observation::take(cluster) else { return };
    people::unstandby(cluster, &seen, |what, result| healed.note(what, result));
    if let Some(node) = seen.databases().find(|n| n.info.power == Power::On) {
        leftovers::right_addresses(cluster, &node.info.name, |what, result| healed.note(what, result));
    }
    let Ok(status) = &seen.status else { return };
    // pcs takes its own constraint away again; one that stays is left over from a move that was cut short.
    for instance in &seen.site.instances {
        let names = seen.site.names(instance);
        let clone = names.clone_id();
        if !status.bans.iter().any(|ban| ban.resource == clone || ban.resource == names.resource()) {
            continue;
        }
        let result = on_any_node(&seen, |node| {
            let argv = ["crm_resource", "--clear", "--resource", &clone];
            cluster.exec(node, &argv, QUICK)?.success("crm_resource --clear").map(drop)
        });
        healed.note(format!("bans of {clone} cleared"), result);
    }
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
    /// What an operator would have had to do.
    pub help: Vec<String>,
}

/// Heals and waits until the cluster is whole, with an operator's means only after it didn't come back by
/// itself: first clean-up, then a new copy of the data. `hit` are the nodes that the fault was on.
///
/// # Errors
/// When the cluster isn't whole even after all help, or Ctrl-C was pressed.
pub fn bring_back(
    cluster: &Cluster,
    hit: &[String],
    old: &OldPrimary,
    mut say: impl FnMut(&str),
) -> Result<Return> {
    for done in tell(heal(cluster), &mut say) {
        say(&done);
    }
    let mut watched = hit.to_vec();
    if !watched.contains(&old.node) {
        watched.push(old.node.clone());
    }
    let boots = || -> Vec<u32> { watched.iter().map(|n| boots(cluster, n)).collect() };
    let boots_before = boots();
    let mut help = Vec::new();
    let fenced = || boots().iter().zip(&boots_before).any(|(now, before)| now > before);
    let hopeless =
        |seen: &Observation| fenced() || watched.iter().any(|node| divergence(seen, node).is_some());
    let first = match wait_whole_unless(cluster, BY_ITSELF, OnInterrupt::Stop, hopeless) {
        Ok(seen) => return Ok(Return { fate: by_itself(&seen, old).to_owned(), help }),
        Err(LabError::Interrupted) => return Err(LabError::Interrupted),
        Err(e) => e,
    };
    say(&first.to_string());
    let fate = if fenced() { "fenced when it joined".to_owned() } else { why_not(cluster, old, hit) };
    say(&format!("{}: {fate}; now with help by hand", old.node));
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
    let broken = rebuild::broken(cluster, old);
    for (index, (node, instances)) in broken.iter().enumerate() {
        let names: Vec<&str> = instances.iter().map(|i| i.name.as_str()).collect();
        say(&format!("now with more help: {node} gets a new copy of {}", names.join(" and ")));
        help.push(format!("pg_basebackup on {node}"));
        rebuild(cluster, node, instances)?;
        if index + 1 < broken.len() {
            // The next one leaves the cluster for its copy: of three nodes the primary would be left alone, and reset itself.
            rejoin(cluster, node)?;
        }
    }
    for done in tell(heal(cluster), &mut say) {
        say(&done);
    }
    // It waits for an answer of every node, and one may be just being fenced: then the failures stay.
    if let Err(e) = forget_failures(cluster) {
        say(&e.to_string());
    }
    wait_whole(cluster, WITH_HELP, OnInterrupt::Stop)?;
    Ok(Return { fate: format!("{fate}; rebuilt by hand"), help })
}

fn rejoin(cluster: &Cluster, node: &str) -> Result<()> {
    cluster.start_cluster(node)?;
    until(&format!("{node} a member again"), BY_ITSELF, OnInterrupt::Stop, || {
        let status = Observation::take(cluster).map_err(|e| e.to_string())?.status?;
        match status.node(node) {
            Some(member) if member.online && !member.pending => Ok(()),
            member => Err(format!("{member:?}")),
        }
    })
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

fn by_itself(seen: &Observation, old: &OldPrimary) -> &'static str {
    if seen.primary_of(&old.instance) == Some(&old.node) { PRIMARY_AGAIN } else { "standby by itself" }
}

/// An agent's refusal to start diverged data, if that is what keeps one of the node's instances away.
fn divergence(seen: &Observation, node: &str) -> Option<String> {
    let status = seen.status.as_ref().ok()?;
    seen.site.instances.iter().find_map(|instance| {
        let resource = seen.site.names(instance).resource();
        let action = format!("{resource}_");
        let failure = status
            .failures
            .iter()
            .find(|f| f.node == node && f.operation.starts_with(&action) && f.reason.contains("diverge"))?;
        let runs = status.role_on(&resource, node).is_some_and(|role| *role != Role::Stopped);
        (!runs).then(|| failure.reason.clone())
    })
}

/// The reason why the old primary did not come back, from the failures that Pacemaker shows; or that of another instance, where the
/// fault hit it too.
fn why_not(cluster: &Cluster, old: &OldPrimary, hit: &[String]) -> String {
    if cluster.node(&old.node).is_ok_and(|n| n.power == Power::Off) {
        return "fenced when it joined".to_owned();
    }
    let seen = match Observation::take(cluster) {
        Ok(seen) => seen,
        Err(e) => return format!("not back by itself: {e}"),
    };
    let Ok(status) = &seen.status else { return "not back by itself: Pacemaker does not answer".to_owned() };
    if let Some(reason) = divergence(&seen, &old.node) {
        return format!("{DIVERGED} ({reason})");
    }
    let others = old.others.iter().filter(|node| hit.contains(node));
    if let Some((node, reason)) = others.filter_map(|n| Some((n, divergence(&seen, n)?))).next() {
        return format!("{DIVERGED} (on {node}: {reason})");
    }
    let reasons: Vec<&str> =
        status.failures.iter().filter(|f| f.node == old.node).map(|f| f.reason.as_str()).collect();
    match (status.role_on(&seen.site.names(&old.instance).resource(), &old.node), reasons.last()) {
        (Some(Role::Unpromoted), None) => "not back: started, but does not stream".to_owned(),
        (_, Some(reason)) => format!("not back by itself: {reason}"),
        (role, None) => format!("not back by itself: {role:?}"),
    }
}
