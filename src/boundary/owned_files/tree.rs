//! Whole directories of the user's: made, renamed, removed, and the room beside them.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::OwnedFiles;
use crate::boundary::storage::{StorageError, at};

impl OwnedFiles {
    /// Makes a directory that nobody but the user can look into, with those above it; one that is there becomes so.
    ///
    /// # Errors
    /// It can't be made.
    pub fn make_private(&self, path: &Path) -> Result<(), StorageError> {
        let closed = std::fs::Permissions::from_mode(0o700);
        let made = self.user.act_as(|| {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            std::fs::set_permissions(path, closed)
        });
        at("create", path, made)
    }

    /// Renames within a file system. What has the new name is replaced where the kernel allows it: an empty directory.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        at("rename to", to, self.user.act_as(|| std::fs::rename(from, to)))
    }

    /// Removes a directory with all that is in it, and follows no link; one that is not there is removed.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn remove_tree(&self, path: &Path) -> Result<(), StorageError> {
        match self.user.act_as(|| std::fs::remove_dir_all(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => at("remove", path, removed),
        }
    }

    /// Whether the name is a link.
    ///
    /// # Errors
    /// It can't be looked at.
    pub fn is_link(&self, path: &Path) -> Result<bool, StorageError> {
        match self.user.act_as(|| path.symlink_metadata()) {
            Ok(meta) => Ok(meta.is_symlink()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => at("look at", path, Err(error)),
        }
    }

    /// Bytes that the user may still write to the file system of a directory.
    ///
    /// # Errors
    /// It can't be asked.
    pub fn room(&self, path: &Path) -> Result<u64, StorageError> {
        let free = self.user.act_as(|| nix::sys::statvfs::statvfs(path)).map_err(io::Error::from);
        at("ask for the room of", path, free)
            .map(|free| free.blocks_available().saturating_mul(free.fragment_size()))
    }
}
