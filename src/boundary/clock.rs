//! Clocks and the deadline that every wait has.

#[cfg(feature = "cli")]
use std::time::SystemTime;
use std::time::{Duration, Instant};

use crate::cluster::clock::BootTime;
#[cfg(feature = "cli")]
use crate::cluster::clock::{MonotonicTime, WallTime};

/// Stands for a wait that no clock can hold.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The moment at which a wait ends. Monotonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(wait: Duration) -> Self {
        let now = Instant::now();
        // No wait is that long: a number of somebody else's must not become a panic.
        Self(now.checked_add(wait).unwrap_or(now + LONGEST))
    }

    /// Time left; zero when passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether no time is left.
    pub fn passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// A deadline for one step: that `fraction` (0.0 to 1.0) of the time left.
    #[must_use]
    pub fn share(self, fraction: f64) -> Self {
        Self::after(self.remaining().mul_f64(fraction.clamp(0.0, 1.0)))
    }

    /// This one, but at most `limit` from now.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Self {
        self.min(Self::after(limit))
    }

    /// Sleeps for `wait`, or until the deadline when that comes first.
    #[expect(clippy::disallowed_methods, reason = "the one sleep, bounded by a deadline")]
    pub fn sleep(self, wait: Duration) {
        std::thread::sleep(wait.min(self.remaining()));
    }

    /// What to give to poll(2): rounded up, so that a wait of under a millisecond does not spin.
    pub(crate) fn poll_timeout(self) -> nix::poll::PollTimeout {
        let left = self.remaining();
        let millis = left.as_millis() + u128::from(!left.subsec_nanos().is_multiple_of(1_000_000));
        i32::try_from(millis).ok().and_then(|ms| ms.try_into().ok()).unwrap_or(nix::poll::PollTimeout::MAX)
    }
}

/// Seconds since 1970, by a clock that people and NTP set: for what people read.
pub fn wall_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Milliseconds since the machine's boot, sleep included (`CLOCK_BOOTTIME`). The same for every process of the machine, and not
/// changed by clock adjustments: for ages of what one call leaves for the next.
pub fn boottime() -> BootTime {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)
        .expect("Linux has CLOCK_BOOTTIME since 2.6.39");
    let millis = now.tv_sec() * 1000 + now.tv_nsec() / 1_000_000;
    BootTime::at(u64::try_from(millis).expect("time since boot is not negative"))
}

/// [`boottime`] as a number.
pub fn boottime_ms() -> u64 {
    boottime().millis()
}

/// `CLOCK_MONOTONIC`, for comparison with what others measured by it.
#[cfg(feature = "cli")]
pub fn monotonic() -> MonotonicTime {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("every system has it");
    let millis = now.tv_sec() * 1000 + now.tv_nsec() / 1_000_000;
    MonotonicTime::at(u64::try_from(millis).expect("it began with the boot"))
}

/// The wall clock; a time before 1970 is 1970.
#[cfg(feature = "cli")]
pub fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime::at(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Sleeps for `wait` by `CLOCK_BOOTTIME`: where the machine slept or stood still meanwhile it is over as soon as the machine goes on.
/// A signal ends it early.
#[cfg(feature = "daemon")]
pub fn sleep_by_boottime(wait: Duration) {
    let wait = nix::sys::time::TimeSpec::from_duration(wait);
    let flags = nix::time::ClockNanosleepFlags::empty();
    // What is refused is no wait: not a reason for a loop without one.
    if let Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOTSUP) =
        nix::time::clock_nanosleep(nix::time::ClockId::CLOCK_BOOTTIME, flags, &wait)
    {
        Deadline::after(wait.into()).sleep(wait.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_limits() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert!(deadline.share(0.5) < deadline);
        assert!(deadline.at_most(Duration::from_secs(1)).remaining() <= Duration::from_secs(1));
        assert!(deadline.at_most(Duration::from_secs(100)).remaining() <= Duration::from_secs(10));
        assert!(Deadline::after(Duration::ZERO).passed());
        assert!(!Deadline::after(Duration::MAX).passed());
        assert!(Deadline::after(Duration::ZERO).share(7.0).passed());
    }

    #[test]
    fn boottime_goes_on() {
        let before = boottime();
        Deadline::after(Duration::from_millis(3)).sleep(Duration::from_millis(3));
        assert!(boottime() > before);
    }
}
