//! The emulated watchdog device: a library inside the node (`preload.rs`, built on its own), a timer outside.

mod server;
mod timer;

pub use server::{Device, Verdict};
