//! What one probe of a server gives.

use std::fmt;
use std::time::Duration;

use super::lsn::Lsn;
use super::role::PgRole;
use super::timeline::Timeline;

/// Outcome of one attempt to ask a server how it is. A server that does not answer is a fact, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Not in recovery.
    Primary(PrimaryView),
    /// In recovery.
    Standby(StandbyView),
    /// The server answered, but not the question.
    Rejects(Rejection),
    /// Connected or tried to, and nothing came back in time: a stopped or starved postmaster accepts through the kernel's
    /// backlog and never speaks.
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// No socket, or nobody listens on it: no postmaster serves it.
    Refused,
    /// The question could not be asked because of our own settings (socket path too long, password file unreadable …). Says nothing about the server.
    Unusable(String),
}

impl Answer {
    /// The server's role, when it said one.
    pub fn role(&self) -> Option<PgRole> {
        match self {
            Self::Primary(_) => Some(PgRole::Primary),
            Self::Standby(_) => Some(PgRole::Standby),
            Self::Rejects(_) | Self::Silent { .. } | Self::Refused | Self::Unusable(_) => None,
        }
    }
}

/// Why a living server did not answer the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// It is starting up: recovery has not begun to take connections (SQLSTATE 57P03). Without readable English messages this also
    /// stands for the two below; the status line of postmaster.pid tells more.
    StartingUp,
    /// It is shutting down (57P03, 57P01).
    ShuttingDown,
    /// In crash recovery, or a standby that is not yet consistent (57P03).
    InRecovery,
    /// A standby with hot_standby = off, which never takes connections (57P03).
    HotStandbyDisabled,
    /// All slots for connections are taken (53300): the server lives.
    TooManyConnections,
    /// The role may not log in as configured (class 28, or no password found for it).
    Authentication(String),
    /// The database's directory is gone (3D000 as well, with the directory in the detail).
    DirectoryMissing(String),
    /// Any other error.
    Other {
        /// Five characters; empty when the answer was not PostgreSQL's protocol or the connection broke.
        sqlstate: String,
        /// The server's words.
        message: String,
    },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartingUp => f.write_str("the server is starting up"),
            Self::ShuttingDown => f.write_str("the server is shutting down"),
            Self::InRecovery => f.write_str("the server is in recovery and not yet consistent"),
            Self::HotStandbyDisabled => {
                f.write_str("the server is a standby with hot_standby = off; set it on")
            }
            Self::TooManyConnections => f.write_str("all of the server's connections are taken"),
            Self::Authentication(message) => write!(f, "the server refused our login: {message}"),
            Self::DirectoryMissing(message) => f.write_str(message),
            Self::Other { sqlstate, message } if sqlstate.is_empty() => f.write_str(message),
            Self::Other { sqlstate, message } => write!(f, "{message} (SQLSTATE {sqlstate})"),
        }
    }
}

/// A primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryView {
    /// Where WAL is being written (`pg_current_wal_lsn()`).
    pub lsn: Lsn,
    /// The timeline that it writes on.
    pub timeline: Timeline,
    /// Who streams from it (`pg_stat_replication`).
    pub standbys: Vec<ConnectedStandby>,
    /// The setting.
    pub synchronous_standby_names: String,
}

/// One row of `pg_stat_replication`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedStandby {
    /// What the standby calls itself; ours are called after their node.
    pub application_name: String,
    /// `startup`, `catchup`, `streaming`, `backup`, `stopping`; empty when the role may not see it.
    pub state: String,
    /// Part in synchronous replication.
    pub sync_state: SyncState,
    /// Sent to it.
    pub sent: Option<Lsn>,
    /// On its disk.
    pub flush: Option<Lsn>,
    pub connection: Connection,
}

/// The connection of a standby. `None`: the role may not see it, it does not come by TCP, or nothing was said yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// The standby's address.
    pub client: Option<String>,
    /// For how long it has been connected, in milliseconds, by the primary's clock (`backend_start`).
    pub age: Option<u64>,
    /// When it sent its last reply, in milliseconds, by the standby's own clock (`reply_time`).
    pub replied: Option<u64>,
}

/// `pg_stat_replication.sync_state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncState {
    /// Commits wait for it.
    Sync,
    /// Commits wait for enough of its group.
    Quorum,
    /// Would become synchronous if one that is fails.
    Potential,
    /// Nobody waits for it.
    Async,
    /// A word that quorate does not know, or none: count on nothing.
    Unknown(String),
}

impl From<&str> for SyncState {
    fn from(word: &str) -> Self {
        match word {
            "sync" => Self::Sync,
            "quorum" => Self::Quorum,
            "potential" => Self::Potential,
            "async" => Self::Async,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// A standby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyView {
    /// `pg_last_wal_receive_lsn()`: `None` when nothing was streamed since the start.
    pub received: Option<Lsn>,
    /// `pg_last_wal_replay_lsn()`.
    pub replayed: Option<Lsn>,
    /// The WAL receiver, when one runs.
    pub receiver: Option<Receiver>,
    /// `application_name` of those that stream from it: its own where its primary's address leads to itself.
    pub streams_to: Vec<String>,
    /// The setting; may hold a password: never log it. `None` when the role may not read it (it lacks pg_monitor).
    pub primary_conninfo: Option<String>,
    /// Replay is paused or about to be (`pg_is_wal_replay_paused()`): by somebody, or because a setting is below the primary's.
    pub is_paused: bool,
}

impl StandbyView {
    /// How far the standby is: the greater of received and replayed. After a restart, `received` is the start of the segment at
    /// which streaming began again, behind what was replayed: taken alone it makes all standbys look equal (PAF #225).
    pub fn position_lsn(&self) -> Option<Lsn> {
        self.received.max(self.replayed)
    }
}

/// The row of `pg_stat_wal_receiver`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its process.
    pub pid: Option<i32>,
    /// `starting`, `streaming`, `waiting`, `restarting`, `stopping`, `stopped`.
    pub status: String,
    /// The server that it streams from; a socket directory for a local one.
    pub sender_host: Option<String>,
    /// Its port.
    pub sender_port: Option<u16>,
    /// Timeline being received; `None` before the first handshake.
    pub timeline: Option<Timeline>,
    /// The sender's end of WAL as last reported.
    pub latest_end: Option<Lsn>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_of_received_and_replayed_counts() {
        let view = |received: u64, replayed: u64| StandbyView {
            received: Lsn::valid(received),
            replayed: Lsn::valid(replayed),
            receiver: None,
            streams_to: Vec::new(),
            primary_conninfo: None,
            is_paused: false,
        };
        // Captured after a restart: received 0/3000000, replayed 0/3000148.
        assert_eq!(view(0x300_0000, 0x300_0148).position_lsn(), Some(Lsn(0x300_0148)));
        assert_eq!(view(5, 0).position_lsn(), Some(Lsn(5)));
        assert_eq!(view(0, 0).position_lsn(), None);
    }

    #[test]
    fn an_unknown_sync_state_stays_unknown() {
        assert_eq!(SyncState::from("quorum"), SyncState::Quorum);
        assert_eq!(SyncState::from(""), SyncState::Unknown(String::new()));
        assert_eq!(SyncState::from("SYNC"), SyncState::Unknown("SYNC".into()));
    }
}
