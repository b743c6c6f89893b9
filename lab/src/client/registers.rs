//! Registers, and readings of everything through the primary's float IP.
//!
//! The session opened before the fault updates them on its way; two workers of their own do it in new sessions, and
//! read on one that is kept as long as it lives.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::connect::{self, Open, Row, SERVED, STATEMENT_TIMEOUT, served};
use super::endpoints::{Clock, Endpoints};
use super::worker::Stop;
use crate::record::history::{Log, Outcome};
use crate::truth::{Action, Op, Shown};

/// How many there are: few, so that each is overwritten within a second.
pub(super) const COUNT: i64 = 8;

/// One user of the registers.
#[derive(Clone)]
pub(super) struct Registers {
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) clock: Clock,
    pub(super) client: &'static str,
    /// The registers' table.
    pub(super) table: String,
    /// The lists that are read along, by name: their tables.
    pub(super) lists: Vec<(&'static str, String)>,
    /// The last value that any client wrote; the next one's register is its rest.
    pub(super) last_value: Arc<AtomicI64>,
    pub(super) log: Log<Op>,
}

/// What a worker does in each turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Opens a session, updates a register, reads, and closes it.
    NewSession,
    /// Reads in a session that is kept as long as it lives.
    Read,
}

impl Registers {
    /// The statements that make the table.
    pub(super) fn create(table: &str) -> String {
        format!(
            "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (k int PRIMARY KEY, v bigint NOT NULL); \
             INSERT INTO {table} SELECT k, 0 FROM generate_series(0, {}) AS k;",
            COUNT - 1
        )
    }

    /// Updates the next register and then reads everything; gives whether the session can go on.
    pub(super) async fn update_and_read(&self, open: &Open, connection: u32) -> bool {
        self.update(open, connection).await && self.read(open, connection).await
    }

    async fn update(&self, open: &Open, connection: u32) -> bool {
        let value = self.last_value.fetch_add(1, Ordering::Relaxed) + 1;
        let register = value % COUNT;
        let sql = format!("UPDATE {} SET v = {value} WHERE k = {register} RETURNING {SERVED}", self.table);
        let asked = self.clock.now();
        let answer = connect::ask(open, &sql, STATEMENT_TIMEOUT).await;
        self.log.push(Op {
            client: self.client.to_owned(),
            connection,
            action: Action::Write { register, value },
            asked,
            ended: self.clock.now(),
            outcome: answer.outcome,
            served: served(&answer.rows),
        });
        answer.is_alive
    }

    /// One statement, so that all of it is of one moment.
    async fn read(&self, open: &Open, connection: u32) -> bool {
        let mut sql = format!("SELECT 'register', k::text, v FROM {}", self.table);
        for (name, table) in &self.lists {
            sql.push_str(&format!(" UNION ALL SELECT 'list', '{name}', max(id) FROM {table}"));
        }
        let asked = self.clock.now();
        let answer = connect::ask(open, &sql, STATEMENT_TIMEOUT).await;
        let mut outcome = answer.outcome;
        let shown = shown(&answer.rows).unwrap_or_else(|reason| {
            outcome = Outcome::Refused(reason);
            Shown::default()
        });
        self.log.push(Op {
            client: self.client.to_owned(),
            connection,
            action: Action::Read(shown),
            asked,
            ended: self.clock.now(),
            outcome,
            served: None,
        });
        answer.is_alive
    }

    /// The task for [`super::worker::Worker::start`].
    pub(super) fn run(
        self,
        turn: Turn,
        period: Duration,
    ) -> impl FnOnce(Stop) -> Pin<Box<dyn Future<Output = ()>>> + Send + 'static {
        move |stop| Box::pin(async move { self.go_on_until(&stop, turn, period).await })
    }

    async fn go_on_until(&self, stop: &Stop, turn: Turn, period: Duration) {
        let mut session: Option<Open> = None;
        let mut connection = 0;
        let mut next = Instant::now();
        while !stop.is_set() {
            sleep_until(next).await;
            if session.is_none() {
                connection += 1;
                // A connection that isn't made did nothing: there is nothing to record.
                session = connect::open(&self.endpoints, self.endpoints.primary).await.ok();
            }
            if let Some(open) = &session {
                let goes_on = match turn {
                    Turn::NewSession => {
                        self.update_and_read(open, connection).await;
                        false
                    }
                    Turn::Read => self.read(open, connection).await,
                };
                if !goes_on {
                    session = None;
                }
            }
            next = (next + period).max(Instant::now());
        }
    }
}

/// What the rows of a reading show.
fn shown(rows: &[Row]) -> Result<Shown, String> {
    let mut shown = Shown::default();
    for row in rows {
        let (kind, name) = match row.as_slice() {
            [Some(kind), Some(name), _] => (kind.as_str(), name),
            _ => return Err(format!("a reading answered {row:?}")),
        };
        let value = connect::number(row, 2)?;
        match (kind, name.parse(), value) {
            ("register", Ok(register), Some(value)) => {
                shown.registers.insert(register, value);
            }
            ("list", _, newest) => {
                shown.newest.insert(name.clone(), newest);
            }
            _ => return Err(format!("a reading answered {row:?}")),
        }
    }
    Ok(shown)
}

/// The registers from the rows of `SELECT k, v`.
pub(super) fn values(rows: &[Row]) -> Result<BTreeMap<i64, i64>, String> {
    let pair = |row: &Row| Ok((connect::number(row, 0)?, connect::number(row, 1)?));
    let pairs: Result<Vec<_>, String> = rows.iter().map(pair).collect();
    Ok(pairs?.into_iter().filter_map(|(k, v)| k.zip(v)).collect())
}
