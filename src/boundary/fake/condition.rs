//! What a played server is like, and what fails around it.

/// The condition of the played server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Down,
    Standby,
    Primary,
    /// All processes stopped by SIGSTOP.
    Frozen,
    /// Alive, and deaf to everything but SIGKILL.
    Deaf,
    /// Alive, and even SIGKILL does not end it: a device hangs.
    Immortal,
    /// Only children are left.
    Orphans,
    /// Shut down but for an archive_command that hangs.
    Archiving,
}

/// Which effects fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    Nothing,
    /// Pacemaker's programs.
    Cluster,
    /// The launch: the server ends at once.
    Launch,
    /// Writing after a promotion.
    Writes,
    /// Reading the timeline histories.
    Histories,
}
