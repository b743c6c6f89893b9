//! `notify`: never fails. What it can't do, the next monitor does.

use std::time::Duration;

use super::{Agent, ROUND, Report};
use crate::boundary::host::Level;
use crate::decide::cluster::{Approved, ClusterFacts, InstanceCount, Upstream};
use crate::decide::disk::Finding;
use crate::decide::election::Fitness;
use crate::decide::facts::{Facts, ServerAnswer};
use crate::decide::notify::{Task, is_possible, is_worth_waiting, tasks, votes_by_wal};
use crate::decide::promotion_score::{Score, ScoreStep};
use crate::decide::score;
use crate::decide::storage;
use crate::ocf::notify::{Operation, Phase};
use crate::ocf::{Notification, OcfCode};
use crate::pg::timeline::WalPosition;
use crate::pg::view::Answer;

/// A vote waits so long for an answer of the server: the promotion waits for the vote.
const VOTE: Duration = Duration::from_secs(5);

/// A checkpoint ahead of a switchover may take this long, the shutdown writes another one anyway.
const CHECKPOINT: Duration = Duration::from_secs(10);

impl Agent<'_> {
    pub(super) fn notify(&mut self) -> Report {
        let (Some(notification), Some(node)) = (Notification::from(self.env), self.run.node.clone()) else {
            return Report::new(OcfCode::Success, "nothing to do for this node");
        };
        if (notification.phase, notification.operation) == (Phase::Post, Operation::Promote) {
            self.expect_history();
        }
        for task in tasks(&notification, &node) {
            self.carry_out(task, &notification);
        }
        Report::new(OcfCode::Success, "notified")
    }

    fn carry_out(&mut self, task: Task, notification: &Notification) {
        if !is_possible(&task, self.memory.disk, self.memory.score) {
            return;
        }
        match task {
            Task::Checkpoint => {
                if let Err(error) = self.host.checkpoint(CHECKPOINT.min(self.half())) {
                    self.host.log(Level::Warning, &format!("no checkpoint ahead of the demotion: {error}"));
                }
            }
            Task::Vote => {
                let position = self.position_to_vote();
                self.vote(position);
            }
            Task::Unvote => self.vote(None),
            Task::Follow(primary) => {
                let host = self.settings.address_of(&primary).to_owned();
                if let Some(conninfo) = self.conninfo_for(&host) {
                    self.repoint(&primary, &conninfo);
                }
            }
            Task::Score => self.look_at_score(notification),
            Task::TellVoters(starting) => self.tell_voters(&starting),
            Task::Release(leaving) => {
                if let Some(Answer::Primary(view)) = self.glance(self.half()).answer {
                    self.tend_synchronous(&view, &leaving);
                }
            }
            Task::StepDown => {
                self.apply(ScoreStep::Set(Score::Standby, "another instance is to be promoted".into()));
            }
        }
    }

    /// Its position. A standby that is full of clients does not answer at once, and one that gives no vote may be the only one that has
    /// the last commits.
    fn position_to_vote(&mut self) -> Option<WalPosition> {
        let begun = self.host.now();
        loop {
            let facts = self.glance(self.half());
            let position = self.position(&facts);
            let waited = Duration::from_millis(self.host.now().since(begun));
            if position.is_some() {
                return position;
            }
            if !is_worth_waiting(facts.process_summary(), facts.server_answer())
                || waited >= VOTE
                || self.is_time_over()
            {
                return self.position_by_wal(&facts);
            }
            self.host.sleep(ROUND.min(self.left()));
        }
    }

    /// The same, of a standby that does not answer.
    fn position_by_wal(&mut self, facts: &Facts) -> Option<WalPosition> {
        if !votes_by_wal(facts) {
            return None;
        }
        match self.host.wal_end() {
            Ok(end) => {
                self.host.log(
                    Level::Warning,
                    &format!(
                        "publishes the end of pg_wal, {end}, for the election: {}",
                        facts.server_answer().text()
                    ),
                );
                Some(end)
            }
            Err(error) => {
                self.host.log(Level::Warning, &format!("the end of pg_wal could not be determined: {error}"));
                None
            }
        }
    }

    fn vote(&mut self, position: Option<WalPosition>) {
        let ballot =
            position.map(|position| (position, Fitness::of(self.memory.disk, self.memory.last_role)));
        if let Err(error) = self.host.vote(ballot) {
            self.host.log(Level::Warning, &format!("this node's position could not be published: {error}"));
        }
    }

    fn look_at_score(&mut self, notification: &Notification) {
        let facts = self.glance(self.half());
        match facts.server_answer() {
            ServerAnswer::Primary => {
                if let Some(Answer::Primary(view)) = &facts.answer {
                    self.announce(view);
                    // Who has joined may have brought another record along.
                    self.memory.kept = None;
                    self.memory.synchronous.settled = None;
                    self.tend_synchronous(view, &[]);
                }
                let usual = score::promoted(&mut self.memory, self.host.now());
                let finding = Finding { disk: self.memory.disk, reason: None };
                let step = storage::primary(usual, &self.memory, &finding);
                self.apply(step);
            }
            ServerAnswer::Standby => {
                let told = self.told(notification);
                self.tend_standby(&facts, Some(told));
            }
            _ => {}
        }
    }

    /// The cluster as the notification describes it; newer than what the CIB says at this moment.
    fn told(&mut self, notification: &Notification) -> ClusterFacts {
        let running = notification.plan.running_after().len();
        let primary =
            notification.plan.primary_after().filter(|primary| self.run.node.as_deref() != Some(primary));
        // It decides whether this instance may rise. Asked only where it could.
        let score = match primary {
            Some(primary) if !self.memory.score.is_some_and(Score::is_candidate) => {
                let scores = self.host.scores().unwrap_or_default();
                scores.into_iter().find(|(node, _)| node == primary).map(|(_, score)| score)
            }
            _ => None,
        };
        // It counts where nobody is promoted, and no notification tells it.
        let approved = match primary {
            Some(_) => Approved::No,
            None => self.ask_cluster().map_or(Approved::No, |cluster| cluster.approved),
        };
        ClusterFacts {
            primary: primary.map(|primary| Upstream {
                node: primary.into(),
                host: self.settings.address_of(primary).into(),
                score,
            }),
            everybody: match self.run.instances {
                None => InstanceCount::Unknown,
                Some(expected) if running >= expected => InstanceCount::All,
                Some(expected) => InstanceCount::Missing { running, expected },
            },
            approved,
            safe_mode: self.memory.safe_mode.clone(),
            rejoin: None,
        }
    }
}
