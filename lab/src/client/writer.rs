//! The loop that writes: heart, old session and direct probes differ in where and how often.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::connect::{self, Open, SERVED, served};
use super::endpoints::{Clock, Endpoints, Inside};
use super::registers::Registers;
use super::worker::Stop;
use crate::record::history::{Attempt, Log, Outcome};

/// What a writer does when its session dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDeath {
    /// Opens another one with the next attempt.
    Reconnect,
    /// Ends.
    End,
}

/// From where a writer reaches its server.
#[derive(Debug, Clone)]
pub(super) enum From {
    /// From the lab's network.
    Outside,
    /// From there while that works, else from inside the node that `source` names.
    OutsideElse(Inside),
    /// From inside that node alone.
    Inside(Inside),
}

/// One writer.
pub(super) struct Writer {
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) address: IpAddr,
    pub(super) table: String,
    pub(super) source: String,
    pub(super) period: Duration,
    pub(super) clock: Clock,
    pub(super) from: From,
    /// How long it waits for an answer.
    pub(super) patience: Duration,
    pub(super) on_death: OnDeath,
    /// What else it does on its session after each write that was acknowledged.
    pub(super) also: Option<Registers>,
}

/// A writer's session.
struct Session {
    open: Option<Open>,
    /// How many there were until now.
    count: u32,
}

impl Writer {
    /// The task for [`super::worker::Worker::start`].
    pub(super) fn run(
        self,
        log: Log<Attempt>,
    ) -> impl FnOnce(Stop) -> Pin<Box<dyn Future<Output = ()>>> + Send + 'static {
        move |stop| Box::pin(async move { self.write_until(&stop, &log).await })
    }

    async fn write_until(&self, stop: &Stop, log: &Log<Attempt>) {
        let mut session = Session { open: None, count: 0 };
        let mut next = Instant::now();
        let mut id = 0;
        while !stop.is_set() {
            sleep_until(next).await;
            id += 1;
            let had_session = session.open.is_some();
            let attempt = self.attempt(&mut session, id).await;
            let is_acked = attempt.is_acked();
            log.push(attempt);
            if let (Some(also), Some(open), true) = (&self.also, &session.open, is_acked)
                && !also.update_and_read(open, session.count).await
            {
                session.open = None;
            }
            let died = session.open.is_none() && (had_session || self.on_death == OnDeath::End);
            if died && self.on_death == OnDeath::End {
                return;
            }
            // After an attempt that took longer than the period the next one follows at once: an attempt
            // that fails at once still waits for its turn, so this is no busy loop.
            next = (next + self.period).max(Instant::now());
        }
    }

    /// From inside mostly when it doesn't work from outside: a power cut begins with the cable, and a writer inside would add
    /// rows in between that no real power cut leaves time for.
    async fn connect(&self) -> Result<Open, String> {
        let inside = match &self.from {
            From::Outside => return connect::open(&self.endpoints, self.address).await,
            From::OutsideElse(inside) => match connect::open(&self.endpoints, self.address).await {
                Ok(open) => return Ok(open),
                Err(_) => inside,
            },
            From::Inside(inside) => inside,
        };
        let namespace = (inside.0)(&self.source).ok_or("the node is off")?;
        connect::open_inside(&self.endpoints, self.address, &namespace).await
    }

    async fn attempt(&self, session: &mut Session, id: i64) -> Attempt {
        let sent = self.clock.now();
        let mut attempt = Attempt {
            id,
            connection: session.count,
            sent,
            asked: sent,
            ended: sent,
            outcome: Outcome::Acked,
            served: None,
        };
        let open = match &mut session.open {
            Some(open) => open,
            None => match self.connect().await {
                Ok(open) => {
                    session.count += 1;
                    session.open.insert(open)
                }
                Err(reason) => {
                    return Attempt { outcome: Outcome::Refused(reason), ended: self.clock.now(), ..attempt };
                }
            },
        };
        let sql = format!(
            "INSERT INTO {} (id, at, source) VALUES ({id}, clock_timestamp(), '{}') RETURNING {SERVED}",
            self.table,
            self.source.replace('\'', "''")
        );
        attempt.connection = session.count;
        attempt.asked = self.clock.now();
        let answer = connect::ask(open, &sql, self.patience).await;
        attempt.ended = self.clock.now();
        attempt.served = served(&answer.rows);
        attempt.outcome = answer.outcome;
        if !answer.is_alive {
            session.open = None;
        }
        attempt
    }
}
