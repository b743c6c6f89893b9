//! `quorate switchover --at`: when.

use crate::cluster::calendar;

/// A command that waits longer belongs into a calendar: the cluster of then is not the one that was checked.
const LONGEST_S: u64 = 24 * 3600;
const DAY_S: u64 = 24 * 3600;

/// The moment that is meant, in seconds since 1970: `02:30` is the next one by UTC, else a date with its time and zone (UTC without one),
/// or a time from now on: `90m`, `2h`.
///
/// # Errors
/// It is none, is over, or more than a day ahead.
pub fn moment(text: &str, now: u64) -> Result<u64, String> {
    let at = of(text.trim(), now).ok_or_else(|| {
        format!(
            "{text:?} is no time: 02:30 (UTC), \"2026-11-30 02:30\", \"2026-11-30 03:30 +01:00\", 90m or 2h"
        )
    })?;
    if at < now {
        return Err(format!("{text:?} is {}, which is over", calendar::utc(at)));
    }
    if at - now > LONGEST_S {
        return Err(format!("{text:?} is {}, more than a day ahead", calendar::utc(at)));
    }
    Ok(at)
}

fn of(text: &str, now: u64) -> Option<u64> {
    let number =
        |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    if let Some(minutes) = text.strip_suffix('m').and_then(number) {
        return now.checked_add(minutes.checked_mul(60)?);
    }
    if let Some(hours) = text.strip_suffix('h').and_then(number) {
        return now.checked_add(hours.checked_mul(3600)?);
    }
    if let Some((hour, minute)) = text.split_once(':').filter(|_| text.len() == 5) {
        let (hour, minute) = (number(hour)?, number(minute)?);
        if hour > 23 || minute > 59 {
            return None;
        }
        let today = now - now % DAY_S + hour * 3600 + minute * 60;
        return Some(if today < now { today + DAY_S } else { today });
    }
    // A date alone is no time of day that anybody meant.
    let has_time = text.get(10..).is_some_and(|rest| rest.contains(':'));
    calendar::seconds(text).filter(|_| has_time).and_then(|at| u64::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_it_is_meant() {
        let now = 1_764_417_600; // 2025-11-29 12:00:00 UTC
        let at = |text: &str| moment(text, now).map(calendar::utc);
        assert_eq!(at("12:00").as_deref(), Ok("2025-11-29 12:00:00 UTC"));
        assert_eq!(at("12:01").as_deref(), Ok("2025-11-29 12:01:00 UTC"));
        assert_eq!(at("02:30").as_deref(), Ok("2025-11-30 02:30:00 UTC"));
        assert_eq!(at("2025-11-30 02:30").as_deref(), Ok("2025-11-30 02:30:00 UTC"));
        assert_eq!(at("2025-11-30T02:30:00 +01:00").as_deref(), Ok("2025-11-30 01:30:00 UTC"));
        assert_eq!(at("90m").as_deref(), Ok("2025-11-29 13:30:00 UTC"));
        assert_eq!(at("24h").as_deref(), Ok("2025-11-30 12:00:00 UTC"));
        for bad in [
            "",
            "now",
            "24:00",
            "12:60",
            "1:30",
            "+2h",
            "-5m",
            "2025-11-30",
            "2025-11-30T",
            "99999999999999999999m",
        ] {
            assert!(moment(bad, now).is_err_and(|e| e.contains("is no time")), "{bad:?}");
        }
        assert!(moment("2025-11-29 11:59", now).is_err_and(|e| e.contains("is over")));
        for far in ["25h", "2025-12-24 02:30"] {
            assert!(moment(far, now).is_err_and(|e| e.contains("more than a day")), "{far}");
        }
    }
}
