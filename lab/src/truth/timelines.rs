//! The timelines on which writes were acknowledged have to form one line: each promotion begins a higher one, above all
//! that is kept of the lower ones.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Finding, Tally};
use super::lists;
use super::operation::{Final, Op};
use crate::record::history::Served;
use quorate::pg::lsn::Lsn;
use quorate::pg::timeline::Timeline;

/// An acknowledged write whose timeline is known.
struct Write<'a> {
    op: &'a Op,
    timeline: Timeline,
    lsn: Option<Lsn>,
    node: Option<&'a str>,
}

/// Checks all acknowledged writes whose answer named the timeline.
#[must_use]
pub fn check(ops: &[Op], end: &Final) -> Option<Finding> {
    let of = |op| {
        let served = served(op)?;
        Some(Write { op, timeline: served.timeline?, lsn: served.lsn, node: served.node.as_deref() })
    };
    let writes: Vec<Write<'_>> = ops.iter().filter_map(of).collect();
    let mut broken = Tally::default();
    went_down(&writes, &mut broken);
    shared(&writes, &mut broken);
    forked_below(&writes, end, &mut broken);
    broken.finding(|times, first| Finding::BrokenTimelines { times, first })
}

fn served(op: &Op) -> Option<&Served> {
    op.served.as_ref().filter(|_| op.is_acked() && op.is_write())
}

/// A write that began after another one's answer is on the same timeline or on a higher one.
fn went_down(writes: &[Write<'_>], broken: &mut Tally) {
    let mut by_beginning: Vec<&Write<'_>> = writes.iter().collect();
    by_beginning.sort_by_key(|w| w.op.asked);
    let mut by_end = by_beginning.clone();
    by_end.sort_by_key(|w| w.op.ended);
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<&Write<'_>> = None;
    for write in by_beginning {
        while let Some(before) = ended.next_if(|w| w.op.ended < write.op.asked) {
            if highest.is_none_or(|h| before.timeline > h.timeline) {
                highest = Some(before);
            }
        }
        if let Some(high) = highest.filter(|h| h.timeline > write.timeline) {
            broken.add(|| {
                format!(
                    "{} wrote on timeline {} of {} at {:.3} s, after a write on timeline {} of {} at {:.3} s",
                    write.op.client,
                    write.timeline,
                    write.node.unwrap_or("an unknown node"),
                    seconds(write.op.ended),
                    high.timeline,
                    high.node.unwrap_or("an unknown node"),
                    seconds(high.op.ended)
                )
            });
        }
    }
}

/// A timeline is written by one node: another one that is promoted begins its own.
fn shared(writes: &[Write<'_>], broken: &mut Tally) {
    let mut owners: BTreeMap<Timeline, &str> = BTreeMap::new();
    for write in writes {
        let Some(node) = write.node else { continue };
        let owner = *owners.entry(write.timeline).or_insert(node);
        if owner != node {
            broken.add(|| format!("{owner} and {node} both wrote on timeline {}", write.timeline));
        }
    }
}

/// What is kept of a timeline lies below the place where a higher one left it, and that below all of the higher one's.
fn forked_below(writes: &[Write<'_>], end: &Final, broken: &mut Tally) {
    let mut lowest: BTreeMap<Timeline, Lsn> = BTreeMap::new();
    for write in writes {
        if let Some(lsn) = write.lsn {
            let first = lowest.entry(write.timeline).or_insert(lsn);
            *first = (*first).min(lsn);
        }
    }
    for write in writes.iter().filter(|w| lists::is_kept(w.op, end)) {
        let Some(lsn) = write.lsn else { continue };
        let above = lowest.iter().find(|(timeline, first)| **timeline > write.timeline && **first < lsn);
        if let Some((timeline, first)) = above {
            broken.add(|| {
                format!(
                    "a write on timeline {} at {lsn} is kept, and timeline {timeline} was written below, at {first}",
                    write.timeline
                )
            });
        }
    }
}

fn seconds(at: Duration) -> f64 {
    at.as_secs_f64()
}
