//! `demote`: PostgreSQL can't go back to recovery while it runs, so it is shut down and started as a standby.

use super::stop::Down;
use super::{Agent, Report};
use crate::decide::facts::Word;
use crate::decide::memory::Former;
use crate::decide::start::Occasion;
use crate::decide::stop::{AfterDemotion, Planned, Purpose, after_demotion};
use crate::ocf::OcfCode;
use crate::pg::role::PgRole;

impl Agent<'_> {
    pub(super) fn demote(&mut self) -> Report {
        let facts = self.glance(self.left());
        // One that was told to promote becomes a primary as soon as it has replayed what it has: it is brought down.
        if facts.word() == Word::Standby && self.host.recorded() != Some(PgRole::Primary) {
            return Report::new(OcfCode::Success, "a standby runs already");
        }
        let purpose = self.purpose(&facts, Purpose::Demote);
        let how = match self.bring_down(purpose, self.left()) {
            Ok(Down::WasDown) => "nothing was running",
            Ok(Down::Stopped(how)) => how,
            Err(reason) => return Report::changed(OcfCode::ErrGeneric, reason),
        };
        self.note_former(Former::Primary);
        let planned = if self.listed(&self.plan.stopping) { Planned::Stop } else { Planned::Neither };
        match after_demotion(planned) {
            AfterDemotion::Nothing => {
                return Report::changed(OcfCode::Success, format!("brought down ({how}), its stop follows"));
            }
            AfterDemotion::StartStandby => {}
        }
        if let Some(refusal) = self.installation_trouble() {
            return refusal;
        }
        match self.start_standby(Occasion::Demotion) {
            Ok(reason) => Report::changed(OcfCode::Success, format!("demoted ({how}): {reason}")),
            Err((code, reason)) => Report::changed(code, reason),
        }
    }
}
