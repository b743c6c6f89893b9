//! Replacing the data: pg_rewind in their place, or pg_basebackup beside it.

use super::source::SourceFacts;
use super::tool::Tells;
use super::{Instance, RejoinError, Source, Step};

impl Instance {
    /// Whether pg_rewind would do it: it reads, and writes nothing.
    ///
    /// # Errors
    /// Its refusal.
    pub fn try_rewind(&self, source: &Source) -> Step<()> {
        let command = self.rewind_command(source)?.arg("--dry-run");
        self.long(&source.with_password(command), Tells::Progress, &mut |_| {}).map(drop)
    }

    /// Runs pg_rewind.
    ///
    /// # Errors
    /// It fails: the directory may only be copied anew then.
    pub fn rewind(&self, source: &Source, progress: &mut dyn FnMut(u8)) -> Step<()> {
        // standby.signal is written before it ends: no moment at which a start by hand would make a primary of it.
        let command = self.rewind_command(source)?.arg("--write-recovery-conf");
        self.long(&source.with_password(command), Tells::Progress, progress).map(drop)
    }

    fn rewind_command(&self, source: &Source) -> Step<super::Command> {
        Ok(self
            .program("pg_rewind")?
            .arg(format!("--target-pgdata={}", self.pgdata().display()))
            .arg(format!("--source-server={}", source.public()))
            .args(["--no-ensure-shutdown", "--progress"]))
    }

    /// Copies the primary's data into a new directory beside ours.
    ///
    /// # Errors
    /// No room, a layout that can't be copied so, or pg_basebackup fails.
    pub fn copy(&self, source: &Source, facts: &SourceFacts, progress: &mut dyn FnMut(u8)) -> Step<()> {
        self.must_be_copyable(facts)?;
        let new = self.new_directory();
        self.clear(&new)?;
        if let Some(size) = facts.size {
            let parent = self.parent()?;
            self.need_room(&parent, size.saturating_add(size / 10))?;
        }
        let command = self
            .program("pg_basebackup")?
            .arg(format!("--pgdata={}", new.display()))
            .arg(format!("--dbname={}", source.public()))
            .args(["--wal-method=stream", "--checkpoint=fast", "--progress", "--no-password"]);
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
                "{} {why}: copy them with pg_basebackup, then pcs resource cleanup",
                self.pgdata().display()
            )))
        };
        if facts.tablespaces > 0 {
            return manual("has tablespaces, which have to be mapped");
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
