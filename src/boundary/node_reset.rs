//! The ways in which a node, or the PostgreSQL on it, is ended by force.

#[cfg(feature = "daemon")]
use std::fs::OpenOptions;
use std::io;
#[cfg(feature = "daemon")]
use std::io::Write;
use std::path::Path;
use std::time::Duration;

#[cfg(feature = "daemon")]
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::Signal;

use super::clock::Deadline;
use super::host::{HostError, HostResult};
use super::process::{self, ProcessState};
use super::{files, storage};
#[cfg(feature = "daemon")]
use crate::cluster::panic_action::PanicAction;

/// While it is there the agent starts and promotes nothing. `/run` is emptied by the reboot that follows.
pub const MARKER: &str = "/run/quorate/resetting";
#[cfg(feature = "daemon")]
const SYSRQ: &str = "/proc/sysrq-trigger";
/// Between two looks at processes that were killed.
const ROUND: Duration = Duration::from_millis(5);

/// What is left of an instance whose processes were all killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// Processes that wait for a device, with a SIGKILL pending: they never run another instruction of their program.
    Pending,
    /// Some that still may run.
    Alive,
}

/// Kills every process of the PostgreSQL that works in `pgdata`, whose links are resolved, as the user with this id; nobody
/// else's.
///
/// The oldest first, which is the postmaster: it would start new children for those that die. Those that it was just starting are found
/// by the next look.
///
/// # Errors
/// /proc can't be read, or a process may not be signalled.
pub fn kill_postgres(pgdata: &Path, uid: u32, deadline: Deadline) -> HostResult<Remains> {
    let failed =
        |e: io::Error| HostError::from(e).about(format!("SIGKILL to the PostgreSQL in {}", pgdata.display()));
    loop {
        let mut found = process::postgres_below(pgdata, uid).map_err(failed)?;
        if found.is_empty() {
            return Ok(Remains::Nothing);
        }
        found.sort_by_key(|p| p.id.start_time);
        for victim in &found {
            process::signal_of(uid, victim.id, Signal::SIGKILL).map_err(failed)?;
        }
        if deadline.passed() {
            let asleep = found.iter().all(|p| p.state == ProcessState::DiskSleep);
            return Ok(if asleep { Remains::Pending } else { Remains::Alive });
        }
        deadline.sleep(ROUND);
    }
}

/// Kills the postmaster and its children without a look at anybody else, and without waiting: the first step where each millisecond
/// counts. What is left [`kill_postgres`] finds.
#[cfg(feature = "daemon")]
pub fn kill_family(postmaster: process::ProcessId, pgdata: &Path, uid: u32) {
    let family = process::postgres_family(postmaster, pgdata, uid);
    for victim in family.into_iter().flatten() {
        // Who is not hit is found by the next step, which says why.
        let _ = process::signal_of(uid, victim.id, Signal::SIGKILL);
    }
}

/// Has the agent start and promote nothing until the next boot.
///
/// # Errors
/// When it can't be written.
pub fn mark(why: &str) -> HostResult<()> {
    let host_error = |e: io::Error| HostError::from(e).about(MARKER);
    if let Some(directory) = Path::new(MARKER).parent() {
        std::fs::create_dir_all(directory).map_err(host_error)?;
    }
    files::replace(Path::new(MARKER), why.as_bytes()).map_err(host_error)
}

/// Why this node is being reset, while it is. One that can't be read counts.
#[must_use]
pub fn marked(marker: &Path) -> Option<String> {
    storage::read_text_if_there(marker).unwrap_or_else(|e| Some(e.to_string()))
}

/// The kernel's own keys (Documentation/admin-guide/sysrq.rst): no sync, no shutdown, no driver is waited for. Root may press any of them,
/// whatever `kernel.sysrq` says.
#[cfg(feature = "daemon")]
pub struct Sysrq(Option<std::fs::File>);

#[cfg(feature = "daemon")]
impl Sysrq {
    /// Opens the file beforehand: no path is looked up, and no memory taken, in the moment of the reset.
    #[must_use]
    pub fn open() -> Self {
        Self(OpenOptions::new().write(true).open(SYSRQ).ok())
    }

    /// Presses a key: `b` resets, `c` crashes, `o` switches off.
    ///
    /// # Errors
    /// The kernel has no sysrq, or the file is read-only, as in a container.
    pub fn press(&self, key: u8) -> io::Result<()> {
        match &self.0 {
            Some(file) => {
                let mut file = file;
                file.write_all(&[key])
            }
            None => OpenOptions::new().write(true).open(SYSRQ)?.write_all(&[key]),
        }
    }
}

/// reboot(2): it does not sync, but waits for drivers.
///
/// # Errors
/// Not permitted.
#[cfg(feature = "daemon")]
pub fn restart(action: PanicAction) -> io::Result<()> {
    let mode = match action {
        PanicAction::Reboot | PanicAction::Crash => RebootMode::RB_AUTOBOOT,
        PanicAction::Off => RebootMode::RB_POWER_OFF,
    };
    reboot(mode).map(drop).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::super::command::{Command, Environment};
    use super::super::identity::SystemUser;
    use super::*;

    use super::super::command::Detached;
    use std::path::PathBuf;

    /// What works in the directory under PostgreSQL's name, and is another user's: this program with these arguments.
    fn foreign(program: &str, arguments: &[&str]) -> Option<(Detached, u32, PathBuf, tempfile::TempDir)> {
        if !nix::unistd::Uid::effective().is_root() {
            return None;
        }
        let nobody = SystemUser::lookup("nobody").expect("nobody");
        let directory = tempfile::tempdir().expect("a directory");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).expect("it is ours");
        let copy = directory.path().join("postgres");
        std::fs::copy(program, &copy).expect("it is there");
        let mut server = Command::new(&copy);
        for argument in arguments {
            server = server.arg(*argument);
        }
        let server = server.directory(directory.path()).run_as(&nobody).environment(Environment::Clean);
        let start = || {
            let log = std::fs::File::create(directory.path().join("log")).expect("a log");
            server.spawn_detached(log)
        };
        // A test beside this one that forks may have the new file open for writing: ETXTBSY.
        let daemon = (0..50)
            .find_map(|_| start().map_err(|_| Deadline::after(ROUND).sleep(ROUND)).ok())
            .expect("starts");
        let place = directory.path().canonicalize().expect("it is there");
        Some((daemon, nobody.uid, place, directory))
    }

    #[test]
    fn nobody_elses_server_is_killed() {
        let Some((mut daemon, uid, place, _directory)) = foreign("/bin/sleep", &["60"]) else { return };
        let soon = || Deadline::after(Duration::from_secs(5));
        assert_eq!(kill_postgres(&place, uid + 1, soon()), Ok(Remains::Nothing));
        assert!(daemon.exited().expect("it is our child").is_none(), "another user's process was killed");
        assert_eq!(kill_postgres(&place, uid, soon()), Ok(Remains::Nothing));
        assert!(daemon.exited().expect("it is our child").is_some());
    }

    /// The postmaster's own list is enough for all of a server that runs, and another user's is left alone by it.
    #[cfg(feature = "daemon")]
    #[test]
    fn a_family_is_killed_without_a_look_at_others() {
        let script = ["-c", "(sleep 60; :) & (sleep 60; :) & wait"];
        let Some((mut daemon, uid, place, _directory)) = foreign("/bin/sh", &script) else { return };
        let postmaster = daemon.id();
        let soon = Deadline::after(Duration::from_secs(5));
        let family = |uid| process::postgres_family(postmaster, &place, uid).expect("/proc can be read");
        while family(uid).len() < 3 && !soon.passed() {
            soon.sleep(ROUND);
        }
        let all = family(uid);
        assert_eq!(all.len(), 3, "{all:?}");
        kill_family(postmaster, &place, uid + 1);
        soon.at_most(ROUND * 4).sleep(ROUND * 4);
        assert_eq!(family(uid).len(), 3, "another user's processes were killed");
        kill_family(postmaster, &place, uid);
        let ids: Vec<_> = all.iter().map(|info| info.id).collect();
        assert_eq!(process::wait_gone(&ids, soon).expect("/proc can be read"), []);
        assert!(daemon.exited().expect("it is our child").is_some());
    }
}
