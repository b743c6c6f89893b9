//! The supervisor's log of what happened to the nodes.

use super::protocol::{Event, Happening, Stamp};
use std::sync::{Mutex, PoisonError};

/// Collects events in the order of time.
#[derive(Default)]
pub struct Journal {
    events: Mutex<Vec<Event>>,
}

impl Journal {
    /// Notes that this happened now. The supervisor's log file gets a line too.
    pub fn note(&self, node: &str, happening: Happening) {
        let event = Event { node: node.to_owned(), at: Stamp::now(), happening };
        eprintln!("{:.6} {node}: {:?}", event.at.wall_us as f64 / 1e6, event.happening);
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Forgets all so far.
    pub fn clear(&self) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All so far.
    pub fn all(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
