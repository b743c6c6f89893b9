//! A postmaster and its children, to be killed in a moment in which nothing else may come between: what can be looked up
//! beforehand is, and no memory is taken, for whoever holds the allocator may not be running.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::{ProcessId, open, pidfd, send, user_of};

/// Room for the process ids of some thousand children.
pub const LIST: usize = 64 << 10;

/// A postmaster that runs, of a known user.
#[derive(Debug)]
pub struct Family {
    postmaster: OwnedFd,
    /// The kernel's list of its children.
    children: PathBuf,
    uid: u32,
}

impl Family {
    /// The one of that postmaster; `None` when it is over, or another user's.
    ///
    /// # Errors
    /// /proc can't be read.
    pub fn of(postmaster: ProcessId, uid: u32) -> io::Result<Option<Self>> {
        let pid = postmaster.pid;
        let children = format!("/proc/{pid}/task/{pid}/children").into();
        let found = open(postmaster)?.filter(|_| user_of(postmaster) == Some(uid));
        Ok(found.map(|postmaster| Self { postmaster, children, uid }))
    }

    /// Kills all of them, in microseconds each. The postmaster before the others, or it would start new ones; its list of them
    /// before that, for it goes with it. Who was started meanwhile, or does not fit into `list`, is not hit, and is to be looked
    /// for afterwards.
    pub fn kill(&self, list: &mut [u8]) {
        let length = read(&self.children, list);
        let _ = send(&self.postmaster, Signal::SIGKILL);
        // A blank follows each: without one it was cut off where the list was full.
        let whole = list[..length].iter().rposition(|byte| *byte == b' ').unwrap_or(0);
        for word in list[..whole].split(|byte| *byte == b' ') {
            let pid = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
            // First the descriptor: whose it is, is asked of the process that it stands for, or of a later one.
            if let Some(pid) = pid
                && let Ok(Some(child)) = pidfd(pid)
                && owner(pid) == Some(self.uid)
            {
                let _ = send(&child, Signal::SIGKILL);
            }
        }
    }
}

/// How much of the file is in the buffer then.
fn read(path: &Path, buffer: &mut [u8]) -> usize {
    let Ok(mut file) = File::open(path) else { return 0 };
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    length
}

/// The effective user of a process; root for one that the kernel hides from its user, as a program with a set-user-id bit.
fn owner(pid: i32) -> Option<u32> {
    let mut place = [0; 24];
    let left = {
        let mut rest = &mut place[..];
        write!(rest, "/proc/{pid}").ok()?;
        rest.len()
    };
    let path = Path::new(OsStr::from_bytes(&place[..place.len() - left]));
    path.metadata().ok().map(|found| found.uid())
}
