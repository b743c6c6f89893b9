//! The log, written by a thread of its own: a journal that hangs holds up nobody who decides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use std::time::{Duration, Instant};

use crate::boundary::host::Level;
use crate::boundary::log::Log;

/// So many lines may wait; more are lost.
const WAITING: usize = 256;

/// Where lines go.
#[derive(Clone)]
pub(super) struct Logs(SyncSender<(Level, String)>);

impl Logs {
    pub(super) fn new() -> (Self, Receiver<(Level, String)>) {
        let (sender, receiver) = sync_channel(WAITING);
        (Self(sender), receiver)
    }

    /// Hands a line over, and never waits.
    pub(super) fn line(&self, level: Level, text: String) {
        let _ = self.0.try_send((level, text));
    }
}

/// What would be said in each round is said so often.
const SELDOM: Duration = Duration::from_secs(60);

/// When something was last said of a path.
#[derive(Debug, Default)]
pub(super) struct Seldom(BTreeMap<PathBuf, Instant>);

impl Seldom {
    /// Whether it is time to say something of it (again).
    pub(super) fn due(&mut self, path: &Path) -> bool {
        self.0.retain(|_, at| at.elapsed() < SELDOM);
        !self.0.contains_key(path) && self.0.insert(path.to_owned(), Instant::now()).is_none()
    }
}

/// Writes, until nobody is left who could send.
pub(super) fn write(lines: &Receiver<(Level, String)>) {
    let mut log = Log::of("quorated");
    while let Ok((level, text)) = lines.recv() {
        log.line(level, &text);
    }
}
