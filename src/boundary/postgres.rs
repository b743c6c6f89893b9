//! The only client of a PostgreSQL server: one connection over the Unix socket, one round trip, one deadline for both.
//!
//! A server that does not answer is an [`Answer`], not an error. Nothing here chooses a role.
//!
//! Neither the server nor who may create objects in its databases is trusted: a session has settings of its own (`connect::options`),
//! every name in a statement is qualified, another user's server is sent nothing, and an answer has a limit.

mod connect;
mod limited;
mod load;
mod slots;
mod statistics;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use self::connect::Mode;
use super::clock::Deadline;
use super::identity::SystemUser;
use crate::pg::instance::Access;
use crate::pg::lsn::Lsn;
use crate::pg::probe;
use crate::pg::view::{Answer, Rejection};

/// Where a server is, and as whom to ask it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Directory of the socket; `@name` for the abstract one.
    pub socket_dir: PathBuf,
    /// The server's port, which is part of the socket's name.
    pub port: u16,
    /// The operating system's user as which we connect: peer authentication compares it.
    pub user: SystemUser,
    /// Role; pg_monitor is enough for [`Endpoint::probe`].
    pub dbuser: String,
    /// Database.
    pub dbname: String,
    /// Section of the service file; its keywords go before the four above.
    pub service: Option<String>,
    /// PGSERVICEFILE; else `~user/.pg_service.conf`.
    pub service_file: Option<PathBuf>,
    /// PGPASSFILE; else `~user/.pgpass`. That default is only read when the server asks for a password: it commonly lies on the disk of
    /// the data directory, and that disk may hang.
    pub passfile: Option<PathBuf>,
}

/// Why a statement gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresError {
    /// The server answered with an error.
    Rejected(Rejection),
    /// No answer in time.
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// No socket, or nobody listens on it.
    Refused,
    /// Our own settings.
    Unusable(String),
}

impl std::error::Error for PostgresError {}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Silent { after } => write!(f, "PostgreSQL did not answer within {after:.1?}"),
            Self::Refused => f.write_str("nothing listens on PostgreSQL's socket"),
            Self::Unusable(reason) => f.write_str(reason),
        }
    }
}

impl From<PostgresError> for Answer {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Rejected(rejection) => Self::Rejects(rejection),
            PostgresError::Silent { after } => Self::Silent { after },
            PostgresError::Refused => Self::Refused,
            PostgresError::Unusable(reason) => Self::Unusable(reason),
        }
    }
}

impl From<&Endpoint> for Access {
    fn from(endpoint: &Endpoint) -> Self {
        let user = &endpoint.user;
        Self {
            socket_dir: endpoint.socket_dir.clone(),
            port: endpoint.port,
            user: user.name.clone(),
            uid: user.uid,
            gid: user.gid,
            groups: user.groups.clone(),
            home: user.home.clone(),
            dbuser: endpoint.dbuser.clone(),
            dbname: endpoint.dbname.clone(),
            service: endpoint.service.clone(),
        }
    }
}

impl From<&Access> for Endpoint {
    fn from(access: &Access) -> Self {
        Self {
            socket_dir: access.socket_dir.clone(),
            port: access.port,
            user: SystemUser::from(access),
            dbuser: access.dbuser.clone(),
            dbname: access.dbname.clone(),
            service: access.service.clone(),
            service_file: None,
            passfile: None,
        }
    }
}

/// Rows of text; a null is `None`.
pub type Rows = Vec<Vec<Option<String>>>;

impl Endpoint {
    /// A server on this machine, asked as `user` by the role of the same name.
    pub fn local(socket_dir: impl Into<PathBuf>, port: u16, user: &SystemUser) -> Self {
        Self {
            socket_dir: socket_dir.into(),
            port,
            user: user.clone(),
            dbuser: user.name.clone(),
            dbname: "postgres".to_owned(),
            service: None,
            service_file: None,
            passfile: None,
        }
    }

    /// Asks how the server is. Returns within `timeout`.
    pub fn probe(&self, timeout: Duration) -> Answer {
        let row = match self.read(probe::QUERY, timeout) {
            Ok(rows) => rows.into_iter().next().unwrap_or_default(),
            Err(error) => return error.into(),
        };
        probe::read(&row).unwrap_or_else(|error| {
            Answer::Rejects(Rejection::Other { sqlstate: String::new(), message: error.to_string() })
        })
    }

    /// Runs CHECKPOINT: as a superuser, or from PostgreSQL 15 on with pg_checkpoint. On a standby it is a restartpoint. Before 15 nobody can be
    /// given that right; the start of a backup, which ends with the session, begins with the same checkpoint and can be.
    ///
    /// # Errors
    /// See [`PostgresError`]. After `Silent` the checkpoint may still go on.
    pub fn checkpoint(&self, timeout: Duration) -> Result<(), PostgresError> {
        const INSUFFICIENT_PRIVILEGE: &str = "42501";
        let deadline = Deadline::after(timeout);
        let refused = match self.query("CHECKPOINT", timeout) {
            Err(PostgresError::Rejected(Rejection::Other { sqlstate, message }))
                if sqlstate == INSUFFICIENT_PRIVILEGE =>
            {
                PostgresError::Rejected(Rejection::Other { sqlstate, message })
            }
            ended => return ended.map(drop),
        };
        let backup = "SELECT pg_catalog.pg_start_backup('quorate', true, false)";
        self.query(backup, deadline.remaining()).map(drop).map_err(|_| refused)
    }

    /// Proves that the server takes writes: commits a transaction that writes a WAL record, and waits for the *local* flush of it, never for
    /// a synchronous standby. Leaves no trace in any table. Returns the record's position.
    ///
    /// # Errors
    /// See [`PostgresError`]; `Silent` when WAL can't be flushed, which is how a stuck disk looks.
    pub fn verify_writable(&self, timeout: Duration) -> Result<Lsn, PostgresError> {
        let rows = self.query(
            "BEGIN READ WRITE; SET LOCAL synchronous_commit = local; \
             SELECT pg_catalog.pg_logical_emit_message(true, 'quorate', 'is this server writable?'); COMMIT",
            timeout,
        )?;
        let position = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        position.and_then(|text| text.parse().ok()).ok_or_else(|| {
            let message = format!("pg_logical_emit_message gave {position:?} instead of a WAL position");
            PostgresError::Rejected(Rejection::Other { sqlstate: String::new(), message })
        })
    }

    /// Values of settings as SHOW gives them; a name that the server does not know is left out.
    ///
    /// # Errors
    /// See [`PostgresError`]; a setting that the role may not read is `Rejected` with 42501.
    pub fn settings(
        &self,
        names: &[&str],
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, PostgresError> {
        let list: Vec<String> = names.iter().map(|name| literal(name)).collect();
        let sql = format!(
            "SELECT n, pg_catalog.current_setting(n, true) FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) AS n",
            list.join(", ")
        );
        let rows = self.read(&sql, timeout)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| match <[Option<String>; 2]>::try_from(row) {
                Ok([Some(name), Some(value)]) => Some((name, value)),
                Ok(_) | Err(_) => None,
            })
            .collect())
    }

    /// Sends one simple query and returns all of its rows. `timeout` bounds connecting, asking and reading together, and is the
    /// session's statement_timeout too, so that the server does not work on for nobody.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub fn query(&self, sql: &str, timeout: Duration) -> Result<Rows, PostgresError> {
        connect::query(self, sql, Mode::ReadWrite, Deadline::after(timeout), timeout)
    }

    /// [`Self::query`] for statements that only look: the session's transactions are read-only.
    ///
    /// # Errors
    /// See [`PostgresError`]; a statement that writes is `Rejected` with 25006.
    pub fn read(&self, sql: &str, timeout: Duration) -> Result<Rows, PostgresError> {
        connect::query(self, sql, Mode::ReadOnly, Deadline::after(timeout), timeout)
    }
}

/// A string constant, whatever standard_conforming_strings says.
pub fn literal(text: &str) -> String {
    let escaped = text.replace('\'', "''");
    if escaped.contains('\\') {
        format!("E'{}'", escaped.replace('\\', "\\\\"))
    } else {
        format!("'{escaped}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'"), r"E'a\\'''");
    }
}
