//! What a crashed server left that would keep the next one from starting.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::{HostResult, Node, OwnedFiles, host_error};
use crate::boundary::process::{self, ProcessState};
use crate::boundary::storage::{SMALL, StorageError};
use crate::pg::socket_lock::{Holder, Listener, SocketLock, is_held};

impl Node {
    /// After a crash the recorded pid may belong to something else by now (or to a zombie that nobody reaped), and
    /// PostgreSQL would refuse to start beside it. That nothing works in this data directory was seen just before; the
    /// socket's lock is removed only where no server holds it ([`is_held`]).
    pub(in crate::boundary) fn remove_stale_locks(&self) -> HostResult<()> {
        match self.processes().map_err(host_error)? {
            (None, children) if children.is_empty() => {}
            _ => return Ok(()),
        }
        let files = self.files().map_err(host_error)?;
        files.remove(&self.pgdata().join("postmaster.pid")).map_err(host_error)?;
        let socket = self.settings.pghost.join(format!(".s.PGSQL.{}", self.settings.pgport));
        let path = socket.with_file_name(format!(".s.PGSQL.{}.lock", self.settings.pgport));
        let bytes = match files.read(&path, SMALL) {
            Ok(bytes) => bytes,
            // What is no lock of PostgreSQL's is left to it to refuse, and to the operator.
            Err(StorageError::TooLarge { .. }) => Vec::new(),
            Err(_) => return Ok(()),
        };
        let lock = SocketLock::parse(&bytes);
        let made_for = lock.as_ref().and_then(|lock| {
            let directory = Path::new(&lock.data_directory);
            match files.resolve(directory) {
                // Nobody works in what is no longer there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Some(directory.to_owned()),
                resolved => resolved.ok(),
            }
        });
        let holder = lock.map_or(Ok(None), |lock| works_in(lock.pid, files.user().uid));
        let holder = match &holder {
            Ok(None) => Holder::Nobody,
            Ok(Some(directory)) => Holder::Postgres(directory),
            Err(_) => Holder::Unknown,
        };
        let own = files.resolve(self.pgdata()).map_err(host_error)?;
        if is_held(made_for.as_deref(), &own, holder, listener(files, &socket)) {
            return Ok(());
        }
        files.remove(&path).map(drop).map_err(host_error)
    }
}

/// Where the process works, if it is a PostgreSQL of this user.
fn works_in(pid: i32, uid: u32) -> io::Result<Option<PathBuf>> {
    let Some(directory) = process::works_in(pid) else {
        // Either it is gone, or we may not look.
        return process::inspect(pid).and_then(|found| match found {
            None => Ok(None),
            Some(found) if found.state == ProcessState::Zombie => Ok(None),
            Some(_) => Err(io::ErrorKind::PermissionDenied.into()),
        });
    };
    Ok(process::postgres_at(pid, &directory, uid)?.map(|_| directory))
}

/// Whether somebody listens at the socket; what can't be told counts as somebody. Non-blocking: a full backlog would never answer.
fn listener(files: &OwnedFiles, path: &Path) -> Listener {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let tried = UnixAddr::new(path).and_then(|address| {
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        files.user().act_as(|| connect(fd.as_raw_fd(), &address))
    });
    match tried {
        // ENAMETOOLONG: nobody can have bound it.
        Err(Errno::ENOENT | Errno::ECONNREFUSED | Errno::ENOTSOCK | Errno::ENAMETOOLONG) => Listener::Nobody,
        Ok(()) | Err(_) => Listener::Somebody,
    }
}
