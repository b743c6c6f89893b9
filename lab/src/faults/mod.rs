//! The faults: each in one [table](ALL), with what it does, how it is injected and how one sees that it happened.
//!
//! There is one [`heal`] for all of them, and it goes by what it finds, not by what was injected: it
//! works after a test that was killed, after two faults at once, and on a cluster that nobody broke.

mod applies;
mod bomb;
mod clock;
mod fault;
mod heal;
mod inject;
mod isolate;
mod leftovers;
mod lookup;
mod make;
mod memory;
mod people;
mod people_table;
mod rebuild;
pub mod replication;
mod several;
mod signals;
mod slow;
mod split;
mod storage;
mod table;
mod target;
mod trace;
pub mod without;

pub use super::truth::Loss;
pub use fault::{
    Breaks, CountsFrom, Disturbs, Fault, Forks, Injected, Insiders, Needs, Pause, Reset, Service,
};
pub use heal::{Healed, PRIMARY_AGAIN, Return, bring_back, forget_failures, heal};
pub use lookup::{ALL, by_name, parse_list};
pub use make::AT_LEAST;
pub use rebuild::OldPrimary;
pub use target::Target;
pub use trace::Trace;
