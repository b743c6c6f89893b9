//! What would suffer from a switchover.

use std::time::Duration;

use super::{Endpoint, PostgresError};
use crate::pg::survey::{Load, QUERY, TO_ARCHIVE, UNCOUNTED};
use crate::pg::view::Rejection;

impl Endpoint {
    /// Asks for it. Each of its two questions gets this time; the archiver's may fail alone.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub fn load(&self, timeout: Duration) -> Result<Load, PostgresError> {
        let rows = self.read(QUERY, timeout)?;
        let (mut load, archives) = rows.first().and_then(|row| Load::read(row)).ok_or_else(|| {
            let message = format!("the server's load has another shape: {rows:?}");
            PostgresError::Rejected(Rejection::Other { sqlstate: String::new(), message })
        })?;
        if archives {
            let count = self.read(TO_ARCHIVE, timeout).ok();
            let count = count.and_then(|rows| rows.first()?.first()?.as_deref()?.parse().ok());
            load.to_archive = Some(count.unwrap_or(UNCOUNTED));
        }
        Ok(load)
    }
}
