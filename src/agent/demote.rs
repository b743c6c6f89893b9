//! `demote`: PostgreSQL can't go back to recovery while it runs, so it is shut down and started as a standby.

use super::stop::Down;
use super::{Agent, Report};
use crate::decide::demote::{Afterwards, Step, afterwards, decide};
use crate::decide::start::Occasion;
use crate::decide::stop::{Planned, Purpose};
use crate::ocf::OcfCode;

impl Agent<'_> {
    pub(super) fn demote(&mut self) -> Report {
        let facts = self.glance(self.left());
        let recorded = self.host.recorded();
        let leaves = match decide(&facts, recorded) {
            Step::Nothing => return Report::new(OcfCode::Success, "a standby runs already"),
            Step::BringDown(leaves) => leaves,
        };
        let purpose = self.purpose(&facts, Purpose::Demote);
        let how = match self.bring_down(purpose, self.left()) {
            Ok(Down::WasDown) => "nothing was running",
            Ok(Down::Stopped(how)) => how,
            Err(reason) => return Report::changed(OcfCode::ErrGeneric, reason),
        };
        if let Some(last_role) = leaves {
            self.note_last_role(last_role);
        }
        let planned = if self.listed(&self.plan.stopping) { Planned::Stop } else { Planned::Neither };
        if afterwards(planned) == Afterwards::Nothing {
            self.leave_a_standby();
            return Report::changed(OcfCode::Success, format!("stopped ({how}); Pacemaker's stop follows"));
        }
        if let Some(refusal) = self.installation_trouble() {
            return refusal;
        }
        match self.start_standby(Occasion::Demotion) {
            Ok(reason) => Report::changed(OcfCode::Success, format!("demoted ({how}): {reason}")),
            Err(refusal) => Report::changed(refusal.code, refusal.reason),
        }
    }
}
