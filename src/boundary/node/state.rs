//! What this instance tells the members of itself.

use std::time::Duration;

use super::{HostResult, Node, host_error};
use crate::boundary::clock::wall_seconds;
use crate::boundary::host::Telling;
use crate::boundary::pacemaker::Patience;
use crate::boundary::{history, pacemaker};
use crate::cluster::crm_mon::Status;
use crate::decide::history::{Entry, Evidence};
use crate::decide::telling;
use crate::pg::survey;
use crate::pg::view::Answer;

/// For what is told to people alone: nothing waits for it.
const TELLING: Duration = Duration::from_millis(500);

impl Node {
    pub(super) fn patience(&self) -> Patience {
        Patience::of(self.deadline.remaining())
    }

    pub(super) fn telling(&self) -> Patience {
        Patience::of(self.deadline.remaining().min(TELLING))
    }
}

impl Telling for Node {
    fn tell_state(&mut self, answer: &Answer, patience: Duration) -> HostResult<()> {
        let endpoint = self.endpoint()?;
        let load = endpoint.load(patience).map_err(host_error)?;
        let Some(survey) = telling::survey(answer, load, wall_seconds()) else { return Ok(()) };
        let name = survey::attribute(&self.run.resource);
        pacemaker::publish(&name, &survey.to_string(), self.telling())
    }

    fn note_history(&mut self, entries: Vec<Entry>) -> HostResult<bool> {
        let node = self.run.node.as_deref().unwrap_or_default();
        history::note_apart(&self.run.resource, node, &entries, self.deadline)
    }

    fn evidence(&mut self, from: Option<&str>, to: &str) -> (Evidence, Option<Status>) {
        let status = pacemaker::status(self.telling()).ok();
        let Some(from) = from else { return (Evidence::default(), status) };
        (history::evidence(&self.run.resource, from, to, self.telling()), status)
    }
}
