//! What the client saw last, for those who look on while it works.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use super::endpoints::Clock;
use crate::record::history::{Attempt, Log, Reading};

/// A direct write that is no older shows that its node takes writes now: ten periods.
const FRESH: Duration = Duration::from_secs(1);

/// What the client saw last.
#[derive(Debug, Clone, Default)]
pub struct ClientState {
    /// The client's time now.
    pub now: Duration,
    /// The newest write that was acknowledged.
    pub heart: Option<Attempt>,
    /// The newest attempt to write.
    pub tried: Option<Attempt>,
    /// The newest reading.
    pub beat: Option<Reading>,
    /// The nodes that take writes by their own address.
    pub writable: Vec<String>,
}

/// Gives a client's client to another thread. Cheap to clone and to ask: it shares the client's lists.
#[derive(Debug, Clone)]
pub struct Source {
    pub(super) clock: Clock,
    pub(super) heart: Log<Attempt>,
    pub(super) beat: Log<Reading>,
    pub(super) direct: BTreeMap<String, Log<Attempt>>,
    pub(super) works: Weak<()>,
}

impl Source {
    /// Whether the client is still at work.
    #[must_use]
    pub fn works(&self) -> bool {
        self.works.strong_count() > 0
    }

    /// The client now.
    #[must_use]
    pub fn client(&self) -> ClientState {
        let now = self.clock.now();
        ClientState {
            now,
            heart: self.heart.last_where(Attempt::is_acked),
            tried: self.heart.last(),
            beat: self.beat.last(),
            writable: self.writable(now),
        }
    }

    /// The nodes whose newest direct write was acknowledged a moment before `now`.
    pub(super) fn writable(&self, now: Duration) -> Vec<String> {
        let fresh = |a: &Attempt| a.is_acked() && now.saturating_sub(a.ended) < FRESH;
        let takes = |log: &Log<Attempt>| log.last().is_some_and(|a| fresh(&a));
        self.direct.iter().filter(|(_, log)| takes(log)).map(|(node, _)| node.clone()).collect()
    }
}
