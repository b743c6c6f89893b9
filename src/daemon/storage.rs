//! Small writes to the disks, each in a process of its own that may hang for ever.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Board;
use super::pause;
use crate::boundary::identity::SystemUser;
use crate::boundary::process;
use crate::boundary::{disk_stats, memory, write_test};
use crate::decide::detector::{Content, InstanceLook, PlaceLook, Progress};
use crate::decide::storage::Trial;
use crate::pg::instance::Instance;

/// Between two writes to one place.
const ROUND: Duration = Duration::from_secs(2);
/// While one is pending: whether the device goes on is looked at.
const UNEASY: Duration = Duration::from_millis(500);
/// A write that takes longer is pending.
const PATIENCE: Duration = Duration::from_millis(800);
/// Where the locks of the writes to Pacemaker's and corosync's directories are: in memory.
const LOCKS: &str = "/run/quorate";

/// A place and its last write.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) look: PlaceLook,
    /// The write that is being made: what prepares it asks the disk too.
    begun: Option<Instant>,
    /// The writes that the device had completed at the last look.
    completed: Option<u64>,
}

impl Placed {
    /// The look, as it is now.
    pub(super) fn now(&self) -> PlaceLook {
        if self.begun.is_some_and(|b| b.elapsed() > PATIENCE * 2) {
            // What was known of the device is old: the thread that would look at it hangs.
            return PlaceLook { pending: true, progress: Progress::Unknown, ..self.look.clone() };
        }
        self.look.clone()
    }
}

/// Who writes where.
struct Task {
    places: Vec<PathBuf>,
    content: Content,
    instance: Option<Instance>,
}

/// Writes, for ever.
pub(super) fn watch(board: &Arc<Board>, state: &[PathBuf]) {
    // The directories of an instance, as they were when it was first seen: its disk may hang later.
    let mut known: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    let mut devices: BTreeMap<PathBuf, Option<u64>> = BTreeMap::new();
    loop {
        let instances = board.seen().instances.clone();
        known.retain(|pgdata, _| instances.iter().any(|i| &i.instance.pgdata == pgdata));
        let mut tasks: Vec<Task> = Vec::new();
        for InstanceLook { instance, .. } in instances {
            let content = Content::Data(instance.role);
            let places = known
                .entry(instance.pgdata.clone())
                .or_insert_with(|| write_test::directories(&instance.pgdata))
                .clone();
            tasks.push(Task { places, content, instance: Some(instance) });
        }
        let there = state.iter().filter(|p| p.is_dir());
        tasks.extend(there.map(|p| Task {
            places: vec![p.clone()],
            content: Content::State,
            instance: None,
        }));
        let wanted: Vec<PathBuf> = tasks.iter().flat_map(|t| t.places.clone()).collect();
        board.seen().places.retain(|p| wanted.contains(&p.look.path));
        for path in &wanted {
            devices.entry(path.clone()).or_insert_with(|| disk_stats::device(path));
        }
        devices.retain(|path, _| wanted.contains(path));
        for task in &tasks {
            begin(board, task);
            end(board, task, &write(task), &devices);
        }
        let pending = board.seen().places.iter().any(|p| p.look.pending);
        pause(if pending { UNEASY } else { ROUND });
    }
}

fn begin(board: &Board, task: &Task) {
    let mut seen = board.seen();
    for path in &task.places {
        let begun = Some(Instant::now());
        match seen.places.iter_mut().find(|p| &p.look.path == path) {
            Some(placed) => {
                placed.look.content = task.content.clone();
                placed.begun = begun;
            }
            None => {
                let (path, content) = (path.clone(), task.content.clone());
                let look = PlaceLook { path, content, pending: false, progress: Progress::Unknown };
                seen.places.push(Placed { look, begun, completed: None });
            }
        }
    }
}

fn end(board: &Board, task: &Task, trials: &[Trial], devices: &BTreeMap<PathBuf, Option<u64>>) {
    let mut seen = board.seen();
    for (path, trial) in task.places.iter().zip(trials) {
        if let Some(placed) = seen.places.iter_mut().find(|p| &p.look.path == path) {
            placed.begun = None;
            placed.look.pending = matches!(trial, Trial::Pending(_));
            let completed = devices.get(path).copied().flatten().and_then(disk_stats::completed);
            placed.look.progress = match (placed.completed, completed) {
                (Some(before), Some(now)) if now > before => Progress::Advances,
                (Some(_), Some(_)) => Progress::Still,
                (None, _) | (_, None) => Progress::Unknown,
            };
            placed.completed = completed;
        }
    }
}

/// One trial for each place; none where nothing can be tried, which says nothing about the disk.
fn write(task: &Task) -> Vec<Trial> {
    let tried = match &task.instance {
        // As the server itself, and with the agent's own lock: a write of the agent's that hangs is known at once.
        Some(instance) => instance.postmaster.and_then(process::user_of).and_then(|uid| {
            let user = SystemUser::by_uid(uid).ok()?;
            let lock = memory::lock(&instance.resource).ok()?;
            Some(write_test::run(&task.places, write_test::AMONG_DATA, &user, &lock, PATIENCE))
        }),
        None => state_lock(task).and_then(|lock| {
            let root = SystemUser::lookup("root").ok()?;
            Some(write_test::run(&task.places, write_test::ELSEWHERE, &root, &lock, PATIENCE))
        }),
    };
    tried.unwrap_or_default().into_iter().map(|(_, trial)| trial).collect()
}

fn state_lock(task: &Task) -> Option<PathBuf> {
    std::fs::create_dir_all(LOCKS).ok()?;
    let name = task.places.first()?.display().to_string().replace('/', "-");
    Some(Path::new(LOCKS).join(format!("write{name}")))
}
