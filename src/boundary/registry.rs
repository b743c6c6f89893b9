//! The instances that the agent runs on this node, a file each beside its memory, under `HA_RSCTMP`.

use std::io;
use std::path::PathBuf;

use super::host::{HostError, HostResult};
use super::{files, memory, storage};
use crate::pg::instance::Instance;

const PREFIX: &str = "quorate-";
const SUFFIX: &str = ".instance";

fn path(resource: &str) -> PathBuf {
    memory::directory().join(format!("{PREFIX}{resource}{SUFFIX}"))
}

/// Leaves word of an instance. The same word again writes nothing.
///
/// # Errors
/// When the file can't be written.
pub fn record(instance: &Instance) -> HostResult<()> {
    let path = path(&instance.resource);
    let host_error = |e: io::Error| HostError::from(e).about(path.display());
    let text = serde_json::to_string(instance).map_err(|e| host_error(e.into()))?;
    if storage::read_text_if_there(&path).ok().flatten().as_deref() == Some(&text) {
        return Ok(());
    }
    std::fs::create_dir_all(memory::directory()).map_err(host_error)?;
    files::replace(&path, text.as_bytes()).map_err(host_error)
}

/// The word that was left of a resource.
///
/// # Errors
/// When the file is there and can't be read, or makes no sense.
pub fn find(resource: &str) -> HostResult<Option<Instance>> {
    let path = path(resource);
    let text = storage::read_text_if_there(&path)?;
    let read = |text: String| {
        serde_json::from_str(&text)
            .map_err(|e| HostError::unusable(format!("{}: {e}; remove it", path.display())))
    };
    text.map(read).transpose()
}

/// Takes the word back; none there is none.
///
/// # Errors
/// When the file can't be removed.
pub fn forget(resource: &str) -> HostResult<()> {
    files::remove(&path(resource)).map_err(HostError::from)
}

/// All instances of this node, in the order of their names. A file that makes no sense is an error of its own and hides none of the
/// others.
///
/// # Errors
/// When the directory is there and can't be read.
pub fn all() -> HostResult<Vec<HostResult<Instance>>> {
    let directory = memory::directory();
    let host_error = |e: io::Error| HostError::from(e).about(directory.display());
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(host_error(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(host_error)?.file_name();
        let resource = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        names.extend(resource.map(str::to_owned));
    }
    names.sort();
    // One that went away since is one that was taken back.
    Ok(names.iter().filter_map(|name| find(name).transpose()).collect())
}
