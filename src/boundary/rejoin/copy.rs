//! Replacing the data: pg_rewind in their place, or pg_basebackup beside it.

use std::path::Path;

use super::source::SourceFacts;
use super::tool::Tells;
use super::{Instance, RejoinError, Source, Step};
use crate::pg::lsn::Lsn;

/// Whether the data directory is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    Yes,
    No,
}

impl Instance {
    /// Whether pg_rewind would do it: it reads, and writes nothing.
    ///
    /// # Errors
    /// Its refusal.
    pub fn try_rewind(&self, source: &Source) -> Step<()> {
        let command = self.rewind_command(source, self.pgdata())?.arg("--dry-run");
        let said = self.long(&source.with_password(command), Tells::Progress, &mut |_| {})?;
        if said.contains("no rewind required") {
            // On one timeline it compares nothing.
            return Err(RejoinError::Again("pg_rewind sees no difference".to_owned()));
        }
        // The standby replays from there on, and gets the WAL from the source.
        let from = rewound_from(&said)
            .ok_or_else(|| RejoinError::Again(format!("pg_rewind tells no checkpoint: {said}")))?;
        if self.has_wal(source, from)? {
            return Ok(());
        }
        Err(RejoinError::Again(format!("{} has removed the WAL since {from}", source.node)))
    }

    /// Runs pg_rewind.
    ///
    /// # Errors
    /// It fails: the directory may only be copied anew then.
    pub fn rewind(&self, source: &Source, progress: &mut dyn FnMut(u8)) -> Step<()> {
        // standby.signal is written before it ends: no moment at which a start by hand would make a primary of it.
        let aside = self.rewinding_directory()?;
        self.move_directory(self.pgdata(), &aside)?;
        let command = self.rewind_command(source, &aside)?.arg("--write-recovery-conf");
        self.long(&source.with_password(command), Tells::Progress, progress)?;
        self.move_directory(&aside, self.pgdata())
    }

    fn rewind_command(&self, source: &Source, directory: &Path) -> Step<super::Command> {
        Ok(self
            .program("pg_rewind")?
            .arg(format!("--target-pgdata={}", directory.display()))
            .arg(format!("--source-server={}", source.public()))
            .args(["--no-ensure-shutdown", "--progress"]))
    }

    /// Copies the primary's data into a new directory beside ours.
    ///
    /// # Errors
    /// No room, a layout that can't be copied so, or pg_basebackup fails.
    pub fn copy(
        &self,
        source: &Source,
        facts: &SourceFacts,
        whole: Whole,
        progress: &mut dyn FnMut(u8),
    ) -> Step<()> {
        self.must_be_copyable(facts)?;
        let new = self.new_directory();
        self.clear(&new)?;
        if whole == Whole::Yes {
            // Of a copy before.
            self.remove_old()?;
        }
        let size = facts.size.as_ref().map_err(|why| {
            let is_right = why.contains("permission denied");
            let cure =
                if is_right { ": GRANT pg_read_all_stats TO the user of replication_conninfo" } else { "" };
            RejoinError::Again(format!(
                "how large the databases of {} are can't be told: {why}{cure}",
                source.node
            ))
        })?;
        self.need_room(&self.parent()?, size.saturating_add(size / 10))?;
        let rate = self.settings.rejoin_max_rate.map(|rate| format!("--max-rate={rate}"));
        let command = self
            .program("pg_basebackup")?
            .arg(format!("--pgdata={}", new.display()))
            .arg(format!("--dbname={}", source.public()))
            .args(["--wal-method=stream", "--checkpoint=fast", "--progress", "--no-password"])
            .args(rate);
        self.long(&source.with_password(command), Tells::Progress, progress).map(drop)
    }

    /// Compares the copy with its manifest.
    ///
    /// # Errors
    /// It differs.
    pub fn verify(&self) -> Step<()> {
        let command = self.program("pg_verifybackup")?.arg("--quiet").arg(self.new_directory());
        self.long(&command, Tells::Nothing, &mut |_| {}).map(drop)
    }

    fn must_be_copyable(&self, facts: &SourceFacts) -> Step<()> {
        let manual = |why: &str| {
            Err(RejoinError::Manual(format!(
                "{} {why}: copy the data with pg_basebackup, rm {}, pcs resource cleanup",
                self.pgdata().display(),
                super::task::path(&self.resource).display()
            )))
        };
        if facts.tablespaces > 0 {
            return manual("has tablespaces, which have to be mapped");
        }
        if self.files()?.is_link(&self.data_directory()?)? {
            return manual("is a link, which would be renamed in the place of the directory");
        }
        if self.is_mount_point()? {
            return manual("is a mount point, which can't be renamed");
        }
        if self.has_linked_wal()? {
            return manual("has its pg_wal elsewhere");
        }
        Ok(())
    }
}

/// "pg_rewind: rewinding from last common checkpoint at 0/3000060 on timeline 1".
fn rewound_from(said: &str) -> Option<Lsn> {
    let (_, after) = said.split_once("last common checkpoint at ")?;
    after.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_common_checkpoint_is_read() {
        let said = "pg_rewind: servers diverged at WAL location 0/70001C8 on timeline 5\npg_rewind: rewinding from last common checkpoint at 0/7000118 on timeline 5\n";
        assert_eq!(rewound_from(said), Some(Lsn(0x700_0118)));
        assert_eq!(rewound_from("pg_rewind: no rewind required"), None);
    }
}
