//! The thread that pets: no IPC with a daemon, no log, no allocation, no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::pause;
use crate::boundary::watchdog::Watchdog;

/// Between two pets.
const ROUND: Duration = Duration::from_millis(500);
/// The control thread looks twice a second. One that has not come round for so long hangs.
const GRACE_MS: u64 = 3000;

/// When the control thread last came round.
pub(super) struct Pulse {
    began: Instant,
    last: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Called by the control thread.
    pub(super) fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn beats(&self) -> bool {
        self.now().saturating_sub(self.last.load(Ordering::Relaxed)) < GRACE_MS
    }
}

/// Pets for as long as the control thread comes round.
pub(super) fn pet(pulse: &Pulse, watchdogs: &[Watchdog]) {
    loop {
        if pulse.beats() {
            watchdogs.iter().for_each(Watchdog::pet);
        }
        pause(ROUND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_come_round_is_not_petted_for() {
        let pulse =
            Pulse { began: Instant::now().checked_sub(Duration::from_secs(60)).unwrap(), last: 0.into() };
        assert!(!pulse.beats());
        pulse.beat();
        assert!(pulse.beats());
    }
}
