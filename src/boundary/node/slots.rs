//! Replication slots for the other members, and the one that this instance uses.

use std::time::Duration;

use super::{Node, host_error};
use crate::boundary::host::{HostResult, Slotted};
use crate::boundary::{pacemaker, records};
use crate::decide::reported::NodeReported;
use crate::decide::slots::{Change, Held, attribute};
use crate::pg::auto_conf;

const SETTING: &str = "primary_slot_name";

impl Slotted for Node {
    fn slots(&mut self, patience: Duration) -> HostResult<Held> {
        self.endpoint()?.slots(patience).map_err(host_error)
    }

    fn change_slot(&mut self, change: &Change, patience: Duration) -> HostResult<()> {
        self.endpoint()?.change_slot(change, patience).map_err(host_error)
    }

    fn publish_slots(&mut self, value: &str) -> HostResult<()> {
        pacemaker::publish(&attribute(&self.run.resource), value, self.telling())
    }

    fn published_slots(&mut self, node: &str) -> HostResult<Option<String>> {
        let values = pacemaker::query(&attribute(&self.run.resource), self.telling())?;
        Ok(values.into_iter().find(|value| value.node == node).map(|value| value.value))
    }

    fn reported(&mut self) -> HostResult<Vec<NodeReported>> {
        records::reported(&self.run.resource, self.telling())
    }

    fn use_slot(&mut self, name: Option<&str>) -> HostResult<bool> {
        let path = self.pgdata().join("postgresql.auto.conf");
        let before = self.files().map_err(host_error)?.read_if_there(&path).map_err(host_error)?;
        let is_other = auto_conf::get(&before.unwrap_or_default(), SETTING).as_deref() != name;
        if is_other {
            self.write_setting(SETTING, name)?;
        }
        Ok(is_other)
    }
}
