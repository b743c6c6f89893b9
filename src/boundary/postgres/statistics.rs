//! What a server says of itself for the HTTP endpoint.

use std::time::Duration;

use super::{Endpoint, PostgresError};
use crate::pg::statistics::{QUERY, Statistics};
use crate::pg::view::Rejection;

impl Endpoint {
    /// Asks for it. Returns within `timeout`.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub fn statistics(&self, timeout: Duration) -> Result<Statistics, PostgresError> {
        let rows = self.read(QUERY, timeout)?;
        Statistics::read(rows.first().map(Vec::as_slice).unwrap_or_default())
            .map_err(|message| PostgresError::Rejected(Rejection::Other { sqlstate: String::new(), message }))
    }
}
