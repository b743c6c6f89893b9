//! What an instance does when another one is about to change, or changed.

use crate::ocf::notify::{Notification, Operation, Phase};
use crate::pg::control_data::DbState;

use super::disk::Disk;
use super::facts::{Facts, ProcessSummary, RunState, ServerAnswer, Signal};
use super::promotion_score::Score;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Write a checkpoint now, so that the shutdown has little left to write.
    Checkpoint,
    /// Publish our position for the election.
    Vote,
    /// Take our vote back: the next election must not count an old one.
    Unvote,
    /// Follow the new primary.
    Follow(String),
    /// Look at our score again.
    Score,
    /// Have no score above a standby's: another one is to be promoted.
    StepDown,
    /// Tell these who has the acknowledged commits, before they run.
    TellVoters(Vec<String>),
    /// Let no commit wait for these any more: they stop, or have stopped.
    Release(Vec<String>),
}

/// Whether a task is worth anything on such a disk and with such a score. What is left out the monitors do, once the disk answers.
#[must_use]
pub fn is_possible(task: &Task, disk: Disk, score: Option<Score>) -> bool {
    match task {
        // On a bad disk it could only hang or fail.
        Task::Checkpoint => disk.is_fit(),
        Task::Follow(_) => disk.returns(),
        Task::StepDown => score.is_some_and(|score| score > Score::Standby),
        Task::Vote | Task::Unvote | Task::Score | Task::TellVoters(_) | Task::Release(_) => true,
    }
}

/// Whether a server that did not tell its position may tell it a moment later: one that is full of clients, or slow.
#[must_use]
pub const fn is_worth_waiting(process: ProcessSummary, answer: ServerAnswer) -> bool {
    match (process, answer) {
        (
            ProcessSummary::Alive(RunState::Running | RunState::Uninterruptible),
            ServerAnswer::NoRole | ServerAnswer::Silent,
        ) => true,
        (
            ProcessSummary::Alive(_)
            | ProcessSummary::Absent
            | ProcessSummary::Leftovers
            | ProcessSummary::Unknown,
            _,
        ) => false,
    }
}

/// Whether a server that does not answer votes with the WAL that it has: a standby that runs, by its control file. It may be full of
/// clients, stopped, or not consistent yet, and the only one that has the last commits.
#[must_use]
pub fn votes_by_wal(facts: &Facts) -> bool {
    matches!(facts.process_summary(), ProcessSummary::Alive(_))
        && facts.signal == Signal::Present
        && facts.state() == Some(DbState::InArchiveRecovery)
}

/// The tasks of the instance on `node`, in order.
pub fn tasks(notification: &Notification, node: &str) -> Vec<Task> {
    let plan = &notification.plan;
    let listed = |nodes: &[String]| nodes.iter().any(|n| n == node);
    match (notification.phase, notification.operation) {
        // A recovery: the server is dead or does not answer, a checkpoint would only be waited for.
        (Phase::Pre, Operation::Demote) if listed(&plan.stopping) => Vec::new(),
        (Phase::Pre, Operation::Demote) if listed(&plan.demoting) => {
            if plan.promoting.is_empty() || listed(&plan.promoting) {
                vec![Task::Checkpoint]
            } else {
                // Now, while it still serves: a score written later would abort the transition between the promotion
                // and the start of the float IP.
                vec![Task::StepDown, Task::Checkpoint]
            }
        }
        (Phase::Pre, Operation::Promote) if listed(&plan.promoting) => Vec::new(),
        (Phase::Pre, Operation::Promote) => vec![Task::Vote],
        // Nothing here may write to the CIB: the float IP is about to be started. Pacemaker sends this after a
        // promotion that failed, too, so it proves nothing about who is the primary.
        (Phase::Post, Operation::Promote) if listed(&plan.promoting) => Vec::new(),
        (Phase::Post, Operation::Promote) => {
            let follow = plan.primary_after().map(|primary| Task::Follow(primary.to_owned()));
            follow.into_iter().chain([Task::Unvote]).collect()
        }
        // Everybody may be here now: the first promotion waits for that.
        (Phase::Post, Operation::Start) => vec![Task::Score],
        // Before they stop, or when they are fenced: commits would hang until the next monitor.
        (Phase::Pre | Phase::Post, Operation::Stop) if listed(&plan.promoted) && !listed(&plan.stopping) => {
            vec![Task::Release(plan.stopping.clone())]
        }
        // In its start it may catch up; the primary dies, and it would know of no record.
        (Phase::Pre, Operation::Start) if listed(&plan.promoted) => {
            vec![Task::TellVoters(plan.starting.clone())]
        }
        (Phase::Pre, Operation::Start | Operation::Stop | Operation::Demote)
        | (Phase::Post, Operation::Stop | Operation::Demote) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocf::Environment;

    fn note(phase: &str, operation: &str) -> Notification {
        let env: Environment = [
            ("type", phase),
            ("operation", operation),
            ("promote_uname", "srv2"),
            ("demote_uname", "srv1"),
            ("promoted_uname", "srv1"),
            ("unpromoted_uname", "srv2 srv3"),
        ]
        .iter()
        .map(|(k, v)| (format!("OCF_RESKEY_CRM_meta_notify_{k}"), v.to_string()))
        .collect();
        Notification::from(&env).unwrap()
    }

    #[test]
    fn a_switchover_from_srv1_to_srv2() {
        assert_eq!(tasks(&note("pre", "demote"), "srv1"), [Task::StepDown, Task::Checkpoint]);
        assert_eq!(tasks(&note("pre", "demote"), "srv2"), []);
        assert_eq!(tasks(&note("pre", "promote"), "srv2"), [], "the candidate knows its own position");
        for node in ["srv1", "srv3"] {
            assert_eq!(tasks(&note("pre", "promote"), node), [Task::Vote]);
            assert_eq!(tasks(&note("post", "promote"), node), [Task::Follow("srv2".into()), Task::Unvote]);
        }
        assert_eq!(tasks(&note("post", "promote"), "srv2"), []);
    }

    #[test]
    fn a_recovery_waits_for_no_checkpoint() {
        let mut note = note("pre", "demote");
        note.plan.stopping = vec!["srv1".into()];
        assert_eq!(tasks(&note, "srv1"), []);
    }

    #[test]
    fn a_vote_waits_for_a_server_that_may_answer_soon() {
        for process in ProcessSummary::ALL {
            for answer in ServerAnswer::ALL {
                let lives =
                    matches!(process, ProcessSummary::Alive(RunState::Running | RunState::Uninterruptible));
                let busy = matches!(answer, ServerAnswer::NoRole | ServerAnswer::Silent);
                assert_eq!(is_worth_waiting(process, answer), lives && busy, "{process:?} {answer:?}");
            }
        }
    }

    #[test]
    fn nothing_is_written_to_a_disk_that_would_hang_it() {
        for disk in Disk::ALL {
            for score in Score::NAMED.map(Some).into_iter().chain([None]) {
                let possible = |task| is_possible(&task, disk, score);
                assert_eq!(possible(Task::Checkpoint), matches!(disk, Disk::Sound | Disk::Slow), "{disk:?}");
                let hangs = matches!(disk, Disk::Slow | Disk::Stuck);
                assert_eq!(possible(Task::Follow("srv2".into())), !hangs, "{disk:?}");
                let above = score.is_some_and(|s| s.value() > 900);
                assert_eq!(possible(Task::StepDown), above, "{score:?}");
                assert!(possible(Task::Vote) && possible(Task::Unvote) && possible(Task::Score));
            }
        }
    }

    #[test]
    fn a_start_makes_everybody_look_at_its_score() {
        assert_eq!(tasks(&note("post", "start"), "srv3"), [Task::Score]);
    }
}
