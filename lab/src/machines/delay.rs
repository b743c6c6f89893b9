//! A cable that is slow: each packet arrives, later. The kernel's netem does this where it is there; here a relay between the outer
//! end of a machine's cable and the bridge holds every frame back for its time, in order.
//!
//! The cable leaves the bridge, a TAP device takes its place, and frames go from one to the other with the kernel's note on
//! checksums and segments (`virtio_net_hdr`), so that what the node's end left to the network card is done further on.

use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use crate::host::chance::Chance;
use crate::host::error::{LabError, Result};

/// A packet of 64 KiB that the card would have cut, its Ethernet header, and the note before it.
const LONGEST: usize = 65_536 + 64;
/// So much may be under way on a cable: a second of what a lab's cluster sends.
const BUFFER: libc::c_int = 16 << 20;
/// In this time the relay notices that it is to end.
const TICK: Duration = Duration::from_millis(100);

/// linux/if_packet.h; the libc crate has it not.
const PACKET_VNET_HDR: libc::c_int = 15;

/// How late packets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// At least so much, each way.
    pub least: Duration,
    /// And up to so much more.
    pub jitter: Duration,
}

/// A relay that runs until it is dropped.
pub struct Relay {
    ending: Arc<AtomicBool>,
    carried: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Starts a relay between the cable and a new TAP device of this name; who calls puts that into the bridge.
    ///
    /// # Errors
    /// The kernel has no TAP devices, or there is no such cable.
    pub fn start(cable: &str, tap: &str, delay: Delay) -> Result<Self> {
        let failed = |what: &str, e: io::Error| LabError::Host(format!("{what}: {e}"));
        let inner = open_tap(tap).map_err(|e| failed(&format!("TAP device {tap}"), e))?;
        let outer = open_cable(cable).map_err(|e| failed(&format!("cable {cable}"), e))?;
        let copy = |file: &File| file.try_clone().map_err(|e| failed("descriptor", e));
        let (ending, carried) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let pairs = [(copy(&outer)?, copy(&inner)?), (inner, outer)];
        let threads = pairs.into_iter().zip(0u64..).map(|((from, to), seed)| {
            let (ending, carried) = (Arc::clone(&ending), Arc::clone(&carried));
            std::thread::spawn(move || carry(from, to, delay, Chance::new(seed), &ending, &carried))
        });
        let threads = threads.collect();
        Ok(Self { ending, carried, threads })
    }

    /// How many packets it has held back.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Until it is to end, or the cable is gone with its machine.
fn carry(
    mut from: File,
    mut to: File,
    delay: Delay,
    mut chance: Chance,
    ending: &AtomicBool,
    carried: &AtomicU64,
) {
    let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut frame = vec![0; LONGEST];
    while !ending.load(Ordering::Relaxed) {
        let now = Instant::now();
        let left = under_way.front().map_or(TICK, |(due, _)| due.saturating_duration_since(now)).min(TICK);
        let wait = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::ZERO);
        // An interrupted poll is only a round that came early.
        let _ = poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], wait);
        loop {
            match from.read(&mut frame) {
                Ok(0) => return,
                Ok(length) => {
                    let jitter = chance.within(delay.jitter);
                    // In order, as a queue is: what overtakes would be another fault.
                    let last = under_way.back().map(|(due, _)| *due);
                    let due = (Instant::now() + delay.least + jitter).max(last.unwrap_or(now));
                    under_way.push_back((due, frame[..length].to_vec()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A cable that is pulled; it may be put in again.
                Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) => break,
                Err(_) => return,
            }
        }
        while under_way.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            if let Some((_, frame)) = under_way.pop_front() {
                // One that can't be sent is lost, as on any cable.
                let _ = to.write(&frame);
                carried.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A TAP device, which vanishes with its descriptor.
fn open_tap(name: &str) -> io::Result<File> {
    let tap =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // SAFETY: a structure of numbers, for which zeros are values.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::other("its name is too long"));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    request.ifr_ifru.ifru_flags = i16::try_from(flags).map_err(io::Error::other)?;
    // SAFETY: an open descriptor, and a structure that lives.
    Errno::result(unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(tap)
}

/// What arrives at this end of the cable, and the way to send something into it.
fn open_cable(name: &str) -> io::Result<File> {
    let name = CString::new(name).map_err(io::Error::other)?;
    // SAFETY: a string that ends with a zero, and lives.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let all = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?.to_be();
    // Nothing arrives before it is bound. SAFETY: numbers.
    let fd = Errno::result(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    // SAFETY: socket has just given this descriptor to us and to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    for (level, option, value) in [
        (libc::SOL_PACKET, PACKET_VNET_HDR, 1),
        // What is sent into it does not come back.
        (libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1),
        (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER),
        (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, BUFFER),
    ] {
        let size = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
        // SAFETY: an open descriptor, and an int that lives.
        let set = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size) };
        Errno::result(set)?;
    }
    // SAFETY: a structure of numbers, for which zeros are values.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = all;
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let size = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: an open descriptor, and an address that lives, with its size.
    Errno::result(unsafe { libc::bind(fd, (&raw const address).cast(), size) })?;
    Ok(File::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn what_is_sent_arrives_later_and_in_order() {
        let (node, outer) = UnixDatagram::pair().unwrap();
        let (inner, bridge) = UnixDatagram::pair().unwrap();
        outer.set_nonblocking(true).unwrap();
        let file = |socket: UnixDatagram| File::from(OwnedFd::from(socket));
        let (ending, carried) = (AtomicBool::new(false), AtomicU64::new(0));
        let delay = Delay { least: Duration::from_millis(80), jitter: Duration::from_millis(40) };
        std::thread::scope(|scope| {
            scope.spawn(|| carry(file(outer), file(inner), delay, Chance::new(7), &ending, &carried));
            let sent = Instant::now();
            for word in [b"one", b"two", b"six"] {
                node.send(word).unwrap();
            }
            let mut word = [0; 3];
            for expected in [b"one", b"two", b"six"] {
                bridge.recv(&mut word).unwrap();
                assert_eq!(&word, expected);
                assert!(sent.elapsed() >= delay.least, "{:?}", sent.elapsed());
            }
            ending.store(true, Ordering::Relaxed);
        });
        assert_eq!(carried.into_inner(), 3);
    }
}
