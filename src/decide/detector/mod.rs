//! What `quorated` concludes from what it sees of a node: which daemon, disk or PostgreSQL hangs, whether this node still may write,
//! and what is done about it.
//!
//! sbd notices that a daemon died, hardly that it hangs; and it hears of a lost quorum from Pacemaker, whose daemons may hang.
//! So each daemon is asked here, and corosync itself is asked for the quorum. What keeps this from ending healthy nodes:
//!
//! - A daemon counts only after it was seen healthy, and only as long as it is the same process.
//! - A time counts on the clock of the observer: a moment in which `quorated` itself did not run is held against nobody.
//! - It takes several looks *and* a time. A process that is stopped by a signal is evidence of its own, and takes less time.
//! - What is stopped in an orderly way, or under maintenance, is left alone. Not being able to ask whether that is so excuses
//!   nobody.
//! - The node itself is reset only where someone well goes on: [`super::reset`].

mod act;
mod detect;
#[cfg(test)]
mod disk_tests;
mod excuses;
pub mod identity;
mod instances;
mod limits;
mod maintenance;
mod observation;
mod proposal;
mod quorum;
mod search;
mod shortage;
mod storage;
mod subjects;
#[cfg(test)]
mod tests;
mod watch;

pub use super::clock::Millis;
pub use act::{Act, LogLevel, ShutdownMode};
pub use detect::Detector;
pub use excuses::Excuse;
pub use limits::{Limits, RunningTotem};
pub use observation::{
    ClusterSettings, Content, DaemonObservation, InstanceObservation, Maintenance, NodeSnapshot,
    PlaceObservation, PostmasterState, Progress, Quorum, Shortage, Unit,
};
pub use search::Search;
pub use shortage::goes_round;
pub use subjects::{Expected, Remedy, Rule, Subject};
