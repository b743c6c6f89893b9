//! Whether an instance knows which standbys have the acknowledged commits.

use crate::decide::memory::{Knowledge, LastRole};
use crate::decide::voters::NodeVoters;

/// Whether the record stands under the name of an instance's own node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing is put on record of this resource.
    NotNeeded,
    Yes,
    /// The primary has not told this node, or its pacemaker-attrd has begun anew since.
    NotYet,
}

impl Told {
    /// By what pacemaker-attrd has.
    #[must_use]
    pub fn of(node: &str, all: &[NodeVoters]) -> Told {
        if all.iter().any(|v| v.node == node) { Told::Yes } else { Told::NotYet }
    }

    /// What an instance knows by that: whose node may have missed the record, when all others that had it are gone, finds nothing on
    /// record, and that promises nothing. A primary has its own commits.
    #[must_use]
    pub const fn knowledge(self, knowledge: Knowledge, last_role: LastRole) -> Knowledge {
        match (self, last_role) {
            (Told::NotYet, LastRole::Standby) => Knowledge::Unproven,
            (Told::NotNeeded | Told::Yes, _) | (Told::NotYet, LastRole::Primary) => knowledge,
        }
    }
}
