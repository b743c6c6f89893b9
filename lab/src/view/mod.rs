//! The live view of `test`, `random` and `watch`: a column for each cluster, as in Tuchanka's tmux.
//!
//! - [`column`](mod@column) is what is known of each cluster, changed by events: statistics of each fault ([`statistics`]), trace, heart and
//!   beat, the newest look at the cluster, [`load`] of the nodes, lines of their journals ([`logs`]). Pure.
//! - [`render`] draws it with the lines of `panels` and `nodes`, in the [`text`] and colours of a terminal. Pure too.
//! - `stage` is the thread that draws and listens to the keys ([`ui`]), `asker` the one of each cluster that looks at it,
//!   [`terminal`] gives the terminal back whatever happens.
//! - `plain` prints lines instead.

mod asker;
pub mod audience;
pub mod column;
pub mod load;
pub mod logs;
mod nodes;
mod panels;
mod plain;
pub mod render;
pub mod screen;
mod stage;
pub mod statistics;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod text;
pub mod ui;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::client::clients::Clients;
use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::host::wait::{OnInterrupt, pause};
use crate::view::audience::Audience;
use plain::Lines;
use screen::Style;
use stage::{Spectator, Stage};
use terminal::Terminal;

/// For the client's tables.
const TABLES: Duration = Duration::from_secs(30);
/// Entries of history that `watch` keeps: a view needs only the newest.
const KEEP: usize = 1000;

/// Who watches one cluster, in whatever thread that is tested.
pub type Watcher = Box<dyn Audience + Send>;

/// The view as long as it is up. Dropping it gives the terminal back, and prints what was printed meanwhile.
#[must_use = "the view ends when this is dropped"]
pub struct Screen {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has given the terminal back while it unwound.
            let _ = thread.join();
        }
    }
}

/// Opens the view: a watcher for each of the clusters, which need not be up yet, and the screen that they share. Plain lines
/// where they are asked for, and where the terminal can't do more.
pub fn open(names: &[String], style: Style) -> (Vec<Watcher>, Screen) {
    let end = Arc::<AtomicBool>::default();
    let terminal = match style {
        Style::Terminal => Terminal::take().ok(),
        Style::Plain => None,
    };
    let Some(terminal) = terminal else {
        let lines = names.iter().map(|name| -> Watcher { Box::new(Lines::of(name, names)) });
        return (lines.collect(), Screen { end, thread: None });
    };
    let (messages, received) = channel();
    let spectator = |column| -> Watcher {
        Box::new(Spectator { column, messages: messages.clone(), end: Arc::clone(&end) })
    };
    let watchers = (0..names.len()).map(spectator).collect();
    let stage = Stage::new(terminal, names, received, Arc::clone(&end));
    let thread = std::thread::spawn(move || stage.play());
    (watchers, Screen { end, thread: Some(thread) })
}

/// `quorate-lab watch`: shows the clusters until Ctrl-C.
///
/// # Errors
/// With plain pictures, when a cluster is gone or its client can't start; the view shows that and goes on.
pub fn watch(clusters: &[Cluster], style: Style) -> Result<()> {
    if style == Style::Plain {
        return screen::watch(clusters);
    }
    let names: Vec<String> = clusters.iter().map(|c| c.name().to_string()).collect();
    let (watchers, _screen) = open(&names, style);
    std::thread::scope(|scope| {
        for (cluster, mut watcher) in clusters.iter().zip(watchers) {
            scope.spawn(move || {
                watcher.begin(cluster);
                let clients = Clients::start(cluster, "watch_", TABLES);
                match &clients {
                    Ok(clients) => watcher.clients(clients.source()),
                    Err(e) => watcher.say(&format!("no client: {e}")),
                }
                while pause(Duration::from_secs(1), OnInterrupt::Stop).is_ok() {
                    clients.iter().for_each(|c| c.trim(KEEP));
                }
            });
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests;
