//! The time in which two servers took writes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Finding;
use super::operation::Op;

/// A pause in a server's acknowledged writes after which it is not taken to have been writable all the
/// while: three rounds of the direct probes.
pub const RUN_GAP: Duration = Duration::from_millis(350);

/// A stretch of time in which a server took writes.
pub type Span = (Duration, Duration);

/// The stretches in which each server acknowledged the writes of one client, whose operations these are, in order.
///
/// One lasts from the beginning of its first write to the answer to its last: it can be too long by one
/// write's time, never too short. A failed attempt ends it, and so does a pause longer than [`RUN_GAP`], or a
/// write to another server. A server is one run of a postmaster: a node that is started anew is another one.
fn writable_spans<'a>(ops: impl Iterator<Item = &'a Op>) -> BTreeMap<i64, Vec<Span>> {
    let mut spans: BTreeMap<i64, Vec<Span>> = BTreeMap::new();
    let mut open = None;
    for op in ops.filter(|op| op.is_write()) {
        let server = op.served.as_ref().filter(|_| op.is_acked()).map(|s| s.run);
        if let Some(run) = server {
            let of_server = spans.entry(run).or_default();
            match of_server.last_mut() {
                Some(last) if open == Some(run) && op.asked.saturating_sub(last.1) <= RUN_GAP => {
                    last.1 = op.ended;
                }
                Some(_) | None => of_server.push((op.asked, op.ended)),
            }
        }
        open = server;
    }
    spans
}

/// The time in which two servers or more took writes, by all clients together.
#[must_use]
pub fn two_primaries(ops: &[Op]) -> Duration {
    let mut clients: BTreeMap<&str, Vec<&Op>> = BTreeMap::new();
    for op in ops {
        clients.entry(&op.client).or_default().push(op);
    }
    let mut servers: BTreeMap<i64, Vec<Span>> = BTreeMap::new();
    for of_client in clients.into_values() {
        for (server, spans) in writable_spans(of_client.into_iter()) {
            servers.entry(server).or_default().extend(spans);
        }
    }
    overlap(servers.into_values())
}

/// The time that two of the lists or more cover.
fn overlap(servers: impl Iterator<Item = Vec<Span>>) -> Duration {
    // Within one server the spans of several writers may overlap: that is one primary.
    let mut edges: Vec<(Duration, i32)> = Vec::new();
    for spans in servers {
        for (start, end) in merged(spans) {
            edges.push((start, 1));
            edges.push((end, -1));
        }
    }
    // At the same instant an end comes before a start: touching is not overlapping.
    edges.sort_unstable();
    let mut total = Duration::ZERO;
    let mut active = 0;
    let mut since = Duration::ZERO;
    for (at, step) in edges {
        if active >= 2 {
            total += at - since;
        }
        active += step;
        since = at;
    }
    total
}

fn merged(mut sorted: Vec<Span>) -> Vec<Span> {
    sorted.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in sorted {
        match merged.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            Some(_) | None => merged.push(span),
        }
    }
    merged
}

/// Rounded up: a fraction of a millisecond with two primaries is not none.
pub(super) fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// The finding, when there were two at any time.
#[must_use]
pub fn check(ops: &[Op]) -> Option<Finding> {
    let ms = whole_ms(two_primaries(ops));
    (ms > 0).then_some(Finding::TwoPrimaries { ms })
}
