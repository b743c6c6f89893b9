//! The major version of a data directory, from its file `PG_VERSION`.

use std::fmt;
use std::str::FromStr;

/// A major version that quorate drives: 13 to 18.
///
/// 13 is the first whose `primary_conninfo` changes by a reload; the control file's layout is known up to 18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MajorVersion(u8);

/// Why a version is not driven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Before 13.
    #[error("PostgreSQL {0} is too old: quorate needs 13 to 18; upgrade the data directory with pg_upgrade")]
    TooOld(String),
    /// After 18.
    #[error("PostgreSQL {0} is newer than this quorate knows (13 to 18); install a newer quorate")]
    TooNew(String),
    /// Not a version.
    #[error("PG_VERSION holds \"{0}\", which is not a major version: is pgdata a PostgreSQL data directory?")]
    Garbage(String),
}

impl MajorVersion {
    /// The oldest one.
    pub const OLDEST: Self = Self(13);
    /// The newest one.
    pub const NEWEST: Self = Self(18);

    /// The number, 13 to 18.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for MajorVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for MajorVersion {
    type Err = VersionError;

    /// Reads the text of `PG_VERSION`: the number and a line feed; `9.6` and the like up to PostgreSQL 9.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let garbage =
            || VersionError::Garbage(line.chars().take(40).collect::<String>().escape_debug().to_string());
        let number =
            |s: &str| (!s.is_empty() && s.len() <= 4 && s.bytes().all(|b| b.is_ascii_digit())).then_some(());
        let (major, minor) = line.split_once('.').map_or((line, None), |(a, b)| (a, Some(b)));
        number(major).ok_or_else(garbage)?;
        if let Some(minor) = minor {
            number(minor).ok_or_else(garbage)?;
        }
        let value: u16 = major.parse().map_err(|_| garbage())?;
        match (value, minor) {
            (0, _) => Err(garbage()),
            (..=12, _) => Err(VersionError::TooOld(line.to_owned())),
            (13..=18, None) => u8::try_from(value).map(Self).map_err(|_| garbage()),
            (13..=18, Some(_)) => Err(garbage()),
            (19.., _) => Err(VersionError::TooNew(line.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported() {
        assert_eq!("15\n".parse::<MajorVersion>().map(MajorVersion::get), Ok(15));
        assert_eq!("13".parse(), Ok(MajorVersion::OLDEST));
        assert_eq!("18\n".parse(), Ok(MajorVersion::NEWEST));
    }

    #[test]
    fn each_refusal_is_named() {
        assert_eq!("9.6\n".parse::<MajorVersion>(), Err(VersionError::TooOld("9.6".into())));
        assert_eq!("12\n".parse::<MajorVersion>(), Err(VersionError::TooOld("12".into())));
        assert_eq!("19\n".parse::<MajorVersion>(), Err(VersionError::TooNew("19".into())));
        for bad in ["", "\n", "0\n", "15 \n", "15\n\n", "15.3\n", "x", "+15", "99999", "15\0"] {
            assert!(matches!(bad.parse::<MajorVersion>(), Err(VersionError::Garbage(_))), "{bad:?}");
        }
    }
}
