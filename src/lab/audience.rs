//! Who watches a test: lines on a terminal, a picture that is drawn anew, the demo's stage.

use std::time::Instant;

use super::observe::Observation;
use super::report::{self, RunResult};
use super::screen::{self, Pulse};

/// Who watches the runs of a test, one cluster's.
pub trait Audience {
    /// The fault is injected now.
    fn broken(&mut self);
    /// A step was made.
    fn say(&mut self, line: &str);
    /// The cluster while the fault lasts, about every second.
    fn look(&mut self, seen: &Observation, pulses: &[Pulse]);
    /// A run is over: the cluster is whole again, or the run has failed.
    fn finished(&mut self, result: &RunResult);
}

/// Where the audiences of a test sit, one for each cluster: the one place that decides what a test looks like.
pub trait House: Sync {
    /// The audience of a cluster. Several clusters are played at the same time, each from a thread of its own.
    fn seat(&self, cluster: &str) -> Box<dyn Audience + Send + '_>;
    /// Something that concerns the test as a whole: its beginning, the table at its end.
    fn note(&self, text: &str);
}

/// A line a step, with the time since the beginning, and the cluster's name where there are several.
#[derive(Debug, Clone, Copy)]
pub struct PlainHouse {
    started: Instant,
    clusters: usize,
}

impl PlainHouse {
    /// For so many clusters.
    #[must_use]
    pub fn new(clusters: usize) -> Self {
        Self { started: Instant::now(), clusters }
    }
}

impl House for PlainHouse {
    fn seat(&self, cluster: &str) -> Box<dyn Audience + Send + '_> {
        let prefix = if self.clusters > 1 { format!("{cluster}: ") } else { String::new() };
        Box::new(Lines { started: self.started, prefix, roles: String::new() })
    }

    fn note(&self, text: &str) {
        println!("{text}");
    }
}

/// The lines of one cluster.
struct Lines {
    // The time counts from the beginning of the test.
    started: Instant,
    prefix: String,
    roles: String,
}

impl Audience for Lines {
    fn broken(&mut self) {}

    fn say(&mut self, line: &str) {
        println!("{:8.1} s  {}{line}", self.started.elapsed().as_secs_f32(), self.prefix);
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
