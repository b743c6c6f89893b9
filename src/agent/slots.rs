//! Looks after the replication slots for the other members, and uses the primary's own.

use std::time::Duration;

use super::Agent;
use crate::boundary::host::Level;
use crate::cluster::crm_mon::{Role, Status};
use crate::decide::cluster::Manager;
use crate::decide::slots::{Change, Facts, Member, is_due, plan, used, value};
use crate::ocf::settings::Slots;
use crate::pg::lsn::Lsn;
use crate::pg::role::PgRole;

const PATIENCE: Duration = Duration::from_secs(2);

impl Agent<'_> {
    /// Makes the slots of this server those that should be there, now and then.
    pub(super) fn tend_slots(&mut self, role: PgRole, replayed: Option<Lsn>) {
        let now = self.host.now();
        let is_ours = self.settings.replication_slots == Slots::Yes && self.manager() == Manager::Pacemaker;
        if !is_ours || !is_due(&self.memory.slots, now) {
            return;
        }
        self.memory.slots.at = Some(now);
        if let Err(error) = self.change_slots(role, replayed) {
            self.complain(Some(format!("replication slots: {error}")));
        }
    }

    fn change_slots(&mut self, role: PgRole, replayed: Option<Lsn>) -> Result<(), String> {
        let status = self.host.cluster().map_err(|e| e.text)?;
        let members = members(&status, &self.run.resource);
        let held = self.host.slots(PATIENCE).map_err(|e| e.text)?;
        let reported = match role {
            PgRole::Standby => self.host.reported().map_err(|e| e.text)?,
            PgRole::Primary => Vec::new(),
        };
        let node = self.node();
        let plan =
            plan(&Facts { node: &node, role, members: &members, held: &held, replayed, reported: &reported });
        for change in &plan.changes {
            let asked = self.host.change_slot(change, PATIENCE);
            asked.map_err(|e| format!("{e} (dbuser needs REPLICATION)"))?;
            match change {
                Change::Create { name, node } => {
                    self.host.log(Level::Info, &format!("replication slot {name} for {node}"));
                }
                Change::Drop { name, why } => {
                    self.host.log(Level::Warning, &format!("replication slot {name} is dropped: {why}"));
                }
                Change::Advance { .. } => {}
            }
        }
        let is_changed = plan.changes.iter().any(|change| !matches!(change, Change::Advance { .. }));
        let held = if is_changed { self.host.slots(PATIENCE).map_err(|e| e.text)? } else { held };
        self.host.publish_slots(&value(&held.slots, &members)).map_err(|e| e.text)?;
        if let (PgRole::Standby, [primary]) =
            (role, &status.nodes_with_role(&self.run.resource, &Role::Promoted)[..])
        {
            self.follow_with_slot(primary);
        }
        plan.complaint.map_or(Ok(()), Err)
    }

    /// The primary may have made it, or lost it, since this standby was pointed there.
    fn follow_with_slot(&mut self, primary: &str) {
        let host = self.settings.address_of(primary).to_owned();
        if self.use_slot_of(primary)
            && let Some(conninfo) = self.conninfo_for(&host)
        {
            self.repoint(primary, &conninfo);
        }
    }

    /// Who has nobody to follow yet waits for no slot.
    pub(super) fn use_no_slot(&mut self) -> bool {
        self.settings.replication_slots == Slots::Yes && self.set_slot(None)
    }

    /// Has this standby use its slot on the primary, where that has one: one that is missing ends the stream. Whether it used another.
    pub(super) fn use_slot_of(&mut self, primary: &str) -> bool {
        if self.settings.replication_slots == Slots::No || self.manager() == Manager::Nobody {
            return false;
        }
        // Unknown is none: what the primary keeps without it is enough for a standby that was not away.
        let published = self.host.published_slots(primary).unwrap_or_default();
        let name = used(published.as_deref(), &self.node());
        self.set_slot(name.as_deref())
    }

    fn set_slot(&mut self, name: Option<&str>) -> bool {
        match self.host.use_slot(name) {
            Ok(is_other) => is_other,
            Err(error) => {
                self.host.log(Level::Warning, &format!("primary_slot_name: {error}"));
                false
            }
        }
    }
}

/// The nodes that Pacemaker knows, and where an instance runs.
fn members(status: &Status, resource: &str) -> Vec<Member> {
    let runs = |node: &str| status.role_on(resource, node).is_some_and(|role| *role != Role::Stopped);
    status
        .nodes
        .iter()
        .map(|node| Member { node: node.name.clone(), has_instance: runs(&node.name) })
        .collect()
}
