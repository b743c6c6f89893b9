//! Replication slots, played.

use std::time::Duration;

use super::FakeHost;
use crate::boundary::host::{HostResult, Slotted};
use crate::decide::reported::NodeReported;
use crate::decide::slots::{Change, Held, Slot};

/// What there is of slots.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    pub held: Held,
    /// What each instance said of its own.
    pub published: Vec<(String, String)>,
    pub reported: Vec<NodeReported>,
    /// `primary_slot_name`.
    pub used: Option<String>,
}

impl Slotted for FakeHost {
    fn slots(&mut self, _patience: Duration) -> HostResult<Held> {
        Ok(self.slots.held.clone())
    }

    fn change_slot(&mut self, change: &Change, _patience: Duration) -> HostResult<()> {
        let all = &mut self.slots.held.slots;
        match change {
            Change::Drop { name, .. } => all.retain(|slot| slot.name != *name),
            Change::Create { name, .. } => all.push(Slot {
                name: name.clone(),
                is_active: false,
                restart: None,
                is_lost: false,
                has_xmin: false,
            }),
            Change::Renew { .. } => {}
            Change::Advance { name, to } => {
                all.iter_mut().filter(|slot| slot.name == *name).for_each(|slot| slot.restart = Some(*to));
            }
        }
        if let Change::Renew { name } = change {
            all.iter_mut().filter(|slot| slot.name == *name).for_each(|slot| slot.has_xmin = false);
        }
        self.done.push(format!("slot {change:?}"));
        Ok(())
    }

    fn publish_slots(&mut self, value: &str) -> HostResult<()> {
        self.ask_cluster(())?;
        self.slots.published.push(("srv1".to_owned(), value.to_owned()));
        Ok(())
    }

    fn published_slots(&mut self, node: &str) -> HostResult<Option<String>> {
        let published = self.slots.published.iter().rev().find(|(one, _)| one == node);
        let value = published.map(|(_, value)| value.clone());
        self.ask_cluster(value)
    }

    fn reported(&mut self) -> HostResult<Vec<NodeReported>> {
        Ok(self.slots.reported.clone())
    }

    fn use_slot(&mut self, name: Option<&str>) -> HostResult<bool> {
        let is_other = self.slots.used.as_deref() != name;
        self.slots.used = name.map(str::to_owned);
        Ok(is_other)
    }
}
