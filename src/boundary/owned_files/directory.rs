//! A directory that is made for the user where only root may make one.
//!
//! Nothing is given away by its path: between a mkdir and a chown by path whoever may write in the parent puts a link in its
//! place, and root gives away what the link leads to. So root makes it only below directories that nobody but root can change,
//! one component after the other by descriptors, and gives the new one away by its own descriptor.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, fchown};

use super::{Changed, OwnedFiles};
use crate::boundary::storage::{StorageError, at};

/// As many links as the kernel follows.
const MOST_LINKS: u32 = 40;

impl OwnedFiles {
    /// Makes a directory of the user's where there is none: as the user where the user may, else as root below root's own
    /// directories.
    ///
    /// # Errors
    /// It can't be made, or only at a place that others than root can change.
    pub fn make_directory(&self, path: &Path) -> Result<Changed, StorageError> {
        let is_there = self.user.act_as(|| path.metadata());
        if is_there.is_ok_and(|meta| meta.is_dir()) {
            return Ok(Changed::No);
        }
        let made = self.user.act_as(|| std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path));
        match made {
            Ok(()) => Ok(Changed::Yes),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.make_below_root(path).map(|()| Changed::Yes)
            }
            Err(error) => at("create", path, Err(error)),
        }
    }

    fn make_below_root(&self, path: &Path) -> Result<(), StorageError> {
        let io =
            |errno: Errno| StorageError::Io { action: "create", path: path.to_owned(), source: errno.into() };
        let foreign = |at: &Path| StorageError::NotRoots {
            path: path.to_owned(),
            parent: at.to_owned(),
            user: self.user.name.clone(),
        };
        let mut rest: VecDeque<OsString> = components(path);
        let (mut here, mut name) = (root().map_err(io)?, PathBuf::from("/"));
        let mut links = 0;
        while let Some(component) = rest.pop_front() {
            if !is_roots_alone(&fstat(&here).map_err(io)?) {
                return Err(foreign(&name));
            }
            match fstatat(&here, component.as_os_str(), nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW) {
                // In a directory of root's, so root's own link.
                Ok(meta) if is(&meta, SFlag::S_IFLNK) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(io(Errno::ELOOP));
                    }
                    let target = PathBuf::from(readlinkat(&here, component.as_os_str()).map_err(io)?);
                    if target.is_absolute() {
                        (here, name) = (root().map_err(io)?, PathBuf::from("/"));
                    }
                    let mut ahead = components(&target);
                    ahead.append(&mut rest);
                    rest = ahead;
                }
                Ok(_) => {
                    here = enter(&here, &component).map_err(io)?;
                    name.push(&component);
                }
                Err(Errno::ENOENT) => {
                    mkdirat(&here, component.as_os_str(), Mode::from_bits_truncate(0o755)).map_err(io)?;
                    here = enter(&here, &component).map_err(io)?;
                    name.push(&component);
                    if rest.is_empty() {
                        return fchown(
                            here.as_fd(),
                            Some(Uid::from_raw(self.user.uid)),
                            Some(Gid::from_raw(self.user.gid)),
                        )
                        .map_err(io);
                    }
                }
                Err(errno) => return Err(io(errno)),
            }
        }
        // It is there, and the user could not see it: whose it is shall not change by the way.
        Err(foreign(&name))
    }
}

fn root() -> Result<OwnedFd, Errno> {
    nix::fcntl::open("/", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

fn enter(directory: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Names without `/` and `.`.
fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|c| match c {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// Nobody but root can change what is in it. A sticky bit does not help: anybody may add a name.
fn is_roots_alone(meta: &FileStat) -> bool {
    meta.st_uid == 0 && meta.st_mode & 0o022 == 0
}

fn is(meta: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(meta.st_mode) & SFlag::S_IFMT == kind
}
