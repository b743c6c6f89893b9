//! `quorate-lab test`: faults one after the other, each several times.

use std::path::Path;
use std::time::{Duration, Instant};

use super::audience::Audience;
use super::chance::Chance;
use super::cluster::Cluster;
use super::error::{LabError, Result};
use super::evidence;
use super::experiment::{self, Plan};
use super::faults::{self, Target};
use super::observe::Observation;
use super::replication::Lag;
use super::report::{self, RunResult};
use super::screen::{self, Pulse};
use super::wait::interrupted;
use super::without::{Protection, Removed};

/// What to test.
#[derive(Debug, Clone)]
pub struct Series {
    /// Names of faults, comma-separated, or `all`.
    pub faults: String,
    /// What they are to hit: primary, standby, random, witness, site, other-site or a node; `None` is each fault's usual
    /// target.
    pub target: Option<String>,
    /// How often each.
    pub runs: u32,
    /// A protection that the cluster is to do without.
    pub without: Option<Protection>,
    /// How replication fares before each fault.
    pub replication: Lag,
    /// Where results and evidence go.
    pub report: std::path::PathBuf,
    /// Seed of the chance; the same seed hits the same targets.
    pub seed: u64,
}

/// Runs the series on a cluster that is up, prints a line a step and the table at the end. Returns the
/// complaints: empty when it passed.
///
/// # Errors
/// When a name is unknown, the report can't be written, or Ctrl-C was pressed.
pub fn run(cluster: &Cluster, series: &Series) -> Result<Vec<String>> {
    let faults = faults::parse_list(&series.faults)?;
    std::fs::create_dir_all(&series.report)
        .map_err(|source| LabError::File { path: series.report.clone(), source })?;
    let info = cluster.info()?;
    evidence::keep_journals(cluster);
    println!(
        "testing {} on {} with the agent {}: {} on {}, {} runs each, --seed {}",
        info.layout,
        info.suite,
        info.agent,
        series.faults,
        series.target.as_deref().unwrap_or("the usual targets"),
        series.runs,
        series.seed
    );
    let _removed = series.without.map(|protection| Removed::take(cluster, protection)).transpose()?;
    let mut results: Vec<RunResult> = Vec::new();
    // Runs follow each other in a rhythm, and so do monitors: without chance each run would meet the monitor at the same moment.
    let interval = Duration::from_secs(cluster.site().profile.monitor_promoted_s.into());
    let mut chance = Chance::new(series.seed);
    let mut lines = Lines { started: Instant::now(), roles: String::new() };
    for fault in faults {
        for run in 1..=series.runs {
            let target_word = series.target.clone().unwrap_or_else(|| fault.usual_target.to_owned());
            let target = Target::parse(&target_word);
            let called = format!("{}-{target_word}-{run}", fault.name);
            let evidence = series.report.join(format!("evidence-{called}"));
            let trace = Some(series.report.join(format!("heart-{called}.txt")));
            let plan = Plan {
                fault,
                target,
                target_word,
                run,
                draw: chance.draw(),
                phase: chance.within(interval),
                replication: series.replication,
                evidence: Some(evidence.clone()),
                trace,
            };
            lines.say(&format!("--- {} {run} of {} ---", fault.name, series.runs));
            let result = experiment::run(cluster, &info, &plan, &mut lines)?;
            let complaints = report::verdict(std::slice::from_ref(&result));
            if !complaints.is_empty() || result.lost_acked != Some(0) {
                keep_evidence(cluster, &evidence, &mut lines);
            }
            let failed = result.failed.is_some();
            results.push(result);
            report::write_results(&series.report, &results)?;
            if failed && !recover(cluster, &mut lines) {
                lines.say("the cluster can't be brought back: the rest of the test is left out");
                return finish(&series.report, &results);
            }
            if interrupted() {
                return Err(LabError::Interrupted);
            }
        }
    }
    finish(&series.report, &results)
}

fn finish(dir: &Path, results: &[RunResult]) -> Result<Vec<String>> {
    println!("\n{}", report::table(results));
    println!("results: {}", dir.join("results.json").display());
    report::tell(dir);
    Ok(report::verdict(results))
}

fn keep_evidence(cluster: &Cluster, dir: &Path, lines: &mut Lines) {
    // A run that failed kept its own already, from before it was healed.
    if dir.exists() {
        return;
    }
    match evidence::collect(cluster, dir) {
        Ok(()) => lines.say(&format!("evidence: {}", dir.display())),
        Err(e) => lines.say(&format!("no evidence: {e}")),
    }
}

/// After a run that failed: everything that a human would do, so that the next one can begin.
fn recover(cluster: &Cluster, lines: &mut Lines) -> bool {
    let Some(instance) = cluster.site().instances.first().cloned() else { return false };
    let primary = Observation::take(cluster).ok().and_then(|seen| seen.primary().map(str::to_owned));
    let old = faults::OldPrimary { node: primary.unwrap_or_else(|| instance.home.clone()), instance };
    faults::bring_back(cluster, &[], &old, |line| lines.say(line)).is_ok()
}

/// A line a step, with the time since the beginning.
struct Lines {
    started: Instant,
    roles: String,
}

impl Audience for Lines {
    // The time counts from the beginning of the test.
    fn broken(&mut self) {}

    fn say(&mut self, line: &str) {
        println!("{:8.1} s  {line}", self.started.elapsed().as_secs_f32());
    }

    fn look(&mut self, seen: &Observation, _: &[Pulse]) {
        let now = screen::roles(seen);
        if now != self.roles {
            self.say(&now);
            self.roles = now;
        }
    }

    fn finished(&mut self, result: &RunResult) {
        for complaint in report::verdict(std::slice::from_ref(result)) {
            self.say(&format!("BAD: {complaint}"));
        }
    }
}
