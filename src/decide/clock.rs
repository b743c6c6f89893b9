//! The clocks, and the time that is left.

pub use crate::cluster::clock::{BootTime, ElapsedTime, Millis, ObserverTime};

/// Whether an operation may wait and gather its facts once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Time {
    Left,
    /// Its deadline is there.
    Over,
}
