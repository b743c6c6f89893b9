//! What the client saw: each attempt to write, with its times and how it ended.
//!
//! Times are [`Duration`]s since the client's start, so that the functions in [`crate::record::measure`]
//! can be tried on histories made by hand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate::pg::lsn::Lsn;
use quorate::pg::timeline::Timeline;

/// How an attempt to write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server said that it is committed: it must never be lost.
    Acked,
    /// Certainly not committed: no connection, or the server refused it with an error.
    Refused(String),
    /// Sent, and no answer came: it may be there or not, and both are right.
    Uncertain(String),
}

/// Who answered a write, by its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// When the server's postmaster was started, in µs: no two servers of a test were started in the same one, and the
    /// answer's own address would only be the float IP.
    pub run: i64,
    /// The node on which that server runs, once a direct probe has met it there.
    pub node: Option<String>,
    /// The timeline that it wrote on.
    pub timeline: Option<Timeline>,
    /// The end of the write-ahead log just before the commit.
    pub lsn: Option<Lsn>,
}

/// One attempt to write a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The row's key; never used twice.
    pub id: i64,
    /// Which of the writer's connections, counted from 1.
    pub connection: u32,
    /// When the attempt began, connecting included.
    pub sent: Duration,
    /// When the statement was sent; of one that never was, the same as `sent`.
    pub asked: Duration,
    /// When the answer came or the client gave up.
    pub ended: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Who answered, when it was acknowledged.
    pub served: Option<Served>,
}

impl Attempt {
    /// Whether the server acknowledged it.
    #[must_use]
    pub fn is_acked(&self) -> bool {
        self.outcome == Outcome::Acked
    }
}

/// What one reading through the standby's address brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which of the reader's connections, counted from 1.
    pub connection: u32,
    /// When the question was sent; of one that never was, when connecting began.
    pub asked: Duration,
    /// When the answer came.
    pub at: Duration,
    /// The newest id that was there, or why there is none.
    pub newest: Result<i64, String>,
}

/// A list that one task fills while others read it.
#[derive(Debug)]
pub struct Log<T>(Arc<Mutex<Vec<T>>>);

// Derived `Clone` would ask for `T: Clone`, which sharing doesn't need.
impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Log<T> {
    /// Adds one entry.
    pub fn push(&self, entry: T) {
        self.entries().push(entry);
    }

    /// All entries until now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<T> {
        self.entries().clone()
    }

    /// The newest entry.
    #[must_use]
    pub fn last(&self) -> Option<T> {
        self.entries().last().cloned()
    }

    /// The newest entry for which `wanted` holds.
    pub fn last_where(&self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        self.entries().iter().rev().find(|e| wanted(e)).cloned()
    }

    /// Forgets all but the newest `keep` entries; for a view that runs for days.
    pub fn trim(&self, keep: usize) {
        let mut entries = self.entries();
        let surplus = entries.len().saturating_sub(keep);
        entries.drain(..surplus);
    }

    /// A poisoned lock holds a list that is still whole: `push` either happened or didn't.
    fn entries(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
