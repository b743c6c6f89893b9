//! Lines instead of a picture: for files, pipes and those who ask for them.

use std::time::Instant;

use crate::client::clients::ClientStates;
use crate::client::state::ClientState;
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::report::{self, RunResult};
use crate::view::audience::Audience;
use crate::view::screen;

/// A line a step, with the time since the beginning; with several clusters each line begins with the name of its own.
pub struct Lines {
    started: Instant,
    prefix: String,
    roles: String,
}

impl Lines {
    /// The lines of one of these clusters.
    #[must_use]
    pub fn of(name: &str, all: &[String]) -> Self {
        let width = all.iter().map(String::len).max().unwrap_or(0);
        let prefix = if all.len() > 1 { format!("{name:<width$} ") } else { String::new() };
        Self { started: Instant::now(), prefix, roles: String::new() }
    }

    fn line(&self, text: &str) -> String {
        format!("{}{:8.1} s  {text}", self.prefix, self.started.elapsed().as_secs_f32())
    }
}

impl Audience for Lines {
    fn begin(&mut self, _: &Cluster) {}

    fn clients(&mut self, _: ClientStates) {}

    // The time counts from the beginning of the test.
    fn broken(&mut self) {}

    fn say(&mut self, line: &str) {
        println!("{}", self.line(line));
    }

    fn look(&mut self, seen: &Observation, _: &[ClientState]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_several_clusters_are_named() {
        let names = ["packed".to_owned(), "many-replicas".to_owned()];
        assert!(Lines::of("packed", &names).line("heal").starts_with("packed             0.0 s  heal"));
        assert_eq!(Lines::of("packed", &names[..1]).line("heal"), "     0.0 s  heal");
    }
}
