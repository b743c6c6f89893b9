//! The parameters, read and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::environment::Environment;
use super::exit_code::OcfCode;
use super::params;
use super::policy::{Policy, Preference, Sync};
use crate::pg::conninfo::masked;

/// The parameters of [`Policy`].
const SYNCHRONOUS: [&str; 3] = ["sync", "sync_count", "sync_prefer"];

/// Every parameter of one resource. Values are usable; whether files and users exist is the start's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub pgdata: PathBuf,
    /// `None`: derived from PG_VERSION.
    pub bindir: Option<PathBuf>,
    pub config_file: PathBuf,
    pub system_user: String,
    pub pghost: PathBuf,
    pub pgport: u16,
    /// Further words of postgres's command line.
    pub start_opts: Vec<String>,
    /// `None`: no limit. Bytes.
    pub maxlag: Option<u64>,
    /// `None`: by the service, else `system_user`.
    pub dbuser: Option<String>,
    /// `None`: by the service, else `postgres`.
    pub dbname: Option<String>,
    pub dbservice: Option<String>,
    /// Keywords of primary_conninfo without host and application_name.
    pub replication_conninfo: String,
    /// Node name → address for replication, where they differ.
    pub addresses: BTreeMap<String, String>,
    pub on_crash: OnCrash,
    /// Whether commits wait for standbys, for how many, and for which.
    pub synchronous: Policy,
    /// What becomes of data that can't follow the primary.
    pub on_diverged: OnDiverged,
    /// Bytes of WAL that are given up (and kept) without an operator; `None`: no limit.
    pub rejoin_max_loss: Option<u64>,
    /// kB a second that a copy may take, as pg_basebackup's --max-rate; `None`: no limit.
    pub rejoin_max_rate: Option<u32>,
    /// Whether each instance keeps slots for the others.
    pub replication_slots: Slots,
    /// `None`: by the resource's name.
    pub log_file: Option<PathBuf>,
}

/// What follows a crash of the primary's PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCrash {
    Restart,
    Failover,
}

/// What becomes of data that can't follow the primary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDiverged {
    /// pg_rewind, else a copy.
    #[default]
    Rewind,
    /// pg_basebackup into a new directory.
    Copy,
    /// An operator decides.
    Stop,
}

impl OnDiverged {
    pub const ALL: [OnDiverged; 3] = [OnDiverged::Rewind, OnDiverged::Copy, OnDiverged::Stop];

    /// As the parameter `on_diverged` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OnDiverged::Rewind => "rewind",
            OnDiverged::Copy => "copy",
            OnDiverged::Stop => "stop",
        }
    }
}

/// Whether each instance keeps replication slots for the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Slots {
    #[default]
    No,
    Yes,
}

/// A parameter that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    pub parameter: &'static str,
    /// Without a password that it holds.
    pub value: Option<String>,
    pub cure: String,
}

impl SettingsError {
    /// A parameter is the same on all nodes, so a wrong one is wrong everywhere.
    pub const fn code(&self) -> OcfCode {
        OcfCode::ErrConfigured
    }

    /// The code of a start. "Configured" is of the whole clone: where something may run Pacemaker would stop it for that.
    #[must_use]
    pub fn code_of_start(&self) -> OcfCode {
        if self.parameter == "pgdata" { self.code() } else { OcfCode::ErrInstalled }
    }

    /// What counts in place of it where the action goes on.
    #[must_use]
    pub fn meanwhile(&self) -> &'static str {
        if SYNCHRONOUS.contains(&self.parameter) {
            "synchronous_standby_names stays as it is"
        } else {
            "its default is used"
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "parameter {} is missing: {}", self.parameter, self.cure),
            Some(value) => write!(f, "parameter {}={value:?} can't be used: {}", self.parameter, self.cure),
        }
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// For the actions that may refuse: every parameter must be right.
    ///
    /// # Errors
    /// The first parameter that is missing or unusable.
    pub fn strict(env: &Environment) -> Result<Settings, SettingsError> {
        let (settings, mut problems) = Self::tolerant(env)?;
        if problems.is_empty() { Ok(settings) } else { Err(problems.swap_remove(0)) }
    }

    /// For the actions that must work with what there is (`stop`, `monitor`, `notify`): an unusable value is
    /// replaced by its default and reported. A mistake in a parameter must not turn a stop into a failure,
    /// nor a healthy primary into a failed one.
    ///
    /// # Errors
    /// Without a usable `pgdata` there is no instance to speak of.
    pub fn tolerant(env: &Environment) -> Result<(Settings, Vec<SettingsError>), SettingsError> {
        let mut read = Reader { env, problems: Vec::new() };
        let pgdata = read.required_path("pgdata")?;
        let pgport = read.port("pgport");
        let settings = Settings {
            config_file: read.path("config_file").unwrap_or_else(|| pgdata.join("postgresql.conf")),
            bindir: read.path("bindir"),
            system_user: read.user("system_user"),
            pghost: read.path("pghost").unwrap_or_else(|| PathBuf::from("/var/run/postgresql")),
            pgport,
            start_opts: read.words("start_opts"),
            maxlag: read.bytes("maxlag"),
            dbuser: read.text("dbuser"),
            dbname: read.text("dbname"),
            dbservice: read.text("dbservice"),
            replication_conninfo: read.conninfo("replication_conninfo", pgport),
            addresses: read.pairs("addresses"),
            on_crash: read.choice(
                "on_crash",
                OnCrash::Restart,
                &[("restart", OnCrash::Restart), ("failover", OnCrash::Failover)],
            ),
            synchronous: Policy {
                sync: read.choice("sync", Sync::Off, &Sync::ALL.map(|sync| (sync.name(), sync))),
                count: read.count("sync_count"),
                preference: read.choice(
                    "sync_prefer",
                    Preference::Any,
                    &Preference::ALL.map(|preference| (preference.name(), preference)),
                ),
            },
            on_diverged: read.choice(
                "on_diverged",
                OnDiverged::Rewind,
                &OnDiverged::ALL.map(|policy| (policy.name(), policy)),
            ),
            rejoin_max_loss: read.bytes("rejoin_max_loss"),
            rejoin_max_rate: read.rate("rejoin_max_rate"),
            replication_slots: read.choice(
                "replication_slots",
                Slots::No,
                &[("no", Slots::No), ("yes", Slots::Yes)],
            ),
            log_file: read.path("log_file"),
            pgdata,
        };
        let mut settings = settings;
        let unusable = |name: &str| read.problems.iter().any(|problem| problem.parameter == name);
        let is_off = settings.synchronous.sync == Sync::Off && !unusable("sync");
        if !is_off && SYNCHRONOUS.into_iter().any(unusable) {
            settings.synchronous.sync = Sync::Unreadable;
        }
        Ok((settings, read.problems))
    }

    /// Where replication reaches a node.
    pub fn address_of<'a>(&'a self, node: &'a str) -> &'a str {
        self.addresses.get(node).map_or(node, String::as_str)
    }
}

struct Reader<'a> {
    env: &'a Environment,
    problems: Vec<SettingsError>,
}

impl Reader<'_> {
    fn raw(&self, name: &'static str) -> Option<&str> {
        debug_assert!(params::param(name).is_some(), "{name} is not in the table");
        self.env.get(&format!("OCF_RESKEY_{name}")).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    fn reject(&mut self, parameter: &'static str, value: &str, cure: impl Into<String>) {
        // Into the log, the CIB and `crm_mon`, for everybody to read.
        let value = Some(masked(value).into_owned());
        self.problems.push(SettingsError { parameter, value, cure: cure.into() });
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.raw(name)?.to_owned();
        if value.contains(['\n', '\r', '\0']) {
            self.reject(name, &value, "give it as one line");
            return None;
        }
        Some(value)
    }

    fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        let value = self.text(name)?;
        if value.starts_with('/') {
            // Without a slash at its end: what stands beside it would stand in it.
            return Some(PathBuf::from(value).components().collect());
        }
        self.reject(name, &value, "give an absolute path, beginning with /");
        None
    }

    fn required_path(&mut self, name: &'static str) -> Result<PathBuf, SettingsError> {
        match self.path(name) {
            Some(path) => Ok(path),
            None => Err(self.problems.pop().unwrap_or(SettingsError {
                parameter: name,
                value: None,
                cure: format!(
                    "set it, as in: pcs resource update RESOURCE {name}=/var/lib/postgresql/15/main"
                ),
            })),
        }
    }

    fn port(&mut self, name: &'static str) -> u16 {
        let Some(value) = self.text(name) else { return 5432 };
        match value.parse::<u16>() {
            Ok(port) if port > 0 => port,
            _ => {
                self.reject(name, &value, "give a port from 1 to 65535");
                5432
            }
        }
    }

    fn bytes(&mut self, name: &'static str) -> Option<u64> {
        let value = self.text(name)?;
        match value.parse::<u64>() {
            Ok(0) => None,
            Ok(bytes) => Some(bytes),
            Err(_) => {
                self.reject(name, &value, "give a number of bytes without a unit, 0 for no limit");
                None
            }
        }
    }

    /// What pg_basebackup's --max-rate takes (basebackup.c: MAX_RATE_LOWER, MAX_RATE_UPPER).
    fn rate(&mut self, name: &'static str) -> Option<u32> {
        let value = self.text(name)?;
        match value.parse::<u32>() {
            Ok(0) => None,
            Ok(rate @ 32..=1_048_576) => Some(rate),
            Ok(_) | Err(_) => {
                self.reject(name, &value, "give kilobytes a second, 32 to 1048576, 0 for no limit");
                None
            }
        }
    }

    fn user(&mut self, name: &'static str) -> String {
        let value = self.text(name).unwrap_or_else(|| "postgres".into());
        if value == "root" || value.contains([':', '/', ' ']) {
            self.reject(
                name,
                &value,
                "give the system user who owns pgdata; PostgreSQL refuses to run as root",
            );
            return "postgres".into();
        }
        value
    }

    fn words(&mut self, name: &'static str) -> Vec<String> {
        let Some(value) = self.text(name) else { return Vec::new() };
        match shlex::split(&value) {
            Some(words) => words,
            None => {
                self.reject(name, &value, "close the open quote");
                Vec::new()
            }
        }
    }

    fn conninfo(&mut self, name: &'static str, port: u16) -> String {
        let default = format!("user=replicator port={port}");
        let Some(value) = self.text(name) else { return default };
        match crate::pg::conninfo::Conninfo::parse(&value) {
            Ok(parsed) if parsed.get("host").is_some() || parsed.get("application_name").is_some() => {
                self.reject(name, &value, "leave out host and application_name: the agent sets them");
                default
            }
            Ok(_) => value,
            Err(error) => {
                self.reject(
                    name,
                    &value,
                    format!("give keyword=value pairs as in primary_conninfo ({error})"),
                );
                default
            }
        }
    }

    fn pairs(&mut self, name: &'static str) -> BTreeMap<String, String> {
        let Some(value) = self.text(name) else { return BTreeMap::new() };
        let pairs: Option<BTreeMap<String, String>> = value
            .split_whitespace()
            .map(|word| {
                let (node, address) = word.split_once('=')?;
                (!node.is_empty() && !address.is_empty()).then(|| (node.to_owned(), address.to_owned()))
            })
            .collect();
        match pairs {
            Some(pairs) => pairs,
            None => {
                self.reject(name, &value, "give pairs node=address, separated by blanks");
                BTreeMap::new()
            }
        }
    }

    /// Commits that wait for a hundred standbys are a slip of the finger.
    fn count(&mut self, name: &'static str) -> usize {
        let Some(value) = self.text(name) else { return 1 };
        match value.parse::<usize>() {
            Ok(count @ 1..=99) => count,
            _ => {
                self.reject(name, &value, "give a number of standbys from 1 to 99");
                1
            }
        }
    }

    fn choice<T: Copy>(&mut self, name: &'static str, default: T, choices: &[(&'static str, T)]) -> T {
        let Some(value) = self.text(name) else { return default };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == value) {
            return *choice;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.reject(name, &value, format!("give {}", words.join(" or ")));
        default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| (format!("OCF_RESKEY_{k}"), v.to_string())).collect()
    }

    #[test]
    fn pgdata_alone_is_enough() {
        let s = Settings::strict(&env(&[("pgdata", "/d")])).unwrap();
        assert_eq!(s.config_file, PathBuf::from("/d/postgresql.conf"));
        assert_eq!((s.pgport, s.maxlag, s.on_crash), (5432, None, OnCrash::Restart));
        assert_eq!(s.replication_conninfo, "user=replicator port=5432");
        assert_eq!(s.address_of("srv1"), "srv1");
    }

    #[test]
    fn a_path_has_no_slash_at_its_end() {
        let s = Settings::strict(&env(&[("pgdata", "/d//main/./")])).unwrap();
        assert_eq!(s.pgdata.as_os_str(), "/d/main");
    }

    #[test]
    fn every_bad_value_names_parameter_value_and_cure() {
        let bad = [
            ("pgdata", "relative/path"),
            ("bindir", "bin"),
            ("config_file", "postgresql.conf"),
            ("system_user", "root"),
            ("pghost", "localhost"),
            ("pgport", "0"),
            ("pgport", "65536"),
            ("start_opts", "-c 'a"),
            ("maxlag", "16MB"),
            ("replication_conninfo", "host=srv1 user=r"),
            ("addresses", "srv1"),
            ("on_crash", "panic"),
            ("on_diverged", "erase"),
            ("rejoin_max_loss", "1GB"),
            ("rejoin_max_rate", "31"),
            ("replication_slots", "true"),
            ("log_file", "log"),
        ];
        for (name, value) in bad {
            let mut pairs = vec![("pgdata", "/d")];
            pairs.retain(|(n, _)| *n != name);
            pairs.push((name, value));
            let error = Settings::strict(&env(&pairs)).unwrap_err();
            assert_eq!((error.parameter, error.value.as_deref()), (name, Some(value)));
            assert!(!error.cure.is_empty());
            assert_eq!(error.code(), OcfCode::ErrConfigured);
        }
    }

    #[test]
    fn a_password_in_a_refused_value_is_not_echoed() {
        for (name, value) in [
            ("replication_conninfo", "host=h user=u password=s3cret"),
            ("replication_conninfo", "user=u password=very s3cret"),
            ("replication_conninfo", "postgresql://u:s3cret@h"),
            ("start_opts", "-c primary_conninfo='password=s3cret"),
            ("addresses", "password=s3cret x"),
        ] {
            let error = Settings::strict(&env(&[("pgdata", "/d"), (name, value)])).unwrap_err();
            let (text, debug) = (error.to_string(), format!("{error:?}"));
            assert!(text.contains(name) && !text.contains("s3cret"), "{text}");
            assert!(!debug.contains("s3cret"), "{debug}");
        }
    }

    #[test]
    fn a_missing_pgdata_is_named_with_the_cure() {
        let text = Settings::strict(&env(&[("pgdata", " ")])).unwrap_err().to_string();
        assert!(text.contains("pgdata") && text.contains("pcs resource update"), "{text}");
    }

    #[test]
    fn tolerance_keeps_the_rest() {
        let (s, problems) =
            Settings::tolerant(&env(&[("pgdata", "/d"), ("pgport", "x"), ("maxlag", "5")])).unwrap();
        assert_eq!((s.pgport, s.maxlag), (5432, Some(5)));
        assert_eq!(problems.len(), 1);
    }
}
