//! The threads that run programs: systemctl and crm_resource, each with a deadline.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::cluster;
use super::log::Logs;
use super::observations::Observations;
use crate::boundary::clock::Deadline;
use crate::boundary::command::{Command, Environment};
use crate::boundary::host::Level;
use crate::boundary::pacemaker::{self, Patience};
use crate::decide::detector::{Subject, Unit};

const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// systemd that does not answer in this time is unknown.
const ASKING: Duration = Duration::from_secs(2);
/// A unit that is told to start.
const STARTING: Duration = Duration::from_secs(20);
/// So many jobs may wait; more are dropped, and said to be.
const WAITING: usize = 16;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Job {
    /// Ask for the states of all units.
    Units,
    Start {
        unit: &'static str,
    },
    Fail {
        resource: String,
        node: String,
    },
}

/// Hands jobs over.
#[derive(Clone)]
pub(super) struct CommandQueue {
    /// What waits for systemd does not hold up what is told to Pacemaker.
    asking: SyncSender<Job>,
    doing: SyncSender<Job>,
    logs: Logs,
}

impl CommandQueue {
    /// With what the two threads receive.
    pub(super) fn new(logs: &Logs) -> (Self, [Receiver<Job>; 2]) {
        let (asking, asked) = sync_channel(WAITING);
        let (doing, done) = sync_channel(WAITING);
        (Self { asking, doing, logs: logs.clone() }, [asked, done])
    }

    /// Never waits.
    pub(super) fn give(&self, job: Job) {
        let to = if matches!(job, Job::Units) { &self.asking } else { &self.doing };
        if let Err(e) = to.try_send(job) {
            self.logs.line(Level::Error, format!("not done, the command queue is full: {e}"));
        }
    }
}

/// Works, until nobody is left who could give a job.
pub(super) fn work(observations: &Arc<Observations>, jobs: &Receiver<Job>, logs: &Logs) {
    while let Ok(job) = jobs.recv() {
        let failed = match &job {
            Job::Units => {
                let units = units(observations);
                observations.latest().units = units;
                live(observations, logs);
                None
            }
            Job::Start { unit } => {
                let unit = real_name(observations, unit);
                let start = Command::new(SYSTEMCTL).environment(Environment::Clean).args(["start", &unit]);
                start.run(Deadline::after(STARTING)).err().map(|e| e.to_string())
            }
            Job::Fail { resource, node } => {
                pacemaker::fail(resource, node, Patience::of(Duration::from_secs(3))).err().map(|t| t.text)
            }
        };
        if let Some(why) = failed {
            logs.line(Level::Error, format!("{job:?}: {why}"));
        }
    }
}

/// The live configuration, which has what its copy on the disk has not: the passing attributes of nodes. Where Pacemaker does not
/// answer the copy holds.
fn live(observations: &Observations, logs: &Logs) {
    let Ok(text) = pacemaker::cib(Patience::of(ASKING)) else { return };
    let Ok(now) = cluster::settings(&text) else { return };
    let before = std::mem::replace(&mut observations.latest().cluster, now.clone());
    cluster::report(&before, &now, logs);
}

/// The states of the units in which the daemons run, each by its usual name.
fn units(observations: &Observations) -> Vec<(&'static str, Unit)> {
    let mut names: Vec<&'static str> = Subject::ALL.iter().map(|s| s.rule().unit).collect();
    names.dedup();
    let real: Vec<String> = names.iter().map(|unit| real_name(observations, unit)).collect();
    let show = Command::new(SYSTEMCTL)
        .environment(Environment::Clean)
        .args(["show", "--property=ActiveState", "--value"])
        .args(&real);
    let said = show.run(Deadline::after(ASKING)).map(|o| o.text()).unwrap_or_default();
    let mut states = said.lines().map(str::trim).filter(|l| !l.is_empty());
    names.into_iter().map(|name| (name, state(states.next()))).collect()
}

/// The name of a unit here: a site may have its daemons under another one's.
fn real_name(observations: &Observations, unit: &'static str) -> String {
    let of_unit = Subject::ALL.into_iter().filter(|s| s.rule().unit == unit);
    of_unit
        .filter_map(|s| observations.daemon(s))
        .map(|found| found.unit)
        .next()
        .unwrap_or_else(|| unit.to_owned())
}

fn state(word: Option<&str>) -> Unit {
    match word {
        Some("active" | "reloading") => Unit::Active,
        Some("activating" | "deactivating") => Unit::Changing,
        Some("inactive" | "failed") => Unit::Off,
        _ => Unit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_known_excuses_nobody() {
        for (word, unit) in [
            (Some("active"), Unit::Active),
            (Some("deactivating"), Unit::Changing),
            (Some("activating"), Unit::Changing),
            (Some("inactive"), Unit::Off),
            (Some("failed"), Unit::Off),
            (Some("dancing"), Unit::Unknown),
            (None, Unit::Unknown),
        ] {
            assert_eq!(state(word), unit, "{word:?}");
        }
    }
}
