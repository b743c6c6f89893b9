//! What the child of a trial write does: bare system calls, for it is forked from a process that may have threads.
//!
//! It works with the file-system identity of the data's owner, as PostgreSQL itself: root has blocks of its own on many file systems, and is
//! nobody on many file servers. Its real and saved user stay root, so that the owner can't stop it: a stopped child of a sound disk would
//! look like one that hangs.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

use crate::boundary::identity::SystemUser;

/// One block: it has its place on the disk from the first time on, so that a full disk does not fail it, and flushing it
/// needs no other blocks.
pub(super) const BLOCK: usize = 4096;
/// The exit code where none of the marks of a data directory is there; above every errno.
pub(super) const NO_DATA_DIRECTORY: libc::c_int = 254;
/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h.
const CAPABILITIES: u32 = 0x2008_0522;

/// The bytes that are left for PostgreSQL, or none where no file can be made any more.
pub(super) type Room = [u8; 8];

/// All that the child needs, made before it is forked.
pub(super) struct Work<'a> {
    pub(super) lock: &'a File,
    pub(super) null: &'a File,
    /// Takes a [`Room`].
    pub(super) answer: &'a OwnedFd,
    pub(super) user: Option<&'a SystemUser>,
    pub(super) file: &'a CString,
    pub(super) marks: &'a [CString],
}

/// The errno with which it failed, [`NO_DATA_DIRECTORY`], else 0.
pub(super) unsafe fn write(work: &Work<'_>) -> libc::c_int {
    let block = [b'q'; BLOCK];
    // SAFETY: descriptors that are open, paths that end with a null, a buffer of its length.
    unsafe {
        // Away from the group that Pacemaker would kill, and from its pipes. The lock stays open in the place of stdin.
        libc::setsid();
        libc::dup2(work.lock.as_raw_fd(), 0);
        libc::dup2(work.answer.as_raw_fd(), 1);
        libc::dup2(work.null.as_raw_fd(), 2);
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        sign(libc::getpid());
        if let Some(user) = work.user
            && !take_identity(user)
        {
            return Errno::last_raw();
        }
        let mut stat: libc::stat = std::mem::zeroed();
        let there = |path: &CString| libc::stat(path.as_ptr(), &raw mut stat) == 0;
        if !work.marks.is_empty() && !work.marks.iter().any(there) {
            return match Errno::last_raw() {
                libc::ENOENT => NO_DATA_DIRECTORY,
                errno => errno,
            };
        }
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let fd = libc::open(work.file.as_ptr(), flags, 0o600);
        if fd < 0 {
            return Errno::last_raw();
        }
        match libc::pwrite(fd, block.as_ptr().cast(), BLOCK, 0) {
            -1 => return Errno::last_raw(),
            written if usize::try_from(written) != Ok(BLOCK) => return libc::ENOSPC,
            _ => {}
        }
        if libc::fdatasync(fd) != 0 {
            return Errno::last_raw();
        }
        // Here, not in the parent: a file server may take a write and then not answer.
        let mut fs: libc::statvfs = std::mem::zeroed();
        if libc::fstatvfs(fd, &raw mut fs) != 0 {
            return Errno::last_raw();
        }
        // Some file systems have no fixed number of files, and say 0 of 0.
        let files = fs.f_files == 0 || fs.f_favail > 0;
        let free = if files { fs.f_bavail.saturating_mul(fs.f_frsize) } else { 0 };
        let room: Room = free.to_ne_bytes();
        libc::write(1, room.as_ptr().cast(), room.len());
    }
    0
}

/// Writes the pid behind the time that the parent wrote.
unsafe fn sign(pid: libc::pid_t) {
    let mut digits = [0u8; 10];
    let mut at = digits.len();
    let mut rest = pid.unsigned_abs();
    while at > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    // SAFETY: the part of the buffer that is filled. Without it nobody can tell whether the child is stopped, which is no reason not to write.
    unsafe { libc::write(0, digits[at..].as_ptr().cast(), digits.len() - at) };
}

/// Takes the owner's identity for files, and gives up root's rights: some would let it use the blocks that are reserved for root.
unsafe fn take_identity(user: &SystemUser) -> bool {
    let header: [u32; 2] = [CAPABILITIES, 0];
    let none = [0u32; 6];
    let nobody = libc::c_long::from(-1i32);
    // SAFETY: integers, and structures of the kernel's layout that live here. setfsuid and setfsgid tell nothing but the id that was
    // before, so they are asked with an id that can't be taken.
    unsafe {
        libc::syscall(libc::SYS_setgroups, user.groups.len(), user.groups.as_ptr()) == 0
            && {
                libc::syscall(libc::SYS_setfsgid, libc::c_long::from(user.gid));
                libc::syscall(libc::SYS_setfsgid, nobody) == libc::c_long::from(user.gid)
            }
            && {
                libc::syscall(libc::SYS_setfsuid, libc::c_long::from(user.uid));
                libc::syscall(libc::SYS_setfsuid, nobody) == libc::c_long::from(user.uid)
            }
            && libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) == 0
    }
}
