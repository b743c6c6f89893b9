//! The beat: reads back through the standby's float IP what the heart wrote.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::connect::{self, Open};
use super::history::{Log, Reading};
use super::worker::Stop;
use super::{Clock, Endpoints};

const QUERY_TIMEOUT: Duration = Duration::from_secs(1);

/// The reader.
pub(super) struct Beat {
    pub(super) endpoints: Arc<Endpoints>,
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
        let mut next = Instant::now();
        while !stop.is_set() {
            sleep_until(next).await;
            let newest = self.read(&mut session).await;
            if newest.is_err() {
                session = None;
            }
            log.push(Reading { at: self.clock.now(), newest });
            next = (next + self.period).max(Instant::now());
        }
    }

    async fn read(&self, session: &mut Option<Open>) -> Result<i64, String> {
        let open = match session {
            Some(open) => open,
            None => session.insert(connect::open(&self.endpoints, self.endpoints.standby).await?),
        };
        let sql = format!("SELECT max(id) FROM {}", self.table);
        let ids = connect::query_ids(open, &sql, QUERY_TIMEOUT).await?;
        ids.last().copied().ok_or_else(|| "no row yet".to_owned())
    }
}
