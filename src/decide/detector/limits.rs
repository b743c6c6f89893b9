//! How long something may look bad before it counts as hanging.

use crate::cluster::timing::DAEMON_STOPPED_MS;
use crate::decide::clock::Millis;

/// How long something may look bad before it counts as hanging, in ms on the observer's own clock
/// ([`crate::decide::clock::ObserverTime`]), which runs at most [`Limits::longest_step`] from one look to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A daemon that runs and does not answer: long enough for a machine that is short of everything.
    pub silent: Millis,
    /// A daemon that is stopped by a signal.
    pub stopped: Millis,
    /// No message to oneself comes through corosync: longer than it may take to form a membership, [`Limits::totem`].
    pub totem: Millis,
    /// The quorum device's client has not reported to votequorum, by whose flag it is then not alive:
    /// [`Limits::device`].
    pub device: Millis,
    /// A small write.
    pub storage: Millis,
    /// A small write to what Pacemaker and corosync keep, before a node is reset for it.
    pub state: Millis,
    /// A postmaster that is stopped by a signal.
    pub postmaster: Millis,
    /// Without quorum before the primaries of this node are ended: a reading, not a flaw of one.
    pub quorum: Millis,
    /// Without quorum before the node is ended where its policy says so and Pacemaker does not do it.
    pub suicide: Millis,
    /// So much time passes between two looks at most.
    pub longest_step: Millis,
    /// A daemon that hangs so many times within [`Self::recurrence`] has its node reset.
    pub kills: usize,
    pub recurrence: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            silent: 10_000,
            stopped: Millis::from(DAEMON_STOPPED_MS),
            totem: Self::totem(6600, 3000),
            device: Self::device(10_000),
            // The time after which the agent, too, calls a disk stuck.
            storage: crate::decide::disk::STUCK_AFTER,
            // Longer than devices take by themselves: 30 s and five retries of SCSI, 180 s with VMware's or an array's own tools.
            state: 300_000,
            postmaster: 2000,
            quorum: 500,
            suicide: 4000,
            longest_step: 1000,
            kills: 3,
            recurrence: 600_000,
        }
    }
}

/// corosync's times as it runs, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningTotem {
    pub token_ms: u32,
    pub consensus_ms: u32,
    /// The quorum device's sync_timeout; 0 without one.
    pub sync_ms: u32,
}

impl Limits {
    /// The least time for [`Self::totem`]: while a membership forms (`recovery_ms`: token and consensus) and the quorum device is
    /// waited for (`sync_ms`) no message is delivered anywhere.
    #[must_use]
    pub const fn totem(recovery_ms: u32, sync_ms: u32) -> Millis {
        recovery_ms as Millis + sync_ms as Millis + MEMBERSHIP_MARGIN
    }

    /// The time for [`Self::device`]. It reports several times within the quorum device's timeout, also while
    /// it has lost the witness: that is a vote of no. Where it has missed a whole timeout votequorum takes
    /// its flag away. Another one goes by before it is restarted: a name service that hangs holds it up when
    /// it connects to the witness anew.
    #[must_use]
    pub const fn device(timeout_ms: u32) -> Millis {
        let timeout = timeout_ms as Millis;
        if timeout < LEAST_DEVICE { LEAST_DEVICE } else { timeout }
    }
}

/// A machine that is short of processors is given so long to report to votequorum.
const LEAST_DEVICE: Millis = 3000;
/// A membership that has not formed in its time has so much more.
pub(super) const MEMBERSHIP_MARGIN: Millis = 3000;
