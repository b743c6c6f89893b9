//! Data that can't follow the primary: a start has them replaced by the unit `quorate-rejoin@RESOURCE`, and waits for a short one.

use std::time::Duration;

use super::Agent;
use super::start::Refusal;
use crate::boundary::host::{HostError, HostResult, Level};
use crate::decide::cluster::Manager;
use crate::decide::facts::Facts;
use crate::decide::memory::Memory;
use crate::decide::rejoin::{
    AtStart, Awaited, Cause, Data, Phase, Primary, Request, Task, Waiting, Wanted, Way, Worker, at_start,
    awaited, is_starved, primary, start_waits, wanted,
};
use crate::decide::score::streams;
use crate::ocf::{Environment, OcfCode};
use crate::pg::view::Answer;

const LOOK: Duration = Duration::from_millis(100);

impl Agent<'_> {
    /// What a rejoin that is on record, or that an operator asks for, means for a start: it is ended first, or waited for.
    pub(super) fn end_rejoin(&mut self) -> Result<(), Refusal> {
        let (task, worker) = self.host.rejoin().map_err(refuse)?;
        let cluster = self.ask_cluster();
        let request = cluster.as_ref().and_then(|cluster| cluster.rejoin.clone());
        if task.is_none() && request.is_none() {
            return Ok(());
        }
        if let (None, Some(task), Manager::Pacemaker) = (&cluster, &task, self.manager())
            && task.data() != Data::Ready
        {
            return Err(self.leave(task.clone(), worker));
        }
        let record = self.record();
        let primary = primary(cluster.as_ref(), &record);
        match (request, worker) {
            (Some(text), Worker::Absent) => return self.rejoin_by_request(&text, task, primary),
            (Some(text), Worker::Runs) => {
                self.host.end_rejoin_request().map_err(refuse)?;
                let line = format!("the request {text:?} is not carried out: a rejoin runs already");
                self.host.log(Level::Warning, &line);
            }
            (None, _) => {}
        }
        match at_start(task.as_ref(), worker, primary) {
            AtStart::Launch => {
                // Interrupted after the data were ready: what the copy replaced is still to be removed.
                let is_left = task.as_ref().is_some_and(|task| task.phase == Phase::Starting);
                if is_left
                    && worker == Worker::Absent
                    && let Err(error) = self.host.resume_rejoin()
                {
                    self.host.log(Level::Warning, &format!("the rejoin does not go on: {error}"));
                }
                self.forget_data_before(task.as_ref());
                Ok(())
            }
            AtStart::Drop => {
                let summary = task.as_ref().map(Task::summary).unwrap_or_default();
                let line = format!("the rejoin ({summary}) is dropped: no instance is promoted");
                self.host.log(Level::Warning, &line);
                self.host.drop_rejoin().map_err(refuse)
            }
            AtStart::Await(Worker::Absent) => {
                // With the parameters of today: a wrong one may be why it did not go on.
                if let Some(task) = task {
                    let task = Task { environment: unit_environment(self.env), ..task };
                    self.ask(&task).map_err(refuse)?;
                }
                self.await_rejoin()
            }
            AtStart::Await(Worker::Runs) => self.await_rejoin(),
            AtStart::Leave(worker) => match task {
                Some(task) => Err(self.leave(task, worker)),
                None => Ok(()),
            },
            AtStart::Refuse(why) => Err((OcfCode::ErrGeneric, why).into()),
        }
    }

    /// Data are replaced on request only where somebody has them.
    fn rejoin_by_request(&mut self, text: &str, task: Option<Task>, primary: Primary) -> Result<(), Refusal> {
        self.host.end_rejoin_request().map_err(refuse)?;
        let request: Request = text
            .parse()
            .map_err(|error| (OcfCode::ErrGeneric, format!("{error}; see quorate rejoin --help")))?;
        if primary == Primary::Nobody {
            let why = "rejoin was asked for, and no instance is promoted to copy from: nothing was replaced";
            return Err((OcfCode::ErrGeneric, why.to_owned()).into());
        }
        let task = task
            .filter(|task| task.data() != Data::Ready)
            .unwrap_or_else(|| self.task(Cause::Asked, request.way, "asked for by an operator"));
        let task = Task {
            environment: unit_environment(self.env),
            ..request.renewed(task, self.settings.on_diverged)
        };
        self.host.log(Level::Warning, &format!("rejoin asked for by an operator: {request}"));
        self.ask(&task).map_err(refuse)?;
        self.await_rejoin()
    }

    /// One that began since we looked does the same.
    fn ask(&mut self, task: &Task) -> HostResult<()> {
        match self.host.ask_rejoin(task) {
            Err(error) => match self.host.rejoin()? {
                (Some(_), Worker::Runs) => Ok(()),
                (_, Worker::Runs | Worker::Absent) => Err(error),
            },
            asked => asked,
        }
    }

    /// Does not wait for it: the unit has Pacemaker start the instance.
    fn leave(&mut self, task: Task, worker: Worker) -> Refusal {
        let task = Task { environment: unit_environment(self.env), ..task };
        let asked = if worker == Worker::Absent { self.ask(&task) } else { Ok(()) };
        match asked.and_then(|()| self.host.abandon_rejoin()) {
            Ok(()) => {
                let reason = format!("rejoin: {}; it is started when that is done", task.summary());
                (OcfCode::ErrGeneric, reason).into()
            }
            Err(error) => refuse(error),
        }
    }

    fn task(&mut self, cause: Cause, way: Way, why: &str) -> Task {
        let (environment, asked) = (unit_environment(self.env), self.host.wall_seconds());
        Task::new(&self.run.resource, &self.node(), environment, cause, way, why, asked)
    }

    /// After a refusal to start: has the data replaced, where that is wanted. An error: nothing is to be started now.
    pub(super) fn rejoin(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        let Some(cause) = refusal.cause else { return Err(refusal) };
        let cluster = self.ask_cluster();
        let primary = primary(cluster.as_ref(), &self.record());
        let way = match wanted(cause, self.settings.on_diverged, primary, self.manager()) {
            Wanted::Manual => return Err(refusal),
            Wanted::Rejoin(way) => way,
        };
        let task = self.task(cause, way, &refusal.reason);
        self.host.log(Level::Warning, &refusal.reason);
        if let Err(error) = self.ask(&task) {
            self.host.log(Level::Error, &format!("the rejoin can't be started: {error}"));
            return Err(refusal);
        }
        if primary == Primary::Nobody {
            // Who is promoted next waits for the end of every start.
            return Err(self.leave(task, Worker::Runs));
        }
        self.await_rejoin()
    }

    /// Whether the standby waits in vain for WAL, and may have its data copied: Pacemaker stops it then, and starts it again.
    pub(super) fn starves(&mut self, facts: &Facts) -> Option<String> {
        let Some(Answer::Standby(view)) = &facts.answer else { return None };
        let now = self.host.now();
        let stands = view.position_lsn().filter(|_| !streams(view.receiver.as_ref()) && !view.is_paused);
        let since = match (stands, self.memory.stood) {
            (Some(stands), Some((stood, since))) if stands == stood => since,
            _ => now,
        };
        self.memory.stood = stands.map(|stands| (stands, since));
        stands?;
        // An archive that is slow gives it yet what the primary has not.
        let asks_archive = self.host.recovery().is_some_and(|recovery| recovery.command.is_some());
        let without = Duration::from_millis(now.since(since.max(self.memory.detached?)));
        let said = self.host.receiver_trouble();
        if asks_archive || !is_starved(said.as_deref(), without) {
            return None;
        }
        let cluster = self.ask_cluster();
        let primary = primary(cluster.as_ref(), &self.record());
        match wanted(Cause::Starved, self.settings.on_diverged, primary, self.manager()) {
            Wanted::Manual => None,
            Wanted::Rejoin(_) => {
                let why = format!(
                    "the WAL that it needs is gone from the primary, its data are copied: {}",
                    said.unwrap_or_default()
                );
                self.memory.starved = Some(why.clone());
                Some(why)
            }
        }
    }

    /// A start after [`Self::starves`]. Where nobody is there to copy from it is a start like any other.
    pub(super) fn rejoin_if_starved(&mut self) -> Result<(), Refusal> {
        let Some(reason) = self.memory.starved.take() else { return Ok(()) };
        let cluster = self.ask_cluster();
        let primary = primary(cluster.as_ref(), &self.record());
        match wanted(Cause::Starved, self.settings.on_diverged, primary, self.manager()) {
            Wanted::Manual => Ok(()),
            Wanted::Rejoin(_) => {
                self.rejoin(Refusal { code: OcfCode::ErrGeneric, reason, cause: Some(Cause::Starved) })
            }
        }
    }

    /// What is remembered is of the data that were there before.
    fn forget_data_before(&mut self, task: Option<&Task>) {
        let ready = task.filter(|task| task.data() == Data::Ready).and_then(|task| task.ready);
        if ready.is_some() && ready != self.memory.rejoined {
            self.memory = Memory { run: self.memory.run, rejoined: ready, ..Memory::default() };
        }
    }

    fn await_rejoin(&mut self) -> Result<(), Refusal> {
        let begun = self.host.now();
        let at_most = start_waits(self.left());
        let mut is_abandoned = false;
        loop {
            let (task, worker) = self.host.rejoin().map_err(refuse)?;
            let since = Duration::from_millis(self.host.now().since(begun));
            match awaited(task.as_ref(), worker, Waiting { since, at_most, is_abandoned }) {
                Awaited::Launch => {
                    self.forget_data_before(task.as_ref());
                    return Ok(());
                }
                Awaited::Again => self.host.sleep(LOOK),
                Awaited::Abandon => {
                    self.host.abandon_rejoin().map_err(refuse)?;
                    is_abandoned = true;
                }
                Awaited::Refuse(why) => return Err((OcfCode::ErrGeneric, why).into()),
            }
        }
    }
}

fn refuse(error: HostError) -> Refusal {
    (OcfCode::ErrGeneric, error.to_string()).into()
}

/// What the unit needs of the environment: the parameters, and who we are.
fn unit_environment(env: &Environment) -> Environment {
    let is_needed = |name: &str| match name.strip_prefix("OCF_RESKEY_") {
        Some(name) => !name.starts_with("CRM_meta_") || name == "CRM_meta_on_node",
        None => name == "OCF_RESOURCE_INSTANCE",
    };
    env.iter()
        .filter(|(name, _)| is_needed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
