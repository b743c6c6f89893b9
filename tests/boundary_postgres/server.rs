//! A PostgreSQL server of a test's own.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use quorate::boundary::clock::Deadline;
use quorate::boundary::command::{Command, Detached, Environment};
use quorate::boundary::identity::SystemUser;
use quorate::boundary::owned_files::OwnedFiles;
use quorate::boundary::postgres::Endpoint;
use quorate::boundary::process::{self, ProcessId, ProcessInfo};
use quorate::pg::view::{Answer, PrimaryView, StandbyView};

/// Far above what anything here takes on an idle machine.
pub const LONG: Duration = Duration::from_secs(60);
pub const PROBE: Duration = Duration::from_secs(10);

pub fn long() -> Deadline {
    Deadline::after(LONG)
}

pub fn postgres() -> SystemUser {
    SystemUser::lookup("postgres").expect("PostgreSQL is installed")
}

pub fn bindir() -> PathBuf {
    (13..=18)
        .rev()
        .map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")))
        .find(|dir| dir.join("initdb").exists())
        .expect("PostgreSQL 13 to 18 is installed under /usr/lib/postgresql")
}

/// Asks again until `wanted` gives something.
pub fn until<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let deadline = long();
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        assert!(!deadline.passed(), "{what} did not come");
        deadline.sleep(Duration::from_millis(20));
    }
}

/// A data directory, perhaps with a server. Everything goes when it is dropped.
pub struct Server {
    pub directory: tempfile::TempDir,
    pub user: SystemUser,
    pub daemon: Option<Detached>,
    pub port: u16,
}

impl Server {
    pub fn empty() -> Self {
        crate::left_out::without_root("boundary_postgres", "real PostgreSQL servers of another user");
        let user = postgres();
        let directory = tempfile::Builder::new().prefix("q").tempdir_in("/tmp").expect("a directory");
        chown(directory.path(), Some(user.uid), Some(user.gid)).expect("root");
        Self { directory, user, daemon: None, port: 5432 }
    }

    /// A fresh cluster with these lines in its configuration; not started.
    pub fn initdb(settings: &str) -> Self {
        let server = Self::empty();
        server
            .tool("initdb")
            .args(["--no-sync", "-k", "-A", "peer", "-D"])
            .arg(server.pgdata())
            .run(long())
            .expect("initdb");
        server.append("postgresql.conf", "listen_addresses = ''\nfsync = off\nmax_wal_senders = 4\n");
        server.append("postgresql.conf", settings);
        server
    }

    /// A standby of `primary`; not started.
    pub fn copy_of(primary: &Server) -> Self {
        let server = Self::empty();
        let backup =
            server.tool("pg_basebackup").args(["--no-sync", "-c", "fast", "-X", "stream", "-R", "-h"]);
        backup
            .arg(primary.directory.path())
            .arg("-D")
            .arg(server.pgdata())
            .run(long())
            .expect("pg_basebackup");
        server
    }

    pub fn tool(&self, name: &str) -> Command {
        Command::new(bindir().join(name)).environment(Environment::Clean).run_as(&self.user).directory("/")
    }

    pub fn files(&self) -> OwnedFiles {
        OwnedFiles::of(&self.user)
    }

    pub fn pgdata(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn append(&self, file: &str, text: &str) {
        let path = self.pgdata().join(file);
        let files = OwnedFiles::of(&self.user);
        let mut content = files.read_if_there(&path).expect("readable").unwrap_or_default();
        content.extend_from_slice(text.as_bytes());
        files.replace(&path, &content).expect("writable");
    }

    pub fn start(&mut self) -> ProcessId {
        let log = OwnedFiles::of(&self.user).append(&self.log()).expect("a log");
        let postmaster =
            self.tool("postgres").arg("-D").arg(self.pgdata()).arg("-k").arg(self.directory.path());
        let daemon = postmaster.spawn_detached(log).expect("starts");
        let id = daemon.id();
        self.daemon = Some(daemon);
        id
    }

    pub fn start_ready(&mut self) -> ProcessId {
        let id = self.start();
        until("a ready server", || self.endpoint().probe(PROBE).role());
        id
    }

    pub fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::local(self.directory.path(), self.port, &self.user)
    }

    pub fn sql(&self, sql: &str) {
        self.endpoint().query(sql, LONG).expect("valid SQL");
    }

    pub fn primary(&self) -> PrimaryView {
        match self.endpoint().probe(PROBE) {
            Answer::Primary(view) => view,
            other => panic!("not a primary: {other:?}"),
        }
    }

    pub fn standby(&self) -> StandbyView {
        match self.endpoint().probe(PROBE) {
            Answer::Standby(view) => view,
            other => panic!("not a standby: {other:?}"),
        }
    }

    pub fn processes(&self) -> Vec<ProcessInfo> {
        process::postgres_below(&self.pgdata(), self.user.uid).unwrap_or_default()
    }

    pub fn stop(&mut self, signal: Signal) {
        let Some(daemon) = self.daemon.take() else { return };
        process::signal(daemon.id(), signal).expect("ours");
        assert_eq!(process::wait_gone(&[daemon.id()], long()).expect("waits"), []);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for info in self.processes() {
            let _ = process::signal(info.id, Signal::SIGKILL);
        }
    }
}

/// A file of a user's, at whatever place.
pub fn put(path: &Path, text: &str, user: &SystemUser, mode: u32) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    chown(path, Some(user.uid), Some(user.gid)).expect("we are root");
}
