//! Small file work outside the data directory: the agent's own memory, PostgreSQL's log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use super::identity::SystemUser;

/// An error with its path.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct FileError {
    path: String,
    source: io::Error,
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, FileError> {
    result.map_err(|source| FileError { path: path.display().to_string(), source })
}

/// Replaces a file as a whole, without waiting for a disk: for what lives in memory (`/run`) anyway.
///
/// # Errors
/// When it can't be written.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The failure itself is what the caller must hear of.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes a directory for `user` where there is none.
///
/// # Errors
/// When it can't be made.
pub fn ensure_directory(path: &Path, user: &SystemUser) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    at(path, fs::DirBuilder::new().recursive(true).mode(0o755).create(path))?;
    at(path, chown(path, Some(user.uid), Some(user.gid)))
}

/// Removes a file; one that is gone already is removed.
///
/// # Errors
/// When it is there and can't be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => at(path, result),
    }
}

/// What was written to a file after `from`, at most the last `limit` bytes of it.
///
/// # Errors
/// When it can't be read.
pub fn read_tail(path: &Path, from: u64, limit: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(limit)).min(length)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_what_came_after() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "before\nafter\n").unwrap();
        assert_eq!(read_tail(file.path(), 7, 1000).unwrap(), "after\n");
        assert_eq!(read_tail(file.path(), 0, 4).unwrap(), "ter\n");
        assert_eq!(read_tail(file.path(), 99, 4).unwrap(), "", "the log was rotated meanwhile");
    }

    #[test]
    fn replaces_whole_and_removes_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
