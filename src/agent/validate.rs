//! `validate-all` and `reload-agent`.

use super::{Agent, Report};
use crate::ocf::OcfCode;

impl Agent<'_> {
    /// The parameters were read strictly before we came here; what is left is this node. That notify=true is set is
    /// checked at start: pcs validates before Pacemaker could have told us.
    pub(super) fn validate_all(&mut self) -> Report {
        self.installation_trouble().unwrap_or_else(|| Report::new(OcfCode::Success, "usable"))
    }

    /// Every reloadable parameter is read anew by each call: there is nothing to reload.
    pub(super) fn reload_agent(&mut self) -> Report {
        // The next monitor of a primary looks whom its commits wait for.
        self.memory.synchronous.settled = None;
        Report::new(OcfCode::Success, "the new parameters take effect with the next action")
    }
}
