//! What one look at an instance gives, and its summary that the decisions run on.

use crate::pg::control_data::{ControlData, DbState};
use crate::pg::view::{Answer, Rejection};

use super::server_error::{ErrorKind, kind};

/// Everything gathered about one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub process: Process,
    /// `None`: the look did not try (nothing runs that could answer).
    pub answer: Option<Answer>,
    pub control: Control,
    /// Whether `standby.signal` is there: what the server becomes once its recovery is through.
    pub signal: Signal,
}

/// The postmaster and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// No process works in the data directory.
    Absent,
    /// No postmaster, but its children still run; a busy one may go on until it has nothing to do.
    Leftovers(usize),
    /// The postmaster runs.
    Alive(Pulse),
    /// The processes could not be looked at.
    Unknown(String),
}

/// The state of a living postmaster in `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pulse {
    /// Runs or sleeps.
    Beating,
    /// Stopped by a signal (T): it will not answer. Whether a debugger (t) stops it too is for who looks to say.
    Stopped,
    /// Waits for a device (D).
    Stuck,
}

/// The control file.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    Known(ControlData),
    /// Missing, damaged, of another version; with what is wrong.
    Unknown(String),
}

/// `standby.signal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    Present,
    Missing,
}

impl Facts {
    /// The summary of the process.
    pub const fn life(&self) -> Life {
        match &self.process {
            Process::Absent => Life::Absent,
            Process::Leftovers(_) => Life::Leftovers,
            Process::Alive(pulse) => Life::Alive(*pulse),
            Process::Unknown(_) => Life::Unknown,
        }
    }

    /// The summary of the answer.
    pub fn word(&self) -> Word {
        match &self.answer {
            None => Word::None,
            Some(Answer::Primary(_)) => Word::Primary,
            Some(Answer::Standby(_)) => Word::Standby,
            Some(Answer::Silent { .. }) => Word::Silent,
            Some(Answer::Refused) => Word::Refused,
            Some(Answer::Unusable(_)) => Word::Untold,
            Some(Answer::Rejects(rejection)) => match rejection {
                Rejection::StartingUp | Rejection::InRecovery => Word::Recovering,
                Rejection::ShuttingDown => Word::ShuttingDown,
                Rejection::HotStandbyDisabled => Word::ColdStandby,
                Rejection::TooManyConnections
                | Rejection::Authentication(_)
                | Rejection::DirectoryMissing(_)
                | Rejection::Other { .. } => match kind(rejection) {
                    Some(ErrorKind::Server | ErrorKind::Data) => Word::Failing,
                    Some(ErrorKind::Ours) | None => Word::Untold,
                },
            },
        }
    }

    /// The error that came instead of an answer, and whose it is.
    pub fn error(&self) -> Option<(ErrorKind, &Rejection)> {
        match &self.answer {
            Some(Answer::Rejects(rejection)) => kind(rejection).map(|kind| (kind, rejection)),
            _ => None,
        }
    }

    /// The control file's state, where it can be known.
    pub const fn state(&self) -> Option<DbState> {
        match &self.control {
            Control::Known(control) => Some(control.state),
            Control::Unknown(_) => None,
        }
    }

    /// The state as it tells the role: a server with `standby.signal` that recovers from a crash becomes a standby.
    pub const fn role_state(&self) -> Option<DbState> {
        match (self.state(), self.signal) {
            (Some(DbState::InCrashRecovery), Signal::Present) => Some(DbState::InArchiveRecovery),
            (state, _) => state,
        }
    }

    /// The control file, where it can be read.
    pub const fn control(&self) -> Option<&ControlData> {
        match &self.control {
            Control::Known(control) => Some(control),
            Control::Unknown(_) => None,
        }
    }
}

/// [`Process`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    Absent,
    Leftovers,
    Alive(Pulse),
    Unknown,
}

impl Life {
    pub const ALL: [Life; 6] = [
        Life::Absent,
        Life::Leftovers,
        Life::Alive(Pulse::Beating),
        Life::Alive(Pulse::Stopped),
        Life::Alive(Pulse::Stuck),
        Life::Unknown,
    ];

    /// For the tables in the documents.
    pub const fn text(self) -> &'static str {
        match self {
            Life::Absent => "no process",
            Life::Leftovers => "children without a postmaster",
            Life::Alive(Pulse::Beating) => "postmaster runs",
            Life::Alive(Pulse::Stopped) => "postmaster stopped (SIGSTOP)",
            Life::Alive(Pulse::Stuck) => "postmaster waits for a device",
            Life::Unknown => "could not look",
        }
    }
}

/// [`Answer`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// Not asked.
    None,
    Primary,
    Standby,
    /// Starting up, or in recovery before it is consistent.
    Recovering,
    ShuttingDown,
    /// A standby with hot_standby off.
    ColdStandby,
    /// It answers, but not with its role: full, login refused, our own mistake; or we could not ask.
    Untold,
    /// An error of its own instead of its role: input/output, damage, memory, a cut connection.
    Failing,
    /// No reply within our time.
    Silent,
    /// No socket, or nobody listens on it.
    Refused,
}

impl Word {
    pub const ALL: [Word; 10] = [
        Word::None,
        Word::Primary,
        Word::Standby,
        Word::Recovering,
        Word::ShuttingDown,
        Word::ColdStandby,
        Word::Untold,
        Word::Failing,
        Word::Silent,
        Word::Refused,
    ];

    /// For the tables in the documents.
    pub const fn text(self) -> &'static str {
        match self {
            Word::None => "not asked",
            Word::Primary => "primary",
            Word::Standby => "standby",
            Word::Recovering => "starting up or in recovery",
            Word::ShuttingDown => "shutting down",
            Word::ColdStandby => "standby, hot_standby off",
            Word::Untold => "full, or our login or database refused",
            Word::Failing => "an error of the server",
            Word::Silent => "silent",
            Word::Refused => "nobody listens",
        }
    }
}

/// All states of the control file and the unreadable one.
pub const STATES: [Option<DbState>; 8] = [
    None,
    Some(DbState::StartingUp),
    Some(DbState::ShutDown),
    Some(DbState::ShutDownInRecovery),
    Some(DbState::ShuttingDown),
    Some(DbState::InCrashRecovery),
    Some(DbState::InArchiveRecovery),
    Some(DbState::InProduction),
];
