//! One run: wait until all is well, break something, measure, heal, wait until all is well again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{Client, Endpoints, Inside};
use super::cluster::Cluster;
use super::error::{LabError, Result};
use super::evidence;
use super::faults::{CountsFrom, Fault, Target, bring_back, forget_failures};
use super::health::wait_whole;
use super::layout;
use super::measure::{Outage, describe, good_for, last_good_write, longest_pause, outage};
use super::observe::Observation;
use super::protocol::{ClusterInfo, NodeKind};
use super::report::RunResult;
use super::screen::Pulse;
use super::wait::{OnInterrupt, interrupted, pause, until};

/// Before a fault: a node may still be on its way from the run before.
const WHOLE: Duration = Duration::from_secs(180);
/// After a clean-up of failures Pacemaker probes everything anew.
const WHOLE_AFTER_CLEAN_UP: Duration = Duration::from_secs(60);
/// The writes before the fault: enough that a break is told apart from a slow start.
const BEFORE: Duration = Duration::from_secs(2);
/// The shortest look at a fault's consequences: a bystander's fault shows nothing sooner.
const AT_LEAST: Duration = Duration::from_secs(10);
/// Writes that have been good for this long count as restored: a second outage comes within seconds.
const GOOD: Duration = Duration::from_secs(8);
/// PAF needs 271 s for frozen postgres processes.
const RESTORED: Duration = Duration::from_secs(420);
/// For the client's tables.
const TABLES: Duration = Duration::from_secs(30);

/// Who watches a run.
pub trait Audience {
    /// The fault is injected now.
    fn broken(&mut self);
    /// A step was made.
    fn say(&mut self, line: &str);
    /// The cluster while the fault lasts, about every second.
    fn look(&mut self, seen: &Observation, pulse: &Pulse);
}

/// What to do in one run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The fault.
    pub fault: &'static Fault,
    /// What it is to hit.
    pub target: Target,
    /// The target in the user's word.
    pub target_word: String,
    /// Counted from 1.
    pub run: u32,
    /// The chance for a random target.
    pub draw: u64,
    /// How much later than necessary the fault is injected: a moment at random between two monitors.
    pub phase: Duration,
    /// Where to keep what the cluster looked like when something went wrong; `None` keeps nothing.
    pub evidence: Option<PathBuf>,
    /// File for what the client saw of each interruption; `None` keeps nothing.
    pub trace: Option<PathBuf>,
}

/// Where the client finds the databases of a cluster.
///
/// # Errors
/// When the lab's supervisor does not answer.
pub fn endpoints(cluster: &Cluster) -> Result<Endpoints> {
    let nodes = cluster.nodes()?.into_iter().filter(|n| n.kind == NodeKind::Database);
    Ok(Endpoints {
        netns: Some(cluster.netns()),
        primary: cluster.primary_ip().into(),
        standby: cluster.standby_ip().into(),
        nodes: nodes.map(|n| (n.name, n.address.into())).collect(),
        inside: Some(inside(cluster)),
        port: layout::PG_PORT,
        user: layout::CLIENT_USER.to_owned(),
        password: Some(layout::CLIENT_PASSWORD.to_owned()),
        dbname: layout::CLIENT_DATABASE.to_owned(),
    })
}

/// A node's network namespace is that of its init, which is another one after each boot.
fn inside(cluster: &Cluster) -> Inside {
    let cluster = cluster.clone();
    Inside(Arc::new(move |node| {
        let leader = cluster.node(node).ok()?.leader?;
        Some(PathBuf::from(format!("/proc/{leader}/ns/net")))
    }))
}

/// Does one run. What goes wrong in it stands in the result's `failed`, beside what was measured until
/// then; the fault is healed in any case.
///
/// # Errors
/// Only [`LabError::Interrupted`].
pub fn run(
    cluster: &Cluster,
    info: &ClusterInfo,
    plan: &Plan,
    audience: &mut dyn Audience,
) -> Result<RunResult> {
    let mut result = RunResult {
        layout: info.layout.clone(),
        suite: info.suite.clone(),
        agent: info.agent.clone(),
        timing: info.timing.clone(),
        fault: plan.fault.name.to_owned(),
        target: plan.target_word.clone(),
        node: String::new(),
        run: plan.run,
        outage_ms: None,
        interruption_ms: 0,
        interruption_healing_ms: 0,
        acked: 0,
        lost_acked: None,
        recovered: 0,
        unexpected: 0,
        two_primaries_ms: 0,
        old_primary: "unknown".to_owned(),
        human_help: Vec::new(),
        whole_after_ms: None,
        failed: None,
    };
    match steps(cluster, plan, &mut result, audience) {
        Ok(()) => {}
        Err(LabError::Interrupted) => return Err(LabError::Interrupted),
        Err(e) => {
            audience.say(&format!("FAILED: {e}"));
            result.failed = Some(e.to_string());
        }
    }
    Ok(result)
}

fn steps(cluster: &Cluster, plan: &Plan, result: &mut RunResult, audience: &mut dyn Audience) -> Result<()> {
    let seen = wait_whole(cluster, WHOLE, OnInterrupt::Stop)?;
    let node = plan.target.resolve(&seen, plan.draw)?;
    result.node.clone_from(&node);
    let primary = seen.primary().unwrap_or_default().to_owned();
    let mut client = Client::start(endpoints(cluster)?, "", TABLES)?;
    client.open_session(&primary)?;
    pause(BEFORE + plan.phase, OnInterrupt::Stop)?;
    if good_for(&client.heart().snapshot(), client.now()).is_zero() {
        let last = client.heart().last();
        return Err(LabError::Host(format!(
            "writes through {} were not good before: {last:?}",
            cluster.primary_ip()
        )));
    }

    audience.broken();
    audience.say(&format!("{} on {node} (primary: {primary})", plan.fault.name));
    let injected_at = client.now();
    let injected = plan.fault.inject(cluster, &node)?;
    let evidence = injected.wait_happened()?;
    audience.say(&format!("it happened: {evidence}"));
    let restored = wait_restored(cluster, &client, injected_at, audience);
    let healing_at = client.now();
    measure(plan, &client, injected_at, healing_at, result);
    if let Err(e) = restored {
        // Before the fault is healed: afterwards nothing shows any more why.
        keep(cluster, plan, audience);
        return Err(e);
    }
    let outage = result.outage_ms.map_or("not restored".to_owned(), |ms| format!("{ms} ms"));
    audience.say(&format!("writes are good again; outage {outage}"));

    // From here on bring_back does the healing, and says what it had to do.
    injected.leave();
    let returned = bring_back(cluster, &primary, |line| audience.say(line));
    let whole_at = client.now();
    result.interruption_healing_ms = millis(longest_pause(&client.heart().snapshot(), healing_at, whole_at));
    result.two_primaries_ms = millis(client.two_primaries(injected_at, whole_at));
    let returned = returned.inspect_err(|_| keep(cluster, plan, audience))?;
    result.whole_after_ms = Some(millis(whole_at.saturating_sub(healing_at)));
    result.old_primary = if result.outage_ms == Some(0) && node != primary {
        "stayed primary".to_owned()
    } else {
        returned.fate
    };
    result.human_help = returned.help;
    audience.say(&format!(
        "whole again after {:.1} s; {primary}: {}",
        (whole_at - healing_at).as_secs_f32(),
        result.old_primary
    ));
    trace(plan, &client, injected_at)?;
    check_losses(cluster, &client, whole_at, result)?;
    drop(client);
    tidy_up(cluster)
}

fn keep(cluster: &Cluster, plan: &Plan, audience: &mut dyn Audience) {
    let Some(dir) = &plan.evidence else { return };
    match evidence::collect(cluster, dir) {
        Ok(()) => audience.say(&format!("evidence: {}", dir.display())),
        Err(e) => audience.say(&format!("no evidence: {e}")),
    }
}

/// Waits until the writes are good, and have been for a while, and fencing is over.
fn wait_restored(
    cluster: &Cluster,
    client: &Client,
    from: Duration,
    audience: &mut dyn Audience,
) -> Result<()> {
    let end = Instant::now() + RESTORED;
    loop {
        let seen = Observation::take(cluster)?;
        audience.look(&seen, &Pulse::of(client));
        let now = client.now();
        let good = now.saturating_sub(from) >= AT_LEAST && good_for(&client.heart().snapshot(), now) >= GOOD;
        // A node that comes back while the others still wait for its fencing is told that it was fenced, and
        // its Pacemaker ends for good: no fault of the agent's, and nothing that an operator would do.
        let fencing = seen.status.as_ref().is_ok_and(|s| s.nodes.iter().any(|n| n.unclean));
        if good && !fencing {
            return Ok(());
        }
        if interrupted() {
            return Err(LabError::Interrupted);
        }
        if Instant::now() >= end {
            return Err(LabError::Timeout {
                what: "writes good again and nobody waiting to be fenced".to_owned(),
                seconds: RESTORED.as_secs(),
                last: format!("; at last: {:?}", client.heart().last()),
            });
        }
        // Looking costs processor time that the cluster needs for what is being measured.
        pause(Duration::from_secs(1), OnInterrupt::Stop)?;
    }
}

fn measure(plan: &Plan, client: &Client, injected_at: Duration, until: Duration, result: &mut RunResult) {
    let heart = client.heart().snapshot();
    let from = match plan.fault.counts_from {
        CountsFrom::Injection => injected_at,
        CountsFrom::LastGoodWrite => last_good_write(&heart, injected_at, until),
    };
    result.outage_ms = match outage(&heart, from, until) {
        Outage::NotRestored => None,
        restored => restored.millis(),
    };
    result.interruption_ms = millis(longest_pause(&heart, injected_at, until));
    result.two_primaries_ms = millis(client.two_primaries(injected_at, until));
    result.acked = heart.iter().filter(|a| a.is_acked()).count();
}

/// Writes down what the client saw, for whoever doubts a figure.
fn trace(plan: &Plan, client: &Client, injected_at: Duration) -> Result<()> {
    let Some(path) = &plan.trace else { return Ok(()) };
    let text = describe(&client.heart().snapshot(), injected_at);
    std::fs::write(path, text).map_err(|source| LabError::File { path: path.clone(), source })
}

/// Reads all acknowledged writes back from the primary that is left in the end.
fn check_losses(
    cluster: &Cluster,
    client: &Client,
    until_time: Duration,
    result: &mut RunResult,
) -> Result<()> {
    let (name, address) =
        until("one primary to read back from", WHOLE_AFTER_CLEAN_UP, OnInterrupt::Stop, || {
            let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
            let primary = seen.primary().ok_or("nothing is promoted")?;
            let node = cluster.node(primary).map_err(|e| e.to_string())?;
            Ok((node.name, node.address))
        })?;
    let checked = client.read_back(address.into(), until_time)?;
    result.acked = checked.acked;
    result.lost_acked = Some(checked.lost.len());
    result.recovered = checked.recovered.len();
    result.unexpected = checked.unexpected.len();
    if !checked.lost.is_empty() {
        eprintln!("lost on {name}: {:?}", checked.lost);
    }
    Ok(())
}

/// Failed actions count towards limits of Pacemaker: each run begins without any.
fn tidy_up(cluster: &Cluster) -> Result<()> {
    let seen = Observation::take(cluster)?;
    if seen.status.as_ref().is_ok_and(|s| !s.failures.is_empty()) {
        forget_failures(cluster)?;
        wait_whole(cluster, WHOLE_AFTER_CLEAN_UP, OnInterrupt::Stop)?;
    }
    Ok(())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
