//! The time that the agent measures with.

/// Milliseconds since boot (`CLOCK_BOOTTIME`).
pub type Millis = u64;

/// Whether an operation may wait and gather its facts once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Time {
    Left,
    /// Its deadline is there.
    Over,
}
