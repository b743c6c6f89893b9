//! The log, written by a thread of its own: a journal that hangs holds up nobody who decides.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

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

/// Writes, until nobody is left who could send.
pub(super) fn write(lines: &Receiver<(Level, String)>) {
    let mut log = Log::of("quorated");
    while let Ok((level, text)) = lines.recv() {
        log.line(level, &text);
    }
}
