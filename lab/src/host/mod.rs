//! The host of the lab, and what every room needs: its commands, waits, places and errors.

pub mod chance;
pub mod error;
pub mod memory;
pub mod paths;
pub mod progress;
pub mod run;
pub mod wait;
