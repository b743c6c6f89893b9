//! What an effect that fails gives back: the kind, for whoever called, and the text, for the operator.

use std::fmt;
use std::io;

use nix::errno::Errno;

use super::command::CommandError;
use super::control_file::ControlFileError;
use super::files::FileError;
use super::identity::IdentityError;
use super::postgres::PostgresError;
use super::storage::StorageError;
use crate::decide::cause::Cause;

/// Something could not be observed or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    pub cause: Cause,
    /// What, with which value, and the cure.
    pub text: String,
}

/// The result of an effect.
pub type HostResult<T> = Result<T, HostError>;

impl HostError {
    /// An error of this kind.
    pub fn new(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, text: text.into() }
    }

    /// [`Cause::Missing`].
    pub fn missing(text: impl Into<String>) -> Self {
        Self::new(Cause::Missing, text)
    }

    /// [`Cause::Forbidden`].
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::new(Cause::Forbidden, text)
    }

    /// [`Cause::TimedOut`].
    pub fn timed_out(text: impl Into<String>) -> Self {
        Self::new(Cause::TimedOut, text)
    }

    /// [`Cause::Unusable`].
    pub fn unusable(text: impl Into<String>) -> Self {
        Self::new(Cause::Unusable, text)
    }

    /// [`Cause::Failed`].
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(Cause::Failed, text)
    }

    /// The same error, after that of another try. What is forbidden counts: it hides the rest.
    #[must_use]
    pub fn after(self, other: Self) -> Self {
        let cause = if other.cause == Cause::Forbidden { other.cause } else { self.cause };
        Self { cause, text: format!("{}; {}", other.text, self.text) }
    }

    /// The same error, with what it is about in front.
    #[must_use]
    pub fn about(self, what: impl fmt::Display) -> Self {
        Self { text: format!("{what}: {}", self.text), ..self }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for HostError {}

/// The kind of a system call's error.
fn of_io(error: &io::Error) -> Cause {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound | Kind::ConnectionRefused | Kind::NotConnected => Cause::Missing,
        Kind::PermissionDenied => Cause::Forbidden,
        Kind::TimedOut | Kind::WouldBlock => Cause::TimedOut,
        Kind::InvalidData | Kind::InvalidInput | Kind::NotADirectory | Kind::IsADirectory => Cause::Unusable,
        _ => Cause::Failed,
    }
}

fn of_storage(error: &StorageError) -> Cause {
    match error {
        StorageError::Io { source, .. } => of_io(source),
        StorageError::NoData(_) => Cause::Missing,
        StorageError::NotSecret { .. }
        | StorageError::NotRoots { .. }
        | StorageError::Owner { .. }
        | StorageError::Mode { .. } => Cause::Forbidden,
        StorageError::NotRegular(_)
        | StorageError::Link(_)
        | StorageError::TooMany { .. }
        | StorageError::TooLarge { .. }
        | StorageError::NotText(_)
        | StorageError::NotDirectory(_)
        | StorageError::Version { .. }
        | StorageError::History { .. } => Cause::Unusable,
    }
}

impl From<io::Error> for HostError {
    fn from(error: io::Error) -> Self {
        Self::new(of_io(&error), error.to_string())
    }
}

impl From<Errno> for HostError {
    fn from(errno: Errno) -> Self {
        Self::new(of_io(&errno.into()), errno.to_string())
    }
}

impl From<FileError> for HostError {
    fn from(error: FileError) -> Self {
        Self::new(of_io(&error.source), error.to_string())
    }
}

impl From<StorageError> for HostError {
    fn from(error: StorageError) -> Self {
        Self::new(of_storage(&error), error.to_string())
    }
}

impl From<ControlFileError> for HostError {
    fn from(error: ControlFileError) -> Self {
        let cause = match &error {
            ControlFileError::Storage(source) => of_storage(source),
            ControlFileError::Data { .. } => Cause::Unusable,
        };
        Self::new(cause, error.to_string())
    }
}

impl From<&IdentityError> for HostError {
    fn from(error: &IdentityError) -> Self {
        let cause = match error {
            IdentityError::Unknown(_) => Cause::Missing,
            IdentityError::Lookup { .. } => Cause::Failed,
        };
        Self::new(cause, error.to_string())
    }
}

impl From<CommandError> for HostError {
    fn from(error: CommandError) -> Self {
        let cause = match &error {
            CommandError::NotFound { .. } => Cause::Missing,
            CommandError::Spawn { source, .. } => of_io(source),
            CommandError::TimedOut { .. } => Cause::TimedOut,
            CommandError::TooMuchOutput { .. } => Cause::Unusable,
            CommandError::Failed { .. } | CommandError::Signalled { .. } => Cause::Failed,
        };
        Self::new(cause, error.to_string())
    }
}

/// What can't be read as what it should be.
macro_rules! unusable {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for HostError {
            fn from(error: $error) -> Self {
                Self::unusable(error.to_string())
            }
        })+
    };
}

unusable!(
    serde_json::Error,
    crate::cluster::cib::CibError,
    crate::cluster::cib::TreeError,
    crate::cluster::crm_mon::ParseError,
    crate::cluster::fencing_history::HistoryError,
    crate::decide::doctor::read::Broken,
    crate::decide::promotions::PromotionError,
    crate::decide::voters::VotersError,
);

impl From<PostgresError> for HostError {
    fn from(error: PostgresError) -> Self {
        let cause = match &error {
            PostgresError::Silent { .. } => Cause::TimedOut,
            PostgresError::Refused => Cause::Missing,
            PostgresError::Unusable(_) => Cause::Unusable,
            PostgresError::Rejected(_) => Cause::Failed,
        };
        Self::new(cause, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_kind_is_kept_with_what_stands_in_front() {
        let io = |kind| StorageError::Io {
            action: "open",
            path: PathBuf::from("/f"),
            source: io::Error::from(kind),
        };
        let cases: [(HostError, Cause); 6] = [
            (io(io::ErrorKind::NotFound).into(), Cause::Missing),
            (io(io::ErrorKind::PermissionDenied).into(), Cause::Forbidden),
            (StorageError::NotText(PathBuf::from("/f")).into(), Cause::Unusable),
            (PostgresError::Silent { after: Duration::from_secs(1) }.into(), Cause::TimedOut),
            (PostgresError::Refused.into(), Cause::Missing),
            (Errno::EIO.into(), Cause::Failed),
        ];
        for (error, cause) in cases {
            let text = error.text.clone();
            let about = error.about("pgdata");
            assert_eq!((about.cause, about.to_string()), (cause, format!("pgdata: {text}")));
        }
    }
}
