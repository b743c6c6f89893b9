//! A line of the journal, as `journalctl --output=json` prints it.

use serde::Deserialize;

use super::clock::{Moment, MonotonicTime, WallTime};

/// When a line was written, by both clocks.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    realtime_us: String,
    #[serde(rename = "__MONOTONIC_TIMESTAMP")]
    monotonic_us: String,
    #[serde(rename = "_BOOT_ID")]
    boot: String,
}

/// The present moment by both clocks, and of which boot.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    pub wall: WallTime,
    pub monotonic: MonotonicTime,
    /// As the kernel prints it.
    pub boot: &'a str,
}

/// The journal counts in microseconds.
fn moment<Clock>(us: &str) -> Option<Moment<Clock>> {
    Some(Moment::at(us.parse::<u64>().ok()? / 1000))
}

/// How many seconds ago a line was written. One of the present boot is aged by the clock that nobody sets.
#[must_use]
pub fn age_s(line: &str, now: Now<'_>) -> Option<u64> {
    let line: Line = serde_json::from_str(line).ok()?;
    let ms = if !now.boot.is_empty() && line.boot == now.boot.replace('-', "") {
        now.monotonic.checked_since(moment(&line.monotonic_us)?)
    } else {
        now.wall.checked_since(moment(&line.realtime_us)?)
    };
    Some(ms? / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// journalctl of systemd 252, with `--output-fields=PRIORITY`.
    const LINE: &str = r#"{"PRIORITY":"5","__REALTIME_TIMESTAMP":"1795900229247838","__CURSOR":"s=0;i=1","_BOOT_ID":"0a1b2c3d4e5f60718293a4b5c6d7e8f9","__MONOTONIC_TIMESTAMP":"41597654410"}"#;
    const BOOT: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

    #[test]
    fn a_clock_that_is_set_changes_no_age_within_a_boot() {
        let monotonic = MonotonicTime::at(41_603_654);
        let age = |wall_s: u64, boot| age_s(LINE, Now { wall: WallTime::at(wall_s * 1000), monotonic, boot });
        for wall_s in [1_795_900_235, 1_795_900_835, 1_795_899_635] {
            assert_eq!(age(wall_s, BOOT), Some(6), "{wall_s}");
        }
        assert_eq!(age(1_795_900_330, "another"), Some(100));
        assert_eq!(age(1_795_900_330, ""), Some(100), "not known");
        assert_eq!(age(1_795_899_635, "another"), None, "set back since");
        assert_eq!(age_s("-- No entries --", Now { wall: WallTime::default(), monotonic, boot: BOOT }), None);
    }
}
