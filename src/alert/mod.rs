//! Pacemaker's alert agent: reads the event, looks at the cluster, asks what is worth telling and whether it was told, sends it.
//!
//! It runs beside the cluster and not in it: Pacemaker starts it after the fact, as `hacluster`, and it starts itself once more, apart, and
//! ends. So no target and no hook delays a promotion, or Pacemaker's own shutdown.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::boundary::alert::{self, TAG};
use crate::boundary::clock::{Deadline, wall_seconds};
use crate::boundary::history;
use crate::boundary::host::{HostError, HostResult, Level};
use crate::boundary::log::Log;
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::records;
use crate::cluster::cib;
use crate::cluster::crm_mon::Status;
use crate::decide::alert::{
    Change, Environment, Facts, Message, Operation, Options, Promoted, Told, Trigger, agrees, attribute,
    changes, concerns, failure, is_wanted, promotion, resources, role, topic,
};
use crate::decide::history::primary_before;
use crate::decide::pause::{Pause, property};
use crate::decide::promotions::Record;

/// One that was started apart ends itself.
const LONGEST: Duration = Duration::from_secs(27);
/// A node that joins is a member of the membership seconds before it is one of Pacemaker's.
const JOINS: Duration = Duration::from_secs(8);
const WRITTEN: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(400);
/// A standby connects again to a new primary within seconds.
const SETTLES: Duration = Duration::from_secs(8);
/// The members look one after the other: who comes later finds it told.
const TURN: Duration = Duration::from_millis(900);
/// A failed action that is repeated is told once in this time.
const FAILS_AGAIN_S: u64 = 60;
/// Pacemaker's node attribute of a shutdown that was asked for.
const SHUTDOWN: &str = "shutdown";
const STEP: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells of one event to one recipient. Gives the exit code.
#[must_use]
pub fn main(environment: &Environment) -> u8 {
    let mut log = Log::of(TAG);
    match run(environment, &mut log) {
        Ok(()) => 0,
        Err(text) => {
            log.line(Level::Error, &text);
            1
        }
    }
}

fn run(environment: &Environment, log: &mut Log) -> Result<(), String> {
    let Some(trigger) = Trigger::read(environment).map_err(|e| e.to_string())? else { return Ok(()) };
    let options = Options::read(environment).map_err(|e| e.to_string())?;
    if !is_wanted(&trigger) {
        return Ok(());
    }
    if !alert::is_apart(environment) {
        return alert::start_apart().map_err(|error| format!("nobody is told of an event: {error}"));
    }
    let recipient = environment.get("CRM_alert_recipient").map_or("", String::as_str);
    let mut teller = Teller {
        name: attribute(recipient),
        here: alert::here().map_err(|e| e.to_string())?,
        deadline: Deadline::after(LONGEST),
        has_failed: false,
        options,
        trigger,
        log,
    };
    teller.tell().map_err(|error| format!("what happened can't be looked at: {error}"))?;
    // What failed is in the log.
    if teller.has_failed { Err("a message did not go out, see above".to_owned()) } else { Ok(()) }
}

/// One event, one recipient.
struct Teller<'a> {
    trigger: Trigger,
    options: Options,
    /// Of the attribute that holds what it was told.
    name: String,
    here: String,
    deadline: Deadline,
    has_failed: bool,
    log: &'a mut Log,
}

impl Teller<'_> {
    fn tell(&mut self) -> HostResult<()> {
        if let Trigger::Attribute { .. } = self.trigger {
            // A transition is under way, and nobody waits for this.
            self.deadline.sleep(LATER);
        }
        let status = self.agreed()?;
        if !concerns(&self.trigger, &status) {
            return Ok(());
        }
        if let Trigger::Resource(operation) = self.trigger.clone() {
            self.operation(&operation, &status)?;
        }
        self.states(&status)
    }

    fn patience(&self) -> Patience {
        Patience::of(self.deadline.remaining().min(PATIENCE))
    }

    /// The status, once it has what we were called for.
    fn agreed(&self) -> HostResult<Status> {
        let wait = if matches!(self.trigger, Trigger::Node { .. }) { JOINS } else { WRITTEN };
        let until = self.deadline.at_most(wait);
        loop {
            let status = pacemaker::status(self.patience());
            match status {
                Ok(status) if until.passed() || agrees(&self.trigger, &status) => return Ok(status),
                Err(error) if until.passed() => return Err(error),
                Ok(_) | Err(_) => until.sleep(AGAIN),
            }
        }
    }

    /// An event of this node's instance.
    fn operation(&mut self, operation: &Operation, status: &Status) -> HostResult<()> {
        if let Some(message) = role(operation) {
            self.send(&message);
        }
        let now = wall_seconds();
        let lock = self.lock();
        let (mut told, _) = self.told();
        let name = topic("failed", &[&operation.resource, &operation.node]);
        let message = if operation.task == "promote" && operation.has_succeeded {
            let name = topic("primary", &[&operation.resource]);
            let message = self.promoted(operation, told.get(&name), status);
            told.set(&name, &operation.node, now);
            Some(message)
        } else {
            let word = format!("{}-{}", operation.task, operation.description).replace(' ', "_");
            let is_told = told.is_recent(&name, &word, FAILS_AGAIN_S, now);
            let message = failure(operation, status).filter(|_| !is_told);
            if message.is_some() {
                told.set(&name, &word, now);
            }
            message
        };
        let Some(message) = message else { return Ok(()) };
        self.claim(&told);
        drop(lock);
        self.send(&message);
        Ok(())
    }

    fn promoted(&self, operation: &Operation, from: Option<&str>, status: &Status) -> Message {
        let Operation { resource, node, .. } = operation;
        let record = records::promotions(resource, self.patience()).map(|all| Record::of(&all)).ok();
        let last = record.as_ref().and_then(Record::last).filter(|last| last.node == *node);
        // A recipient that was added since has been told of none: the history has it.
        let entries = history::of_members(resource, self.patience()).unwrap_or_default();
        let generation = last.map_or(u64::MAX, |last| last.generation);
        let from = from.or_else(|| primary_before(&entries, generation));
        let found = from.map(|from| history::evidence(resource, from, node, self.patience()));
        let promoted =
            Promoted { resource, node, from, timeline: last.map(|promotion| promotion.timeline.get()) };
        promotion(&promoted, found.unwrap_or_default(), status)
    }

    /// The states of the cluster: told by the first member that finds them untold.
    fn states(&mut self, status: &Status) -> HostResult<()> {
        if self.leaves() {
            return Ok(());
        }
        let (told, own) = self.told();
        if self.changes(status, &told)?.is_empty() && told == own {
            return Ok(());
        }
        let mut members: Vec<&str> =
            status.nodes.iter().filter(|node| node.online).map(|node| node.name.as_str()).collect();
        members.sort_unstable();
        let turn = members.iter().position(|name| *name == self.here).unwrap_or(members.len());
        self.deadline.sleep(TURN.saturating_mul(u32::try_from(turn).unwrap_or(u32::MAX)));
        if !self.round(false)? {
            return Ok(());
        }
        let settled = self.deadline.at_most(SETTLES);
        while !settled.passed() {
            settled.sleep(STEP);
            if self.leaves() {
                return Ok(());
            }
        }
        self.round(true).map(drop)
    }

    /// Whether this node stops its cluster services: Pacemaker waits for us then, and those who stay tell of it.
    fn leaves(&self) -> bool {
        let told = pacemaker::query(SHUTDOWN, self.patience()).unwrap_or_default();
        told.iter().any(|value| value.node == self.here && value.value != "0")
    }

    /// Notes what has changed, and tells it. Whether something may pass by itself.
    fn round(&mut self, has_settled: bool) -> HostResult<bool> {
        let lock = self.lock();
        let status = pacemaker::status(self.patience())?;
        let (mut told, own) = self.told();
        let before = told.clone();
        let (later, now): (Vec<Change>, Vec<Change>) =
            self.changes(&status, &told)?.into_iter().partition(|change| change.settles && !has_settled);
        let seconds = wall_seconds();
        for change in &now {
            told.set(&change.topic, &change.word, seconds);
        }
        if told != own {
            self.claim(&told);
        }
        drop(lock);
        let sent = now.iter().filter_map(|change| Some((change, change.message.as_ref()?)));
        let unsent: Vec<&Change> =
            sent.filter(|(_, message)| !self.send(message)).map(|(change, _)| change).collect();
        if !unsent.is_empty() {
            // The next event tells it again.
            let _lock = self.lock();
            let (mut told, _) = self.told();
            for change in unsent {
                told.restore(&change.topic, before.get(&change.topic), wall_seconds());
            }
            self.claim(&told);
        }
        Ok(!later.is_empty())
    }

    fn changes(&self, status: &Status, told: &Told) -> HostResult<Vec<Change>> {
        let paused = self.paused(status)?;
        Ok(changes(&Facts { status, paused: &paused }, &self.trigger, told))
    }

    /// What Pacemaker leaves alone, each with its reason.
    fn paused(&self, status: &Status) -> HostResult<BTreeMap<String, String>> {
        let xml = pacemaker::cib(self.patience())?;
        let cib = cib::parse(&xml).map_err(|error| HostError::unusable(error.to_string()))?;
        let management = cib::management(&xml).map_err(|error| HostError::unusable(error.to_string()))?;
        let why = |resource: &String| {
            let set = management.cluster.as_ref().or_else(|| management.unmanaged.get(resource))?;
            let told = cib.property(&property(resource)).and_then(|p| Pause::read(&p.value));
            Some(told.map_or_else(|| set.clone(), |pause| pause.reason))
        };
        Ok(resources(status).into_iter().filter_map(|r| Some((r.clone(), why(&r)?))).collect())
    }

    fn lock(&mut self) -> Option<impl Drop + use<>> {
        let held = alert::lock(&self.name, self.deadline);
        held.map_err(|error| self.log.line(Level::Warning, &format!("not locked: {error}"))).ok()
    }

    /// What was told, and by this node. Where that can't be known it is told once more.
    fn told(&self) -> (Told, Told) {
        alert::told(&self.name, &self.here, self.patience()).unwrap_or_default()
    }

    fn claim(&mut self, told: &Told) {
        if let Err(error) = alert::claim(&self.name, told, self.patience()) {
            let text = format!("the members don't know what was told, and may tell it again: {error}");
            self.log.line(Level::Warning, &text);
        }
    }

    /// Whether it went out, or is not wanted.
    fn send(&mut self, message: &Message) -> bool {
        if !self.options.wants(message.event) {
            return true;
        }
        let deadline = self.deadline.at_most(Duration::from_secs(self.options.deadline_s));
        let sent = alert::send(&self.options, message, &self.here, deadline);
        if let Err(error) = &sent {
            self.has_failed = true;
            self.log.line(Level::Error, &format!("not sent: {}: {error}", message.text));
        }
        sent.is_ok()
    }
}
