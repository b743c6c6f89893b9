//! The shell of `quorated`: threads that look, one that decides, some that act.
//!
//! ```text
//!  daemons, sockets, quorum, group,  each in a thread of its own: what it asks may block for ever
//!  instances, storage, cluster  ──▶  board  ──▶  control: decide::detector, twice a second
//!                                                   │        and at once when a postmaster ends
//!                          pet ◀── still decides ───┤
//!                                                   ├──▶ hands: programs that may hang
//!                                                   └──▶ ending: the node's, in the control thread itself
//! ```
//!
//! What may hang (IPC, disks, the log, systemd) is never called by the threads that decide and pet.

#[cfg(test)]
mod allocations;
mod board;
mod check;
mod cli;
mod cluster;
mod config;
mod control;
mod daemons;
mod ending;
mod evidence;
mod group;
mod hands;
mod helper;
mod instances;
mod line;
mod log;
mod pet;
mod probes;
mod report;
mod requests;
mod resets;
mod resetter;
mod standstill;
mod storage;
mod threads;

pub use cli::{Arguments, main};

/// What is wrong with the text of a configuration file, for people.
#[must_use]
pub fn configuration_error(text: &str) -> Option<String> {
    config::Config::parse(text).err()
}

/// Sleeps. None of these threads has anything to be in time for.
fn pause(wait: std::time::Duration) {
    crate::boundary::clock::Deadline::after(wait).sleep(wait);
}
