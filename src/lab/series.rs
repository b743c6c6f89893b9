//! `quorate-lab test`: faults one after the other, each several times.

use std::path::Path;
use std::time::Duration;

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
pub fn run(cluster: &Cluster, series: &Series, audience: &mut dyn Audience) -> Result<Vec<String>> {
    audience.begin(cluster);
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
            audience.say(&format!("--- {} {run} of {} ---", fault.name, series.runs));
            let result = experiment::run(cluster, &info, &plan, audience)?;
            let complaints = report::verdict(std::slice::from_ref(&result));
            if !complaints.is_empty() || result.lost_acked != Some(0) {
                keep_evidence(cluster, &evidence, audience);
            }
            let failed = result.failed.is_some();
            results.push(result);
            report::write_results(&series.report, &results)?;
            if failed && !recover(cluster, audience) {
                audience.say("the cluster can't be brought back: the rest of the test is left out");
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
    Ok(report::verdict(results))
}

fn keep_evidence(cluster: &Cluster, dir: &Path, audience: &mut dyn Audience) {
    // A run that failed kept its own already, from before it was healed.
    if dir.exists() {
        return;
    }
    match evidence::collect(cluster, dir) {
        Ok(()) => audience.say(&format!("evidence: {}", dir.display())),
        Err(e) => audience.say(&format!("no evidence: {e}")),
    }
}

/// After a run that failed: everything that a human would do, so that the next one can begin.
fn recover(cluster: &Cluster, audience: &mut dyn Audience) -> bool {
    let Some(instance) = cluster.site().instances.first().cloned() else { return false };
    let primary = Observation::take(cluster).ok().and_then(|seen| seen.primary().map(str::to_owned));
    let old = faults::OldPrimary { node: primary.unwrap_or_else(|| instance.home.clone()), instance };
    faults::bring_back(cluster, &[], &old, |line| audience.say(line)).is_ok()
}
