//! Whether a daemon that speaks libqb's IPC (all of Pacemaker's do) takes a connection: its main loop runs then.
//!
//! The plain connect of libqb blocks on a daemon that is stopped; the asynchronous one can be waited for with a deadline.

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::User;

use super::clock::Deadline;
use crate::decide::detector::Shortage;

// qb/qbipcc.h
#[link(name = "qb")]
unsafe extern "C" {
    fn qb_ipcc_connect_async(name: *const c_char, max_msg_size: usize, connect_fd: *mut c_int)
    -> *mut c_void;
    fn qb_ipcc_connect_continue(connection: *mut c_void) -> c_int;
    fn qb_ipcc_disconnect(connection: *mut c_void);
}

/// Pacemaker's own user.
const CLUSTER_USER: &str = "hacluster";
/// Nothing is sent on the connection.
const MESSAGE: usize = 4096;

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// It could not even be asked, for want of something of this machine's.
    pub shortage: Option<Shortage>,
    pub why: String,
}

/// What this machine lacks. No answer in time has no errno. EAGAIN is none of these: the queue of a stopped daemon is full.
const fn shortage(errno: Errno) -> Option<Shortage> {
    match errno {
        Errno::ENOSPC | Errno::EDQUOT => Some(Shortage::Space),
        Errno::EMFILE => Some(Shortage::OwnFiles),
        Errno::ENFILE => Some(Shortage::Files),
        Errno::ENOMEM | Errno::ENOBUFS => Some(Shortage::Memory),
        _ => None,
    }
}

/// Connects to the daemon behind a socket's name, and leaves.
///
/// # Errors
/// Nobody listens, the daemon refuses, or does not answer in time.
pub fn answers(socket: &str, deadline: Deadline) -> Result<(), Refusal> {
    let silent = |why: String| Refusal { shortage: None, why: format!("socket {socket}: {why}") };
    let failed = |errno: Errno| Refusal { shortage: shortage(errno), ..silent(errno.to_string()) };
    let name = CString::new(socket).map_err(|e| silent(e.to_string()))?;
    let mut fd: c_int = -1;
    // SAFETY: a terminated string, and a place for the descriptor.
    let connection = unsafe { qb_ipcc_connect_async(name.as_ptr(), MESSAGE, &raw mut fd) };
    if connection.is_null() {
        return Err(failed(Errno::last()));
    }
    if let Err(why) = is_the_clusters(fd) {
        // Nothing of what a stranger says is read: libqb opens the files that it names, with root's rights.
        if closed_instead(fd).is_ok() {
            // SAFETY: a connection that was begun; it finds its other end closed, and frees it.
            unsafe { qb_ipcc_connect_continue(connection) };
        }
        return Err(silent(why));
    }
    let answered = wait(fd, deadline);
    // SAFETY: a connection that was begun. This frees it where the daemon has not answered, too.
    let result = unsafe { qb_ipcc_connect_continue(connection) };
    if result != 0 {
        return match answered {
            Err(why) => Err(silent(why)),
            // Of the library, as of the kernel: a negative errno.
            Ok(()) => Err(failed(Errno::from_raw(result.saturating_abs()))),
        };
    }
    // SAFETY: a connection that was made, and is used no more.
    unsafe { qb_ipcc_disconnect(connection) };
    Ok(())
}

/// Whether root or Pacemaker's user listens there: anybody may take an abstract socket's name while the daemon is away.
fn is_the_clusters(fd: c_int) -> Result<(), String> {
    // SAFETY: libqb keeps the descriptor open until the connection is continued.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    let server = getsockopt(&socket, sockopt::PeerCredentials).map_err(|e| e.to_string())?.uid();
    let of_pacemaker = || User::from_name(CLUSTER_USER).ok().flatten().map(|user| user.uid.as_raw());
    if server == nix::unistd::geteuid().as_raw() || server == 0 || Some(server) == of_pacemaker() {
        return Ok(());
    }
    Err(format!("uid {server} listens there, and not Pacemaker: find that process and end it"))
}

/// Puts a socket whose other end is closed in the place of this one.
fn closed_instead(fd: c_int) -> Result<(), Errno> {
    let (closed, _other) = UnixStream::pair().map_err(|_| Errno::last())?;
    // SAFETY: two open descriptors; `fd` stays libqb's.
    Errno::result(unsafe { libc::dup2(closed.as_raw_fd(), fd) }).map(drop)
}

fn wait(fd: c_int, deadline: Deadline) -> Result<(), String> {
    // SAFETY: libqb keeps the descriptor open until the connection is continued.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    loop {
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut fds, deadline.poll_timeout()) {
            Ok(0) if deadline.passed() => return Err("no answer in time".to_owned()),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    use std::time::Duration;

    /// libqb would open, truncate and unlink what a server names.
    #[test]
    fn a_strangers_server_is_not_listened_to() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let name = format!("quorate-test-{}", std::process::id());
        let mut padded = [0; 107];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        let address = SocketAddr::from_abstract_name(padded).expect("a name");
        // Who listens is asked, and nobody else's word counts: as nobody, in this thread alone.
        let nobody = crate::boundary::identity::SystemUser::lookup("nobody").expect("nobody");
        let listener = nobody.act_as(|| UnixListener::bind_addr(&address)).expect("bound");
        let asked = answers(&name, Deadline::after(Duration::from_millis(300))).expect_err("a stranger's");
        assert!(asked.why.contains("uid 65534 listens there"), "{asked:?}");
        let (mut stream, _) = listener.accept().expect("it had connected");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
}
