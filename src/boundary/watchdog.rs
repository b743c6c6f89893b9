//! What acts when `quorated` itself hangs: systemd, and a watchdog device of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use super::host::{HostError, HostResult};

/// linux/watchdog.h. The bits of the direction are not the same on all machines: ppc64le, mips and sparc have others.
const WDIOC_GETSUPPORT: libc::Ioctl = libc::_IOR::<Info>(b'W' as u32, 0);
const WDIOC_SETTIMEOUT: libc::Ioctl = libc::_IOWR::<libc::c_int>(b'W' as u32, 6);

/// `struct watchdog_info`.
#[repr(C)]
#[derive(Default)]
struct Info {
    options: u32,
    firmware_version: u32,
    identity: [u8; 32],
}

/// Why a device can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    pub what: String,
    pub cure: &'static str,
}

/// A watchdog that resets the node unless it is kept alive. A keepalive allocates nothing and never waits.
pub enum Watchdog {
    /// A device that nobody else has.
    Device(File),
    /// systemd's `WatchdogSec=`.
    Systemd(UnixDatagram),
}

impl Watchdog {
    /// Opens the device of quorated's own, which is armed from then on. One that can't be used is left disarmed, and what is no
    /// watchdog untouched.
    ///
    /// # Errors
    /// It is not there, somebody else has it, it is no watchdog, or it refuses the time.
    pub fn device(path: &Path, timeout: Duration) -> HostResult<Self> {
        let failed = |e: Unusable| {
            HostError::unusable(format!(
                "watchdog_device = {path:?}: {}; {}, or leave it out",
                e.what, e.cure
            ))
        };
        Self::open(path, timeout).map(|(device, _)| device).map_err(failed)
    }

    /// The same, with what its driver calls it.
    ///
    /// # Errors
    /// As [`Self::device`].
    pub fn open(path: &Path, timeout: Duration) -> Result<(Self, String), Unusable> {
        // A FIFO would block whoever opens it.
        let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
        let device = opened.map_err(|e| Unusable { what: e.to_string(), cure: cure(&e) })?;
        let mut info = Info::default();
        // SAFETY: an open descriptor, and the structure that this request fills.
        let asked = unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_GETSUPPORT, &raw mut info) };
        if Errno::result(asked).is_err() {
            return Err(Unusable { what: "is no watchdog".to_owned(), cure: "name a watchdog device" });
        }
        let device = Self::Device(device);
        device
            .set(timeout)
            .inspect_err(|_| device.disarm())
            .map_err(|what| Unusable { what, cure: "name a device whose driver takes that time" })?;
        let name = info.identity.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok((device, String::from_utf8_lossy(name).into_owned()))
    }

    fn set(&self, timeout: Duration) -> Result<(), String> {
        let Self::Device(device) = self else { return Ok(()) };
        let wanted = timeout.as_secs();
        let mut seconds = libc::c_int::try_from(wanted).map_err(|e| e.to_string())?;
        // SAFETY: an open descriptor, and the integer that this request takes.
        let set = unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_SETTIMEOUT, &raw mut seconds) };
        Errno::result(set).map_err(|e| format!("does not take a timeout of {wanted} s: {e}"))?;
        // A driver may round, but less than was asked for is less than systemd needs to bring `quorated` back.
        match u64::try_from(seconds) {
            Ok(got) if got >= wanted => Ok(()),
            _ => Err(format!("takes a timeout of {seconds} s, not of {wanted} s")),
        }
    }

    /// systemd's, by the address in `NOTIFY_SOCKET` (`sd_notify(3)`); a leading `@` is an abstract one.
    ///
    /// # Errors
    /// The address can't be connected to.
    pub fn systemd(address: &str) -> HostResult<Self> {
        let failed = |e: std::io::Error| HostError::from(e).about(format!("NOTIFY_SOCKET={address}"));
        let socket = UnixDatagram::unbound().map_err(failed)?;
        match address.strip_prefix('@') {
            Some(name) => {
                use std::os::linux::net::SocketAddrExt;
                let name = std::os::unix::net::SocketAddr::from_abstract_name(name).map_err(failed)?;
                socket.connect_addr(&name).map_err(failed)?;
            }
            None => socket.connect(address).map_err(failed)?,
        }
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self::Systemd(socket))
    }

    /// Says that all is well. What fails is seen by its not having happened.
    pub fn keep_alive(&self) {
        match self {
            Self::Device(device) => {
                let mut device = device;
                let _ = device.write(b"\0");
            }
            Self::Systemd(socket) => {
                let _ = socket.send(b"WATCHDOG=1");
            }
        }
    }

    /// Ends in the orderly way: nothing is to be reset. It holds when the device is closed next, and another keepalive takes it back.
    pub fn disarm(&self) {
        if let Self::Device(device) = self {
            let mut device = device;
            // The magic close.
            let _ = device.write(b"V");
        }
    }
}

fn cure(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENXIO | libc::ENODEV) => "load its driver, name another device",
        Some(libc::EBUSY) => "name one that neither sbd, systemd nor another program has (fuser -v)",
        _ => "name a watchdog device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_are_those_of_this_machine() {
        let other = cfg!(any(target_arch = "powerpc64", target_arch = "mips64", target_arch = "sparc64"));
        let read = if other { 0x4028_5700 } else { 0x8028_5700 };
        assert_eq!((WDIOC_GETSUPPORT, WDIOC_SETTIMEOUT), (read, 0xC004_5706));
    }

    #[test]
    fn what_is_no_watchdog_is_named_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "text").unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (path, words) in [
            (file.as_path(), "is no watchdog"),
            (Path::new("/dev/null"), "is no watchdog"),
            (directory.path(), "Is a directory"),
            (fifo.as_path(), "load its driver"),
            (Path::new("/dev/no-such-watchdog"), "load its driver"),
        ] {
            let Err(HostError { text: why, .. }) = Watchdog::device(path, Duration::from_secs(10)) else {
                panic!("{path:?} is taken for a watchdog")
            };
            assert!(why.contains(words) && why.contains(&format!("{path:?}")), "{why}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
    }
}
