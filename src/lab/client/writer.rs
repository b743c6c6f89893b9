//! The loop that writes: heart, old session and direct probes differ in where and how often.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::connect::{self, Open};
use super::history::{Attempt, Log, Outcome};
use super::worker::Stop;
use super::{Clock, Endpoints, Inside};

/// For one statement. Long enough that a slow commit isn't taken for an outage, short enough that the
/// end of an outage is seen within a second even on a dead connection.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a writer does when its session dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDeath {
    /// Opens another one with the next attempt.
    Reconnect,
    /// Ends.
    End,
}

/// One writer.
pub(super) struct Writer {
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) address: IpAddr,
    pub(super) table: String,
    pub(super) source: String,
    pub(super) period: Duration,
    pub(super) clock: Clock,
    /// How to get inside the node that `source` names when it isn't reached from outside.
    pub(super) inside: Option<Inside>,
    pub(super) on_death: OnDeath,
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
        let mut session: Option<Open> = None;
        let mut next = Instant::now();
        let mut id = 0;
        while !stop.is_set() {
            sleep_until(next).await;
            id += 1;
            let sent = self.clock.now();
            let had_session = session.is_some();
            let outcome = self.attempt(&mut session, id).await;
            log.push(Attempt { id, sent, ended: self.clock.now(), outcome });
            let died = session.is_none() && (had_session || self.on_death == OnDeath::End);
            if died && self.on_death == OnDeath::End {
                return;
            }
            // After an attempt that took longer than the period the next one follows at once: an attempt
            // that fails at once still waits for its turn, so this is no busy loop.
            next = (next + self.period).max(Instant::now());
        }
    }

    /// From outside while that works. From inside only when it doesn't: a power cut begins with the cable, and
    /// a writer inside would add rows in between that no real power cut leaves time for.
    async fn connect(&self) -> Result<Open, String> {
        let outside = connect::open(&self.endpoints, self.address).await;
        let (Err(_), Some(inside)) = (&outside, &self.inside) else { return outside };
        let namespace = (inside.0)(&self.source).ok_or("the node is off")?;
        connect::open_inside(&self.endpoints, self.address, &namespace).await
    }

    async fn attempt(&self, session: &mut Option<Open>, id: i64) -> Outcome {
        let open = match session {
            Some(open) => open,
            None => match self.connect().await {
                Ok(open) => session.insert(open),
                Err(reason) => return Outcome::Refused(reason),
            },
        };
        let sql = format!(
            "INSERT INTO {} (id, at, source) VALUES ({id}, clock_timestamp(), '{}')",
            self.table,
            self.source.replace('\'', "''")
        );
        let (outcome, alive) = connect::write(open, &sql, STATEMENT_TIMEOUT).await;
        if !alive {
            *session = None;
        }
        outcome
    }
}
