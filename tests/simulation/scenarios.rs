//! The losses that were seen with real clusters, one after the other, as plans.

use quorate::ocf::{Policy, Sync as Managed};

use crate::plan::{Act, Config, Plan, UNMANAGED};
use crate::wal::Sync;
use crate::world::Breach;

/// A loss that was seen, and what comes of it with the agent as it is.
pub struct Scenario {
    /// The name of its transcript.
    pub name: &'static str,
    pub about: &'static str,
    /// `None`: nothing is lost any more.
    pub breach: Option<Breach>,
    pub plan: fn() -> Plan,
}

const CLASSIC: Config = Config { nodes: 2, witness: true, sync: Sync::Off, maxlag: None, policy: UNMANAGED };

const PREFER: Policy = Policy { sync: Managed::Prefer, ..UNMANAGED };

fn plan(config: Config, acts: &[(u64, Act)]) -> Plan {
    Plan { seed: 1, config, acts: acts.iter().map(|(seconds, act)| (seconds * 1000, *act)).collect() }
}

/// All of them. The primary is srv1 when the acts begin.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "standby-then-power-off-then-unstandby",
        about: "The primary's node goes on standby, the new primary acknowledges and loses its power; the first one comes back.",
        breach: None,
        plan: || plan(CLASSIC, &[(0, Act::Standby(0)), (30, Act::PowerOff(1)), (20, Act::Unstandby(0))]),
    },
    Scenario {
        name: "hand-promote",
        about: "A standby is promoted by hand beside the true primary: its timeline is the higher one.",
        breach: None,
        plan: || plan(CLASSIC, &[(0, Act::HandPromote(1)), (60, Act::CrashPostgres(0))]),
    },
    Scenario {
        name: "forked-copy",
        about: "A standby is made anew without -R, started once by hand and written to: WAL of its own on the primary's own timeline.",
        breach: None,
        plan: || {
            plan(
                CLASSIC,
                &[
                    (0, Act::Standby(1)),
                    (10, Act::ForkedCopy { from: 0, to: 1 }),
                    (2, Act::Unstandby(1)),
                    (40, Act::PowerOff(0)),
                ],
            )
        },
    },
    Scenario {
        name: "one-timeline-twice",
        about: "Two nodes that do not meet are promoted one after the other, the second by the operator's acceptance: both on timeline 3.",
        breach: None,
        plan: || {
            plan(
                CLASSIC,
                &[
                    (0, Act::PowerOff(0)),
                    (40, Act::PowerOff(1)),
                    (5, Act::Boot(0)),
                    (20, Act::AcceptLoss(0)),
                    (40, Act::Boot(1)),
                    (60, Act::PowerOff(0)),
                ],
            )
        },
    },
    Scenario {
        name: "unknown-lag",
        about: "A standby that was away connects to the primary again and is a full candidate before it knows how far it is behind.",
        breach: None,
        plan: || {
            plan(
                CLASSIC,
                &[
                    (0, Act::Standby(1)),
                    (0, Act::SlowLink(1, 1)),
                    (60, Act::Unstandby(1)),
                    (4, Act::PowerOff(0)),
                ],
            )
        },
    },
    Scenario {
        name: "hand-start-former-primary",
        about: "A former primary is started by hand before its cluster services: a probe finds it promoted.",
        breach: None,
        plan: || {
            plan(CLASSIC, &[(0, Act::StopCluster(0)), (30, Act::HandStart(0)), (3, Act::StartCluster(0))])
        },
    },
    Scenario {
        name: "foreign-datadir",
        about: "A cold start of three, of which one has another cluster's data on a higher timeline.",
        breach: None,
        plan: || {
            plan(
                Config { nodes: 3, witness: false, ..CLASSIC },
                &[
                    (0, Act::PowerOff(2)),
                    (1, Act::ForeignData(2)),
                    (20, Act::PowerOff(1)),
                    (0, Act::PowerOff(0)),
                    (10, Act::Boot(0)),
                    (0, Act::Boot(1)),
                    (0, Act::Boot(2)),
                ],
            )
        },
    },
    Scenario {
        name: "busy-voter",
        about: "ANY 1 of two: the one that acknowledged is full of clients and votes with its WAL, the other one is not promoted.",
        breach: None,
        plan: || {
            plan(
                Config { nodes: 3, witness: false, sync: Sync::Any(1, vec![1, 2]), ..CLASSIC },
                &[(0, Act::Cut(0, 1)), (5, Act::Crowd(2)), (1, Act::PowerOff(0))],
            )
        },
    },
    Scenario {
        name: "pair",
        about: "The primary and the standby that acknowledged die together; the others have quorum, not the commits.",
        breach: None,
        plan: || {
            plan(
                Config { nodes: 4, witness: true, policy: PREFER, ..CLASSIC },
                &[(0, Act::Cut(0, 2)), (0, Act::Cut(0, 3)), (5, Act::PowerOff(0)), (0, Act::PowerOff(1))],
            )
        },
    },
    Scenario {
        name: "pair-and-attrd",
        about: "As pair, and pacemaker-attrd of the others began anew right before: with the pair the record is gone.",
        breach: None,
        plan: || {
            plan(
                Config { nodes: 4, witness: true, policy: PREFER, ..CLASSIC },
                &[
                    (0, Act::Cut(0, 2)),
                    (0, Act::Cut(0, 3)),
                    (5, Act::KillAttrd(2)),
                    (0, Act::KillAttrd(3)),
                    (0, Act::PowerOff(0)),
                    (0, Act::PowerOff(1)),
                ],
            )
        },
    },
    Scenario {
        name: "pair-then-one-returns",
        about: "As pair; then the standby that acknowledged comes back, and after it the primary.",
        breach: None,
        plan: || {
            plan(
                Config { nodes: 4, witness: true, policy: PREFER, ..CLASSIC },
                &[
                    (0, Act::Cut(0, 2)),
                    (0, Act::Cut(0, 3)),
                    (5, Act::PowerOff(0)),
                    (0, Act::PowerOff(1)),
                    (40, Act::Heal),
                    (0, Act::Boot(1)),
                    (60, Act::Boot(0)),
                ],
            )
        },
    },
    Scenario {
        name: "alone-then-standby-returns",
        about: "sync=prefer: the standby is away, the primary acknowledges alone and loses its power; the standby comes back first.",
        breach: None,
        plan: || {
            plan(
                Config { policy: PREFER, ..CLASSIC },
                &[(0, Act::PowerOff(1)), (60, Act::PowerOff(0)), (5, Act::Boot(1)), (60, Act::Boot(0))],
            )
        },
    },
    Scenario {
        name: "pair-by-hand",
        about: "FIRST 1 of three, set by hand: nobody keeps a record, and the pair takes what it acknowledged along.",
        breach: Some(Breach::Lost),
        plan: || {
            plan(
                Config { nodes: 4, witness: true, sync: Sync::First(1, vec![1, 2, 3]), ..CLASSIC },
                &[(0, Act::Cut(0, 2)), (0, Act::Cut(0, 3)), (5, Act::PowerOff(0)), (0, Act::PowerOff(1))],
            )
        },
    },
    Scenario {
        name: "wrong-address",
        about: "On the standby the primary's name leads to the standby itself: it streams from itself, 0 bytes behind.",
        breach: None,
        plan: || {
            plan(
                CLASSIC,
                &[
                    (0, Act::WrongAddress(1)),
                    (0, Act::Standby(1)),
                    (10, Act::Unstandby(1)),
                    (40, Act::PowerOff(0)),
                ],
            )
        },
    },
    Scenario {
        name: "recovery-target-left",
        about: "A recovery target with the action promote is left in postgresql.auto.conf: the demoted primary promotes itself.",
        breach: None,
        plan: || {
            plan(
                CLASSIC,
                &[(0, Act::RecoveryTarget(0)), (0, Act::Ban(0)), (20, Act::Unban(0)), (40, Act::PowerOff(1))],
            )
        },
    },
    Scenario {
        name: "freeze",
        about: "The primary's machine stands still for longer than the others wait, and goes on with what it was about to do.",
        breach: None,
        plan: || plan(CLASSIC, &[(0, Act::Freeze(0, 40))]),
    },
    Scenario {
        name: "freeze-of-the-candidate",
        about: "The primary is lost, and the one that is being promoted stands still meanwhile: a third one is promoted, it goes on.",
        breach: None,
        plan: || {
            plan(
                Config { nodes: 4, policy: PREFER, ..CLASSIC },
                &[(0, Act::PowerOff(0)), (12, Act::Freeze(1, 25)), (60, Act::Boot(0))],
            )
        },
    },
    Scenario {
        name: "rebuilt-by-hand",
        about: "A former primary is rebuilt by hand while its node is on standby; the new primary acknowledges more and loses its power.",
        breach: None,
        plan: || {
            plan(
                CLASSIC,
                &[
                    (0, Act::Standby(0)),
                    (30, Act::Rebuild { from: 1, to: 0 }),
                    (30, Act::PowerOff(1)),
                    (20, Act::Unstandby(0)),
                ],
            )
        },
    },
    Scenario {
        name: "forked-copy-with-signal",
        about: "As forked-copy, and then somebody puts standby.signal there: it streams, and is ahead of its primary.",
        breach: None,
        plan: || {
            plan(
                CLASSIC,
                &[
                    (0, Act::Standby(1)),
                    (10, Act::ForkedStandby { from: 0, to: 1 }),
                    (0, Act::Unstandby(1)),
                    (40, Act::PowerOff(0)),
                ],
            )
        },
    },
];
