//! One run: wait until all is well, break something, measure, heal, wait until all is well again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::evidence;
use super::journals::{Injection, Told};
use super::tuchanka;
use super::verify::verify;
use crate::client::Client;
use crate::client::clients::{Clients, Since};
use crate::cluster::handle::Cluster;
use crate::cluster::health::wait_whole;
use crate::cluster::observe::Observation;
use crate::cluster::placement::placement;
use crate::faults::replication::{Cut, Lag};
use crate::faults::{
    self, AT_LEAST, CountsFrom, Fault, Injected, Insiders, OldPrimary, Service, Target, bring_back,
    forget_failures,
};
use crate::host::error::{LabError, Result};
use crate::host::wait::{LOOK, OnInterrupt, interrupted, pause, until};
use crate::machines::protocol::{ClusterInfo, Stamp};
use crate::record::measure::{Outage, describe};
use crate::record::phases;
use crate::report::RunResult;
use crate::truth::TakeOver;
use crate::view::audience::Audience;

/// Before a fault: a node may still be on its way from the run before.
const WHOLE: Duration = Duration::from_secs(180);
/// After a clean-up of failures Pacemaker probes everything anew.
const WHOLE_AFTER_CLEAN_UP: Duration = Duration::from_secs(60);
/// The writes before the fault: enough that a break is told apart from a slow start.
const BEFORE: Duration = Duration::from_secs(2);
/// For these; a host with many clusters may be busy for a while.
const PATIENCE: Duration = Duration::from_secs(60);
/// Writes that have been good for this long count as restored: a second outage comes within seconds.
const GOOD: Duration = Duration::from_secs(8);
/// Writes that have not been good for this long, or another primary, or a reset, are a reaction to the fault. A shorter pause
/// is the host's: a hang that nobody has noticed yet must not be healed for it.
const REACTION: Duration = Duration::from_secs(2);
/// Where everything is must not have changed for this long: float IPs of standbys move after the primary's.
const SETTLED: Duration = Duration::from_secs(3);
/// For the client's tables.
const TABLES: Duration = Duration::from_secs(30);

/// By whose rules a run is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Protocol {
    /// Until the writes have been good for a while and nothing moves any more.
    #[default]
    Quorate,
    /// Tuchanka's: until five rounds of heart and beat were good; see [`super::tuchanka`].
    Tuchanka,
}

impl Protocol {
    /// Its name in the results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quorate => "quorate",
            Self::Tuchanka => "tuchanka",
        }
    }
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
    /// How replication fares before the fault.
    pub replication: Lag,
    /// By whose rules.
    pub protocol: Protocol,
    /// How long writes may stay away once another primary is there and nothing moves; `None`: the fault's whole time.
    pub patience: Option<Duration>,
    /// Where to keep what the cluster looked like when something went wrong; `None` keeps nothing.
    pub evidence: Option<PathBuf>,
    /// File for what the client saw of each interruption; `None` keeps nothing.
    pub trace: Option<PathBuf>,
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
        protocol: plan.protocol.name().to_owned(),
        reaction_ms: None,
        fault: plan.fault.name.to_owned(),
        target: plan.target_word.clone(),
        node: String::new(),
        run: plan.run,
        service: plan.fault.service(cluster.site()),
        outage_ms: None,
        interruption_ms: 0,
        interruption_healing_ms: 0,
        acked: 0,
        lost_acked: None,
        recovered: 0,
        unexpected: 0,
        two_primaries_ms: 0,
        replication: plan.replication.to_string(),
        lost_bytes: None,
        lost_ms: 0,
        findings: Vec::new(),
        old_primary: "unknown".to_owned(),
        help_by_hand: Vec::new(),
        whole_after_ms: None,
        placement: String::new(),
        placement_after: String::new(),
        started_ms: Some(Stamp::now().wall_us / 1000),
        load: String::new(),
        noticed: None,
        take_overs: Vec::new(),
        phases: Vec::new(),
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
    audience.finished(&result);
    Ok(result)
}

fn steps(cluster: &Cluster, plan: &Plan, result: &mut RunResult, audience: &mut dyn Audience) -> Result<()> {
    let seen = wait_whole(cluster, WHOLE, OnInterrupt::Stop)?;
    let nodes = plan.target.resolve(&seen, plan.draw)?;
    result.node = nodes.join("+");
    // The cluster is whole: each instance has one.
    let primaries: Vec<String> =
        seen.site.instances.iter().map(|i| seen.primary_of(i).unwrap_or_default().to_owned()).collect();
    let old = old_primary(&seen, &primaries, &nodes)?;
    let mut clients = Clients::start(cluster, "", TABLES)?;
    clients.open_sessions()?;
    if plan.fault.insiders == Insiders::Sessions {
        clients.open_inside(&primaries, &nodes, plan.fault.lasts)?;
    }
    audience.clients(clients.source());
    wait_for_good_writes(&clients)?;
    pause(plan.phase, OnInterrupt::Stop)?;
    wait_for_good_writes(&clients)?;

    let cut = hinder(cluster, plan.replication, &seen, audience)?;
    audience.broken();
    audience.say(&format!("{} on {} (primary: {})", plan.fault.name, nodes.join(", "), primaries.join(", ")));
    result.load = load();
    let injection = Injection::now(&clients, &nodes);
    let injected_at = injection.at;
    let injected = plan.fault.inject(cluster, &nodes)?;
    let evidence = injected.wait_happened()?;
    // What a primary that is gone has not sent by now, it never will. A standby that can't be mended shows below.
    drop(cut);
    audience.say(&format!("it happened: {evidence}"));
    let restored = match plan.protocol {
        Protocol::Quorate => {
            wait_restored(cluster, &clients, plan, (&injected, &primaries), injected_at, audience)
        }
        Protocol::Tuchanka => tuchanka::wait_ready(cluster, &clients, plan.fault, injected_at, audience)
            .and_then(|reaction| {
                audience.say(&format!("ready; reaction {:.1} s", reaction.as_secs_f32()));
                result.reaction_ms = Some(millis(reaction));
                tuchanka::wait_stable(cluster, &clients, audience)
            }),
    };
    let healing_at = clients.now();
    injection.tell_of_pauses(cluster, &mut clients)?;
    let since = match plan.fault.counts_from {
        CountsFrom::Injection if primaries.iter().any(|p| nodes.contains(p)) => Since::Moment(injected_at),
        // A bystander's end is noticed later, where it is noticed at all: until then all is well.
        CountsFrom::Injection | CountsFrom::LastGoodWrite => Since::LastGoodWrite(injected_at),
    };
    measure(&clients, since, injected_at, healing_at, result);
    // Before it is healed: what an operator powers on has been reset by nobody.
    let restored = restored.and_then(|placement| match (plan.fault.reset, injected.has_reset()) {
        (faults::Reset::Forbidden, true) => {
            Err(LabError::Host(format!("{} was reset, though nothing of it was broken", result.node)))
        }
        (faults::Reset::Forbidden, false) | (faults::Reset::Possible, _) => Ok(placement),
    });
    let broken = match restored {
        Ok(placement) => {
            result.placement = placement;
            match result.outage_ms {
                Some(ms) => audience.say(&format!("writes are good again; outage {ms} ms")),
                None if result.service == Service::MayStop => {
                    audience.say("no service, as it has to be without a majority");
                }
                None => audience.say("writes are not good"),
            }
            audience.say(&format!("placement: {}", result.placement));
            None
        }
        Err(LabError::Interrupted) => return Err(LabError::Interrupted),
        Err(e) => {
            // Before the fault is healed: afterwards nothing shows any more why.
            keep(cluster, plan, audience);
            audience.say(&e.to_string());
            Some(e)
        }
    };

    if broken.is_some() && plan.patience.is_some() {
        // Commits wait for a standby that has to be copied first, and each that is given up keeps its server process: the
        // primary would run out of them.
        clients.stop();
    }

    // From here on bring_back does the healing, and says what it had to do.
    let hit = injected.hit();
    injected.leave();
    let returned = bring_back(cluster, &hit, &old, |line| audience.say(line));
    let whole_at = clients.now();
    result.interruption_healing_ms = millis(clients.longest_pause(healing_at, whole_at));
    result.two_primaries_ms = millis(clients.two_primaries(injected_at, whole_at));
    // Nothing is measured any more. Without the journals the figures are as good.
    match Told::read(cluster, &injection, healing_at) {
        Ok(Some(told)) => {
            let noticed = told.noticed(&hit);
            audience.say(&format!("noticed by {}", phases::noticed::words(&noticed)));
            result.noticed = Some(noticed);
            result.take_overs = told.take_overs(cluster, &clients, healing_at);
            result.phases = told.failovers(cluster, &clients, since, healing_at);
        }
        Ok(None) => audience.say("no phases: the clock was set"),
        Err(e) => audience.say(&format!("no phases: {e}")),
    }
    for pause in result.take_overs.iter().filter_map(TakeOver::pause) {
        audience.say(&pause);
    }
    for split in result.take_overs.iter().filter_map(TakeOver::split) {
        audience.say(&format!("two primaries: {split}"));
    }
    let returned = match (returned, broken.is_some()) {
        (Ok(returned), _) => returned,
        (Err(LabError::Interrupted), _) => return Err(LabError::Interrupted),
        (Err(e), true) => {
            // What went wrong first says more; its evidence is kept already.
            audience.say(&e.to_string());
            return broken.map_or(Ok(()), Err);
        }
        (Err(e), false) => {
            keep(cluster, plan, audience);
            return Err(e);
        }
    };
    result.whole_after_ms = Some(millis(whole_at.saturating_sub(healing_at)));
    let stayed =
        result.outage_ms == Some(0) && (!nodes.contains(&old.node) || returned.fate == faults::PRIMARY_AGAIN);
    result.old_primary = if stayed { "stayed primary".to_owned() } else { returned.fate };
    result.help_by_hand = returned.help;
    result.placement_after = placement(&Observation::take(cluster)?);
    audience.say(&format!(
        "whole again after {:.1} s; {}: {}",
        (whole_at - healing_at).as_secs_f32(),
        old.node,
        result.old_primary
    ));
    audience.say(&format!("placement: {}", result.placement_after));
    trace(plan, &clients, injected_at)?;
    judge(cluster, &mut clients, result, audience)?;
    drop(clients);
    let tidied = match plan.protocol {
        Protocol::Quorate => tidy_up(cluster),
        Protocol::Tuchanka => tidy_up(cluster).and_then(|()| tuchanka::wait_healthy(cluster)),
    };
    // Also of a run whose writes never came back it is known by now what was lost.
    broken.map_or(tidied, Err)
}

/// The primary whose fate is told: the first one that the fault hits, else the first one.
fn old_primary(seen: &Observation, primaries: &[String], hit: &[String]) -> Result<OldPrimary> {
    let all = || seen.site.instances.iter().zip(primaries);
    let (instance, node) = all()
        .find(|(_, primary)| hit.contains(primary))
        .or_else(|| all().next())
        .ok_or_else(|| LabError::Host(format!("site {} has no instance", seen.site.name)))?;
    let others = primaries.iter().filter(|primary| *primary != node).cloned().collect();
    Ok(OldPrimary { instance: instance.clone(), node: node.clone(), others })
}

/// The host's load: a figure measured on a busy host is worth less. Empty when it can't be read.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Waits until every instance's writes have been good for a moment: what is slow before the fault is the host's doing.
fn wait_for_good_writes(clients: &Clients) -> Result<()> {
    until("writes good before the fault", PATIENCE, OnInterrupt::Stop, || {
        if clients.good_for() >= BEFORE && clients.each().iter().all(Client::insiders_are_good) {
            return Ok(());
        }
        let last =
            clients.each().iter().map(|c| format!("{}: {:?}", c.endpoints().primary, c.heart().last()));
        Err(format!("the newest through {}", last.collect::<Vec<_>>().join("; ")))
    })
}

fn keep(cluster: &Cluster, plan: &Plan, audience: &mut dyn Audience) {
    let Some(dir) = &plan.evidence else { return };
    match evidence::collect(cluster, dir) {
        Ok(()) => audience.say(&format!("evidence: {}", dir.display())),
        Err(e) => audience.say(&format!("no evidence: {e}")),
    }
}

/// Waits until the writes are good, and have been for a while, fencing is over, and nothing moves any more. Gives the
/// placement then.
fn wait_restored(
    cluster: &Cluster,
    clients: &Clients,
    plan: &Plan,
    (injected, before): (&Injected<'_>, &[String]),
    from: Duration,
    audience: &mut dyn Audience,
) -> Result<String> {
    let (fault, started) = (plan.fault, Instant::now());
    let end = started + fault.restored_within;
    let (mut reacted, mut last_good) = (false, started);
    let mut place = (String::new(), Instant::now());
    loop {
        let seen = Observation::take(cluster)?;
        audience.look(&seen, &clients.clients_seen());
        let now = placement(&seen);
        if now != place.0 {
            place = (now, Instant::now());
        }
        if !clients.good_for().is_zero() {
            last_good = Instant::now();
        }
        // A cluster that knows of no primary is about to make one, though the writes are still good: a hang was noticed.
        let primaries: Option<Vec<String>> =
            seen.site.instances.iter().map(|i| seen.primary_of(i).map(str::to_owned)).collect();
        let known = primaries.is_some();
        let moved = primaries.is_some_and(|now| now != before);
        // What can't be asked hangs itself, and has not reacted.
        let gone = seen.status.is_ok() && !known;
        reacted |= injected.has_reset() || moved || gone || last_good.elapsed() >= REACTION;
        let look = if reacted { fault.lasts + AT_LEAST } else { fault.reacts_within };
        let good = clients.now().saturating_sub(from) >= look && clients.good_for() >= GOOD;
        // A node that comes back while the others still wait for its fencing is told that it was fenced, and
        // its Pacemaker ends for good: no fault of the agent's, and nothing that an operator would do.
        let fencing = seen.status.as_ref().is_ok_and(|s| s.nodes.iter().any(|n| n.unclean));
        if good && known && !fencing && !clients.is_split() && place.1.elapsed() >= SETTLED {
            return Ok(place.0);
        }
        if interrupted() {
            return Err(LabError::Interrupted);
        }
        if Instant::now() >= end && fault.service(cluster.site()) == Service::MayStop {
            return Ok(place.0);
        }
        let hopeless =
            plan.patience.is_some_and(|patience| moved && !fencing && place.1.elapsed() >= patience);
        if hopeless || Instant::now() >= end {
            let last: Vec<_> = clients.each().iter().map(|c| c.heart().last()).collect();
            return Err(LabError::Timeout {
                what: "writes good again, a primary in Pacemaker and nobody waiting to be fenced".to_owned(),
                seconds: started.elapsed().as_secs(),
                last: format!("; at last: {last:?}"),
            });
        }
        pause(LOOK, OnInterrupt::Stop)?;
    }
}

fn measure(clients: &Clients, since: Since, injected_at: Duration, until: Duration, result: &mut RunResult) {
    result.outage_ms = match clients.outage(since, until) {
        Outage::NotRestored => None,
        restored => restored.millis(),
    };
    result.interruption_ms = millis(clients.longest_pause(injected_at, until));
    result.two_primaries_ms = millis(clients.two_primaries(injected_at, until));
    let acked = |c: &Client| c.heart().snapshot().iter().filter(|a| a.is_acked()).count();
    result.acked = clients.each().iter().map(acked).sum();
}

/// Writes down what the client saw, for whoever doubts a figure.
fn trace(plan: &Plan, clients: &Clients, injected_at: Duration) -> Result<()> {
    let Some(path) = &plan.trace else { return Ok(()) };
    let several = clients.each().len() > 1;
    let one = |c: &Client| {
        let text = describe(&c.heart().snapshot(), injected_at);
        if several { format!("--- {}\n{text}", c.endpoints().primary) } else { text }
    };
    let text: String = clients.each().iter().map(one).collect();
    std::fs::write(path, text).map_err(|source| LabError::File { path: path.clone(), source })
}

/// Lets replication fall behind, as long as the plan says.
fn hinder<'a>(
    cluster: &'a Cluster,
    replication: Lag,
    seen: &Observation,
    audience: &mut dyn Audience,
) -> Result<Option<Cut<'a>>> {
    let (cut, whose, time) = match replication {
        Lag::Free => return Ok(None),
        Lag::Behind(time) => (Cut::make(cluster)?, String::new(), time),
        Lag::OneBehind(time) => {
            let (cut, standby) = Cut::make_one(cluster, seen)?;
            (cut, format!(" to {standby}, the first choice,"), time)
        }
    };
    audience.say(&format!("replication{whose} is cut {} ms before the fault", time.as_millis()));
    pause(time, OnInterrupt::Stop)?;
    cut.prefer()?;
    Ok(Some(cut))
}

/// Checks the whole history against what the primaries have in the end.
fn judge(
    cluster: &Cluster,
    clients: &mut Clients,
    result: &mut RunResult,
    audience: &mut dyn Audience,
) -> Result<()> {
    let verified = verify(cluster, clients)?;
    result.acked = verified.acked;
    result.lost_acked = Some(verified.lost);
    result.recovered = verified.recovered;
    result.unexpected = verified.came_back;
    result.lost_bytes = verified.lost_bytes;
    result.lost_ms = verified.lost_ms;
    for found in &verified.findings {
        audience.say(&format!("found on {}: {}", found.instance, found.finding));
    }
    result.findings = verified.findings;
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
