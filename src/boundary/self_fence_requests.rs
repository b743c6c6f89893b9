//! Requests for `quorated`, over a datagram socket that only root may write to: the fence agent gives them, `quorated` passes them on to
//! the node that is meant.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use super::files;
use super::host::{HostError, HostResult};
use crate::cluster::self_fencing::SelfFenceRequest;

/// Where it is.
pub const SOCKET: &str = "/run/quorate/self-fence-requests";
/// A `quorated` that does not take a request hangs.
const TAKING: Duration = Duration::from_millis(300);
/// More than a request has.
const LIMIT: usize = 4096;

fn host_error(socket: &Path) -> impl Fn(std::io::Error) -> HostError + '_ {
    move |e| HostError::from(e).about(socket.display())
}

/// Gives a request to the `quorated` of this node.
///
/// # Errors
/// It does not run, or does not take it.
pub fn give(socket: &Path, request: &SelfFenceRequest) -> HostResult<()> {
    let text = serde_json::to_vec(request)?;
    let from = UnixDatagram::unbound().map_err(host_error(socket))?;
    from.set_write_timeout(Some(TAKING)).map_err(host_error(socket))?;
    from.send_to(&text, socket).map_err(host_error(socket))?;
    Ok(())
}

/// The end that receives.
pub struct Requests {
    socket: UnixDatagram,
}

impl Requests {
    /// Takes the place of an earlier one, of a process that is gone.
    ///
    /// # Errors
    /// The directory is not there, or can't be written to.
    pub fn open(socket: &Path) -> HostResult<Self> {
        files::remove(socket)?;
        let bound = UnixDatagram::bind(socket).map_err(host_error(socket))?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))
            .map_err(host_error(socket))?;
        Ok(Self { socket: bound })
    }

    /// Waits for the next one, for ever. `None`: what came makes no sense.
    ///
    /// # Errors
    /// The socket broke.
    pub fn next(&self) -> HostResult<Option<SelfFenceRequest>> {
        let mut text = [0; LIMIT];
        let length = self.socket.recv(&mut text)?;
        Ok(serde_json::from_slice(&text[..length]).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::self_fencing::How;

    #[test]
    fn what_is_given_is_received_and_without_a_receiver_it_fails() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("requests");
        let request = SelfFenceRequest { node_id: 2, node: "srv2".into(), how: How::Off };
        assert!(give(&socket, &request).unwrap_err().text.contains("requests"));
        let requests = Requests::open(&socket).unwrap();
        assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
        give(&socket, &request).unwrap();
        assert_eq!(requests.next(), Ok(Some(request.clone())));
        UnixDatagram::unbound().unwrap().send_to(b"rubbish", &socket).unwrap();
        assert_eq!(requests.next(), Ok(None));
        drop(requests);
        assert!(give(&socket, &request).is_err(), "nobody receives");
        let requests = Requests::open(&socket).unwrap();
        give(&socket, &request).unwrap();
        assert_eq!(requests.next(), Ok(Some(request)));
    }
}
