//! A server's processes by their parent's list.

use std::io;
use std::path::Path;

use super::{ProcessId, ProcessInfo, children, postgres_at};

/// The same, by the postmaster's own list of its children: no look at the other processes of the node, of which there may be
/// thousands. What outlived a postmaster is not in it. Where the kernel has no such list it is the postmaster alone.
///
/// # Errors
/// As [`super::postgres_below`].
pub fn postgres_family(postmaster: ProcessId, directory: &Path, uid: u32) -> io::Result<Vec<ProcessInfo>> {
    let pid = postmaster.pid;
    let Some(first) = postgres_at(pid, directory, uid)?.filter(|info| info.id == postmaster) else {
        return Ok(Vec::new());
    };
    let mut found = vec![first];
    for child in children(pid) {
        found.extend(postgres_at(child, directory, uid)?);
    }
    Ok(found)
}
