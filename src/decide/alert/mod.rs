//! What somebody is told of a cluster, and what not: one sentence for an event that an operator wants to hear of.
//!
//! Pacemaker runs its alert agent for every event, on one node or on all of them, and for each recipient. What is a state of the cluster
//! (a node is lost, there is no standby) is compared with what was told last, by whichever node; what is an event of one node (a
//! promotion, a failed action) is told by that node alone.

mod changes;
mod events;
mod message;
mod options;
mod told;
mod trigger;

pub use changes::{Change, Facts, agrees, changes, concerns, resources};
pub use events::{Promoted, failure, promotion, role};
pub use message::{AGENT, Environment, Event, Message, Severity, attributes, pause_attribute};
pub use options::{Options, OptionsError, Target};
pub use told::{Told, attribute, topic};
pub use trigger::{Operation, Trigger, TriggerError, is_wanted};

#[cfg(test)]
mod tests;
