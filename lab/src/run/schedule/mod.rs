//! `quorate-lab random`: Patroni's Jepsen schedule. Two faults at random for a while, then peace for a while, again and
//! again, under a client that adds to a list; in the end everything is read back and the whole history is checked.

mod plan;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::evidence;
use super::series::gate::{Company, Gate};
use super::verify::{Verified, verify};
use crate::client::Pace;
use crate::client::clients::Clients;
use crate::cluster::handle::Cluster;
use crate::cluster::health::wait_whole;
use crate::cluster::observe::Observation;
use crate::faults::{self, Loss, OldPrimary, Target, bring_back};
use crate::host::error::{LabError, Result};
use crate::host::wait::{OnInterrupt, pause};
use crate::record::measure::describe;
use crate::report;
use crate::truth::{self, Found};
use crate::view::audience::Audience;
use quorate::layout::kind::Replication;

pub use plan::{Rhythm, Strike, plan};

/// The list client of Patroni's tests adds 50 a second.
const HEART: Duration = Duration::from_millis(20);
/// For the client's tables.
const TABLES: Duration = Duration::from_secs(30);
/// Before the first round.
const WHOLE: Duration = Duration::from_secs(180);
/// Writes in peace before the first round and after the last one.
const PEACE: Duration = Duration::from_secs(5);

/// What to do.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Everything by chance comes from this.
    pub seed: u64,
    /// How long, on and off.
    pub rhythm: Rhythm,
    /// Where the result and evidence go.
    pub report: PathBuf,
    /// Before each line that is printed: the cluster's name, where there are several.
    pub prefix: String,
}

/// `random.json`.
#[derive(Debug, Serialize)]
struct Outcome {
    layout: String,
    agent: String,
    seed: u64,
    rounds: Vec<String>,
    acked: usize,
    lost_acked: usize,
    lost_bytes: Option<u64>,
    lost_ms: u64,
    recovered: usize,
    longest_pause_ms: u128,
    findings: Vec<Found>,
    complaints: Vec<String>,
}

/// Says a line to the audience; the strikes' threads have their own.
#[derive(Clone, Copy)]
struct Teller<'a, 'b>(&'a Mutex<&'b mut (dyn Audience + Send)>);

impl Teller<'_, '_> {
    fn say(self, line: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).say(line);
    }
}

/// Plays the schedule on a cluster that is up. Returns the complaints: empty when it passed.
///
/// # Errors
/// When the cluster is not whole in the beginning, what is written can't be read back, or Ctrl-C was pressed.
pub fn run(
    cluster: &Cluster,
    schedule: &Schedule,
    audience: &mut (dyn Audience + Send),
) -> Result<Vec<String>> {
    audience.begin(cluster);
    std::fs::create_dir_all(&schedule.report)
        .map_err(|source| LabError::File { path: schedule.report.clone(), source })?;
    let info = cluster.info()?;
    evidence::keep_journals(cluster);
    let rounds = plan(schedule.seed, &schedule.rhythm);
    wait_whole(cluster, WHOLE, OnInterrupt::Stop)?;
    let mut clients = Clients::start_at(cluster, "", Pace { heart: HEART, tables: TABLES })?;
    clients.open_sessions()?;
    audience.clients(clients.source());
    let audience = Mutex::new(audience);
    let tell = Teller(&audience);
    pause(PEACE, OnInterrupt::Stop)?;
    let mut complaints = Vec::new();
    let mut played = Vec::new();
    for (number, strikes) in (1..).zip(&rounds) {
        let [first, second] = strikes;
        tell.say(&format!("--- round {number} of {}: {first}; {second} ---", rounds.len()));
        played.push(format!("{first}; {second}"));
        let _pass = Gate::of_host().pass(Company::Together)?;
        match round(cluster, strikes, &schedule.rhythm, tell) {
            Ok(help) => {
                complaints.extend(help.map(|help| format!("round {number}: help by hand was needed: {help}")))
            }
            Err(LabError::Interrupted) => return Err(LabError::Interrupted),
            Err(e) => {
                complaints.push(format!("round {number}: {e}"));
                break;
            }
        }
    }
    pause(PEACE, OnInterrupt::Stop)?;
    let longest = clients.longest_pause(Duration::ZERO, clients.now());
    let verified = verify(cluster, &mut clients)?;
    let loss = match cluster.site().kind.replication() {
        Replication::Asynchronous => Loss::Possible,
        Replication::AnyOne | Replication::OtherCentreFirst => Loss::Forbidden,
    };
    complaints.extend(conclude(&verified, loss, longest, tell));
    if !complaints.is_empty() {
        let dir = schedule.report.join("evidence-random");
        match evidence::collect(cluster, &dir) {
            Ok(()) => tell.say(&format!("evidence: {}", dir.display())),
            Err(e) => tell.say(&format!("no evidence: {e}")),
        }
    }
    let Verified { acked, lost, recovered, lost_bytes, lost_ms, findings, .. } = verified;
    let outcome = Outcome {
        layout: info.layout,
        agent: info.agent,
        seed: schedule.seed,
        rounds: played,
        acked,
        lost_acked: lost,
        lost_bytes,
        lost_ms,
        recovered,
        longest_pause_ms: longest.as_millis(),
        findings,
        complaints: complaints.clone(),
    };
    write(schedule, &clients, &outcome)?;
    Ok(complaints)
}

/// Prints what was found; gives what of it is condemned.
fn conclude(verified: &Verified, loss: Loss, longest: Duration, tell: Teller<'_, '_>) -> Vec<String> {
    tell.say(&format!(
        "{} writes were acknowledged, {} of them are lost; {} without an answer are there; the longest pause was {:.1} s",
        verified.acked,
        verified.lost,
        verified.recovered,
        longest.as_secs_f64()
    ));
    for line in truth::words(&verified.findings, loss) {
        tell.say(&line);
    }
    let bad = verified.findings.iter().filter(|f| f.finding.is_condemned(loss));
    bad.map(|f| format!("{}: {}", f.instance, f.finding)).collect()
}

fn write(schedule: &Schedule, clients: &Clients, outcome: &Outcome) -> Result<()> {
    let file = |name: &str, text: String| {
        let path = schedule.report.join(name);
        std::fs::write(&path, text).map_err(|source| LabError::File { path, source })
    };
    let seen = clients.each().iter();
    let seen: String = seen.map(|c| describe(&c.heart().snapshot(), Duration::ZERO)).collect();
    file("heart-random.txt", seen)?;
    let history: String = clients.each().iter().map(|c| truth::tell(&c.operations())).collect();
    file("history-random.txt", history)?;
    let json = serde_json::to_string_pretty(outcome).map_err(|e| LabError::Host(e.to_string()))?;
    file("random.json", json + "\n")?;
    println!(
        "{0}results: {1}\n{0}{2}",
        schedule.prefix,
        schedule.report.join("random.json").display(),
        report::tell(&schedule.report)
    );
    Ok(())
}

/// One round; gives what an operator would have had to do, where that is a complaint.
fn round(
    cluster: &Cluster,
    strikes: &[Strike; 2],
    rhythm: &Rhythm,
    tell: Teller<'_, '_>,
) -> Result<Option<String>> {
    let before = Observation::take(cluster)?;
    let instance = before.site.instances.first().cloned();
    let instance =
        instance.ok_or_else(|| LabError::Host(format!("site {} has no instance", before.site.name)))?;
    let node = before.primary_of(&instance).unwrap_or(&instance.home).to_owned();
    let old = OldPrimary { instance, node, others: Vec::new() };
    let mut hit = Vec::new();
    let peace = std::thread::scope(|scope| {
        let threads: Vec<_> =
            strikes.iter().map(|strike| scope.spawn(move || hit_one(cluster, strike, tell))).collect();
        let peace = pause(rhythm.on, OnInterrupt::Stop);
        tell.say("heal");
        for problem in faults::heal(cluster).problems {
            tell.say(&format!("healing: {problem}"));
        }
        // An order that the cluster can't follow may still wait: it has a deadline of its own.
        hit.extend(threads.into_iter().filter_map(|thread| thread.join().ok().flatten()));
        peace.and_then(|()| pause(rhythm.off, OnInterrupt::Stop))
    });
    peace?;
    hit.dedup();
    let returned = bring_back(cluster, &hit, &old, |line| tell.say(line))?;
    tell.say(&format!("whole again; {}: {}", old.node, returned.fate));
    Ok((!returned.help.is_empty()).then(|| returned.help.join(", ")))
}

/// Waits for its time and strikes; gives the node. One that does not work is told, and the round goes on: two faults get in each
/// other's way.
fn hit_one(cluster: &Cluster, strike: &Strike, tell: Teller<'_, '_>) -> Option<String> {
    pause(strike.at, OnInterrupt::Stop).ok()?;
    let failed = |node: &str, e: LabError| {
        let reason = e.to_string();
        let first = reason.lines().next().unwrap_or_default();
        tell.say(&format!("{} on {node} did not work: {first}", strike.fault.name));
    };
    let aimed = Observation::take(cluster).and_then(|seen| {
        // After the other fault nobody may be what it was to hit.
        strike.target.resolve(&seen, strike.draw).or_else(|_| Target::Random.resolve(&seen, strike.draw))
    });
    let node = match aimed {
        Ok(nodes) => nodes.into_iter().next()?,
        Err(e) => {
            failed("nobody", e);
            return None;
        }
    };
    match strike.fault.strike(cluster, &node) {
        Ok(()) => tell.say(&format!("{} on {node}", strike.fault.name)),
        Err(e) => failed(&node, e),
    }
    Some(node)
}
