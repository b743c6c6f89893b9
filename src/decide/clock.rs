//! The time that the agent measures with.

/// Milliseconds since boot (`CLOCK_BOOTTIME`).
pub type Millis = u64;
