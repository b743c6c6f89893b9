//! The shell of `quorated`: threads that look, one that decides, some that act.
//!
//! ```text
//!  daemons, sockets, quorum, group,  each in a thread of its own: what it asks may block for ever
//!  instances, storage, cluster  ──▶  observations  ──▶  control: decide::detector, twice a second
//!                                                   │        and at once when a postmaster ends
//!                          keepalive ◀─ decides ───┤
//!                                                   ├──▶ commands: programs that may hang
//!                                                   └──▶ self_fence: the node's, in the control thread itself
//! ```
//!
//! What may hang (IPC, disks, the log, systemd) is never called by the threads that decide and keep the watchdogs alive.

#[cfg(test)]
mod allocations;
mod check;
mod cli;
mod cluster;
mod command_queue;
mod config;
mod control;
mod daemons;
mod evidence;
mod group;
mod health;
mod health_helper;
mod helper;
mod instances;
mod keepalive;
mod line;
mod log;
mod observations;
mod probes;
mod report;
mod requests;
mod resets;
mod resetter;
mod self_fence;
mod standstill;
mod storage;
mod threads;
mod usual_priority;

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
