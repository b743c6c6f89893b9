//! What a user does who wants to be in time: a name is exchanged at the moment when somebody opens a file.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Tells when a file is opened.
pub struct Inotify(OwnedFd);

impl Inotify {
    pub fn on_open(path: &Path) -> Inotify {
        // SAFETY: integers, and a path that ends with a null; the descriptor is fresh.
        unsafe {
            let fd = libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK);
            assert!(fd >= 0, "inotify: {}", std::io::Error::last_os_error());
            let fd = OwnedFd::from_raw_fd(fd);
            let path = CString::new(path.as_os_str().as_bytes()).expect("a path");
            assert!(libc::inotify_add_watch(fd.as_raw_fd(), path.as_ptr(), libc::IN_OPEN) >= 0);
            Inotify(fd)
        }
    }

    /// Whether it was opened within this time.
    pub fn wait(&self, limit: Duration) -> bool {
        let millis = i32::try_from(limit.as_millis()).expect("a short time");
        let mut fd = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure that lives here.
        unsafe { libc::poll(&raw mut fd, 1, millis) == 1 }
    }
}

/// Each gets the other's name, in one step.
pub fn exchange(one: &Path, other: &Path) {
    let path = |p: &Path| CString::new(p.as_os_str().as_bytes()).expect("a path");
    let (one, other) = (path(one), path(other));
    // SAFETY: paths that end with a null.
    let rc = unsafe {
        libc::renameat2(libc::AT_FDCWD, one.as_ptr(), libc::AT_FDCWD, other.as_ptr(), libc::RENAME_EXCHANGE)
    };
    assert_eq!(rc, 0, "renameat2: {}", std::io::Error::last_os_error());
}
