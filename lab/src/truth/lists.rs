//! The set checker (after Jepsen's): what was acknowledged against what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::finding::{Finding, LISTED, Truth};
use super::operation::{Action, Final, Op};
use crate::record::history::Outcome;
use quorate::pg::lsn::Lsn;
use quorate::pg::timeline::Timeline;

/// The elements of a list that some client tried to add.
fn appends<'a>(ops: &'a [Op], list: &'a str) -> impl Iterator<Item = (&'a Op, i64)> {
    ops.iter().filter_map(move |op| match &op.action {
        Action::Append { list: of, id } if of == list => Some((op, *id)),
        Action::Append { .. } | Action::Write { .. } | Action::Read(_) => None,
    })
}

/// Compares each list that was read in the end with what was done to it.
#[must_use]
pub fn check(ops: &[Op], end: &Final) -> Truth {
    let (mut acked, mut recovered) = (0, 0);
    let (mut lost, mut lost_ids, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for (list, there) in &end.lists {
        let mut allowed = BTreeSet::new();
        for (op, id) in appends(ops, list) {
            match op.outcome {
                Outcome::Acked => {
                    acked += 1;
                    allowed.insert(id);
                    if !there.contains(&id) {
                        lost.push(op);
                        lost_ids.push(format!("{list}:{id}"));
                    }
                }
                Outcome::Uncertain(_) => {
                    allowed.insert(id);
                    recovered += usize::from(there.contains(&id));
                }
                Outcome::Refused(_) => {}
            }
        }
        back.extend(there.difference(&allowed).map(|id| format!("{list}:{id}")));
    }
    let mut findings = Vec::new();
    if !lost.is_empty() {
        lost_ids.truncate(LISTED);
        let (bytes, span) = extent(&lost, ops, end);
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        findings.push(Finding::LostAcked { count: lost.len(), ids: lost_ids, bytes, span_ms });
    }
    if recovered > 0 {
        findings.push(Finding::Recovered { count: recovered });
    }
    if !back.is_empty() {
        let count = back.len();
        back.truncate(LISTED);
        findings.push(Finding::CameBack { count, ids: back });
    }
    Truth { acked, findings }
}

/// Bytes of WAL and time that the lost writes cover. Those of one timeline were lost together, at its end; several
/// failovers lose several ends.
fn extent(lost: &[&Op], ops: &[Op], end: &Final) -> (Option<u64>, Duration) {
    let mut by_timeline: BTreeMap<Option<Timeline>, Vec<&Op>> = BTreeMap::new();
    for op in lost {
        by_timeline.entry(op.served.as_ref().and_then(|s| s.timeline)).or_default().push(op);
    }
    let (mut bytes, mut span) = (None, Duration::ZERO);
    for (timeline, lost) in by_timeline {
        let times = lost.iter().map(|op| op.ended);
        if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
            span += last - first;
        }
        let positions = lost.iter().filter_map(|op| op.served.as_ref()?.lsn);
        if let (Some(first), Some(last)) = (positions.clone().min(), positions.max()) {
            let from = timeline.and_then(|t| last_kept(ops, end, t, first)).unwrap_or(first);
            bytes = Some(bytes.unwrap_or(0) + last.saturating_bytes_since(from));
        }
    }
    (bytes, span)
}

/// Where the newest write is that was kept, before a position of a timeline.
fn last_kept(ops: &[Op], end: &Final, timeline: Timeline, before: Lsn) -> Option<Lsn> {
    let kept = ops.iter().filter(|op| op.is_acked() && is_kept(op, end));
    let there = kept.filter_map(|op| op.served.as_ref()).filter(|s| s.timeline == Some(timeline));
    there.filter_map(|s| s.lsn).filter(|lsn| *lsn < before).max()
}

/// Whether the operation added an element that is there in the end.
pub(super) fn is_kept(op: &Op, end: &Final) -> bool {
    match &op.action {
        Action::Append { list, id } => end.lists.get(list).is_some_and(|there| there.contains(id)),
        Action::Write { .. } | Action::Read(_) => false,
    }
}
