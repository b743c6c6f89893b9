//! What this node's other programs are told of the instance.

use super::{Node, host_error};
use crate::boundary::host::HostResult;
use crate::boundary::registry;
use crate::pg::instance::{Access, Instance, Phase};
use crate::pg::role::PgRole;

impl Node {
    pub(super) fn write_instance_record(&self, role: PgRole) -> HostResult<()> {
        // As the kernel names it: the working directory of the server's processes.
        let pgdata = self.files().map_err(host_error)?.resolve(self.pgdata()).map_err(host_error)?;
        let postmaster = match self.postmaster_by_file() {
            Some(postmaster) => Some(postmaster.id),
            None => self.processes().map_err(host_error)?.0.map(|p| p.id),
        };
        registry::record(&Instance {
            resource: self.run.resource.clone(),
            node: self.run.node.clone(),
            pgdata,
            postmaster,
            role,
            phase: Phase::Running,
            access: self.endpoint().ok().map(|endpoint| Access::from(&endpoint)),
        })
    }

    /// What was left of the postmaster that runs.
    pub(super) fn role_left(&self) -> Option<PgRole> {
        let left = registry::find(&self.run.resource).ok().flatten()?;
        // One file and one process where that does: each monitor of a primary asks.
        let by_file = self.postmaster_by_file().map(|p| p.id);
        let runs = by_file.or_else(|| Some(self.processes().ok()?.0?.id))?;
        (left.postmaster == Some(runs)).then_some(left.role)
    }

    /// Asks no disk: it may hang.
    pub(super) fn change_word(&self) -> HostResult<()> {
        match registry::find(&self.run.resource)? {
            Some(instance) => registry::record(&Instance { phase: Phase::Stopping, ..instance }),
            None => Ok(()),
        }
    }
}
