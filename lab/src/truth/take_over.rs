//! How one primary ended and the next began: by the commits that they acknowledged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::operation::Op;
use super::primaries;
use crate::record::history::Served;

/// The end of the server that was the primary when the fault struck, and the beginning of the next one. All times in ms since
/// the fault; what did not happen, or is not known, is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TakeOver {
    /// The instance's name.
    pub instance: String,
    /// The node that had the primary.
    pub old_node: String,
    /// When the node's cable was pulled, or began to lose packets.
    pub cut_ms: Option<u64>,
    /// The answer to the last commit that the old node acknowledged.
    pub last_commit_ms: Option<u64>,
    /// To whom.
    pub last_commit_to: String,
    /// The node of the next primary.
    pub new_node: String,
    /// The answer to the first commit that it acknowledged.
    pub first_commit_ms: Option<u64>,
    /// For how long both took writes.
    pub overlap_ms: u64,
    /// When the old node went on after a pause.
    pub went_on_ms: Option<u64>,
    /// Commits that it acknowledged afterwards.
    pub after_pause: usize,
    /// When the old node lost its power.
    pub reset_ms: Option<u64>,
    /// Who cut it.
    pub reset_by: String,
}

/// The commits of this history, as far as they tell; `None`: there was no primary at the fault.
///
/// A server belongs to the old node by the direct probe that met it there; without one by being the same run.
#[must_use]
pub fn take_over(ops: &[Op], fault: Duration) -> Option<TakeOver> {
    let commits = || {
        let served = |op: &'_ Op| op.served.clone().filter(|_| op.is_acked() && op.is_write());
        ops.iter().filter_map(move |op| Some((op, served(op)?)))
    };
    let (_, old) = commits().filter(|(op, _)| op.ended <= fault).max_by_key(|(op, _)| op.ended)?;
    let is_old = |server: &Served| server.run == old.run || (old.node.is_some() && server.node == old.node);
    let after = || commits().filter(|(op, _)| op.ended > fault);
    let last = after().filter(|(_, server)| is_old(server)).max_by_key(|(op, _)| op.ended);
    let first = after().filter(|(_, server)| !is_old(server)).min_by_key(|(op, _)| op.ended);
    let ms = |op: &Op| u64::try_from(op.ended.saturating_sub(fault).as_millis()).unwrap_or(u64::MAX);
    let node = |server: &Served| server.node.clone().unwrap_or_else(|| "unknown".to_owned());
    Some(TakeOver {
        old_node: node(&old),
        last_commit_ms: last.as_ref().map(|(op, _)| ms(op)),
        last_commit_to: last.map(|(op, _)| op.client.clone()).unwrap_or_default(),
        new_node: first.as_ref().map(|(_, server)| node(server)).unwrap_or_default(),
        first_commit_ms: first.map(|(op, _)| ms(op)),
        overlap_ms: primaries::whole_ms(primaries::two_primaries(ops)),
        ..TakeOver::default()
    })
}

/// How many commits this node acknowledged from then on.
#[must_use]
pub fn acked_by(ops: &[Op], node: &str, from: Duration) -> usize {
    let its = |op: &&Op| op.served.as_ref().is_some_and(|s| s.node.as_deref() == Some(node));
    ops.iter().filter(|op| op.is_acked() && op.is_write() && op.ended >= from).filter(its).count()
}

impl TakeOver {
    /// What followed a pause, in words; `None`: there was none.
    #[must_use]
    pub fn pause(&self) -> Option<String> {
        let went_on = self.went_on_ms?;
        let last = match self.last_commit_ms.filter(|_| self.after_pause > 0) {
            Some(last) => format!(", the last {} ms afterwards", last.saturating_sub(went_on)),
            None => String::new(),
        };
        let first = self.first_commit_ms.map_or("none on another node".to_owned(), |ms| {
            format!("the first on {} after {} ms", self.new_node, ms)
        });
        Some(format!(
            "{}: {} went on after {went_on} ms and acknowledged {} commits{last}; {first}",
            self.instance, self.old_node, self.after_pause
        ))
    }

    /// Two primaries in words; `None`: there was one at a time.
    #[must_use]
    pub fn split(&self) -> Option<String> {
        let first = self.first_commit_ms.filter(|_| self.overlap_ms > 0)?;
        let s = |ms: u64| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10);
        let reset = self.reset_ms.map_or("not reset".to_owned(), |ms| format!("reset after {}", s(ms)));
        Some(format!(
            "{}: last commit on {} after {} (to {}), first on {} after {}; {} {reset}",
            self.instance,
            self.old_node,
            self.last_commit_ms.map_or("none".to_owned(), s),
            self.last_commit_to,
            self.new_node,
            s(first),
            self.old_node
        ))
    }
}
