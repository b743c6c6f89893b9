//! The instances of this node as the quorum device's heuristics look at them: by the agent's record, by /proc and by the server's own
//! answer. Neither Pacemaker nor corosync is asked: while the membership changes they wait for this very answer.

use super::clock::Deadline;
use super::host::HostResult;
use super::postgres::Endpoint;
use super::process::{self, Debugged};
use super::{memory, registry};
use crate::decide::primary_here::{LocalInstance, Told};
use crate::pg::instance::Instance;
use crate::pg::view::Answer;

/// Looks at all of them at once. Returns by the deadline, but for a file system below `HA_RSCTMP` or a home directory with
/// PostgreSQL's service file that hangs.
///
/// # Errors
/// When the directory of the agent's records can't be read.
pub fn instances(deadline: Deadline) -> HostResult<Vec<LocalInstance>> {
    let records = registry::all()?;
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> =
            records.iter().map(|record| scope.spawn(move || look(record, deadline))).collect();
        let ended = || LocalInstance {
            resource: "an instance".into(),
            told: Err("not known: its thread ended".into()),
        };
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| ended())).collect()
    }))
}

fn look(record: &HostResult<Instance>, deadline: Deadline) -> LocalInstance {
    let instance = match record {
        Ok(instance) => instance,
        Err(why) => {
            return LocalInstance { resource: "an instance".into(), told: Err(format!("not known: {why}")) };
        }
    };
    let told = told(instance, deadline).map_err(|why| format!("not known: {why}"));
    LocalInstance { resource: instance.resource.clone(), told }
}

fn told(instance: &Instance, deadline: Deadline) -> HostResult<Told> {
    let postmaster = match instance.postmaster {
        Some(id) => process::alive(id)?,
        None => None,
    };
    let mut told = Told {
        role: instance.role,
        phase: instance.phase,
        postmaster: postmaster.map(|p| p.state.run_state(Debugged::AsStopped)),
        disk: memory::recall(&instance.resource)?.disk,
        answer: None,
    };
    if told.is_worth_asking() {
        told.answer = Some(match &instance.access {
            Some(access) => Endpoint::from(access).probe(deadline.remaining()),
            None => Answer::Unusable("the agent has not said where; its next monitor does".to_owned()),
        });
    }
    Ok(told)
}
