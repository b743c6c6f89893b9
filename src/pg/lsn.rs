//! A place in the write-ahead log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Byte position in the write-ahead log. `0/0` is not a position ("invalid" in PostgreSQL): where a position may be
/// missing, use `Option<Lsn>`. See [`Lsn::valid`].
///
/// Numbers compare within one line of history only; across timelines see [`super::history::divergence`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

/// The text is not two hexadecimal numbers with a slash between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a WAL position: expected two hexadecimal numbers of up to 8 digits with a slash between, like 0/3000148"
)]
pub struct LsnError(pub String);

impl Lsn {
    /// The position behind a number that PostgreSQL wrote: its `InvalidXLogRecPtr` (zero) is `None`.
    pub fn valid(raw: u64) -> Option<Self> {
        (raw != 0).then_some(Self(raw))
    }

    /// Bytes from `other` to `self`, or `None` when `self` is before `other`.
    pub fn bytes_since(self, other: Lsn) -> Option<u64> {
        self.0.checked_sub(other.0)
    }

    /// Bytes from `other` to `self`; zero when `self` is before `other`.
    pub fn saturating_bytes_since(self, other: Lsn) -> u64 {
        self.0.saturating_sub(other.0)
    }

    /// Number of the WAL segment of `segment_size` bytes that holds the byte at this position.
    pub fn segment(self, segment_size: SegmentSize) -> u64 {
        self.0 / segment_size.bytes()
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// So much of what is no such thing is shown in the error.
const LONGEST_SHOWN: usize = 40;

impl FromStr for Lsn {
    type Err = LsnError;

    fn from_str(text: &str) -> Result<Self, LsnError> {
        let half = |digits: &str| {
            let hex = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        text.split_once('/')
            .and_then(|(high, low)| Some(Self(half(high)? << 32 | half(low)?)))
            .ok_or_else(|| LsnError(text.chars().take(LONGEST_SHOWN).collect()))
    }
}

impl TryFrom<String> for Lsn {
    type Error = LsnError;

    fn try_from(text: String) -> Result<Self, LsnError> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> String {
        lsn.to_string()
    }
}

/// Bytes of a WAL segment file: a power of two from 1 MiB to 1 GiB (initdb's `--wal-segsize`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSize(u32);

impl SegmentSize {
    /// The size that initdb uses unless told otherwise.
    pub const DEFAULT: Self = Self(16 << 20);

    /// `None` unless `bytes` is a size that PostgreSQL allows.
    pub fn new(bytes: u32) -> Option<Self> {
        (bytes.is_power_of_two() && (1 << 20..=1 << 30).contains(&bytes)).then_some(Self(bytes))
    }

    /// Size in bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_postgres_writes() {
        assert_eq!("0/3000148".parse(), Ok(Lsn(0x300_0148)));
        assert_eq!("16/B374D848".parse(), Ok(Lsn(0x16_B374_D848)));
        assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
        assert_eq!(Lsn(0x1_0000_000A).to_string(), "1/A");
        assert_eq!(Lsn::valid(0), None);
    }

    #[test]
    fn refuses_anything_else() {
        for bad in [
            "",
            "/",
            "0",
            "0/",
            "/0",
            "0/0/0",
            " 0/1",
            "0/1 ",
            "+1/1",
            "0/-1",
            "g/0",
            "123456789/0",
            "0/123456789",
            "0\\1",
        ] {
            assert!(bad.parse::<Lsn>().is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<Lsn>("\"x\"").is_err());
        assert_eq!(serde_json::to_string(&Lsn(1)).ok().as_deref(), Some("\"0/1\""));
    }

    #[test]
    fn distance_has_a_direction() {
        assert_eq!(Lsn(10).bytes_since(Lsn(4)), Some(6));
        assert_eq!(Lsn(4).bytes_since(Lsn(10)), None);
        assert_eq!(Lsn(4).saturating_bytes_since(Lsn(10)), 0);
    }

    #[test]
    fn segments() {
        assert_eq!(Lsn(0x300_0000).segment(SegmentSize::DEFAULT), 3);
        assert_eq!(Lsn(0x2FF_FFFF).segment(SegmentSize::DEFAULT), 2);
        assert_eq!(SegmentSize::new(3 << 20), None);
        assert_eq!(SegmentSize::new(1 << 19), None);
        assert_eq!(SegmentSize::new(0), None);
    }
}
