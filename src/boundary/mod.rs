//! Side effects.

pub mod clock;
pub mod command;
pub mod control_file;
pub mod identity;
pub mod postgres;
pub mod process;
pub mod storage;
