//! What an instance does when another one is about to change, or changed.

use crate::ocf::notify::{Notification, Operation, Phase};

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
    fn a_start_makes_everybody_look_at_its_score() {
        assert_eq!(tasks(&note("post", "start"), "srv3"), [Task::Score]);
    }
}
