//! The threads that ask corosync's votequorum and Pacemaker's daemons.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::Logs;
use super::observations::{ATTEMPT, Observations};
use super::pause;
use crate::boundary::clock::Deadline;
use crate::boundary::corosync_lib::{QuorumAnswer, Votes};
use crate::boundary::host::Level;
use crate::boundary::ipc::{self, Refusal};
use crate::boundary::realtime;
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

/// Asks votequorum, for ever; connects anew where corosync went away. Before all of usual priority, as the control thread: what it has
/// not seen counts as corosync's silence, for which the node is reset and nobody is asked. It sleeps nearly always.
pub(super) fn quorum(observations: &Arc<Observations>, logs: &Logs) {
    if let Err(e) = realtime::run_first() {
        logs.line(
            Level::Warning,
            format!("real-time scheduling: {e}; a busy machine may hold up the quorum"),
        );
    }
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

    /// The policy of one of our threads: the 41st word of its line.
    fn policy(thread: i32) -> Option<String> {
        let line = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
        let (_, rest) = line.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(38).map(str::to_owned)
    }

    #[test]
    fn the_quorum_is_asked_before_all_of_usual_priority() {
        const SCHED_RR: &str = "2";
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let observations = Arc::new(Observations::new(std::sync::mpsc::sync_channel(1).0, Limits::default()));
        let (logs, _lines) = Logs::new();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        // It goes on until the test's process ends.
        super::super::threads::spawn_for_once("quorum", move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            quorum(&observations, &logs);
        })
        .unwrap();
        let thread = told.recv_timeout(Duration::from_secs(5)).unwrap();
        let soon = Deadline::after(Duration::from_secs(5));
        while policy(thread).as_deref() != Some(SCHED_RR) && !soon.passed() {
            soon.sleep(Duration::from_millis(5));
        }
        assert_eq!(policy(thread).as_deref(), Some(SCHED_RR));
    }
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
