//! A directory for scripts that somebody runs later, as root: nobody else may change what is written there, nor lead it elsewhere.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

/// The kernel follows as many.
const MOST_LINKS: usize = 40;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Why a place is refused, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error(
        "{path} belongs to {owner}, who can change what is written there: name a directory of your own, or chown {us} {path}"
    )]
    Foreign { path: String, owner: String, us: String },
    #[error("{path} (of {owner}) may be written by {who}, who can change what is written there: {cure}")]
    Open { path: String, owner: String, who: String, cure: String },
    #[error("{path} is a link (of {owner}): remove it, or name another directory")]
    Link { path: String, owner: String },
    #[error("{path} is no {wanted}: remove it, or name another directory")]
    Other { path: String, wanted: &'static str },
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    New,
    Changed,
    Unchanged,
}

impl Written {
    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// A directory that is ours alone.
#[derive(Debug)]
pub struct OutputDirectory {
    path: PathBuf,
}

impl OutputDirectory {
    /// Makes the directory where it is not there yet. Every directory on the way to it, and every link, has to be root's or ours, and
    /// nobody else may write there; a sticky one, as /tmp, may be passed through.
    ///
    /// # Errors
    /// One that is not; it can't be made.
    pub fn open(path: &Path) -> Result<Self, OutputError> {
        let absolute = std::path::absolute(path).map_err(|source| at(path, source))?;
        let mut way: VecDeque<OsString> = names(&absolute);
        let (mut here, mut links) = (PathBuf::from("/"), 0);
        while let Some(name) = way.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&name);
            let found = match fs::symlink_metadata(&next) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => make(&next)?,
                found => found.map_err(|source| at(&next, source))?,
            };
            is_ours(&next, &found)?;
            if found.is_symlink() {
                links += 1;
                if links > MOST_LINKS {
                    return Err(at(&next, io::Error::from(nix::errno::Errno::ELOOP)));
                }
                let target = fs::read_link(&next).map_err(|source| at(&next, source))?;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                for name in names(&target).into_iter().rev() {
                    way.push_front(name);
                }
                continue;
            }
            if !found.is_dir() {
                return Err(OutputError::Other { path: shown(&next), wanted: "directory" });
            }
            let passes = !way.is_empty() && found.mode() & STICKY != 0;
            if !passes {
                is_closed(&next, &found)?;
            }
            here = next;
        }
        Ok(Self { path: here })
    }

    /// Writes a file, whole: below a new name, which then takes the place of the old one.
    ///
    /// # Errors
    /// Something else has its name; it can't be written.
    pub fn write(&self, name: &Path, content: &[u8], mode: u32) -> Result<Written, OutputError> {
        let mut directory = self.path.clone();
        for part in name.parent().into_iter().flat_map(Path::components) {
            directory.push(part);
            self.below(&directory)?;
        }
        let path = self.path.join(name);
        let before = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Written::New,
            Err(source) => return Err(at(&path, source)),
            Ok(found) if found.is_symlink() => {
                return Err(OutputError::Link { path: shown(&path), owner: owner(&found) });
            }
            Ok(found) if !found.is_file() => {
                return Err(OutputError::Other { path: shown(&path), wanted: "file" });
            }
            Ok(_) if fs::read(&path).is_ok_and(|old| old == content) => Written::Unchanged,
            Ok(_) => Written::Changed,
        };
        replace(&path, content, mode).map_err(|source| at(&path, source))?;
        Ok(before)
    }

    /// A directory in it.
    fn below(&self, path: &Path) -> Result<(), OutputError> {
        let found = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            found => found.map_err(|source| at(path, source))?,
        };
        if found.is_symlink() {
            return Err(OutputError::Link { path: shown(path), owner: owner(&found) });
        }
        if !found.is_dir() {
            return Err(OutputError::Other { path: shown(path), wanted: "directory" });
        }
        is_ours(path, &found)?;
        is_closed(path, &found)
    }

    /// Where it is, its links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

fn make(path: &Path) -> Result<Metadata, OutputError> {
    // Whatever the umask adds is taken away; who was faster is looked at as what is there.
    let made = DirBuilder::new().mode(0o755).create(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(path, error)),
        Ok(()) | Err(_) => {}
    }
    fs::symlink_metadata(path).map_err(|source| at(path, source))
}

fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    // A leftover of a crash with our pid.
    let _ = fs::remove_file(&temporary);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
            file.write_all(content)?;
            file.set_permissions(Permissions::from_mode(mode))?;
            fs::rename(&temporary, path)
        });
    if written.is_err() {
        // The failure itself is what the caller must hear of.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn is_ours(path: &Path, found: &Metadata) -> Result<(), OutputError> {
    let us = Uid::effective();
    if found.uid() == 0 || found.uid() == us.as_raw() {
        return Ok(());
    }
    Err(OutputError::Foreign { path: shown(path), owner: owner(found), us: user(us.as_raw()) })
}

fn is_closed(path: &Path, found: &Metadata) -> Result<(), OutputError> {
    let open = |who: String, mode: &str| {
        let cure = if found.mode() & STICKY != 0 {
            "name a new directory in it".to_owned()
        } else {
            format!("chmod {mode} {}, or name another directory", path.display())
        };
        OutputError::Open { path: shown(path), owner: owner(found), who, cure }
    };
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(open("everybody".to_owned(), "go-w"));
    }
    if found.mode() & GROUP_WRITES != 0 && !is_private(found) {
        return Err(open(format!("the group {}", group(found.gid())), "g-w"));
    }
    Ok(())
}

/// A group that its owner alone is in, as many systems make one for each user: it has his name, and nobody else in it.
fn is_private(found: &Metadata) -> bool {
    let Ok(Some(group)) = Group::from_gid(Gid::from_raw(found.gid())) else { return false };
    let owner = user(found.uid());
    group.name == owner && group.mem.iter().all(|member| *member == owner)
}

fn owner(found: &Metadata) -> String {
    user(found.uid())
}

fn user(uid: u32) -> String {
    let name = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| format!("the user {uid}"))
}

fn group(gid: u32) -> String {
    let name = Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name);
    name.unwrap_or_else(|| gid.to_string())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn at(path: &Path, source: io::Error) -> OutputError {
    OutputError::Io { path: shown(path), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path, bits: u32) {
        fs::set_permissions(path, Permissions::from_mode(bits)).unwrap();
    }

    fn refused(path: &Path, word: &str) {
        let error = OutputDirectory::open(path).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }

    #[test]
    fn what_is_ours_is_written() {
        let top = tempfile::tempdir().unwrap();
        let made = OutputDirectory::open(&top.path().join("a/b")).unwrap();
        assert_eq!(made.write(Path::new("c/d.sh"), b"1", 0o755).unwrap(), Written::New);
        assert_eq!(made.write(Path::new("c/d.sh"), b"1", 0o755).unwrap(), Written::Unchanged);
        assert_eq!(made.write(Path::new("c/d.sh"), b"2", 0o644).unwrap(), Written::Changed);
        let path = top.path().join("a/b/c/d.sh");
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
        assert_eq!(fs::read_dir(top.path().join("a/b/c")).unwrap().count(), 1);
        // A link of our own to a directory of our own.
        symlink("a/../a/b", top.path().join("here")).unwrap();
        assert_eq!(OutputDirectory::open(&top.path().join("here")).unwrap().path(), made.path());
    }

    #[test]
    fn what_others_may_write_is_refused() {
        let top = tempfile::tempdir().unwrap();
        let (open, below) = (top.path().join("open"), top.path().join("open/below"));
        fs::create_dir_all(&below).unwrap();
        mode(&open, 0o777);
        refused(&open, "may be written by everybody");
        refused(&below, "chmod go-w");
        // Sticky: passed through, not written to.
        mode(&open, 0o1777);
        refused(&open, "name a new directory in it");
        OutputDirectory::open(&below).unwrap();
        mode(&open, 0o755);
        OutputDirectory::open(&open).unwrap();
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let top = tempfile::tempdir().unwrap();
        let victim = top.path().join("victim");
        fs::write(&victim, "before").unwrap();
        let out = OutputDirectory::open(&top.path().join("out")).unwrap();
        symlink(&victim, out.path().join("7-cluster.sh")).unwrap();
        symlink(top.path(), out.path().join("reference")).unwrap();
        for name in ["7-cluster.sh", "reference/cib.xml"] {
            let error = out.write(Path::new(name), b"x", 0o755).unwrap_err().to_string();
            assert!(error.contains("is a link"), "{error}");
        }
        assert_eq!(fs::read(&victim).unwrap(), b"before");
        assert!(!top.path().join("cib.xml").exists());
    }

    #[test]
    fn a_stranger_s_directory_is_refused() {
        if !Uid::effective().is_root() {
            return;
        }
        let top = tempfile::tempdir().unwrap();
        let theirs = top.path().join("site");
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(65534), Some(65534)).unwrap();
        refused(&theirs, "belongs to nobody");
        refused(&theirs.join("new"), "belongs to nobody");
        assert!(!theirs.join("new").exists());
        // And a stranger's link to one of ours.
        let (ours, link) = (top.path().join("ours"), top.path().join("link"));
        fs::create_dir(&ours).unwrap();
        symlink(&ours, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), Some(65534)).unwrap();
        refused(&link, "belongs to nobody");
    }
}
