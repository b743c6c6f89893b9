//! What the view's unit tests are made of.

use std::time::Duration;

use crate::client::state::ClientState;
use crate::record::history::{Attempt, Outcome, Reading};
use crate::report::RunResult;
use crate::testing::good;

/// A moment of the view's clock.
pub fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_764_000_000 + seconds)
}

/// A client whose newest write was acknowledged so many ms ago.
pub fn client(ago: u64) -> ClientState {
    let now = Duration::from_secs(100);
    let ended = now - Duration::from_millis(ago);
    let ack = Attempt {
        id: 1198,
        connection: 1,
        sent: ended,
        asked: ended,
        ended,
        outcome: Outcome::Acked,
        served: None,
    };
    ClientState {
        now,
        heart: Some(ack.clone()),
        tried: Some(ack),
        beat: Some(Reading { connection: 1, asked: ended, at: ended, newest: Ok(1194) }),
        writable: Vec::new(),
    }
}

/// A run in which nothing else went wrong.
pub fn result(fault: &str, outage_ms: Option<u64>) -> RunResult {
    RunResult { outage_ms, ..good(fault) }
}
