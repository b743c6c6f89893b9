//! Where the WAL in pg_wal ends, whatever the server says.

use std::time::Duration;

use super::{HostError, Node, host_error};
use crate::boundary::clock::Deadline;
use crate::boundary::command::{Command, Environment};
use crate::boundary::data_directory;
use crate::boundary::host::HostResult;
use crate::pg::timeline::WalPosition;
use crate::pg::wal_end;

/// It reads what was written since the last restartpoint: up to max_wal_size. Where the WAL ends with its last file it looks for the
/// next one for 5 s.
const PATIENCE: Duration = Duration::from_secs(8);

impl Node {
    /// By pg_waldump, as the instance's owner.
    pub(super) fn read_wal_end(&self) -> HostResult<WalPosition> {
        let files = self.files().map_err(host_error)?;
        let bindir = self.bindir()?;
        let control = self.control()?;
        let names = data_directory::pg_wal_names(files, self.pgdata()).map_err(host_error)?;
        let start =
            wal_end::start(names.iter().map(String::as_str), control.furthest(), control.segment_size)
                .ok_or_else(|| HostError::missing(format!("no WAL at {} in pg_wal", control.furthest())))?;
        let command = Command::new(bindir.join("pg_waldump"))
            .arg("--quiet")
            .arg(format!("--path={}", self.pgdata().join("pg_wal").display()))
            .arg(format!("--timeline={}", start.timeline))
            .arg(format!("--start={}", start.lsn))
            .environment(Environment::Clean)
            .run_as(files.user());
        let left = self.deadline.remaining() / 2;
        let said = command.run_any(Deadline::after(PATIENCE.min(left))).map_err(host_error)?.stderr;
        let lsn = wal_end::end(&said, start.lsn, control.segment_size).ok_or_else(|| {
            HostError::unusable(format!("pg_waldump tells no end of the WAL: {}", said.trim()))
        })?;
        Ok(WalPosition { timeline: start.timeline, lsn })
    }
}
