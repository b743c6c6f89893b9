//! The history on this node's disk, and what the members tell of theirs.

use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::clock::{Deadline, wall_seconds};
use super::command::{Command, Environment};
use super::host::{HostError, HostResult};
use super::identity::SystemUser;
use super::owned_files::OwnedFiles;
use super::pacemaker::{self, Patience};
use super::{input, rejoin, self_fence_records, storage};
use crate::cluster::calendar::utc;
use crate::decide::history::{
    Entry, Evidence, Fencing, asked_attribute, hear, history_attribute, lines, merge, read, told,
};

/// In memory, which never hangs.
const LOCKS: &str = "/run/quorate";
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
    let now = wall_seconds();
    Ok(values.iter().flat_map(|told| hear(&told.value, now)).collect())
}

/// What rejoins have kept on this node.
pub fn kept(resource: &str, node: &str) -> Vec<Entry> {
    let entries = rejoin::entries().unwrap_or_default();
    let ours = entries.into_iter().filter(|entry| entry.resource == resource);
    ours.filter_map(|entry| Some(Entry::kept(node, &entry.kept?))).collect()
}

/// A wish that is older was for another promotion.
const ASKED_S: u64 = 300;
/// A fencing that is older was another time.
const FENCED_S: u64 = 300;

/// What is known here of a primary that was: who asked for a switchover, what it announced, whether it was fenced.
#[must_use]
pub fn evidence(resource: &str, from: &str, to: &str, patience: Patience) -> Evidence {
    let notice = self_fence_records::find(Path::new(self_fence_records::DIRECTORY), from);
    let since = wall_seconds().saturating_sub(ASKED_S);
    let asked = pacemaker::query(&asked_attribute(resource), patience);
    let is_it = |value: &str| {
        let (at, node) = value.split_once(' ')?;
        (node == to && at.parse::<u64>().ok()? >= since).then_some(())
    };
    let asked = asked.unwrap_or_default().into_iter().find(|told| is_it(&told.value).is_some());
    let since = utc(wall_seconds().saturating_sub(FENCED_S));
    Evidence {
        announced: notice.ok().flatten().map(|record| record.notice.reason),
        fencing: match pacemaker::last_fencing(from, &since, patience) {
            Ok(Some((client, done))) => Fencing::Done { client, done },
            Ok(None) => Fencing::None,
            Err(_) => Fencing::Unknown,
        },
        asked_on: asked.map(|told| told.node),
        ..Evidence::default()
    }
}

/// The first word on the command line of the agent's program that does [`note`].
pub const NOTE: &str = "note-history";
/// A disk that takes its time, and pacemaker-attrd.
const APART: Duration = Duration::from_secs(2);
const LONGEST_INPUT: usize = 1 << 16;

/// [`note`] in a program of its own, which is left alone when it does not end soon: this node's disk may hang, and what writes to it
/// with it. Whether anything was new.
///
/// # Errors
/// It did not end, or failed.
pub fn note_apart(resource: &str, node: &str, new: &[Entry], deadline: Deadline) -> HostResult<bool> {
    let program = std::env::current_exe().map_err(HostError::from)?;
    let command = Command::new(program)
        .environment(Environment::Clean)
        .args([NOTE, resource, node])
        .stdin(lines(new).into_bytes());
    let output = command.run(Deadline::after(APART.min(deadline.remaining())))?;
    Ok(output.text().trim() == CHANGED)
}

const CHANGED: &str = "changed";

/// That program: the resource, the node; what is new on standard input.
///
/// # Errors
/// See [`note`].
pub fn note_by_itself(resource: &str, node: &str) -> HostResult<()> {
    let deadline = Deadline::after(APART);
    // One that hangs is enough.
    let directory = Path::new(LOCKS);
    std::fs::create_dir_all(directory).map_err(HostError::from)?;
    let lock = directory.join(format!("history-{resource}.lock"));
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(lock);
    let lock = Flock::lock(file.map_err(HostError::from)?, FlockArg::LockExclusiveNonblock);
    let _lock = lock.map_err(|(_, _)| HostError::failed("another one still writes it"))?;
    let new = input::read(std::io::stdin().as_fd(), LONGEST_INPUT, deadline)?;
    let (new, _) = read(&String::from_utf8_lossy(&new));
    if note(resource, node, new, Patience::of(deadline.remaining() / 3))? {
        println!("{CHANGED}");
    }
    Ok(())
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
