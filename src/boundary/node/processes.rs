//! The processes of the instance: found, told apart, signalled. Those of the database's user alone.

use std::io;
use std::path::Path;

use nix::sys::signal::Signal as Unix;

use super::{HostResult, IdentityError, Node, host_error};
use crate::boundary::process::{self, Debugged, ProcessId, ProcessInfo};
use crate::boundary::storage;
use crate::decide::activity::Activity;
use crate::decide::facts::Process;
use crate::pg::postmaster_pid::PostmasterPid;

/// The unit's program.
const REJOIN: &str = "quorate-rejoin";

impl Node {
    pub(super) fn processes(&self) -> io::Result<(Option<ProcessInfo>, Vec<ProcessInfo>)> {
        let all = self.all_processes()?;
        // At the end of a shutdown the postmaster has removed its pid file and runs alone for a moment: its title tells
        // it from a child that outlived its postmaster.
        let recorded = self.pid_file().map(|file| file.pid);
        let postmaster = recorded
            .and_then(|pid| all.iter().find(|p| p.id.pid == pid))
            .or_else(|| {
                let untitled = all.iter().filter(|p| !process::is_child_of_postmaster(p.id.pid));
                untitled.min_by_key(|p| p.id.start_time)
            })
            .cloned();
        let children = all.into_iter().filter(|p| postmaster.as_ref().is_none_or(|m| m.id != p.id)).collect();
        Ok((postmaster, children))
    }

    /// Those of our user. A server of another one's in a directory that is that one's too is neither ours to end nor nothing.
    pub(super) fn all_processes(&self) -> io::Result<Vec<ProcessInfo>> {
        let files = match self.files() {
            Ok(files) => files,
            // Nothing runs as a user that does not exist.
            Err(IdentityError::Unknown(_)) => return Ok(Vec::new()),
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        let uid = files.user().uid;
        let moved =
            || self.moved(uid).map_or(Ok(Vec::new()), |directory| process::postgres_below(&directory, uid));
        let directory = match files.resolve(self.pgdata()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return moved(),
            resolved => resolved?,
        };
        let mut ours = process::postgres_below(&directory, uid)?;
        ours.retain(is_ours);
        let ours = if ours.is_empty() { moved()? } else { ours };
        if ours.is_empty()
            && let Ok(owner) = files.directory(&directory).map(|d| d.uid)
            && owner != uid
            && let Some(other) = process::postgres_below(&directory, owner)?.first()
        {
            return Err(io::Error::other(format!(
                "process {} is a PostgreSQL of uid {owner}, which owns {}: set system_user to it",
                other.id,
                directory.display()
            )));
        }
        Ok(ours)
    }

    pub(super) fn pid_file(&self) -> Option<PostmasterPid> {
        let text = self.files().ok()?.read_text(&self.pgdata().join("postmaster.pid")).ok()?;
        PostmasterPid::parse(&text).ok()
    }

    /// One file and one process, where the whole of /proc need not be read: the usual case of a monitor.
    pub(super) fn postmaster_by_file(&self) -> Option<ProcessInfo> {
        let (file, files) = (self.pid_file()?, self.files().ok()?);
        let directory = files.resolve(self.pgdata()).ok()?;
        process::postgres_at(file.pid, &directory, files.user().uid).ok().flatten().filter(is_ours)
    }

    /// How often each process of the server was switched to and from.
    pub(super) fn switches(&self) -> Option<Activity> {
        let postmaster = self.postmaster_by_file()?.id;
        let files = self.files().ok()?;
        let directory = files.resolve(self.pgdata()).ok()?;
        let family = process::postgres_family(postmaster, &directory, files.user().uid).ok()?;
        Some(Activity(family.iter().filter_map(|p| Some((p.id, switches(p.id.pid)?))).collect()))
    }

    /// Whether no WAL sender runs. One ends once its standby has confirmed everything, or is gone: no other connects in a shutdown. What
    /// can't be read counts as one.
    pub(super) fn has_no_senders(&self) -> bool {
        let Ok((_, children)) = self.processes() else { return false };
        children
            .iter()
            .all(|child| process::title(child.id.pid).is_some_and(|title| !title.contains("walsender")))
    }

    pub(super) fn process(&self) -> Process {
        if let Some(postmaster) = self.postmaster_by_file() {
            return Process::Alive(postmaster.state.run_state(Debugged::AsRunning));
        }
        match self.processes() {
            Err(error) => Process::Unknown(format!("PostgreSQL's processes can't be identified: {error}")),
            Ok((Some(postmaster), _)) => Process::Alive(postmaster.state.run_state(Debugged::AsRunning)),
            Ok((None, children)) if children.is_empty() => Process::Absent,
            Ok((None, children)) => Process::Leftovers(children.len()),
        }
    }

    pub(super) fn signal_postmaster(&self, signal: Unix) -> HostResult<()> {
        let (postmaster, _) = self.processes().map_err(host_error)?;
        match postmaster {
            Some(postmaster) => self.signal(postmaster.id, signal).map_err(host_error),
            None => Ok(()),
        }
    }

    pub(super) fn signal(&self, id: ProcessId, signal: Unix) -> io::Result<()> {
        let uid = self.files().map_err(|e| io::Error::other(e.to_string()))?.user().uid;
        process::signal_of(uid, id, signal).map(drop)
    }
}

/// The single-user server of a rejoin is the unit's to end: it takes no connection, and no server of ours runs beside it. Only root's
/// programs count, for anybody may call one so.
fn is_ours(server: &ProcessInfo) -> bool {
    let parent = process::inspect(server.ppid).ok().flatten();
    !parent.is_some_and(|parent| parent.comm == REJOIN && process::is_roots(parent.id))
}

/// Both kinds of context switches of a process; `None`: it is gone.
fn switches(pid: i32) -> Option<u64> {
    let status = storage::read_text(Path::new(&format!("/proc/{pid}/status"))).ok()?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u64>().ok()
    };
    of("voluntary_ctxt_switches:")?.checked_add(of("nonvoluntary_ctxt_switches:")?)
}
