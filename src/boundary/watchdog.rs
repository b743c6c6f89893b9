//! What resets the node when `quorated` itself hangs: a watchdog device of its own, or systemd.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use super::host::{Effect, Trouble};

/// linux/watchdog.h: `_IOWR('W', 6, int)`.
const WDIOC_SETTIMEOUT: libc::c_ulong = 0xC004_5706;

/// One that has to be petted. Petting allocates nothing and never waits.
pub enum Watchdog {
    /// A device that nobody else has.
    Device(File),
    /// systemd's `WatchdogSec=`.
    Systemd(UnixDatagram),
    /// None: `quorated` was not started by systemd, and has no device.
    None,
}

impl Watchdog {
    /// Opens a device, which is armed from then on.
    ///
    /// # Errors
    /// It is not there, somebody else has it, or it refuses the time.
    pub fn device(path: &Path, timeout: Duration) -> Effect<Self> {
        let failed = |why: &dyn std::fmt::Display| {
            Trouble(format!(
                "watchdog_device = {path:?}: {why}; name one that neither sbd nor systemd has, or leave it out"
            ))
        };
        let device = OpenOptions::new().write(true).open(path).map_err(|e| failed(&e))?;
        let mut seconds = libc::c_int::try_from(timeout.as_secs()).map_err(|e| failed(&e))?;
        // SAFETY: an open descriptor, and the integer that this request takes.
        let set = unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_SETTIMEOUT, &raw mut seconds) };
        Errno::result(set).map_err(|e| failed(&e))?;
        Ok(Self::Device(device))
    }

    /// systemd's, by the address in `NOTIFY_SOCKET` (`sd_notify(3)`); a leading `@` is an abstract one.
    ///
    /// # Errors
    /// The address can't be connected to.
    pub fn systemd(address: &str) -> Effect<Self> {
        let failed = |e: std::io::Error| Trouble(format!("NOTIFY_SOCKET={address}: {e}"));
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
    pub fn pet(&self) {
        match self {
            Self::Device(device) => {
                let mut device = device;
                let _ = device.write(b"\0");
            }
            Self::Systemd(socket) => {
                let _ = socket.send(b"WATCHDOG=1");
            }
            Self::None => {}
        }
    }

    /// Ends in the orderly way: nothing is to be reset.
    pub fn disarm(&self) {
        if let Self::Device(device) = self {
            let mut device = device;
            // The magic close.
            let _ = device.write(b"V");
        }
    }
}
