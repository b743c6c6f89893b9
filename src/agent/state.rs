//! Tells the members how this instance is.

use std::time::Duration;

use super::Agent;
use crate::decide::cluster::Manager;
use crate::decide::facts::Facts;
use crate::decide::telling::due;

/// A server that is busy is asked again by the next monitor.
const PATIENCE: Duration = Duration::from_millis(500);

impl Agent<'_> {
    /// For operators' commands on any node: no decision of the agent depends on it, and a failure has no consequence but that they refuse.
    pub(super) fn tell_state(&mut self, facts: &Facts) {
        if self.manager() == Manager::Nobody || self.left() < 2 * PATIENCE {
            return;
        }
        let Some(told) = due(self.memory.told, facts.answer.as_ref(), self.host.now()) else { return };
        let Some(answer) = &facts.answer else { return };
        if self.host.tell_state(answer, PATIENCE).is_ok() {
            self.memory.told = Some(told);
        }
    }
}
