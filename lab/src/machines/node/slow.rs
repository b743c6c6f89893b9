//! A node whose packets are late.

use super::{Node, lock};
use crate::host::error::{LabError, Result};
use crate::machines::delay::{Delay, Relay};
use crate::machines::net;
use crate::machines::protocol::Happening;

impl Node {
    /// Makes the cables slow, or quick again; until the power is cut.
    pub fn delay(&self, by: Option<Delay>) -> Result<()> {
        let machine = lock(&self.machine);
        if machine.is_none() {
            return Err(LabError::PoweredOff(self.plan.name.clone()));
        }
        let mut relays = lock(&self.relays);
        relays.clear();
        let result = match by {
            None => net::plug_in(&self.plan),
            Some(delay) => net::slow_cables(&self.plan, delay).map(|started| *relays = started),
        };
        if result.is_err() && by.is_some() {
            let _ = net::plug_in(&self.plan);
        }
        drop(relays);
        result?;
        lock(&self.view).delay = by;
        self.journal.note(&self.plan.name, Happening::Delayed { by });
        Ok(())
    }

    pub(super) fn late_packets(&self) -> u64 {
        lock(&self.relays).iter().map(Relay::carried).sum()
    }
}
