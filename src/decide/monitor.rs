//! Is it running, and in which role?

use serde::{Deserialize, Serialize};

use crate::ocf::OcfCode;
use crate::pg::control_data::DbState;

use super::activity::Progress;
use super::clock::Time;
use super::disk::Disk;
use super::facts::{ProcessSummary, RunState, ServerAnswer};

/// What asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// "What is there?", before Pacemaker manages the instance.
    Probe,
    /// A recurring monitor.
    Recurring,
}

/// How a monitor ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MonitorOutcome {
    Promoted,
    Unpromoted,
    NotRunning,
    Failed,
    FailedPromoted,
}

impl MonitorOutcome {
    /// The exit code.
    pub const fn code(self) -> OcfCode {
        match self {
            MonitorOutcome::Promoted => OcfCode::RunningPromoted,
            MonitorOutcome::Unpromoted => OcfCode::Success,
            MonitorOutcome::NotRunning => OcfCode::NotRunning,
            MonitorOutcome::Failed => OcfCode::ErrGeneric,
            MonitorOutcome::FailedPromoted => OcfCode::FailedPromoted,
        }
    }
}

/// What may pass by itself, so that one monitor alone fails nothing for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hiccup {
    /// The server answered with an error of its own.
    Error,
    /// The login took longer than we have.
    Stall,
}

/// The decision, with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Look again: the answer may still come.
    Wait(&'static str),
    Finish(MonitorOutcome, &'static str),
    /// This outcome, by the control file, unless the last monitor ended so too: [`settle`].
    Once(MonitorOutcome, Hiccup),
}

/// How the last recurring monitor of this server ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastMonitor {
    #[default]
    Answered,
    /// By a hiccup.
    Unanswered,
}

/// One row for every combination of facts. `docs/agent-tables.md` prints it, a test enumerates it.
///
/// The reasons behind the rows:
/// - Whoever answers with its role is alive in that role, whatever else looks odd: a file that can't be read or a
///   broken configuration does not harm a healthy primary.
/// - A server that runs but can't tell its role (all connections taken, login refused) is judged by its control
///   file. It is a mistake of configuration or a load, not a failure.
/// - An error of the server's own (input/output, damage, memory, a cut connection) is what its clients get too. Once it may be a
///   hiccup; twice in a row it is a failure. So it is with a login that takes too long while the server goes on.
/// - With nothing running, the answer is *not running*, also where the control file says "in production": a probe on
///   a node that comes back after a crash must not call for a recovery (which fences the node again). After a crash in
///   place Pacemaker demotes and stops what is dead before it starts it; both find nothing and cost nothing.
/// - Children without a postmaster are not "not running": they may still write. Only `stop` ends them.
/// - A stopped postmaster (SIGSTOP) does not answer, however long we wait.
pub const fn decide(
    occasion: Occasion,
    time: Time,
    process: ProcessSummary,
    answer: ServerAnswer,
    state: Option<DbState>,
) -> Verdict {
    use MonitorOutcome as O;
    use Verdict::{Finish, Wait};
    match (process, answer) {
        (_, ServerAnswer::Primary) => Finish(O::Promoted, "takes connections as a primary"),
        (_, ServerAnswer::Standby) => Finish(O::Unpromoted, "takes connections as a standby"),
        (ProcessSummary::Unknown, _) => match time {
            Time::Left => Wait("the processes could not be examined"),
            Time::Over => Finish(O::Failed, "the processes could not be examined"),
        },
        (ProcessSummary::Absent, _) => Finish(O::NotRunning, absent_reason(occasion, state)),
        (ProcessSummary::Leftovers, _) => match state {
            Some(DbState::InProduction | DbState::ShuttingDown) => match occasion {
                Occasion::Recurring => {
                    Finish(O::FailedPromoted, "the postmaster is gone, its children still run")
                }
                Occasion::Probe => Finish(O::Failed, "the postmaster is gone, its children still run"),
            },
            _ => Finish(O::Failed, "the postmaster is gone, its children still run"),
        },
        (ProcessSummary::Alive(RunState::Stopped), _) => {
            Finish(O::Failed, "the postmaster is stopped (SIGSTOP) and does not answer")
        }
        (ProcessSummary::Alive(_), ServerAnswer::ColdStandby) => {
            Finish(O::Unpromoted, "a standby with hot_standby off")
        }
        (ProcessSummary::Alive(_), ServerAnswer::NoRole) => match (state, time) {
            (Some(DbState::InProduction), _) => {
                Finish(O::Promoted, "answers with an error; the control file says in production")
            }
            (Some(DbState::InArchiveRecovery), _) => {
                Finish(O::Unpromoted, "answers with an error; the control file says in archive recovery")
            }
            (_, Time::Left) => Wait("answers with an error, and the control file does not tell the role"),
            (_, Time::Over) => {
                Finish(O::Failed, "answers with an error, and the control file does not tell the role")
            }
        },
        (ProcessSummary::Alive(_), ServerAnswer::Failing) => match (state, time) {
            (Some(DbState::InProduction), _) => Verdict::Once(O::Promoted, Hiccup::Error),
            (Some(DbState::InArchiveRecovery), _) => Verdict::Once(O::Unpromoted, Hiccup::Error),
            (_, Time::Left) => {
                Wait("answers with an error of its own, and the control file does not tell the role")
            }
            (_, Time::Over) => Finish(O::Failed, FAILING),
        },
        (ProcessSummary::Alive(_), ServerAnswer::Recovering) => match (state, time) {
            (_, Time::Left) => Wait("starting up or in recovery"),
            (Some(DbState::InArchiveRecovery), Time::Over) => {
                Finish(O::Unpromoted, "a standby that is not yet consistent")
            }
            (_, Time::Over) => Finish(O::Failed, "still starting up or in crash recovery at our deadline"),
        },
        (ProcessSummary::Alive(_), ServerAnswer::ShuttingDown) => match time {
            Time::Left => Wait("shutting down"),
            Time::Over => Finish(O::Failed, "still shutting down at our deadline"),
        },
        (ProcessSummary::Alive(run_state), ServerAnswer::Silent | ServerAnswer::None) => {
            match (time, run_state) {
                (Time::Left, _) => Wait("the postmaster is alive but silent"),
                (Time::Over, RunState::Uninterruptible) => {
                    Finish(O::Failed, "no answer, and the postmaster waits for a device")
                }
                (Time::Over, _) => match (answer, state) {
                    (ServerAnswer::Silent, Some(DbState::InProduction)) => {
                        Verdict::Once(O::Promoted, Hiccup::Stall)
                    }
                    (ServerAnswer::Silent, Some(DbState::InArchiveRecovery)) => {
                        Verdict::Once(O::Unpromoted, Hiccup::Stall)
                    }
                    _ => Finish(O::Failed, SILENT),
                },
            }
        }
        (ProcessSummary::Alive(_), ServerAnswer::Refused) => match time {
            Time::Left => Wait("the postmaster is alive but nobody listens on its socket"),
            Time::Over => Finish(
                O::Failed,
                "the postmaster is alive but nobody listens on its socket: compare pghost and pgport with lines 4 and 5 \
                 of postmaster.pid",
            ),
        },
    }
}

const FAILING: &str = "answers every client with an error of its own";
const SILENT: &str = "the postmaster is alive but does not answer";

/// What a hiccup comes to: `outcome`, or a failure.
///
/// - A probe sees a server for the first time and remembers nothing: it takes no running server for failed because of one error.
/// - A stall counts as one only while the instance's processes run and its disk takes writes: where both stand still it hangs, and a
///   second look would only cost time.
/// - On a disk that takes no writes an error is the disk's. That one lowers the score, and a restart there helps nobody
///   ([`super::storage`]).
pub const fn settle(
    occasion: Occasion,
    outcome: MonitorOutcome,
    hiccup: Hiccup,
    last: LastMonitor,
    progress: Progress,
    disk: Disk,
) -> (MonitorOutcome, &'static str) {
    match (occasion, hiccup, last, progress) {
        (_, Hiccup::Stall, _, Progress::StandsStill) => (MonitorOutcome::Failed, SILENT),
        (Occasion::Recurring, Hiccup::Stall, LastMonitor::Unanswered, Progress::GoesOn) => {
            (MonitorOutcome::Failed, "does not answer for the second time in a row")
        }
        (Occasion::Recurring, Hiccup::Error, LastMonitor::Unanswered, _) if disk.is_fit() => {
            (MonitorOutcome::Failed, FAILING)
        }
        (_, Hiccup::Stall, _, Progress::GoesOn) => {
            (outcome, "no answer in time, but its processes go on; its role is by the control file")
        }
        (_, Hiccup::Error, _, _) => {
            (outcome, "an error instead of an answer; its role is by the control file")
        }
    }
}

const fn absent_reason(occasion: Occasion, state: Option<DbState>) -> &'static str {
    match (occasion, state) {
        (_, Some(DbState::ShutDown | DbState::ShutDownInRecovery)) => "cleanly stopped",
        (Occasion::Probe, _) => "not running; it was not shut down cleanly",
        (Occasion::Recurring, _) => "the server is gone without a shutdown: it crashed or was killed",
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::STATES;
    use super::*;

    fn all() -> impl Iterator<Item = (Occasion, Time, ProcessSummary, ServerAnswer, Option<DbState>, Verdict)>
    {
        [Occasion::Probe, Occasion::Recurring].into_iter().flat_map(|occasion| {
            [Time::Left, Time::Over].into_iter().flat_map(move |time| {
                ProcessSummary::ALL.into_iter().flat_map(move |process| {
                    ServerAnswer::ALL.into_iter().flat_map(move |answer| {
                        STATES.into_iter().map(move |state| {
                            (
                                occasion,
                                time,
                                process,
                                answer,
                                state,
                                decide(occasion, time, process, answer, state),
                            )
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn every_combination_keeps_the_laws() {
        let mut rows = 0;
        for (occasion, time, process, answer, state, verdict) in all() {
            rows += 1;
            let row = format!("{occasion:?} {time:?} {process:?} {answer:?} {state:?} -> {verdict:?}");
            match verdict {
                Verdict::Wait(reason) => {
                    assert_eq!(time, Time::Left, "waits past the deadline: {row}");
                    assert!(!reason.is_empty());
                }
                Verdict::Once(outcome, hiccup) => {
                    let tells = match outcome {
                        MonitorOutcome::Promoted => Some(DbState::InProduction),
                        MonitorOutcome::Unpromoted => Some(DbState::InArchiveRecovery),
                        _ => None,
                    };
                    assert!(tells.is_some() && tells == state, "a role without evidence: {row}");
                    let is_stall = answer == ServerAnswer::Silent && time == Time::Over;
                    let expected = if is_stall { Hiccup::Stall } else { Hiccup::Error };
                    assert!((is_stall || answer == ServerAnswer::Failing) && hiccup == expected, "{row}");
                    assert!(
                        matches!(
                            process,
                            ProcessSummary::Alive(RunState::Running | RunState::Uninterruptible)
                        ),
                        "{row}"
                    );
                }
                Verdict::Finish(outcome, reason) => {
                    assert!(!reason.is_empty(), "{row}");
                    match outcome {
                        MonitorOutcome::Promoted => assert!(
                            answer == ServerAnswer::Primary
                                || (answer == ServerAnswer::NoRole
                                    && state == Some(DbState::InProduction)
                                    && matches!(process, ProcessSummary::Alive(_))),
                            "promoted without evidence: {row}"
                        ),
                        MonitorOutcome::Unpromoted => assert!(
                            matches!(answer, ServerAnswer::Standby | ServerAnswer::ColdStandby)
                                || state == Some(DbState::InArchiveRecovery),
                            "unpromoted without evidence: {row}"
                        ),
                        MonitorOutcome::NotRunning => {
                            assert_eq!(
                                process,
                                ProcessSummary::Absent,
                                "not running while something runs: {row}"
                            );
                        }
                        MonitorOutcome::Failed | MonitorOutcome::FailedPromoted => {
                            assert!(
                                !matches!(answer, ServerAnswer::Primary | ServerAnswer::Standby),
                                "fails a server that answers: {row}"
                            );
                            assert!(
                                occasion == Occasion::Recurring || outcome == MonitorOutcome::Failed,
                                "a probe that calls for a demotion: {row}"
                            );
                        }
                    }
                }
            }
            if occasion == Occasion::Probe
                && process == ProcessSummary::Absent
                && !matches!(answer, ServerAnswer::Primary | ServerAnswer::Standby)
            {
                assert!(
                    matches!(verdict, Verdict::Finish(MonitorOutcome::NotRunning, _)),
                    "a probe after a crash that starts a fencing loop: {row}"
                );
            }
        }
        assert_eq!(rows, 2 * 2 * 6 * 10 * 8);
    }

    #[test]
    fn a_stopped_postmaster_is_never_waited_for() {
        let verdict = decide(
            Occasion::Recurring,
            Time::Left,
            ProcessSummary::Alive(RunState::Stopped),
            ServerAnswer::Silent,
            Some(DbState::InProduction),
        );
        assert!(matches!(verdict, Verdict::Finish(MonitorOutcome::Failed, _)));
    }

    #[test]
    fn a_hiccup_fails_the_second_monitor_in_a_row() {
        use MonitorOutcome::{Failed, Promoted};
        let of = |occasion, hiccup, last, progress| {
            settle(occasion, Promoted, hiccup, last, progress, Disk::Sound).0
        };
        let (probe, recurring) = (Occasion::Probe, Occasion::Recurring);
        for last in [LastMonitor::Answered, LastMonitor::Unanswered] {
            let again = if last == LastMonitor::Answered { Promoted } else { Failed };
            for progress in [Progress::GoesOn, Progress::StandsStill] {
                assert_eq!(of(recurring, Hiccup::Error, last, progress), again, "{last:?} {progress:?}");
                assert_eq!(of(probe, Hiccup::Error, last, progress), Promoted, "{last:?} {progress:?}");
            }
            assert_eq!(of(recurring, Hiccup::Stall, last, Progress::GoesOn), again, "{last:?}");
            assert_eq!(of(probe, Hiccup::Stall, last, Progress::GoesOn), Promoted, "{last:?}");
            for disk in Disk::ALL {
                let found = settle(recurring, Promoted, Hiccup::Error, last, Progress::StandsStill, disk).0;
                assert_eq!(found == Failed, last == LastMonitor::Unanswered && disk.is_fit(), "{disk:?}");
            }
            assert_eq!(of(recurring, Hiccup::Stall, last, Progress::StandsStill), Failed, "{last:?}");
            assert_eq!(of(probe, Hiccup::Stall, last, Progress::StandsStill), Failed, "{last:?}");
        }
    }

    #[test]
    fn a_full_primary_is_healthy() {
        let verdict = decide(
            Occasion::Recurring,
            Time::Over,
            ProcessSummary::Alive(RunState::Running),
            ServerAnswer::NoRole,
            Some(DbState::InProduction),
        );
        assert!(matches!(verdict, Verdict::Finish(MonitorOutcome::Promoted, _)));
    }
}
