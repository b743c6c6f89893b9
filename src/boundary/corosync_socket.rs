//! Who listens on corosync's sockets. Its libraries, and so its tools, open and write what the server names, with the rights of who
//! asks; and the abstract name of a socket is anybody's while corosync is away.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, getsockopt, sockopt};

use super::host::{HostError, HostResult};

/// unix(7).
const SUN_PATH: usize = 108;

/// With this file libqb's sockets are files below /run, where root alone can make one (qb/qbipc_common.h, libqb's ipc_setup.c).
const SOCKETS_ARE_FILES: &str = "/etc/libqb/force-filesystem-sockets";

/// Whether root listens on one of corosync's sockets, before its own library connects there and opens what the server names.
/// Whoever takes the name while corosync is away loses it when corosync starts, which fails then and says so.
///
/// # Errors
/// Nobody listens, a stranger does, or too many wait there already.
pub fn is_roots(socket: &str) -> HostResult<()> {
    if std::path::Path::new(SOCKETS_ARE_FILES).exists() {
        return Ok(());
    }
    let named = |error: HostError| error.about(format!("corosync's socket {socket}"));
    let failed = |errno: Errno| named(errno.into());
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let ours = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
    // libqb fills the whole of sun_path with zeros.
    let mut name = [0; SUN_PATH - 1];
    let start =
        name.get_mut(..socket.len()).ok_or_else(|| named(HostError::unusable("its name is too long")))?;
    start.copy_from_slice(socket.as_bytes());
    let address = UnixAddr::new_abstract(&name).map_err(failed)?;
    socket::connect(ours.as_raw_fd(), &address).map_err(failed)?;
    let server = getsockopt(&ours, sockopt::PeerCredentials).map_err(failed)?.uid();
    if server == 0 {
        return Ok(());
    }
    let stranger = format!("uid {server} listens there, and not corosync: find that process and end it");
    Err(named(HostError::forbidden(stranger)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};

    #[test]
    fn corosyncs_libraries_do_not_meet_a_stranger() {
        if !nix::unistd::geteuid().is_root() || std::path::Path::new(SOCKETS_ARE_FILES).exists() {
            return;
        }
        let name = format!("quorate-test-cpg-{}", std::process::id());
        let mut padded = [0; SUN_PATH - 1];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        let address = SocketAddr::from_abstract_name(padded).expect("a name");
        let nobody = crate::boundary::identity::SystemUser::lookup("nobody").expect("nobody");
        assert!(is_roots(&name).is_err(), "nobody listens there");
        let stranger = nobody.act_as(|| UnixListener::bind_addr(&address)).expect("bound");
        let asked = is_roots(&name).expect_err("a stranger's");
        assert!(asked.text.contains("uid 65534 listens there, and not corosync"), "{asked:?}");
        drop(stranger);
        let _root = UnixListener::bind_addr(&address).expect("bound");
        assert_eq!(is_roots(&name), Ok(()));
    }
}
