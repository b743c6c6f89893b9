//! The server's physical replication slots.

use std::time::Duration;

use super::{Endpoint, PostgresError, Rows, literal};
use crate::decide::slots::{Change, Held, Slot};

const QUERY: &str = "SELECT NULL, NULL, NULL, NULL, pg_catalog.current_setting('max_slot_wal_keep_size') <> '-1' \
UNION ALL SELECT slot_name, active, restart_lsn, wal_status = 'lost', xmin IS NOT NULL \
FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary";

impl Endpoint {
    /// Reads them.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub fn slots(&self, timeout: Duration) -> Result<Held, PostgresError> {
        Ok(read(self.read(QUERY, timeout)?))
    }

    /// Makes a change. The role needs REPLICATION.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub fn change_slot(&self, change: &Change, timeout: Duration) -> Result<(), PostgresError> {
        let drop_it = |name: &str| format!("pg_drop_replication_slot({})", literal(name));
        let copy = |from: &str, to: &str| {
            format!("pg_copy_physical_replication_slot({}, {})", literal(from), literal(to))
        };
        let calls = match change {
            Change::Drop { name, .. } => vec![drop_it(name)],
            // It keeps WAL from now on, and not only once a standby has used it.
            Change::Create { name, .. } => {
                vec![format!("pg_create_physical_replication_slot({}, true)", literal(name))]
            }
            Change::Advance { name, to } => {
                let to = literal(&to.to_string());
                vec![format!("pg_replication_slot_advance({}, {to})", literal(name))]
            }
            // A copy keeps WAL from the same position, and no rows.
            Change::Renew { name } => {
                let aside = format!("{name}__copy");
                vec![copy(name, &aside), drop_it(name), copy(&aside, name), drop_it(&aside)]
            }
        };
        let statements: Vec<String> = calls.iter().map(|call| format!("SELECT pg_catalog.{call}")).collect();
        self.query(&statements.join("; "), timeout).map(drop)
    }
}

fn read(rows: Rows) -> Held {
    let mut held = Held { slots: Vec::new(), is_limited: false };
    for row in rows {
        let Ok([name, active, restart, lost, last]) = <[Option<String>; 5]>::try_from(row) else { continue };
        let is_true = |text: Option<String>| text.as_deref() == Some("t");
        match name {
            None => held.is_limited = is_true(last),
            Some(name) => held.slots.push(Slot {
                name,
                is_active: is_true(active),
                restart: restart.and_then(|lsn| lsn.parse().ok()),
                is_lost: is_true(lost),
                has_xmin: is_true(last),
            }),
        }
    }
    held
}
