//! A trial write in a directory: does its file system take a write, and in time?
//!
//! A write to a stuck disk hangs in the kernel (state D), and no signal ends it. So a child makes it, which is awaited for a moment
//! and then left alone. It holds a lock (flock) on a file in memory for as long as it lives: the next call finds the lock taken,
//! starts no second child, and reads in the file since when the first one hangs, and who it is. The lock is the kernel's: it can't be
//! forgotten, and no recycled pid is mistaken for the child.
//!
//! A child that somebody stopped says nothing about the disk: it is ended, and the trial counts as not made.

mod child;

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, Uid, fork};

use self::child::{NO_DATA_DIRECTORY, Room};
use super::clock::{Deadline, boottime};
use super::identity::SystemUser;
use super::owned_files::OwnedFiles;
use super::process::{self, ProcessState};
use crate::decide::clock::{BootTime, Millis};
use crate::decide::disk::Trial;

/// The file that is written over, again and again, in a data directory. PostgreSQL's backups leave out what begins so.
pub const AMONG_DATA: &str = "pgsql_tmp.quorate";
/// The same anywhere else.
#[cfg(feature = "daemon")]
pub const ELSEWHERE: &str = ".quorated";
/// One of these lies in each directory of an instance's data: nothing is written into what is none, such as an empty mount point.
const AMONG: [&str; 2] = ["PG_VERSION", "archive_status"];
/// How often a lock that is taken is tried again.
const ROUND: Duration = Duration::from_millis(20);

/// A write that was begun.
enum Attempt {
    Over(Trial),
    Running(Pid, File),
}

/// The directories of an instance that may hang apart: its data, and its WAL where that is another file system.
pub fn directories(files: &OwnedFiles, pgdata: &Path) -> Vec<PathBuf> {
    let wal = pgdata.join("pg_wal");
    let device = |path: &Path| files.directory(path).map(|d| d.device).ok();
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
            let started = boottime();
            let attempt = begin(directory, name, user, Path::new(&lock), deadline);
            (directory, started, attempt.unwrap_or_else(|e| Attempt::Over(Trial::Untried(e.to_string()))))
        })
        .collect();
    begun
        .into_iter()
        .map(|(directory, started, attempt)| {
            let trial = match attempt {
                Attempt::Over(trial) => trial,
                Attempt::Running(pid, answer) => match outcome(pid, deadline) {
                    Ok(Some(0)) => room(answer),
                    Ok(Some(NO_DATA_DIRECTORY)) => {
                        Trial::Untried("it holds no PG_VERSION: nothing is written there".to_owned())
                    }
                    Ok(Some(errno)) => refused(errno),
                    Ok(None) => pending(pid.as_raw(), boottime() - started),
                    Err(error) => Trial::Untried(error.to_string()),
                },
            };
            (directory.display().to_string(), trial)
        })
        .collect()
}

fn begin(
    directory: &Path,
    name: &str,
    user: &SystemUser,
    lock: &Path,
    deadline: Deadline,
) -> io::Result<Attempt> {
    let mut held =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(lock)?;
    loop {
        // SAFETY: an open descriptor. nix's Flock would unlock when it is dropped, and with it the child's lock: it is the same.
        match Errno::result(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
            Ok(_) => break,
            Err(Errno::EWOULDBLOCK) if deadline.passed() => {
                return Ok(Attempt::Over(earlier(&mut held)));
            }
            // One that hangs since long is not waited for once more.
            Err(Errno::EWOULDBLOCK) if holder(&mut held).age >= crate::decide::disk::STUCK_AFTER => {
                return Ok(Attempt::Over(earlier(&mut held)));
            }
            Err(Errno::EWOULDBLOCK) => deadline.sleep(ROUND),
            Err(errno) => return Err(errno.into()),
        }
    }
    held.rewind()?;
    held.set_len(0)?;
    // The child adds its pid.
    held.write_all(format!("{} ", boottime().millis()).as_bytes())?;
    let path = |name: &str| CString::new(directory.join(name).as_os_str().as_bytes());
    let file = path(name)?;
    let marks = match name {
        AMONG_DATA => AMONG.iter().map(|mark| path(mark)).collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    let user = Uid::effective().is_root().then_some(user).filter(|user| user.uid != 0);
    let (told, answer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let work = child::Work { lock: &held, null: &null, answer: &answer, user, file: &file, marks: &marks };
    // SAFETY: the child makes bare system calls on values that exist already, without allocation and locks, and ends by _exit.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Attempt::Running(child, told.into())),
        ForkResult::Child => {
            // SAFETY: as above.
            let errno = unsafe { child::write(&work) };
            // SAFETY: ends this process only, without running anything of the parent's.
            unsafe { libc::_exit(errno) }
        }
    }
}

/// Who holds a lock, and since when, by what it wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Holder {
    /// 0 where it is just being written.
    age: Millis,
    pid: Option<i32>,
}

fn holder(held: &mut File) -> Holder {
    let mut text = String::new();
    if held.rewind().and_then(|()| held.read_to_string(&mut text)).is_err() {
        return Holder::default();
    }
    let mut words = text.split_ascii_whitespace();
    let since = words.next().and_then(|word| word.parse().ok()).map(BootTime::at);
    let age = since.map_or(0, |since| boottime() - since);
    Holder { age, pid: words.next().and_then(|word| word.parse().ok()) }
}

/// What an earlier trial that still holds the lock tells.
fn earlier(held: &mut File) -> Trial {
    let Holder { age, pid } = holder(held);
    let same = |pid: &i32| {
        let its = fs::metadata(format!("/proc/{pid}/fd/0")).map(|m| (m.dev(), m.ino()));
        matches!((its, held.metadata()), (Ok(its), Ok(ours)) if its == (ours.dev(), ours.ino()))
    };
    // What the file says is believed of a process that has the lock open in the place of its stdin.
    pid.filter(same).map_or(Trial::Pending(age), |pid| pending(pid, age))
}

/// What a child that does not end tells: that the disk hangs, unless the child itself was stopped. One that was is ended, so that the next
/// trial is made by another one.
fn pending(pid: i32, age: Millis) -> Trial {
    let Ok(Some(info)) = process::inspect(pid) else { return Trial::Pending(age) };
    match info.state {
        ProcessState::Stopped => {
            let ended = match process::signal(info.id, Signal::SIGKILL) {
                Ok(_) => "and ended".to_owned(),
                Err(e) => format!("and can't be ended: {e}"),
            };
            Trial::Untried(format!("the process that writes (pid {pid}) was stopped by a signal {ended}"))
        }
        ProcessState::Traced => {
            Trial::Untried(format!("the process that writes (pid {pid}) is held by a debugger"))
        }
        ProcessState::Running
        | ProcessState::Sleeping
        | ProcessState::DiskSleep
        | ProcessState::Zombie
        | ProcessState::Other(_) => Trial::Pending(age),
    }
}

/// Takes note of children that ended after they were given up, so that none stays a zombie. For a process whose only children are trial writes.
#[cfg(feature = "daemon")]
pub fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
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

/// The room on a file system that has just taken a write, as the child told it before it ended.
fn room(mut answer: File) -> Trial {
    let mut free: Room = Room::default();
    match answer.read_exact(&mut free).map(|()| u64::from_ne_bytes(free)) {
        Ok(0) => Trial::NoSpace,
        Ok(free) => Trial::Written { free },
        Err(e) => Trial::Untried(format!("its free space: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::child::BLOCK;
    use super::*;

    fn me() -> SystemUser {
        let uid = Uid::current();
        let name = nix::unistd::User::from_uid(uid).expect("works").expect("known").name;
        SystemUser::lookup(&name).expect("it is us")
    }

    /// A directory that looks like one of data.
    fn data() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(AMONG[0]), "15\n").expect("written");
        dir
    }

    fn trial(directory: &Path, lock: &Path, patience: u64) -> Trial {
        let patience = Duration::from_millis(patience);
        run(&[directory.to_owned()], AMONG_DATA, &me(), lock, patience).remove(0).1
    }

    #[test]
    fn a_good_directory_takes_writes_again_and_again() {
        let dir = data();
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
        assert!(matches!(missing, Trial::Untried(why) if why.contains("no PG_VERSION")));
    }

    #[test]
    fn nothing_is_left_in_an_empty_mount_point() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock = tempfile::tempdir().expect("a directory");
        let found = trial(dir.path(), &lock.path().join("l"), 5000);
        assert!(matches!(&found, Trial::Untried(why) if why.contains("no PG_VERSION")), "{found:?}");
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0, "something was written");
    }

    /// The lock is held by the test itself, in the place of a child that hangs.
    #[test]
    fn while_an_earlier_one_hangs_none_is_started() {
        let dir = data();
        let lock = dir.path().join("l.0.lock");
        let mut held = File::create(&lock).expect("a file");
        let since = boottime().before(60_000).millis();
        held.write_all(since.to_string().as_bytes()).expect("written");
        // SAFETY: an open descriptor.
        assert_eq!(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX) }, 0);
        let found = trial(dir.path(), &dir.path().join("l"), 5000);
        assert!(matches!(found, Trial::Pending(age) if age >= 60_000), "{found:?}");
        assert!(!dir.path().join(AMONG_DATA).exists(), "a second write was started");
        // Not by closing it: a child that another test has just forked has the descriptor too, until it executes its program.
        // SAFETY: an open descriptor.
        assert_eq!(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_UN) }, 0);
        assert!(matches!(trial(dir.path(), &dir.path().join("l"), 5000), Trial::Written { .. }));
    }

    /// A process that holds the lock as a child that hangs would.
    fn held_by_sleep(dir: &Path) -> std::process::Child {
        use std::process::Stdio;
        let mut held = File::create(dir.join("l.0.lock")).expect("a file");
        // SAFETY: an open descriptor.
        assert_eq!(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX) }, 0);
        #[expect(clippy::disallowed_methods, reason = "a process that hangs as long as the test wants")]
        let mut sleep = std::process::Command::new("/bin/sleep");
        let stdin = held.try_clone().expect("a descriptor");
        let child = sleep.arg("60").stdin(Stdio::from(stdin)).spawn().expect("coreutils");
        let since = boottime().before(60_000).millis();
        held.write_all(format!("{since} {}", child.id()).as_bytes()).expect("written");
        child
    }

    /// Stops a process, and waits until it is: the kernel does it when that one runs next, which takes a while on a busy machine.
    fn stop(child: &std::process::Child) -> i32 {
        let pid = i32::try_from(child.id()).expect("a pid");
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGSTOP).expect("it is ours");
        let deadline = Deadline::after(Duration::from_secs(5));
        loop {
            let info = process::inspect(pid).expect("proc").expect("it is ours");
            if info.state == ProcessState::Stopped {
                return pid;
            }
            assert!(!deadline.passed(), "{info:?}");
            deadline.sleep(ROUND);
        }
    }

    #[test]
    fn a_child_that_is_stopped_says_nothing_about_the_disk() {
        let dir = data();
        let mut child = held_by_sleep(dir.path());
        let found = trial(dir.path(), &dir.path().join("l"), 100);
        assert!(matches!(found, Trial::Pending(age) if age >= 60_000), "{found:?}");
        stop(&child);
        let found = trial(dir.path(), &dir.path().join("l"), 100);
        assert!(matches!(&found, Trial::Untried(why) if why.contains("stopped by a signal")), "{found:?}");
        child.wait().expect("it was ended");
        assert!(matches!(trial(dir.path(), &dir.path().join("l"), 5000), Trial::Written { .. }));
    }

    /// A lock file's word is no reason to end somebody else.
    #[test]
    fn who_does_not_hold_the_lock_is_left_alone() {
        let dir = data();
        let mut child = held_by_sleep(dir.path());
        #[expect(clippy::disallowed_methods, reason = "somebody else")]
        let mut other = std::process::Command::new("/bin/sleep").arg("60").spawn().expect("coreutils");
        let pid = stop(&other);
        fs::write(dir.path().join("l.0.lock"), format!("1 {pid}")).expect("written");
        let found = trial(dir.path(), &dir.path().join("l"), 100);
        assert!(matches!(found, Trial::Pending(_)), "{found:?}");
        assert_eq!(other.try_wait().expect("it is ours"), None, "it was ended");
        for process in [&mut other, &mut child] {
            process.kill().expect("it is ours");
            process.wait().expect("it is ours");
        }
    }
}
