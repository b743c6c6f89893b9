//! What is left of a drill that proves the watchdog: written by `quorate prove-watchdog` while the node still lives, read after
//! the boot that follows.
//!
//! The node can't write down the moment at which it is reset. It writes, synced, each time it sees itself alive: the reset came
//! after the last of these, and before the next one was due.

use serde::{Deserialize, Serialize};

use super::clock::BootTime;

use super::timing::WATCHDOG_LATE_MS;

/// A drill that lives longer than so many timeouts shows a watchdog that does not bite.
pub const PATIENCE: u32 = 3;
/// Beyond that a reset is somebody else's: seen are watchdogs that bite after twice their timeout.
const LATEST: u32 = 2;
/// How far an end may be from the timeout on either side and still be the watchdog's.
const TOLERANCE_MS: u32 = 2000;
/// A kernel or a hypervisor has changed by then.
const OLD_S: u64 = 365 * 86_400;

/// The last drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRecord {
    /// The path that was opened: SBD_WATCHDOG_DEV.
    pub device: String,
    /// What the driver calls it, asked of the open device.
    pub identity: String,
    /// The driver's module, where the kernel tells.
    pub driver: Option<String>,
    /// SBD_WATCHDOG_TIMEOUT, which was set.
    pub timeout_s: u32,
    /// The boot that it was armed in: `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    /// When it was armed, in seconds since 1970.
    pub armed_at: u64,
    /// The same in milliseconds since that boot.
    pub armed_boottime_ms: BootTime,
    /// So long after it was armed the node was seen alive last.
    pub alive_ms: u32,
    /// The longest time between two of these.
    pub gap_ms: u32,
    /// How the drill ended otherwise than by a reset.
    pub end: Option<End>,
}

/// An end that the node lived to write down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It lives after [`PATIENCE`] timeouts.
    Lives,
    /// Somebody ended the drill, or the machine was shut down.
    BrokenOff,
}

/// What a drill shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The node was reset between these times after it was armed.
    Bites { least_ms: u32, most_ms: u32 },
    /// It was not, in so long.
    NeverBites { lived_ms: u32 },
    /// It is under way, or shows nothing; why.
    Nothing(String),
}

impl ProofRecord {
    /// What it shows. `boot`: the present one; empty where it is not known.
    #[must_use]
    pub fn outcome(&self, boot: &str) -> Outcome {
        let timeout_ms = self.timeout_s.saturating_mul(1000);
        let most_ms = self.alive_ms.saturating_add(self.gap_ms);
        match self.end {
            Some(End::Lives) => return Outcome::NeverBites { lived_ms: self.alive_ms },
            Some(End::BrokenOff) => {
                return Outcome::Nothing(format!("it was broken off after {}", seconds(self.alive_ms)));
            }
            None => {}
        }
        if boot.is_empty() || self.boot.is_empty() {
            return Outcome::Nothing("whether the machine was booted since is not known".to_owned());
        }
        if self.boot == boot {
            return Outcome::Nothing("it is under way, or was killed, and this is still its boot".to_owned());
        }
        if most_ms.saturating_add(TOLERANCE_MS) < timeout_ms {
            return Outcome::Nothing(format!(
                "its last sign of life is of {} after it was armed, long before the {} s: something else ended it",
                seconds(self.alive_ms),
                self.timeout_s
            ));
        }
        if self.alive_ms > timeout_ms.saturating_mul(LATEST).saturating_add(TOLERANCE_MS) {
            return Outcome::Nothing(format!(
                "it lived for {}, more than twice the {} s: a reset by hand, or a watchdog that does not bite",
                seconds(self.alive_ms),
                self.timeout_s
            ));
        }
        Outcome::Bites { least_ms: self.alive_ms, most_ms }
    }

    /// Why the drill is one of another device than this one now; `None`: it is of this. What is not known is another one.
    #[must_use]
    pub fn differs(
        &self,
        path: &str,
        identity: Option<&str>,
        driver: Option<&str>,
        timeout_s: u32,
    ) -> Option<String> {
        let unknown = "unknown";
        if self.device != path {
            return Some(format!("it was of {}, and sbd has {path}", self.device));
        }
        if identity != Some(self.identity.as_str()) {
            return Some(format!(
                "it was of {:?}, and {path} is {:?}",
                self.identity,
                identity.unwrap_or(unknown)
            ));
        }
        if self.driver.as_deref() != driver {
            let was = self.driver.as_deref().unwrap_or(unknown);
            return Some(format!("it was of the driver {was}, and {path} has {}", driver.unwrap_or(unknown)));
        }
        (self.timeout_s != timeout_s)
            .then(|| format!("it was with {} s, and SBD_WATCHDOG_TIMEOUT is {timeout_s} s", self.timeout_s))
    }

    /// Seconds since the drill; none where the clock was set back since.
    #[must_use]
    pub fn age_s(&self, now: u64) -> u64 {
        now.saturating_sub(self.armed_at)
    }

    /// Whether it is too long ago to be relied on.
    #[must_use]
    pub fn is_old(&self, now: u64) -> bool {
        self.age_s(now) > OLD_S
    }

    /// The latest time at which it bites, as far as this shows; for the timing.
    #[must_use]
    pub fn measured_ms(&self, boot: &str) -> Option<u32> {
        match self.outcome(boot) {
            Outcome::Bites { most_ms, .. } => Some(most_ms),
            Outcome::NeverBites { .. } | Outcome::Nothing(_) => None,
        }
    }
}

impl Outcome {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Bites { least_ms, most_ms } => {
                format!(
                    "the node was reset {:.1} to {} after it was armed",
                    f64::from(*least_ms) / 1000.0,
                    seconds(*most_ms)
                )
            }
            Self::NeverBites { lived_ms } => {
                format!("this watchdog does NOT bite: the node lived for {}", seconds(*lived_ms))
            }
            Self::Nothing(why) => format!("it shows nothing: {why}"),
        }
    }
}

fn seconds(ms: u32) -> String {
    format!("{:.1} s", f64::from(ms) / 1000.0)
}

/// The watchdog's time to count with: what is configured, or what was measured, in whole seconds, where that is longer. The part of a
/// second by which a watchdog may be late is in the bounds already.
#[must_use]
pub fn used_s(configured_s: u32, measured_ms: Option<u32>) -> u32 {
    let measured_s = measured_ms.map_or(0, |ms| ms.saturating_sub(WATCHDOG_LATE_MS).div_ceil(1000));
    configured_s.max(measured_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(timeout_s: u32, alive_ms: u32, end: Option<End>) -> ProofRecord {
        ProofRecord {
            device: "/dev/watchdog".into(),
            identity: "i6300ESB timer".into(),
            driver: Some("i6300esb".into()),
            timeout_s,
            boot: "a".into(),
            armed_at: 1000,
            armed_boottime_ms: BootTime::at(5),
            alive_ms,
            gap_ms: 120,
            end,
        }
    }

    #[test]
    fn a_reset_is_shown_by_another_boot_and_a_time_that_fits() {
        let outcome = |alive_ms, end, boot| record(10, alive_ms, end).outcome(boot);
        assert_eq!(outcome(9950, None, "b"), Outcome::Bites { least_ms: 9950, most_ms: 10_070 });
        assert_eq!(outcome(19_300, None, "b"), Outcome::Bites { least_ms: 19_300, most_ms: 19_420 });
        let shows_nothing = |found| matches!(found, Outcome::Nothing(_));
        assert!(shows_nothing(outcome(9950, None, "a")), "still its boot");
        assert!(shows_nothing(outcome(9950, None, "")), "an unknown boot");
        assert!(shows_nothing(outcome(3000, None, "b")), "a power cut before it");
        assert!(shows_nothing(outcome(25_000, None, "b")), "a reset by hand");
        assert!(shows_nothing(outcome(9950, Some(End::BrokenOff), "b")), "a shutdown");
        assert_eq!(outcome(30_000, Some(End::Lives), "b"), Outcome::NeverBites { lived_ms: 30_000 });
        assert_eq!(outcome(30_000, Some(End::Lives), "a"), Outcome::NeverBites { lived_ms: 30_000 });
    }

    #[test]
    fn a_drill_counts_for_its_device_alone() {
        let drill = record(10, 9950, None);
        let differs = |path, identity, driver, timeout| drill.differs(path, identity, driver, timeout);
        let (identity, driver) = (Some("i6300ESB timer"), Some("i6300esb"));
        assert_eq!(differs("/dev/watchdog", identity, driver, 10), None);
        assert!(differs("/dev/watchdog1", identity, driver, 10).is_some());
        assert!(differs("/dev/watchdog", Some("iTCO_wdt"), driver, 10).is_some());
        assert!(differs("/dev/watchdog", None, driver, 10).is_some_and(|why| why.contains("unknown")));
        assert!(differs("/dev/watchdog", identity, None, 10).is_some());
        assert!(differs("/dev/watchdog", identity, driver, 5).is_some());
    }

    #[test]
    fn the_timing_counts_with_the_longer_one() {
        assert_eq!(used_s(10, None), 10);
        assert_eq!(used_s(10, Some(9800)), 10);
        assert_eq!(used_s(10, Some(10_400)), 10, "half a second late is in the bounds");
        assert_eq!(used_s(10, Some(10_600)), 11);
        assert_eq!(used_s(10, Some(19_420)), 19);
        assert_eq!(used_s(5, Some(u32::MAX)), 4_294_967);
    }

    #[test]
    fn it_gets_old() {
        let drill = record(10, 9950, None);
        assert!(!drill.is_old(1000 + OLD_S));
        assert!(drill.is_old(1001 + OLD_S));
        assert_eq!(drill.age_s(5), 0, "a clock that was set back");
    }
}
