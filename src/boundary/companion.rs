//! A second process of our own program, which does what may hang, and is replaced when it does.
//!
//! `quorated` runs with locked memory and at real-time priority. A fork of it copies the page tables of all that is locked, and each page
//! that it touches afterwards has to be copied first: the thread that keeps the watchdog alive would wait for memory. A companion
//! is started with posix_spawn(3), which copies nothing, has neither lock nor priority of its own, and can be forked cheaply.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Child;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use super::clock::Deadline;
use super::command::{Command, Environment};
use super::host::{HostError, HostResult};
use super::process::{self, ProcessState};

/// No message is longer.
const LONGEST: usize = 64 << 10;
/// Ourselves, also after the package was replaced: both sides of a conversation are the same program.
const OURSELVES: &str = "/proc/self/exe";
/// So many may wait for their end in the kernel. With more, none is started: what they wait for hangs on.
const LEFT_BEHIND: usize = 8;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It can't be started, or it ended.
    #[error("{0}")]
    Gone(String),
    /// It did not answer, and waited for a disk in the kernel.
    #[error("a helper process (pid {0}) waits for a disk")]
    Hangs(u32),
    /// It did not answer for another reason: stopped, or short of processor time.
    #[error("a helper process (pid {0}) did not answer in time")]
    Late(u32),
}

/// One that runs.
struct Running {
    socket: OwnedFd,
    child: Child,
}

/// One of a kind, started when it is needed.
pub struct Companion {
    argument: String,
    running: Option<Running>,
    /// Killed, and not ended yet.
    ending: VecDeque<Child>,
}

impl Companion {
    /// Of a kind, `--helper=KIND`. Nothing is started yet.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self { argument: format!("--helper={kind}"), running: None, ending: VecDeque::new() }
    }

    /// Has it run. Whether it was started now.
    ///
    /// # Errors
    /// It can't be started: no process, no descriptor, no memory.
    pub fn start(&mut self) -> HostResult<bool> {
        self.ending.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        if let Some(running) = &mut self.running {
            if !matches!(running.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return Ok(false);
            }
            self.running = None;
        }
        if self.ending.len() >= LEFT_BEHIND {
            return Err(HostError::timed_out(format!(
                "{LEFT_BEHIND} helper processes wait for a disk already"
            )));
        }
        let failed = |e: HostError| e.about("a helper process can't be started");
        let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|e| failed(e.into()))?;
        let command = Command::new(OURSELVES).arg(&self.argument).environment(Environment::Clean);
        let child = command.spawn_beside(its).map_err(|e| failed(e.into()))?;
        self.running = Some(Running { socket: ours, child });
        Ok(true)
    }

    /// Says something, without waiting.
    ///
    /// # Errors
    /// It is gone, or did not take what was said before.
    pub fn tell(&mut self, text: &[u8]) -> Result<(), NoAnswer> {
        let Some(running) = &self.running else { return Err(NoAnswer::Gone("no helper process".into())) };
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        match send(running.socket.as_raw_fd(), text, flags) {
            Ok(_) => Ok(()),
            Err(Errno::EAGAIN) => Err(NoAnswer::Late(running.child.id())),
            Err(e) => Err(self.gone(&e)),
        }
    }

    /// The next answer. One that does not come before the deadline costs the companion its life where `replace` says so: its answer would
    /// be taken for that to another question.
    ///
    /// # Errors
    /// There is none.
    pub fn hear(&mut self, deadline: Deadline, replace: bool) -> Result<Vec<u8>, NoAnswer> {
        let Some(running) = &self.running else { return Err(NoAnswer::Gone("no helper process".into())) };
        let mut fds = [PollFd::new(running.socket.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut fds, deadline.poll_timeout()) {
                Ok(0) if deadline.passed() => break,
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => {
                    let mut text = vec![0; LONGEST];
                    return match recv(running.socket.as_raw_fd(), &mut text, MsgFlags::MSG_DONTWAIT) {
                        Ok(0) => Err(self.gone(&"it ended")),
                        Ok(length) => {
                            text.truncate(length);
                            Ok(text)
                        }
                        Err(e) => Err(self.gone(&e)),
                    };
                }
                Err(e) => return Err(NoAnswer::Gone(e.to_string())),
            }
        }
        let pid = running.child.id();
        let state = i32::try_from(pid).ok().and_then(|pid| process::inspect(pid).ok().flatten());
        let hangs = state.is_some_and(|info| info.state == ProcessState::DiskSleep);
        if replace {
            self.end();
        }
        Err(if hangs { NoAnswer::Hangs(pid) } else { NoAnswer::Late(pid) })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// There is none before the deadline.
    pub fn ask(&mut self, text: &[u8], deadline: Deadline) -> Result<Vec<u8>, NoAnswer> {
        self.start().map_err(|error| NoAnswer::Gone(error.text))?;
        self.tell(text)?;
        self.hear(deadline, true)
    }

    fn gone(&mut self, why: &dyn std::fmt::Display) -> NoAnswer {
        let pid = self.running.as_ref().map_or(0, |r| r.child.id());
        self.end();
        NoAnswer::Gone(format!("a helper process (pid {pid}): {why}"))
    }

    fn end(&mut self) {
        if let Some(mut running) = self.running.take() {
            // One that waits for a disk ends when that answers.
            let _ = running.child.kill();
            if !matches!(running.child.try_wait(), Ok(Some(_))) {
                self.ending.push_back(running.child);
            }
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.end();
    }
}

/// The other side: what [`Companion::tell`] said, until nobody is there any more.
///
/// # Errors
/// The socket broke.
pub fn listen() -> io::Result<Option<Vec<u8>>> {
    let mut text = vec![0; LONGEST];
    loop {
        match recv(libc::STDIN_FILENO, &mut text, MsgFlags::empty()) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                text.truncate(length);
                return Ok(Some(text));
            }
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// The other side: an answer.
///
/// # Errors
/// The socket broke.
pub fn answer(text: &[u8]) -> io::Result<()> {
    send(libc::STDIN_FILENO, text, MsgFlags::MSG_NOSIGNAL).map(drop).map_err(Into::into)
}

/// The name under which `ps` shows this process.
pub fn name(name: &std::ffi::CStr) {
    // SAFETY: a text that ends with a null; the kernel copies it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}
