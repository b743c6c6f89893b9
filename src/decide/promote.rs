//! A standby becomes the primary: election, promotion, proof.

use crate::ocf::notify::Plan;
use crate::pg::control_data::DbState;
use crate::pg::view::{Answer, Rejection};

use super::clock::Millis;
use super::facts::{Facts, ProcessSummary, RunState, Signal};
use super::promotions::{Promotion, Record};

/// Why nobody is promoted beside another one: promoted-max was raised while the instances ran. With 1 Pacemaker plans no two.
pub fn second_primary(plan: &Plan, node: &str, promoted_max: Option<usize>) -> Option<String> {
    let max = promoted_max.filter(|max| *max > 1)?;
    let other = plan.other_primary(node)?;
    Some(format!(
        "the clone's meta attribute promoted-max is {max}, {other} is the primary, and PostgreSQL has one: \
         pcs resource meta CLONE promoted-max=1"
    ))
}

/// Who was promoted since the record was read for a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meanwhile {
    Nobody,
    Another,
    /// It can't be read; why.
    Unknown(String),
}

/// Compares the record that was `read` with what stands there `now`. `planned`: what this node may have put there itself.
#[must_use]
pub fn meanwhile(read: &Record, now: &Record, planned: Option<&Promotion>) -> Meanwhile {
    match now {
        Record::Unread(why) => Meanwhile::Unknown(why.clone()),
        Record::Last(last) if planned.is_some_and(|own| own.id == last.id) => Meanwhile::Nobody,
        now if now == read => Meanwhile::Nobody,
        Record::Last(_) | Record::Empty | Record::Contradictory(..) => Meanwhile::Another,
    }
}

/// A standby that is full of clients or hangs is waited for so long before it is launched anew, in milliseconds: it may have been chosen
/// because it alone has the last commits, and one that gives up is restarted and has lost what it knew.
pub const DEAF: Millis = 5_000;

/// Whether the server that is to be promoted is launched anew because it does not answer.
pub fn launches_anew(facts: &Facts, waited: Millis) -> bool {
    let is_standby = facts.signal == Signal::Present && facts.state() == Some(DbState::InArchiveRecovery);
    let is_busy =
        matches!(facts.answer, Some(Answer::Silent { .. } | Answer::Rejects(Rejection::TooManyConnections)));
    is_standby
        && match facts.process_summary() {
            ProcessSummary::Alive(RunState::Stopped) => true,
            ProcessSummary::Alive(RunState::Running) => is_busy && waited >= DEAF,
            // A device that hangs does not let it end.
            ProcessSummary::Alive(RunState::Uninterruptible)
            | ProcessSummary::Absent
            | ProcessSummary::Leftovers
            | ProcessSummary::Unknown => false,
        }
}

/// How far a promotion has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Not elected yet.
    Begun,
    /// The election is won.
    Elected,
    /// The postmaster was told.
    Told,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Elect,
    /// Tell the postmaster to promote.
    Tell,
    Wait(&'static str),
    /// It says that it is a primary: prove that it takes a write.
    Prove,
    Fail(String),
}

/// Decides on a look.
pub fn decide(facts: &Facts, progress: Progress, time_over: bool) -> Step {
    match (facts.process_summary(), &facts.answer) {
        (_, Some(Answer::Primary(_))) => Step::Prove,
        (ProcessSummary::Absent | ProcessSummary::Leftovers, _) => {
            Step::Fail("the server does not run; it has to be started as a standby first".into())
        }
        (ProcessSummary::Unknown, _) => Step::Fail("the processes could not be examined".into()),
        (ProcessSummary::Alive(RunState::Stopped), _) => {
            Step::Fail("the postmaster is stopped (SIGSTOP)".into())
        }
        (ProcessSummary::Alive(_), Some(Answer::Standby(_))) => match progress {
            Progress::Begun => Step::Elect,
            Progress::Elected => Step::Tell,
            Progress::Told if time_over => {
                Step::Fail("the server was told to promote, but is still in recovery at our deadline".into())
            }
            Progress::Told => Step::Wait("replays what it received, then becomes the primary"),
        },
        (ProcessSummary::Alive(_), _) if time_over => Step::Fail(format!(
            "the server does not tell its role at our deadline ({})",
            facts.server_answer().text()
        )),
        (ProcessSummary::Alive(_), _) => Step::Wait("the server does not tell its role yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Control, Process};
    use super::*;
    use crate::decide::samples::{control, idle_standby, position};

    #[test]
    fn a_promotion_that_is_tried_again_is_not_put_over_another_one() {
        let promotion = |text: &str| text.parse::<Promotion>().expect("a promotion");
        let last = promotion("4:3:7:-:-:0000000a::srv1");
        let planned = promotion("5:4:7:3:0/100:0000000b:0000000a:srv2");
        let others = promotion("5:4:7:3:0/100:0000000c:0000000a:srv3");
        let read = Record::Last(last);
        let unread = Record::Unread("can't be read".into());
        for (now, planned, expected) in [
            (read.clone(), None, Meanwhile::Nobody),
            (read.clone(), Some(&planned), Meanwhile::Nobody),
            (Record::Last(planned.clone()), Some(&planned), Meanwhile::Nobody),
            (Record::Last(planned.clone()), None, Meanwhile::Another),
            (Record::Last(others.clone()), Some(&planned), Meanwhile::Another),
            (Record::Contradictory(planned.clone(), others), Some(&planned), Meanwhile::Another),
            (Record::Empty, Some(&planned), Meanwhile::Another),
            (unread, Some(&planned), Meanwhile::Unknown("can't be read".into())),
        ] {
            assert_eq!(meanwhile(&read, &now, planned), expected, "{now:?} {planned:?}");
        }
    }

    #[test]
    fn nobody_is_promoted_beside_another_one() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<String>>();
        let beside = Plan { promoting: names(&["srv2"]), promoted: names(&["srv1"]), ..Plan::default() };
        let switchover = Plan { demoting: names(&["srv1"]), ..beside.clone() };
        let both = Plan { promoting: names(&["srv1", "srv2"]), ..Plan::default() };
        for (plan, max, refused) in [
            (&beside, Some(2), true),
            (&both, Some(2), true),
            (&switchover, Some(2), false),
            (&beside, Some(1), false),
            (&beside, None, false),
        ] {
            assert_eq!(second_primary(plan, "srv2", max).is_some(), refused, "{plan:?} {max:?}");
        }
    }

    #[test]
    fn who_is_to_be_promoted_and_does_not_answer_is_launched_anew() {
        let at_rest = |state| Control::Known(control(state, position(2, 0x100)));
        let full = || Some(Answer::Rejects(Rejection::TooManyConnections));
        let deaf = |process, answer| Facts {
            process,
            answer,
            control: at_rest(DbState::InArchiveRecovery),
            signal: Signal::Present,
        };
        let busy = deaf(Process::Alive(RunState::Running), full());
        assert!(!launches_anew(&busy, DEAF - 1) && launches_anew(&busy, DEAF));
        assert!(launches_anew(&deaf(Process::Alive(RunState::Stopped), None), 0));
        for left_alone in [
            deaf(Process::Alive(RunState::Uninterruptible), full()),
            deaf(Process::Absent, None),
            deaf(Process::Alive(RunState::Running), Some(idle_standby())),
            deaf(Process::Alive(RunState::Running), Some(Answer::Rejects(Rejection::StartingUp))),
            Facts { signal: Signal::Missing, ..busy.clone() },
            Facts { control: at_rest(DbState::InProduction), ..busy.clone() },
        ] {
            assert!(!launches_anew(&left_alone, 2 * DEAF), "{left_alone:?}");
        }
    }

    #[test]
    fn tells_the_server_only_after_an_election_and_only_a_standby() {
        let answers =
            [None, Some(Answer::Refused), Some(Answer::Rejects(Rejection::StartingUp)), Some(idle_standby())];
        let processes = [
            Process::Absent,
            Process::Leftovers(1),
            Process::Alive(RunState::Running),
            Process::Alive(RunState::Stopped),
            Process::Alive(RunState::Uninterruptible),
            Process::Unknown("x".into()),
        ];
        for process in processes {
            for answer in &answers {
                for progress in [Progress::Begun, Progress::Elected, Progress::Told] {
                    for time_over in [false, true] {
                        let facts = Facts {
                            process: process.clone(),
                            answer: answer.clone(),
                            control: Control::Unknown(String::new()),
                            signal: Signal::Present,
                        };
                        let step = decide(&facts, progress, time_over);
                        let row = format!("{facts:?} {progress:?} {time_over} -> {step:?}");
                        if step == Step::Tell {
                            assert_eq!(progress, Progress::Elected, "{row}");
                            assert!(matches!(answer, Some(Answer::Standby(_))), "{row}");
                        }
                        assert!(
                            !(time_over && matches!(step, Step::Wait(_))),
                            "waits past the deadline: {row}"
                        );
                    }
                }
            }
        }
    }
}
