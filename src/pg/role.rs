//! PostgreSQL's own two roles. Pacemaker's are another type.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a server says that it is (`pg_is_in_recovery()`), or what a stopped data directory was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PgRole {
    /// Takes writes.
    Primary,
    /// In recovery: replays another server's WAL.
    Standby,
}

impl fmt::Display for PgRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        })
    }
}
