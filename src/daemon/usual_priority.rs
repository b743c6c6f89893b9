//! Whether threads of usual priority get a processor: what asks the daemons has that priority, as the daemons themselves have.
//! A runaway at real-time priority, a quota of a control group or ten thousand busy sessions leave them nothing for seconds, while
//! the control thread, corosync and sbd go on. The kernel's own figures (`schedstat`) come when the waiting is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::pause;

/// Between two beats.
const BEAT: Duration = Duration::from_millis(250);
/// A beat that is so late was kept from the processor. A daemon that waits no longer than that each time answers in its 10 s.
const LATE: Duration = Duration::from_secs(1);

/// A thread of usual priority, and when it ran last.
pub(super) struct UsualPriority {
    began: Instant,
    /// In ms after that.
    last: AtomicU64,
}

impl UsualPriority {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
    }

    /// Beats, for ever.
    pub(super) fn beat(&self) {
        loop {
            self.ran();
            pause(BEAT);
        }
    }

    fn ran(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Whether it has not run lately, as far as is known.
    pub(super) fn is_starved(&self) -> bool {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last) >= BEAT + LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_has_not_run_for_a_second_is_starved() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let thread = UsualPriority { began: long_ago, last: AtomicU64::new(0) };
        assert!(thread.is_starved());
        thread.ran();
        assert!(!thread.is_starved());
        thread.last.fetch_sub(1500, Ordering::Relaxed);
        assert!(thread.is_starved());
    }
}
