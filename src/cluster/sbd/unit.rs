//! sbd.service as systemd has it, its drop-ins included: what of it decides how sbd runs.

use super::options::words;

/// What `systemctl show sbd.service --property=Environment,EnvironmentFiles,ExecStart` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Variables that the unit itself sets. Those of its files come before them.
    pub environment: Vec<(String, String)>,
    pub files: Vec<String>,
    /// What is started, as it is written: `/usr/sbin/sbd $SBD_OPTS -p /run/sbd.pid watch`.
    pub command: String,
}

impl Unit {
    /// The properties to ask for.
    pub const PROPERTIES: &'static str = "--property=Environment,EnvironmentFiles,ExecStart";

    /// Reads that answer; `None`: a quote in it is not closed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut unit = Self::default();
        for line in text.lines() {
            match line.split_once('=') {
                Some(("Environment", all)) => {
                    let pairs = words(all)?;
                    let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
                    unit.environment.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
                }
                // One a line: /etc/default/sbd (ignore_errors=yes)
                Some(("EnvironmentFiles", file)) => {
                    let name = file.split(" (ignore_errors=").next().unwrap_or_default();
                    unit.files.extend((!name.is_empty()).then(|| name.to_owned()));
                }
                // { path=… ; argv[]=… ; ignore_errors=no ; … }
                Some(("ExecStart", command)) => {
                    let argv = command.split_once("argv[]=").map_or("", |(_, rest)| rest);
                    let argv = argv.split_once(" ; ").map_or(argv, |(argv, _)| argv);
                    unit.command = argv.trim().to_owned();
                }
                _ => {}
            }
        }
        Some(unit)
    }

    /// Whether it is started as its own unit starts it, and its options are those of `SBD_OPTS` alone.
    #[must_use]
    pub fn starts_as_usual(&self) -> bool {
        let words: Vec<&str> = self.command.split_whitespace().collect();
        matches!(words.as_slice(), [program, "$SBD_OPTS", "-p", _, "watch"] if program.ends_with("/sbd"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "Environment=SBD_SYNC_RESOURCE_STARTUP=yes \"SBD_OPTS=-1 60\"
EnvironmentFiles=/etc/default/sbd (ignore_errors=yes)
ExecStart={ path=/usr/sbin/sbd ; argv[]=/usr/sbin/sbd $SBD_OPTS -p /run/sbd.pid watch ; ignore_errors=no ; pid=0 ; status=0/0 }
";

    #[test]
    fn systemctls_answer_is_read() {
        let unit = Unit::parse(SHOWN).expect("sound");
        assert_eq!(unit.environment[1], ("SBD_OPTS".to_owned(), "-1 60".to_owned()));
        assert_eq!(unit.files, ["/etc/default/sbd"]);
        assert!(unit.starts_as_usual(), "{unit:?}");
        for other in ["$SBD_OPTS -1 60 -p", "$SBD_OPTS -T -p", "-p"] {
            let unit = Unit::parse(&SHOWN.replace("$SBD_OPTS -p", other)).expect("sound");
            assert!(!unit.starts_as_usual(), "{unit:?}");
        }
        assert_eq!(Unit::parse("Environment=\"A=b\n"), None);
    }
}
