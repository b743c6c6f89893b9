//! Files of a data directory: bounded reads that no FIFO can hang, durable writes, and the checks of owner and mode.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::identity::SystemUser;
use crate::pg::history::{History, HistoryError};
use crate::pg::timeline::Timeline;
use crate::pg::version::{MajorVersion, VersionError};

/// No file that we read as a whole has reason to be larger.
const SMALL: u64 = 1 << 20;

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
fn at<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, StorageError> {
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

/// Who owns a file that [`write_durable`] writes.
#[derive(Debug, Clone, Copy)]
pub enum Ownership<'a> {
    /// Owner and mode of the file that is replaced; for a new file ours, and 0600.
    Keep,
    /// This user, and this mode.
    Give(&'a SystemUser, u32),
}

/// Replaces a file as a whole: after a crash at any moment there is the old content or the new one.
///
/// # Errors
/// Any step of it; the old file is then untouched.
pub fn write_durable(path: &Path, content: &[u8], ownership: Ownership<'_>) -> Result<(), StorageError> {
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".quorate.{}.tmp", std::process::id()));
    let temporary = directory.join(name);
    let written = write_and_rename(path, &temporary, content, ownership);
    if written.is_err() {
        // Best effort: the failure itself is what the caller must hear of.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    sync_directory(directory)
}

fn write_and_rename(
    path: &Path,
    temporary: &Path,
    content: &[u8],
    ownership: Ownership<'_>,
) -> Result<(), StorageError> {
    let (owner, mode) = match ownership {
        Ownership::Give(user, mode) => (Some((user.uid, user.gid)), mode),
        Ownership::Keep => match std::fs::metadata(path) {
            Ok(old) => (Some((old.uid(), old.gid())), old.mode() & 0o7777),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, 0o600),
            Err(error) => return at("stat", path, Err(error)),
        },
    };
    // A leftover of a crash with our pid; create_new then also refuses a link that somebody planted.
    let _ = std::fs::remove_file(temporary);
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary);
    let mut file = at("create", temporary, open)?;
    if let Some((uid, gid)) = owner {
        at("chown", temporary, fchown(&file, Some(uid), Some(gid)))?;
    }
    at("chmod", temporary, file.set_permissions(Permissions::from_mode(mode)))?;
    at("write", temporary, file.write_all(content))?;
    at("sync", temporary, file.sync_all())?;
    at("rename to", path, std::fs::rename(temporary, path))
}

fn sync_directory(directory: &Path) -> Result<(), StorageError> {
    at("sync", directory, File::open(directory).and_then(|dir| dir.sync_all()))
}

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

/// Whether something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is as wanted since now.
    Yes,
    /// It was already.
    No,
}

/// Whether the file is there.
///
/// # Errors
/// The directory can't be looked at.
pub fn has_signal(pgdata: &Path, file: SignalFile) -> Result<bool, StorageError> {
    let path = file.path(pgdata);
    at("look for", &path, path.try_exists())
}

/// Creates the empty file, as the user, durably.
///
/// # Errors
/// It can't be created or synced.
pub fn create_signal(pgdata: &Path, file: SignalFile, user: &SystemUser) -> Result<Changed, StorageError> {
    let path = file.path(pgdata);
    let created = user.act_as(|| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path));
    match created {
        Ok(created) => at("sync", &path, created.sync_all())?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Changed::No),
        Err(error) => return at("create", &path, Err(error)),
    }
    sync_directory(pgdata)?;
    Ok(Changed::Yes)
}

/// Removes the file durably; one that is not there is fine.
///
/// # Errors
/// It is there and can't be removed.
pub fn remove_signal(pgdata: &Path, file: SignalFile) -> Result<Changed, StorageError> {
    let path = file.path(pgdata);
    match std::fs::remove_file(&path) {
        Ok(()) => sync_directory(pgdata).map(|()| Changed::Yes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Changed::No),
        Err(error) => at("remove", &path, Err(error)),
    }
}

/// Checks that PostgreSQL would start on the directory as this user: owner and mode as its `checkDataDir` wants them.
///
/// # Errors
/// Missing, not a directory, another owner, another mode.
pub fn check_pgdata(pgdata: &Path, user: &SystemUser) -> Result<(), StorageError> {
    let meta = at("open", pgdata, std::fs::metadata(pgdata))?;
    if !meta.is_dir() {
        return Err(StorageError::NotDirectory(pgdata.to_owned()));
    }
    if meta.uid() != user.uid {
        let (owner, user, uid) = (meta.uid(), user.name.clone(), user.uid);
        return Err(StorageError::Owner { path: pgdata.to_owned(), owner, user, uid });
    }
    let mode = meta.mode() & 0o777;
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
pub fn read_version(pgdata: &Path) -> Result<MajorVersion, StorageError> {
    let path = pgdata.join("PG_VERSION");
    read_text(&path)?.parse().map_err(|source| StorageError::Version { path, source })
}

/// The names in pg_wal.
///
/// # Errors
/// The directory can't be read.
pub fn pg_wal_names(pgdata: &Path) -> Result<Vec<String>, StorageError> {
    let path = pgdata.join("pg_wal");
    let names = std::fs::read_dir(&path).and_then(|entries| {
        entries.map(|e| e.map(|e| e.file_name().into_string())).collect::<io::Result<Vec<_>>>()
    });
    // A name that is not UTF-8 is none of PostgreSQL's.
    Ok(at("list", &path, names)?.into_iter().filter_map(Result::ok).collect())
}

/// Reads a timeline's history from pg_wal; `None` when the file is not there. The first timeline has none, and needs none.
///
/// # Errors
/// Unreadable or malformed.
pub fn read_history(pgdata: &Path, timeline: Timeline) -> Result<Option<History>, StorageError> {
    let Some(name) = timeline.history_file_name() else {
        return Ok(Some(History::without_ancestors(timeline)));
    };
    let path = pgdata.join("pg_wal").join(name);
    let Some(text) = read_text_if_there(&path)? else { return Ok(None) };
    History::parse(timeline, &text).map(Some).map_err(|source| StorageError::History { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn reads_are_bounded_and_never_hang() {
        let dir = directory();
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

    #[test]
    fn a_durable_write_keeps_the_mode_and_leaves_nothing_behind() {
        let dir = directory();
        let path = dir.path().join("f");
        write_durable(&path, b"one", Ownership::Keep).expect("written");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
        write_durable(&path, b"two", Ownership::Keep).expect("written");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o640);
        assert_eq!(std::fs::read(&path).expect("there"), b"two");
        let taken = dir.path().join("d");
        std::fs::create_dir_all(taken.join("x")).expect("mkdir");
        assert!(write_durable(&taken, b"x", Ownership::Keep).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 2);
        let error = write_durable(&dir.path().join("no/f"), b"", Ownership::Keep)
            .expect_err("no directory")
            .to_string();
        assert!(error.contains("/no/f.quorate") && error.contains("check the path"), "{error}");
    }

    #[test]
    fn signal_files_say_whether_they_changed() {
        let dir = directory();
        let me = SystemUser::lookup("root").expect("root");
        let file = SignalFile::Standby;
        assert_eq!(create_signal(dir.path(), file, &me).expect("created"), Changed::Yes);
        assert_eq!(create_signal(dir.path(), file, &me).expect("there"), Changed::No);
        assert!(has_signal(dir.path(), file).expect("looks"));
        assert_eq!(remove_signal(dir.path(), file).expect("removed"), Changed::Yes);
        assert_eq!(remove_signal(dir.path(), file).expect("gone"), Changed::No);
    }

    #[test]
    fn history_and_names() {
        let dir = directory();
        std::fs::create_dir(dir.path().join("pg_wal")).expect("mkdir");
        std::fs::write(
            dir.path().join("pg_wal/00000002.history"),
            "1\t0/3000148\tno recovery target specified\n",
        )
        .expect("w");
        let second = Timeline::new(2).expect("not zero");
        let history = read_history(dir.path(), second).expect("reads").expect("there");
        assert!(history.contains(Timeline::FIRST));
        assert_eq!(read_history(dir.path(), Timeline::new(3).expect("3")).expect("reads"), None);
        assert_eq!(pg_wal_names(dir.path()).expect("lists"), ["00000002.history"]);
        std::fs::write(dir.path().join("pg_wal/00000002.history"), "").expect("w");
        assert!(matches!(read_history(dir.path(), second), Err(StorageError::History { .. })));
        assert!(read_version(dir.path()).expect_err("none").is_missing());
    }
}
