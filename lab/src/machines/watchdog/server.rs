//! The side of the emulated watchdog that is outside the node: a socket and a clock.

use super::timer::{Signal, Timer};
use crate::host::error::{LabError, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind, listen, recv, send, socket,
};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the server sleeps at most: the time in which it notices that it has to end.
const TICK: Duration = Duration::from_millis(200);
/// Longer than any message of the library.
const LONGEST_MESSAGE: usize = 64;

/// What the device decided or saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is armed now, with this timeout.
    Armed(Duration),
    /// It was closed in the orderly way.
    Disarmed,
    /// It wasn't kept alive in time: the power has to be cut.
    Expired,
    /// sbd asked for a reset: the power has to be cut.
    ResetRequested,
}

/// One end of a socket.
struct Connection {
    fd: OwnedFd,
    /// Whether this is the one that has the device: as a real one it can be opened once.
    has_it: bool,
    /// Whether the last that was written was the magic close. Another keepalive takes it back.
    closing: bool,
}

/// A watchdog device of one node. Its thread ends when the device is dropped.
pub struct Device {
    timer: Arc<Mutex<Timer>>,
    ending: Arc<AtomicBool>,
}

impl Device {
    /// Listens on `path` and calls `tell` with each verdict, from a thread of its own.
    pub fn serve(path: &Path, tell: impl Fn(Verdict) + Send + 'static) -> Result<Device> {
        let failed = |e: Errno| LabError::File { path: path.to_owned(), source: e.into() };
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(LabError::File { path: path.to_owned(), source: e });
            }
            _ => {}
        }
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).map_err(failed)?;
        bind(listener.as_raw_fd(), &UnixAddr::new(path).map_err(failed)?).map_err(failed)?;
        listen(&listener, Backlog::new(8).map_err(failed)?).map_err(failed)?;
        let device = Device { timer: Arc::default(), ending: Arc::default() };
        let (timer, ending) = (device.timer.clone(), device.ending.clone());
        std::thread::spawn(move || {
            let mut server = Server { listener, connections: Vec::new(), timer, tell: Box::new(tell) };
            while !ending.load(Ordering::Relaxed) {
                server.turn();
            }
        });
        Ok(device)
    }

    /// Whether the device would fire.
    pub fn is_armed(&self) -> bool {
        lock(&self.timer).is_armed()
    }

    /// Its clock stands still, as that of an emulated device whose machine is paused.
    pub fn suspend(&self) {
        lock(&self.timer).suspend(Instant::now());
    }

    /// Its clock goes on.
    pub fn resume(&self) {
        lock(&self.timer).resume(Instant::now());
    }

    /// The node's power was cut: the device starts anew.
    pub fn power_cycle(&self) {
        *lock(&self.timer) = Timer::new();
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
    }
}

struct Server {
    listener: OwnedFd,
    connections: Vec<Connection>,
    timer: Arc<Mutex<Timer>>,
    tell: Box<dyn Fn(Verdict) + Send>,
}

impl Server {
    /// Waits for the next message or the next expiry, and handles it.
    fn turn(&mut self) {
        let fires = lock(&self.timer).fires();
        let now = Instant::now();
        let left = fires.map_or(TICK, |at| at.saturating_duration_since(now)).min(TICK);
        // One millisecond more: poll counts whole ones, and waking early would only make another round.
        self.wait(left + Duration::from_millis(1));
        self.accept();
        // All keepalives that have arrived count, even when this thread got the processor late: a busy host must not
        // look like a node that hangs.
        self.receive();
        let expired = {
            let mut timer = lock(&self.timer);
            let expired = timer.fires().is_some_and(|at| at <= Instant::now());
            if expired {
                timer.take(Signal::Disarm, now);
            }
            expired
        };
        if expired {
            (self.tell)(Verdict::Expired);
        }
    }

    fn wait(&self, at_most: Duration) {
        let mut fds = vec![PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.connections.iter().map(|c| PollFd::new(c.fd.as_fd(), PollFlags::POLLIN)));
        // An interrupted poll is only a round that came early.
        let _ = poll(&mut fds, PollTimeout::try_from(at_most).unwrap_or(PollTimeout::ZERO));
    }

    fn accept(&mut self) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        while let Ok(fd) = accept4(self.listener.as_raw_fd(), flags) {
            // SAFETY: accept4 has just given this descriptor to us and to nobody else.
            let fd = unsafe { OwnedFd::from_raw_fd(fd) };
            self.connections.push(Connection { fd, has_it: false, closing: false });
        }
    }

    /// The oldest first: the end of who had the device is seen before the next one asks for it.
    fn receive(&mut self) {
        let mut at = 0;
        while at < self.connections.len() {
            if self.read_all(at) {
                at += 1;
                continue;
            }
            let ended = self.connections.remove(at);
            // The end comes when the last copy of the descriptor is closed, also those of forked children. Without the magic
            // close the kernel sends the device one more keepalive ("watchdog did not stop!") and leaves it armed.
            if ended.has_it {
                self.handle(if ended.closing { Signal::Disarm } else { Signal::Keepalive });
            }
        }
    }

    /// Handles all messages of a connection; false at its end.
    fn read_all(&mut self, at: usize) -> bool {
        let mut message = [0u8; LONGEST_MESSAGE];
        loop {
            match recv(self.connections[at].fd.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return false,
                Ok(length) => match Signal::parse(&message[..length]) {
                    Signal::Open => self.open(at),
                    signal => {
                        self.connections[at].closing = signal == Signal::MagicClose;
                        self.handle(signal);
                    }
                },
                Err(Errno::EAGAIN) => return true,
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn open(&mut self, at: usize) {
        let is_free = self.connections.iter().all(|c| !c.has_it);
        let word: &[u8] = if is_free { b"y" } else { b"n" };
        // Who does not hear it gives up by its own deadline.
        let _ = send(self.connections[at].fd.as_raw_fd(), word, MsgFlags::MSG_DONTWAIT);
        if is_free {
            self.connections[at].has_it = true;
            self.handle(Signal::Open);
        }
    }

    fn handle(&mut self, signal: Signal) {
        let (before, after, timeout) = {
            let mut timer = lock(&self.timer);
            let before = (timer.is_armed(), timer.timeout());
            timer.take(signal, Instant::now());
            (before, timer.is_armed(), timer.timeout())
        };
        if signal == Signal::Reset {
            (self.tell)(Verdict::ResetRequested);
        } else if after && before != (true, timeout) {
            (self.tell)(Verdict::Armed(timeout));
        } else if before.0 && !after {
            (self.tell)(Verdict::Disarmed);
        }
    }
}

fn lock(timer: &Mutex<Timer>) -> MutexGuard<'_, Timer> {
    timer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{connect, send};
    use std::sync::mpsc::{Receiver, channel};

    struct Bench {
        dir: tempfile::TempDir,
        _device: Device,
        verdicts: Receiver<Verdict>,
    }

    fn bench() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let (sender, verdicts) = channel();
        let device = Device::serve(&dir.path().join("watchdog.sock"), move |verdict| {
            let _ = sender.send(verdict);
        })
        .unwrap();
        Bench { dir, _device: device, verdicts }
    }

    fn say(to: &OwnedFd, message: &[u8]) {
        send(to.as_raw_fd(), message, MsgFlags::empty()).unwrap();
    }

    impl Bench {
        /// Opens the device, and gives what it said.
        fn open(&self) -> (OwnedFd, u8) {
            let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
            let path = self.dir.path().join("watchdog.sock");
            connect(fd.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
            say(&fd, b"O!");
            let mut word = [0];
            recv(fd.as_raw_fd(), &mut word, MsgFlags::empty()).unwrap();
            (fd, word[0])
        }

        fn next(&self) -> Option<Verdict> {
            self.verdicts.recv_timeout(Duration::from_secs(5)).ok()
        }
    }

    #[test]
    fn a_device_that_is_closed_without_the_magic_close_fires() {
        let bench = bench();
        let (sbd, word) = bench.open();
        assert_eq!((word, bench.next()), (b'y', Some(Verdict::Armed(Duration::from_secs(60)))));
        say(&sbd, b"T0000000001");
        assert_eq!(bench.next(), Some(Verdict::Armed(Duration::from_secs(1))));
        // A keepalive takes the magic close back.
        say(&sbd, b"V");
        say(&sbd, b"\0");
        let started = Instant::now();
        drop(sbd);
        assert_eq!(bench.next(), Some(Verdict::Expired));
        assert!(started.elapsed() > Duration::from_millis(900), "{:?}", started.elapsed());
    }

    #[test]
    fn the_magic_close_disarms_at_the_last_close() {
        let bench = bench();
        let (sbd, _) = bench.open();
        assert_eq!(bench.next(), Some(Verdict::Armed(Duration::from_secs(60))));
        let of_a_child = sbd.try_clone().unwrap();
        say(&sbd, b"V");
        drop(sbd);
        assert_eq!(bench.verdicts.recv_timeout(TICK * 2).ok(), None);
        drop(of_a_child);
        assert_eq!(bench.next(), Some(Verdict::Disarmed));
    }

    #[test]
    fn it_is_opened_once_and_again_after_its_close() {
        let bench = bench();
        let (sbd, first) = bench.open();
        assert_eq!((first, bench.open().1), (b'y', b'n'));
        drop(sbd);
        assert_eq!(bench.open().1, b'y');
    }

    #[test]
    fn a_reset_is_passed_on() {
        let bench = bench();
        let (sbd, _) = bench.open();
        assert_eq!(bench.next(), Some(Verdict::Armed(Duration::from_secs(60))));
        say(&sbd, b"RESET");
        assert_eq!(bench.next(), Some(Verdict::ResetRequested));
    }
}
