//! What `quorate status` is made from, and what it says.

use serde::Serialize;

use super::super::doctor::facts::{Facts, Known};
use super::super::doctor::{Report, Severity};
use super::super::recover::Outlook;
use super::super::reported::NodeReported;
use crate::cluster::crm_mon::Status;
use crate::pg::lsn::Lsn;
use crate::pg::view::Answer;

/// What was seen from one node.
#[derive(Debug)]
pub struct Seen<'a> {
    /// This node.
    pub host: &'a str,
    /// Seconds since 1970.
    pub now: u64,
    pub status: &'a Known<Status>,
    pub facts: &'a Facts,
    pub report: &'a Report,
    /// What corosync-qdevice is connected to, where a quorum device is configured.
    pub connected: Known<bool>,
    /// Whether sbd runs here.
    pub sbd_runs: Known<bool>,
    /// The servers that Pacemaker has, by resource, and what is known of each.
    pub servers: Vec<SeenServer>,
    /// What rejoins have put aside on this node: directories and bytes of WAL.
    pub kept: Known<(usize, u64)>,
}

/// What is known of one resource.
#[derive(Debug)]
pub struct SeenServer {
    pub resource: String,
    /// How the server on this node is.
    pub answer: Known<Answer>,
    /// Where the agents say that their instances are.
    pub reported: Known<Vec<NodeReported>>,
    /// Who has which data, and what ends an outage; looked at where nobody is promoted.
    pub outlook: Option<Outlook>,
    /// The sessions of this node's primary whose commits wait for a standby.
    pub waits: Known<Waits>,
    /// What this node's WAL receiver said when it gave up.
    pub trouble: Option<String>,
}

/// Sessions whose commits wait for a synchronous standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Waits {
    pub sessions: u32,
    /// The longest, in seconds.
    pub longest_s: u64,
}

/// How the cluster is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Healthy,
    /// The service goes on, and something is wrong.
    Degraded,
    /// No quorum, no primary, or commits that hang.
    Down,
    /// Nobody could tell.
    Unknown,
}

impl Health {
    /// Monitoring programs take these four.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Degraded => 1,
            Self::Down => 2,
            Self::Unknown => 3,
        }
    }
}

/// All of it, for people and programs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    pub health: Health,
    pub seen_from: String,
    pub quorate: Option<bool>,
    pub dc: Option<String>,
    pub votes: Option<Votes>,
    /// In words.
    pub quorum_device: String,
    pub fencing: String,
    /// sbd's device here, and the last drill with it.
    pub watchdog: String,
    pub quorated: String,
    /// What the loss of one node more would mean, in words.
    pub one_more_loss: String,
    /// Commits that wait for a standby, in words; of each primary that runs here.
    pub commits: Vec<String>,
    /// What rejoins have put aside here, in words.
    pub kept: Option<String>,
    pub members: Vec<Member>,
    pub servers: Vec<Server>,
    pub issues: Vec<Issue>,
}

/// Votes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Votes {
    pub expected: Option<u32>,
    pub present: Option<u32>,
    pub needed: Option<u32>,
}

/// A node.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    pub name: String,
    /// Whether corosync.conf has it.
    pub expected: bool,
    /// Its site, as the node's attribute says.
    pub site: Option<String>,
    /// In a word: `online`, `OFFLINE`, `UNCLEAN`, `standby`, `pending`, `unknown`.
    pub state: &'static str,
    pub away_s: Option<u64>,
}

/// One instance on one node.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    pub resource: String,
    pub node: String,
    /// Pacemaker's word; `-` where it runs nothing there.
    pub role: String,
    pub timeline: Option<u32>,
    pub lsn: Option<Lsn>,
    /// Bytes behind the primary.
    pub lag_bytes: Option<u64>,
    /// As its agent told at its last monitor, and not as it is now.
    pub is_reported: bool,
    /// `streaming`, or why not.
    pub replication: Option<String>,
    /// Its part in synchronous replication.
    pub sync: Option<String>,
    /// Whom a standby streams from; known on its own node.
    pub upstream: Option<String>,
    pub score: Option<i32>,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    pub severity: Severity,
    pub what: String,
    pub cure: String,
}
