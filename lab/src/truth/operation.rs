//! What the checker is given: what each client did and saw, and what is there in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::record::history::{Outcome, Served};

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

    pub(super) fn is_write(&self) -> bool {
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
