//! What signals do to the operator's command.

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::host::{HostError, HostResult};

/// Rust ignores SIGPIPE, and `println!` panics where nobody reads any more. With the signal's default action the command ends, as any
/// other that is piped to `head`.
pub fn end_on_broken_pipe() {
    // SAFETY: the default action has no handler that could run; no other thread is there yet.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

/// Takes [`end_on_broken_pipe`] back: what is done from here on is not to be left in the middle because nobody reads what is printed,
/// or because a program does not read its input.
pub fn outlive_broken_pipe() {
    // SAFETY: to ignore a signal has no handler that could run.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
}

/// Signals that end the command are held back: it has something to take back first.
#[derive(Debug)]
pub struct Held(SignalFd);

impl Held {
    /// Holds them back from here on, and outlives a broken pipe.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn back() -> HostResult<Self> {
        let failed = |e: nix::errno::Errno| HostError::from(e).about("signals can't be held back");
        let mut ends = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            ends.add(signal);
        }
        ends.thread_block().map_err(failed)?;
        outlive_broken_pipe();
        SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map(Self).map_err(failed)
    }

    /// One that has come since, by its name.
    pub fn arrived(&self) -> Option<&'static str> {
        let info = self.0.read_signal().ok().flatten()?;
        let number = i32::try_from(info.ssi_signo).ok()?;
        Signal::try_from(number).ok().map(Signal::as_str)
    }
}
