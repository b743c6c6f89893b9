//! Looks after the replication slots for the other members, and uses the primary's own.

use std::time::Duration;

use super::Agent;
use crate::boundary::host::Level;
use crate::cluster::crm_mon::{Role, Status};
use crate::decide::cluster::Manager;
use crate::decide::follow::cluster_facts;
use crate::decide::slots::{Change, Facts, Member, is_due, plan, used, value};
use crate::ocf::settings::Slots;
use crate::pg::role::PgRole;
use crate::pg::timeline::WalPosition;

/// Of one question to the server. A monitor that has less left than all of them does without.
const PATIENCE: Duration = Duration::from_secs(1);
const NEEDED: Duration = Duration::from_secs(3);

impl Agent<'_> {
    /// Makes the slots of this server those that should be there, now and then, a change or two each time.
    pub(super) fn tend_slots(&mut self, role: PgRole, replayed: Option<WalPosition>) {
        let now = self.host.now();
        let is_off = self.settings.replication_slots == Slots::No;
        if self.manager() == Manager::Nobody || is_off && self.memory.slots.at.is_none() {
            return;
        }
        // A stuck disk would keep the server, and this process, from answering in time.
        if !is_due(&self.memory.slots, now) || self.left() < NEEDED || !self.memory.disk.returns() {
            return;
        }
        self.memory.slots.at = Some(now);
        let complaint = match self.host.cluster() {
            Err(error) => Some(error.text),
            Ok(status) if is_off => self.leave_slots(role, &status),
            Ok(status) => self.change_slots(role, replayed, &status),
        };
        if complaint != self.memory.slots.complaint {
            if let Some(text) = &complaint {
                self.host.log(Level::Warning, &format!("replication slots: {text}"));
            }
            self.memory.slots.complaint = complaint;
        }
    }

    /// Gives what it could not do.
    fn change_slots(
        &mut self,
        role: PgRole,
        replayed: Option<WalPosition>,
        status: &Status,
    ) -> Option<String> {
        let members = members(status, &self.run.resource);
        let mut complaint = self.plan_slots(role, replayed, &members).unwrap_or_else(Some);
        // Whatever became of the changes: what is there now is promised, and nothing else.
        let told =
            self.host.slots(PATIENCE).and_then(|held| self.host.publish_slots(&value(&held.slots, &members)));
        complaint = complaint.or(told.err().map(|error| error.text));
        if role == PgRole::Standby {
            self.follow_with_slot(status);
        }
        complaint
    }

    fn plan_slots(
        &mut self,
        role: PgRole,
        replayed: Option<WalPosition>,
        members: &[Member],
    ) -> Result<Option<String>, String> {
        let held = self.host.slots(PATIENCE).map_err(|error| error.text)?;
        let reported = match role {
            PgRole::Standby => self.host.reported().map_err(|error| error.text)?,
            PgRole::Primary => Vec::new(),
        };
        let node = self.node();
        let plan = plan(&Facts { node: &node, role, members, held: &held, replayed, reported: &reported });
        for change in &plan.changes {
            if self.left() < PATIENCE * 2 {
                break;
            }
            self.change_slot(change)?;
        }
        Ok(plan.complaint)
    }

    fn change_slot(&mut self, change: &Change) -> Result<(), String> {
        const INSUFFICIENT_PRIVILEGE: &str = "42501";
        self.host.change_slot(change, PATIENCE).map_err(|error| {
            let is_right = error.text.contains(INSUFFICIENT_PRIVILEGE);
            let cure = if is_right { ": ALTER ROLE of parameter dbuser REPLICATION" } else { "" };
            format!("{error}{cure}")
        })?;
        match change {
            Change::Create { name, node } => {
                self.host.log(Level::Info, &format!("replication slot {name} for {node}"));
            }
            Change::Drop { name, why } => {
                self.host.log(Level::Warning, &format!("replication slot {name} is dropped: {why}"));
            }
            Change::Renew { name } => {
                let line = format!("replication slot {name} keeps dead rows for nobody any more");
                self.host.log(Level::Info, &line);
            }
            Change::Advance { .. } => {}
        }
        Ok(())
    }

    /// The primary may have made it, or lost it, since this standby was pointed there. Unknown changes nothing.
    fn follow_with_slot(&mut self, status: &Status) {
        let node = self.node();
        let facts = cluster_facts(status, &self.settings, &self.run.resource, &node, None);
        let Some(primary) = facts.primary else { return };
        let Ok(Some(published)) = self.host.published_slots(&primary.node) else { return };
        if self.set_slot(used(Some(&published), &node).as_deref())
            && let Some(conninfo) = self.conninfo_for(&primary.host)
        {
            self.repoint(&primary.node, &conninfo);
        }
    }

    /// The parameter was `yes`: what was made then goes, once nobody uses it.
    fn leave_slots(&mut self, role: PgRole, status: &Status) -> Option<String> {
        if let Err(error) = self.host.publish_slots("") {
            return Some(error.text);
        }
        if role == PgRole::Standby && self.set_slot(None) {
            let node = self.node();
            let facts = cluster_facts(status, &self.settings, &self.run.resource, &node, None);
            if let Some(primary) = facts.primary
                && let Some(conninfo) = self.conninfo_for(&primary.host)
            {
                self.repoint(&primary.node, &conninfo);
            }
        }
        let complaint = self.plan_slots(role, None, &[]).unwrap_or_else(Some);
        let is_left = self.host.slots(PATIENCE).map_or(true, |held| held.has_ours());
        if !is_left {
            self.memory.slots.at = None;
        }
        complaint
    }

    /// Has a standby that is pointed to another primary use its slot there. Unknown is none: a slot that is missing ends the stream, and
    /// who was not away finds its WAL without.
    pub(super) fn use_slot_of(&mut self, primary: Option<&str>) {
        if self.settings.replication_slots == Slots::No || self.manager() == Manager::Nobody {
            return;
        }
        let published = primary.and_then(|primary| self.host.published_slots(primary).unwrap_or_default());
        let node = self.node();
        self.set_slot(used(published.as_deref(), &node).as_deref());
    }

    /// Whether it was another one.
    fn set_slot(&mut self, name: Option<&str>) -> bool {
        self.host.use_slot(name).unwrap_or_else(|error| {
            self.host.log(Level::Warning, &format!("primary_slot_name: {error}"));
            false
        })
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
