//! The measuring client: outside the nodes, in the lab's network, as an application would be.
//!
//! | part | what it does | every |
//! |---|---|---|
//! | heart | writes a row through the primary's float IP | 50 ms |
//! | beat | reads the newest row back through the standby's float IP | 200 ms |
//! | session | writes, updates a register and reads in one session opened before the fault, until it dies | 100 ms |
//! | registers | opens a session, updates a register, reads and closes it | 500 ms |
//! | reader | reads everything through the primary's float IP in one session as long as it lives | 200 ms |
//! | direct | tries a write on each node by its own address, from inside when it is cut off | 100 ms |
//! | insider | writes in one session opened before the fault from inside a node that will be cut off, until it dies | 100 ms |
//!
//! Session, registers and reader are there once [`Client::open_session`] is called, insiders after [`Client::open_inside`]: a view
//! needs none of them.
//!
//! Each part is a thread of its own with a current-thread runtime, in the lab's network namespace: a
//! part that hangs never delays another.

mod beat;
pub mod clients;
mod connect;
mod endpoints;
mod insider;
mod record;
mod registers;
pub mod state;
mod worker;
mod writer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use crate::record::history::{Attempt, Log, Reading};
use connect::STATEMENT_TIMEOUT;
pub use endpoints::{ClientError, Clock, Endpoints, FindNamespace, Inside};
use registers::{Registers, Turn};
use state::Source;
use worker::{Worker, in_namespace};
use writer::{From, OnDeath, Writer};

use super::truth::Op;
use crate::host::wait::{self, OnInterrupt};

/// The lists that are read back in the end.
const LISTS: [&str; 2] = ["heart", "session"];
/// How often the heart writes.
pub const HEART_PERIOD: Duration = Duration::from_millis(50);
/// How often the beat reads.
const BEAT_PERIOD: Duration = Duration::from_millis(200);
/// How often the old session and the direct probes write.
const PROBE_PERIOD: Duration = Duration::from_millis(100);
/// How often registers are updated in new sessions: each costs the server a process.
const NEW_SESSION_PERIOD: Duration = Duration::from_millis(500);
/// Reading all ids back after a test of an hour (72,000 rows) takes well below a second.
const READ_BACK_TIMEOUT: Duration = Duration::from_secs(30);

/// The client's times.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often the heart writes.
    pub heart: Duration,
    /// How long the primary may take to make the client's tables.
    pub tables: Duration,
}

/// A node stood still, on the client's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The node.
    pub node: String,
    /// Its last moment before.
    pub from: Duration,
    /// Its first moment afterwards.
    pub to: Duration,
}

/// The running client. Dropping it stops and joins all its threads.
#[derive(Debug)]
pub struct Client {
    endpoints: Arc<Endpoints>,
    clock: Clock,
    prefix: &'static str,
    heart: Log<Attempt>,
    beat: Log<Reading>,
    direct: BTreeMap<String, Log<Attempt>>,
    session: Option<Log<Attempt>>,
    insiders: BTreeMap<String, Log<Attempt>>,
    pauses: Vec<Pause>,
    /// What the session, the registers' worker and the reader did beside appending.
    others: [Log<Op>; 3],
    workers: Vec<Worker>,
    /// There until the workers are stopped.
    works: Option<Arc<()>>,
}

impl Client {
    /// Makes the tables through the primary's float IP and starts the heart, the beat and a direct probe
    /// for each node. `prefix` keeps the tables of two clients apart; all of the client's times are `clock`'s.
    ///
    /// # Errors
    /// When the namespace can't be entered or the primary does not take the tables within their time.
    pub fn start(
        endpoints: Endpoints,
        prefix: &'static str,
        clock: Clock,
        pace: Pace,
    ) -> Result<Self, ClientError> {
        let mut client = Self {
            endpoints: Arc::new(endpoints),
            clock,
            prefix,
            heart: Log::default(),
            beat: Log::default(),
            direct: BTreeMap::new(),
            session: None,
            insiders: BTreeMap::new(),
            pauses: Vec::new(),
            others: Default::default(),
            workers: Vec::new(),
            works: Some(Arc::default()),
        };
        client.make_tables(pace.tables)?;
        client.start_workers(pace.heart)?;
        Ok(client)
    }

    fn make_tables(&self, patience: Duration) -> Result<(), ClientError> {
        let mut sql = Registers::create(&self.table("registers"));
        let nodes = self.endpoints.nodes.iter();
        let nodes =
            nodes.flat_map(|(name, _)| [self.node_table("direct", name), self.node_table("inside", name)]);
        for table in LISTS.map(|list| self.table(list)).into_iter().chain(nodes) {
            sql.push_str(&format!(
                "DROP TABLE IF EXISTS {table}; \
                 CREATE TABLE {table} (id bigint PRIMARY KEY, at timestamptz NOT NULL, source text NOT NULL);"
            ));
        }
        let endpoints = Arc::clone(&self.endpoints);
        let address = endpoints.primary;
        let end = Instant::now() + patience;
        loop {
            let (endpoints, sql) = (Arc::clone(&endpoints), sql.clone());
            let done = in_namespace(&self.endpoints, "tables", async move {
                let open = connect::open(&endpoints, endpoints.primary).await?;
                connect::run_batch(&open, &sql, READ_BACK_TIMEOUT).await
            })?;
            match done {
                Ok(()) => return Ok(()),
                Err(_) if Instant::now() < end && !wait::interrupted() => {
                    // Ctrl-C is looked at above; the pause itself is short.
                    let _ = wait::pause(wait::POLL, OnInterrupt::GoOn);
                }
                Err(reason) => {
                    return Err(ClientError::Server { doing: "make the client's tables", address, reason });
                }
            }
        }
    }

    fn start_workers(&mut self, heart_period: Duration) -> Result<(), ClientError> {
        let heart = self.writer(self.endpoints.primary, self.table("heart"), "heart", heart_period);
        self.workers.push(Worker::start(&self.endpoints, "heart", heart.run(self.heart.clone()))?);
        if let Some(address) = self.endpoints.standby {
            let beat = beat::Beat {
                endpoints: Arc::clone(&self.endpoints),
                address,
                clock: self.clock,
                table: self.table("heart"),
                period: BEAT_PERIOD,
            };
            self.workers.push(Worker::start(&self.endpoints, "beat", beat.run(self.beat.clone()))?);
        }
        for (name, address) in self.endpoints.nodes.clone() {
            let log = Log::default();
            let mut probe = self.writer(address, self.node_table("direct", &name), &name, PROBE_PERIOD);
            probe.from = self.endpoints.inside.clone().map_or(From::Outside, From::OutsideElse);
            self.workers.push(Worker::start(&self.endpoints, "direct", probe.run(log.clone()))?);
            self.direct.insert(name, log);
        }
        Ok(())
    }

    fn writer(&self, address: IpAddr, table: String, source: &str, period: Duration) -> Writer {
        Writer {
            endpoints: Arc::clone(&self.endpoints),
            address,
            table,
            source: source.to_owned(),
            period,
            clock: self.clock,
            from: From::Outside,
            patience: STATEMENT_TIMEOUT,
            on_death: OnDeath::Reconnect,
            also: None,
        }
    }

    fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The table of what somebody writes on one node.
    fn node_table(&self, whose: &str, node: &str) -> String {
        let name: String = node.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        self.table(&format!("{whose}_{name}"))
    }

    /// Opens a session through the float IP, which goes on writing until it dies, and begins to update registers and to
    /// read in others. Once in a client's life.
    ///
    /// # Errors
    /// When a thread can't be started. A session that can't connect shows in its log.
    pub fn open_session(&mut self) -> Result<(), ClientError> {
        let last_value = Arc::<AtomicI64>::default();
        let users = ["session", "registers", "reader"].iter().zip(&self.others);
        let mut users: Vec<Registers> = users
            .map(|(client, log)| Registers {
                endpoints: Arc::clone(&self.endpoints),
                clock: self.clock,
                client,
                table: self.table("registers"),
                lists: LISTS.map(|list| (list, self.table(list))).to_vec(),
                last_value: Arc::clone(&last_value),
                log: log.clone(),
            })
            .collect();
        let turns =
            [("reader", Turn::Read, BEAT_PERIOD), ("registers", Turn::NewSession, NEW_SESSION_PERIOD)];
        for (name, turn, period) in turns {
            if let Some(user) = users.pop() {
                self.workers.push(Worker::start(&self.endpoints, name, user.run(turn, period))?);
            }
        }
        let log = Log::default();
        let mut session = self.writer(self.endpoints.primary, self.table("session"), "session", PROBE_PERIOD);
        session.on_death = OnDeath::End;
        session.also = users.pop();
        self.workers.push(Worker::start(&self.endpoints, "session", session.run(log.clone()))?);
        self.session = Some(log);
        Ok(())
    }

    /// The database and its float IPs.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The client's time now.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// The writes through the primary's float IP.
    #[must_use]
    pub fn heart(&self) -> &Log<Attempt> {
        &self.heart
    }

    /// The readings through the standby's float IP.
    #[must_use]
    pub fn beat(&self) -> &Log<Reading> {
        &self.beat
    }

    /// The old session's writes.
    #[must_use]
    pub fn session(&self) -> Option<&Log<Attempt>> {
        self.session.as_ref()
    }

    /// The nodes whose newest direct write was acknowledged within the last second: those that take
    /// writes now.
    #[must_use]
    pub fn writable_nodes(&self) -> Vec<String> {
        self.source().writable(self.now())
    }

    /// Where another thread gets the client from.
    #[must_use]
    pub fn source(&self) -> Source {
        Source {
            clock: self.clock,
            heart: self.heart.clone(),
            beat: self.beat.clone(),
            direct: self.direct.clone(),
            works: self.works.as_ref().map(Arc::downgrade).unwrap_or_default(),
        }
    }

    /// Stops all writing; what was seen stays readable.
    pub fn stop(&mut self) {
        self.works = None;
        self.workers.clear();
    }

    /// Forgets old history; for a view that runs for days.
    pub fn trim(&self, keep: usize) {
        self.heart.trim(keep);
        self.beat.trim(keep);
        for log in self.direct.values() {
            log.trim(keep);
        }
    }
}

#[cfg(test)]
mod tests;
