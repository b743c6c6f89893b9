//! The history on this node's disk, and what the members tell of theirs.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::host::{HostError, HostResult};
use super::identity::SystemUser;
use super::owned_files::OwnedFiles;
use super::pacemaker::{self, Patience};
use super::{rejoin, storage};
use crate::decide::history::{Entry, hear, history_attribute, lines, merge, read, told};

/// Root's.
const DIRECTORY: &str = "/var/lib/quorate/history";

fn path(resource: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{resource}.jsonl"))
}

/// This node's own; with how many lines make no sense.
///
/// # Errors
/// The file is there and can't be read.
pub fn load(resource: &str) -> HostResult<(Vec<Entry>, usize)> {
    let text = storage::read_text_if_there(&path(resource))?;
    Ok(text.map(|text| read(&text)).unwrap_or_default())
}

/// What the members tell.
///
/// # Errors
/// pacemaker-attrd does not answer.
pub fn of_members(resource: &str, patience: Patience) -> HostResult<Vec<Entry>> {
    let values = pacemaker::query(&history_attribute(resource), patience)?;
    Ok(values.iter().flat_map(|told| hear(&told.value)).collect())
}

/// What rejoins have kept on this node.
pub fn kept(resource: &str, node: &str) -> Vec<Entry> {
    let entries = rejoin::entries().unwrap_or_default();
    let ours = entries.into_iter().filter(|entry| entry.resource == resource);
    ours.filter_map(|entry| Some(Entry::kept(node, &entry.kept?))).collect()
}

/// Adds to it, with what the members and the rejoins tell, durably; and tells the members. Whether anything
/// was new.
///
/// # Errors
/// The disk refuses, or pacemaker-attrd does not answer.
pub fn note(resource: &str, node: &str, new: Vec<Entry>, patience: Patience) -> HostResult<bool> {
    let (mut all, _) = load(resource)?;
    // Without their words this node's own is to be kept all the same.
    let others = of_members(resource, patience);
    let new = new.into_iter().chain(others.as_ref().cloned().unwrap_or_default());
    let is_changed = merge(&mut all, new.chain(kept(resource, node)));
    if is_changed {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(DIRECTORY);
        made.map_err(|error| HostError::from(error).about(DIRECTORY))?;
        let files = OwnedFiles::of(&SystemUser::root());
        files.replace(&path(resource), lines(&all).as_bytes()).map_err(HostError::from)?;
    }
    if !all.is_empty() {
        pacemaker::publish(&history_attribute(resource), &told(&all), patience)?;
    }
    others.map(|_| is_changed)
}
