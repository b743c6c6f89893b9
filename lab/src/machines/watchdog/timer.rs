//! The clock of one emulated watchdog device: values in, values out.

use std::time::{Duration, Instant};

/// What a real device has before anybody sets it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// What comes from the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The device was opened: it is armed from then on.
    Open,
    /// A byte was written, or a keep-alive sent.
    Keepalive,
    /// 'V' was written, which is a keepalive, too: a close that comes next is the orderly one.
    MagicClose,
    /// The device was disabled, or closed in the orderly way: disarmed.
    Disarm,
    /// The device was enabled again.
    Arm,
    /// The timeout was set; this counts as a keepalive.
    Timeout(Duration),
    /// reboot(2) was called.
    Reset,
    /// A message that is none of these; ignored.
    Unknown,
}

impl Signal {
    /// Reads a message of the preloaded library.
    pub fn parse(message: &[u8]) -> Signal {
        match message {
            b"O!" => Signal::Open,
            b"V" => Signal::MagicClose,
            b"D!" => Signal::Disarm,
            b"E!" => Signal::Arm,
            b"K!" | [_] => Signal::Keepalive,
            b"RESET" => Signal::Reset,
            [b'T', digits @ ..] => std::str::from_utf8(digits)
                .ok()
                .and_then(|d| d.parse().ok())
                .filter(|s| *s > 0)
                .map_or(Signal::Unknown, |s| Signal::Timeout(Duration::from_secs(s))),
            _ => Signal::Unknown,
        }
    }
}

/// The timer. Closing the device without [`Signal::MagicClose`] is a last keepalive, and leaves it armed.
#[derive(Debug, Clone)]
pub struct Timer {
    timeout: Duration,
    /// When it fires, while it is armed.
    fires: Option<Instant>,
    /// Since when the clock stands still, with its machine.
    suspended: Option<Instant>,
}

impl Timer {
    /// A device that nobody has opened yet.
    pub fn new() -> Timer {
        Timer { timeout: DEFAULT_TIMEOUT, fires: None, suspended: None }
    }

    /// Takes a signal that came at `now`.
    pub fn take(&mut self, signal: Signal, now: Instant) {
        // What was under way when the clock stopped.
        let now = self.suspended.unwrap_or(now);
        match signal {
            Signal::Open | Signal::Arm => self.fires = Some(now + self.timeout),
            Signal::Keepalive | Signal::MagicClose => self.fires = self.fires.map(|_| now + self.timeout),
            Signal::Timeout(timeout) => {
                self.timeout = timeout;
                self.fires = self.fires.map(|_| now + timeout);
            }
            Signal::Disarm => self.fires = None,
            Signal::Reset | Signal::Unknown => {}
        }
    }

    /// The clock stands still from `now` on.
    pub fn suspend(&mut self, now: Instant) {
        self.suspended.get_or_insert(now);
    }

    /// It goes on at `now`, with the time that was left.
    pub fn resume(&mut self, now: Instant) {
        if let Some(since) = self.suspended.take() {
            self.fires = self.fires.map(|at| at + now.saturating_duration_since(since));
        }
    }

    /// Whether it is armed.
    pub fn is_armed(&self) -> bool {
        self.fires.is_some()
    }

    /// The moment at which it fires, while it is armed and its clock goes.
    pub fn fires(&self) -> Option<Instant> {
        self.fires.filter(|_| self.suspended.is_none())
    }

    /// The timeout in force.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Default for Timer {
    fn default() -> Self {
        Timer::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn messages() {
        for (message, signal) in [
            (&b"\0"[..], Signal::Keepalive),
            (b"x", Signal::Keepalive),
            (b"O!", Signal::Open),
            (b"V", Signal::MagicClose),
            (b"K!", Signal::Keepalive),
            (b"D!", Signal::Disarm),
            (b"E!", Signal::Arm),
            (b"T0000000005", Signal::Timeout(s(5))),
            (b"T0", Signal::Unknown),
            (b"Tx", Signal::Unknown),
            (b"RESET", Signal::Reset),
            (b"rubbish", Signal::Unknown),
            (b"", Signal::Unknown),
        ] {
            assert_eq!(Signal::parse(message), signal, "{message:?}");
        }
    }

    #[test]
    fn it_fires_when_it_is_not_petted() {
        let start = Instant::now();
        let mut timer = Timer::new();
        assert_eq!(timer.fires(), None);
        timer.take(Signal::Open, start);
        timer.take(Signal::Timeout(s(5)), start);
        assert_eq!(timer.fires(), Some(start + s(5)));
        timer.take(Signal::Keepalive, start + s(4));
        assert_eq!(timer.fires(), Some(start + s(9)));
    }

    #[test]
    fn only_the_orderly_close_disarms() {
        let start = Instant::now();
        let mut timer = Timer::new();
        timer.take(Signal::Open, start);
        timer.take(Signal::MagicClose, start);
        assert!(timer.fires().is_some(), "a word, and no close yet");
        timer.take(Signal::Disarm, start);
        assert_eq!(timer.fires(), None);
        timer.take(Signal::Keepalive, start);
        assert_eq!(timer.fires(), None, "a keepalive doesn't arm");
    }
    /// A pause longer than its timeout is no reason to fire: what was left is left afterwards.
    #[test]
    fn its_clock_stands_still_with_its_machine() {
        let start = Instant::now();
        let mut timer = Timer::new();
        timer.take(Signal::Open, start);
        timer.take(Signal::Timeout(s(5)), start);
        timer.suspend(start + s(2));
        assert_eq!((timer.fires(), timer.is_armed()), (None, true));
        timer.resume(start + s(62));
        assert_eq!(timer.fires(), Some(start + s(65)), "three of its seconds were left");
        timer.resume(start + s(70));
        assert_eq!(timer.fires(), Some(start + s(65)), "it goes already");
        timer.suspend(start + s(64));
        timer.take(Signal::Keepalive, start + s(64));
        timer.resume(start + s(80));
        assert_eq!(timer.fires(), Some(start + s(85)), "a keepalive that was under way");
    }
}
