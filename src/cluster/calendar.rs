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
}
