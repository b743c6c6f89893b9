//! sbd's configuration, `/etc/default/sbd` or `/etc/sysconfig/sbd`: assignments as systemd's EnvironmentFile takes them.

mod options;
mod unit;

use super::timing::DEFAULT_WATCHDOG_S;
pub use options::{Given, Options};
pub use unit::Unit;

/// Where it is, on Debian and elsewhere.
pub const PATHS: [&str; 2] = ["/etc/default/sbd", "/etc/sysconfig/sbd"];
/// sbd's device where none is named.
const FIRST: &str = "/dev/watchdog";

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub name: String,
    pub value: String,
    /// Counted from 1; `None`: systemd's unit sets it.
    pub line: Option<usize>,
    /// The option of `SBD_OPTS` that says so.
    pub option: Option<char>,
}

/// A node's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sbd {
    /// As they stand there, then what `SBD_OPTS` sets in their place.
    assignments: Vec<Assignment>,
    options: Options,
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
        sbd.assignments.push(Assignment { name: name.to_owned(), value, line: Some(line), option: None });
    }
    sbd.take_options();
    Ok(sbd)
}

/// Without its quotes: what follows a closing one belongs to the value, but for the space between, as systemd reads it.
fn unquoted(value: &str) -> Option<String> {
    let (mut found, mut rest) = (String::new(), value);
    while let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (inner, after) = rest.get(1..)?.split_once(quote)?;
        found.push_str(inner);
        rest = after.trim_start();
    }
    found.push_str(rest);
    Some(found)
}

impl Sbd {
    /// The value of a variable as it counts: the last assignment, an empty one is none, and an option comes before all of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Assignment> {
        self.assignments.iter().rev().find(|a| a.name == name).filter(|a| !a.value.is_empty())
    }

    /// What its command line says.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// With what systemd's unit sets: a name that the file has is the file's, an empty one too.
    #[must_use]
    pub fn with_environment(mut self, unit: &Unit) -> Self {
        let is_free = |name: &str| !self.assignments.iter().any(|a| a.option.is_none() && a.name == name);
        let own = unit.environment.iter().filter(|(name, _)| is_free(name));
        let mut all: Vec<Assignment> = own
            .map(|(name, value)| Assignment {
                name: name.clone(),
                value: value.clone(),
                line: None,
                option: None,
            })
            .collect();
        all.extend(self.assignments.drain(..).filter(|a| a.option.is_none()));
        self.assignments = all;
        self.take_options();
        self
    }

    fn take_options(&mut self) {
        let Some(set) = self.get("SBD_OPTS").cloned() else { return };
        self.options = Options::parse(&set.value);
        let variables = self.options.variables().into_iter();
        self.assignments.extend(variables.map(|(letter, name, value)| Assignment {
            name: name.to_owned(),
            value,
            line: set.line,
            option: Some(letter),
        }));
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
        assert_eq!((timeout.value.as_str(), timeout.line), ("10", Some(5)));
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
    fn the_command_line_has_the_last_word() {
        let sbd =
            parse("SBD_OPTS=\"-1 60 -w /dev/watchdog1 -PP -d /dev/a -d /dev/b\"\nSBD_WATCHDOG_TIMEOUT=5\n")
                .expect("good");
        assert_eq!((sbd.watchdog_s(), sbd.watchdog_device()), (Some(60), "/dev/watchdog1"));
        let set = |name| sbd.get(name).map(|a| (a.value.as_str(), a.line, a.option));
        assert_eq!(set("SBD_PACEMAKER"), Some(("no", Some(1), Some('P'))));
        assert_eq!(set("SBD_DEVICE"), Some(("/dev/a;/dev/b", Some(1), Some('d'))));
        // What follows a closing quote belongs to the value.
        assert_eq!(parse("SBD_WATCHDOG_TIMEOUT=\"6\"0\n").expect("good").watchdog_s(), Some(60));
        // Of two, the last: no options at all.
        assert_eq!(parse("SBD_OPTS=\"-1 60\"\nSBD_OPTS=\n").expect("good").watchdog_s(), Some(5));
    }

    #[test]
    fn what_the_unit_sets_counts_where_the_file_says_nothing() {
        let unit = Unit {
            environment: vec![
                ("SBD_OPTS".to_owned(), "-1 60".to_owned()),
                ("SBD_PACEMAKER".to_owned(), "no".to_owned()),
            ],
            ..Unit::default()
        };
        let with = |text: &str| parse(text).expect("good").with_environment(&unit);
        assert_eq!(with("SBD_WATCHDOG_TIMEOUT=5\n").watchdog_s(), Some(60));
        assert_eq!(with("SBD_WATCHDOG_TIMEOUT=5\nSBD_OPTS=\n").watchdog_s(), Some(5));
        assert_eq!(with("SBD_OPTS=\"-1 7\"\n").watchdog_s(), Some(7));
        assert_eq!(with("").get("SBD_PACEMAKER").map(|a| a.line), Some(None));
    }

    #[test]
    fn anything_else_is_an_error_with_its_line() {
        for (text, line) in [("A=1\nexport B=2\n", 2), ("A\n", 1), ("A=\"x\n", 1)] {
            assert_eq!(parse(text).expect_err(text).line, line, "{text}");
        }
    }
}
