//! Files of the database's user, reached with that user's own rights.
//!
//! Root trusts nobody who owns the data: below PGDATA, the tablespaces, pg_wal, the home directory, the log's and the socket's
//! directory the user can put a link, a FIFO or another directory in the place of anything, also between a check and what
//! follows it. So nothing of that is decided by looking at a path: every access is made with the user's effective ids
//! ([`SystemUser::act_as`]), and whatever a path leads to, nothing is read or changed that the user could not read or change
//! without us. Beyond that a file must be a regular one and no link, opening it waits for nobody, and reads are bounded.
//!
//! Directories may be links: pg_wal, tablespaces and data directories commonly are.

mod directory;
#[cfg(test)]
mod tests;
mod tree;
#[cfg(test)]
pub(in crate::boundary) use tests::mine;

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::identity::SystemUser;
use super::storage::{SMALL, StorageError, at};

/// More names than PostgreSQL has reason to keep in one directory: 16 TiB of WAL.
const MOST_NAMES: usize = 1 << 20;
/// How often a file may come and go between two steps of ours.
const TRIES: u32 = 5;

/// The files of one user: the only way to whatever that user owns.
#[derive(Debug, Clone)]
pub struct OwnedFiles {
    user: SystemUser,
}

/// What becomes of a link in the last component of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    Refused,
    /// For what PostgreSQL itself reads through a link: its configuration.
    Followed,
}

/// Whether something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is as wanted since now.
    Yes,
    /// It was already.
    No,
}

/// A directory, as it was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directory {
    /// Its owner.
    pub uid: u32,
    /// Permission bits.
    pub mode: u32,
    /// The device below it.
    pub device: u64,
}

impl OwnedFiles {
    /// The files of this user.
    #[must_use]
    pub fn of(user: &SystemUser) -> Self {
        Self { user: user.clone() }
    }

    /// The files that whoever runs us names, with the rights that they have.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn ours() -> Self {
        Self { user: SystemUser::root() }
    }

    /// Whose they are.
    #[must_use]
    pub fn user(&self) -> &SystemUser {
        &self.user
    }

    /// Reads a regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// Missing, not the user's to read, a link, not a regular file, too large.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, StorageError> {
        self.read_as(path, limit, Links::Refused, |_| Ok(()))
    }

    /// Reads a small text file (1 MiB at most).
    ///
    /// # Errors
    /// As [`Self::read`]; also text that is not UTF-8.
    pub fn read_text(&self, path: &Path) -> Result<String, StorageError> {
        text(path, self.read(path, SMALL)?)
    }

    /// Reads a small file (1 MiB at most); `None` for one that is not there.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_if_there(&self, path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
        match self.read(path, SMALL) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a small file of settings, through a link too, as PostgreSQL does; never a FIFO or a device. It may be of any encoding.
    ///
    /// # Errors
    /// As [`Self::read`], but for links.
    pub fn read_configuration(&self, path: &Path) -> Result<Vec<u8>, StorageError> {
        self.read_as(path, SMALL, Links::Followed, |_| Ok(()))
    }

    /// Reads a file of passwords: the user's own, and nobody else's to read (libpq wants the same).
    ///
    /// # Errors
    /// As [`Self::read_text`]; also another owner or mode.
    pub fn read_secret(&self, path: &Path) -> Result<String, StorageError> {
        let own = |meta: &Metadata| {
            if meta.mode() & 0o077 == 0 && meta.uid() == self.user.uid {
                return Ok(());
            }
            let (path, user) = (path.to_owned(), self.user.name.clone());
            Err(StorageError::NotSecret { path, mode: meta.mode() & 0o7777, owner: meta.uid(), user })
        };
        text(path, self.read_as(path, SMALL, Links::Refused, own)?)
    }

    /// Reads a text file that the user or root has made: what a third one put there is nobody's word.
    ///
    /// # Errors
    /// As [`Self::read_text`]; also another owner.
    pub fn read_trusted(&self, path: &Path) -> Result<String, StorageError> {
        let trusted = |meta: &Metadata| {
            if meta.uid() == self.user.uid || meta.uid() == 0 {
                return Ok(());
            }
            let (path, owner) = (path.to_owned(), meta.uid());
            Err(StorageError::Owner { path, owner, user: self.user.name.clone(), uid: self.user.uid })
        };
        text(path, self.read_as(path, SMALL, Links::Refused, trusted)?)
    }

    /// What was written to a file after `from`, at most the last `limit` bytes of it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_tail(&self, path: &Path, from: u64, limit: u64) -> Result<String, StorageError> {
        let (mut file, meta) = self.open(path, Links::Refused)?;
        let start = from.max(meta.len().saturating_sub(limit)).min(meta.len());
        at("seek in", path, file.seek(SeekFrom::Start(start)))?;
        let mut bytes = Vec::new();
        at("read", path, file.take(limit).read_to_end(&mut bytes))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The length of a regular file; 0 where none can be read.
    #[must_use]
    pub fn length(&self, path: &Path) -> u64 {
        let meta = self.user.act_as(|| path.symlink_metadata());
        meta.ok().filter(Metadata::is_file).map_or(0, |meta| meta.len())
    }

    /// When a regular file was written last; `None` where none can be looked at.
    #[must_use]
    pub fn modified(&self, path: &Path) -> Option<std::time::SystemTime> {
        let meta = self.user.act_as(|| path.symlink_metadata());
        meta.ok().filter(Metadata::is_file)?.modified().ok()
    }

    /// Whether something has this name, be it a link that leads nowhere.
    ///
    /// # Errors
    /// The directory can't be looked at.
    pub fn is_there(&self, path: &Path) -> Result<bool, StorageError> {
        match self.user.act_as(|| path.symlink_metadata()) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => at("look for", path, Err(error)),
        }
    }

    /// Whether the name, or what its link leads to, is a regular file for the user.
    #[must_use]
    pub fn is_file(&self, path: &Path) -> bool {
        self.user.act_as(|| path.metadata()).is_ok_and(|meta| meta.is_file())
    }

    /// The names in a directory. Those that are not UTF-8 are left out: they are none of PostgreSQL's.
    ///
    /// # Errors
    /// It can't be read, or holds more names than it rightly can.
    pub fn names(&self, directory: &Path) -> Result<Vec<String>, StorageError> {
        let names = self.user.act_as(|| {
            let entries = directory.read_dir()?.take(MOST_NAMES + 1);
            entries.map(|e| e.map(|e| e.file_name().into_string())).collect::<io::Result<Vec<_>>>()
        });
        let names = at("list", directory, names)?;
        if names.len() > MOST_NAMES {
            return Err(StorageError::TooMany { path: directory.to_owned(), limit: MOST_NAMES });
        }
        Ok(names.into_iter().filter_map(Result::ok).collect())
    }

    /// The path with all links resolved, as the kernel names the working directory of a process there. Where the user can't
    /// get through it is the path as it stands: a server that was started before may still work there.
    ///
    /// # Errors
    /// There is no such path.
    pub fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        match self.user.act_as(|| path.canonicalize()) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(path.to_owned()),
            resolved => resolved,
        }
    }

    /// A directory's owner, mode and device, by one open descriptor.
    ///
    /// # Errors
    /// Missing, out of reach, not a directory.
    pub fn directory(&self, path: &Path) -> Result<Directory, StorageError> {
        let meta = self.user.act_as(|| path.metadata());
        let meta = at("open", path, meta)?;
        if !meta.is_dir() {
            return Err(StorageError::NotDirectory(path.to_owned()));
        }
        Ok(Directory { uid: meta.uid(), mode: meta.mode() & 0o7777, device: meta.dev() })
    }

    /// Whether both paths lead to one directory: by links, or by mounts.
    #[must_use]
    pub fn is_same_directory(&self, one: &Path, other: &Path) -> bool {
        let identity = |path: &Path| {
            let meta = self.user.act_as(|| path.metadata()).ok().filter(Metadata::is_dir)?;
            Some((meta.dev(), meta.ino()))
        };
        identity(one).is_some_and(|one| Some(one) == identity(other))
    }

    /// Replaces a file as a whole: after a crash at any moment there is the old content or the new one. It belongs to the user
    /// and has the mode of the file that it replaces, else that of [`Self::create`]. A link is replaced, not followed.
    ///
    /// # Errors
    /// Any step of it; the old file is then untouched.
    pub fn replace(&self, path: &Path, content: &[u8]) -> Result<(), StorageError> {
        let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".quorate.{}.tmp", std::process::id()));
        let temporary = directory.join(name);
        self.user.act_as(|| {
            let written = write_and_rename(path, &temporary, content);
            if written.is_err() {
                // Best effort: the failure itself is what the caller must hear of.
                let _ = std::fs::remove_file(&temporary);
            }
            written?;
            sync_directory(directory)
        })
    }

    /// Creates an empty file, durably; one that is there stays as it is. In a directory of mode 0750 the group may read it.
    ///
    /// # Errors
    /// It can't be created or synced, or something else than a regular file has its name.
    pub fn create(&self, path: &Path) -> Result<Changed, StorageError> {
        let create = || {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            match mode_of_new(path) {
                0o600 => {}
                more => file.set_permissions(Permissions::from_mode(more))?,
            }
            io::Result::Ok(file)
        };
        match self.user.act_as(create) {
            Ok(created) => at("sync", path, created.sync_all())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return self.open(path, Links::Refused).map(|_| Changed::No);
            }
            Err(error) => return at("create", path, Err(error)),
        }
        self.sync_parent(path)?;
        Ok(Changed::Yes)
    }

    /// Removes a file or a link durably; one that is not there is fine.
    ///
    /// # Errors
    /// It is there and can't be removed.
    pub fn remove(&self, path: &Path) -> Result<Changed, StorageError> {
        match self.user.act_as(|| std::fs::remove_file(path)) {
            Ok(()) => self.sync_parent(path).map(|()| Changed::Yes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Changed::No),
            Err(error) => at("remove", path, Err(error)),
        }
    }

    /// Opens a log to append to; one that is not there is made with mode 0640.
    ///
    /// # Errors
    /// The user may not, or it is a link, a FIFO, a device.
    pub fn append(&self, path: &Path) -> Result<File, StorageError> {
        for _ in 0..TRIES {
            let create = || OpenOptions::new().append(true).create_new(true).mode(0o640).open(path);
            match self.user.act_as(create) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return at("create", path, made),
            }
            match self.open_for(path, Links::Refused, OpenOptions::new().append(true)) {
                // Rotated away meanwhile.
                Err(error) if error.is_missing() => {}
                opened => return opened.map(|(file, _)| file),
            }
        }
        at("open", path, Err(io::ErrorKind::NotFound.into()))
    }

    fn sync_parent(&self, path: &Path) -> Result<(), StorageError> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        self.user.act_as(|| sync_directory(directory))
    }

    fn read_as(
        &self,
        path: &Path,
        limit: u64,
        links: Links,
        accept: impl FnOnce(&Metadata) -> Result<(), StorageError>,
    ) -> Result<Vec<u8>, StorageError> {
        let (file, meta) = self.open(path, links)?;
        accept(&meta)?;
        let mut bytes = Vec::new();
        at("read", path, file.take(limit + 1).read_to_end(&mut bytes))?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len > limit) {
            return Err(StorageError::TooLarge { path: path.to_owned(), limit });
        }
        Ok(bytes)
    }

    fn open(&self, path: &Path, links: Links) -> Result<(File, Metadata), StorageError> {
        self.open_for(path, links, OpenOptions::new().read(true))
    }

    /// Opens a regular file. `O_PATH` holds on to what has the name without opening it, as opening a device may do something
    /// by itself; what is a regular file then, is one still when it is opened through that descriptor. `O_NONBLOCK`: the user
    /// may hold a lease on the file, and we would wait until it is given up.
    fn open_for(
        &self,
        path: &Path,
        links: Links,
        options: &mut OpenOptions,
    ) -> Result<(File, Metadata), StorageError> {
        let no_follow = if links == Links::Refused { libc::O_NOFOLLOW } else { 0 };
        self.user.act_as(|| {
            let named = OpenOptions::new().read(true).custom_flags(libc::O_PATH | no_follow).open(path);
            let named = at("open", path, named)?;
            let meta = at("stat", path, named.metadata())?;
            if meta.is_symlink() {
                return Err(StorageError::Link(path.to_owned()));
            }
            if !meta.is_file() {
                return Err(StorageError::NotRegular(path.to_owned()));
            }
            let held = format!("/proc/self/fd/{}", named.as_raw_fd());
            let file = at("open", path, options.custom_flags(libc::O_NONBLOCK).open(held))?;
            Ok((file, meta))
        })
    }
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, StorageError> {
    String::from_utf8(bytes).map_err(|_| StorageError::NotText(path.to_owned()))
}

/// As whom the caller is.
fn write_and_rename(path: &Path, temporary: &Path, content: &[u8]) -> Result<(), StorageError> {
    let mode = match path.symlink_metadata() {
        Ok(old) if old.is_file() => old.mode() & 0o777,
        Ok(_) => mode_of_new(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => mode_of_new(path),
        Err(error) => return at("stat", path, Err(error)),
    };
    // A leftover of a crash with our pid; create_new then also refuses a link that somebody planted.
    let _ = std::fs::remove_file(temporary);
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary);
    let mut file = at("create", temporary, open)?;
    at("chmod", temporary, file.set_permissions(Permissions::from_mode(mode)))?;
    at("write", temporary, file.write_all(content))?;
    at("sync", temporary, file.sync_all())?;
    at("rename to", path, std::fs::rename(temporary, path))
}

/// The mode of a new file: as PostgreSQL has it (file_perm.c), whose clusters of mode 0750 let the group read everything. A backup by a
/// member of the group would fail at the first file that it can't read.
fn mode_of_new(path: &Path) -> u32 {
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match directory.metadata() {
        Ok(directory) if directory.mode() & 0o777 == 0o750 => 0o640,
        Ok(_) | Err(_) => 0o600,
    }
}

fn sync_directory(directory: &Path) -> Result<(), StorageError> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(directory);
    at("sync", directory, opened.and_then(|dir| dir.sync_all()))
}
