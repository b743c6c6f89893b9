//! Small writes to the disks, made by a helper process: see [`super::helper`]. This thread itself asks no disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::helper::{Answer, Request, Survey, Surveyed, Write};
use super::log::{Logs, Seldom};
use super::observations::Observations;
use super::pause;
use crate::boundary::clock::Deadline;
use crate::boundary::companion::{Companion, NoAnswer};
use crate::boundary::host::Level;
use crate::boundary::process;
use crate::boundary::{disk_stats, memory, write_test};
use crate::decide::detector::{Content, InstanceObservation, PlaceObservation, Progress};
use crate::decide::disk::Trial;
use crate::pg::instance::ProcessId;

/// Between two writes to one place.
const ROUND: Duration = Duration::from_secs(2);
/// While one is pending: whether the device goes on is looked at.
const UNEASY: Duration = Duration::from_millis(500);
/// A write that takes longer is pending.
const PATIENCE: Duration = Duration::from_millis(800);
/// The helper has so long to answer: it waits for no write longer than [`PATIENCE`], nor for any disk.
const ANSWERING: Duration = Duration::from_secs(2);
/// Where the locks of the writes to Pacemaker's and corosync's directories are: in memory.
const LOCKS: &str = "/run/quorate";

/// A place and its last write.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) look: PlaceObservation,
    /// The write that is being made.
    begun: Option<Instant>,
    /// How long the last one took that returned.
    pub(super) took: Option<Duration>,
    /// The writes that the device had completed at the last look.
    completed: Option<u64>,
}

impl Placed {
    /// The look, as it is now. `starved`: the thread that writes gets no processor, which says nothing about the disk.
    pub(super) fn now(&self, starved: bool) -> PlaceObservation {
        if !starved && self.begun.is_some_and(|b| b.elapsed() > PATIENCE * 2) {
            // What was known of the device is old: the thread that would look at it hangs.
            return PlaceObservation { pending: true, progress: Progress::Unknown, ..self.look.clone() };
        }
        self.look.clone()
    }
}

/// Who writes where.
struct Task {
    places: Surveyed,
    content: Content,
    /// The resource, and the user that the server runs as.
    server: Option<(String, u32)>,
}

/// What is carried from round to round.
struct Watcher<'a> {
    observations: &'a Observations,
    logs: &'a Logs,
    helper: Companion,
    /// By the data directory, or the directory itself: as it was when its server was first seen. Its disk may hang later.
    surveyed: BTreeMap<PathBuf, Surveyed>,
    /// The server that was last seen to run in a data directory, and its user.
    servers: BTreeMap<PathBuf, (ProcessId, u32)>,
    complaints: Seldom,
}

/// Has writes made, for ever.
pub(super) fn watch(observations: &Arc<Observations>, helper: Companion, state: &[PathBuf], logs: &Logs) {
    let mut watcher = Watcher {
        observations,
        logs,
        helper,
        surveyed: BTreeMap::new(),
        servers: BTreeMap::new(),
        complaints: Seldom::default(),
    };
    loop {
        let pending = watcher.round(state);
        pause(if pending { UNEASY } else { ROUND });
    }
}

impl Watcher<'_> {
    /// Whether a write is pending.
    fn round(&mut self, state: &[PathBuf]) -> bool {
        let instances = self.observations.latest().instances.clone();
        self.surveyed
            .retain(|path, _| state.contains(path) || instances.iter().any(|i| &i.instance.pgdata == path));
        self.servers.retain(|path, _| instances.iter().any(|i| &i.instance.pgdata == path));
        let mut tasks: Vec<Task> = Vec::new();
        for InstanceObservation { instance, .. } in instances {
            // One that does not run writes nothing: its start tries the disk. But a write that hangs is not forgotten when a
            // stop kills the server meanwhile: the node has to end all the same.
            let runs = instance.postmaster.and_then(|id| Some((id, process::user_of(id)?)));
            let hangs = self.server_of_a_write_that_hangs(&instance.pgdata);
            let Some((server, uid)) = runs.or(hangs) else { continue };
            let before = self.servers.insert(instance.pgdata.clone(), (server, uid));
            if hangs.is_none() && before.is_some_and(|(known, _)| known != server) {
                // Between two servers a file system may have been mounted there, or the WAL moved to another one.
                self.surveyed.remove(&instance.pgdata);
            }
            let content = Content::Data(instance.role);
            if let Some(places) = self.survey(&instance.pgdata, |path| Survey::Data(path, uid)) {
                tasks.push(Task { places, content, server: Some((instance.resource, uid)) });
            }
        }
        for path in state {
            if let Some(places) = self.survey(path, Survey::Other) {
                tasks.push(Task { places, content: Content::State, server: None });
            }
        }
        let wanted = |path: &PathBuf| tasks.iter().any(|t| t.places.iter().any(|(place, _)| place == path));
        self.observations.latest().places.retain(|p| wanted(&p.look.path));
        for task in &tasks {
            begin(self.observations, task);
            let trials = self.write(task);
            for ((path, _), trial) in task.places.iter().zip(&trials) {
                if let Trial::Untried(why) = trial {
                    self.complain(path, &format!("no trial write in {}: {why}", path.display()));
                }
            }
            end(self.observations, task, &trials);
        }
        self.observations.latest().places.iter().any(|p| p.look.pending)
    }

    fn server_of_a_write_that_hangs(&self, pgdata: &Path) -> Option<(ProcessId, u32)> {
        let places = self.surveyed.get(pgdata)?;
        let latest = self.observations.latest();
        let hangs = latest
            .places
            .iter()
            .any(|p| p.look.pending && places.iter().any(|(path, _)| path == &p.look.path));
        self.servers.get(pgdata).copied().filter(|_| hangs)
    }

    fn complain(&mut self, path: &Path, why: &str) {
        if self.complaints.due(path) {
            self.logs.line(Level::Warning, format!("{why}; it says nothing about the disk"));
        }
    }

    /// The places of a directory; none where it is not there, or can't be asked for now.
    fn survey(&mut self, path: &Path, of: impl FnOnce(PathBuf) -> Survey) -> Option<Surveyed> {
        if let Some(known) = self.surveyed.get(path) {
            return Some(known.clone());
        }
        let request = of(path.to_owned());
        let data = matches!(request, Survey::Data(..));
        let found = match self.ask(&Request::Survey(request)) {
            Ok(Answer::Survey(found)) => found,
            // It hangs from the beginning: a write will tell. Where the WAL is on another file system can't be told.
            Err(NoAnswer::Hangs(_)) if data => vec![(path.to_owned(), None), (path.join("pg_wal"), None)],
            Err(NoAnswer::Hangs(_)) => vec![(path.to_owned(), None)],
            Ok(Answer::Write(_) | Answer::Untried(_)) => return None,
            Err(error) => {
                self.complain(path, &format!("{} is not watched: {error}", path.display()));
                return None;
            }
        };
        if found.is_empty() {
            return None;
        }
        self.surveyed.insert(path.to_owned(), found.clone());
        Some(found)
    }

    fn ask(&mut self, request: &Request) -> Result<Answer, NoAnswer> {
        let gone = |e: serde_json::Error| NoAnswer::Gone(e.to_string());
        let text = serde_json::to_vec(request).map_err(gone)?;
        let answer = self.helper.ask(&text, Deadline::after(ANSWERING))?;
        serde_json::from_slice(&answer).map_err(gone)
    }

    /// One trial for each place.
    fn write(&mut self, task: &Task) -> Vec<Trial> {
        let all = |trial: Trial| vec![trial; task.places.len()];
        let asked = match request(task) {
            Ok(write) => self.ask(&Request::Write(write)),
            Err(why) => return all(Trial::Untried(why)),
        };
        match asked {
            Ok(Answer::Write(trials)) if trials.len() == task.places.len() => trials,
            Ok(Answer::Untried(why)) => all(Trial::Untried(why)),
            Ok(Answer::Write(_) | Answer::Survey(_)) => {
                all(Trial::Untried("an answer to another question".to_owned()))
            }
            Err(error) => all(Trial::Untried(error.to_string())),
        }
    }
}

/// As the server itself, and with the agent's own lock: a write of the agent's that hangs is known at once.
fn request(task: &Task) -> Result<Write, String> {
    let places: Vec<PathBuf> = task.places.iter().map(|(path, _)| path.clone()).collect();
    let (uid, lock, name) = match &task.server {
        Some((resource, uid)) => (*uid, memory::lock(resource).map_err(|e| e.text)?, write_test::AMONG_DATA),
        None => (0, state_lock(&places)?, write_test::ELSEWHERE),
    };
    Ok(Write { places, uid, lock, patience: PATIENCE, name: name.to_owned() })
}

fn state_lock(places: &[PathBuf]) -> Result<PathBuf, String> {
    std::fs::create_dir_all(LOCKS).map_err(|e| format!("{LOCKS}: {e}"))?;
    let name = places.first().ok_or("no place")?.display().to_string().replace('/', "-");
    Ok(Path::new(LOCKS).join(format!("write{name}")))
}

fn begin(observations: &Observations, task: &Task) {
    let mut latest = observations.latest();
    for (path, _) in &task.places {
        let begun = Some(Instant::now());
        match latest.places.iter_mut().find(|p| &p.look.path == path) {
            Some(placed) => {
                placed.look.content = task.content.clone();
                placed.begun = begun;
            }
            None => {
                let (path, content) = (path.clone(), task.content.clone());
                let look = PlaceObservation { path, content, pending: false, progress: Progress::Unknown };
                latest.places.push(Placed { look, begun, took: None, completed: None });
            }
        }
    }
}

fn end(observations: &Observations, task: &Task, trials: &[Trial]) {
    let mut latest = observations.latest();
    for ((path, device), trial) in task.places.iter().zip(trials) {
        if let Some(placed) = latest.places.iter_mut().find(|p| &p.look.path == path) {
            let took = placed.begun.take().map(|begun| begun.elapsed());
            placed.look.pending = matches!(trial, Trial::Pending(_));
            if matches!(trial, Trial::Written { .. }) {
                placed.took = took;
            }
            let completed = device.and_then(disk_stats::completed);
            placed.look.progress = match (placed.completed, completed) {
                (Some(before), Some(now)) if now > before => Progress::Advances,
                (Some(_), Some(_)) => Progress::Still,
                (None, _) | (_, None) => Progress::Unknown,
            };
            placed.completed = completed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gets_no_processor_says_nothing_about_the_disk() {
        let look = PlaceObservation {
            path: "/data".into(),
            content: Content::State,
            pending: false,
            progress: Progress::Still,
        };
        let begun = Instant::now().checked_sub(PATIENCE * 3);
        let placed = Placed { look, begun, took: None, completed: None };
        assert!(placed.now(false).pending, "it hangs");
        assert!(!placed.now(true).pending);
    }
}
