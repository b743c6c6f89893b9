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
    #[expect(clippy::unused_self, reason = "an action like the others")]
    pub(super) fn reload_agent(&mut self) -> Report {
        Report::new(OcfCode::Success, "the new parameters hold from the next action on")
    }
}
