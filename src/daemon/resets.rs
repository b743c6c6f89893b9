//! The intents of all `quorated` to reset their nodes: what comes of them in the group is kept, and answered.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::line::Line;
use super::log::Logs;
use super::observations::Observations;
use crate::boundary::clock::{Deadline, boottime};
use crate::boundary::host::Level;
use crate::cluster::group::{Message, Sender};
use crate::cluster::reset_intent::{Condition, ConditionAnswer, IntentWithdrawn, ResetIntent};
use crate::decide::reset::Delivery;

/// So many messages may wait.
const WAITING: usize = 16;
/// corosync takes none for a moment while it is busy; what comes later than that is too late.
const SENDING: Duration = Duration::from_millis(500);
/// The intents of one node are said so often.
const SAY: Duration = Duration::from_secs(300);
/// The control thread looks twice a second. What it said longer ago is nothing to answer with.
const FRESH: Duration = Duration::from_secs(2);

/// What is sent.
#[derive(Debug, Clone)]
pub(super) enum Outgoing {
    Intent(ResetIntent),
    Withdrawn(IntentWithdrawn),
    Condition(ConditionAnswer),
}

/// What comes.
#[derive(Debug)]
pub(super) enum Incoming {
    Intent(ResetIntent),
    Withdrawn(IntentWithdrawn),
    Condition(ConditionAnswer),
    /// A self-fencing notice.
    Notice,
}

/// Hands messages over to the thread that sends: corosync may hold it up.
#[derive(Clone)]
pub(super) struct Resets(SyncSender<Outgoing>);

impl Resets {
    pub(super) fn new() -> (Self, Receiver<Outgoing>) {
        let (sender, receiver) = sync_channel(WAITING);
        (Self(sender), receiver)
    }

    /// Never waits. What is lost is missed: an intent without an answer is no permission, and it ends by itself.
    pub(super) fn send(&self, outgoing: Outgoing) {
        let _ = self.0.try_send(outgoing);
    }
}

/// Sends, until nobody is left who could have something to send.
pub(super) fn send(line: &Line, outgoing: &Receiver<Outgoing>) {
    while let Ok(message) = outgoing.recv() {
        let message = match message {
            Outgoing::Intent(intent) => Message::Intent(intent),
            Outgoing::Withdrawn(withdrawn) => Message::Withdrawn(withdrawn),
            Outgoing::Condition(answer) => Message::Condition(answer),
        };
        let _ = line.send(&message, Deadline::after(SENDING));
    }
}

/// The group was joined.
pub(super) fn joined(observations: &Observations, me: u32) {
    let mut latest = observations.latest();
    latest.node_id = Some(me);
    latest.claims.join(boottime(), me);
}

/// The nodes with a `quorated`, after a change.
pub(super) fn members(observations: &Observations, nodes: &[u32]) {
    observations.latest().claims.members(boottime(), nodes);
    observations.wake();
}

/// Takes a message of the group's.
pub(super) fn deliver(
    observations: &Arc<Observations>,
    resets: &Resets,
    logs: &Logs,
    me: u32,
    sender: &Sender,
    incoming: Incoming,
) {
    let from = sender.node_id;
    let now = boottime();
    let delivery = match incoming {
        Incoming::Intent(ResetIntent { number, reason }) => {
            if from != me && news(observations, from) {
                logs.line(Level::Warning, format!("{} would reset itself: {reason}", sender.node));
            }
            if observations.latest().claims.deliver(now, from, Delivery::Intent { number }) {
                let condition = condition(observations, from);
                resets.send(Outgoing::Condition(ConditionAnswer { to: from, number, condition }));
            }
            observations.wake();
            return;
        }
        Incoming::Withdrawn(IntentWithdrawn { number }) => Delivery::Withdrawn { number },
        Incoming::Notice => Delivery::Notice,
        Incoming::Condition(ConditionAnswer { to, .. }) if to != me => return,
        Incoming::Condition(ConditionAnswer { number, condition, .. }) => {
            Delivery::Answer { number, condition }
        }
    };
    observations.latest().claims.deliver(now, from, delivery);
    observations.wake();
}

/// Whether an intent of that node is to be said: it asks again every two seconds.
fn news(observations: &Observations, from: u32) -> bool {
    let mut latest = observations.latest();
    latest.intents_said.retain(|(_, at)| at.elapsed() < SAY);
    let news = !latest.intents_said.iter().any(|(node, _)| *node == from);
    if news {
        latest.intents_said.push((from, Instant::now()));
    }
    news
}

/// How this node is, for the one that asks.
fn condition(observations: &Observations, from: u32) -> Condition {
    let mut latest = observations.latest();
    let mut condition = match &latest.condition {
        Some((condition, at)) if at.elapsed() < FRESH => condition.clone(),
        Some(_) | None => {
            let obstacle = Some("its quorated is late itself".to_owned());
            Condition { obstacle, ..Condition::default() }
        }
    };
    let view = latest.claims.view(boottime());
    if view.own.is_some() {
        condition.obstacle = Some("it is about to reset itself, and was first".to_owned());
    }
    if let Some(first) = view.another_first.filter(|first| *first != from) {
        condition.obstacle = Some(format!("node {first} is about to reset itself, and was first"));
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::detector::Limits;

    fn intent(number: u64) -> Incoming {
        Incoming::Intent(ResetIntent { number, reason: "r".into() })
    }

    #[test]
    fn an_intent_of_another_one_is_answered_and_the_second_refused() {
        let observations = Arc::new(Observations::new(sync_channel(1).0, Limits::default()));
        let (resets, sent) = Resets::new();
        let (logs, _lines) = Logs::new();
        joined(&observations, 1);
        members(&observations, &[1, 2, 3]);
        let answer = |from, incoming| {
            let sender = Sender { node_id: from, pid: 1, node: format!("srv{from}"), boot: "b".into() };
            deliver(&observations, &resets, &logs, 1, &sender, incoming);
            match sent.try_recv() {
                Ok(Outgoing::Condition(answer)) => Some((answer.to, answer.condition.obstacle)),
                _ => None,
            }
        };
        assert_eq!(answer(2, intent(7)), Some((2, Some("its quorated is late itself".into()))));
        observations.latest().condition = Some((Condition::default(), Instant::now()));
        assert_eq!(answer(2, intent(8)), Some((2, None)));
        let (to, obstacle) = answer(3, intent(1)).expect("an answer");
        assert!(to == 3 && obstacle.is_some_and(|o| o.contains("node 2")));
        assert_eq!(answer(1, intent(1)), None, "its own");
        let condition = Condition::default();
        assert_eq!(answer(2, Incoming::Condition(ConditionAnswer { to: 3, number: 1, condition })), None);
    }
}
