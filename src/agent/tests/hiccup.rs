//! A server that answers with an error of its own, or once too late.

use super::*;
use crate::decide::activity::Progress;
use crate::decide::disk::Trial;
use crate::decide::memory::{LastPromotion, OtherPrimary};
use crate::pg::view::{Answer, Rejection};

fn error(sqlstate: &str) -> Option<Answer> {
    Some(Answer::Rejects(Rejection::Other { sqlstate: sqlstate.into(), message: "x".into() }))
}

fn primary(answer: Option<Answer>) -> FakeHost {
    let mut host = FakeHost::new(Condition::Primary, position(2, 0x100));
    (host.memory.score, host.memory.kept, host.answer) = (Some(Score::Primary), Some(1), answer);
    host
}

fn codes(host: &mut FakeHost, monitors: usize) -> Vec<OcfCode> {
    (0..monitors).map(|_| monitor(host).code).collect()
}

#[test]
fn an_error_of_the_server_fails_the_second_monitor_in_a_row() {
    use OcfCode::{ErrGeneric, RunningPromoted};
    for (sqlstate, score) in [("XX000", None), ("53200", None), ("", None), ("58030", Some(150))] {
        let mut host = primary(error(sqlstate));
        assert_eq!(codes(&mut host, 3), [RunningPromoted, ErrGeneric, ErrGeneric], "{sqlstate:?}");
        let written: Vec<String> = score.iter().map(|score| format!("score srv1 {score}")).collect();
        assert_eq!(host.did("score"), written, "{sqlstate:?}: only damage moves the role");
    }
    let mut host = primary(error("58030"));
    assert_eq!(monitor(&mut host).code, RunningPromoted);
    host.answer = None;
    assert_eq!(monitor(&mut host).code, RunningPromoted);
    host.answer = error("58030");
    assert_eq!(codes(&mut host, 2), [RunningPromoted, ErrGeneric], "in a row");
    // Another server: it begins anew.
    let mut host = primary(error("58030"));
    monitor(&mut host);
    host.memory.restarted(
        OtherPrimary::Nobody,
        &crate::decide::promotions::Branch::Last,
        LastPromotion::OwnOrNone,
    );
    assert_eq!(monitor(&mut host).code, RunningPromoted);
}

#[test]
fn a_full_server_a_refused_login_and_an_unknown_database_are_no_failure() {
    for answer in [
        Some(Answer::Rejects(Rejection::TooManyConnections)),
        Some(Answer::Rejects(Rejection::Authentication("x".into()))),
        Some(Answer::Unusable("x".into())),
        error("3D000"),
        error("42501"),
    ] {
        let mut host = primary(answer.clone());
        assert_eq!(codes(&mut host, 4), [OcfCode::RunningPromoted; 4], "{answer:?}");
    }
}

fn stall(progress: Progress) -> FakeHost {
    let mut host = primary(Some(Answer::Silent { after: Duration::from_secs(1) }));
    host.progress = progress;
    host
}

#[test]
fn one_stall_of_a_server_that_goes_on_is_no_failure() {
    use OcfCode::{ErrGeneric, RunningPromoted};
    let mut host = stall(Progress::GoesOn);
    assert_eq!(codes(&mut host, 2), [RunningPromoted, ErrGeneric]);
    assert!(host.log.iter().any(|(level, line)| *level == Level::Warning && line.contains("monitor")));
    assert!(host.did("score").is_empty(), "{:?}", host.done);
    let mut host = stall(Progress::GoesOn);
    monitor(&mut host);
    host.answer = None;
    monitor(&mut host);
    host.answer = Some(Answer::Silent { after: Duration::from_secs(1) });
    assert_eq!(codes(&mut host, 2), [RunningPromoted, ErrGeneric]);
    // Nothing moves, or the disk does not.
    assert_eq!(monitor(&mut stall(Progress::StandsStill)).code, ErrGeneric);
    let mut host = stall(Progress::GoesOn);
    host.trial = Trial::Pending(1000);
    assert_eq!(monitor(&mut host).code, ErrGeneric);
    // A probe remembers nothing.
    let mut host = stall(Progress::GoesOn);
    for _ in 0..3 {
        assert_eq!(act(&mut host, Action::Monitor, &[]).code, RunningPromoted);
    }
}

/// The disk's own rules hold: the score is lowered, and nothing is restarted on it.
#[test]
fn an_error_on_a_disk_that_takes_no_writes_is_the_disks() {
    let mut host = primary(error("58030"));
    host.trial = Trial::Broken;
    assert_eq!(codes(&mut host, 4), [OcfCode::RunningPromoted; 4]);
    assert_eq!(host.did("score"), ["score srv1 150"]);
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    (host.memory.score, host.answer, host.trial) = (Some(Score::Standby), error("58030"), Trial::ReadOnly);
    assert_eq!(codes(&mut host, 3), [OcfCode::Success; 3]);
    assert_eq!(host.memory.score, Some(Score::Withdrawn));
}
