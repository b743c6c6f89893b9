//! What the view's unit tests are made of.

use std::time::Duration;

use crate::lab::client::history::{Attempt, Outcome, Reading};
use crate::lab::report::RunResult;
use crate::lab::screen::Pulse;

/// A moment of the view's clock.
pub fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_764_000_000 + seconds)
}

/// A pulse whose newest write was acknowledged so many ms ago.
pub fn pulse(ago: u64) -> Pulse {
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
    Pulse {
        now,
        heart: Some(ack.clone()),
        tried: Some(ack),
        beat: Some(Reading { connection: 1, asked: ended, at: ended, newest: Ok(1194) }),
        writable: Vec::new(),
    }
}

/// A run in which nothing else went wrong.
pub fn result(fault: &str, outage_ms: Option<u64>) -> RunResult {
    RunResult {
        layout: "classic".to_owned(),
        suite: "bookworm".to_owned(),
        agent: "quorate".to_owned(),
        timing: "default".to_owned(),
        protocol: "quorate".to_owned(),
        reaction_ms: None,
        fault: fault.to_owned(),
        target: "primary".to_owned(),
        node: "srv1".to_owned(),
        run: 1,
        service: crate::lab::faults::Service::MustReturn,
        outage_ms,
        interruption_ms: 0,
        interruption_healing_ms: 0,
        acked: 100,
        lost_acked: Some(0),
        recovered: 0,
        unexpected: 0,
        two_primaries_ms: 0,
        replication: "free".to_owned(),
        lost_bytes: None,
        lost_ms: 0,
        findings: Vec::new(),
        old_primary: "standby again".to_owned(),
        human_help: Vec::new(),
        whole_after_ms: Some(1000),
        placement: String::new(),
        placement_after: String::new(),
        started_ms: None,
        load: String::new(),
        phases: Vec::new(),
        failed: None,
    }
}
