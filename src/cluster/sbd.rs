//! sbd's configuration, `/etc/default/sbd` or `/etc/sysconfig/sbd`: assignments as systemd's EnvironmentFile takes them.

use super::timing::DEFAULT_WATCHDOG_S;

/// Where it is, on Debian and elsewhere.
pub const PATHS: [&str; 2] = ["/etc/default/sbd", "/etc/sysconfig/sbd"];
/// sbd's device where none is named.
const FIRST: &str = "/dev/watchdog";

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub name: String,
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// A node's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sbd {
    assignments: Vec<Assignment>,
}

/// A line that is no assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {cure}")]
pub struct SbdError {
    pub line: usize,
    pub what: String,
    pub cure: &'static str,
}

/// Reads the file.
///
/// # Errors
/// The first line that is neither empty, nor a comment, nor an assignment.
pub fn parse(text: &str) -> Result<Sbd, SbdError> {
    let mut sbd = Sbd::default();
    for (index, raw) in text.lines().enumerate() {
        let (line, content) = (index + 1, raw.trim());
        if content.is_empty() || content.starts_with('#') || content.starts_with(';') {
            continue;
        }
        let word =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let Some((name, value)) = content.split_once('=').filter(|(name, _)| word(name)) else {
            return Err(SbdError {
                line,
                what: format!("{content:?} is no assignment"),
                cure: "write NAME=value, or # before a comment",
            });
        };
        let value = unquoted(value.trim()).ok_or_else(|| SbdError {
            line,
            what: format!("the value of {name} has an opening quote and no closing one"),
            cure: "close it",
        })?;
        sbd.assignments.push(Assignment { name: name.to_owned(), value: value.to_owned(), line });
    }
    Ok(sbd)
}

fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.split_once(quote).map(|(inner, _)| inner);
        }
    }
    Some(value)
}

impl Sbd {
    /// The value of a variable; the last assignment counts, and an empty one is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Assignment> {
        self.assignments.iter().rev().find(|a| a.name == name).filter(|a| !a.value.is_empty())
    }

    /// The watchdog device that sbd takes.
    #[must_use]
    pub fn watchdog_device(&self) -> &str {
        self.get("SBD_WATCHDOG_DEV").map_or(FIRST, |a| a.value.as_str())
    }

    /// The watchdog's timeout in seconds, sbd's own where it is not set; `None`: it is set, and no number.
    #[must_use]
    pub fn watchdog_s(&self) -> Option<u32> {
        self.get("SBD_WATCHDOG_TIMEOUT").map_or(Some(DEFAULT_WATCHDOG_S), |set| set.value.parse().ok())
    }

    /// Whether this is the watchdog device that sbd takes. The kernel's first one has two names.
    #[must_use]
    pub fn has_device(&self, path: &str) -> bool {
        let first = |path: &str| path == FIRST || path == "/dev/watchdog0";
        let own = self.watchdog_device();
        own == path || first(own) && first(path)
    }
}

/// Whether sbd takes this for a yes.
#[must_use]
pub fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true" | "1" | "on" | "y")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_counts() {
        let sbd =
            parse("# SBD_DEVICE=\nSBD_DEVICE=\"\"\nSBD_WATCHDOG_TIMEOUT=5\n\nSBD_WATCHDOG_TIMEOUT='10'\n")
                .expect("good");
        let timeout = sbd.get("SBD_WATCHDOG_TIMEOUT").expect("set");
        assert_eq!((timeout.value.as_str(), timeout.line), ("10", 5));
        assert_eq!((sbd.get("SBD_DEVICE"), sbd.get("SBD_OPTS")), (None, None));
    }

    #[test]
    fn the_first_device_has_two_names() {
        let default = Sbd::default();
        let other = parse("SBD_WATCHDOG_DEV=/dev/watchdog1\n").expect("good");
        for (path, by_default, where_named) in
            [("/dev/watchdog", true, false), ("/dev/watchdog0", true, false), ("/dev/watchdog1", false, true)]
        {
            assert_eq!(
                (default.has_device(path), other.has_device(path)),
                (by_default, where_named),
                "{path}"
            );
        }
    }

    #[test]
    fn anything_else_is_an_error_with_its_line() {
        for (text, line) in [("A=1\nexport B=2\n", 2), ("A\n", 1), ("A=\"x\n", 1)] {
            assert_eq!(parse(text).expect_err(text).line, line, "{text}");
        }
    }
}
