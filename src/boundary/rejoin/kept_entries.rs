//! What was kept on this node, for the operator.

use std::path::{Path, PathBuf};

use super::super::host::{HostError, HostResult};
use super::super::identity::SystemUser;
use super::super::owned_files::OwnedFiles;
use super::super::registry;
use super::task;
use crate::decide::rejoin::{Kept, Phase};
use crate::ocf::Settings;

/// One directory.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, by the time.
    pub name: String,
    pub directory: PathBuf,
    pub resource: String,
    /// `None`: it was interrupted, or its summary can't be read.
    pub kept: Option<Kept>,
    /// A rejoin that is not at its end takes the node's settings from it.
    pub is_used: bool,
    owner: String,
}

/// All of them: of the instances that run here, and of those that were ever rejoined here.
///
/// # Errors
/// The directories of the instances can't be read.
pub fn entries() -> HostResult<Vec<Entry>> {
    let mut found = Vec::new();
    for (resource, pgdata, owner) in instances()? {
        let files = OwnedFiles::of(&SystemUser::lookup(&owner).map_err(|e| HostError::from(&e))?);
        let mut base = pgdata.into_os_string();
        base.push(".kept");
        let base = PathBuf::from(base);
        let mut names = match files.names(&base) {
            Ok(names) => names,
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error.into()),
        };
        // Others are nobody's of ours; the owner of the data may put anything there.
        names.retain(|name| is_ours(name));
        names.sort();
        let unfinished = task::load(&resource).ok().flatten().filter(|task| task.phase < Phase::Starting);
        for name in names {
            let directory = base.join(&name);
            let kept = files
                .read_text(&directory.join("summary.json"))
                .ok()
                .and_then(|text| serde_json::from_str(&text).ok());
            let is_used = unfinished
                .as_ref()
                .and_then(|task| task.kept.as_ref())
                .is_some_and(|kept| Path::new(&kept.directory) == directory);
            found.push(Entry {
                name,
                directory,
                resource: resource.clone(),
                kept,
                is_used,
                owner: owner.clone(),
            });
        }
    }
    Ok(found)
}

/// Removes one, as the owner of the data.
///
/// # Errors
/// The disk refuses.
pub fn remove_entry(entry: &Entry) -> HostResult<()> {
    if entry.is_used {
        return Err(HostError::failed(format!(
            "{} is needed by the rejoin that runs: quorate status",
            entry.name
        )));
    }
    let user = SystemUser::lookup(&entry.owner).map_err(|e| HostError::from(&e))?;
    OwnedFiles::of(&user).remove_tree(&entry.directory).map_err(HostError::from)
}

fn instances() -> HostResult<Vec<(String, PathBuf, String)>> {
    let mut found: Vec<(String, PathBuf, String)> = Vec::new();
    for resource in task::resources()? {
        let Ok(Some(task)) = task::load(&resource) else { continue };
        let Ok((settings, _)) = Settings::tolerant(&task.environment) else { continue };
        found.push((resource, settings.pgdata, settings.system_user));
    }
    for instance in registry::all()?.into_iter().flatten() {
        let Some(access) = instance.access else { continue };
        if !found.iter().any(|(resource, _, _)| *resource == instance.resource) {
            found.push((instance.resource, instance.pgdata, access.user));
        }
    }
    found.sort();
    Ok(found)
}

/// `20261129T081530Z`, with `.partial` while it is written.
fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix(".partial").unwrap_or(name);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit() || b == b'T' || b == b'Z')
}

/// The name without what ends it.
pub(super) fn resource_of(path: &Path) -> Option<String> {
    (path.extension()? == "json").then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))?
}
