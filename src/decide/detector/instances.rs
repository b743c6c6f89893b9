//! The postmasters: their end is noticed when it happens, not at the next monitor.

use super::act::{Act, LogLevel};
use super::limits::Limits;
use super::maintenance;
use super::observation::{InstanceObservation, NodeSnapshot, PostmasterState};
use super::proposal::Proposal;
use crate::decide::clock::ObserverTime;
use crate::pg::instance::{Phase, ProcessId};

/// What is remembered of those that look bad.
#[derive(Debug, Default)]
pub(super) struct Instances {
    stopped: Vec<(ProcessId, ObserverTime)>,
    reported: Vec<ProcessId>,
}

impl Instances {
    pub(super) fn step(
        &mut self,
        now: ObserverTime,
        snapshot: &NodeSnapshot,
        limits: &Limits,
    ) -> Vec<Proposal> {
        let looks = &snapshot.instances;
        let there = |id: ProcessId| looks.iter().any(|l| l.instance.postmaster == Some(id));
        self.reported.retain(|id| there(*id));
        let stops = |id| {
            looks
                .iter()
                .any(|l| l.instance.postmaster == Some(id) && l.postmaster == PostmasterState::Stopped)
        };
        self.stopped.retain(|(id, _)| stops(*id));
        let mut acts = Vec::new();
        for InstanceObservation { instance, postmaster, .. } in looks {
            let (Some(id), Phase::Running) = (instance.postmaster, instance.phase) else { continue };
            let error = match postmaster {
                PostmasterState::Runs | PostmasterState::Unknown => None,
                PostmasterState::Leftovers | PostmasterState::Gone => Some("ended by itself".to_owned()),
                PostmasterState::Stopped => self.stopped_for(id, now, limits),
            };
            let Some(error) = error else { continue };
            if self.reported.contains(&id) {
                continue;
            }
            self.reported.push(id);
            let why = format!("{}: the postmaster (pid {id}) {error}", instance.resource);
            let act = match (&instance.node, maintenance::instance(&instance.resource, snapshot)) {
                (Some(node), None) => {
                    Act::Fail { resource: instance.resource.clone(), node: node.clone(), why }
                }
                (None, _) => {
                    Act::Say(LogLevel::Note, format!("{why}: left alone, the agent was called by hand"))
                }
                (_, Some(excuse)) => Act::Say(LogLevel::Note, format!("{why}: left alone, {excuse}")),
            };
            acts.push(act.into());
        }
        acts
    }

    fn stopped_for(&mut self, id: ProcessId, now: ObserverTime, limits: &Limits) -> Option<String> {
        let since = match self.stopped.iter().find(|(known, _)| *known == id) {
            Some((_, since)) => *since,
            None => {
                self.stopped.push((id, now));
                now
            }
        };
        (now - since >= limits.postmaster).then(|| format!("is stopped by a signal for {} ms", now - since))
    }
}
