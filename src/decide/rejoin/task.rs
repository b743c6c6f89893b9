//! One rejoin, as it stands on the disk.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::kept::Kept;

/// Why the data can't be used as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// They hold WAL past the point where the primary's timeline left theirs, or are of another line.
    Diverged,
    /// They went on by hand with the primary's own timeline: pg_rewind sees no difference there.
    Forked,
    /// The primary has not the WAL any more that comes next.
    Starved,
    /// An operator asked for it.
    Asked,
}

/// How they are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// pg_rewind: what differs.
    Rewind,
    /// pg_basebackup into a new directory.
    Copy,
}

impl Way {
    /// The program that does it.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Rewind => "pg_rewind",
            Self::Copy => "pg_basebackup",
        }
    }
}

/// The node attribute that says how far it is, for `crm_mon -A`.
#[must_use]
pub fn attribute(resource: &str) -> String {
    format!("quorate-rejoin-{resource}")
}

/// How far it is. Each is on the disk before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Asked for.
    Wanted,
    /// The WAL that the primary does not have is copied aside.
    Keeping,
    /// The data's own crash recovery: pg_rewind wants them shut down.
    Recovering,
    /// The primary's control file is still of before its promotion: pg_rewind would believe it.
    AwaitingCheckpoint,
    /// pg_rewind writes in the data directory.
    Rewinding,
    /// pg_basebackup writes beside it.
    Copying,
    /// The copy is compared with its manifest.
    Verifying,
    /// The old directory is renamed, then the new one.
    Swapping,
    /// The node's own settings, standby.signal.
    Configuring,
    /// The data are a standby's; Pacemaker starts it.
    Starting,
    /// It streams.
    Ended,
    /// It does not go on by itself; the task's last error says why.
    Manual,
}

/// What became of the data directory so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// As it was: it can be started.
    Untouched,
    /// Half replaced: starting it would show PostgreSQL a mixture of two servers.
    Half,
    /// A standby's.
    Ready,
}

impl Phase {
    /// All, in their order.
    pub const ALL: [Self; 12] = [
        Self::Wanted,
        Self::Keeping,
        Self::Recovering,
        Self::AwaitingCheckpoint,
        Self::Rewinding,
        Self::Copying,
        Self::Verifying,
        Self::Swapping,
        Self::Configuring,
        Self::Starting,
        Self::Ended,
        Self::Manual,
    ];

    /// What an operator reads.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Wanted => "waiting for a primary",
            Self::Keeping => "keeping the WAL that the primary does not have",
            Self::Recovering => "crash recovery of the old data",
            Self::AwaitingCheckpoint => "waiting for the primary's checkpoint",
            Self::Rewinding => "rewinding",
            Self::Copying => "copying",
            Self::Verifying => "verifying the copy",
            Self::Swapping => "renaming the directories",
            Self::Configuring => "writing the settings",
            Self::Starting => "ready, Pacemaker starts it",
            Self::Ended => "ended",
            Self::Manual => "manual",
        }
    }

    /// What the data directory holds when a run ended in this phase. `half`: whether an earlier one had begun to replace it.
    #[must_use]
    pub const fn data(self, half: bool) -> Data {
        match self {
            Self::Starting | Self::Ended => Data::Ready,
            Self::Configuring => Data::Half,
            Self::Wanted
            | Self::Keeping
            | Self::Recovering
            | Self::AwaitingCheckpoint
            | Self::Rewinding
            | Self::Copying
            | Self::Verifying
            | Self::Swapping
            | Self::Manual => {
                if half {
                    Data::Half
                } else {
                    Data::Untouched
                }
            }
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// One rejoin of one instance on one node, as it stands on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub resource: String,
    pub node: String,
    /// The agent's environment: its parameters, and the resource's name.
    pub environment: BTreeMap<String, String>,
    pub cause: Cause,
    /// In the agent's words.
    pub why: String,
    pub way: Way,
    pub phase: Phase,
    /// Its data directory has begun to be replaced: by pg_rewind, which only a copy mends, or by a rename.
    pub half: bool,
    /// The node that the data come from.
    pub source: Option<String>,
    /// How often it failed in a row, and how far it had come.
    pub failures: u32,
    #[serde(default)]
    pub failed_in: Option<Phase>,
    pub last_error: Option<String>,
    pub kept: Option<Kept>,
    /// By the operator.
    #[serde(default)]
    pub loss_accepted: bool,
    /// The old directory, until the new one streams.
    pub old: Option<String>,
    /// Seconds since 1970.
    pub asked: u64,
    /// The same; when the data were ready.
    pub ready: Option<u64>,
    /// Of the program that runs, percent.
    pub progress: Option<u8>,
}

impl Task {
    /// One that nobody has begun. `asked`: seconds since 1970.
    #[must_use]
    pub fn new(
        resource: &str,
        node: &str,
        environment: BTreeMap<String, String>,
        cause: Cause,
        way: Way,
        why: &str,
        asked: u64,
    ) -> Self {
        Self {
            resource: resource.to_owned(),
            node: node.to_owned(),
            environment,
            cause,
            why: why.to_owned(),
            way,
            phase: Phase::Wanted,
            half: false,
            source: None,
            failures: 0,
            failed_in: None,
            last_error: None,
            kept: None,
            loss_accepted: false,
            old: None,
            asked,
            ready: None,
            progress: None,
        }
    }

    /// What the data directory holds.
    #[must_use]
    pub const fn data(&self) -> Data {
        self.phase.data(self.half)
    }

    /// One line for an operator: what happens, from where, how far.
    #[must_use]
    pub fn summary(&self) -> String {
        let from = self.source.as_deref().map_or(String::new(), |source| format!(" from {source}"));
        let percent = self.progress.map_or(String::new(), |percent| format!(" {percent} %"));
        let last =
            self.last_error.as_deref().map_or(String::new(), |error| format!("; the last try: {error}"));
        match self.phase {
            Phase::Manual => {
                let error = self.last_error.as_deref().unwrap_or("no reason is known");
                format!("manual: quorate rejoin {}: {error}", self.node)
            }
            Phase::Ended => {
                format!("ended: a standby again{from} by {}", self.way.program())
            }
            Phase::Rewinding | Phase::Copying => format!("{}{from}{percent}{last}", self.phase),
            Phase::Wanted
            | Phase::Keeping
            | Phase::Recovering
            | Phase::AwaitingCheckpoint
            | Phase::Verifying
            | Phase::Swapping
            | Phase::Configuring
            | Phase::Starting => format!("{}{last}", self.phase),
        }
    }
}
