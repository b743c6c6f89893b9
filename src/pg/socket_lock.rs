//! The lock file beside a server's Unix socket (PostgreSQL's `CreateSocketLockFile`), and whether a server still holds it.

use std::path::Path;

/// What of the file counts. The lines are those of `postmaster.pid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketLock {
    /// Who made it; negative where it was a stand-alone backend.
    pub pid: i32,
    /// The data directory of who made it; empty where the line is missing.
    pub data_directory: String,
}

/// The process that has the lock's pid today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    /// There is none, or it is no PostgreSQL of the data's user.
    Nobody,
    /// A PostgreSQL of the data's user that works in this directory.
    Postgres(&'a Path),
    /// It could not be looked at.
    Unknown,
}

/// Whether somebody takes connections at the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    Nobody,
    Somebody,
}

impl SocketLock {
    /// Reads the file. `None`: it is empty or garbage, as a crash leaves it; PostgreSQL would not start beside it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let pid =
            lines.next()?.trim().parse::<i32>().ok().filter(|pid| !matches!(*pid, -1..=1 | i32::MIN))?;
        Some(Self { pid: pid.abs(), data_directory: lines.next().unwrap_or_default().trim_end().to_owned() })
    }
}

/// Whether the lock keeps its socket from a server whose data are in `own`, in which nothing runs.
///
/// PostgreSQL takes any living process with the recorded pid for the holder. After a crash that pid may belong to
/// another PostgreSQL of the same user: the lock's second line tells whether it was made by that one. `resolved` is that line with
/// its links resolved.
#[must_use]
pub fn is_held(resolved: Option<&Path>, own: &Path, holder: Holder<'_>, listener: Listener) -> bool {
    match (listener, holder) {
        // A server of another container or user that shares the directory: its pid means nothing here.
        (Listener::Somebody, _) | (Listener::Nobody, Holder::Unknown) => true,
        (Listener::Nobody, Holder::Nobody) => false,
        (Listener::Nobody, Holder::Postgres(works_in)) => {
            works_in != own && resolved.is_none_or(|made_for| made_for == works_in)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_count() {
        let lock = SocketLock::parse(b"4711\n/srv/a\n1700000000\n5432\n/run/pg\n").expect("a lock");
        assert_eq!((lock.pid, lock.data_directory.as_str()), (4711, "/srv/a"));
        assert_eq!(SocketLock::parse(b"4711").map(|l| l.data_directory), Some(String::new()));
        assert_eq!(SocketLock::parse(b"-4711\n/srv/a\n").map(|l| l.pid), Some(4711));
        for garbage in [&b""[..], b"\n", b"x\n/srv/a\n", b"0\n", b"1\n/srv/a\n", b"99999999999\n", &[0xff; 9]]
        {
            assert_eq!(SocketLock::parse(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn only_a_server_that_works_where_the_lock_says_holds_it() {
        let (own, other, third) = (Path::new("/own"), Path::new("/other"), Path::new("/third"));
        let held = |line, holder| is_held(Some(line), own, holder, Listener::Nobody);
        assert!(!held(own, Holder::Nobody) && !held(other, Holder::Nobody));
        // Made by our crashed server; its pid is another PostgreSQL's today.
        assert!(!held(own, Holder::Postgres(other)));
        // Made by a third one that crashed.
        assert!(!held(third, Holder::Postgres(other)));
        assert!(held(other, Holder::Postgres(other)), "a server that has not yet bound its socket");
        assert!(held(own, Holder::Unknown));
        // A line that can't be resolved tells nothing.
        assert!(is_held(None, own, Holder::Postgres(other), Listener::Nobody));
        for holder in [Holder::Nobody, Holder::Postgres(other), Holder::Unknown] {
            assert!(is_held(Some(own), own, holder, Listener::Somebody), "{holder:?}");
        }
    }
}
