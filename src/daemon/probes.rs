//! The threads that ask corosync's votequorum and Pacemaker's daemons.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::observations::{ATTEMPT, Observations};
use super::pause;
use crate::boundary::clock::Deadline;
use crate::boundary::corosync_lib::{QuorumAnswer, Votes};
use crate::boundary::ipc::{self, Refusal};
use crate::decide::detector::{Rule, Subject};

/// A daemon that is well is asked so often. Each connection costs it a few hundred microseconds.
const EASY: Duration = Duration::from_secs(2);
/// One that did not answer.
const UNEASY: Duration = Duration::from_millis(500);
/// The quorum is asked for so often: it is what the safety of the data hangs on.
const QUORUM: Duration = Duration::from_millis(500);

/// Asks one of Pacemaker's daemons, for ever.
pub(super) fn daemon(observations: &Arc<Observations>, rule: &'static Rule, socket: &'static str) {
    loop {
        observations.begin(rule.subject);
        let answer = ipc::answers(socket, Deadline::after(ATTEMPT));
        let well = answer.is_ok();
        match answer {
            Ok(()) => observations.answered(rule.subject),
            Err(Refusal { shortage: Some(shortage), why }) => {
                observations.not_asked(rule.subject, shortage, why)
            }
            Err(Refusal { shortage: None, why }) => observations.failed(rule.subject, why),
        }
        pause(if well { EASY } else { UNEASY });
    }
}

/// Asks votequorum, for ever; connects anew where corosync went away.
pub(super) fn quorum(observations: &Arc<Observations>) {
    loop {
        let votes = observations.attempt(Subject::Corosync, Votes::connect);
        while let Ok(votes) = &votes {
            let members = observations.latest().nodes.clone();
            match observations.attempt(Subject::Corosync, || votes.ask(&members)) {
                Ok(word) => {
                    observations.latest().votes = Some((word, Instant::now()));
                    device(observations, word);
                }
                Err(_) => break,
            }
            pause(QUORUM);
        }
        pause(QUORUM);
    }
}

/// What votequorum says of the quorum device's client is its answer. One that has lost its witness reports
/// all the same.
fn device(observations: &Observations, answer: QuorumAnswer) {
    match answer.device_alive {
        Some(true) => observations.answered(Subject::Qdevice),
        Some(false) => {
            observations.failed(Subject::Qdevice, "votequorum: it has not reported in its timeout".to_owned())
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::detector::Limits;

    #[test]
    fn a_quorum_device_that_votes_no_has_answered_and_one_that_does_not_report_has_not() {
        let observations = Observations::new(std::sync::mpsc::sync_channel(1).0, Limits::default());
        let told = |alive, votes| {
            device(
                &observations,
                QuorumAnswer { quorate: true, device_votes: votes, device_alive: alive, votes: None },
            );
            let probe = &observations.latest().probes[Subject::Qdevice as usize];
            (probe.answers, probe.failures(Instant::now()))
        };
        assert_eq!(told(None, None), (0, 0), "none is registered");
        assert_eq!(told(Some(true), Some(true)), (1, 0));
        assert_eq!(told(Some(true), Some(false)), (2, 0), "the witness is lost");
        assert_eq!(told(Some(false), Some(false)), (2, 1));
        assert_eq!(told(Some(false), Some(false)), (2, 2));
    }
}
