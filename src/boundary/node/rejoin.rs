//! The rejoin of this instance: its record on the disk, and the unit that works on it.

use super::{HostResult, Node, host_error};
use crate::boundary::clock::wall_seconds;
use crate::boundary::host::Rejoining;
use crate::boundary::{pacemaker, rejoin};
use crate::decide::rejoin::{Task, Worker, attribute, request_attribute};

impl Rejoining for Node {
    fn rejoin(&mut self) -> HostResult<(Option<Task>, Worker)> {
        let worker = if rejoin::is_running(&self.run.resource) { Worker::Runs } else { Worker::Absent };
        Ok((rejoin::load(&self.run.resource).map_err(host_error)?, worker))
    }

    fn ask_rejoin(&mut self, task: &Task) -> HostResult<()> {
        rejoin::ask(task).map_err(host_error)
    }

    fn resume_rejoin(&mut self) -> HostResult<()> {
        rejoin::start_unit(&self.run.resource).map_err(host_error)
    }

    fn drop_rejoin(&mut self) -> HostResult<()> {
        let node = self.run.node.as_deref().unwrap_or_default();
        // What crm_mon -A shows of it.
        let _ = pacemaker::delete_attribute(node, &attribute(&self.run.resource), self.patience());
        rejoin::remove(&self.run.resource).map_err(host_error)
    }

    fn end_rejoin_request(&mut self) -> HostResult<()> {
        let node = self.run.node.as_deref().unwrap_or_default();
        pacemaker::delete_attribute(node, &request_attribute(&self.run.resource), self.patience())
    }

    fn abandon_rejoin(&mut self) -> HostResult<()> {
        rejoin::abandon(&self.run.resource).map_err(host_error)
    }

    fn wall_seconds(&mut self) -> u64 {
        wall_seconds()
    }
}
