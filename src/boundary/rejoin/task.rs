//! The task on the disk, its lock, and the unit that works on it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::super::clock::Deadline;
use super::super::command::{Command, Environment};
use super::super::files;
use super::super::identity::SystemUser;
use super::super::owned_files::OwnedFiles;
use super::super::storage;
use super::{RejoinError, Step, again};
use crate::decide::rejoin::Task;

/// Root's alone: a task holds the parameters, and with them perhaps a password.
const DIRECTORY: &str = "/var/lib/quorate/rejoin";
/// A lock does not outlive a boot.
const LOCKS: &str = "/run/quorate";
const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// Longer than anybody looks, also on a busy machine.
const MOMENT: Duration = Duration::from_secs(1);
/// systemd answers at once; it is not waited for what it starts.
const UNIT_START: Duration = Duration::from_secs(5);

pub(super) fn path(resource: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{resource}.json"))
}

fn flag(resource: &str) -> PathBuf {
    Path::new(LOCKS).join(format!("rejoin-{resource}.abandoned"))
}

fn lock_path(resource: &str) -> PathBuf {
    Path::new(LOCKS).join(format!("rejoin-{resource}.lock"))
}

/// Where a long program of this resource writes.
fn log_path(resource: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{resource}.log"))
}

/// The same, empty.
pub(super) fn new_log(resource: &str) -> Step<File> {
    let path = log_path(resource);
    let log = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path);
    log.map_err(|error| RejoinError::Again(format!("{}: {error}", path.display())))
}

/// Its length.
pub(super) fn log_length(resource: &str) -> u64 {
    OwnedFiles::of(&SystemUser::root()).length(&log_path(resource))
}

/// A part of it; `None`: it can't be read.
pub(super) fn log_part(resource: &str, from: u64, limit: u64) -> Option<String> {
    OwnedFiles::of(&SystemUser::root()).read_tail(&log_path(resource), from, limit).ok()
}

fn make(directory: &Path) -> Step<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| RejoinError::Again(format!("{}: {error}", directory.display())))
}

/// The task of a resource; `None`: there is none.
///
/// # Errors
/// It can't be read, or makes no sense: then nobody knows whether the data are whole.
pub fn load(resource: &str) -> Step<Option<Task>> {
    let path = path(resource);
    let Some(text) = storage::read_text_if_there(&path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        RejoinError::Manual(format!(
            "{}: {error}: nobody can tell whether the data are whole; replace them by pg_basebackup, then remove the file",
            path.display()
        ))
    })
}

/// Writes it, durably: what it says of a phase is on the disk before the phase begins.
///
/// # Errors
/// The disk refuses.
pub fn save(task: &Task) -> Step<()> {
    let path = path(&task.resource);
    make(Path::new(DIRECTORY))?;
    let text = serde_json::to_string_pretty(task).map_err(again)?;
    OwnedFiles::of(&SystemUser::root()).replace(&path, text.as_bytes()).map_err(RejoinError::from)
}

/// Writes a new one, and has systemd start the unit. What can't be started is not on record either.
///
/// # Errors
/// The disk refuses, somebody works on the data already, or systemd has no such unit.
pub fn ask(task: &Task) -> Step<()> {
    let lock = Lock::take(&task.resource)?;
    if lock.is_none() {
        return Err(RejoinError::Again("a rejoin runs already".to_owned()));
    }
    // Of one before.
    let _ = is_abandoned(&task.resource);
    let before = load(&task.resource).ok().flatten();
    save(task)?;
    drop(lock);
    start_unit(&task.resource).inspect_err(|_| {
        let _ = before.map_or_else(|| remove(&task.resource), |before| save(&before));
    })
}

/// The resources that a task is on record of.
///
/// # Errors
/// The directory can't be read.
pub(super) fn resources() -> super::super::host::HostResult<Vec<String>> {
    let failed = |error: io::Error| super::super::host::HostError::from(error).about(DIRECTORY);
    let entries = match std::fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(super::kept_entries::resource_of(&entry.map_err(failed)?.path()));
    }
    Ok(found)
}

/// Removes it.
///
/// # Errors
/// The disk refuses.
pub fn remove(resource: &str) -> Step<()> {
    OwnedFiles::of(&SystemUser::root()).remove(&path(resource)).map(drop).map_err(RejoinError::from)
}

/// Who holds it works on the data directory, and nobody else starts anything there.
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes it; `None`: somebody has it.
    ///
    /// # Errors
    /// It can't be had at all.
    pub fn take(resource: &str) -> Step<Option<Self>> {
        std::fs::create_dir_all(LOCKS).map_err(|error| RejoinError::Again(format!("{LOCKS}: {error}")))?;
        let path = lock_path(resource);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let mut file = file.map_err(|error| RejoinError::Again(format!("{}: {error}", path.display())))?;
        // Who only looks whether it is held has it for a moment.
        let until = Deadline::after(MOMENT);
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(Some(Self { _file: file })),
                Err((_, nix::errno::Errno::EWOULDBLOCK)) if until.passed() => return Ok(None),
                Err((file, nix::errno::Errno::EWOULDBLOCK)) => file,
                Err((_, errno)) => return Err(RejoinError::Again(format!("{}: {errno}", path.display()))),
            };
            until.sleep(MOMENT / 30);
        }
    }
}

/// Whether somebody works on the data directory. What can't be told counts as nobody: a server is looked for by its processes.
#[must_use]
pub fn is_running(resource: &str) -> bool {
    let Ok(file) = File::open(lock_path(resource)) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::errno::Errno::EWOULDBLOCK)))
}

/// Says that no start waits for the end of the task any more: who ends it has Pacemaker start the instance.
///
/// # Errors
/// It can't be said.
pub fn abandon(resource: &str) -> Step<()> {
    std::fs::create_dir_all(LOCKS).map_err(|error| RejoinError::Again(format!("{LOCKS}: {error}")))?;
    files::replace(&flag(resource), b"").map_err(again)
}

/// Whether that was said; it is taken back.
#[must_use]
pub fn is_abandoned(resource: &str) -> bool {
    match std::fs::remove_file(flag(resource)) {
        Ok(()) => true,
        // What is there and can't be removed was said.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Has systemd start the unit. One that only watches what it has done, or ends, makes room: what works holds the lock.
///
/// # Errors
/// There is no such unit, or no systemd.
pub fn start_unit(resource: &str) -> Step<()> {
    // The resource's name has letters, digits and "-_." only. A unit that ended five times in a row is started all the same.
    let unit = format!("quorate-rejoin@{}.service", resource.replace('-', "\\x2d"));
    let systemctl = |words: &[&str]| {
        Command::new(SYSTEMCTL)
            .environment(Environment::Clean)
            .args(words)
            .arg(&unit)
            .run(Deadline::after(UNIT_START))
    };
    let _ = systemctl(&["reset-failed", "--quiet"]);
    systemctl(&["restart", "--no-block", "--quiet"]).map(drop).map_err(again)
}
