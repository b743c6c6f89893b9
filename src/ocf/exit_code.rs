//! Exit codes, with the values that Pacemaker knows (`include/crm/common/results.h`, `enum ocf_exitcode`).

/// What an action exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum OcfCode {
    /// Done; for `monitor`: running unpromoted.
    Success = 0,
    /// Failed; Pacemaker recovers the resource.
    ErrGeneric = 1,
    /// A parameter's value can't be used on this node; Pacemaker bans the resource from this node.
    ErrArgs = 2,
    /// No such action.
    ErrUnimplemented = 3,
    /// The user may not do this; hard error on this node.
    ErrPerm = 4,
    /// Programs or files are missing; hard error on this node.
    ErrInstalled = 5,
    /// The configuration is wrong everywhere; fatal, Pacemaker stops the resource on all nodes.
    ErrConfigured = 6,
    /// Cleanly stopped, nothing of it is left.
    NotRunning = 7,
    /// Running promoted.
    RunningPromoted = 8,
    /// Failed while promoted.
    FailedPromoted = 9,
    /// Running unpromoted, but fails soon. Pacemaker ≥ 2.1.
    Degraded = 190,
    /// Running promoted, but fails soon. Pacemaker ≥ 2.1.
    DegradedPromoted = 191,
}

impl OcfCode {
    /// The process's exit status.
    pub const fn status(self) -> u8 {
        self as u8
    }

    /// Whether the caller needs a reason on standard error.
    pub const fn is_error(self) -> bool {
        !matches!(
            self,
            OcfCode::Success
                | OcfCode::NotRunning
                | OcfCode::RunningPromoted
                | OcfCode::Degraded
                | OcfCode::DegradedPromoted
        )
    }
}
