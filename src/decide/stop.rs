//! How a server is brought down: fast, then immediate, then SIGKILL for everything that is left.

use std::time::Duration;

use crate::pg::control_data::DbState;
use crate::pg::view::Answer;

use super::disk::Disk;
use super::facts::{Process, RunState, Signal};

/// What was sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Nothing,
    Fast,
    Immediate,
    Killed,
}

/// What one look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopFacts {
    pub process: Process,
    /// Children that are stopped by a signal: they can't react to a shutdown, and the postmaster waits for them.
    pub stopped_children: usize,
    pub node_reset: NodeReset,
    /// How far a fast shutdown has come.
    pub shutdown: Shutdown,
}

/// How far a fast shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    UnderWay,
    /// pg_control says that it is shut down, and no WAL sender is left: each standby that was connected has its end. Since when.
    HandedOver(Duration),
}

/// What is left then (an archive_command, a backup's last file) gets so long where clients wait for the next primary; `None`: as long as
/// the shutdown. A shutdown fills its last segment with a switch, so that an archiver that works always has one to send; one that is
/// cut short is sent by nobody any more: the instance goes on as a standby, and its segment is no new one for the next primary.
pub const fn after_handover(purpose: Purpose) -> Option<Duration> {
    match purpose {
        Purpose::Demote => Some(Duration::from_secs(10)),
        Purpose::Stop | Purpose::StopStandby | Purpose::StopNow => None,
    }
}

/// What `quorated` says of a reset of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeReset {
    /// It wants one and holds it back: no other node is well enough to go on. The disks of all hang, as in an array's failover.
    HeldBack,
    /// It wants none, or it has not told lately.
    NotHeldBack,
}

/// Why the server is brought down: decides how long a clean shutdown may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    Stop,
    /// A standby, which has nothing to hand over.
    StopStandby,
    /// The demotion needs time afterwards to start the standby.
    Demote,
    /// A primary without quorum and without standbys: an immediate shutdown writes no more WAL.
    StopNow,
}

/// What Pacemaker's plan has for an instance that is brought down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It is among those that are started: a restart.
    Start,
    /// It is among those that are stopped: a recovery.
    Stop,
    Neither,
}

/// What becomes of the promotion score of an instance that stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreOfStopped {
    /// In a restart it stays: without it Pacemaker would choose another primary meanwhile.
    Stays,
    /// Pacemaker drops the score of a node that leaves by itself, and of no other.
    Deleted,
}

pub const fn score_of_stopped(planned: Planned) -> ScoreOfStopped {
    match planned {
        Planned::Start => ScoreOfStopped::Stays,
        Planned::Stop | Planned::Neither => ScoreOfStopped::Deleted,
    }
}

/// Whether standby.signal is written after the end. One that was killed is left as it is: without the file the next start knows that it
/// was a primary.
#[must_use]
pub fn leaves_signal(state: Option<DbState>, signal: Signal) -> bool {
    state == Some(DbState::ShutDown) && signal == Signal::Missing
}

/// Whether the disk is tried once more before a shutdown: a stuck one may answer again by now, and then the shutdown is an orderly one.
pub const fn tries_disk(last: Disk) -> bool {
    match last {
        Disk::Stuck => true,
        Disk::Sound | Disk::Slow | Disk::Full | Disk::ReadOnly | Disk::Broken => false,
    }
}

/// What a stop is for, as long as nothing else is known.
pub const fn usual_purpose(answer: Option<&Answer>) -> Purpose {
    match answer {
        Some(Answer::Standby(_)) => Purpose::StopStandby,
        _ => Purpose::Stop,
    }
}

/// Whether it has to be asked for quorum before a shutdown: a primary that no standby streams from.
pub fn asks_for_quorum(answer: Option<&Answer>) -> bool {
    matches!(answer, Some(Answer::Primary(view)) if !view.standbys.iter().any(|s| s.state == "streaming"))
}

/// How such a primary is brought down. `quorate`: what the cluster says, `None` where it says nothing.
///
/// Without quorum the other side may promote: a shutdown checkpoint that no standby received would make this data
/// diverge from it.
pub const fn purpose_without_quorum(usual: Purpose, quorate: Option<bool>) -> Purpose {
    match quorate {
        Some(false) => Purpose::StopNow,
        Some(true) | None => usual,
    }
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is left.
    Done,
    /// Send this to the postmaster (fast: SIGINT, immediate: SIGQUIT) or to every process (SIGKILL).
    Send(Stage, &'static str),
    /// Wait for what was sent.
    Wait,
    /// The time is up, and SIGKILL did not help: a process hangs in the kernel. Fencing has to do it.
    GiveUp(&'static str),
}

/// The moments, as parts of the budget, at which the next stage begins.
///
/// A fast shutdown writes a checkpoint and waits until every connected standby has all WAL: that is what makes a
/// switchover lossless, so it gets the most. An immediate one only has to signal its children. A standby's WAL is all from
/// its primary; but where another standby streams from it that is ahead of it, as after a lost election, its fast shutdown
/// waits for ever: the sender wants a confirmation of exactly what it sent.
const fn bounds(purpose: Purpose) -> (u32, u32) {
    match purpose {
        Purpose::Stop => (60, 80),
        Purpose::StopStandby => (10, 50),
        Purpose::Demote => (40, 55),
        Purpose::StopNow => (0, 30),
    }
}

/// What survives SIGKILL so long on a disk that is stuck survives until the disk answers. Nothing here can end it: the sooner the
/// action fails, the sooner the node is fenced and the standby promoted. But where `quorated` has asked the others and nobody well would
/// go on, a failed stop has a node fenced for nothing: the disk is waited for as long as the action has time.
pub const UNKILLABLE: Duration = Duration::from_secs(3);

/// The next step, given how much of the budget has passed since the beginning.
pub fn decide(
    purpose: Purpose,
    facts: &StopFacts,
    disk: Disk,
    sent: Stage,
    elapsed: Duration,
    budget: Duration,
) -> Step {
    let (immediate_at, kill_at) = bounds(purpose);
    let past = |percent: u32| elapsed >= budget * percent / 100;
    match &facts.process {
        Process::Absent => Step::Done,
        _ if past(100) => Step::GiveUp(
            "processes survive SIGKILL: they hang in the kernel, on a device that does not answer",
        ),
        _ if sent == Stage::Killed
            && disk == Disk::Stuck
            && elapsed >= UNKILLABLE
            && facts.node_reset == NodeReset::NotHeldBack =>
        {
            Step::GiveUp("processes survive SIGKILL: the disk is stuck, they wait for it in the kernel")
        }
        _ if sent == Stage::Killed => Step::Wait,
        _ if disk == Disk::Stuck => {
            Step::Send(Stage::Killed, "the disk is stuck: a shutdown could not write its checkpoint")
        }
        Process::Leftovers(_) => Step::Send(Stage::Killed, "the postmaster is gone, its children still run"),
        Process::Alive(RunState::Stopped) => {
            Step::Send(Stage::Killed, "the postmaster is stopped (SIGSTOP) and can't react to a shutdown")
        }
        Process::Alive(_) if facts.stopped_children > 0 => Step::Send(
            Stage::Killed,
            "a child of the postmaster is stopped (SIGSTOP): a shutdown would wait for it for ever",
        ),
        _ if past(kill_at) => Step::Send(Stage::Killed, "the immediate shutdown did not end in its time"),
        _ if past(immediate_at) && sent < Stage::Immediate => Step::Send(
            Stage::Immediate,
            match purpose {
                Purpose::StopNow => "without quorum and standbys: no more WAL is to be written",
                Purpose::Stop | Purpose::StopStandby | Purpose::Demote => {
                    "the fast shutdown did not end in its time"
                }
            },
        ),
        _ if sent == Stage::Nothing => Step::Send(Stage::Fast, "asked to stop"),
        _ if sent == Stage::Fast
            && matches!((facts.shutdown, after_handover(purpose)), (Shutdown::HandedOver(since), Some(most)) if since >= most) =>
        {
            Step::Send(
                Stage::Immediate,
                "pg_control says shut down and no standby waits for WAL: what is left, such as an archive_command that hangs, is ended; \
                 look whether the last segment is in the archive",
            )
        }
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::lsn::Lsn;
    use crate::pg::timeline::Timeline;
    use crate::pg::view::{ConnectedStandby, PrimaryView, SyncState};

    const BUDGET: Duration = Duration::from_secs(100);

    fn facts(process: Process, stopped_children: usize) -> StopFacts {
        let (node_reset, shutdown) = (NodeReset::NotHeldBack, Shutdown::UnderWay);
        StopFacts { process, stopped_children, node_reset, shutdown }
    }

    fn all_facts() -> Vec<StopFacts> {
        let mut all = Vec::new();
        for process in [
            Process::Absent,
            Process::Leftovers(3),
            Process::Alive(RunState::Running),
            Process::Alive(RunState::Stopped),
            Process::Alive(RunState::Uninterruptible),
            Process::Unknown("x".into()),
        ] {
            for stopped in [0, 2] {
                for node_reset in [NodeReset::NotHeldBack, NodeReset::HeldBack] {
                    for shutdown in [Shutdown::UnderWay, Shutdown::HandedOver(Duration::from_secs(2))] {
                        all.push(StopFacts { node_reset, shutdown, ..facts(process.clone(), stopped) });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn a_signal_is_left_to_who_was_shut_down_alone() {
        for state in [DbState::ShutDown, DbState::ShutDownInRecovery, DbState::InProduction] {
            for signal in [Signal::Missing, Signal::Present] {
                let leaves = state == DbState::ShutDown && signal == Signal::Missing;
                assert_eq!(leaves_signal(Some(state), signal), leaves, "{state:?} {signal:?}");
            }
        }
        assert!(!leaves_signal(None, Signal::Missing));
    }

    /// The laws: done exactly when nothing is left; no step backwards; within the budget everything that is left
    /// gets SIGKILL; after it only waiting, and the end has a deadline.
    #[test]
    fn only_a_restart_keeps_its_score() {
        for planned in [Planned::Start, Planned::Stop, Planned::Neither] {
            let stays = score_of_stopped(planned) == ScoreOfStopped::Stays;
            assert_eq!(stays, planned == Planned::Start, "{planned:?}");
        }
        assert!(Disk::ALL.iter().all(|disk| tries_disk(*disk) == (*disk == Disk::Stuck)));
    }

    #[test]
    fn every_combination_keeps_the_laws() {
        for purpose in [Purpose::Stop, Purpose::StopStandby, Purpose::Demote, Purpose::StopNow] {
            for facts in all_facts() {
                for disk in Disk::ALL {
                    for sent in [Stage::Nothing, Stage::Fast, Stage::Immediate, Stage::Killed] {
                        for second in 0..=101 {
                            let step =
                                decide(purpose, &facts, disk, sent, Duration::from_secs(second), BUDGET);
                            let row =
                                format!("{purpose:?} {facts:?} {disk:?} {sent:?} {second}s -> {step:?}");
                            assert_eq!(step == Step::Done, facts.process == Process::Absent, "{row}");
                            let hopeless = disk == Disk::Stuck
                                && sent == Stage::Killed
                                && second >= 3
                                && facts.node_reset == NodeReset::NotHeldBack;
                            match step {
                                Step::Send(stage, _) => assert!(stage > sent, "backwards: {row}"),
                                Step::Wait => {
                                    assert!(second < 100 && !hopeless, "{row}");
                                    assert!(
                                        sent == Stage::Killed || second < 80,
                                        "hangs without SIGKILL: {row}"
                                    );
                                    assert!(
                                        sent == Stage::Killed || disk != Disk::Stuck,
                                        "waits for a stuck disk: {row}"
                                    );
                                }
                                Step::GiveUp(_) => assert!(second >= 100 || hopeless, "{row}"),
                                Step::Done => {}
                            }
                        }
                    }
                }
            }
        }
    }

    /// A stop that fails has the node fenced. Where the disks of all nodes hang nobody goes on for it, and they come back.
    #[test]
    fn a_stuck_disk_is_waited_for_while_nobody_would_go_on() {
        let second = Duration::from_secs;
        let step = |node_reset, at| {
            let facts = StopFacts { node_reset, ..facts(Process::Leftovers(2), 0) };
            decide(Purpose::Stop, &facts, Disk::Stuck, Stage::Killed, second(at), BUDGET)
        };
        assert!(matches!(step(NodeReset::NotHeldBack, 3), Step::GiveUp(_)));
        assert_eq!(step(NodeReset::HeldBack, 3), Step::Wait);
        assert_eq!(step(NodeReset::HeldBack, 99), Step::Wait);
        assert!(matches!(step(NodeReset::HeldBack, 100), Step::GiveUp(_)), "within its time");
    }

    #[test]
    fn a_server_that_can_not_react_is_killed_at_once() {
        for f in [
            facts(Process::Alive(RunState::Stopped), 0),
            facts(Process::Alive(RunState::Running), 1),
            facts(Process::Leftovers(1), 0),
        ] {
            let step = decide(Purpose::Stop, &f, Disk::Sound, Stage::Nothing, Duration::ZERO, BUDGET);
            assert!(matches!(step, Step::Send(Stage::Killed, _)), "{f:?} {step:?}");
        }
    }

    #[test]
    fn only_a_primary_without_quorum_and_standbys_is_abandoned() {
        let primary = |state: Option<&str>| {
            let standbys = state.map(|state| ConnectedStandby {
                application_name: "srv2".into(),
                state: state.into(),
                sync_state: SyncState::Async,
                sent: None,
                flush: None,
                connection: crate::pg::view::Connection::default(),
            });
            Answer::Primary(PrimaryView {
                lsn: Lsn(1),
                timeline: Timeline::FIRST,
                standbys: standbys.into_iter().collect(),
                synchronous_standby_names: String::new(),
            })
        };
        assert!(asks_for_quorum(Some(&primary(None))));
        assert!(asks_for_quorum(Some(&primary(Some("catchup")))));
        assert!(!asks_for_quorum(Some(&primary(Some("streaming")))), "a switchover asks nothing");
        assert!(!asks_for_quorum(None));
        assert_eq!(purpose_without_quorum(Purpose::Demote, Some(false)), Purpose::StopNow);
        assert_eq!(purpose_without_quorum(Purpose::Demote, Some(true)), Purpose::Demote);
        assert_eq!(purpose_without_quorum(Purpose::Stop, None), Purpose::Stop);
    }

    #[test]
    fn a_standby_waits_for_nobody() {
        let f = facts(Process::Alive(RunState::Running), 0);
        let after =
            |s, sent| decide(Purpose::StopStandby, &f, Disk::Sound, sent, Duration::from_secs(s), BUDGET);
        assert!(matches!(after(0, Stage::Nothing), Step::Send(Stage::Fast, _)));
        assert_eq!(after(9, Stage::Fast), Step::Wait);
        assert!(matches!(after(10, Stage::Fast), Step::Send(Stage::Immediate, _)));
        assert_eq!(usual_purpose(Some(&crate::decide::samples::idle_standby())), Purpose::StopStandby);
        assert_eq!(usual_purpose(None), Purpose::Stop, "what does not answer may be a primary");
    }

    #[test]
    fn what_outlives_the_handover_is_not_waited_for() {
        let step = |shutdown, sent| {
            let facts = StopFacts { shutdown, ..facts(Process::Alive(RunState::Running), 0) };
            decide(Purpose::Demote, &facts, Disk::Sound, sent, Duration::from_secs(3), BUDGET)
        };
        let over = |ms| Shutdown::HandedOver(Duration::from_millis(ms));
        assert_eq!(step(Shutdown::UnderWay, Stage::Fast), Step::Wait);
        assert_eq!(step(over(9_999), Stage::Fast), Step::Wait, "an archive_command usually ends by itself");
        assert!(matches!(step(over(10_000), Stage::Fast), Step::Send(Stage::Immediate, _)));
        assert_eq!(step(over(9000), Stage::Immediate), Step::Wait);
        // A former shutdown's control file says nothing of this one.
        assert!(matches!(step(over(9000), Stage::Nothing), Step::Send(Stage::Fast, _)));
    }

    #[test]
    fn a_healthy_server_is_asked_first() {
        let f = facts(Process::Alive(RunState::Running), 0);
        assert!(matches!(
            decide(Purpose::Stop, &f, Disk::Sound, Stage::Nothing, Duration::ZERO, BUDGET),
            Step::Send(Stage::Fast, _)
        ));
        assert_eq!(
            decide(Purpose::Stop, &f, Disk::Sound, Stage::Fast, Duration::from_secs(10), BUDGET),
            Step::Wait
        );
    }
}
