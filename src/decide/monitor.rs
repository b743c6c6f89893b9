//! Is it running, and in which role?

use crate::ocf::OcfCode;
use crate::pg::control_data::DbState;

use super::clock::Time;
use super::facts::{Life, Pulse, Word};

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

/// The decision, with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Look again: the answer may still come.
    Wait(&'static str),
    Finish(MonitorOutcome, &'static str),
}

/// One row for every combination of facts. `docs/agent-tables.md` prints it, a test enumerates it.
///
/// The reasons behind the rows:
/// - Whoever answers with its role is alive in that role, whatever else looks odd: a file that can't be read or a
///   broken configuration does not harm a healthy primary.
/// - A server that runs but can't tell its role (all connections taken, login refused) is judged by its control
///   file. It is a mistake of configuration or a load, not a failure.
/// - With nothing running, the answer is *not running*, also where the control file says "in production": a probe on
///   a node that comes back after a crash must not call for a recovery (which fences the node again). After a crash in
///   place Pacemaker demotes and stops what is dead before it starts it; both find nothing and cost nothing.
/// - Children without a postmaster are not "not running": they may still write. Only `stop` ends them.
/// - A stopped postmaster (SIGSTOP) does not answer, however long we wait.
pub const fn decide(
    occasion: Occasion,
    time: Time,
    life: Life,
    word: Word,
    state: Option<DbState>,
) -> Verdict {
    use MonitorOutcome as O;
    use Verdict::{Finish, Wait};
    match (life, word) {
        (_, Word::Primary) => Finish(O::Promoted, "takes connections as a primary"),
        (_, Word::Standby) => Finish(O::Unpromoted, "takes connections as a standby"),
        (Life::Unknown, _) => match time {
            Time::Left => Wait("the processes could not be looked at"),
            Time::Spent => Finish(O::Failed, "the processes could not be looked at"),
        },
        (Life::Absent, _) => Finish(O::NotRunning, absent_reason(occasion, state)),
        (Life::Leftovers, _) => match state {
            Some(DbState::InProduction | DbState::ShuttingDown) => match occasion {
                Occasion::Recurring => {
                    Finish(O::FailedPromoted, "the postmaster is gone, its children still run")
                }
                Occasion::Probe => Finish(O::Failed, "the postmaster is gone, its children still run"),
            },
            _ => Finish(O::Failed, "the postmaster is gone, its children still run"),
        },
        (Life::Alive(Pulse::Stopped), _) => {
            Finish(O::Failed, "the postmaster is stopped (SIGSTOP) and does not answer")
        }
        (Life::Alive(_), Word::ColdStandby) => Finish(O::Unpromoted, "a standby with hot_standby off"),
        (Life::Alive(_), Word::Untold) => match (state, time) {
            (Some(DbState::InProduction), _) => {
                Finish(O::Promoted, "answers with an error; the control file says in production")
            }
            (Some(DbState::InArchiveRecovery), _) => {
                Finish(O::Unpromoted, "answers with an error; the control file says in archive recovery")
            }
            (_, Time::Left) => Wait("answers with an error, and the control file does not tell the role"),
            (_, Time::Spent) => {
                Finish(O::Failed, "answers with an error, and the control file does not tell the role")
            }
        },
        (Life::Alive(_), Word::Recovering) => match (state, time) {
            (_, Time::Left) => Wait("starting up or in recovery"),
            (Some(DbState::InArchiveRecovery), Time::Spent) => {
                Finish(O::Unpromoted, "a standby that is not yet consistent")
            }
            (_, Time::Spent) => Finish(O::Failed, "still starting up or in crash recovery at our deadline"),
        },
        (Life::Alive(_), Word::ShuttingDown) => match time {
            Time::Left => Wait("shutting down"),
            Time::Spent => Finish(O::Failed, "still shutting down at our deadline"),
        },
        (Life::Alive(pulse), Word::Silent | Word::None) => match (time, pulse) {
            (Time::Left, _) => Wait("the postmaster is alive but silent"),
            (Time::Spent, Pulse::Stuck) => Finish(O::Failed, "silent, and the postmaster waits for a device"),
            (Time::Spent, _) => Finish(O::Failed, "the postmaster is alive but does not answer"),
        },
        (Life::Alive(_), Word::Refused) => match time {
            Time::Left => Wait("the postmaster is alive but nobody listens on its socket"),
            Time::Spent => Finish(
                O::Failed,
                "the postmaster is alive but nobody listens on its socket: compare pghost and pgport with lines 4 and 5 \
                 of postmaster.pid",
            ),
        },
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

    fn all() -> impl Iterator<Item = (Occasion, Time, Life, Word, Option<DbState>, Verdict)> {
        [Occasion::Probe, Occasion::Recurring].into_iter().flat_map(|occasion| {
            [Time::Left, Time::Spent].into_iter().flat_map(move |time| {
                Life::ALL.into_iter().flat_map(move |life| {
                    Word::ALL.into_iter().flat_map(move |word| {
                        STATES.into_iter().map(move |state| {
                            (occasion, time, life, word, state, decide(occasion, time, life, word, state))
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn every_combination_keeps_the_laws() {
        let mut rows = 0;
        for (occasion, time, life, word, state, verdict) in all() {
            rows += 1;
            let row = format!("{occasion:?} {time:?} {life:?} {word:?} {state:?} -> {verdict:?}");
            match verdict {
                Verdict::Wait(reason) => {
                    assert_eq!(time, Time::Left, "waits past the deadline: {row}");
                    assert!(!reason.is_empty());
                }
                Verdict::Finish(outcome, reason) => {
                    assert!(!reason.is_empty(), "{row}");
                    match outcome {
                        MonitorOutcome::Promoted => assert!(
                            word == Word::Primary
                                || (word == Word::Untold
                                    && state == Some(DbState::InProduction)
                                    && matches!(life, Life::Alive(_))),
                            "promoted without evidence: {row}"
                        ),
                        MonitorOutcome::Unpromoted => assert!(
                            matches!(word, Word::Standby | Word::ColdStandby)
                                || state == Some(DbState::InArchiveRecovery),
                            "unpromoted without evidence: {row}"
                        ),
                        MonitorOutcome::NotRunning => {
                            assert_eq!(life, Life::Absent, "not running while something runs: {row}");
                        }
                        MonitorOutcome::Failed | MonitorOutcome::FailedPromoted => {
                            assert!(
                                !matches!(word, Word::Primary | Word::Standby),
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
                && life == Life::Absent
                && !matches!(word, Word::Primary | Word::Standby)
            {
                assert!(
                    matches!(verdict, Verdict::Finish(MonitorOutcome::NotRunning, _)),
                    "a probe after a crash that starts a fencing loop: {row}"
                );
            }
        }
        assert_eq!(rows, 2 * 2 * 6 * 9 * 8);
    }

    #[test]
    fn a_stopped_postmaster_is_never_waited_for() {
        let verdict = decide(
            Occasion::Recurring,
            Time::Left,
            Life::Alive(Pulse::Stopped),
            Word::Silent,
            Some(DbState::InProduction),
        );
        assert!(matches!(verdict, Verdict::Finish(MonitorOutcome::Failed, _)));
    }

    #[test]
    fn a_full_primary_is_healthy() {
        let verdict = decide(
            Occasion::Recurring,
            Time::Spent,
            Life::Alive(Pulse::Beating),
            Word::Untold,
            Some(DbState::InProduction),
        );
        assert!(matches!(verdict, Verdict::Finish(MonitorOutcome::Promoted, _)));
    }
}
