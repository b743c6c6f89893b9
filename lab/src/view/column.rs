//! What the view knows of each cluster: a pure model that events change. Nothing here reads a clock or a file.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::load::{Gauge, Load};
use super::logs::Entry;
use super::statistics::Statistic;
use crate::client::clients::ClientStates;
use crate::client::state::ClientState;
use crate::cluster::observe::Observation;
use crate::record::measure::INTERRUPTION;
use crate::report::RunResult;
use crate::view::screen::roles;

/// Lines of trace that are kept: an hour of a busy test.
const TRACE: usize = 2000;
/// Lines of journal that are kept: no terminal shows more of them.
const JOURNAL: usize = 200;
/// The beat is late when its newest reading is older: five of its periods.
const BEAT_LATE: Duration = Duration::from_secs(1);
/// A line of the journal that comes again within this time is not shown again.
const REPEATED: Duration = Duration::from_secs(60);
/// Seconds of heart and beat that are kept: the widest terminal's.
const STRIP: usize = 400;

/// What a cluster's column is told. All times are the view's: since 1970, by a clock that doesn't jump.
#[derive(Debug)]
pub enum Event {
    /// The cluster's layout, release, agent and timings.
    About(String),
    /// The fault is injected now.
    Broken,
    /// A step was made.
    Said(String),
    /// The cluster at one moment.
    Seen(Arc<Observation>),
    /// What the clients see now; empty when none is at work.
    ClientStates(Vec<ClientState>),
    /// What the nodes' control groups count now, by the node's name.
    Gauges(BTreeMap<String, Gauge>),
    /// New lines of the nodes' journals.
    Journal(Vec<Entry>),
    /// A run is over.
    Finished(Box<RunResult>),
}

/// What the view's thread is told.
pub enum Message {
    /// For the model.
    Event(Event),
    /// Where the clients_seen come from now on.
    ClientStates(ClientStates),
}

/// How a second of a client's work was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// No client was at work.
    Idle,
    /// All was answered in time.
    Good,
    /// It was interrupted.
    Bad,
}

/// The last seconds of heart or beat, one mark a second.
#[derive(Debug, Clone, Default)]
pub struct Strip {
    second: u64,
    /// The newest mark is the last one.
    pub marks: VecDeque<Mark>,
}

impl Strip {
    fn add(&mut self, now: Duration, mark: Mark) {
        match self.marks.back_mut() {
            // Of a second the worst counts.
            Some(last) if self.second == now.as_secs() => *last = mark.max(*last),
            Some(_) | None => {
                self.second = now.as_secs();
                push(&mut self.marks, mark, STRIP);
            }
        }
    }
}

/// All that the view knows of one cluster.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// The cluster's name.
    pub name: String,
    /// Its layout, release, agent and timings.
    pub about: String,
    /// Which part of the test this is: the trace's newest line of the form `--- part ---`.
    pub part: String,
    /// Since when a fault lasts; `None` in peace.
    pub broken: Option<Duration>,
    /// The faults in the order of their first run.
    pub statistics: Vec<Statistic>,
    /// Steps, each with its moment, the newest last.
    pub trace: VecDeque<(Duration, String)>,
    /// The newest look at the cluster and its moment.
    pub seen: Option<(Duration, Arc<Observation>)>,
    /// What the clients saw last, one for each instance; empty when none is at work.
    pub clients_seen: Vec<ClientState>,
    /// Heart and beat of each instance.
    pub strips: Vec<[Strip; 2]>,
    /// Load and memory by the node's name.
    pub loads: BTreeMap<String, Load>,
    /// Lines of the journals, the newest last.
    pub journal: VecDeque<Entry>,
    gauges: (Duration, BTreeMap<String, Gauge>),
    roles: String,
}

impl Column {
    /// An empty column for the cluster of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Takes in what happened at `now`.
    pub fn tell(&mut self, now: Duration, event: Event) {
        match event {
            Event::About(about) => self.about = about,
            Event::Broken => self.broken = Some(now),
            Event::Said(line) => {
                if let Some(part) = line.strip_prefix("--- ").and_then(|l| l.strip_suffix(" ---")) {
                    self.part = part.to_owned();
                }
                push(&mut self.trace, (now, line), TRACE);
            }
            Event::Seen(seen) => self.see(now, seen),
            Event::ClientStates(clients_seen) => self.feel(now, clients_seen),
            Event::Gauges(gauges) => self.weigh(now, gauges),
            Event::Journal(entries) => entries.into_iter().for_each(|entry| self.read(entry)),
            Event::Finished(result) => self.count(&result),
        }
    }

    fn see(&mut self, now: Duration, seen: Arc<Observation>) {
        let roles = roles(&seen);
        if roles != self.roles {
            push(&mut self.trace, (now, roles.clone()), TRACE);
            self.roles = roles;
        }
        self.seen = Some((now, seen));
    }

    fn feel(&mut self, now: Duration, clients_seen: Vec<ClientState>) {
        if self.strips.len() < clients_seen.len() {
            self.strips.resize_with(clients_seen.len(), Default::default);
        }
        for (index, [heart, beat]) in self.strips.iter_mut().enumerate() {
            let client = clients_seen.get(index);
            heart.add(now, client.map_or(Mark::Idle, heart_mark));
            beat.add(now, client.map_or(Mark::Idle, beat_mark));
        }
        self.clients_seen = clients_seen;
    }

    /// The scheduler says the same several times in each transition: once is enough.
    fn read(&mut self, entry: Entry) {
        let same = |e: &Entry| (&e.node, &e.who, &e.text) == (&entry.node, &entry.who, &entry.text);
        let recent = |e: &&Entry| entry.at.saturating_sub(e.at) < REPEATED;
        if !self.journal.iter().rev().take_while(recent).any(same) {
            push(&mut self.journal, entry, JOURNAL);
        }
    }

    fn weigh(&mut self, now: Duration, gauges: BTreeMap<String, Gauge>) {
        let (then, before) = &self.gauges;
        let time = now.saturating_sub(*then);
        let load =
            |(node, gauge): (&String, &Gauge)| (node.clone(), Load::between(before.get(node), gauge, time));
        self.loads = gauges.iter().map(load).collect();
        self.gauges = (now, gauges);
    }

    fn count(&mut self, result: &RunResult) {
        self.broken = None;
        let index = self.statistics.iter().position(|s| s.fault == result.fault).unwrap_or_else(|| {
            self.statistics.push(Statistic::of(&result.fault));
            self.statistics.len() - 1
        });
        if let Some(statistic) = self.statistics.get_mut(index) {
            statistic.add(result);
        }
    }

    /// Runs that are over, and those of them that failed.
    #[must_use]
    pub fn totals(&self) -> (usize, usize) {
        self.statistics.iter().fold((0, 0), |(n, bad), s| (n + s.count, bad + s.failures))
    }
}

/// Whether the writes are good. A client that has neither written nor failed has only just begun.
#[must_use]
pub fn heart_mark(client: &ClientState) -> Mark {
    match (&client.heart, &client.tried) {
        (Some(ack), _) if client.now.saturating_sub(ack.ended) <= INTERRUPTION => Mark::Good,
        (None, None) => Mark::Idle,
        (Some(_), _) | (None, Some(_)) => Mark::Bad,
    }
}

/// Whether what was written is read back.
#[must_use]
pub fn beat_mark(client: &ClientState) -> Mark {
    match &client.beat {
        Some(read) if read.newest.is_ok() && client.now.saturating_sub(read.at) <= BEAT_LATE => Mark::Good,
        Some(_) => Mark::Bad,
        None => Mark::Idle,
    }
}

fn push<T>(list: &mut VecDeque<T>, entry: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{healthy, site};
    use crate::view::testing::{at, client, result};
    use quorate::layout::kind::Kind;

    #[test]
    fn a_fault_lasts_from_its_injection_to_the_end_of_its_run() {
        let mut column = Column::new("classic");
        assert_eq!(column.broken, None);
        column.tell(at(10), Event::Broken);
        assert_eq!(column.broken, Some(at(10)));
        column.tell(at(40), Event::Finished(Box::new(result("reset", Some(3000)))));
        assert_eq!(column.broken, None);
        column.tell(at(90), Event::Finished(Box::new(result("reset", None))));
        column.tell(at(99), Event::Finished(Box::new(result("power-off", Some(0)))));
        assert_eq!(column.totals(), (3, 1));
        let names: Vec<&str> = column.statistics.iter().map(|s| s.fault.as_str()).collect();
        assert_eq!(names, ["reset", "power-off"]);
    }

    #[test]
    fn roles_are_traced_when_they_change() {
        let mut column = Column::new("classic");
        let seen = Arc::new(healthy(site(Kind::Classic)));
        column.tell(at(1), Event::Seen(Arc::clone(&seen)));
        column.tell(at(3), Event::Seen(seen));
        assert_eq!(column.trace, [(at(1), "srv1 promoted, srv2 unpromoted".to_owned())]);
        assert_eq!(column.seen.map(|(at, _)| at), Some(at(3)));
    }

    #[test]
    fn a_second_is_as_bad_as_its_worst_moment() {
        let mut column = Column::new("classic");
        let marks = |column: &Column| column.strips[0][0].marks.iter().copied().collect::<Vec<_>>();
        let ms = Duration::from_millis;
        column.tell(ms(1000), Event::ClientStates(vec![client(35)]));
        column.tell(ms(1500), Event::ClientStates(vec![client(535)]));
        column.tell(ms(2000), Event::ClientStates(vec![client(35)]));
        assert_eq!(marks(&column), [Mark::Bad, Mark::Good]);
        column.tell(ms(3000), Event::ClientStates(Vec::new()));
        assert_eq!(marks(&column), [Mark::Bad, Mark::Good, Mark::Idle]);
        assert!(column.clients_seen.is_empty());
    }

    #[test]
    fn a_line_of_a_journal_is_not_repeated_at_once() {
        let mut column = Column::new("classic");
        let entry = |second, node: &str| Entry {
            at: at(second),
            node: node.to_owned(),
            who: "schedulerd".to_owned(),
            text: "srv1 is unclean".to_owned(),
        };
        let entries = [(1, "srv1"), (1, "srv2"), (2, "srv1"), (59, "srv2"), (90, "srv1")];
        column.tell(at(90), Event::Journal(entries.map(|(second, node)| entry(second, node)).to_vec()));
        assert_eq!(column.journal, [entry(1, "srv1"), entry(1, "srv2"), entry(90, "srv1")]);
    }

    #[test]
    fn the_part_of_the_test_is_that_of_the_trace() {
        let mut column = Column::new("classic");
        column.tell(at(1), Event::Said("--- reset 1 of 2 ---".to_owned()));
        column.tell(at(2), Event::Said("reset on srv1".to_owned()));
        assert_eq!(column.part, "reset 1 of 2");
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let mut column = Column::new("classic");
        for n in 0..TRACE + 5 {
            column.tell(at(1), Event::Said(n.to_string()));
        }
        assert_eq!(column.trace.len(), TRACE);
        assert_eq!(column.trace.back().map(|(_, line)| line.clone()), Some((TRACE + 4).to_string()));
    }
}
