//! A trial write in a directory: does its file system take a write, and in time?
//!
//! A write to a stuck disk hangs in the kernel (state D), and no signal ends it. So a child makes it, which is awaited for a moment
//! and then left alone. It holds a lock (flock) on a file in memory for as long as it lives: the next call finds the lock taken,
//! starts no second child, and reads in the file since when the first one hangs. The lock is the kernel's: it can't be
//! forgotten, and no recycled pid is mistaken for the child.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, Uid, fork};

use super::clock::{Deadline, boottime_ms};
use super::identity::SystemUser;
use super::process;
use crate::decide::storage::Trial;

/// The file that is written over, again and again, in a data directory. PostgreSQL's backups leave out what begins so.
pub const AMONG_DATA: &str = "pgsql_tmp.quorate";
/// The same anywhere else.
#[cfg(feature = "daemon")]
pub const ELSEWHERE: &str = ".quorated";
/// One block: it has its place on the disk from the first time on, so that a full disk does not fail it, and flushing it
/// needs no other blocks.
const BLOCK: usize = 4096;
/// How often a lock that is taken is tried again.
const ROUND: Duration = Duration::from_millis(20);

/// A write that was begun.
enum Attempt {
    Over(Trial),
    Running(Pid),
}

/// The directories of an instance that may hang apart: its data, and its WAL where that is another file system.
pub fn directories(pgdata: &Path) -> Vec<PathBuf> {
    let wal = pgdata.join("pg_wal");
    let device = |path: &Path| fs::metadata(path).map(|m| m.dev()).ok();
    let apart = device(&wal).is_some_and(|d| Some(d) != device(pgdata));
    let mut all = vec![pgdata.to_owned()];
    all.extend(apart.then_some(wal));
    all
}

/// Writes the file `name` in all of them at once, as `user`, and waits at most `patience` for all together. `lock`: the beginning of
/// the locks' paths.
pub fn run(
    directories: &[PathBuf],
    name: &str,
    user: &SystemUser,
    lock: &Path,
    patience: Duration,
) -> Vec<(String, Trial)> {
    let deadline = Deadline::after(patience);
    let begun: Vec<_> = directories
        .iter()
        .enumerate()
        .map(|(index, directory)| {
            let mut lock = lock.as_os_str().to_owned();
            lock.push(format!(".{index}.lock"));
            let started = boottime_ms();
            let attempt = begin(&directory.join(name), user, Path::new(&lock), deadline);
            (directory, started, attempt.unwrap_or_else(|e| Attempt::Over(Trial::Untried(e.to_string()))))
        })
        .collect();
    begun
        .into_iter()
        .map(|(directory, started, attempt)| {
            let trial = match attempt {
                Attempt::Over(trial) => trial,
                Attempt::Running(pid) => match outcome(pid, deadline) {
                    Ok(Some(0)) => room(directory),
                    Ok(Some(errno)) => refused(errno),
                    Ok(None) => Trial::Pending(boottime_ms().saturating_sub(started)),
                    Err(error) => Trial::Untried(error.to_string()),
                },
            };
            (directory.display().to_string(), trial)
        })
        .collect()
}

fn begin(file: &Path, user: &SystemUser, lock: &Path, deadline: Deadline) -> io::Result<Attempt> {
    let mut held =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(lock)?;
    loop {
        // SAFETY: an open descriptor. nix's Flock would unlock when it is dropped, and with it the child's lock: it is the same.
        match Errno::result(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
            Ok(_) => break,
            Err(Errno::EWOULDBLOCK) if deadline.passed() => {
                return Ok(Attempt::Over(Trial::Pending(age(&mut held))));
            }
            // One that hangs since long is not waited for once more.
            Err(Errno::EWOULDBLOCK) if age(&mut held) >= crate::decide::storage::STUCK_AFTER => {
                return Ok(Attempt::Over(Trial::Pending(age(&mut held))));
            }
            Err(Errno::EWOULDBLOCK) => deadline.sleep(ROUND),
            Err(errno) => return Err(errno.into()),
        }
    }
    held.rewind()?;
    held.set_len(0)?;
    held.write_all(boottime_ms().to_string().as_bytes())?;
    let path = CString::new(file.as_os_str().as_bytes())?;
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    let user = Uid::effective().is_root().then_some(user);
    // SAFETY: the child makes bare system calls on values that exist already, without allocation and locks, and ends by _exit.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Attempt::Running(child)),
        ForkResult::Child => {
            // SAFETY: as above.
            let errno = unsafe { write(&held, &null, user, &path) };
            // SAFETY: ends this process only, without running anything of the parent's.
            unsafe { libc::_exit(errno) }
        }
    }
}

/// Since when the lock is held, by what its holder wrote.
fn age(held: &mut File) -> u64 {
    let mut text = String::new();
    let read = held.rewind().and_then(|()| held.read_to_string(&mut text));
    match (read, text.trim().parse::<u64>()) {
        (Ok(_), Ok(since)) => boottime_ms().saturating_sub(since),
        // Just being written.
        _ => 0,
    }
}

/// The child's work; the errno with which it failed, else 0.
unsafe fn write(lock: &File, null: &File, user: Option<&SystemUser>, path: &CString) -> libc::c_int {
    let block = [b'q'; BLOCK];
    // SAFETY: descriptors that are open, a path that ends with a null, a buffer of its length.
    unsafe {
        // Away from the group that Pacemaker would kill, and from its pipes. The lock stays open in the place of stdin.
        libc::setsid();
        libc::dup2(lock.as_raw_fd(), 0);
        libc::dup2(null.as_raw_fd(), 1);
        libc::dup2(null.as_raw_fd(), 2);
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        // As PostgreSQL itself: root has blocks of its own on many file systems, and is nobody on many file servers.
        if let Some(user) = user {
            let failed = libc::syscall(libc::SYS_setgroups, user.groups.len(), user.groups.as_ptr()) != 0
                || libc::syscall(libc::SYS_setresgid, user.gid, user.gid, user.gid) != 0
                || libc::syscall(libc::SYS_setresuid, user.uid, user.uid, user.uid) != 0;
            if failed {
                return Errno::last_raw();
            }
        }
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let fd = libc::open(path.as_ptr(), flags, 0o600);
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
    }
    0
}

/// The exit status of the child; `None` when it still runs at the deadline.
fn outcome(pid: Pid, deadline: Deadline) -> io::Result<Option<i32>> {
    // It is our child: until it is waited for, its pid is its own.
    let Some(fd) = process::pidfd(pid.as_raw())? else { return Err(Errno::ECHILD.into()) };
    loop {
        let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(&fd), PollFlags::POLLIN)];
        match poll(&mut fds, deadline.poll_timeout()) {
            Ok(0) if deadline.passed() => return Ok(None),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    match waitpid(pid, Some(WaitPidFlag::WNOHANG))? {
        WaitStatus::Exited(_, code) => Ok(Some(code)),
        other => Err(io::Error::other(format!("the trial write ended with {other:?}"))),
    }
}

/// What a refusal by the kernel means.
fn refused(errno: i32) -> Trial {
    match errno {
        libc::ENOSPC | libc::EDQUOT => Trial::NoSpace,
        libc::EROFS => Trial::ReadOnly,
        libc::EIO => Trial::Broken,
        other => Trial::Untried(format!("a trial write: {}", io::Error::from_raw_os_error(other))),
    }
}

/// The room on a file system that has just taken a write: asking does not hang.
fn room(directory: &Path) -> Trial {
    match nix::sys::statvfs::statvfs(directory) {
        // Some file systems have no fixed number of files, and say 0 of 0.
        Ok(fs) if fs.files() > 0 && fs.files_available() == 0 => Trial::NoSpace,
        Ok(fs) => Trial::Written { free: fs.blocks_available().saturating_mul(fs.fragment_size()) },
        Err(errno) => Trial::Untried(format!("its free space: {errno}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> SystemUser {
        let uid = Uid::current();
        let name = nix::unistd::User::from_uid(uid).expect("works").expect("known").name;
        SystemUser::lookup(&name).expect("it is us")
    }

    fn trial(directory: &Path, lock: &Path, patience: u64) -> Trial {
        let patience = Duration::from_millis(patience);
        run(&[directory.to_owned()], AMONG_DATA, &me(), lock, patience).remove(0).1
    }

    #[test]
    fn a_good_directory_takes_writes_again_and_again() {
        let dir = tempfile::tempdir().expect("a directory");
        for _ in 0..3 {
            let trial = trial(dir.path(), &dir.path().join("l"), 5000);
            assert!(matches!(trial, Trial::Written { free } if free > 0), "{trial:?}");
        }
        assert_eq!(fs::metadata(dir.path().join(AMONG_DATA)).expect("written").len(), BLOCK as u64);
    }

    #[test]
    fn what_the_kernel_refuses_is_told_apart() {
        assert_eq!(refused(libc::ENOSPC), Trial::NoSpace);
        assert_eq!(refused(libc::EDQUOT), Trial::NoSpace);
        assert_eq!(refused(libc::EROFS), Trial::ReadOnly);
        assert_eq!(refused(libc::EIO), Trial::Broken);
        let dir = tempfile::tempdir().expect("a directory");
        let missing = trial(&dir.path().join("missing"), &dir.path().join("l"), 5000);
        assert!(matches!(missing, Trial::Untried(why) if why.contains("No such file")));
    }

    /// A FIFO that nobody reads stands for the disk: opening it for reading and writing returns, writing 4 KiB too, so the lock is
    /// held by the test instead.
    #[test]
    fn while_an_earlier_one_hangs_none_is_started() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock = dir.path().join("l.0.lock");
        let mut held = File::create(&lock).expect("a file");
        let since = boottime_ms().saturating_sub(60_000);
        held.write_all(since.to_string().as_bytes()).expect("written");
        // SAFETY: an open descriptor.
        assert_eq!(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX) }, 0);
        let found = trial(dir.path(), &dir.path().join("l"), 5000);
        assert!(matches!(found, Trial::Pending(age) if age >= 60_000), "{found:?}");
        assert!(!dir.path().join(AMONG_DATA).exists(), "a second write was started");
        drop(held);
        assert!(matches!(trial(dir.path(), &dir.path().join("l"), 5000), Trial::Written { .. }));
    }
}
