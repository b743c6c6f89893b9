//! How an instance whose data can't follow the primary becomes its standby again: what is kept of the data first, and which way
//! they are replaced.
//!
//! `start` asks for it ([`wanted`]), the unit `quorate-rejoin@RESOURCE` does it, phase by phase ([`Phase`]), and writes down each phase
//! before it begins: whatever ends it, [`resume`] tells where the next run goes on, and [`at_start`] whether the data may be started.

mod kept;
mod line;
mod request;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::kept::{Commits, Kept, Range, commits, ranges, segments};
pub use self::line::{Common, common};
pub use self::request::{Request, request_attribute};

use super::cluster::{ClusterFacts, Manager};
use super::promotions::Record;
use crate::ocf::settings::OnDiverged;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
            Self::Rewinding | Self::Swapping | Self::Configuring => Data::Half,
            Self::Wanted
            | Self::Keeping
            | Self::Recovering
            | Self::AwaitingCheckpoint
            | Self::Copying
            | Self::Verifying
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
    /// pg_rewind has begun once: only a copy mends the directory.
    pub half: bool,
    /// The node that the data come from.
    pub source: Option<String>,
    /// How often it failed in a row.
    pub failures: u32,
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
        match self.phase {
            Phase::Manual => {
                let error = self.last_error.as_deref().unwrap_or("no reason is known");
                format!("manual: quorate rejoin {}: {error}", self.node)
            }
            Phase::Ended => {
                format!("ended: a standby again{from} by {}", self.way.program())
            }
            phase => format!("{phase}{from}{percent}"),
        }
    }
}

/// Where a run begins that finds the task in `phase`, and by which way it goes on.
///
/// A directory in which pg_rewind was interrupted may only be copied anew (its manual page). A copy that was not complete begins anew.
#[must_use]
pub const fn resume(phase: Phase, way: Way) -> (Phase, Way) {
    match (phase, way) {
        (Phase::Rewinding, _) => (Phase::Copying, Way::Copy),
        (Phase::Copying | Phase::Verifying, _) => (Phase::Copying, Way::Copy),
        (Phase::Swapping, way) => (Phase::Swapping, way),
        (Phase::Configuring, way) => (Phase::Configuring, way),
        (Phase::Starting, way) => (Phase::Starting, way),
        (Phase::Ended, way) => (Phase::Ended, way),
        (Phase::Manual, way) => (Phase::Manual, way),
        (Phase::Wanted | Phase::Keeping | Phase::Recovering | Phase::AwaitingCheckpoint, way) => {
            (Phase::Wanted, way)
        }
    }
}

/// Whether the unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    Runs,
    Absent,
}

/// Whether there is somebody to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primary {
    Known,
    Nobody,
}

/// Whether the cluster has a primary whose data may replace others: promoted and well by Pacemaker, and the last one on record. One that
/// was started by hand may pass for promoted.
#[must_use]
pub fn primary(cluster: Option<&ClusterFacts>, record: &Record) -> Primary {
    let Some(primary) = cluster.and_then(|cluster| cluster.primary.as_ref()) else { return Primary::Nobody };
    match record.last() {
        Some(last) if last.node != primary.node => Primary::Nobody,
        Some(_) | None => Primary::Known,
    }
}

/// What `start` does with a task that it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtStart {
    Launch,
    /// Nobody is there to follow, and the data are as they were: who is promoted is the election's business.
    Drop,
    /// The unit runs, or is started: wait a while.
    Await(Worker),
    Refuse(String),
}

/// Decides on a start while a rejoin is on record.
#[must_use]
pub fn at_start(task: Option<&Task>, worker: Worker, primary: Primary) -> AtStart {
    let Some(task) = task else { return AtStart::Launch };
    match (task.data(), task.phase, worker, primary) {
        (Data::Ready, _, Worker::Absent, _) => AtStart::Launch,
        // It only watches.
        (Data::Ready, Phase::Starting | Phase::Ended, Worker::Runs, _) => AtStart::Launch,
        (_, _, Worker::Runs, _) => AtStart::Await(Worker::Runs),
        (Data::Untouched, _, Worker::Absent, Primary::Nobody) => AtStart::Drop,
        (_, Phase::Manual, Worker::Absent, _) => AtStart::Refuse(task.summary()),
        (Data::Half, _, Worker::Absent, Primary::Nobody) => AtStart::Refuse(format!(
            "no primary to copy from: the data were half replaced ({}), they can't be started",
            task.phase
        )),
        (_, _, Worker::Absent, Primary::Known) => AtStart::Await(Worker::Absent),
    }
}

/// What follows a refusal to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The unit is asked to.
    Rejoin(Way),
    /// It stays with the refusal.
    Manual,
}

/// Whether the data are to be replaced by the primary's. Only where there is a primary that Pacemaker promoted: what it lacks of these
/// data is lost already, and is kept. `promoted_by_hand`: nobody of the cluster's has promoted it.
#[must_use]
pub const fn wanted(cause: Cause, policy: OnDiverged, primary: Primary, manager: Manager) -> Wanted {
    match (manager, primary, policy, cause) {
        (Manager::Nobody, ..) | (_, Primary::Nobody, ..) | (_, _, OnDiverged::Stop, _) => Wanted::Manual,
        (Manager::Pacemaker, Primary::Known, OnDiverged::Copy, _) => Wanted::Rejoin(Way::Copy),
        (Manager::Pacemaker, Primary::Known, OnDiverged::Rewind, Cause::Diverged | Cause::Asked) => {
            Wanted::Rejoin(Way::Rewind)
        }
        (Manager::Pacemaker, Primary::Known, OnDiverged::Rewind, Cause::Forked | Cause::Starved) => {
            Wanted::Rejoin(Way::Copy)
        }
    }
}

/// A start waits so long for a short rewind: its transition promotes nobody meanwhile.
const START_WAITS: Duration = Duration::from_secs(20);

/// How long a start waits for the unit. `left`: what the action has; the launch itself needs some of it.
#[must_use]
pub fn start_waits(left: Duration) -> Duration {
    START_WAITS.min(left / 2)
}

/// How often it is tried in a row.
const TRIES: u32 = 5;
/// Between two tries; doubled with each.
const PAUSE: Duration = Duration::from_secs(10);

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Again after this time, this way.
    Again(Duration, Way),
    /// A human has to look.
    Manual,
}

/// Whether it is worth another try. What failed by pg_rewind is copied, where pg_rewind's refusal is not of the moment.
#[must_use]
pub fn after_failure(failures: u32, phase: Phase, way: Way) -> AfterFailure {
    if failures >= TRIES {
        return AfterFailure::Manual;
    }
    let pause = PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1));
    match (phase, way) {
        (Phase::Recovering | Phase::Rewinding, Way::Rewind) => AfterFailure::Again(Duration::ZERO, Way::Copy),
        (_, way) => AfterFailure::Again(pause, way),
    }
}

/// Whether so much may be given up without a human. `most`: the parameter rejoin_max_loss; `None`: no limit.
///
/// # Errors
/// More than allowed, or nobody knows how much.
pub fn loss(bytes: Option<u64>, most: Option<u64>) -> Result<(), String> {
    match (bytes, most) {
        (_, None) => Ok(()),
        (Some(bytes), Some(most)) if bytes <= most => Ok(()),
        (Some(bytes), Some(most)) => Err(format!(
            "{bytes} bytes of WAL are not on the primary, more than rejoin_max_loss={most}: look at them, then rejoin with --accept-loss"
        )),
        (None, Some(most)) => Err(format!(
            "how much WAL is not on the primary can't be told, and rejoin_max_loss={most}: look, then rejoin with --accept-loss"
        )),
    }
}

#[cfg(test)]
mod tests;
