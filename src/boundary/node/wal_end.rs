//! What pg_wal says, whatever the server does: where its WAL ends, and which histories it has.

use std::time::Duration;

use super::{HostError, Node, host_error};
use crate::boundary::clock::Deadline;
use crate::boundary::command::{Command, Environment};
use crate::boundary::data_directory;
use crate::boundary::host::HostResult;
use crate::pg::history::{Broken, Histories};
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::wal_end;

/// It reads what was written since the last restartpoint: up to max_wal_size. Where the WAL ends with its last file it looks for the
/// next one for 5 s.
const PATIENCE: Duration = Duration::from_secs(8);

impl Node {
    pub(super) fn read_histories(&self) -> HostResult<Histories> {
        let files = self.files().map_err(host_error)?;
        let names = data_directory::pg_wal_names(files, self.pgdata()).map_err(host_error)?;
        let mut histories = Histories::default();
        for name in names {
            let Some(hex) = name.strip_suffix(".history") else { continue };
            let Some(timeline) = u32::from_str_radix(hex, 16).ok().and_then(Timeline::new) else { continue };
            match data_directory::read_history(files, self.pgdata(), timeline) {
                Ok(history) => histories.read.extend(history),
                Err(error) => histories.broken.push(Broken { timeline, why: error.to_string() }),
            }
        }
        Ok(histories)
    }

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
