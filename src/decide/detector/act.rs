//! What follows from a look.

use crate::decide::reset::Ground;
use crate::pg::instance::ProcessId;

/// How loudly something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Note,
    Warning,
    Error,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Say(LogLevel, String),
    /// The state of all units, and the cluster's live configuration, are wanted at the next look.
    AskUnits,
    /// The others are asked whether someone well goes on when this node resets itself.
    AskOthers {
        number: u64,
        why: String,
    },
    /// That is given up.
    Withdraw {
        number: u64,
    },
    /// SIGKILL; its supervisor starts it anew.
    Kill {
        process: ProcessId,
        why: String,
    },
    /// SIGKILL, and systemd is told to start the unit.
    Restart {
        process: ProcessId,
        unit: &'static str,
        why: String,
    },
    /// SIGKILL to every process of the primaries of this node. They may be started again by who has the right to.
    Fence {
        why: String,
    },
    /// Pacemaker is told that the instance failed.
    Fail {
        resource: String,
        node: String,
        why: String,
    },
    /// This node ends now. Nothing else comes after it.
    Reset {
        ground: Ground,
        mode: ShutdownMode,
        why: String,
    },
}

/// How the PostgreSQL of a node that ends is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// It is told to shut down first: it sends its standbys what they lack. The others go on only when they are told to, or after
    /// stonith-watchdog-timeout, which is far longer.
    Orderly,
    /// SIGKILL: a device hangs, and a shutdown would wait for it.
    Immediate,
}
