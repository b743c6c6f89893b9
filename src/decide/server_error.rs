//! What an error that a server sends instead of an answer tells of it.

use crate::pg::view::Rejection;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The server works: all connections are taken, our login is refused, our database is not there, a setting of ours is wrong. A
    /// restart would change nothing.
    Ours,
    /// The server can't serve us: out of memory, a cut connection, an internal error, one that we do not know.
    Server,
    /// Its files are damaged, missing or can't be read: another instance has better ones.
    Data,
}

/// The kind of an error. `None`: the server said how far it has come in its start or shutdown, which is no error.
#[must_use]
pub fn kind(rejection: &Rejection) -> Option<ErrorKind> {
    match rejection {
        Rejection::StartingUp
        | Rejection::InRecovery
        | Rejection::ShuttingDown
        | Rejection::HotStandbyDisabled => None,
        Rejection::TooManyConnections | Rejection::Authentication(_) => Some(ErrorKind::Ours),
        Rejection::DirectoryMissing(_) => Some(ErrorKind::Data),
        Rejection::Other { sqlstate, message } => Some(of_state(sqlstate, message)),
    }
}

/// By PostgreSQL's classes (errcodes.txt).
fn of_state(sqlstate: &str, message: &str) -> ErrorKind {
    match sqlstate {
        // A library that a setting names (dfmgr.c): the standbys have the setting too, and other databases may be well.
        "58P01" | "42501" | "58000" | "XX000"
            if message.starts_with("could not access file ")
                || message.starts_with("could not load library ") =>
        {
            ErrorKind::Ours
        }
        // The lock table is full, which one session can do.
        "53200" if message.starts_with("out of shared memory") => ErrorKind::Ours,
        // io_error, undefined_file, duplicate_file, data_corrupted, index_corrupted.
        "58030" | "58P01" | "58P02" | "XX001" | "XX002" => ErrorKind::Data,
        // A file that the server may not read has the state of a right that our role lacks (errcode_for_file_access).
        "42501" if message.starts_with("could not ") => ErrorKind::Data,
        // disk_full: the trial write tells it, and a restart makes no room. too_many_connections, configuration_limit_exceeded,
        // database_dropped, idle_session_timeout.
        "53100" | "53300" | "53400" | "57P04" | "57P05" => ErrorKind::Ours,
        _ => match sqlstate.get(..2).unwrap_or_default() {
            // Not supported, invalid grantor or role, invalid data or transaction, login, database, schema; a database that takes no
            // connections; syntax or rights; RAISE of somebody's login trigger.
            "0A" | "0L" | "0P" | "22" | "25" | "28" | "3D" | "3F" | "42" | "55" | "P0" => ErrorKind::Ours,
            _ => ErrorKind::Server,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_server_and_our_own_mistakes_are_not_the_servers_failure() {
        let of = |sqlstate: &str, message: &str| {
            kind(&crate::pg::rejection::classify(sqlstate, message, None)).expect("an error")
        };
        for ours in ["53300", "28P01", "28000", "3D000", "42501", "42883", "55000", "53100", "22023", "P0001"]
        {
            assert_eq!(of(ours, "x"), ErrorKind::Ours, "{ours}");
        }
        assert_eq!(of("53200", "out of shared memory"), ErrorKind::Ours);
        assert_eq!(
            of("58P01", "could not access file \"auto_explian\": No such file or directory"),
            ErrorKind::Ours
        );
        for server in ["53200", "53000", "58000", "XX000", "08006", "08P01", "", "ZZ999", "F0000"] {
            assert_eq!(of(server, "x"), ErrorKind::Server, "{server}");
        }
        for data in ["58030", "58P01", "XX001", "XX002"] {
            assert_eq!(of(data, "x"), ErrorKind::Data, "{data}");
        }
        assert_eq!(of("42501", "could not open file \"base/5/1\": Permission denied"), ErrorKind::Data);
        assert_eq!(kind(&Rejection::DirectoryMissing("x".into())), Some(ErrorKind::Data));
        assert_eq!(kind(&Rejection::StartingUp), None);
    }
}
