//! The decisions of a start.

use super::*;
use crate::decide::facts::Process;
use crate::decide::samples::control;
use crate::pg::timeline::Timeline;
use crate::pg::view::{Answer, Rejection};

fn facts(process: Process, answer: Option<Answer>) -> Facts {
    Facts { process, answer, control: Control::Unknown("no control file".into()), signal: Signal::Present }
}

#[test]
fn a_start_needs_notifications_where_pacemaker_could_send_them_and_one_primary() {
    for manager in [Manager::Pacemaker, Manager::Nobody] {
        for notify in [Notify::On, Notify::Off, Notify::Unsaid] {
            for max in [None, Some(1), Some(2)] {
                let refused = manager == Manager::Pacemaker && (notify == Notify::Off || max == Some(2));
                let found = unfit_clone(manager, notify, max).is_some();
                assert_eq!(found, refused, "{manager:?} {notify:?} {max:?}");
            }
        }
    }
}

#[test]
fn a_copy_that_was_started_by_hand_is_no_member() {
    let last: crate::decide::promotions::Promotion = "4:3:7:-:-:0000000a::srv2".parse().unwrap();
    let own = WalPosition { timeline: Timeline::FIRST, lsn: Lsn(0x100) };
    let record = Record::Last(last.clone());
    let older = Branch::Other(Mismatch::Older { own, last: last.clone() });
    let base = AtRest {
        node: "srv1",
        last_role: LastRole::Primary,
        is_base_backup: false,
        owner: None,
        position: Some(own),
        record: &record,
        branch: &Branch::Last,
        approval: Approval::NotGiven,
    };
    let fits = |facts: AtRest<'_>| membership(&facts) == Membership::Fits;
    assert!(!fits(base));
    assert!(!fits(AtRest { branch: &older, owner: Some("srv2"), ..base }));
    // Its own reign, an older one of its own, a standby, a base backup, an acceptance.
    assert!(fits(AtRest { node: "srv2", ..base }));
    assert!(fits(AtRest { branch: &older, owner: Some("srv1"), ..base }));
    assert!(fits(AtRest { last_role: LastRole::Standby, ..base }));
    assert!(fits(AtRest { is_base_backup: true, ..base }));
    assert!(fits(AtRest { approval: Approval::Given, ..base }));
    let foreign = Branch::Other(Mismatch::AnotherSystem { own: Some(8), last });
    assert!(!fits(AtRest { last_role: LastRole::Standby, branch: &foreign, ..base }));
    assert!(fits(AtRest { branch: &Branch::Unrecorded, record: &Record::Empty, ..base }));
}

#[test]
fn nothing_is_launched_on_a_disk_that_does_not_answer() {
    for disk in Disk::ALL {
        for time in [Time::Left, Time::Over] {
            for occasion in [Occasion::Start, Occasion::Demotion] {
                let finding = Finding { disk, reason: Some("since 9 s".into()) };
                let ground = on_disk(occasion, &finding, time);
                let row = format!("{disk:?} {time:?} {occasion:?}");
                assert_eq!(ground == Ground::Launch, disk.returns(), "{row}");
                let refused = !disk.returns()
                    && (time == Time::Over || (disk == Disk::Stuck && occasion == Occasion::Demotion));
                assert_eq!(matches!(ground, Ground::Refuse(_)), refused, "{row}");
            }
        }
        assert!(tries_disk(Occasion::Start, disk), "{disk:?}");
        assert_eq!(tries_disk(Occasion::Demotion, disk), disk != Disk::Sound, "{disk:?}");
    }
}

#[test]
fn a_disk_is_waited_for_within_the_action_and_not_while_the_service_waits() {
    let second = Duration::from_secs;
    assert_eq!(disk_patience(second(54), Waiting::Nobody), Duration::from_millis(40_500));
    assert_eq!(disk_patience(second(54), Waiting::NextPrimary), NEXT_PRIMARY_WAITS);
    assert_eq!(disk_patience(second(4), Waiting::NextPrimary), second(3));
}

#[test]
fn a_primary_that_failed_to_start_is_a_former_primary_until_it_received_wal() {
    for received in [None, Timeline::new(2)] {
        for left in [LastRole::Standby, LastRole::Primary] {
            for remembered in [LastRole::Standby, LastRole::Primary] {
                let kept = remembered == LastRole::Primary && received.is_none();
                let is_primary = last_role_by(left, remembered, received) == LastRole::Primary;
                assert_eq!(is_primary, left == LastRole::Primary || kept, "{left:?} {remembered:?}");
            }
        }
    }
}

/// A control file whose numbers are nonsense, its checksum right.
#[test]
fn a_checkpoint_at_the_end_of_all_numbers() {
    let checkpoint = WalPosition { timeline: Timeline::FIRST, lsn: Lsn(u64::MAX) };
    let control = control(DbState::ShutDown, checkpoint);
    let facts = Facts { control: Control::Known(control), ..facts(Process::Absent, None) };
    assert_eq!(resting_position(&facts), Some(checkpoint));
}

fn standby() -> Option<Answer> {
    Some(crate::decide::samples::idle_standby())
}

#[test]
fn never_launches_beside_something_that_runs() {
    for process in [
        Process::Leftovers(1),
        Process::Alive(RunState::Running),
        Process::Alive(RunState::Stopped),
        Process::Alive(RunState::Uninterruptible),
        Process::Unknown("x".into()),
    ] {
        for answer in [None, Some(Answer::Refused), Some(Answer::Rejects(Rejection::StartingUp)), standby()] {
            for time_over in [false, true] {
                let step = before(&facts(process.clone(), answer.clone()), time_over);
                assert_ne!(step, Before::Launch, "{process:?} {answer:?}");
                assert!(
                    !(time_over && matches!(step, Before::Wait(_))),
                    "waits past the deadline: {process:?} {answer:?}"
                );
            }
        }
    }
}

#[test]
fn an_unreadable_control_file_is_refused_with_its_reason() {
    let step = before(&facts(Process::Absent, None), false);
    assert_eq!(step, Before::Refuse(OcfCode::ErrInstalled, "no control file".into()));
}

#[test]
fn a_standby_waits_for_its_stream_but_not_for_ever() {
    let f = facts(Process::Alive(RunState::Running), standby());
    let look = |stream: &Stream, consistent_for, time_over| {
        let recovery = Progress::StandsStill;
        after(&Launched { facts: &f, stream, consistent_for, recovery, time_over, log: "" })
    };
    let at = |seconds, stream: &Stream| look(stream, Duration::from_secs(seconds), false);
    assert!(matches!(at(0, &Stream::NotYet), After::Wait(_)));
    assert!(matches!(at(10, &Stream::NotYet), After::Done(_)));
    assert!(matches!(at(0, &Stream::Streaming), After::Done(_)));
    assert!(matches!(at(0, &Stream::NoPrimary), After::Done(_)));
    assert!(matches!(at(0, &Stream::Diverged("x".into())), After::Fail(OcfCode::ErrGeneric, _)));
    assert!(matches!(look(&Stream::NotYet, Duration::ZERO, true), After::Done(_)));
}

#[test]
fn no_look_waits_past_the_deadline() {
    for process in [
        Process::Absent,
        Process::Leftovers(1),
        Process::Alive(RunState::Stopped),
        Process::Alive(RunState::Running),
    ] {
        for answer in [None, Some(Answer::Refused), Some(Answer::Rejects(Rejection::InRecovery)), standby()] {
            for recovery in [Progress::GoesOn, Progress::StandsStill] {
                let facts = facts(process.clone(), answer.clone());
                let (stream, consistent_for) = (&Stream::NotYet, Duration::ZERO);
                let step = after(&Launched {
                    facts: &facts,
                    stream,
                    consistent_for,
                    recovery,
                    time_over: true,
                    log: "log",
                });
                assert!(!matches!(step, After::Wait(_)), "{process:?} {answer:?}");
            }
        }
    }
}

#[test]
fn a_recovery_that_gets_on_is_not_ended() {
    let stream = Stream::NoPrimary;
    for state in [DbState::InArchiveRecovery, DbState::InCrashRecovery, DbState::InProduction] {
        for signal in [Signal::Present, Signal::Missing] {
            for recovery in [Progress::GoesOn, Progress::StandsStill] {
                for time_over in [false, true] {
                    let position = WalPosition { timeline: Timeline::FIRST, lsn: Lsn(0x100) };
                    let facts = Facts {
                        control: Control::Known(control(state, position)),
                        signal,
                        ..facts(
                            Process::Alive(RunState::Running),
                            Some(Answer::Rejects(Rejection::StartingUp)),
                        )
                    };
                    let consistent_for = Duration::ZERO;
                    let step = after(&Launched {
                        facts: &facts,
                        stream: &stream,
                        consistent_for,
                        recovery,
                        time_over,
                        log: "",
                    });
                    let is_standby = state == DbState::InArchiveRecovery
                        || (state == DbState::InCrashRecovery && signal == Signal::Present);
                    let kept = time_over && is_standby && recovery == Progress::GoesOn;
                    let row = format!("{state:?} {signal:?} {recovery:?} {time_over}");
                    assert_eq!(matches!(step, After::Recovering(_)), kept, "{row}");
                    assert_eq!(matches!(step, After::Fail(..)), time_over && !kept, "{row}");
                }
            }
        }
    }
}

#[test]
fn who_was_shut_down_and_not_in_recovery_ended_as_a_primary() {
    for (state, signal, expected) in [
        (DbState::ShutDown, Signal::Present, LastRole::Primary),
        (DbState::ShutDown, Signal::Missing, LastRole::Primary),
        (DbState::ShuttingDown, Signal::Present, LastRole::Primary),
        (DbState::InProduction, Signal::Missing, LastRole::Primary),
        // A base backup, or a start that went no further.
        (DbState::InProduction, Signal::Present, LastRole::Standby),
        (DbState::ShutDownInRecovery, Signal::Missing, LastRole::Standby),
        (DbState::InArchiveRecovery, Signal::Present, LastRole::Standby),
    ] {
        let control =
            Control::Known(control(state, WalPosition { timeline: Timeline::FIRST, lsn: Lsn(0x100) }));
        let facts = Facts { control, signal, ..facts(Process::Absent, None) };
        assert_eq!(last_role(&facts), expected, "{state:?} {signal:?}");
    }
}
