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
    Alive(RunState),
    /// The processes could not be looked at.
    Unknown(String),
}

/// The state of a process that has not ended, by `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Runs or sleeps.
    Running,
    /// Stopped by a signal (T): it will not answer. Whether a debugger (t) stops it too is for who looks to say.
    Stopped,
    /// Waits for a device (D).
    Uninterruptible,
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
    pub const fn process_summary(&self) -> ProcessSummary {
        match &self.process {
            Process::Absent => ProcessSummary::Absent,
            Process::Leftovers(_) => ProcessSummary::Leftovers,
            Process::Alive(state) => ProcessSummary::Alive(*state),
            Process::Unknown(_) => ProcessSummary::Unknown,
        }
    }

    /// The summary of the answer.
    pub fn server_answer(&self) -> ServerAnswer {
        match &self.answer {
            None => ServerAnswer::None,
            Some(Answer::Primary(_)) => ServerAnswer::Primary,
            Some(Answer::Standby(_)) => ServerAnswer::Standby,
            Some(Answer::Silent { .. }) => ServerAnswer::Silent,
            Some(Answer::Refused) => ServerAnswer::Refused,
            Some(Answer::Unusable(_)) => ServerAnswer::NoRole,
            Some(Answer::Rejects(rejection)) => match rejection {
                Rejection::StartingUp | Rejection::InRecovery => ServerAnswer::Recovering,
                Rejection::ShuttingDown => ServerAnswer::ShuttingDown,
                Rejection::HotStandbyDisabled => ServerAnswer::ColdStandby,
                Rejection::TooManyConnections
                | Rejection::Authentication(_)
                | Rejection::DirectoryMissing(_)
                | Rejection::Other { .. } => match kind(rejection) {
                    Some(ErrorKind::Server | ErrorKind::Data) => ServerAnswer::Failing,
                    Some(ErrorKind::Ours) | None => ServerAnswer::NoRole,
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
pub enum ProcessSummary {
    Absent,
    Leftovers,
    Alive(RunState),
    Unknown,
}

impl ProcessSummary {
    pub const ALL: [ProcessSummary; 6] = [
        ProcessSummary::Absent,
        ProcessSummary::Leftovers,
        ProcessSummary::Alive(RunState::Running),
        ProcessSummary::Alive(RunState::Stopped),
        ProcessSummary::Alive(RunState::Uninterruptible),
        ProcessSummary::Unknown,
    ];

    /// For the tables in the documents.
    pub const fn text(self) -> &'static str {
        match self {
            ProcessSummary::Absent => "no process",
            ProcessSummary::Leftovers => "children without a postmaster",
            ProcessSummary::Alive(RunState::Running) => "postmaster runs",
            ProcessSummary::Alive(RunState::Stopped) => "postmaster stopped (SIGSTOP)",
            ProcessSummary::Alive(RunState::Uninterruptible) => "postmaster waits for a device",
            ProcessSummary::Unknown => "could not be examined",
        }
    }
}

/// [`Answer`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerAnswer {
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
    NoRole,
    /// An error of its own instead of its role: input/output, damage, memory, a cut connection.
    Failing,
    /// No reply within our time.
    Silent,
    /// No socket, or nobody listens on it.
    Refused,
}

impl ServerAnswer {
    pub const ALL: [ServerAnswer; 10] = [
        ServerAnswer::None,
        ServerAnswer::Primary,
        ServerAnswer::Standby,
        ServerAnswer::Recovering,
        ServerAnswer::ShuttingDown,
        ServerAnswer::ColdStandby,
        ServerAnswer::NoRole,
        ServerAnswer::Failing,
        ServerAnswer::Silent,
        ServerAnswer::Refused,
    ];

    /// For the tables in the documents.
    pub const fn text(self) -> &'static str {
        match self {
            ServerAnswer::None => "not asked",
            ServerAnswer::Primary => "primary",
            ServerAnswer::Standby => "standby",
            ServerAnswer::Recovering => "starting up or in recovery",
            ServerAnswer::ShuttingDown => "shutting down",
            ServerAnswer::ColdStandby => "standby, hot_standby off",
            ServerAnswer::NoRole => "full, or our login or database refused",
            ServerAnswer::Failing => "an error of the server",
            ServerAnswer::Silent => "silent",
            ServerAnswer::Refused => "nobody listens",
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
