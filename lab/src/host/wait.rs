//! Waiting: always with a deadline, and ended by Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::error::{LabError, Result};

/// How often a condition is looked at, unless the caller says otherwise.
pub const POLL: Duration = Duration::from_millis(250);
/// How often everything is looked at while something is measured. A look starts some ten processes in the nodes, and with four
/// clusters side by side one a second took more processor time than the clusters.
pub const LOOK: Duration = Duration::from_secs(2);
/// A sleep is cut into pieces of this length, so that Ctrl-C ends it soon.
const SLICE: Duration = Duration::from_millis(100);

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether Ctrl-C ends a wait. What cleans up must go on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// The wait fails with [`LabError::Interrupted`].
    Stop,
    /// The wait goes on: this is the cleaning up.
    GoOn,
}

/// From now on SIGINT, SIGTERM and SIGHUP end the waits instead of the process, so that everything that
/// was started is undone by its destructor. May be called more than once.
///
/// # Errors
/// When the handlers can't be installed.
pub fn catch_signals() -> Result<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag))
            .map_err(|e| LabError::Host(format!("cannot catch signal {signal}: {e}")))?;
    }
    Ok(())
}

/// Ends the waits as a signal does: for a terminal in raw mode, where Ctrl-C is a key like any other.
pub fn interrupt() {
    INTERRUPTED.get_or_init(Arc::default).store(true, Ordering::Relaxed);
}

/// Whether a signal asked to end.
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Sleeps.
///
/// # Errors
/// [`LabError::Interrupted`] when Ctrl-C was pressed and `on_interrupt` lets it end the sleep.
pub fn pause(time: Duration, on_interrupt: OnInterrupt) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        if on_interrupt == OnInterrupt::Stop && interrupted() {
            return Err(LabError::Interrupted);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        sleep(left.min(SLICE));
    }
}

/// Asks `probe` again and again until it gives a value. It says why not yet with an `Err`, and the last
/// reason stands in the error when the time is over.
///
/// # Errors
/// [`LabError::Timeout`] with the last reason, or [`LabError::Interrupted`].
pub fn until<T>(
    what: &str,
    limit: Duration,
    on_interrupt: OnInterrupt,
    mut probe: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(reason) if Instant::now() >= end => {
                return Err(LabError::Timeout {
                    what: what.to_owned(),
                    seconds: limit.as_secs(),
                    last: format!("; at last: {reason}"),
                });
            }
            Err(_) => pause(POLL, on_interrupt)?,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the lab's one sleep; every caller has a deadline")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_value_or_with_the_last_reason() {
        let mut left = 2;
        let value = until("the value", Duration::from_secs(5), OnInterrupt::GoOn, || {
            left -= 1;
            if left == 0 { Ok(7) } else { Err("not yet".to_owned()) }
        });
        assert_eq!(value.expect("comes"), 7);
        let never: Result<()> =
            until("the end", Duration::ZERO, OnInterrupt::GoOn, || Err("srv1 is off".to_owned()));
        assert_eq!(never.expect_err("never").to_string(), "the end: not within 0 s; at last: srv1 is off");
    }
}
