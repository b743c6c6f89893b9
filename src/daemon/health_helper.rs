//! The helper process behind [`super::health`]: asks each server in a thread of its own, since one may hang, reads what lies on disks in
//! another one, and writes the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::health::{Server, Told, WRITTEN};
use super::pause;
use super::threads::start;
use crate::boundary::clock::{Deadline, boottime};
use crate::boundary::node_reset::MARKER;
use crate::boundary::postgres::{Endpoint, PostgresError};
use crate::boundary::{companion, files, history, memory, node_reset, printable};
use crate::cluster::clock::BootTime;
use crate::cluster::health::{Answer, PATH};
use crate::decide::health::{Asked, heard};
use crate::decide::history::Event;
use crate::pg::instance::ProcessId;
use crate::pg::view::Rejection;

/// A server is asked so often: a login and one statement.
const ROUND: Duration = Duration::from_secs(1);
/// It has so long to answer.
const PATIENCE: Duration = Duration::from_millis(2500);
/// After a restart what was told before stands so long, by its age, until everything was asked once: an upgrade of the package is no
/// reason for a proxy to close its sessions.
const BEGINNING: Duration = Duration::from_secs(2);
/// The history is read so often.
const SELDOM: Duration = Duration::from_secs(10);
const STACK: usize = 2 << 20;
/// An error's text comes from a server.
const LONGEST: usize = 200;

/// What its threads share.
#[derive(Default)]
struct Known {
    /// By resource: who is asked, and what it said last.
    servers: BTreeMap<String, (Server, Option<Answer>)>,
    /// By resource: promotions by kind.
    promotions: BTreeMap<String, BTreeMap<String, u64>>,
}

type Shared = Arc<Mutex<Known>>;

fn locked(known: &Shared) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works until `quorated` is gone. Gives the exit code.
pub(super) fn serve() -> u8 {
    companion::name(c"quorated-ask");
    let known = Shared::default();
    let mut asking: BTreeMap<(String, ProcessId), JoinHandle<()>> = BTreeMap::new();
    let mut reading: Option<JoinHandle<()>> = None;
    let beginning = Deadline::after(BEGINNING);
    let mut has_written = false;
    while let Ok(Some(text)) = companion::listen() {
        // Both sides are the same program: what can't be read is no question of ours.
        let Ok(told) = serde_json::from_slice::<Told>(&text) else { return 1 };
        update(&known, &told.servers);
        asking.retain(|_, thread| !thread.is_finished());
        for server in &told.servers {
            let key = (server.resource.clone(), server.postmaster);
            if let std::collections::btree_map::Entry::Vacant(entry) = asking.entry(key) {
                let (shared, server) = (Arc::clone(&known), server.clone());
                // What can't be started is tried again with the next round; meanwhile its answer is missing.
                if let Ok(thread) = start("ask", STACK, move || ask(&shared, &server)) {
                    entry.insert(thread);
                }
            }
        }
        if reading.as_ref().is_none_or(JoinHandle::is_finished) {
            let shared = Arc::clone(&known);
            reading = start("history", STACK, move || read(&shared)).ok();
        }
        if !has_written && !beginning.passed() && !is_whole(&known, &told) {
            if companion::answer(WRITTEN.as_bytes()).is_err() {
                return 1;
            }
            continue;
        }
        has_written = true;
        let answer = write(&known, told).err().unwrap_or_else(|| WRITTEN.to_owned());
        if companion::answer(printable::line(&answer).as_bytes()).is_err() {
            return 1;
        }
    }
    0
}

/// Who is to be asked. A process that was replaced has said nothing.
fn update(known: &Shared, servers: &[Server]) {
    let mut known = locked(known);
    known.servers.retain(|resource, _| servers.iter().any(|s| &s.resource == resource));
    for server in servers {
        let before = known.servers.get_mut(&server.resource);
        match before {
            Some((same, _)) if same.postmaster == server.postmaster => same.clone_from(server),
            Some(_) | None => {
                known.servers.insert(server.resource.clone(), (server.clone(), None));
            }
        }
    }
}

/// Whether everything was asked once.
fn is_whole(known: &Shared, told: &Told) -> bool {
    let looked = told.health.looked > BootTime::default();
    let answered = locked(known).servers.values().all(|(_, answer)| answer.is_some());
    looked && told.health.quorum.is_some() && answered
}

/// Asks one server, until another one is to be asked in its place.
fn ask(known: &Shared, server: &Server) {
    let current = |known: &Known| {
        let (current, _) = known.servers.get(&server.resource)?;
        (current.postmaster == server.postmaster).then(|| current.access.clone())
    };
    loop {
        let Some(access) = current(&locked(known)) else { return };
        let at = boottime();
        let deadline = Deadline::after(ROUND);
        let asked = match Endpoint::from(&access).statistics(PATIENCE) {
            Ok(said) => Asked::Answered(said),
            Err(error) => {
                let why = error.to_string().chars().take(LONGEST).collect();
                match error {
                    PostgresError::Silent { .. } => Asked::Silent(why),
                    PostgresError::Rejected(Rejection::TooManyConnections) => Asked::Full(why),
                    PostgresError::Rejected(_) | PostgresError::Refused | PostgresError::Unusable(_) => {
                        Asked::Failed(why)
                    }
                }
            }
        };
        let mut shared = locked(known);
        if current(&shared).is_none() {
            return;
        }
        if let Some((_, answer)) = shared.servers.get_mut(&server.resource) {
            *answer = Some(heard(answer.take(), at, asked));
        }
        drop(shared);
        deadline.sleep(ROUND);
    }
}

/// Reads the histories, on a disk that may hang.
fn read(known: &Shared) {
    let resources: Vec<String> = locked(known).servers.keys().cloned().collect();
    let none = resources.is_empty();
    for resource in resources {
        let Ok((entries, _)) = history::load(&resource) else { continue };
        let mut promotions = BTreeMap::new();
        for entry in entries {
            if let Event::Promotion { kind, .. } = entry.event {
                *promotions.entry(kind.name().replace(' ', "-")).or_default() += 1;
            }
        }
        locked(known).promotions.insert(resource, promotions);
    }
    // Nobody runs yet: what runs next is not to wait for its history.
    pause(if none { ROUND } else { SELDOM });
}

fn write(known: &Shared, told: Told) -> Result<(), String> {
    let mut health = told.health;
    if let Some(why) = node_reset::marked(Path::new(MARKER)) {
        health.ending = Some(why);
    }
    {
        let known = locked(known);
        for instance in &mut health.instances {
            instance.answer = known.servers.get(&instance.resource).and_then(|(_, answer)| answer.clone());
            instance.promotions = known.promotions.get(&instance.resource).cloned().unwrap_or_default();
            if let Ok(memory) = memory::recall(&instance.resource) {
                (instance.safe_mode, instance.generation) = (memory.safe_mode, memory.kept);
            }
        }
    }
    let text = serde_json::to_vec(&health).map_err(|e| e.to_string())?;
    files::publish(Path::new(PATH), &text).map_err(|e| format!("{PATH}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::health::{Health, QuorumFact};
    use crate::pg::instance::Access;

    fn server(pid: i32) -> Server {
        let access = Access {
            socket_dir: "/nowhere".into(),
            port: 5432,
            user: "postgres".into(),
            uid: 1,
            gid: 1,
            groups: Vec::new(),
            home: "/nowhere".into(),
            dbuser: "postgres".into(),
            dbname: "postgres".into(),
            service: None,
        };
        Server { resource: "pgsqld".into(), postmaster: ProcessId { pid, start_time: 1 }, access }
    }

    #[test]
    fn what_stood_before_a_restart_is_replaced_by_something_whole() {
        let known = Shared::default();
        let quorum = QuorumFact { at: BootTime::at(5), quorate: true, votes: None };
        let whole = Health { looked: BootTime::at(5), quorum: Some(quorum), ..Health::default() };
        let is_whole = |health: Health| is_whole(&known, &Told { health, servers: Vec::new() });
        assert!(is_whole(whole.clone()));
        assert!(!is_whole(Health { quorum: None, ..whole.clone() }));
        assert!(!is_whole(Health { looked: BootTime::default(), ..whole.clone() }));
        update(&known, &[server(7)]);
        assert!(!is_whole(whole.clone()));
        locked(&known).servers.get_mut("pgsqld").unwrap().1 =
            Some(Answer { at: boottime(), said: Err("silent".into()) });
        assert!(is_whole(whole));
    }

    /// The answer of a primary that ended must not speak for the standby that was started in its place.
    #[test]
    fn an_answer_ends_with_its_postmaster() {
        let known = Shared::default();
        update(&known, &[server(7)]);
        let answer = Answer { at: boottime(), said: Err("silent".into()) };
        locked(&known).servers.get_mut("pgsqld").unwrap().1 = Some(answer.clone());
        update(&known, &[server(7)]);
        assert_eq!(locked(&known).servers["pgsqld"].1, Some(answer));
        update(&known, &[server(8)]);
        assert_eq!(locked(&known).servers["pgsqld"].1, None);
        // Whoever asked the one before ends, and leaves the other's answer alone.
        ask(&known, &server(7));
        assert_eq!(locked(&known).servers["pgsqld"].1, None);
        update(&known, &[]);
        assert!(locked(&known).servers.is_empty());
    }
}
