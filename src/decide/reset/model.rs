//! Several nodes and CPG's one order of delivery, played in every interleaving.
//!
//! A node's look, the delivery of a message to it, and what it sends are steps of their own; each sick node delivers the same
//! messages in the same order, at its own pace, and a well one at once. A node that resets itself leaves and stays away.

use std::collections::{BTreeSet, HashSet};

use super::*;
use crate::cluster::reset_intent::Condition;
use crate::decide::clock::{BootTime, ElapsedTime};

/// Who may be well, sick or away.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    sick: bool,
    gate: Gate,
    claims: Claims,
    /// How much of the order was delivered here.
    delivered: usize,
    looks: u32,
    up: bool,
}

/// What CPG has ordered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Ordered {
    Message(u32, Delivery),
    Answer { from: u32, to: u32, number: u64, condition: Condition },
    Members(Vec<u32>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    nodes: Vec<Node>,
    order: Vec<Ordered>,
    resets: Vec<u32>,
    witness: u32,
    /// A node looks so often: it asks, waits, goes or holds, and asks again.
    most_looks: u32,
}

/// All intents are heard, nothing expires: times are of one moment, and what depends on them is tested beside.
const NOW: BootTime = BootTime::at(INTENT_MS);
/// The same, by the clock of the one that would reset itself.
const ELAPSED: ElapsedTime = ElapsedTime::at(INTENT_MS);

impl World {
    fn new(nodes: u32, sick: &[u32], witness: u32, most_looks: u32) -> Self {
        let all: Vec<u32> = (1..=nodes).collect();
        let node = |id: u32| {
            let mut claims = Claims::default();
            claims.join(BootTime::at(0), id);
            claims.members(BootTime::at(0), &all);
            Node { sick: sick.contains(&id), gate: Gate::default(), claims, delivered: 0, looks: 0, up: true }
        };
        Self {
            nodes: (1..=nodes).map(node).collect(),
            order: Vec::new(),
            resets: Vec::new(),
            witness,
            most_looks,
        }
    }

    fn up(&self) -> Vec<u32> {
        (1u32..).zip(&self.nodes).filter(|(_, n)| n.up).map(|(id, _)| id).collect()
    }

    fn votes(&self) -> VoteCount {
        let nodes = u32::try_from(self.nodes.len()).expect("few");
        let total = u32::try_from(self.up().len()).expect("few") + self.witness;
        VoteCount { total, needed: (nodes + self.witness) / 2 + 1, own: 1, device: self.witness }
    }

    /// The worlds that may come next.
    fn next(&self) -> Vec<Self> {
        let mut worlds = Vec::new();
        for index in 0..self.nodes.len() {
            if !self.nodes[index].up {
                continue;
            }
            if self.nodes[index].sick {
                worlds.extend(self.delivers(index));
            }
            if self.nodes[index].sick && self.nodes[index].looks < self.most_looks {
                worlds.push(self.looks(index));
            }
        }
        worlds.into_iter().map(Self::delivered_by_the_well).collect()
    }

    fn delivered_by_the_well(mut self) -> Self {
        for index in 0..self.nodes.len() {
            while !self.nodes[index].sick
                && let Some(world) = self.delivers(index)
            {
                self = world;
            }
        }
        self.forgotten()
    }

    /// Without what all have delivered: worlds that differ in nothing else are one.
    fn forgotten(mut self) -> Self {
        let up = self.nodes.iter().filter(|n| n.up);
        let all = up.map(|n| n.delivered).min().unwrap_or_default();
        self.order.drain(..all);
        for node in &mut self.nodes {
            node.delivered = node.delivered.saturating_sub(all);
        }
        self
    }

    fn delivers(&self, index: usize) -> Option<Self> {
        let mut world = self.clone();
        let me = u32::try_from(index).expect("few") + 1;
        let ordered = world.order.get(world.nodes[index].delivered)?.clone();
        let node = &mut world.nodes[index];
        node.delivered += 1;
        match ordered {
            Ordered::Members(members) => node.claims.members(NOW, &members),
            Ordered::Answer { from, to, number, condition } if to == me => {
                node.claims.deliver(NOW, from, Delivery::Answer { number, condition });
            }
            Ordered::Answer { .. } => {}
            Ordered::Message(from, delivery) => {
                let number = if let Delivery::Intent { number } = delivery { number } else { 0 };
                if node.claims.deliver(NOW, from, delivery) {
                    // As `daemon::resets` does.
                    let view = node.claims.view(NOW);
                    let another = view.another_first.is_some_and(|first| first != from) || view.own.is_some();
                    let sick = node.sick || another;
                    let obstacle = sick.then(|| "not well".to_owned());
                    let condition = Condition { node: me.to_string(), obstacle, instances: vec!["p".into()] };
                    world.order.push(Ordered::Answer { from: me, to: from, number, condition });
                }
            }
        }
        Some(world)
    }

    fn looks(&self, index: usize) -> Self {
        let mut world = self.clone();
        let me = u32::try_from(index).expect("few") + 1;
        let votes = world.votes();
        let node = &mut world.nodes[index];
        node.looks += 1;
        let view = node.claims.view(NOW);
        let primaries = ["p".to_owned()];
        let call = Call {
            ground: Ground::Daemon,
            why: "hangs",
            primaries: &primaries,
            view: &view,
            votes: Some(votes),
            excluded: &[],
        };
        let (verdict, said) = node.gate.step(ELAPSED, &call);
        for message in said {
            let delivery = match message {
                Said::Ask { number, .. } => Delivery::Intent { number },
                Said::Withdraw { number } => Delivery::Withdrawn { number },
                Said::Wanted(_) | Said::HeldBack(_) | Said::Over(_) => continue,
            };
            world.order.push(Ordered::Message(me, delivery));
        }
        if verdict == Verdict::Reset {
            world.nodes[index].up = false;
            world.resets.push(me);
            world.order.push(Ordered::Members(world.up()));
            world.check();
        }
        world
    }

    /// Never two at once, and somebody well with the quorum is left.
    fn check(&self) {
        let away = self.nodes.iter().filter(|n| !n.up).count();
        assert_eq!(away, 1, "two at once: {:?}\n{:#?}", self.resets, self.order);
        let well = self.nodes.iter().any(|n| n.up && !n.sick);
        assert!(well, "nobody well is left: {:?}\n{:#?}", self.resets, self.order);
        let votes = self.votes();
        assert!(votes.total >= votes.needed, "no quorum is left: {votes:?}");
    }
}

/// All worlds that can be reached. Gives how many there are, and who was reset in the end in any of them.
fn play(world: World) -> (usize, BTreeSet<Vec<u32>>) {
    let (mut known, mut ends) = (HashSet::new(), BTreeSet::new());
    let mut open = vec![world];
    while let Some(world) = open.pop() {
        if !known.insert(world.clone()) {
            continue;
        }
        let next = world.next();
        if next.is_empty() {
            ends.insert(world.resets);
        }
        open.extend(next);
    }
    (known.len(), ends)
}

fn ends(nodes: u32, sick: &[u32], witness: u32, looks: u32) -> BTreeSet<Vec<u32>> {
    let (worlds, ends) = play(World::new(nodes, sick, witness, looks));
    assert!(worlds >= 5, "it was hardly played: {worlds}");
    ends
}

#[test]
fn one_sick_node_of_two_with_a_witness_goes_and_of_two_without_one_stays() {
    assert!(ends(2, &[1], 1, 4).contains(&vec![1]));
    assert_eq!(ends(2, &[1], 0, 4), BTreeSet::from([vec![]]));
}

#[test]
fn two_sick_nodes_of_two_both_stay() {
    assert_eq!(ends(2, &[1, 2], 1, 4), BTreeSet::from([vec![]]));
}

#[test]
fn of_two_sick_nodes_of_three_either_goes_and_never_both() {
    let ends = ends(3, &[1, 2], 0, 3);
    assert_eq!(ends, BTreeSet::from([vec![], vec![1], vec![2]]));
}

#[test]
fn of_two_sick_nodes_of_five_never_both_though_the_quorum_would_bear_it() {
    let ends = ends(5, &[1, 2], 0, 3);
    assert_eq!(ends, BTreeSet::from([vec![], vec![1], vec![2]]));
}

/// More of them have too many orders to be played all: some thousand are drawn.
#[test]
fn of_three_sick_nodes_of_three_all_stay_and_of_four_and_five_one_goes_at_most() {
    for (nodes, sick) in [(3, &[1, 2, 3][..]), (4, &[1, 2, 3]), (5, &[1, 2, 3]), (5, &[1, 2, 3, 4])] {
        let mut drawn: u64 = 1;
        let mut ends = BTreeSet::new();
        for _ in 0..150 {
            let mut world = World::new(nodes, sick, 0, 4);
            loop {
                let next = world.next();
                if next.is_empty() {
                    break;
                }
                drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let index = usize::try_from(drawn >> 33).expect("31 bits") % next.len();
                world = next.into_iter().nth(index).expect("one of them");
            }
            ends.insert(world.resets);
        }
        assert!(ends.iter().all(|e| e.len() <= 1), "{ends:?}");
        assert_eq!(ends.len() > 1, sick.len() < nodes as usize, "{nodes} nodes, {sick:?} sick: {ends:?}");
    }
}
