//! The insider: an application on an isolated primary's own side of the cable, whose session was there before.
//!
//! It needs neither the network nor a postmaster that accepts connections, so it sees every commit that a server takes until
//! its last process ends.

use std::time::Duration;

use super::endpoints::ClientError;
use super::worker::Worker;
use super::writer::{From, OnDeath};
use super::{Client, PROBE_PERIOD};
use crate::record::history::{Attempt, Log};

/// A commit that hangs with its disk may be acknowledged late, and counts then. Longer would hold up the end of the test.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where its node is paused it writes almost without a break: something is under way at each moment.
const BUSY_PERIOD: Duration = Duration::from_millis(5);
/// Its newest write is not older than this while it goes on: three of its rounds.
const GOES_ON: Duration = Duration::from_millis(350);

/// An insider's name in the history, and that of its list.
pub(super) fn called(node: &str) -> String {
    format!("inside {node}")
}

impl Client {
    /// Opens a session on this node's server from inside the node, which goes on writing until it dies. Once for each node.
    /// A fault that `lasts` a known time is a pause, which the session survives.
    ///
    /// # Errors
    /// When there is no such node, no way into it, or a thread can't be started. A session that can't connect shows in
    /// [`Self::insiders_are_good`].
    pub fn open_inside(&mut self, node: &str, lasts: Duration) -> Result<(), ClientError> {
        let found = self.endpoints.nodes.iter().find(|(name, _)| name == node);
        let (Some((_, address)), Some(inside)) = (found, &self.endpoints.inside) else {
            return Err(ClientError::NoWayInside { node: node.to_owned() });
        };
        let period = if lasts.is_zero() { PROBE_PERIOD } else { BUSY_PERIOD };
        let mut writer = self.writer(*address, self.node_table("inside", node), node, period);
        writer.from = From::Inside(inside.clone());
        writer.on_death = OnDeath::End;
        writer.patience = PATIENCE + lasts;
        let log = Log::default();
        self.workers.push(Worker::start(&self.endpoints, "inside", writer.run(log.clone()))?);
        self.insiders.insert(node.to_owned(), log);
        Ok(())
    }

    /// Whether the newest write of each insider was acknowledged.
    #[must_use]
    pub fn insiders_are_good(&self) -> bool {
        self.insiders.values().all(|log| log.last().is_some_and(|a| a.is_acked()))
    }

    /// Whether an insider still writes on one server while the writes through the float IP are good on another one.
    #[must_use]
    pub fn is_split(&self) -> bool {
        let now = self.clock.now();
        let run = |log: &Log<Attempt>| {
            let last = log.last_where(Attempt::is_acked)?;
            (now.saturating_sub(last.ended) <= GOES_ON).then_some(last.served?.run)
        };
        let Some(heart) = run(&self.heart) else { return false };
        self.insiders.values().filter_map(run).any(|insider| insider != heart)
    }
}
