//! Feeds a child, reads what it says, and sees it end or ends it.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::super::clock::Deadline;
use super::super::process;
use super::{STDERR_LIMIT, STDOUT_LIMIT};

/// How long a killed child may take to go. One that hangs in the kernel (state D) does not go at all, and is left behind.
const REAP: Duration = Duration::from_secs(1);

/// What was read.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Why reading ended.
pub(super) enum End {
    Exited(ExitStatus),
    Deadline,
    TooMuchOutput,
}

/// Feeds and reads the child until it is over or the deadline comes.
pub(super) fn watch(child: &mut Child, mut input: &[u8], deadline: Deadline) -> io::Result<(Collected, End)> {
    let pid = i32::try_from(child.id()).expect("Linux pids are below 2^22");
    let over = process::pidfd(pid)?.ok_or(Errno::ESRCH)?;
    let mut stdin = child.stdin.take().map(OwnedFd::from).map(std::fs::File::from);
    let mut stdout = child.stdout.take().map(OwnedFd::from).map(std::fs::File::from);
    let mut stderr = child.stderr.take().map(OwnedFd::from).map(std::fs::File::from);
    for pipe in [&stdin, &stdout, &stderr].into_iter().flatten() {
        let flags = OFlag::from_bits_retain(fcntl(pipe.as_fd(), FcntlArg::F_GETFL)?);
        fcntl(pipe.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    let mut collected = Collected::default();
    loop {
        let exited = {
            let mut fds = vec![PollFd::new(over.as_fd(), PollFlags::POLLIN)];
            fds.extend(stdin.iter().map(|pipe| PollFd::new(borrow(pipe), PollFlags::POLLOUT)));
            fds.extend(
                [&stdout, &stderr].into_iter().flatten().map(|p| PollFd::new(borrow(p), PollFlags::POLLIN)),
            );
            match poll(&mut fds, deadline.poll_timeout()) {
                Ok(_) => fds[0].any().unwrap_or(true),
                Err(Errno::EINTR) => false,
                Err(errno) => return Err(errno.into()),
            }
        };
        if stdin.as_mut().is_some_and(|pipe| feed(pipe, &mut input)) {
            stdin = None;
        }
        // The child's own output is in the pipes before it is over: what can be read after `exited` was seen is all of it.
        if stdout.as_mut().is_some_and(|pipe| drain(pipe, &mut collected.stdout, STDOUT_LIMIT + 1)) {
            stdout = None;
        }
        if stderr.as_mut().is_some_and(|pipe| drain(pipe, &mut collected.stderr, usize::MAX)) {
            stderr = None;
        }
        if collected.stdout.len() > STDOUT_LIMIT {
            return Ok((collected, End::TooMuchOutput));
        }
        let surplus = collected.stderr.len().saturating_sub(STDERR_LIMIT);
        collected.stderr.drain(..surplus);
        if exited {
            return Ok((collected, End::Exited(child.wait()?)));
        }
        if deadline.passed() {
            return Ok((collected, End::Deadline));
        }
    }
}

fn borrow(file: &std::fs::File) -> BorrowedFd<'_> {
    file.as_fd()
}

/// Writes what fits; true when the pipe is to be closed (all is written, or nobody reads).
fn feed(pipe: &mut std::fs::File, input: &mut &[u8]) -> bool {
    while !input.is_empty() {
        match pipe.write(input) {
            Ok(count) => *input = &input[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
    true
}

/// Reads what is there, but at most 1 MiB at a time (a pipe holds 64 KiB): an endless writer must not keep us from the deadline.
/// True at the end.
fn drain(pipe: &mut std::fs::File, into: &mut Vec<u8>, limit: usize) -> bool {
    let mut buffer = [0; 16 << 10];
    for _ in 0..64 {
        match pipe.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => {
                let room = limit.saturating_sub(into.len()).min(count);
                into.extend_from_slice(&buffer[..room]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
    false
}

/// Kills the child's group and takes the zombie away. The child was not waited for, so that its pid, which is the group's number, is still its own.
pub(super) fn kill_group(child: &mut Child) {
    let pid = i32::try_from(child.id()).expect("Linux pids are below 2^22");
    // Fails only when all of the group is gone already.
    let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    let Ok(Some(over)) = process::pidfd(pid) else { return };
    let _ = poll(&mut [PollFd::new(over.as_fd(), PollFlags::POLLIN)], Deadline::after(REAP).poll_timeout());
    let _ = child.try_wait();
}
