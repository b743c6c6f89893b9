//! What a look calls for: a reset is proposed, and happens where someone well goes on.

use super::act::{Act, ShutdownMode};
use super::subjects::Subject;
use crate::decide::reset::Ground;

/// A reset that something calls for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) ground: Ground,
    pub(super) mode: ShutdownMode,
    pub(super) why: String,
    /// The daemon that is killed in its stead, while nobody well would go on.
    pub(super) victim: Option<Subject>,
}

/// What a part of the detector proposes.
#[derive(Debug)]
pub(super) enum Proposal {
    Act(Act),
    Reset(Wanted),
}

impl From<Act> for Proposal {
    fn from(act: Act) -> Self {
        Self::Act(act)
    }
}

impl From<Wanted> for Proposal {
    fn from(wanted: Wanted) -> Self {
        Self::Reset(wanted)
    }
}
