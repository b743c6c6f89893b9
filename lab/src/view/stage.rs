//! The view's thread: takes in what happens, reads what is cheap to read, draws twice a second, listens to the keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ratatui::crossterm::event::{self, Event as Input};

use super::asker;
use super::column::{Column, Event, Message};
use super::load;
use super::render::{self, Scene};
use super::terminal::Terminal;
use super::ui::Ui;
use crate::client::clients::ClientStates;
use crate::client::state::ClientState;
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::host::wait::{self, OnInterrupt, pause};
use crate::report::{self, RunResult};
use crate::view::audience::Audience;

/// How often the picture is drawn, if no key asks for it sooner.
const REFRESH: Duration = Duration::from_millis(500);
/// How often load and memory are read.
const WEIGH: Duration = Duration::from_secs(1);
/// How soon the end is noticed.
const SLICE: Duration = Duration::from_millis(100);

/// The view's thread.
pub struct Stage {
    terminal: Terminal,
    received: Receiver<(usize, Message)>,
    end: Arc<AtomicBool>,
    columns: Vec<Column>,
    clients_seen: Vec<ClientStates>,
    ui: Ui,
    began: (Instant, Duration),
    weighed: Option<Instant>,
}

impl Stage {
    /// A stage with a column for each name.
    #[must_use]
    pub fn new(
        terminal: Terminal,
        names: &[String],
        received: Receiver<(usize, Message)>,
        end: Arc<AtomicBool>,
    ) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            terminal,
            received,
            end,
            columns: names.iter().map(|name| Column::new(name)).collect(),
            clients_seen: vec![ClientStates::default(); names.len()],
            ui: Ui::default(),
            began: (Instant::now(), since_1970),
            weighed: None,
        }
    }

    /// Plays until the end is asked for.
    pub fn play(mut self) {
        while !self.end.load(Ordering::Relaxed) {
            self.take_in();
            self.ui.stopping |= wait::interrupted();
            let (columns, ui, now, ink) = (&self.columns, self.ui, self.now(), Terminal::ink());
            // A terminal that is gone has sent SIGHUP; what is printed has to be read all the same.
            let _ = self.terminal.draw(|frame| render::draw(frame, &Scene { columns, ui, now, ink }));
            self.listen();
        }
    }

    /// Since 1970, by a clock that doesn't jump.
    fn now(&self) -> Duration {
        self.began.1 + self.began.0.elapsed()
    }

    fn take_in(&mut self) {
        let now = self.now();
        let mut events: Vec<(usize, Event)> = Vec::new();
        for (index, message) in self.received.try_iter() {
            match message {
                Message::Event(event) => events.push((index, event)),
                Message::ClientStates(clients_seen) => {
                    if let Some(place) = self.clients_seen.get_mut(index) {
                        *place = clients_seen;
                    }
                }
            }
        }
        // Nobody knows whose lines these are: they are shown with each cluster.
        for line in self.terminal.printed() {
            events.extend((0..self.columns.len()).map(|index| (index, Event::Said(line.clone()))));
        }
        events.extend(self.clients_seen.iter().map(ClientStates::now).map(Event::ClientStates).enumerate());
        if self.weighed.is_none_or(|at| at.elapsed() >= WEIGH) {
            self.weighed = Some(Instant::now());
            events.extend(self.columns.iter().map(gauges).map(Event::Gauges).enumerate());
        }
        for (index, event) in events {
            if let Some(column) = self.columns.get_mut(index) {
                column.tell(now, event);
            }
        }
    }

    /// Waits for the next picture's time, or for a key.
    fn listen(&mut self) {
        let until = Instant::now() + REFRESH;
        while Instant::now() < until && !self.end.load(Ordering::Relaxed) {
            match event::poll(SLICE) {
                Ok(false) => {}
                Ok(true) => match event::read() {
                    Ok(Input::Key(key)) => {
                        self.ui.press(key, self.columns.len());
                        if self.ui.stopping {
                            wait::interrupt();
                        }
                        return;
                    }
                    Ok(Input::Resize(..)) => return,
                    Ok(_) | Err(_) => {}
                },
                // No keys, then: signals end the test.
                Err(_) => {
                    let _ = pause(SLICE, OnInterrupt::GoOn);
                }
            }
        }
    }
}

fn gauges(column: &Column) -> BTreeMap<String, load::Gauge> {
    let nodes = column.seen.iter().flat_map(|(_, seen)| &seen.nodes);
    nodes.map(|node| (node.info.name.clone(), load::read(&node.info.cgroups))).collect()
}

/// Tells the view's thread about one cluster.
pub struct Spectator {
    /// The cluster's column.
    pub column: usize,
    /// To the view's thread.
    pub messages: Sender<(usize, Message)>,
    /// Set when the view ends.
    pub end: Arc<AtomicBool>,
}

impl Spectator {
    fn tell(&self, event: Event) {
        // A view that has ended is told no more.
        let _ = self.messages.send((self.column, Message::Event(event)));
    }
}

impl Audience for Spectator {
    fn begin(&mut self, cluster: &Cluster) {
        if let Ok(info) = cluster.info() {
            let about = format!("{}, {}, {}, {}", info.layout, info.suite, info.agent, info.timing);
            self.tell(Event::About(about));
        }
        asker::start(cluster.clone(), self.column, self.messages.clone(), Arc::clone(&self.end));
    }

    fn clients(&mut self, clients_seen: ClientStates) {
        let _ = self.messages.send((self.column, Message::ClientStates(clients_seen)));
    }

    fn broken(&mut self) {
        self.tell(Event::Broken);
    }

    fn say(&mut self, line: &str) {
        self.tell(Event::Said(line.to_owned()));
    }

    // The cluster's handle has it for the asker.
    fn look(&mut self, _: &Observation, _: &[ClientState]) {}

    fn finished(&mut self, result: &RunResult) {
        for complaint in report::verdict(std::slice::from_ref(result)) {
            self.say(&format!("BAD: {complaint}"));
        }
        self.tell(Event::Finished(Box::new(result.clone())));
    }
}
