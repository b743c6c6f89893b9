//! The directories of a copy: the new one beside the old, two renames, and what is left of the old.

use std::path::{Path, PathBuf};

use super::super::host::Host as _;
use super::tool::Tells;
use super::{Instance, NEW, OLD, REWINDING, RejoinError, Source, Step, again};
use crate::ocf::Sync;

const RM: &str = "/usr/bin/rm";

impl Instance {
    pub(super) fn new_directory(&self) -> PathBuf {
        self.beside(NEW)
    }

    /// Where the old data are until the new ones stream.
    #[must_use]
    pub fn old_directory(&self) -> PathBuf {
        self.beside(OLD)
    }

    /// The name that the data have while pg_rewind works on them: nobody starts a mixture of two servers by mistake, whatever becomes of
    /// what is on record. Where PGDATA is a mount point they keep theirs.
    pub(super) fn rewinding_directory(&self) -> Step<PathBuf> {
        Ok(if self.is_mount_point()? { self.pgdata().to_owned() } else { self.beside(REWINDING) })
    }

    /// Removes what a rejoin before has left there, while the data are in their place.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn clear_rewinding(&self) -> Step<()> {
        if self.files()?.is_there(self.pgdata())? { self.clear(&self.beside(REWINDING)) } else { Ok(()) }
    }

    /// Where the data are.
    pub(super) fn data_directory(&self) -> Step<PathBuf> {
        let rewinding = self.beside(REWINDING);
        let is_aside = !self.files()?.is_there(self.pgdata())? && self.files()?.is_there(&rewinding)?;
        Ok(if is_aside { rewinding } else { self.pgdata().to_owned() })
    }

    pub(super) fn move_directory(&self, from: &Path, to: &Path) -> Step<()> {
        if from == to {
            return Ok(());
        }
        self.files()?.rename(from, to)?;
        self.sync(&[self.parent()?])
    }

    pub(super) fn parent(&self) -> Step<PathBuf> {
        let parent = self.pgdata().parent();
        parent.map(Path::to_owned).ok_or_else(|| RejoinError::Manual("PGDATA is /".to_owned()))
    }

    pub(super) fn is_mount_point(&self) -> Step<bool> {
        let (files, parent) = (self.files()?, self.parent()?);
        if !files.is_there(self.pgdata())? {
            return Ok(false);
        }
        Ok(files.directory(self.pgdata())?.device != files.directory(&parent)?.device)
    }

    pub(super) fn has_linked_wal(&self) -> Step<bool> {
        Ok(self.files()?.is_link(&self.data_directory()?.join("pg_wal"))?)
    }

    /// Removes a directory of ours with all that is in it; one that is not there is fine.
    pub(super) fn clear(&self, directory: &Path) -> Step<()> {
        let command = self.system(RM)?.args(["-rf", "--one-file-system", "--"]).arg(directory);
        self.long(&command, Tells::Nothing, &mut |_| {}).map(drop)
    }

    /// Puts the new directory into the place of the old one. Begun before or not: what is done already is left alone.
    ///
    /// # Errors
    /// A rename fails.
    pub fn swap(&self) -> Step<()> {
        let (data, new, old) = (self.pgdata().to_owned(), self.new_directory(), self.old_directory());
        let files = self.files()?;
        if !files.is_there(&new)? {
            // Renamed by a run before.
            return Ok(());
        }
        let rewinding = self.beside(REWINDING);
        let before = if files.is_there(&data)? { &data } else { &rewinding };
        if files.is_there(before)? {
            // Of a rejoin before, which never came to its end.
            self.clear(&old)?;
            files.rename(before, &old)?;
        }
        self.clear(&rewinding)?;
        files.rename(&new, &data)?;
        self.sync(&[self.parent()?])
    }

    /// Makes a standby of this node's of the data: its settings, whom it follows.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn configure(&mut self, source: &Source) -> Step<()> {
        let settings = self.settings.clone();
        let host = source.host();
        let conninfo = crate::decide::follow::primary_conninfo(&settings, &self.name, host).map_err(again)?;
        // The names of a former primary's standbys: commits would wait for them after its next promotion.
        if settings.synchronous.sync != Sync::Off {
            self.node.write_setting("synchronous_standby_names", None)?;
        }
        self.node.prepare_standby(Some(&conninfo))?;
        self.sync(&[self.pgdata().to_owned()])
    }

    /// Whether the new data are still beside the old ones.
    ///
    /// # Errors
    /// It can't be looked.
    pub fn is_before_swap(&self) -> Step<bool> {
        let files = self.files()?;
        Ok(files.is_there(self.pgdata())? && files.is_there(&self.new_directory())?)
    }

    /// Removes the old data, which a copy has replaced and whose WAL is kept.
    ///
    /// # Errors
    /// The disk refuses, or a server works there: somebody reads them.
    pub fn remove_old(&self) -> Step<()> {
        let old = self.old_directory();
        self.must_rest_in(&old)?;
        self.clear(&old)
    }
}
