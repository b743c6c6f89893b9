//! What the cluster says, as values: parsers and types, no side effects.

pub mod attributes;
pub mod calendar;
pub mod checker;
pub mod cib;
pub mod clock;
pub mod corosync;
pub mod crm_mon;
pub mod fencing_history;
#[cfg(feature = "daemon")]
pub mod group;
pub mod health;
pub mod journal;
pub mod panic_action;
pub mod reset_intent;
pub mod reset_record;
pub mod sbd;
pub mod self_fencing;
pub mod timing;
pub mod watchdog;
pub mod watchdog_proof;
