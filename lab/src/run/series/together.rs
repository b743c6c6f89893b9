//! Several clusters at the same time: brought up, worked on by a thread each, and taken down again.

use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::paths::ClusterName;
use crate::host::progress::Progress;
use crate::host::wait::interrupted;
use crate::machines::cleanup;
use crate::machines::plan::{WitnessIs, machines};
use crate::supervisor::up::{self, Options};
use crate::supervisor::up_args::UpArgs;

use super::jobs::{Host, Need, batches};
use super::plan::Witness;

/// A cluster among those that are worked on.
pub struct Member<'a> {
    pub cluster: &'a Cluster,
    /// Its place in the list of all clusters of the test, those of earlier and later batches too.
    pub index: usize,
    pub witness: Witness,
}

/// Brings the clusters up that aren't, works on as many at a time as `jobs` or the host allows, each in a thread of its own,
/// and takes down what it brought up, unless it is to be kept. Gives each cluster's complaints; a thread that fails or
/// panics is one, and the others go on.
///
/// # Errors
/// When one that is up is another cluster than the test is for, one can't be brought up or taken down, or Ctrl-C was pressed.
pub fn work<W>(up_args: &UpArgs, jobs: Option<usize>, work: W) -> Result<Vec<String>>
where
    W: Fn(&Member<'_>) -> Result<Vec<String>> + Sync,
{
    let all = up_args.all()?;
    let mut needs = Vec::new();
    for options in &all {
        let site = options.description.site()?;
        let there = Cluster::connect(&options.name).ok();
        if let Some(cluster) = &there {
            fits(cluster, options, up_args.names_a_site())?;
        }
        let machines = if there.is_some() { 0 } else { machines(&site, WitnessIs::Own).len() };
        needs.push(Need { machines, databases: site.nodes.len() });
    }
    let batches = batches(&needs, jobs, Host::here());
    let mut complaints = Vec::new();
    for batch in &batches {
        match one_batch(&all[batch.clone()], batch.start, up_args.keep, &work) {
            Ok(more) => complaints.extend(more),
            Err(LabError::Interrupted) => return Err(LabError::Interrupted),
            Err(e) if batches.len() == 1 => return Err(e),
            // What the others found is not lost with it.
            Err(e) => complaints.push(e.to_string()),
        }
    }
    Ok(complaints)
}

/// Does something with each in a thread of its own, and waits for all of them. One that panics is an error like another.
fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(usize, &T) -> Result<R> + Sync) -> Vec<Result<R>> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            all.iter().enumerate().map(|(index, one)| scope.spawn(move || work(index, one))).collect();
        let ended = |_| Err(LabError::Host("its thread ended by itself".to_owned()));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(ended)).collect()
    })
}

fn one_batch<W>(batch: &[Options], first: usize, keep: bool, work: &W) -> Result<Vec<String>>
where
    W: Fn(&Member<'_>) -> Result<Vec<String>> + Sync,
{
    let missing: Vec<Options> =
        batch.iter().filter(|options| Cluster::connect(&options.name).is_err()).cloned().collect();
    let brought = Brought::up(&missing, keep)?;
    let clusters: Vec<Cluster> =
        batch.iter().map(|options| Cluster::connect(&options.name)).collect::<Result<_>>()?;
    let results = each(&clusters, |index, cluster| {
        work(&Member { cluster, index: first + index, witness: witness(cluster) })
    });
    let down = brought.down();
    if interrupted() {
        return Err(LabError::Interrupted);
    }
    let mut complaints = Vec::new();
    for (cluster, result) in clusters.iter().zip(results) {
        match result {
            Ok(more) => complaints.extend(more),
            Err(e) => complaints.push(format!("{}: {e}", cluster.name())),
        }
    }
    down.map(|()| complaints)
}

/// Whether another cluster that is up uses the same witness.
fn witness(cluster: &Cluster) -> Witness {
    if cluster.site().witness.is_none() {
        return Witness::Own;
    }
    let owner = |name: &str| -> Option<String> {
        let other = Cluster::connect(name).ok()?;
        other.site().witness.as_ref()?;
        Some(other.info().ok()?.lender.unwrap_or_else(|| name.to_owned()))
    };
    let own = owner(cluster.name().as_str());
    let names = cleanup::all_names();
    let shared =
        names.iter().filter(|n| *n != cluster.name()).any(|n| own.is_some() && owner(n.as_str()) == own);
    if shared { Witness::Shared } else { Witness::Own }
}

/// The clusters that the test itself brought up. They are taken down when this is dropped.
struct Brought {
    names: Vec<ClusterName>,
}

impl Brought {
    fn up(missing: &[Options], keep: bool) -> Result<Self> {
        if missing.is_empty() {
            return Ok(Self { names: Vec::new() });
        }
        let clusters = up::up_all(missing, &Progress::start())?;
        Ok(Self {
            names: if keep { Vec::new() } else { clusters.iter().map(|c| c.name().clone()).collect() },
        })
    }

    /// Takes them down, the borrowers of a witness before its owner; gives the first error, and goes on after it. Not
    /// [`Cluster::down`]: the next one of the same name may follow at once.
    fn down(mut self) -> Result<()> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<()> {
        let mut first = Ok(());
        while let Some(name) = self.names.pop() {
            first = first.and(up::down(&name));
        }
        first
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        if let Err(e) = self.take_down() {
            eprintln!("a cluster can't be removed: {e}; look with: quorate-lab status");
        }
    }
}

/// A cluster that is up has to be what the test is for.
fn fits(cluster: &Cluster, options: &Options, names_a_site: bool) -> Result<()> {
    let info = cluster.info()?;
    let wrong = |what: String| {
        Err(LabError::Host(format!(
            "cluster {} is up {what}; take it down with: quorate-lab down --name {}, or choose another --name",
            info.name, info.name
        )))
    };
    let (suite, agent) = (options.suite.name(), options.agent.name());
    if (info.suite.as_str(), info.agent.as_str()) != (suite, agent) {
        return wrong(format!(
            "with suite {} and agent {}, the test is for {suite} and {agent}",
            info.suite, info.agent
        ));
    }
    let (wanted, timing) = (options.description.site()?, &options.description.timing);
    if timing.as_ref().is_some_and(|t| *t != info.timing) {
        return wrong(format!(
            "with timings {}, the test is for {}",
            info.timing,
            wanted.profile.preset.name()
        ));
    }
    if names_a_site && **cluster.site() != wanted {
        return wrong(format!("with another site than {} describes", options.description.file));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_or_panics_leaves_the_others_alone() {
        let results = each(&["good", "bad", "worse", "better"], |index, name| match *name {
            "bad" => Err(LabError::Host("bad news".to_owned())),
            "worse" => panic!("a test of what a panic does"),
            name => Ok(format!("{index} {name}")),
        });
        let told: Vec<String> =
            results.into_iter().map(|r| r.unwrap_or_else(|e| format!("error: {e}"))).collect();
        assert_eq!(told, ["0 good", "error: bad news", "error: its thread ended by itself", "3 better"]);
    }
}
