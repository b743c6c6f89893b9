//! What PostgreSQL keeps in a data directory: signal files, version, timelines. Everything as the owner of the data.

use std::path::{Path, PathBuf};

pub use super::owned_files::Changed;
use super::owned_files::OwnedFiles;
use super::storage::StorageError;
use crate::pg::history::History;
use crate::pg::timeline::Timeline;
use crate::pg::version::MajorVersion;

/// A file whose mere existence tells the server something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalFile {
    /// `promote`: with SIGUSR1, ends recovery.
    Promote,
    /// `standby.signal`: start as a standby.
    Standby,
    /// `recovery.signal`: start a point-in-time recovery.
    Recovery,
}

impl SignalFile {
    /// Its place.
    pub fn path(self, pgdata: &Path) -> PathBuf {
        pgdata.join(match self {
            Self::Promote => "promote",
            Self::Standby => "standby.signal",
            Self::Recovery => "recovery.signal",
        })
    }
}

/// Refuses what holds no PG_VERSION: the mount point of a file system that is not mounted must stay empty, or the next copy of the
/// data is refused, and the mount hides what was written.
///
/// # Errors
/// There is none, or it can't be looked for.
pub fn require(files: &OwnedFiles, pgdata: &Path) -> Result<(), StorageError> {
    if files.is_there(&pgdata.join("PG_VERSION"))? {
        return Ok(());
    }
    Err(StorageError::NoData(pgdata.to_owned()))
}

/// Whether the file is there.
///
/// # Errors
/// The directory can't be looked at.
pub fn has_signal(files: &OwnedFiles, pgdata: &Path, file: SignalFile) -> Result<bool, StorageError> {
    files.is_there(&file.path(pgdata))
}

/// Creates the empty file, durably.
///
/// # Errors
/// It can't be created or synced, or is something else than a regular file; or the directory holds no data.
pub fn create_signal(files: &OwnedFiles, pgdata: &Path, file: SignalFile) -> Result<Changed, StorageError> {
    require(files, pgdata)?;
    files.create(&file.path(pgdata))
}

/// Removes the file durably; one that is not there is fine.
///
/// # Errors
/// It is there and can't be removed.
pub fn remove_signal(files: &OwnedFiles, pgdata: &Path, file: SignalFile) -> Result<Changed, StorageError> {
    files.remove(&file.path(pgdata))
}

/// Checks that PostgreSQL would start on the directory as this user: owner and mode as its `checkDataDir` wants them.
///
/// It is a check for the operator's sake. Nothing relies on it afterwards: the directory may be another one a moment later,
/// and all that follows is done with the user's own rights.
///
/// # Errors
/// Missing, not a directory, another owner, another mode.
pub fn check(files: &OwnedFiles, pgdata: &Path) -> Result<(), StorageError> {
    let directory = files.directory(pgdata)?;
    let user = files.user();
    if directory.uid != user.uid {
        let (owner, user, uid) = (directory.uid, user.name.clone(), user.uid);
        return Err(StorageError::Owner { path: pgdata.to_owned(), owner, user, uid });
    }
    let mode = directory.mode & 0o777;
    // PG_MODE_MASK_GROUP: no write for the group, nothing for others.
    if mode & 0o027 != 0 || mode & 0o700 != 0o700 {
        return Err(StorageError::Mode { path: pgdata.to_owned(), mode });
    }
    Ok(())
}

/// Reads PG_VERSION.
///
/// # Errors
/// Unreadable, or a version that quorate does not drive.
pub fn read_version(files: &OwnedFiles, pgdata: &Path) -> Result<MajorVersion, StorageError> {
    let path = pgdata.join("PG_VERSION");
    files.read_text(&path)?.parse().map_err(|source| StorageError::Version { path, source })
}

/// The names in pg_wal.
///
/// # Errors
/// The directory can't be read.
pub fn pg_wal_names(files: &OwnedFiles, pgdata: &Path) -> Result<Vec<String>, StorageError> {
    files.names(&pgdata.join("pg_wal"))
}

/// Reads a timeline's history from pg_wal; `None` when the file is not there. The first timeline has none, and needs none.
///
/// # Errors
/// Unreadable or malformed.
pub fn read_history(
    files: &OwnedFiles,
    pgdata: &Path,
    timeline: Timeline,
) -> Result<Option<History>, StorageError> {
    let Some(name) = timeline.history_file_name() else {
        return Ok(Some(History::without_ancestors(timeline)));
    };
    let path = pgdata.join("pg_wal").join(name);
    let Some(bytes) = files.read_if_there(&path)? else { return Ok(None) };
    // The third field is free text of any encoding: the name of a restore point.
    History::parse(timeline, &String::from_utf8_lossy(&bytes))
        .map(Some)
        .map_err(|source| StorageError::History { path, source })
}

#[cfg(test)]
mod tests {
    use super::super::owned_files::mine;
    use super::*;

    fn directory() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("PG_VERSION"), "15\n").expect("written");
        dir
    }

    #[test]
    fn an_empty_mount_point_stays_empty() {
        let (dir, me) = (tempfile::tempdir().expect("a directory"), mine());
        for file in [SignalFile::Promote, SignalFile::Standby, SignalFile::Recovery] {
            let error = create_signal(&me, dir.path(), file).expect_err("no data").to_string();
            assert!(error.contains("PG_VERSION") && error.contains("mount"), "{error}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), 0);
    }

    #[test]
    fn signal_files_say_whether_they_changed() {
        let dir = directory();
        let me = mine();
        let file = SignalFile::Standby;
        assert_eq!(create_signal(&me, dir.path(), file).expect("created"), Changed::Yes);
        assert_eq!(create_signal(&me, dir.path(), file).expect("there"), Changed::No);
        assert!(has_signal(&me, dir.path(), file).expect("looks"));
        assert_eq!(remove_signal(&me, dir.path(), file).expect("removed"), Changed::Yes);
        assert_eq!(remove_signal(&me, dir.path(), file).expect("gone"), Changed::No);
    }

    #[test]
    fn history_and_names() {
        let (dir, me) = (directory(), mine());
        std::fs::create_dir(dir.path().join("pg_wal")).expect("mkdir");
        std::fs::write(
            dir.path().join("pg_wal/00000002.history"),
            "1\t0/3000148\tno recovery target specified\n",
        )
        .expect("w");
        let second = Timeline::new(2).expect("not zero");
        let history = read_history(&me, dir.path(), second).expect("reads").expect("there");
        assert!(history.contains(Timeline::FIRST));
        assert_eq!(read_history(&me, dir.path(), Timeline::new(3).expect("3")).expect("reads"), None);
        assert_eq!(pg_wal_names(&me, dir.path()).expect("lists"), ["00000002.history"]);
        let latin1 = b"1\t0/3000148\tat restore point \"caf\xe9\"\n";
        std::fs::write(dir.path().join("pg_wal/00000002.history"), latin1).expect("w");
        assert_eq!(read_history(&me, dir.path(), second).expect("reads"), Some(history));
        std::fs::write(dir.path().join("pg_wal/00000002.history"), "").expect("w");
        assert!(matches!(read_history(&me, dir.path(), second), Err(StorageError::History { .. })));
        std::fs::remove_file(dir.path().join("PG_VERSION")).expect("removed");
        assert!(read_version(&me, dir.path()).expect_err("none").is_missing());
    }
}
