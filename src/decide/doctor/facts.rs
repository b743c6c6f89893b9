//! What the doctor knows, and from where.

use serde::Serialize;

use crate::cluster::checker::Checker;
use crate::cluster::cib::Cib;
use crate::cluster::corosync::key::Source;
use crate::cluster::corosync::tools::Votes;
use crate::cluster::sbd::{self, Sbd};
use crate::cluster::timing::{self, NoQuorumPolicy, Totem};
use crate::cluster::watchdog::Watchdogs;
use crate::cluster::watchdog_proof::{Outcome, ProofRecord};
use crate::pg::conf::Setting;

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

impl From<&Unknown> for Unknown {
    fn from(why: &Unknown) -> Self {
        why.clone()
    }
}

/// A fact, or why it is not known.
pub type Known<T> = Result<T, Unknown>;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// A file, or what was asked.
    pub file: String,
    /// Counted from 1; `None` where the value is not written down, or no file's.
    pub line: Option<usize>,
}

impl Place {
    /// A place without a line.
    #[must_use]
    pub fn of(file: &str) -> Self {
        Self { file: file.to_owned(), line: None }
    }

    /// A line of a file.
    #[must_use]
    pub fn line(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line) }
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    pub value: T,
    pub place: Place,
}

/// A file and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<T> {
    pub name: String,
    pub content: T,
}

/// All that rules may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub corosync: Known<Corosync>,
    pub cib: Known<File<Cib>>,
    /// One for each node that is known, this one's first.
    pub sbd: Known<Vec<File<Sbd>>>,
    /// One for each server.
    pub postgresql: Known<Vec<Server>>,
    pub surroundings: Surroundings,
    pub node: Node,
}

/// What no file of a node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The longest round trip between any two of the machines.
    pub rtt_ms: Known<u32>,
    /// How long a node takes from its reset until sbd starts.
    pub reboot_s: Known<u32>,
    /// The witness's data centre and those of the nodes.
    pub centres: Known<Centres>,
    /// The present time, in seconds since 1970: constraints have an end.
    pub now_s: Option<i64>,
}

/// Data centres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Centres {
    pub witness: String,
    pub nodes: Vec<String>,
}

/// What only a node that runs can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub votes: Known<Votes>,
    /// Whether the link to the quorum device's server is encrypted.
    pub encrypted: Known<bool>,
    pub certificates: Known<Vec<Certificate>>,
    /// systemd's RuntimeWatchdogUSec.
    pub systemd_watchdog: Known<String>,
    /// Whether systemd starts sbd with corosync.
    pub sbd_enabled: Known<bool>,
    /// What systemd starts as sbd, and with which environment.
    pub sbd_unit: Known<sbd::Unit>,
    /// Which of [`AT_BOOT`] systemd starts with the machine.
    pub at_boot: Known<Vec<Service>>,
    /// What systemd puts into Pacemaker's environment for SBD_SYNC_RESOURCE_STARTUP; `None` where it is not there.
    pub startup_sync: Known<Option<String>>,
    pub members: Known<Vec<Member>>,
    pub quorated: Known<Quorated>,
    /// The nodes whose self-fencing notices are kept here.
    pub self_fenced: Known<Vec<String>>,
    /// The disks under the instances' data and the cluster's state.
    pub disks: Known<Vec<Disk>>,
    pub watchdogs: Known<Watchdogs>,
    /// The last drill with the watchdog; `None`: there was none.
    pub watchdog_proof: Known<Option<WatchdogProof>>,
}

/// A drill with the watchdog, as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchdogProof {
    /// Its file.
    pub file: String,
    pub record: ProofRecord,
    pub outcome: Outcome,
    pub age_s: u64,
    pub is_old: bool,
}

impl WatchdogProof {
    /// In the present boot, at this time.
    #[must_use]
    pub fn of(file: &str, record: ProofRecord, boot: &str, now_s: u64) -> Self {
        Self {
            file: file.to_owned(),
            outcome: record.outcome(boot),
            age_s: record.age_s(now_s),
            is_old: record.is_old(now_s),
            record,
        }
    }
}

/// A disk under a directory, and the kernel's own patience with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The directory, as a finding names it.
    pub of: String,
    pub holds: DiskHolds,
    /// The kernel's name: sda.
    pub device: String,
    pub paths: DiskPaths,
    /// One request is waited for so long (queue/io_timeout).
    pub request_ms: u64,
}

/// What a disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskHolds {
    /// An instance's data.
    Data,
    /// What Pacemaker or corosync keep.
    State,
}

/// By how many ways a disk is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskPaths {
    One,
    /// By multipath.
    Several,
}

/// What has to start with the machine so that a node that was reset comes back by itself.
pub const AT_BOOT: [&str; 4] = ["corosync", "pacemaker", "corosync-qdevice", "quorated"];

/// A service, and whether systemd starts it with the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub name: &'static str,
    pub enabled: bool,
}

/// The watchdog checker on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is made for each report, and moved twice")]
pub enum Quorated {
    /// It has told of itself lately.
    Runs(Checker),
    /// It has never told, or not for some time: it does not run, or hangs.
    Silent,
}

/// A node as Pacemaker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub online: bool,
    /// For how long it has been away, where somebody remembers.
    pub away_s: Option<u64>,
}

/// A certificate of corosync-qdevice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub name: String,
    /// Seconds until it ends; negative: it has ended.
    pub left_s: i64,
}

/// corosync.conf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corosync {
    pub file: String,
    pub token: At<u32>,
    pub coefficient: At<u32>,
    pub consensus: Option<At<u32>>,
    pub nodes: Vec<crate::cluster::corosync::conf::Node>,
    pub provider: Option<At<String>>,
    pub expected_votes: Option<At<u32>>,
    /// The nodes whose votes are written down: their names and votes.
    pub node_votes: Vec<At<(String, String)>>,
    /// What encrypts what it sends, where it is written down.
    pub cipher: Option<At<String>>,
    /// Those of two_node, auto_tie_breaker and last_man_standing that are on.
    pub switches: Vec<At<String>>,
    /// allow_downscale, and system.sched_rr, where they are written down.
    pub downscale: Option<At<String>>,
    pub scheduling: Option<At<String>>,
    /// The device that corosync keeps alive itself.
    pub watchdog_device: Option<At<String>>,
    pub device: Option<Device>,
    /// Whether it authenticates what it receives.
    pub key: Source,
}

/// The quorum device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub place: Place,
    pub model: Option<At<String>>,
    pub timeout: At<u32>,
    pub sync_timeout: At<u32>,
    pub votes: Option<At<u32>>,
    pub algorithm: Option<At<String>>,
    pub tie_breaker: Option<At<String>>,
    pub host: Option<At<String>>,
    pub tls: At<String>,
    /// The heuristics' sync_timeout, where there are heuristics.
    pub heuristics: Option<At<u32>>,
    /// What the heuristics run (`exec_NAME`): names and commands.
    pub commands: Vec<At<(String, String)>>,
}

/// The settings of a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What a finding names where no file sets the value.
    pub name: String,
    /// In the order in which they were read: the last one of a name counts.
    pub settings: Vec<Setting>,
}

impl Server {
    /// The setting that counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<At<String>> {
        let found = self.settings.iter().rev().find(|s| s.name == name)?;
        let file = if found.file.is_empty() { &self.name } else { &found.file };
        Some(At { value: found.value.clone(), place: Place { file: file.clone(), line: found.line } })
    }
}

impl Corosync {
    /// The times of the membership.
    #[must_use]
    pub fn totem(&self) -> Totem {
        Totem {
            token_ms: self.token.value,
            coefficient_ms: self.coefficient.value,
            consensus_ms: self.consensus.as_ref().map(|c| c.value),
            nodes: self.node_count(),
        }
    }

    /// Members of the cluster.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }
}

impl File<Cib> {
    /// A cluster property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<At<String>> {
        let found = self.content.property(name)?;
        Some(At { value: found.value.clone(), place: Place::line(&self.name, found.line) })
    }
}

impl File<Sbd> {
    /// A variable as it counts, with what `SBD_OPTS` says in its place.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<At<String>> {
        let found = self.content.get(name)?;
        Some(At { value: found.value.clone(), place: self.place(found) })
    }

    /// Where an assignment stands.
    fn place(&self, found: &sbd::Assignment) -> Place {
        match found.line {
            Some(line) => Place::line(&self.name, line),
            None => Place::of(SBD_UNIT),
        }
    }
}

/// What tells of sbd's unit.
pub(super) const SBD_UNIT: &str = "systemctl show sbd.service";

impl Facts {
    /// What a partition without quorum does: Pacemaker's own where it is not set.
    pub(super) fn no_quorum_policy(&self) -> Known<NoQuorumPolicy> {
        match self.cib.as_ref()?.property("no-quorum-policy") {
            None => Ok(NoQuorumPolicy::Stop),
            Some(set) => NoQuorumPolicy::parse(&set.value)
                .ok_or_else(|| Unknown(format!("no-quorum-policy {:?} is unknown", set.value))),
        }
    }

    /// stonith-watchdog-timeout in seconds, where it is set to a time.
    pub(super) fn stonith_watchdog_s(&self) -> Known<At<u32>> {
        let not_set = || Unknown("stonith-watchdog-timeout is not set to a time".to_owned());
        let set = self.cib.as_ref()?.property("stonith-watchdog-timeout").ok_or_else(not_set)?;
        let ms = crate::cluster::cib::milliseconds(&set.value).filter(|ms| *ms > 0).ok_or_else(not_set)?;
        let value = u32::try_from(ms / 1000).map_err(|_| not_set())?;
        Ok(At { value, place: set.place })
    }

    /// sbd's watchdog timeouts of the nodes that are known, this node's first. [`super::read`] has checked the numbers.
    pub(super) fn watchdogs_s(&self) -> Known<Vec<At<u32>>> {
        Ok(self.sbd.as_ref()?.iter().map(watchdog_s).collect())
    }

    /// The longest of them.
    pub(super) fn watchdog_s(&self) -> Known<At<u32>> {
        let longest = self.watchdogs_s()?.into_iter().max_by_key(|w| w.value);
        longest.ok_or_else(|| Unknown("no sbd configuration is known".to_owned()))
    }

    /// Pacemaker's major and minor version, as the cluster wrote it down.
    pub(super) fn pacemaker_version(&self) -> Known<At<(u32, u32)>> {
        self.pacemaker_numbers(|numbers| match numbers {
            [major, minor, ..] => Some((*major, *minor)),
            _ => None,
        })
    }

    /// The same with the release.
    pub(super) fn pacemaker_release(&self) -> Known<At<(u32, u32, u32)>> {
        self.pacemaker_numbers(|numbers| match numbers {
            [major, minor, release, ..] => Some((*major, *minor, *release)),
            _ => None,
        })
    }

    fn pacemaker_numbers<T>(&self, take: impl FnOnce(&[u32]) -> Option<T>) -> Known<At<T>> {
        let unknown = |text: String| Unknown(text);
        let set =
            self.cib.as_ref()?.property("dc-version").ok_or_else(|| {
                unknown("the CIB does not tell Pacemaker's version (dc-version)".to_owned())
            })?;
        let numbers: Vec<u32> = set.value.split(['.', '-']).map_while(|n| n.parse().ok()).collect();
        match take(&numbers) {
            Some(value) => Ok(At { value, place: set.place }),
            None => Err(unknown(format!("dc-version {:?} is no version", set.value))),
        }
    }
}

/// sbd's parameter.
pub(super) const WATCHDOG: &str = "SBD_WATCHDOG_TIMEOUT";

/// sbd's watchdog timeout, its own where it is not set.
pub(super) fn watchdog_s(file: &File<Sbd>) -> At<u32> {
    let set = file.content.get(WATCHDOG);
    match set.and_then(|set| Some((set.value.parse().ok()?, file.place(set)))) {
        Some((value, place)) => At { value, place },
        None => At { value: timing::DEFAULT_WATCHDOG_S, place: Place::of(&file.name) },
    }
}
