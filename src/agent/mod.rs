//! The agent's shell: gathers facts, asks `decide`, applies, reports. It orders calls and holds no policy.

mod demote;
mod disk;

mod history;
mod monitor;
mod notify;
mod promote;
mod record;
mod rejoin;
mod report;
mod run;
mod score;
mod slots;
mod start;
mod state;
mod stop;
mod synchronous;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::boundary::host::{Host, HostResult, Level};
use crate::decide::clock::{BootTime, Millis, Time};
use crate::decide::cluster::Manager;
use crate::decide::memory::Memory;
use crate::ocf::{Action, Environment, OcfCode, Plan, Run, Settings};

use crate::pg::timeline::Timeline;

pub use report::Report;
pub use run::run;

/// Waiting rounds look again after this time.
const ROUND: Duration = Duration::from_millis(50);

/// A WAL receiver calls itself streaming as soon as it has connected: before it fetched the history of the primary's timeline
/// (by which divergence shows), and before the primary refused its position. A stream counts after this time.
const STEADY: Duration = Duration::from_millis(250);

/// One call of the agent.
pub struct Agent<'a> {
    host: &'a mut dyn Host,
    env: &'a Environment,
    run: Run,
    plan: Plan,
    settings: Settings,
    deadline: BootTime,
    memory: Memory,
    remembered: Memory,
    /// Whose histories were left out; said once a call.
    skipped: BTreeSet<Timeline>,
}

impl<'a> Agent<'a> {
    /// Prepares a call: the clock runs from here.
    pub fn new(host: &'a mut dyn Host, env: &'a Environment, run: Run, settings: Settings) -> Self {
        let deadline = host.now() + millis(run.budget());
        host.begin(deadline);
        let memory = host.recall();
        Agent {
            host,
            env,
            run,
            plan: Plan::from(env),
            settings,
            deadline,
            remembered: memory.clone(),
            memory,
            skipped: BTreeSet::new(),
        }
    }

    /// Runs one action. `meta-data` needs no agent; it counts as unimplemented here.
    pub fn perform(&mut self, action: Action) -> Report {
        let report = match action {
            Action::Start => self.start(),
            Action::Stop => self.stop(),
            Action::Promote => self.promote(),
            Action::Demote => self.demote(),
            Action::Monitor => self.monitor(),
            Action::Notify => self.notify(),
            Action::ReloadAgent => self.reload_agent(),
            Action::ValidateAll => self.validate_all(),
            Action::MetaData => {
                Report::new(OcfCode::ErrUnimplemented, "meta-data is printed without an instance")
            }
        };
        self.keep_memory();
        report
    }

    fn keep_memory(&mut self) {
        if self.memory == self.remembered {
            return;
        }
        if let Err(error) = self.host.remember(&self.memory) {
            self.host.log(Level::Warning, &format!("what was seen could not be remembered: {error}"));
        }
        self.remembered = self.memory.clone();
    }

    /// The others are told that nothing of this node runs any more, and go on without it.
    fn refuse_while_resetting(&mut self) -> Result<(), (OcfCode, String)> {
        match self.host.resetting() {
            None => Ok(()),
            Some(why) => {
                let reason = format!(
                    "this node is being reset by quorated ({why}): nothing starts before its next boot"
                );
                Err((OcfCode::ErrGeneric, reason))
            }
        }
    }

    /// The node's other programs do without where they can't be told.
    fn tell_node(&mut self, told: impl FnOnce(&mut dyn Host) -> HostResult<()>) {
        if let Err(error) = told(self.host) {
            self.host.log(Level::Warning, &format!("quorated can't be told of the instance: {error}"));
        }
    }

    fn left(&self) -> Duration {
        Duration::from_millis(self.deadline.since(self.host.now()))
    }

    fn is_time_over(&self) -> bool {
        self.left().is_zero()
    }

    fn time(&self) -> Time {
        if self.is_time_over() { Time::Over } else { Time::Left }
    }

    /// This node's name; a single word where no cluster gave us one.
    fn node(&self) -> String {
        self.run.node.clone().unwrap_or_else(|| "localhost".into())
    }

    /// Whether this node is in one of the plan's lists.
    fn listed(&self, nodes: &[String]) -> bool {
        self.run.node.as_ref().is_some_and(|node| nodes.contains(node))
    }

    const fn manager(&self) -> Manager {
        match self.run.node {
            Some(_) => Manager::Pacemaker,
            None => Manager::Nobody,
        }
    }

    /// Logs a complaint once, not at every monitor.
    fn complain(&mut self, complaint: Option<String>) {
        if let Some(text) = &complaint
            && self.memory.complaint.as_ref().map(|c| without_numbers(c)) != Some(without_numbers(text))
        {
            self.host.log(Level::Warning, text);
        }
        self.memory.complaint = complaint;
    }
}

/// Complaints that differ in a figure only are the same complaint.
fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 2)
}
