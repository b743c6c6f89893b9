//! What the agent can observe and do on a node: the seam between its shells and the world. [`super::node::Node`]
//! is the real one, [`super::fake::FakeHost`] a simulated one for tests of the shells.

use std::time::Duration;

use crate::cluster::crm_mon::Status;
use crate::decide::activity::Activity;
use crate::decide::clock::BootTime;
use crate::decide::disk::Trial;
use crate::decide::election::{Ballot, Fitness};
use crate::decide::facts::{Facts, RunState};
use crate::decide::history::{Entry, Evidence};
use crate::decide::memory::Memory;
use crate::decide::promotion_score::Score;
use crate::decide::promotions::Promotion;
use crate::decide::recovery::Recovery;
use crate::decide::rejoin::{Task, Worker};
use crate::decide::reported::{NodeReported, Reported};
use crate::decide::slots::{Change, Held};
use crate::decide::start::LaunchSetting;
use crate::decide::stop::{Stage, StopFacts};
use crate::decide::voters::{NodeVoters, Voters};
use crate::pg::history::Histories;
use crate::pg::lsn::Lsn;
use crate::pg::role::PgRole;
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::view::Answer;

pub use super::error::{HostError, HostResult};

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
    /// The node ends: journald writes it to the disk at once.
    Critical,
}

/// One instance of PostgreSQL on one node, and the cluster around it. No method waits longer than it is told to,
/// or than its own short deadline.
pub trait Host: Rejoining + Slotted + Telling {
    /// Begins a call that has to be over at this moment: Pacemaker's programs get no more time than is left.
    fn begin(&mut self, deadline: BootTime);
    /// Now.
    fn now(&self) -> BootTime;
    fn sleep(&mut self, wait: Duration);

    /// Processes, control file, and the server's word, for which it waits at most `patience`.
    fn look(&mut self, patience: Duration) -> Facts;
    /// The processes alone.
    fn stop_facts(&mut self) -> StopFacts;
    /// Whether a shutdown has written its checkpoint, and no WAL sender has anything left to send.
    fn is_handed_over(&mut self) -> bool {
        false
    }
    /// Waits until no process is left, at most so long.
    fn wait_gone(&mut self, wait: Duration);
    /// Signals the postmaster (fast, immediate) or everything (SIGKILL). Who is gone already is no trouble.
    fn send(&mut self, stage: Stage) -> HostResult<()>;

    /// A small write to each of the instance's file systems; with the directory. Waits at most so long, and leaves behind what hangs.
    fn try_writes(&mut self, patience: Duration) -> Vec<(String, Trial)>;

    /// What the instance's processes have done so far; `None`: they could not be looked at.
    fn activity(&mut self) -> Option<Activity> {
        None
    }
    /// The state of a process of the instance; `None` when it is gone, or can't be looked at.
    fn run_state(&mut self, pid: i32) -> Option<RunState>;

    /// Why this node is being reset, while it is: nothing may be started or promoted any more.
    fn resetting(&mut self) -> Option<String>;
    /// Whether everything is there that a start needs: programs, user, directories, versions.
    fn check_installation(&mut self) -> HostResult<()>;
    /// Writes `standby.signal`, and `primary_conninfo` where given.
    fn prepare_standby(&mut self, primary_conninfo: Option<&str>) -> HostResult<()>;
    /// Starts the server with these settings above those of its files.
    /// The server to be launched becomes a standby, and finds no locks of the one before; nothing else is changed.
    fn keep_standby_signal(&mut self) -> HostResult<()>;
    fn launch(&mut self, settings: &[LaunchSetting]) -> HostResult<()>;
    /// What the startup process does; `None`: there is none, or it can't be looked at.
    fn recovery(&mut self) -> Option<Recovery> {
        None
    }
    /// Whether PGDATA holds a base backup that was not started yet (`backup_label`).
    fn is_base_backup(&mut self) -> bool;
    /// The last lines that PostgreSQL wrote since the launch, in one line.
    fn log_tail(&mut self) -> String;
    /// Why the WAL receiver gave up last, by PostgreSQL's log; `None`: it does not tell.
    fn receiver_trouble(&mut self) -> Option<String> {
        None
    }
    /// Sets `primary_conninfo` of the running server by a reload.
    fn repoint(&mut self, primary_conninfo: &str) -> HostResult<()>;
    /// Makes timelines look taken, for PostgreSQL's choice of the next number; [`Self::prepare_standby`] takes it back.
    fn reserve_timelines(&mut self, timelines: &[Timeline]) -> HostResult<()>;
    /// Sets `synchronous_standby_names` of the running server by a reload; `None` leaves it to the operator's files again.
    fn set_synchronous(&mut self, names: Option<&str>) -> HostResult<()>;
    /// Tells the postmaster to promote.
    fn tell_to_promote(&mut self) -> HostResult<()>;
    /// Writes WAL and flushes it.
    fn prove_writable(&mut self, patience: Duration) -> HostResult<()>;
    fn checkpoint(&mut self, patience: Duration) -> HostResult<()>;
    /// The timeline histories in pg_wal.
    fn histories(&mut self) -> HostResult<Histories>;
    /// The highest timeline among the segments in pg_wal that hold the byte before `lsn`.
    fn segment_timeline(&mut self, lsn: Lsn) -> Option<Timeline>;

    /// Whether this node has the quorum, by corosync's votequorum itself: Pacemaker's status lags behind it.
    fn has_quorum(&mut self) -> HostResult<bool>;
    /// The cluster's status.
    fn cluster(&mut self) -> HostResult<Status>;
    /// The promotion score of a node.
    fn set_score(&mut self, node: &str, score: Score) -> HostResult<()>;
    fn delete_score(&mut self, node: &str) -> HostResult<()>;
    /// The score once more, where the CIB has lost it: pacemaker-attrd writes changes only.
    fn resend_score(&mut self, node: &str, score: Score) -> HostResult<()>;
    /// All promotion scores of this resource.
    fn scores(&mut self) -> HostResult<Vec<(String, Score)>>;
    /// Where the WAL in pg_wal ends, whatever the server says.
    fn wal_end(&mut self) -> HostResult<WalPosition>;
    /// Publishes this node's position for the election; `None` takes it back.
    fn vote(&mut self, ballot: Option<(WalPosition, Fitness)>) -> HostResult<()>;
    fn ballots(&mut self) -> HostResult<Vec<Ballot>>;
    /// Tells the cluster where this node's instance is in the WAL, for people.
    fn report(&mut self, reported: Reported) -> HostResult<()>;

    /// The promotions that pacemaker-attrd and the CIB know of.
    fn promotions(&mut self) -> HostResult<Vec<Promotion>>;
    /// Tells pacemaker-attrd of a promotion, as an attribute of each of these nodes: it outlives the one that was promoted.
    fn publish_promotion(&mut self, nodes: &[String], promotion: &Promotion) -> HostResult<()>;
    /// The records of who has the acknowledged commits that pacemaker-attrd knows of.
    fn voters(&mut self) -> HostResult<Vec<NodeVoters>>;
    /// Tells pacemaker-attrd of one, as an attribute of each of these nodes, and sees that it stands there: every member of the
    /// partition has it then.
    fn publish_voters(&mut self, nodes: &[String], voters: &Voters) -> HostResult<()>;
    /// Writes it to the CIB, which outlives all nodes. That aborts a transition that runs.
    fn keep_promotion(&mut self, promotion: &Promotion) -> HostResult<()>;
    /// Says that this instance is in safe mode and why, as a node attribute that `crm_mon -A` shows; `None` takes it back.
    fn set_safe_mode(&mut self, reason: Option<&str>) -> HostResult<()>;
    /// Takes the operator's approval of a node's data back: it holds for one promotion.
    fn end_approval(&mut self, node: &str) -> HostResult<()>;
    /// The promotion on whose WAL the data are, as it stands in PGDATA.
    fn branch_mark(&mut self) -> HostResult<Option<Promotion>>;
    /// Writes it, durably.
    fn mark_branch(&mut self, promotion: &Promotion) -> HostResult<()>;
    /// Tells how far the primary on `node` has written, for standbys that have just begun; `None` takes that back.
    fn announce(&mut self, node: &str, end: Option<WalPosition>) -> HostResult<()>;
    fn announced(&mut self, node: &str) -> HostResult<Option<WalPosition>>;

    /// What was remembered; a broken file is forgotten, with a log line.
    fn recall(&mut self) -> Memory;
    fn remember(&mut self, memory: &Memory) -> HostResult<()>;
    /// Tells the node's other programs what the instance is.
    fn record(&mut self, role: PgRole) -> HostResult<()>;
    /// Tells them that its end is wanted from now on.
    fn record_stopping(&mut self) -> HostResult<()>;
    /// What [`Self::record`] said of the postmaster that runs now; `None`: it is none that the agent started.
    fn recorded(&mut self) -> Option<PgRole>;
    /// Takes that back: nothing runs.
    fn forget(&mut self) -> HostResult<()>;
    fn log(&mut self, level: Level, line: &str);
}

/// Replication slots for the other members. A host without them refuses.
pub trait Slotted {
    /// The server's physical slots.
    fn slots(&mut self, _patience: Duration) -> HostResult<Held> {
        Err(HostError::unusable("this host has no replication slots"))
    }
    fn change_slot(&mut self, _change: &Change, _patience: Duration) -> HostResult<()> {
        Err(HostError::unusable("this host has no replication slots"))
    }
    /// Says for whom this server has slots.
    fn publish_slots(&mut self, _value: &str) -> HostResult<()> {
        Err(HostError::unusable("this host has no replication slots"))
    }
    /// What the instance on a node said of its slots.
    fn published_slots(&mut self, _node: &str) -> HostResult<Option<String>> {
        Ok(None)
    }
    /// Where the others are in the WAL.
    fn reported(&mut self) -> HostResult<Vec<NodeReported>> {
        Ok(Vec::new())
    }
    /// Sets `primary_slot_name` for the next start or reload, and says whether it was another one.
    fn use_slot(&mut self, _name: Option<&str>) -> HostResult<bool> {
        Ok(false)
    }
}

/// What the agent tells the members, for operators' commands. A host without members tells nothing.
pub trait Telling {
    /// Publishes how this server is.
    fn tell_state(&mut self, _answer: &Answer, _patience: Duration) -> HostResult<()> {
        Ok(())
    }
    /// Adds to this node's history, with what the members tell of theirs. Whether that changed it.
    fn note_history(&mut self, _entries: Vec<Entry>) -> HostResult<bool> {
        Ok(false)
    }
    /// What is known of why the primary before, `from`, is none any more: the fields of a fencing, a notice, an operator's wish; and the
    /// cluster.
    fn evidence(&mut self, _from: Option<&str>, _to: &str) -> (Evidence, Option<Status>) {
        (Evidence::default(), None)
    }
}

/// How the agent has data replaced that can't follow the primary. A host that has no such unit refuses.
pub trait Rejoining {
    /// The rejoin of this instance that is on record, and whether the unit works on it.
    fn rejoin(&mut self) -> HostResult<(Option<Task>, Worker)> {
        Ok((None, Worker::Absent))
    }
    /// Writes a rejoin down, and has systemd start the unit.
    fn ask_rejoin(&mut self, _task: &Task) -> HostResult<()> {
        Err(HostError::missing("this host has no unit quorate-rejoin@"))
    }
    /// Has systemd start the unit again.
    fn resume_rejoin(&mut self) -> HostResult<()> {
        Err(HostError::missing("this host has no unit quorate-rejoin@"))
    }
    /// Takes back one that has not touched the data.
    fn drop_rejoin(&mut self) -> HostResult<()> {
        Ok(())
    }
    /// Takes the operator's request for one back: it holds once.
    fn end_rejoin_request(&mut self) -> HostResult<()> {
        Ok(())
    }
    /// Says that no start waits for it any more.
    fn abandon_rejoin(&mut self) -> HostResult<()> {
        Ok(())
    }
    /// Seconds since 1970.
    fn wall_seconds(&mut self) -> u64 {
        0
    }
}
