//! The file `postmaster.pid` in a data directory, written by a running postmaster (PostgreSQL's utils/pidfile.h).

use std::num::NonZeroU16;

/// Content of the file. The lines appear one after another while the server starts, hence the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostmasterPid {
    /// Process of the postmaster. PostgreSQL writes a negative number for a stand-alone backend (`postgres --single`): see `standalone`.
    pub pid: i32,
    /// Whether a single-user backend holds the directory rather than a server.
    pub standalone: bool,
    /// The data directory, as the server was told.
    pub data_directory: String,
    /// Seconds since 1970.
    pub start_time: i64,
    /// The server's port.
    pub port: Option<NonZeroU16>,
    /// First Unix socket directory; `None` when there is none.
    pub socket_directory: Option<String>,
    /// First address listened on; `None` when there is none.
    pub listen_address: Option<String>,
    /// What the server says of itself.
    pub status: Option<PostmasterStatus>,
}

/// The status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostmasterStatus {
    /// Recovery has not got to where connections are taken.
    Starting,
    /// On its way down.
    Stopping,
    /// Takes connections.
    Ready,
    /// In recovery with hot_standby off: up, never takes connections.
    Standby,
}

/// A line that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of postmaster.pid should be {expected}, is \"{text}\"; if no server runs in this data directory, remove the file"
)]
pub struct PostmasterPidError {
    /// From 1.
    pub line: usize,
    /// What stands there by PostgreSQL's pidfile.h.
    pub expected: &'static str,
    /// What stands there, cut at 80 characters.
    pub text: String,
}

impl PostmasterPid {
    /// Reads the file's text.
    ///
    /// # Errors
    /// The first line of the wrong kind, or one of the first three (written in one go) missing.
    pub fn parse(text: &str) -> Result<Self, PostmasterPidError> {
        let lines: Vec<&str> = text.lines().collect();
        let fail = |line: usize, expected| {
            let text = lines.get(line - 1).copied().unwrap_or("").chars().take(80).collect();
            PostmasterPidError { line, expected, text }
        };
        let line = |number: usize| lines.get(number - 1).map(|line| line.trim_end());
        let present = |number| line(number).filter(|line| !line.is_empty());

        let raw_pid =
            line(1).and_then(|l| l.parse::<i32>().ok()).filter(|pid| !matches!(*pid, -1..=1 | i32::MIN));
        let raw_pid = raw_pid.ok_or_else(|| fail(1, "a process id"))?;
        let data_directory = present(2)
            .filter(|l| l.starts_with('/'))
            .ok_or_else(|| fail(2, "the path of the data directory"))?;
        let start_time = line(3)
            .and_then(|l| l.parse().ok())
            .filter(|t| *t > 0)
            .ok_or_else(|| fail(3, "the start time in seconds"))?;
        let port = match line(4) {
            None | Some("") => None,
            // A stand-alone backend writes the port too, but never listens.
            Some(text) => Some(text.parse().map_err(|_| fail(4, "a port"))?),
        };
        let socket_directory = present(5);
        if socket_directory.is_some_and(|l| !l.starts_with(['/', '@'])) {
            return Err(fail(5, "a socket directory"));
        }
        let status = match line(8) {
            None | Some("") => None,
            Some("starting") => Some(PostmasterStatus::Starting),
            Some("stopping") => Some(PostmasterStatus::Stopping),
            Some("ready") => Some(PostmasterStatus::Ready),
            Some("standby") => Some(PostmasterStatus::Standby),
            Some(_) => return Err(fail(8, "starting, stopping, ready or standby")),
        };
        Ok(Self {
            pid: raw_pid.abs(),
            standalone: raw_pid < 0,
            data_directory: data_directory.to_owned(),
            start_time,
            port,
            socket_directory: socket_directory.map(str::to_owned),
            listen_address: present(6).map(str::to_owned),
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of a PostgreSQL 15 primary.
    const READY: &str =
        "19670\n/srv/pg/p\n1795346666\n5601\n/run/pg\n127.0.0.1\n 10069981         8\nready   \n";

    #[test]
    fn a_ready_server() {
        let file = PostmasterPid::parse(READY).expect("valid");
        assert_eq!((file.pid, file.standalone, file.start_time), (19670, false, 1_795_346_666));
        assert_eq!(file.data_directory, "/srv/pg/p");
        assert_eq!(file.port.map(NonZeroU16::get), Some(5601));
        assert_eq!(file.socket_directory.as_deref(), Some("/run/pg"));
        assert_eq!(file.listen_address.as_deref(), Some("127.0.0.1"));
        assert_eq!(file.status, Some(PostmasterStatus::Ready));
    }

    #[test]
    fn a_server_that_has_just_begun() {
        // CreateLockFile writes the first lines; sockets and status follow.
        let file = PostmasterPid::parse("19670\n/srv/pg/p\n1795346666\n5601\n").expect("valid");
        assert_eq!((file.socket_directory, file.status), (None, None));
        let no_socket = PostmasterPid::parse("7\n/p\n9\n5432\n\n\n\nstarting\n").expect("valid");
        assert_eq!((no_socket.socket_directory, no_socket.status), (None, Some(PostmasterStatus::Starting)));
        assert!(PostmasterPid::parse("-77\n/p\n9\n5432\n").is_ok_and(|f| f.standalone && f.pid == 77));
    }

    #[test]
    fn the_bad_line_is_named() {
        for (text, line) in [
            ("", 1),
            ("\n", 1),
            ("0\n/p\n1\n", 1),
            ("1\n/p\n1\n", 1),
            ("12x\n/p\n1\n", 1),
            ("99999999999\n/p\n1\n", 1),
            ("12", 2),
            ("12\nrelative\n1\n", 2),
            ("12\n/p\n", 3),
            ("12\n/p\nlate\n", 3),
            ("12\n/p\n1\n70000\n", 4),
            ("12\n/p\n1\n5432\nx\n", 5),
            ("12\n/p\n1\n5432\n/s\n*\n1 2\nhappy\n", 8),
        ] {
            assert_eq!(PostmasterPid::parse(text).map_err(|e| e.line), Err(line), "{text:?}");
        }
    }
}
