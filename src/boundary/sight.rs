//! The instances of this node as the quorum device's heuristics look at them: by the agent's word, by /proc and by the server's own
//! answer. Neither Pacemaker nor corosync is asked: while the membership changes they wait for this very answer.

use super::clock::Deadline;
use super::host::{Effect, Trouble};
use super::postgres::Endpoint;
use super::process::{self, Debugged};
use super::{memory, registry};
use crate::decide::primary_here::{Sight, Told};
use crate::pg::instance::Instance;
use crate::pg::view::Answer;

/// Looks at all of them at once. Returns by the deadline, but for a file system below `HA_RSCTMP` or a home directory with
/// PostgreSQL's service file that hangs.
///
/// # Errors
/// When the directory of the agent's words can't be read.
pub fn instances(deadline: Deadline) -> Effect<Vec<Sight>> {
    let words = registry::all()?;
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> = words.iter().map(|word| scope.spawn(move || look(word, deadline))).collect();
        let ended =
            || Sight { resource: "an instance".into(), told: Err("not known: its thread ended".into()) };
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| ended())).collect()
    }))
}

fn look(word: &Effect<Instance>, deadline: Deadline) -> Sight {
    let instance = match word {
        Ok(instance) => instance,
        Err(why) => return Sight { resource: "an instance".into(), told: Err(format!("not known: {why}")) },
    };
    let told = told(instance, deadline).map_err(|why| format!("not known: {why}"));
    Sight { resource: instance.resource.clone(), told }
}

fn told(instance: &Instance, deadline: Deadline) -> Effect<Told> {
    let postmaster = match instance.postmaster {
        Some(id) => process::alive(id).map_err(|e| Trouble(e.to_string()))?,
        None => None,
    };
    let mut told = Told {
        role: instance.role,
        phase: instance.phase,
        postmaster: postmaster.map(|p| p.state.pulse(Debugged::AsStopped)),
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
