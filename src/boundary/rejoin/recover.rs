//! The crash recovery of data that are to be rewound: pg_rewind wants them shut down.

use super::super::data_directory::{self, SignalFile};
use super::tool::Tells;
use super::{Instance, RejoinError, Step};
use crate::pg::control_data::DbState;

/// As many megabytes of WAL as the setting takes: the checkpoint that ends the recovery removes none. pg_rewind reads back to the last
/// common checkpoint, which is older than anything that recovery needs.
const KEEP_ALL: &str = "wal_keep_size=2147483647";

impl Instance {
    /// Whether the data are shut down.
    ///
    /// # Errors
    /// The control file can't be read.
    pub fn is_shut_down(&self) -> Step<bool> {
        let state = self.node.control()?.state;
        Ok(matches!(state, DbState::ShutDown | DbState::ShutDownInRecovery))
    }

    /// Runs crash recovery in a single-user server, which nobody can connect to. It writes nothing but a checkpoint.
    ///
    /// # Errors
    /// It fails, or the data hold a base backup that was never started.
    pub fn recover(&self) -> Step<()> {
        let files = self.files()?;
        if files.is_there(&self.pgdata().join("backup_label"))? {
            return Err(RejoinError::Again(
                "a base backup that was never started can't be rewound".to_owned(),
            ));
        }
        // Without standby mode it would go on with its primary's timeline as a primary of its own.
        if self.node.control()?.state == DbState::InArchiveRecovery {
            return Err(RejoinError::Again(
                "a standby that crashed can't be recovered without a primary".to_owned(),
            ));
        }
        // A single-user server refuses standby mode.
        for signal in [SignalFile::Standby, SignalFile::Recovery, SignalFile::Promote] {
            data_directory::remove_signal(files, self.pgdata(), signal)?;
        }
        self.node.remove_stale_locks()?;
        let setting = |text: String| ["-c".to_owned(), text];
        let command = self
            .program("postgres")?
            .arg("--single")
            .arg("-D")
            .arg(self.pgdata())
            .args(setting(format!("config_file={}", self.settings.config_file.display())))
            .args(setting(format!("data_directory={}", self.pgdata().display())))
            .args(setting(KEEP_ALL.to_owned()))
            // Neither waits for a standby nor for an archive.
            .args(setting("synchronous_standby_names=".to_owned()))
            .args(setting("restore_command=".to_owned()))
            .args(setting("archive_mode=off".to_owned()))
            .args(setting("logging_collector=off".to_owned()))
            .arg("template1")
            .directory(self.pgdata());
        let said = self.long(&command, Tells::Nothing, &mut |_| {})?;
        if self.is_shut_down()? {
            return Ok(());
        }
        Err(RejoinError::Again(format!("crash recovery did not end in a shutdown: {said}")))
    }
}
