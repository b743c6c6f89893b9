//! What is seen of a node at one moment.

use std::path::PathBuf;

use super::subjects::Subject;
use crate::cluster::cib::Management;
use crate::cluster::cib::allowed::Barred;
use crate::cluster::timing::NoQuorumPolicy;
use crate::decide::clock::Millis;
use crate::decide::facts::RunState;
use crate::decide::promotion_score::Score;
use crate::decide::reset::{View, VoteCount};
use crate::pg::instance::{Instance, ProcessId};
use crate::pg::role::PgRole;

/// A unit of systemd, as it was asked when something began to look bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// It runs, and is to run.
    Active,
    /// It is started or stopped, by order.
    Changing,
    /// It is stopped, or failed. Its processes have ended: those that live are not its.
    Off,
    /// systemd did not answer, or said something else.
    Unknown,
}

/// What is known of the cluster's configuration without asking a daemon: from the CIB as it lies on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    pub maintenance: Maintenance,
    /// `None`: unknown, which is no permission to write without quorum.
    pub no_quorum_policy: Option<NoQuorumPolicy>,
    /// What Pacemaker is told to leave alone.
    pub management: Management,
    /// What it promotes nowhere on a node, by constraints, failures or health.
    pub barred: Vec<Barred>,
}

/// Whether Pacemaker is told to leave everything alone, without an if.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Maintenance {
    On,
    /// Off, or unknown.
    #[default]
    Off,
}

/// Everything that was seen at one moment.
#[derive(Debug, Clone)]
pub struct NodeSnapshot {
    /// Real time that went by since the last one, ms.
    pub elapsed: Millis,
    pub daemons: Vec<(Subject, DaemonObservation)>,
    /// Whether a thread of usual priority has had no processor lately.
    pub starved: bool,
    pub quorum: Quorum,
    pub instances: Vec<InstanceObservation>,
    pub places: Vec<PlaceObservation>,
    pub cluster: ClusterSettings,
    /// The answer to the last `Act::AskUnits`.
    pub units: Vec<(&'static str, Unit)>,
    /// Another member has this node fenced, by Pacemaker's decision: its name.
    pub request: Option<String>,
    /// corosync's id of this node.
    pub node_id: Option<u32>,
    pub votes: Option<VoteCount>,
    /// What is known of the resets of others.
    pub resets: View,
}

/// A daemon at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DaemonObservation {
    /// The process, and what the kernel says of it. A debugger's stop counts as beating: whoever debugs a daemon knows it.
    pub process: Option<(ProcessId, RunState)>,
    /// How many times it has answered so far.
    pub answers: u64,
    /// How many times in a row it has not, since the last answer.
    pub failures: u32,
    /// It could not even be asked, for want of something of this machine's.
    pub shortage: Option<Shortage>,
}

/// What is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// ENOSPC, EDQUOT: the shared memory of a connection finds no room.
    Space,
    /// EMFILE: this process has no descriptor left.
    OwnFiles,
    /// The daemon has none left, so that it takes no connection: any local user may hold a thousand of its sockets.
    DaemonFiles,
    /// ENFILE: the machine has none.
    Files,
    /// ENOMEM, ENOBUFS.
    Memory,
}

impl Shortage {
    /// With the errno, and what to do.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Space => {
                "ENOSPC, /dev/shm is full: df /dev/shm and ls -l /dev/shm say by whom; remove what fills it"
            }
            Self::OwnFiles => "EMFILE, too many open files: LimitNOFILE in systemctl edit quorated.service",
            Self::DaemonFiles => {
                "it has no descriptor left: ss -xp lists its connections, and by the peers' numbers the processes that hold \
                 them; end those"
            }
            Self::Files => {
                "ENFILE, the machine has no descriptor left: sysctl fs.file-nr, and raise fs.file-max"
            }
            Self::Memory => "ENOMEM, no memory: free -m says how much is left",
        }
    }
}

/// What votequorum said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    Quorate,
    Lost,
    /// It did not answer: see the watch on corosync itself.
    Unknown,
}

/// An instance as the agent left word of it, and its postmaster now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceObservation {
    pub instance: Instance,
    pub postmaster: PostmasterState,
    /// The promotion score that the agent wrote last; `None`: none, or it can't be read.
    pub score: Option<Score>,
}

/// What the kernel says of a postmaster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostmasterState {
    Runs,
    /// By a signal.
    Stopped,
    /// It is gone, and children of it are not: a busy one goes on, and commits, until it has nothing to do.
    Leftovers,
    /// Nothing of the server is left.
    Gone,
    /// The agent left no word of the process, or it can't be looked at.
    Unknown,
}

impl InstanceObservation {
    /// Whether it takes writes, or may be about to.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.instance.role == PgRole::Primary && self.postmaster != PostmasterState::Gone
    }

    /// Whether Pacemaker may promote it, as far as its score goes: one below zero is a standby that lacks commits or hangs behind.
    #[must_use]
    pub fn may_be_promoted(&self) -> bool {
        self.score.is_some_and(|score| !score.is_withdrawn())
    }
}

/// A directory into which a small write was made, or is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceObservation {
    pub path: PathBuf,
    pub content: Content,
    /// Whether a write is under way for longer than one takes.
    pub pending: bool,
    pub progress: Progress,
}

/// Whether the device below completes writes meanwhile, anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It does: it is busy, and our write waits its turn.
    Advances,
    Still,
    /// It does not tell: a file server's, for one.
    Unknown,
}

/// What lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// PostgreSQL's data or WAL.
    Data(PgRole),
    /// What Pacemaker or corosync write.
    State,
}
