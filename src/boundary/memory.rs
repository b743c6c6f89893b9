//! The file of what is remembered between two calls, under `HA_RSCTMP` (OCF: temporary, emptied at boot).

use std::path::PathBuf;

use super::host::{HostError, HostResult};
use super::process;
use super::{files, storage};
use crate::decide::memory::{Keepers, Memory, PacemakerRun};

/// Debian's and Red Hat's `HA_RSCTMP`.
const DEFAULT_DIRECTORY: &str = "/run/resource-agents";

/// The beginning of the names of the locks that trial writes hold.
///
/// # Errors
/// When their directory can't be made.
pub fn lock(resource: &str) -> HostResult<PathBuf> {
    let path = path(resource).with_extension("write");
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|e| HostError::from(e).about(directory.display()))?;
    }
    Ok(path)
}

fn path(resource: &str) -> PathBuf {
    directory().join(format!("quorate-{resource}.json"))
}

/// `HA_RSCTMP`.
pub(super) fn directory() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "HA_RSCTMP is part of the OCF environment, and only this file's"
    )]
    let directory = std::env::var_os("HA_RSCTMP").filter(|d| !d.is_empty());
    directory.map_or_else(|| PathBuf::from(DEFAULT_DIRECTORY), PathBuf::from)
}

/// What was remembered; nothing where there is no file yet.
///
/// # Errors
/// When the file can't be read or makes no sense.
pub fn recall(resource: &str) -> HostResult<Memory> {
    let path = path(resource);
    match storage::read_text_if_there(&path)? {
        None => Ok(Memory::default()),
        Some(text) => {
            serde_json::from_str(&text).map_err(|e| HostError::unusable(format!("{}: {e}", path.display())))
        }
    }
}

/// Writes it.
///
/// # Errors
/// When the directory can't be made or the file can't be written.
pub fn remember(resource: &str, memory: &Memory) -> HostResult<()> {
    let path = path(resource);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|e| HostError::from(e).about(directory.display()))?;
    }
    let text = serde_json::to_string(memory)?;
    files::replace(&path, text.as_bytes()).map_err(|e| HostError::from(e).about(path.display()))
}

/// Forgets it: the data are others.
///
/// # Errors
/// When the file can't be removed.
pub fn forget(resource: &str) -> HostResult<()> {
    files::remove(&path(resource)).map_err(HostError::from)
}

/// The run of Pacemaker that called us. `None`: somebody else did.
pub fn pacemaker_run() -> Option<PacemakerRun> {
    let parent = process::parent().ok()??;
    let name = storage::read_text(&PathBuf::from(format!("/proc/{}/comm", parent.id.pid))).ok()?;
    // `comm` holds 15 characters; pacemaker-execd has just as many.
    (name.trim() == "pacemaker-execd")
        .then_some(PacemakerRun { pid: parent.id.pid, start_time: parent.id.start_time })
}

/// The daemons of Pacemaker that keep the score: brothers of the pacemaker-execd that called us. `None`: they can't be told.
pub fn score_keepers() -> Option<Keepers> {
    let executor = process::parent().ok()??;
    pacemaker_run()?;
    let pacemakerd = process::inspect(executor.ppid).ok()?.filter(|info| info.comm == "pacemakerd")?.id.pid;
    let children = PathBuf::from(format!("/proc/{pacemakerd}/task/{pacemakerd}/children"));
    let children = storage::read_text(&children).ok()?;
    let mut keepers = Keepers::default();
    for child in children.split_ascii_whitespace().filter_map(|word| word.parse().ok()) {
        let Ok(Some(info)) = process::inspect(child) else { continue };
        let run = Some(PacemakerRun { pid: info.id.pid, start_time: info.id.start_time });
        match info.comm.as_str() {
            // At most 15 characters.
            "pacemaker-contr" => keepers.controller = run,
            "pacemaker-attrd" => keepers.attributes = run,
            _ => {}
        }
    }
    Some(keepers)
}
