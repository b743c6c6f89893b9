//! Times as people read them.

/// `2026-11-28 09:48:59 UTC`.
#[must_use]
pub fn utc(seconds: u64) -> String {
    let Civil { year, month, day } = civil(seconds);
    let rest = seconds % 86_400;
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// `20261128T094859Z`: for names of files, in the order of time.
#[must_use]
pub fn stamp(seconds: u64) -> String {
    let Civil { year, month, day } = civil(seconds);
    let rest = seconds % 86_400;
    format!("{year}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

struct Civil {
    year: u64,
    month: u64,
    day: u64,
}

/// The proleptic Gregorian calendar; days as in Howard Hinnant's `civil_from_days`.
const fn civil(seconds: u64) -> Civil {
    let shifted = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    Civil { year, month, day }
}

/// A date of ISO 8601 as Pacemaker and pcs write it, in seconds since 1970: `2026-11-29`, `2026-11-29T13:00:00Z`,
/// `2026-11-29 13:00:00 +01:00`. A date alone begins at midnight UTC.
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let mut words = date.split('-').map(|w| w.parse::<i64>().ok());
    let (year, month, day) = (words.next()??, words.next()??, words.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let rest = rest.trim_start_matches(['T', ' ']);
    let end = rest.find(['Z', '+', '-', ' ']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let of_day = if clock.is_empty() { 0 } else { of_clock(clock)? };
    let zone = zone.trim();
    let east = match zone.chars().next() {
        Some('+') => of_clock(zone.get(1..)?)?,
        Some('-') => -of_clock(zone.get(1..)?)?,
        _ => 0,
    };
    // Days as in Howard Hinnant's `days_from_civil`.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + of_day - east)
}

/// `13`, `13:05`, `13:05:30`, `1305`.
fn of_clock(text: &str) -> Option<i64> {
    let digits: String = text.split('.').next()?.chars().filter(|c| *c != ':').collect();
    if !digits.len().is_multiple_of(2) || digits.len() > 6 || digits.is_empty() {
        return None;
    }
    let at = |i: usize| digits.get(i..i + 2).map_or(Some(0), |d| d.parse::<i64>().ok());
    Some(at(0)? * 3600 + at(2)? * 60 + at(4)?)
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
        assert_eq!(stamp(1_795_859_339), "20261128T094859Z");
    }

    #[test]
    fn dates_of_rules() {
        for (text, wanted) in [
            ("1970-01-01", Some(0)),
            ("2000-02-28 23:59:59Z", Some(951_782_399)),
            ("2026-11-28T09:48:59Z", Some(1_795_859_339)),
            ("2026-11-28 10:48:59 +01:00", Some(1_795_859_339)),
            ("2026-11-28 04:48:59 -05:00", Some(1_795_859_339)),
            ("20261128", None),
            ("soon", None),
            ("2026-13-01", None),
            ("2026-11-28T9Z", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }
}
