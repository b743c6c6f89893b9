//! The configuration file. Every value has a default that needs no change.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::boundary::host::{HostError, HostResult};
use crate::boundary::storage;
use crate::decide::detector::{Expected, Limits, Millis, RunningTotem};
use crate::decide::doctor::read::{self, Text};

/// Where it is looked for.
pub(super) const PATH: &str = "/etc/quorate/quorated.toml";
pub(super) const COROSYNC_CONF: &str = "/etc/corosync/corosync.conf";
/// Where corosync.conf can't be read: no cluster of ours takes as long to form, and the node is watched all the same.
const LONG_MEMBERSHIP: Millis = 60_000;
/// Below that a busy machine looks like one that hangs.
const LEAST_MS: u32 = 1000;

/// What the file may say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    pub(super) mode: Mode,
    /// A watchdog of our own, that neither sbd nor systemd has. Without it systemd's `WatchdogSec=` watches us.
    pub(super) watchdog_device: Option<PathBuf>,
    /// What Pacemaker and corosync write to. A directory that is not there is not watched.
    pub(super) state_directories: Vec<PathBuf>,
    /// A daemon that runs and does not answer hangs after so many seconds.
    pub(super) silent_s: u32,
    /// One that is stopped by a signal, after so many milliseconds.
    pub(super) stopped_ms: u32,
    /// A small write hangs after so many seconds.
    pub(super) storage_s: u32,
    /// One to a state directory, before the node is reset for it.
    pub(super) state_s: u32,
    /// A postmaster that is stopped by a signal, after so many milliseconds.
    pub(super) postmaster_ms: u32,
    /// No message comes through corosync for so many seconds. Not set: computed from corosync.conf.
    pub(super) membership_s: Option<u32>,
}

/// What follows from a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Act,
    /// Everything is said and nothing done: for a look at what would happen.
    Say,
}

impl Default for Config {
    fn default() -> Self {
        let limits = Limits::default();
        let ms = |value: Millis| u32::try_from(value).unwrap_or(u32::MAX);
        Self {
            mode: Mode::Act,
            watchdog_device: None,
            state_directories: ["/var/lib/pacemaker/cib", "/var/lib/corosync"].map(PathBuf::from).into(),
            silent_s: ms(limits.silent) / 1000,
            stopped_ms: ms(limits.stopped),
            storage_s: ms(limits.storage) / 1000,
            state_s: ms(limits.state) / 1000,
            postmaster_ms: ms(limits.postmaster),
            membership_s: None,
        }
    }
}

impl Config {
    /// Reads the file; none there is one of defaults. `given`: the file was named, so that it has to be there.
    ///
    /// # Errors
    /// What is wrong in it, with the line.
    pub(super) fn read(path: &Path, given: bool) -> HostResult<Self> {
        let text = match storage::read_text_if_there(path)? {
            Some(text) => text,
            None if given => return Err(HostError::missing(format!("{}: no such file", path.display()))),
            None => String::new(),
        };
        Self::parse(&text).map_err(|why| HostError::unusable(why).about(path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        let membership_ms = config.membership_s.map(|s| s.saturating_mul(1000));
        for (name, value, unit, per) in [
            ("silent_s", Some(config.silent_s.saturating_mul(1000)), "s", 1000),
            ("stopped_ms", Some(config.stopped_ms), "ms", 1),
            ("storage_s", Some(config.storage_s.saturating_mul(1000)), "s", 1000),
            ("state_s", Some(config.state_s.saturating_mul(1000)), "s", 1000),
            ("postmaster_ms", Some(config.postmaster_ms), "ms", 1),
            ("membership_s", membership_ms, "s", 1000),
        ] {
            if value.is_some_and(|ms| ms < LEAST_MS) {
                return Err(format!(
                    "{name} = {}: a machine that is short of processors looks like one that hangs then; \
                     at least {} {unit}",
                    value.unwrap_or_default() / per,
                    LEAST_MS / per
                ));
            }
        }
        Ok(config)
    }

    /// The detector's limits, and why that of the membership is a guess: it needs corosync.conf.
    pub(super) fn limits(&self) -> (Limits, Option<HostError>) {
        let (by_corosync, error) = match by_corosync(Path::new(COROSYNC_CONF)) {
            Ok(limits) => (limits, None),
            // With a limit of its own the membership is no guess.
            Err(_) if self.membership_s.is_some() => (ByCorosync::default(), None),
            Err(error) => (ByCorosync { totem: LONG_MEMBERSHIP, ..ByCorosync::default() }, Some(error)),
        };
        let limits = Limits {
            silent: Millis::from(self.silent_s) * 1000,
            stopped: self.stopped_ms.into(),
            totem: self.membership_s.map_or(by_corosync.totem, |seconds| Millis::from(seconds) * 1000),
            device: by_corosync.device,
            storage: Millis::from(self.storage_s) * 1000,
            state: Millis::from(self.state_s) * 1000,
            postmaster: self.postmaster_ms.into(),
            ..Limits::default()
        };
        (limits, error)
    }

    /// With the time for a membership as corosync runs: its file may have been edited since, and not reloaded.
    pub(super) fn as_it_runs(&self, limits: Limits, running: Option<RunningTotem>) -> Limits {
        let by = |running: RunningTotem| {
            Limits::totem(running.token_ms.saturating_add(running.consensus_ms), running.sync_ms)
        };
        match (self.membership_s, running) {
            (None, Some(running)) => Limits { totem: by(running), ..limits },
            (Some(_), _) | (None, None) => limits,
        }
    }
}

/// What follows from corosync.conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ByCorosync {
    totem: Millis,
    device: Millis,
    expected: Expected,
}

impl Default for ByCorosync {
    fn default() -> Self {
        let Limits { totem, device, .. } = Limits::default();
        Self { totem, device, expected: Expected::Everything }
    }
}

/// What of the cluster is configured on this node. Where that can't be read: everything may be.
pub(super) fn expected() -> Expected {
    by_corosync(Path::new(COROSYNC_CONF)).map_or(Expected::Everything, |by| by.expected)
}

fn by_corosync(conf: &Path) -> HostResult<ByCorosync> {
    let text = storage::read_text_if_there(conf)?;
    // Without it no corosync can run, and nothing is armed.
    let Some(text) = text else {
        return Ok(ByCorosync { expected: Expected::Nothing, ..ByCorosync::default() });
    };
    let text = Text { name: conf.display().to_string(), text };
    let conf = read::corosync(&text)?;
    let device = conf.device.as_ref();
    Ok(ByCorosync {
        totem: Limits::totem(conf.totem().recovery_ms(), device.map_or(0, |d| d.sync_timeout.value)),
        device: device.map_or(Limits::default().device, |d| Limits::device(d.timeout.value)),
        expected: if device.is_some() { Expected::Everything } else { Expected::WithoutDevice },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse(""), Ok(Config::default()));
        let config = Config::parse("mode = \"say\"\nsilent_s = 20\nmembership_s = 15\n").unwrap();
        assert_eq!((config.mode, config.silent_s), (Mode::Say, 20));
        assert_eq!(config.limits().0.totem, 15_000);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("silent = 3", "unknown field `silent`"),
            ("stopped_ms = 10", "stopped_ms = 10"),
            ("storage_s = 0", "at least 1 s"),
            ("mode = \"perhaps\"", "perhaps"),
            ("silent_s = -1", "-1"),
            ("x", "line 1"),
        ] {
            let why = Config::parse(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }

    #[test]
    fn a_membership_has_its_time_by_corosync_conf() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("corosync.conf");
        assert_eq!(by_corosync(&path).unwrap().expected, Expected::Nothing);
        let node = "node {\nring0_addr: a\n}\n";
        let text = format!("totem {{\ntoken: 10000\n}}\nnodelist {{\n{node}{node}}}\n");
        std::fs::write(&path, &text).unwrap();
        let without = by_corosync(&path).unwrap();
        assert_eq!((without.totem, without.expected), (25_000, Expected::WithoutDevice));
        let device =
            "quorum {\ndevice {\nmodel: net\ntimeout: 4000\nsync_timeout: 5000\nnet {\nhost: w\n}\n}\n}\n";
        std::fs::write(&path, text + device).unwrap();
        let with = by_corosync(&path).unwrap();
        assert_eq!((with.totem, with.device, with.expected), (30_000, 4000, Expected::Everything));
        std::fs::write(&path, "totem {").unwrap();
        assert!(by_corosync(&path).is_err());
    }

    #[test]
    fn a_file_that_was_edited_and_not_reloaded_does_not_count() {
        let running = RunningTotem { token_ms: 1000, consensus_ms: 1200, sync_ms: 3000 };
        let totem = |config: &Config, running| config.as_it_runs(Limits::default(), running).totem;
        assert_eq!(totem(&Config::default(), Some(running)), 8200);
        assert_eq!(totem(&Config::default(), None), Limits::default().totem);
        let set = Config { membership_s: Some(15), ..Config::default() };
        assert_eq!(totem(&set, Some(running)), Limits::default().totem, "what the operator set counts");
    }
}
