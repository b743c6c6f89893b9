//! The emulated watchdog devices, sbd's and one for quorated: a library inside the node (`lab/preload/watchdog`), a timer outside.

mod server;
mod timer;

pub use server::{Device, Verdict};
