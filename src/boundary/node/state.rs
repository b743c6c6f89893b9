//! What this instance tells the members of itself.

use std::path::Path;
use std::time::Duration;

use super::{HostResult, Node, host_error};
use crate::boundary::clock::wall_seconds;
use crate::boundary::host::Telling;
use crate::boundary::pacemaker::Patience;
use crate::boundary::{history, pacemaker, self_fence_records};
use crate::cluster::calendar::utc;
use crate::cluster::crm_mon::Status;
use crate::decide::history::{Entry, Evidence, Fencing, asked_attribute};
use crate::decide::telling;
use crate::pg::survey;
use crate::pg::view::Answer;

/// A wish that is older was for another promotion.
const ASKED_S: u64 = 300;
/// A fencing that is older was another time.
const FENCED_S: u64 = 300;

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
        let notice = self_fence_records::find(Path::new(self_fence_records::DIRECTORY), from);
        let since = wall_seconds().saturating_sub(ASKED_S);
        let asked = pacemaker::query(&asked_attribute(&self.run.resource), self.telling());
        let is_it = |value: &str| {
            let (at, node) = value.split_once(' ')?;
            (node == to && at.parse::<u64>().ok()? >= since).then_some(())
        };
        let asked = asked.unwrap_or_default().into_iter().find(|told| is_it(&told.value).is_some());
        let since = utc(wall_seconds().saturating_sub(FENCED_S));
        let evidence = Evidence {
            announced: notice.ok().flatten().map(|record| record.notice.reason),
            fencing: match pacemaker::last_fencing(from, &since, self.telling()) {
                Ok(Some((client, done))) => Fencing::Done { client, done },
                Ok(None) => Fencing::None,
                Err(_) => Fencing::Unknown,
            },
            asked_on: asked.map(|told| told.node),
            ..Evidence::default()
        };
        (evidence, status)
    }
}
