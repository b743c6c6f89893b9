//! Every interleaving of a small cluster: commits, standbys that receive them or not, a setting that each walsender reads in its own
//! time, the agent's steps, the end of a primary and the promotion of another one. After each: whoever may be promoted has every
//! acknowledged commit.
//!
//! Two states that differ in the standbys' names alone are one: the primary is the first instance, and of all orders of the others
//! the one with the smallest number counts ([`Model::number`]).

mod state;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use self::state::*;
use super::{Sync, *};

/// Which rule is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// The setting changes without the record before it.
    WeakenAfter,
    /// The stronger record stands at once.
    ConfirmAtOnce,
    /// Whether the walsenders have read it is not looked at.
    TakenForGranted,
    /// Whether they have read the number is not looked at.
    NumberUnread,
    /// What was to be confirmed of an earlier time of the same setting is kept.
    ConfirmKept,
    /// A candidate puts nothing on record.
    PromotionUnrecorded,
    /// One answer is enough.
    AnyAnswer,
}

/// How large a cluster is, and how long its story.
#[derive(Debug, Clone, Copy)]
struct Size {
    nodes: usize,
    /// `sync_count`.
    count: usize,
    commits: u8,
    promotions: u8,
}

/// What the agent looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Look {
    streams: Set,
    /// Whose walsender has read its own name.
    named: Set,
    /// Whose walsender has read the setting that is in force.
    heard: Set,
    flush: [u8; MOST],
    record: Option<(u8, Set)>,
    setting: Setting,
    confirming: Option<(Setting, u8)>,
    leaving: Option<usize>,
}

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Nothing,
    Put(u8, Set),
    Configure(Setting),
    Confirm(Setting, u8),
}

struct Model {
    size: Size,
    policy: Policy,
    broken: Broken,
    orders: Vec<Order>,
    steps: HashMap<Look, Done>,
}

impl Model {
    fn new(size: Size, sync: Sync, broken: Broken) -> Model {
        let policy = policy(sync, size.count);
        Model { size, policy, broken, orders: orders(size.nodes), steps: HashMap::new() }
    }

    /// A state's number: the smallest one of all orders of the standbys. First they are ordered by what is theirs whatever they are
    /// called, which leaves few orders.
    fn number(&self, state: &State) -> u128 {
        let keys: [u32; MOST] = std::array::from_fn(|n| state.key(n));
        let fits = |order: &&Order| {
            self.others().all(|n| self.others().all(|m| keys[n] >= keys[m] || order[n] < order[m]))
        };
        self.orders.iter().filter(fits).map(|order| state.moved(order).number()).min().unwrap_or_default()
    }

    fn others(&self) -> std::ops::Range<usize> {
        1..self.size.nodes
    }

    /// The agent's next step, carried out; it may be told that one of the others is about to stop.
    fn step(&mut self, state: &State, leaving: Option<usize>) -> Option<State> {
        let named = self.others().filter(|n| has(state.read[*n].nodes, *n)).map(|n| 1 << n).sum::<Set>();
        let is_heard = |n: &usize| self.broken == Broken::NumberUnread || state.read[*n] == state.read[0];
        let heard = self.others().filter(is_heard).map(|n| 1 << n).sum::<Set>();
        let look = Look {
            streams: state.streams,
            named: named & state.streams,
            heard: heard & state.streams,
            flush: state.flush,
            record: state.record,
            setting: state.read[0],
            confirming: state.confirming,
            leaving,
        };
        let done = match self.steps.get(&look) {
            Some(done) => *done,
            None => {
                let done = self.decide(&look);
                self.steps.insert(look, done);
                done
            }
        };
        let mut next = *state;
        match done {
            Done::Nothing => return None,
            Done::Put(count, nodes) => next.record = Some((count, nodes)),
            // The postmaster has it at once, the walsenders when they come to it.
            Done::Configure(setting) => {
                next.read[0] = setting;
                if self.broken != Broken::ConfirmKept {
                    next.confirming = None;
                }
            }
            Done::Confirm(setting, until) => next.confirming = Some((setting, until)),
        }
        Some(next)
    }

    fn decide(&self, look: &Look) -> Done {
        let peer = |n: usize| Peer {
            node: NODES[n].into(),
            place: Place::SameSite,
            presence: if has(look.streams, n) && look.leaving != Some(n) {
                Presence::Streams
            } else {
                Presence::Absent
            },
        };
        let peers: Vec<Peer> = self.others().map(peer).collect();
        let row = |n: usize| {
            standby(NODES[n], if has(look.named, n) { "quorum" } else { "async" }, lsn(look.flush[n]))
        };
        let standbys: Vec<ConnectedStandby> =
            self.others().filter(|n| has(look.streams, *n)).map(row).collect();
        let (record, in_force) = (voters_of(look.record), look.setting.names());
        let setting = in_force.to_string();
        let confirming = look.confirming.map(|(setting, until)| Confirming {
            setting: setting.names().to_string(),
            until: Lsn(lsn(until)),
        });
        let heard = names_of(look.heard);
        let facts = Facts {
            node: NODES[0],
            policy: self.policy,
            peers: &peers,
            generation: 1,
            now: BootTime::at(0),
            record: record.as_ref(),
            setting: &setting,
            standbys: &standbys,
            lsn: Lsn(lsn(look.flush[0])),
            short_for: None,
            confirming: confirming.as_ref(),
            heard: &heard,
        };
        let strengthen = || {
            let statement = in_force.statement(facts.node);
            Step::Strengthen(Voters::after(record.as_ref(), 1, Some(statement), BootTime::at(0)))
        };
        let mut taken = step(&facts);
        match (self.broken, &taken) {
            (Broken::WeakenAfter, Step::Weaken(_)) => {
                let target = target(&facts.policy, &peers, &in_force);
                if target != in_force {
                    taken = Step::Configure(target);
                }
            }
            (Broken::ConfirmAtOnce, Step::Confirm(_)) => taken = strengthen(),
            (Broken::TakenForGranted, Step::Wait)
                if confirming.as_ref().is_none_or(|c| c.setting != setting) =>
            {
                taken = Step::Confirm(Confirming { setting: setting.clone(), until: facts.lsn });
            }
            (Broken::TakenForGranted, Step::Wait) => {
                let until = confirming.as_ref().map(|c| c.until);
                let level = standbys
                    .iter()
                    .filter(|s| in_force.nodes.contains(&s.application_name) && s.flush >= until);
                if level.count() >= in_force.count {
                    taken = strengthen();
                }
            }
            _ => {}
        }
        match taken {
            Step::Settled | Step::Wait | Step::Later | Step::Release => Done::Nothing,
            Step::Weaken(voters) | Step::Strengthen(voters) => match record_of(&voters) {
                Some((count, nodes)) => Done::Put(count, nodes),
                None => Done::Nothing,
            },
            Step::Configure(names) => Done::Configure(Setting::of(&names)),
            Step::Confirm(Confirming { until, .. }) => {
                Done::Confirm(look.setting, u8::try_from(until.0 - 1).expect("small"))
            }
        }
    }

    /// Who may be promoted, by whose answers; and the cluster then.
    fn promotions(&self, state: &State) -> Vec<State> {
        let mut all = Vec::new();
        let Some(voters) = voters_of(state.record) else { return all };
        let Some(statement) = voters.statement.clone() else { return all };
        // Each subset of the survivors that answers.
        for answered in (1..1u8 << self.size.nodes).filter(|set| !has(*set, 0)) {
            if self.broken != Broken::AnyAnswer && statement.missing(&names_of(answered)).is_some() {
                continue;
            }
            let those = || self.others().filter(|n| has(answered, *n));
            let furthest = those().map(|n| state.flush[n]).max();
            for candidate in those().filter(|n| Some(state.flush[*n]) == furthest) {
                let peers: Vec<Peer> = those()
                    .filter(|n| *n != candidate)
                    .map(|n| Peer {
                        node: NODES[n].into(),
                        place: Place::SameSite,
                        presence: Presence::Streams,
                    })
                    .collect();
                let (names, on_record) =
                    at_promotion(&self.policy, NODES[candidate], &peers, Some(&voters), 2, BootTime::at(0));
                let mut next =
                    State { promotions: state.promotions + 1, confirming: None, streams: 0, ..*state };
                next.flush = next.flush.map(|flush| flush.min(state.flush[candidate]));
                next.read = [Setting::default(); MOST];
                // It and the primary before it change places; the setting is the new one's.
                let setting = Setting::of(&names.unwrap_or_default());
                if let Some(on_record) = on_record.filter(|_| self.broken != Broken::PromotionUnrecorded) {
                    next.record = record_of(&on_record);
                }
                let mut order: Order = std::array::from_fn(|n| n);
                order.swap(0, candidate);
                let mut next = next.moved(&order);
                next.read[0] = setting.moved(&order);
                all.push(next);
            }
        }
        all
    }

    fn successors(&mut self, state: &State) -> Vec<State> {
        let mut all = Vec::new();
        let mut push = |change: &dyn Fn(&mut State)| {
            let mut next = *state;
            change(&mut next);
            all.push(next);
        };
        if state.flush[0] < self.size.commits {
            push(&|s| s.flush[0] += 1);
        }
        if state.releasable() > state.acked {
            push(&|s| s.acked += 1);
        }
        for n in 1..self.size.nodes {
            let (bit, streams) = (1 << n, has(state.streams, n));
            if streams {
                push(&|s| {
                    s.streams &= !bit;
                    s.read[n] = Setting::default();
                });
            } else {
                // A walsender that begins reads the setting as it is.
                push(&|s| {
                    s.streams |= bit;
                    s.read[n] = s.read[0];
                });
            }
            if streams && state.flush[n] < state.flush[0] {
                push(&|s| s.flush[n] += 1);
            }
            if streams && state.read[n] != state.read[0] {
                push(&|s| s.read[n] = s.read[0]);
            }
        }
        let told = [None].into_iter().chain(self.others().map(Some));
        all.extend(told.filter_map(|leaving| self.step(state, leaving)));
        if state.promotions < self.size.promotions {
            all.extend(self.promotions(state));
        }
        all
    }
}

/// What an exploration gave.
struct Explored {
    states: usize,
    /// Whether there was no time for all.
    is_cut_short: bool,
    /// The way to the first state that loses a commit.
    loss: Option<Vec<State>>,
}

fn explore(size: Size, sync: Sync, broken: Broken, time: Duration) -> Explored {
    let begun = Instant::now();
    let mut model = Model::new(size, sync, broken);
    let first = model.number(&State::default());
    let mut seen = HashSet::from([first]);
    let mut from: Vec<(u32, u128)> = vec![(0, first)];
    let mut at = 0;
    while let Some((_, number)) = from.get(at).copied() {
        let state = State::of_number(number);
        if state.loses() {
            let mut way = vec![state];
            let mut step = at;
            while step != 0 {
                step = from[step].0 as usize;
                way.push(State::of_number(from[step].1));
            }
            way.reverse();
            return Explored { states: seen.len(), is_cut_short: false, loss: Some(way) };
        }
        for next in model.successors(&state) {
            let number = model.number(&next);
            if seen.insert(number) {
                from.push((u32::try_from(at).expect("fewer"), number));
            }
        }
        at += 1;
        if at.is_multiple_of(1024) && begun.elapsed() > time {
            return Explored { states: seen.len(), is_cut_short: true, loss: None };
        }
    }
    Explored { states: seen.len(), is_cut_short: false, loss: None }
}

const fn size(nodes: usize, count: usize, commits: u8, promotions: u8) -> Size {
    Size { nodes, count, commits, promotions }
}

/// Far above what the small ones take.
const WHOLE: Duration = Duration::from_secs(600);

fn no_loss(size: Size, time: Duration) {
    for sync in [Sync::Prefer, Sync::Strict] {
        let begun = Instant::now();
        let Explored { states, is_cut_short, loss } = explore(size, sync, Broken::Nothing, time);
        assert!(loss.is_none(), "{size:?} {sync:?}: {:#?}", loss.unwrap_or_default());
        println!(
            "{size:?} {sync:?}: {states} states{}, {:.1} s",
            if is_cut_short { ", not all" } else { "" },
            begun.elapsed().as_secs_f64()
        );
        assert!(states > 100, "{size:?} {sync:?}: {states} states");
    }
}

#[test]
fn a_state_is_its_number() {
    let mut model = Model::new(size(5, 2, 3, 2), Sync::Prefer, Broken::Nothing);
    let mut states = vec![State::default()];
    for at in 0..2000 {
        let Some(state) = states.get(at).copied() else { break };
        assert_eq!(State::of_number(state.number()), state);
        let order = model.orders[at % model.orders.len()];
        assert_eq!(model.number(&state), model.number(&state.moved(&order)), "{state:?}");
        states.extend(model.successors(&state));
    }
}

#[test]
fn no_interleaving_loses_a_commit() {
    for size in [size(2, 1, 2, 1), size(3, 1, 2, 1), size(3, 2, 1, 1)] {
        no_loss(size, WHOLE);
    }
}

/// As far as there is time for: [`a_larger_cluster`] has more.
#[test]
fn no_interleaving_of_four_and_five_loses_a_commit() {
    for size in [size(4, 1, 1, 1), size(4, 2, 1, 1), size(5, 1, 1, 1), size(5, 2, 1, 1)] {
        no_loss(size, Duration::from_secs(2));
    }
}

/// `make model NODES=4 COUNT=2 COMMITS=2 PROMOTIONS=1 MINUTES=30`.
#[test]
#[ignore = "minutes to hours: make model"]
#[expect(clippy::disallowed_methods, reason = "a test reads its own environment")]
fn a_larger_cluster() {
    let number =
        |name: &str, usual: u8| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let minutes = number("MODEL_MINUTES", 10);
    let size = size(
        number("MODEL_NODES", 4).into(),
        number("MODEL_COUNT", 1).into(),
        number("MODEL_COMMITS", 1),
        number("MODEL_PROMOTIONS", 1),
    );
    assert!((2..=MOST).contains(&size.nodes) && size.commits <= 3, "{size:?}");
    no_loss(size, Duration::from_secs(u64::from(minutes) * 60));
}

#[test]
fn each_rule_taken_away_loses_one() {
    for (broken, count) in [
        (Broken::WeakenAfter, 1),
        (Broken::ConfirmAtOnce, 1),
        (Broken::TakenForGranted, 1),
        (Broken::NumberUnread, 2),
        (Broken::ConfirmKept, 1),
        (Broken::PromotionUnrecorded, 1),
        (Broken::AnyAnswer, 1),
    ] {
        let size = size(3, count, 2, 1);
        let explored = explore(size, Sync::Prefer, broken, WHOLE);
        assert!(explored.loss.is_some(), "{size:?} {broken:?}");
    }
}
