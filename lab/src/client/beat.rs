//! The beat: reads back through the standby's float IP what the heart wrote.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::connect::{self, Open};
use super::endpoints::{Clock, Endpoints};
use super::worker::Stop;
use crate::record::history::{Log, Reading};

const QUERY_TIMEOUT: Duration = Duration::from_secs(1);

/// The reader.
pub(super) struct Beat {
    pub(super) endpoints: Arc<Endpoints>,
    /// A float IP of the standbys.
    pub(super) address: IpAddr,
    pub(super) clock: Clock,
    pub(super) table: String,
    pub(super) period: Duration,
}

impl Beat {
    /// The task for [`super::worker::Worker::start`].
    pub(super) fn run(
        self,
        log: Log<Reading>,
    ) -> impl FnOnce(Stop) -> Pin<Box<dyn Future<Output = ()>>> + Send + 'static {
        move |stop| Box::pin(async move { self.read_until(&stop, &log).await })
    }

    async fn read_until(&self, stop: &Stop, log: &Log<Reading>) {
        let mut session: Option<Open> = None;
        let mut connection = 0;
        let mut next = Instant::now();
        while !stop.is_set() {
            sleep_until(next).await;
            let mut asked = self.clock.now();
            let newest = match self.connect(&mut session, &mut connection).await {
                Ok(open) => {
                    asked = self.clock.now();
                    self.read(open).await
                }
                Err(reason) => Err(reason),
            };
            if newest.is_err() {
                session = None;
            }
            log.push(Reading { connection, asked, at: self.clock.now(), newest });
            next = (next + self.period).max(Instant::now());
        }
    }

    async fn connect<'a>(
        &self,
        session: &'a mut Option<Open>,
        connection: &mut u32,
    ) -> Result<&'a Open, String> {
        if session.is_none() {
            *session = Some(connect::open(&self.endpoints, self.address).await?);
            *connection += 1;
        }
        session.as_ref().ok_or_else(|| "no session".to_owned())
    }

    async fn read(&self, open: &Open) -> Result<i64, String> {
        let sql = format!("SELECT max(id) FROM {}", self.table);
        let rows = connect::query(open, &sql, QUERY_TIMEOUT).await?;
        let newest = rows.first().map(|row| connect::number(row, 0)).transpose()?.flatten();
        newest.ok_or_else(|| "no row yet".to_owned())
    }
}
