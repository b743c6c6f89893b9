//! The only place with side effects. Each file is one kind of thing that can be asked or done; [`host::Host`] is what of it
//! the agent uses, [`node::Node`] does it for real, [`fake::FakeHost`] plays it.

pub mod clock;
pub mod command;
pub mod control_file;
pub mod departed;
pub mod fake;
pub mod files;
pub mod host;
pub mod identity;
#[cfg(feature = "cli")]
pub mod inspect;
pub mod log;
pub mod memory;
pub mod node;
pub mod pacemaker;
pub mod postgres;
pub mod process;
pub mod registry;
#[cfg(feature = "cli")]
pub mod scheduler;
#[cfg(feature = "cli")]
pub mod setup;
#[cfg(feature = "cli")]
pub mod sight;
pub mod storage;
pub mod write_test;
