//! Whether anything was lost or went wrong: a checker over the whole history of what clients did and saw.
//!
//! Values in, findings out: no clock, no files. One file a property:
//!
//! | file | finds |
//! |---|---|
//! | [`lists`] | acknowledged writes that are lost, refused ones that are there, unanswered ones that are there |
//! | [`primaries`] | time in which two servers took writes |
//! | `take_over` | the last commit of one primary and the first of the next |
//! | [`reads`] | reads that went back in time on one connection |
//! | [`registers`] | values that nobody wrote, or that had been overwritten before the read began |
//! | [`timelines`] | timelines that do not form one line |
//!
//! Each rule condemns only what no order of the operations can explain: an operation takes effect somewhere between its
//! being asked and its answer, and one without an answer at any time after its being asked, or never.

mod finding;
pub mod lists;
pub mod primaries;
pub mod reads;
pub mod registers;
mod take_over;
mod tell;
pub mod timelines;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::record::history::{Outcome, Served};

pub use finding::{Finding, Found, Loss, words};
pub use take_over::{TakeOver, acked_by, take_over};
pub use tell::tell;

/// What an operation was to do, and what a reading brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// One element is added to a list.
    Append {
        /// The list's name.
        list: String,
        /// The element; never used twice in a list.
        id: i64,
    },
    /// A register is overwritten.
    Write {
        /// Which one.
        register: i64,
        /// The new value; never used twice.
        value: i64,
    },
    /// Something is read.
    Read(Shown),
}

/// What a reading showed; empty for one that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The newest element of each list that was asked for; `None`: the list was empty.
    pub newest: BTreeMap<String, Option<i64>>,
    /// The registers.
    pub registers: BTreeMap<i64, i64>,
}

/// One operation of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// Who: heart, session, a direct probe, …; each does one thing after the other.
    pub client: String,
    /// Which of its connections, counted from 1.
    pub connection: u32,
    /// What.
    pub action: Action,
    /// When the statement was sent; of one that never was, when connecting began.
    pub asked: Duration,
    /// When the answer came or the client gave up.
    pub ended: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Who answered, where the answer says so.
    pub served: Option<Served>,
}

impl Op {
    /// Whether the server acknowledged it.
    #[must_use]
    pub fn is_acked(&self) -> bool {
        self.outcome == Outcome::Acked
    }

    fn is_write(&self) -> bool {
        !matches!(self.action, Action::Read(_))
    }
}

/// What the primary that is left in the end has, read after every client had stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Final {
    /// When it was asked for.
    pub asked: Duration,
    /// The elements of each list. A list that isn't here was not read, and its writes can't be judged.
    pub lists: BTreeMap<String, BTreeSet<i64>>,
    /// The registers.
    pub registers: BTreeMap<i64, i64>,
}

/// What the checker says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// Acknowledged elements of the lists that were read in the end.
    pub acked: usize,
    /// What it found.
    pub findings: Vec<Finding>,
}

impl Truth {
    /// How many acknowledged writes are lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.sum(|f| if let Finding::LostAcked { count, .. } = f { *count } else { 0 })
    }

    /// How many unanswered writes are there.
    #[must_use]
    pub fn recovered(&self) -> usize {
        self.sum(|f| if let Finding::Recovered { count } = f { *count } else { 0 })
    }

    /// How many refused writes are there.
    #[must_use]
    pub fn came_back(&self) -> usize {
        self.sum(|f| if let Finding::CameBack { count, .. } = f { *count } else { 0 })
    }

    fn sum(&self, number: impl Fn(&Finding) -> usize) -> usize {
        self.findings.iter().map(number).sum()
    }
}

/// Checks a whole history against what is there in the end.
#[must_use]
pub fn check(ops: &[Op], end: &Final) -> Truth {
    let effects = registers::Effects::of(ops);
    let mut truth = lists::check(ops, end);
    truth.findings.extend(primaries::check(ops));
    truth.findings.extend(reads::check(ops, &effects));
    truth.findings.extend(registers::check(ops, end, &effects));
    truth.findings.extend(timelines::check(ops, end));
    truth
}

#[cfg(test)]
mod tests;
