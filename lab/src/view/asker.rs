//! Looks at a cluster for the view, in a thread of its own: nodes that do not answer take seconds.
//!
//! A test looks at its cluster itself most of the time, and then nothing is asked here: the view shows what the test saw. So
//! the nodes are asked from one place at a time, and no more often because somebody watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::column::{Event, Message};
use super::logs;
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::host::wait::{OnInterrupt, POLL, pause};
use crate::machines::protocol::{Activity, NodeKind, Power};

/// The view itself looks no more often.
const LOOK: Duration = Duration::from_secs(2);
/// A test that looks once a second takes up to another one for it on a loaded host: it is not at it when its newest look is
/// older.
const TEST_LOOKS: Duration = Duration::from_secs(3);
/// The journals; each question is a process inside a node, some ms of a processor that others need.
const JOURNAL: Duration = Duration::from_secs(5);

/// Starts to look at a cluster for this column, until the view ends.
pub fn start(cluster: Cluster, column: usize, messages: Sender<(usize, Message)>, end: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut asker = Asker { cluster, own: None, shown: None, cursors: BTreeMap::new(), events: None };
        let mut asked: Option<Instant> = None;
        while !end.load(Ordering::Relaxed) {
            let mut news: Vec<Event> = asker.look().into_iter().collect();
            if asked.is_none_or(|at| at.elapsed() >= JOURNAL) {
                asked = Some(Instant::now());
                news.extend(asker.read_journals());
            }
            for event in news {
                if messages.send((column, Message::Event(event))).is_err() {
                    return;
                }
            }
            // The end is looked at above.
            let _ = pause(POLL, OnInterrupt::GoOn);
        }
    });
}

struct Asker {
    cluster: Cluster,
    /// When it has looked itself.
    own: Option<Instant>,
    /// The moment of the look that was shown last.
    shown: Option<Instant>,
    /// Where each node's journal was read up to.
    cursors: BTreeMap<String, String>,
    /// How many events of the machines are known; none before the first question.
    events: Option<usize>,
}

impl Asker {
    /// What is new since the last look, whoever took it.
    fn look(&mut self) -> Option<Event> {
        let newest = self.cluster.newest();
        let is_due = newest.is_none_or(|(at, _)| at.elapsed() >= TEST_LOOKS)
            || self.own.is_some_and(|own| {
                own.elapsed() >= LOOK && self.cluster.newest().is_some_and(|(at, _)| at <= own)
            });
        if is_due && self.own.is_none_or(|own| own.elapsed() >= LOOK) {
            // A supervisor that is gone: the view shows how old its last look is.
            let _ = Observation::take(&self.cluster);
            self.own = Some(Instant::now());
        }
        let (at, seen) = self.cluster.newest()?;
        if self.shown == Some(at) {
            return None;
        }
        self.shown = Some(at);
        Some(Event::Seen(seen))
    }

    fn read_journals(&mut self) -> Option<Event> {
        let (_, seen) = self.cluster.newest()?;
        let mut entries = Vec::new();
        for node in seen.nodes.iter().map(|n| &n.info) {
            if node.kind == NodeKind::Witness || node.power == Power::Off || node.activity == Activity::Frozen
            {
                continue;
            }
            let answer =
                logs::ask(&self.cluster, &node.name, self.cursors.get(&node.name).map(String::as_str));
            if let Some(cursor) = answer.cursor {
                self.cursors.insert(node.name.clone(), cursor);
            }
            entries.extend(answer.entries);
        }
        if let Ok(events) = self.cluster.events() {
            // What was before the view began isn't news.
            let known = self.events.unwrap_or(events.len());
            entries.extend(logs::of_machines(&events, known));
            self.events = Some(events.len());
        }
        entries.sort();
        (!entries.is_empty()).then_some(Event::Journal(entries))
    }
}
