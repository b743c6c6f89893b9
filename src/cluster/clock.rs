//! The clocks, each a type of its own: moments of two of them can't be compared or subtracted by mistake.

use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A length of time, in milliseconds, by whichever clock.
pub type Millis = u64;

/// A moment on a clock, in milliseconds since that clock began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment<Clock> {
    ms: Millis,
    clock: PhantomData<Clock>,
}

/// `CLOCK_BOOTTIME`: since the machine's boot, its sleep included; the same for every process of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Boot;

/// `CLOCK_MONOTONIC`: as [`Boot`], without the machine's sleep. The journal has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic;

/// `CLOCK_REALTIME`: since 1970, and whoever sets the clock changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall;

/// The observer's own: it stands still while the observer does, so that a moment without a look is held against nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Observer;

/// What went by since the observer's first look, whether it looked or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Elapsed;

/// See [`Boot`].
pub type BootTime = Moment<Boot>;
/// See [`Monotonic`].
pub type MonotonicTime = Moment<Monotonic>;
/// See [`Wall`].
pub type WallTime = Moment<Wall>;
/// See [`Observer`].
pub type ObserverTime = Moment<Observer>;
/// See [`Elapsed`].
pub type ElapsedTime = Moment<Elapsed>;

impl<Clock> Moment<Clock> {
    /// So long after the clock began. Where a clock is read, and in tests.
    #[must_use]
    pub const fn at(ms: Millis) -> Self {
        Self { ms, clock: PhantomData }
    }

    /// Since the clock began: for a text, a file or a system call.
    #[must_use]
    pub const fn millis(self) -> Millis {
        self.ms
    }

    /// The time since an earlier moment; none since a later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis
    where
        Clock: Copy,
    {
        self.ms.saturating_sub(earlier.ms)
    }

    /// The time since an earlier moment; `None` since a later one.
    #[must_use]
    pub const fn checked_since(self, earlier: Self) -> Option<Millis>
    where
        Clock: Copy,
    {
        self.ms.checked_sub(earlier.ms)
    }

    /// So much earlier, and not before the clock began.
    #[must_use]
    pub const fn before(self, length: Millis) -> Self
    where
        Clock: Copy,
    {
        Self::at(self.ms.saturating_sub(length))
    }
}

impl<Clock: Copy> Sub for Moment<Clock> {
    type Output = Millis;

    fn sub(self, earlier: Self) -> Millis {
        self.since(earlier)
    }
}

impl<Clock: Copy> Add<Millis> for Moment<Clock> {
    type Output = Self;

    fn add(self, length: Millis) -> Self {
        Self::at(self.ms.saturating_add(length))
    }
}

impl<Clock: Copy> AddAssign<Millis> for Moment<Clock> {
    fn add_assign(&mut self, length: Millis) {
        *self = *self + length;
    }
}

/// Moments of two clocks do not mix:
///
/// ```compile_fail,E0308
/// use quorate::cluster::clock::{BootTime, WallTime};
/// let _ = BootTime::at(5) - WallTime::at(3);
/// ```
///
/// ```compile_fail,E0308
/// use quorate::cluster::clock::{ElapsedTime, ObserverTime};
/// assert!(ObserverTime::at(5) >= ElapsedTime::at(3));
/// ```
///
/// Those of one do:
///
/// ```
/// use quorate::cluster::clock::BootTime;
/// assert_eq!(BootTime::at(5) + 7 - BootTime::at(3), 9);
/// ```
#[cfg(doctest)]
pub struct TwoClocks;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_number_in_a_file_and_never_before_its_clock() {
        let moment = BootTime::at(7);
        assert_eq!(serde_json::to_string(&moment).unwrap(), "7");
        assert_eq!(serde_json::from_str::<BootTime>("7").unwrap(), moment);
        assert_eq!((moment - BootTime::at(9), moment.before(9)), (0, BootTime::default()));
        assert_eq!(
            (BootTime::at(9).checked_since(moment), moment.checked_since(BootTime::at(9))),
            (Some(2), None)
        );
        assert_eq!(BootTime::at(u64::MAX) + 1, BootTime::at(u64::MAX));
    }
}
