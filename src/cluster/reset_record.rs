//! What is left of a reset: written before it, read after the boot that follows.

use serde::{Deserialize, Serialize};

/// The last reset that `quorated` decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetRecord {
    /// Seconds since 1970.
    pub at: u64,
    /// And milliseconds; absent in a record of before.
    #[serde(default)]
    pub ms: u32,
    /// The boot that ended with it: `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    pub reason: String,
}

impl ResetRecord {
    /// For an operator. `boot`: the present one.
    #[must_use]
    pub fn text(&self, boot: &str) -> String {
        let at = utc(self.at);
        if self.boot == boot {
            return format!("quorated decided at {at} to reset this node, and it lives: {}", self.reason);
        }
        format!("this node was reset by quorated at {at}: {}", self.reason)
    }
}

/// `2026-11-28 09:48:59 UTC` (proleptic Gregorian calendar, days as in Howard Hinnant's `civil_from_days`).
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_people() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_859_339), "2026-11-28 09:48:59 UTC");
    }

    #[test]
    fn a_reset_that_did_not_happen_is_told_apart() {
        let record = ResetRecord { at: 0, ms: 0, boot: "a".into(), reason: "corosync hangs".into() };
        assert!(
            record.text("b").starts_with("this node was reset by quorated at 1970"),
            "{}",
            record.text("b")
        );
        assert!(record.text("a").contains("and it lives: corosync hangs"));
    }
}
