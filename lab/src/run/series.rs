//! `quorate-lab test`: faults one after the other, each several times, on one cluster or on several side by side.

pub mod gate;
pub mod jobs;
pub mod ledger;
pub mod plan;
pub mod together;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::evidence;
use super::experiment::{self, Plan, Protocol};
use super::tuchanka::{self, plan::Draws};
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::faults::replication::Lag;
use crate::faults::without::{Protection, Removed};
use crate::faults::{self, Fault, Target};
use crate::host::error::{LabError, Result};
use crate::host::wait::interrupted;
use crate::machines::protocol::ClusterInfo;
use crate::report::{self, RunResult};
use crate::view::audience::Audience;
use gate::{Company, Gate};
use ledger::Ledger;
use plan::Witness;

/// Without the election a laggard is promoted whom nobody can follow, and its synchronous commits wait for ever: float IPs
/// have moved by then.
const WITHOUT_ELECTION: Duration = Duration::from_secs(5);

/// Lines of a table's head.
const HEAD: usize = 2;

/// What to test.
#[derive(Debug, Clone)]
pub struct Series {
    /// The faults.
    pub faults: Vec<&'static Fault>,
    /// What they are to hit: primary, standby, random, witness, site, other-site or a node; `None` is each fault's usual
    /// target.
    pub target: Option<String>,
    /// By whose rules.
    pub rules: Rules,
    /// A protection that the cluster is to do without.
    pub without: Option<Protection>,
    /// How replication fares before each fault.
    pub replication: Lag,
}

/// Which runs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Each fault so often, one fault after the other.
    Each(u32),
    /// Tuchanka's: each once, then by chance, until there were so many of each or the time is over.
    Tuchanka { runs: Option<u32>, whole: Option<Duration> },
}

/// A cluster's place in a test.
pub struct Place<'a> {
    pub cluster: &'a Cluster,
    /// Seed of its chance; the same seed hits the same targets.
    pub seed: u64,
    /// Where its evidence goes.
    pub evidence: PathBuf,
    pub witness: Witness,
}

/// Runs the series on a cluster that is up. The results are in the ledger, of what failed too.
///
/// # Errors
/// When it can't begin or go on, a result can't be written, or Ctrl-C was pressed.
pub fn run(place: &Place<'_>, series: &Series, ledger: &Ledger, audience: &mut dyn Audience) -> Result<()> {
    let cluster = place.cluster;
    audience.begin(cluster);
    std::fs::create_dir_all(&place.evidence)
        .map_err(|source| LabError::File { path: place.evidence.clone(), source })?;
    let info = cluster.info()?;
    evidence::keep_journals(cluster);
    audience.say(&format!(
        "testing {} on {} with the agent {}, --seed {}",
        info.layout, info.suite, info.agent, place.seed
    ));
    let _removed = series.without.map(|protection| Removed::take(cluster, protection)).transpose()?;
    let mut runner = Runner { place, series, info, ledger, audience };
    let interval = Duration::from_secs(cluster.site().profile.monitor_promoted_s.into());
    match series.rules {
        Rules::Each(runs) => {
            let chance = (place.seed, interval);
            let target = series.target.as_deref();
            let planned = plan::plan(&series.faults, target, runs, chance, (cluster.site(), place.witness));
            for line in &planned.left_out {
                runner.audience.say(line);
            }
            for step in planned.steps {
                if !runner.step(&step, runs)? {
                    break;
                }
            }
        }
        Rules::Tuchanka { runs, whole } => {
            let begun = Instant::now();
            tuchanka::wait_healthy(cluster)?;
            for draw in Draws::new(&series.faults, place.seed, interval, runs) {
                if whole.is_some_and(|whole| begun.elapsed() >= whole) {
                    break;
                }
                let target_word = "random".to_owned();
                let company = plan::company(draw.fault, &target_word, cluster.site(), place.witness);
                let (fault, run, phase) = (draw.fault, draw.run, draw.phase);
                let step = plan::Step { fault, run, target_word, draw: draw.node, phase, company };
                if !runner.step(&step, runs.unwrap_or(run))? {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// What all runs of a series have in common.
struct Runner<'a> {
    place: &'a Place<'a>,
    series: &'a Series,
    info: ClusterInfo,
    ledger: &'a Ledger,
    audience: &'a mut dyn Audience,
}

impl Runner<'_> {
    /// One run; gives whether there can be another one.
    fn step(&mut self, step: &plan::Step, runs: u32) -> Result<bool> {
        let cluster = self.place.cluster;
        if step.company == Company::Alone {
            self.audience.say(&format!("--- {} waits until nobody else is measured ---", step.fault.name));
        }
        let _pass = Gate::of_host().pass(step.company)?;
        self.audience.say(&format!("--- {} {} of {runs} ---", step.fault.name, step.run));
        let called = format!("{}-{}-{}", step.fault.name, step.target_word, step.run);
        let evidence = self.place.evidence.join(format!("evidence-{called}"));
        let plan = Plan {
            fault: step.fault,
            target: Target::parse(&step.target_word),
            target_word: step.target_word.clone(),
            run: step.run,
            draw: step.draw,
            phase: step.phase,
            replication: self.series.replication,
            protocol: match self.series.rules {
                Rules::Each(_) => Protocol::Quorate,
                Rules::Tuchanka { .. } => Protocol::Tuchanka,
            },
            patience: match self.series.without {
                Some(Protection::Election) => Some(WITHOUT_ELECTION),
                Some(Protection::Fencing | Protection::Quorated) | None => None,
            },
            evidence: Some(evidence.clone()),
            trace: Some(self.place.evidence.join(format!("heart-{called}.txt"))),
        };
        let result = experiment::run(cluster, &self.info, &plan, self.audience)?;
        let complaints = report::verdict(std::slice::from_ref(&result));
        if !complaints.is_empty() || result.lost_acked != Some(0) {
            self.keep_evidence(&evidence);
        }
        let failed = result.failed.is_some();
        self.ledger.add(cluster.name().as_str(), result)?;
        if interrupted() {
            return Err(LabError::Interrupted);
        }
        if failed && !self.recover() {
            self.audience.say("the cluster can't be brought back: the rest of its test is left out");
            return Ok(false);
        }
        Ok(true)
    }

    fn keep_evidence(&mut self, dir: &Path) {
        // A run that failed kept its own already, from before it was healed.
        if dir.exists() {
            return;
        }
        match evidence::collect(self.place.cluster, dir) {
            Ok(()) => self.audience.say(&format!("evidence: {}", dir.display())),
            Err(e) => self.audience.say(&format!("no evidence: {e}")),
        }
    }

    /// After a run that failed: everything that an operator would do, so that the next one can begin.
    fn recover(&mut self) -> bool {
        let cluster = self.place.cluster;
        let Some(instance) = cluster.site().instances.first().cloned() else { return false };
        let primary = Observation::take(cluster).ok().and_then(|seen| seen.primary().map(str::to_owned));
        let node = primary.unwrap_or_else(|| instance.home.clone());
        let old = faults::OldPrimary { node, instance, others: Vec::new() };
        faults::bring_back(cluster, &[], &old, |line| self.audience.say(line)).is_ok()
    }
}

/// The table at the end, of all clusters together, and the complaints: empty when it passed.
pub fn conclude(clusters: &[String], ledger: &Ledger) -> Vec<String> {
    let results: Vec<(&str, Vec<RunResult>)> =
        clusters.iter().map(|cluster| (cluster.as_str(), ledger.of(cluster))).collect();
    println!("\n{}", combined(&results));
    let complaints = complaints(&results);
    let all = ledger.all();
    if all.iter().any(|result| result.protocol == Protocol::Tuchanka.name()) {
        println!("{}", tuchanka::table::table(&all));
    }
    println!("results: {}", ledger.dir().join("results.json").display());
    println!("{}", report::tell(ledger.dir()));
    complaints
}

/// The complaints about all clusters. One of several on which no fault applies is none: what ends a cluster's test before its
/// first run is told where it happens.
fn complaints(clusters: &[(&str, Vec<RunResult>)]) -> Vec<String> {
    if clusters.iter().all(|(_, results)| results.is_empty()) {
        return report::verdict(&[]);
    }
    let mut complaints = Vec::new();
    for (cluster, results) in clusters.iter().filter(|(_, results)| !results.is_empty()) {
        let prefix = if clusters.len() > 1 { format!("{cluster}: ") } else { String::new() };
        complaints.extend(report::verdict(results).into_iter().map(|c| format!("{prefix}{c}")));
    }
    complaints
}

/// One table of several clusters: each has its name above its lines.
fn combined(clusters: &[(&str, Vec<RunResult>)]) -> String {
    let mut text = String::new();
    for (cluster, results) in clusters {
        let table = report::table(results);
        if clusters.len() == 1 {
            return table;
        }
        let (head, lines): (Vec<_>, Vec<_>) = table.lines().enumerate().partition(|(n, _)| *n < HEAD);
        if text.is_empty() {
            text.extend(head.iter().map(|(_, line)| format!("{line}\n")));
        }
        let layout = results.first().map_or("nothing was tested", |r| r.layout.as_str());
        let also = if layout == *cluster { String::new() } else { format!(" ({layout})") };
        text.push_str(&format!("{cluster}{also}\n"));
        text.extend(lines.iter().map(|(_, line)| format!("{line}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn several_clusters_share_one_table() {
        let nothing = combined(&[("classic", Vec::new())]);
        let head: Vec<&str> = nothing.lines().collect();
        assert_eq!(head.len(), HEAD, "{nothing}");
        assert!(head[1].starts_with("fault"));
        let both = combined(&[("classic", Vec::new()), ("packed", Vec::new())]);
        let lines: Vec<&str> = both.lines().collect();
        assert_eq!(lines[..HEAD], head[..]);
        assert_eq!(lines[HEAD..], ["classic (nothing was tested)", "packed (nothing was tested)"]);
    }

    #[test]
    fn a_cluster_on_which_nothing_applies_fails_only_when_nothing_was_tested_at_all() {
        let good = testing::good("qdevice-kill");
        let bad = RunResult { failed: Some("no reason".to_owned()), ..good.clone() };
        assert_eq!(complaints(&[("three-centres", vec![])]), ["nothing was tested"]);
        assert_eq!(complaints(&[("three-centres", vec![]), ("mine", vec![])]), ["nothing was tested"]);
        assert_eq!(complaints(&[("three-centres", vec![]), ("classic", vec![good.clone()])]), [""; 0]);
        let one_bad = complaints(&[("three-centres", vec![]), ("classic", vec![good, bad.clone()])]);
        assert_eq!(one_bad, ["classic: qdevice-kill run 1: failed: no reason"]);
        assert_eq!(complaints(&[("classic", vec![bad])]), ["qdevice-kill run 1: failed: no reason"]);
    }
}
