//! Whose intent came first: the same for all, since CPG delivers in one order.

use super::rule::{INTENT_MS, RETURN_MS};
use crate::cluster::reset_intent::Condition;
use crate::decide::clock::BootTime;

/// What the group delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// A node is about to reset itself.
    Intent { number: u64 },
    /// It gave that up.
    Withdrawn { number: u64 },
    /// A node resets itself now, whatever the others say: its self-fencing notice.
    Notice,
    /// The answer to an intent of this node.
    Answer { number: u64, condition: Condition },
}

/// How a member answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answer {
    pub from: u32,
    pub condition: Condition,
}

/// The first intent that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Claim {
    node: u32,
    number: u64,
    since: BootTime,
}

/// What one node knows of the intents of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Claims {
    me: u32,
    /// Since when this node hears of intents at all: one that was delivered before is not known.
    joined: Option<BootTime>,
    members: Vec<u32>,
    first: Option<Claim>,
    away: Vec<(u32, BootTime)>,
    answers: Vec<(u64, Answer)>,
}

/// What of it concerns a node that would reset itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Whether intents were heard for long enough to know of all that count.
    pub settled: bool,
    /// Another node's intent counts.
    pub another_first: Option<u32>,
    /// Another node reset itself, and is not back.
    pub away: Option<u32>,
    /// This node's intent of this number counts.
    pub own: Option<u64>,
    /// The other members.
    pub others: Vec<u32>,
    /// Their answers to that intent.
    pub answers: Vec<Answer>,
}

impl Claims {
    /// The group was joined, by the node of this id: nothing that was known before counts, but who is away.
    pub fn join(&mut self, now: BootTime, me: u32) {
        *self = Self { me, joined: Some(now), away: std::mem::take(&mut self.away), ..Self::default() };
    }

    /// The connection to the group broke.
    pub fn leave(&mut self) {
        (self.joined, self.first) = (None, None);
        self.members.clear();
        self.answers.clear();
    }

    /// The nodes with a member of the group.
    pub fn members(&mut self, now: BootTime, nodes: &[u32]) {
        if let Some(claim) = self.first.filter(|c| !nodes.contains(&c.node)) {
            // It has done what it intended. Its process alone may have ended: then it is back in a moment.
            self.away.push((claim.node, now));
            self.first = None;
        }
        self.away.retain(|(node, _)| !nodes.contains(node));
        self.answers.retain(|(_, answer)| nodes.contains(&answer.from));
        nodes.clone_into(&mut self.members);
    }

    /// Takes a message. Whether it is an intent of another node, which is to be answered.
    pub fn deliver(&mut self, now: BootTime, from: u32, delivery: Delivery) -> bool {
        self.expire(now);
        match delivery {
            Delivery::Intent { number } => {
                if self.first.is_none_or(|claim| claim.node == from) {
                    self.first = Some(Claim { node: from, number, since: now });
                }
                from != self.me
            }
            Delivery::Withdrawn { number } => {
                if self.first.is_some_and(|c| c.node == from && c.number == number) {
                    self.first = None;
                }
                false
            }
            Delivery::Notice => {
                // It resets without having been the first: the one that was has not acted yet, and sees this too.
                self.first = Some(Claim { node: from, number: 0, since: now });
                false
            }
            Delivery::Answer { number, condition } => {
                self.answers.retain(|(n, a)| *n == number && a.from != from);
                self.answers.push((number, Answer { from, condition }));
                false
            }
        }
    }

    /// What concerns this node now.
    pub fn view(&mut self, now: BootTime) -> View {
        self.expire(now);
        let own = self.first.filter(|c| c.node == self.me).map(|c| c.number);
        let answers = self.answers.iter().filter(|(n, _)| Some(*n) == own).map(|(_, a)| a.clone());
        View {
            settled: self.joined.is_some_and(|at| now - at >= INTENT_MS),
            another_first: self.first.map(|c| c.node).filter(|node| *node != self.me),
            away: self.away.first().map(|(node, _)| *node),
            own,
            others: self.members.iter().copied().filter(|n| *n != self.me).collect(),
            answers: answers.collect(),
        }
    }

    fn expire(&mut self, now: BootTime) {
        self.first = self.first.filter(|claim| now - claim.since < INTENT_MS);
        self.away.retain(|(_, since)| now - *since < RETURN_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::clock::Millis;

    const fn at(ms: Millis) -> BootTime {
        BootTime::at(ms)
    }

    /// Node 1's, of a group of three.
    fn claims() -> Claims {
        let mut claims = Claims::default();
        claims.join(at(0), 1);
        claims.members(at(0), &[1, 2, 3]);
        claims
    }

    fn intent(number: u64) -> Delivery {
        Delivery::Intent { number }
    }

    #[test]
    fn the_first_intent_counts_until_it_is_withdrawn_or_expires() {
        let mut claims = claims();
        assert!(claims.deliver(at(20_000), 2, intent(1)), "another one's is answered");
        assert!(!claims.deliver(at(20_001), 1, intent(7)), "one's own is not");
        assert!(claims.deliver(at(20_001), 3, intent(1)));
        let view = claims.view(at(20_002));
        assert_eq!((view.another_first, view.own, view.settled), (Some(2), None, true));
        claims.deliver(at(20_003), 2, Delivery::Withdrawn { number: 9 });
        assert_eq!(claims.view(at(20_003)).another_first, Some(2), "another intent's");
        claims.deliver(at(20_004), 2, Delivery::Withdrawn { number: 1 });
        assert_eq!(claims.view(at(20_004)).another_first, None);
        claims.deliver(at(20_005), 1, intent(8));
        assert_eq!(claims.view(at(20_005 + INTENT_MS - 1)).own, Some(8));
        assert_eq!(claims.view(at(20_005 + INTENT_MS)).own, None, "a crash between intent and reset");
    }

    #[test]
    fn who_left_with_an_intent_is_away_until_it_is_back_or_too_long_away() {
        let mut claims = claims();
        claims.deliver(at(0), 2, intent(1));
        claims.members(at(10), &[1, 3]);
        let view = claims.view(at(10));
        assert_eq!((view.another_first, view.away, view.others), (None, Some(2), vec![3]));
        assert_eq!(claims.view(at(10 + RETURN_MS)).away, None);
        claims.deliver(at(RETURN_MS * 2), 3, Delivery::Notice);
        claims.members(at(RETURN_MS * 2), &[1]);
        assert_eq!(claims.view(at(RETURN_MS * 2)).away, Some(3));
        claims.members(at(RETURN_MS * 2 + 5), &[1, 3]);
        assert_eq!(claims.view(at(RETURN_MS * 2 + 5)).away, None);
        // Who leaves without one is nobody's concern here.
        claims.members(at(RETURN_MS * 2 + 6), &[1]);
        assert_eq!(claims.view(at(RETURN_MS * 2 + 6)).away, None);
    }

    #[test]
    fn answers_belong_to_one_intent_and_to_members() {
        let mut claims = claims();
        let answer = |number, node: &str| Delivery::Answer {
            number,
            condition: Condition { node: node.into(), ..Condition::default() },
        };
        claims.deliver(at(0), 1, intent(4));
        claims.deliver(at(1), 2, answer(3, "old"));
        assert_eq!(claims.view(at(1)).answers, []);
        claims.deliver(at(2), 2, answer(4, "srv2"));
        claims.deliver(at(3), 3, answer(4, "srv3"));
        let who =
            |claims: &mut Claims| -> Vec<u32> { claims.view(at(4)).answers.iter().map(|a| a.from).collect() };
        assert_eq!(who(&mut claims), [2, 3]);
        claims.members(at(4), &[1, 3]);
        assert_eq!(who(&mut claims), [3]);
    }

    #[test]
    fn one_that_has_just_joined_knows_of_no_earlier_intent() {
        let mut claims = Claims::default();
        assert!(!claims.view(at(100_000)).settled);
        claims.join(at(100_000), 1);
        assert!(
            !claims.view(at(100_000 + INTENT_MS - 1)).settled && claims.view(at(100_000 + INTENT_MS)).settled
        );
        claims.leave();
        assert!(!claims.view(at(200_000)).settled);
    }
}
