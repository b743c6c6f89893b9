//! The only place with side effects. Each file is one kind of thing that can be asked or done; [`host::Host`] is what of it
//! the agent uses, [`node::Node`] does it for real, [`fake::FakeHost`] plays it.

pub mod clock;
pub mod command;
pub mod control_file;
pub mod corosync;
#[cfg(feature = "daemon")]
pub mod corosync_lib;
pub mod departed;
pub mod ending;
pub mod fake;
pub mod files;
pub mod host;
pub mod identity;
pub mod input;
#[cfg(feature = "cli")]
pub mod inspect;
#[cfg(feature = "daemon")]
pub mod ipc;
pub mod log;
pub mod memory;
pub mod node;
pub mod pacemaker;
pub mod postgres;
pub mod process;
#[cfg(feature = "daemon")]
pub mod realtime;
pub mod registry;
#[cfg(feature = "cli")]
pub mod scheduler;
#[cfg(feature = "cli")]
pub mod setup;
pub mod storage;
#[cfg(feature = "daemon")]
pub mod watchdog;
pub mod write_test;
