//! What the verbs that act, and those that look back, know of the running cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use super::CliError;
use crate::boundary::clock::wall_seconds;
use crate::boundary::inspect::{self, Instance};
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::setup;
use crate::cluster::calendar::utc;
use crate::cluster::cib::placement::{Placement, placement};
use crate::cluster::cib::{self, Cib, Management};
use crate::cluster::crm_mon::Status;
use crate::decide::promotions::Record;
use crate::decide::verify;
use crate::pg::survey::Survey;
use crate::pg::sync_names;
use crate::pg::view::Answer;

const AGENT: &str = "ocf:quorate:postgres";
const PATIENCE: Duration = Duration::from_secs(3);

/// One PostgreSQL resource of the cluster, as this node sees it.
#[derive(Debug)]
pub(super) struct Live {
    pub host: String,
    pub resource: String,
    pub status: Status,
    pub cib: Cib,
    pub management: Management,
    pub constraints: Placement,
    pub surveys: BTreeMap<String, Survey>,
    pub record: Record,
    /// The instance on this node, where the configuration has one here.
    pub instance: Option<Instance>,
    pub now: u64,
    /// The same, as Pacemaker writes it.
    pub now_utc: String,
}

/// What Pacemaker says.
pub(super) fn status() -> Result<Status, CliError> {
    Ok(pacemaker::status(Patience::of(PATIENCE))?)
}

/// The resource that is meant: the one that is named, or the only one of ours.
pub(super) fn resource(status: &Status, named: Option<&str>) -> Result<String, CliError> {
    let ours = status.instances.iter().filter(|instance| instance.agent == AGENT);
    let mut ours: Vec<String> = ours.map(|instance| instance.resource.clone()).collect();
    ours.sort();
    ours.dedup();
    match (named, ours.as_slice()) {
        (Some(named), ours) if ours.iter().any(|one| one == named) => Ok(named.to_owned()),
        (None, [one]) => Ok(one.clone()),
        (_, []) => Err(CliError::Other(format!("the cluster has no resource {AGENT}"))),
        (Some(named), several) => Err(CliError::Other(format!(
            "the cluster has no {AGENT} resource {named:?}: --resource {}",
            several.join(", --resource ")
        ))),
        (None, several) => {
            Err(CliError::Other(format!("name one of them: --resource {}", several.join(", --resource "))))
        }
    }
}

impl Live {
    /// Looks.
    ///
    /// # Errors
    /// Pacemaker does not answer, or has no such resource.
    pub fn look(named: Option<&str>) -> Result<Self, CliError> {
        let status = status()?;
        let resource = resource(&status, named)?;
        let xml = pacemaker::cib(Patience::of(PATIENCE))?;
        let other = |what: String| CliError::Other(format!("the CIB can't be read: {what}"));
        let cib = cib::parse(&xml).map_err(|e| other(e.to_string()))?;
        let management = cib::management(&xml).map_err(|e| other(e.to_string()))?;
        let constraints = placement(&xml, &resource).map_err(|e| other(e.to_string()))?;
        let instance = cib.primitives.iter().find(|p| p.id == resource).and_then(Instance::of);
        let host = setup::host_name()?;
        let mut surveys = inspect::surveys(&resource)?;
        // What runs here is asked itself.
        if let Some(Ok(survey)) = instance.as_ref().map(Instance::survey) {
            surveys.insert(host.clone(), survey);
        }
        let now = wall_seconds();
        let now_utc = utc(now).get(..19).unwrap_or_default().to_owned();
        let record = inspect::promotions(&resource);
        Ok(Self {
            host,
            resource,
            status,
            cib,
            management,
            constraints,
            surveys,
            record,
            instance,
            now,
            now_utc,
        })
    }

    /// What the server of this node says of the commits that wait, where it is a primary.
    fn commits(&self) -> Option<verify::Commits> {
        let instance = self.instance.as_ref()?;
        let Ok(Answer::Primary(view)) = instance.answer() else { return None };
        let needed = sync_names::parse(&view.synchronous_standby_names)?.count;
        let waits = instance.waits().ok()?;
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        Some(verify::Commits { needed, waiting: waits.sessions, longest_s: waits.longest_s })
    }

    /// The items of `quorate verify`.
    pub fn verify(&self) -> Vec<verify::Item> {
        verify::verify(&verify::Facts {
            resource: &self.resource,
            status: &self.status,
            management: &self.management,
            constraints: &self.constraints,
            surveys: &self.surveys,
            record: &self.record,
            commits: self.commits(),
            now: self.now,
            now_utc: &self.now_utc,
        })
    }
}
