//! `demote`: PostgreSQL can't go back to recovery while it runs, so it is shut down and started as a standby.

use super::start::Upstreams;
use super::stop::Down;
use super::{Agent, Report};
use crate::decide::facts::Word;
use crate::decide::memory::Former;
use crate::decide::stop::Purpose;
use crate::ocf::OcfCode;

impl Agent<'_> {
    pub(super) fn demote(&mut self) -> Report {
        let facts = self.glance(self.left());
        if facts.word() == Word::Standby {
            return Report::new(OcfCode::Success, "a standby runs already");
        }
        let purpose = self.purpose(&facts, Purpose::Demote);
        let how = match self.bring_down(purpose, self.left()) {
            Ok(Down::WasDown) => "nothing was running",
            Ok(Down::Stopped(how)) => how,
            Err(reason) => return Report::changed(OcfCode::ErrGeneric, reason),
        };
        self.note_former(Former::Primary);
        if self.listed(&self.plan.stopping) {
            // A recovery: Pacemaker stops it next. A standby that is started in between only costs time.
            return Report::changed(OcfCode::Success, format!("brought down ({how}), its stop follows"));
        }
        if let Some(refusal) = self.installation_trouble() {
            return refusal;
        }
        match self.start_standby(Upstreams::NobodyYet) {
            Ok(reason) => Report::changed(OcfCode::Success, format!("demoted ({how}): {reason}")),
            Err((code, reason)) => Report::changed(code, reason),
        }
    }
}
