//! What happens to a cluster in one run: its shape, and a list of acts with their times.

use std::fmt;

use quorate::ocf::{Policy, Preference, Sync as Managed};

use crate::rng::Rng;
use crate::wal::{Sync, name};
use crate::world::Millis;

/// The cluster's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub nodes: usize,
    pub witness: bool,
    pub sync: Sync,
    pub maxlag: Option<u64>,
    /// The agent's parameters for synchronous replication.
    pub policy: Policy,
}

/// The operator sets what he wants.
pub const UNMANAGED: Policy = Policy { sync: Managed::Off, count: 1, preference: Preference::Any };

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nodes", self.nodes)?;
        if self.witness {
            f.write_str(" and a witness")?;
        }
        match &self.sync {
            Sync::Off => {}
            sync => write!(f, ", synchronous_standby_names = {}", sync.text())?,
        }
        match self.policy.sync {
            Managed::Off | Managed::Unreadable => {}
            Managed::Prefer => write!(f, ", sync=prefer sync_count={}", self.policy.count)?,
            Managed::Strict => write!(f, ", sync=strict sync_count={}", self.policy.count)?,
        }
        self.maxlag.map_or(Ok(()), |maxlag| write!(f, ", maxlag={maxlag}"))
    }
}

/// One thing that somebody does, or that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    PowerOff(usize),
    /// Power, and the cluster's services.
    Boot(usize),
    CrashPostgres(usize),
    /// One node is cut off from the others and from the witness.
    Isolate(usize),
    /// Two nodes can't reach each other; the witness can be reached.
    Cut(usize, usize),
    Heal,
    KillAttrd(usize),
    /// Whatever action runs there is killed.
    KillAction(usize),
    Standby(usize),
    Unstandby(usize),
    StopCluster(usize),
    StartCluster(usize),
    /// Fail counts and failures are forgotten.
    Cleanup(usize),
    /// `pcs resource move`: not to be promoted there; and `clear`.
    Ban(usize),
    Unban(usize),
    AcceptLoss(usize),
    /// `pg_ctl promote` by hand.
    HandPromote(usize),
    /// `systemctl start postgresql`.
    HandStart(usize),
    /// A copy of another node's data without standby.signal, started once by hand, written to, stopped.
    ForkedCopy {
        from: usize,
        to: usize,
    },
    /// The same, and standby.signal is put there afterwards.
    ForkedStandby {
        from: usize,
        to: usize,
    },
    /// A base backup of another node, with standby.signal, as the operator's handbook has it.
    Rebuild {
        from: usize,
        to: usize,
    },
    /// An initdb of something else, its timeline a higher one.
    ForeignData(usize),
    /// /etc/hosts leads to the node itself.
    WrongAddress(usize),
    /// recovery_target_action = promote with a target that is reached.
    RecoveryTarget(usize),
    /// All connections are taken for a minute.
    Crowd(usize),
    /// The machine stands still for so many seconds, and goes on: a snapshot, a live migration, a host without processors.
    Freeze(usize, u64),
    /// So many records reach it in each tick; 0 takes the limit away.
    SlowLink(usize, usize),
}

impl Act {
    /// Only what breaks by itself, and what a careful operator does after it.
    pub const fn is_careful(self) -> bool {
        matches!(
            self,
            Act::PowerOff(_)
                | Act::Boot(_)
                | Act::CrashPostgres(_)
                | Act::Isolate(_)
                | Act::Cut(..)
                | Act::Heal
                | Act::KillAttrd(_)
                | Act::KillAction(_)
                | Act::StartCluster(_)
                | Act::Cleanup(_)
                | Act::SlowLink(..)
                | Act::Freeze(..)
        )
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |n: &usize| name(*n);
        match self {
            Act::PowerOff(a) => write!(f, "{} loses its power", n(a)),
            Act::Boot(a) => write!(f, "{} is switched on, its cluster services start", n(a)),
            Act::CrashPostgres(a) => write!(f, "the postmaster of {} is killed", n(a)),
            Act::Isolate(a) => write!(f, "{} is cut off from everybody", n(a)),
            Act::Cut(a, b) => write!(f, "{} and {} can't reach each other", n(a), n(b)),
            Act::Heal => f.write_str("the network is whole again"),
            Act::KillAttrd(a) => write!(f, "pacemaker-attrd of {} is killed", n(a)),
            Act::KillAction(a) => write!(f, "the action that runs on {} is killed", n(a)),
            Act::Standby(a) => write!(f, "pcs node standby {}", n(a)),
            Act::Unstandby(a) => write!(f, "pcs node unstandby {}", n(a)),
            Act::StopCluster(a) => write!(f, "pcs cluster stop {}", n(a)),
            Act::StartCluster(a) => write!(f, "pcs cluster start {}", n(a)),
            Act::Cleanup(a) => write!(f, "pcs resource cleanup node={}", n(a)),
            Act::Ban(a) => write!(f, "pcs resource ban --promoted {}", n(a)),
            Act::Unban(a) => write!(f, "pcs resource clear {}", n(a)),
            Act::AcceptLoss(a) => {
                write!(f, "an operator accepts the loss on {} (crm_attribute)", n(a))
            }
            Act::HandPromote(a) => write!(f, "pg_ctl promote by hand on {}", n(a)),
            Act::HandStart(a) => write!(f, "systemctl start postgresql by hand on {}", n(a)),
            Act::ForkedCopy { from, to } => write!(
                f,
                "{} gets a copy of {}'s data without standby.signal; it is started once by hand and written to",
                n(to),
                n(from)
            ),
            Act::ForkedStandby { from, to } => write!(
                f,
                "{} gets a copy of {}'s data, which is started once by hand and written to; then standby.signal",
                n(to),
                n(from)
            ),
            Act::Rebuild { from, to } => write!(f, "pg_basebackup by hand on {} from {}", n(to), n(from)),
            Act::ForeignData(a) => write!(f, "{} has the data of another cluster, on timeline 5", n(a)),
            Act::WrongAddress(a) => write!(f, "on {} the others' names lead to {0} itself", n(a)),
            Act::RecoveryTarget(a) => write!(f, "recovery_target_action = promote is left on {}", n(a)),
            Act::Crowd(a) => write!(f, "all connections of {} are taken for a minute", n(a)),
            Act::Freeze(a, seconds) => write!(f, "{} stands still for {seconds} s", n(a)),
            Act::SlowLink(a, 0) => write!(f, "the link to {} is fast again", n(a)),
            Act::SlowLink(a, rate) => write!(f, "the link to {} is slow: {rate} records in 20 ms", n(a)),
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub config: Config,
    /// Each with the seconds after the one before.
    pub acts: Vec<(Millis, Act)>,
}

/// Who may act in a random run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// Nobody but a careful operator.
    Careful,
    Anybody,
}

impl Plan {
    /// The plan of a seed.
    pub fn random(seed: u64, people: People) -> Plan {
        let mut rng = Rng::new(seed ^ 0xA5A5);
        let nodes = [2, 2, 2, 3, 3, 4][rng.index(6)];
        let sync = match (nodes, rng.below(3)) {
            (2, _) | (_, 0) => Sync::Off,
            (_, 1) => Sync::First(1, (0..nodes).collect()),
            (_, _) => Sync::Any(1, (0..nodes).collect()),
        };
        let witness = nodes % 2 == 0;
        // Of their own, so that what else happens in a run of that seed stays the same.
        let mut choices = Rng::new(seed ^ 0x5A5A);
        let (sync, policy) = match choices.below(5) {
            0 | 1 => (sync, UNMANAGED),
            2 | 3 => (Sync::Off, Policy { sync: Managed::Prefer, ..UNMANAGED }),
            _ => (Sync::Off, Policy { sync: Managed::Strict, ..UNMANAGED }),
        };
        let config = Config { nodes, witness, sync, maxlag: None, policy };
        let count = rng.between(3, 10);
        let mut acts = Vec::new();
        while (acts.len() as u64) < count {
            let act = random_act(&mut rng, nodes);
            if people == People::Anybody || act.is_careful() {
                acts.push((gap(&mut rng), act));
            }
        }
        Plan { seed, config, acts }
    }
}

/// Sometimes into the middle of what the one before set off, sometimes after it.
fn gap(rng: &mut Rng) -> Millis {
    match rng.below(4) {
        0 => rng.between(10, 1000),
        1 => rng.between(1000, 8000),
        _ => rng.between(8000, 45_000),
    }
}

fn random_act(rng: &mut Rng, nodes: usize) -> Act {
    let a = rng.index(nodes);
    let b = (a + 1 + rng.index(nodes - 1)) % nodes;
    match rng.below(30) {
        0..=3 => Act::PowerOff(a),
        4..=8 => Act::Boot(a),
        9..=10 => Act::CrashPostgres(a),
        11 => Act::Isolate(a),
        12 => Act::Cut(a, b),
        13..=14 => Act::Heal,
        15 => Act::KillAttrd(a),
        16 => Act::KillAction(a),
        17..=18 => Act::Standby(a),
        19..=20 => Act::Unstandby(a),
        21 => Act::StopCluster(a),
        22 => Act::StartCluster(a),
        23 => Act::Cleanup(a),
        24 => Act::Ban(a),
        25 => Act::Unban(a),
        26 => Act::HandPromote(a),
        27 => Act::HandStart(a),
        28 => match rng.below(7) {
            0 => Act::ForkedCopy { from: a, to: b },
            4 => Act::ForkedStandby { from: a, to: b },
            5..=6 => Act::Rebuild { from: a, to: b },
            1 => Act::WrongAddress(a),
            2 => Act::RecoveryTarget(a),
            _ => Act::AcceptLoss(a),
        },
        _ => match rng.below(5) {
            0 => Act::Crowd(a),
            1 => Act::SlowLink(a, 1),
            2..=3 => Act::Freeze(a, rng.between(1, 60)),
            _ => Act::SlowLink(a, 0),
        },
    }
}
