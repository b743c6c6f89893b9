//! Bounded reads of root's own files, which no FIFO can hang, and what can be wrong with a file.
//!
//! For what root alone can put in its place: below `/run`, `/etc` and `/proc`. Files of the database's user are
//! [`super::owned_files`].

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::pg::history::HistoryError;
use crate::pg::version::VersionError;

/// No file that we read as a whole has reason to be larger.
pub(super) const SMALL: u64 = 1 << 20;

/// A file or directory that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The system call failed.
    #[error("can't {action} {}: {source}{}", path.display(), cure(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A FIFO, a device, a directory.
    #[error("{} is not a regular file; put the file back that PostgreSQL had there", .0.display())]
    NotRegular(PathBuf),
    /// A link, where PostgreSQL makes none.
    #[error("{} is a link, where PostgreSQL makes a file of its own; put the file itself there", .0.display())]
    Link(PathBuf),
    /// A file of passwords that others could read, or that is another one's.
    #[error("{} is not used: it has mode {mode:04o} and owner {owner}; make it 0600 and {user}'s own", path.display())]
    NotSecret {
        /// Which.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
        /// Whose it is.
        owner: u32,
        /// Whose it should be.
        user: String,
    },
    /// A directory that root would have to make where others can put a link in its place.
    #[error("can't create {} for {user}: others than root can change {}; run: install -d -o {user} {}", path.display(), parent.display(), path.display())]
    NotRoots {
        /// Which.
        path: PathBuf,
        /// The directory above it that others can change.
        parent: PathBuf,
        /// For whom.
        user: String,
    },
    /// More files than PostgreSQL has reason to keep.
    #[error("{} holds more than {limit} names; look what fills it", path.display())]
    TooMany {
        /// Which.
        path: PathBuf,
        /// What was allowed.
        limit: usize,
    },
    /// Larger than it can rightly be.
    #[error("{} is larger than {limit} bytes; it can't be what its name says", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// What was allowed.
        limit: u64,
    },
    /// Not text.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// Not a data directory.
    #[error("{} holds no PG_VERSION: nothing is written there; mount its file system, or restore the data", .0.display())]
    NoData(PathBuf),
    /// Not a directory.
    #[error("{} is not a directory; set pgdata to PostgreSQL's data directory", .0.display())]
    NotDirectory(PathBuf),
    /// Wrong owner.
    #[error("{} belongs to uid {owner}, not to {user} (uid {uid}); chown it, or set system_user to its owner", path.display())]
    Owner {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it should be.
        user: String,
        /// The id of that.
        uid: u32,
    },
    /// PostgreSQL does not start on such a directory.
    #[error("{} has mode {mode:04o}, PostgreSQL wants 0700 or 0750; run: chmod 0700 {}", path.display(), path.display())]
    Mode {
        /// Which.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// PG_VERSION.
    #[error("{}: {source}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: VersionError,
    },
    /// A history file.
    #[error("{}: {source}", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: HistoryError,
    },
}

impl StorageError {
    /// Whether the file or directory is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn cure(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => "; make room on the file system",
        Some(libc::EROFS) => {
            "; the file system is read-only: look for disk errors in the kernel's log, then remount it"
        }
        Some(libc::EIO) => "; look for disk errors in the kernel's log",
        Some(libc::ENOENT) => "; check the path, and that its file system is mounted",
        Some(libc::EACCES | libc::EPERM) => "; check owner and mode of the path's directories",
        _ => "",
    }
}

/// Attaches what was tried, on what.
pub(super) fn at<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, StorageError> {
    result.map_err(|source| StorageError::Io { action, path: path.to_owned(), source })
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// Missing, unreadable, not a regular file, too large.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, StorageError> {
    // O_NONBLOCK: opening a FIFO without a writer would wait for ever.
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = at("open", path, open)?;
    let meta = at("stat", path, file.metadata())?;
    if !meta.is_file() {
        return Err(StorageError::NotRegular(path.to_owned()));
    }
    let mut bytes = Vec::new();
    at("read", path, file.take(limit + 1).read_to_end(&mut bytes))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > limit) {
        return Err(StorageError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Whether there is something with this name.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.exists()
}

/// Reads a small text file (1 MiB at most).
///
/// # Errors
/// As [`read()`]; also text that is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, StorageError> {
    String::from_utf8(read(path, SMALL)?).map_err(|_| StorageError::NotText(path.to_owned()))
}

/// [`read_text`], with `None` for a file that is not there.
///
/// # Errors
/// As [`read_text`].
pub fn read_text_if_there(path: &Path) -> Result<Option<String>, StorageError> {
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_bounded_and_never_hang() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        assert!(read(&path, 9).expect_err("missing").is_missing());
        assert_eq!(read_text_if_there(&path).expect("fine"), None);
        std::fs::write(&path, "123456789").expect("written");
        assert_eq!(read(&path, 9).expect("fits"), b"123456789");
        assert!(matches!(read(&path, 8), Err(StorageError::TooLarge { limit: 8, .. })));
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
        assert!(matches!(read(&fifo, 9), Err(StorageError::NotRegular(_))));
        assert!(matches!(read(dir.path(), 9), Err(StorageError::NotRegular(_))));
        std::fs::write(&path, [0xff]).expect("written");
        assert!(matches!(read_text(&path), Err(StorageError::NotText(_))));
    }
}
