//! Every interleaving of a small cluster: commits, standbys that receive them or not, a setting that each walsender reads in its own
//! time, the agent's steps, the end of a primary and the promotion of another one. After each: whoever may be promoted has every
//! acknowledged commit.

use std::collections::{BTreeSet, HashSet};

use super::{Sync, *};

const NODES: [&str; 3] = ["a", "b", "c"];
/// Commits in a run.
const COMMITS: u8 = 2;
/// Promotions in a run.
const PROMOTIONS: u64 = 1;

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
    /// What was to be confirmed of an earlier time of the same setting is kept.
    ConfirmKept,
    /// A candidate puts nothing on record.
    PromotionUnrecorded,
    /// One answer is enough.
    AnyAnswer,
}

/// Instances, as bits.
type Set = u8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    primary: usize,
    generation: u64,
    /// How much each instance has of the line that counts.
    flush: [u8; 3],
    streams: [bool; 3],
    /// The setting as each walsender has it; the primary's own place has what SHOW says.
    read: [Setting; 3],
    acked: u8,
    /// Count and instances; its number is nothing that makes a state another one.
    record: Option<(u8, Set)>,
    confirming: Option<(Setting, u8)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Setting {
    count: u8,
    nodes: Set,
}

fn set_of(nodes: Set) -> BTreeSet<String> {
    (0..3).filter(|n| nodes & (1 << n) != 0).map(|n| NODES[n].to_owned()).collect()
}

fn bits(nodes: &BTreeSet<String>) -> Set {
    (0..3).filter(|n| nodes.contains(NODES[*n])).map(|n| 1 << n).sum()
}

fn small(count: usize) -> u8 {
    u8::try_from(count).expect("three instances")
}

impl Setting {
    fn of(names: &Names) -> Setting {
        Setting { count: small(names.count), nodes: bits(&names.nodes) }
    }

    fn names(self) -> Names {
        Names { count: usize::from(self.count), nodes: set_of(self.nodes) }
    }

    fn has(self, node: usize) -> bool {
        self.nodes & (1 << node) != 0
    }
}

impl State {
    fn first() -> State {
        State {
            primary: 0,
            generation: 1,
            flush: [0; 3],
            streams: [false; 3],
            read: Default::default(),
            acked: 0,
            record: None,
            confirming: None,
        }
    }

    fn voters(&self) -> Option<Voters> {
        let (count, nodes) = self.record?;
        let statement = Some(Statement { count: usize::from(count), nodes: set_of(nodes) });
        Some(Voters { generation: self.generation, sequence: 1, statement })
    }

    fn put(&mut self, voters: &Voters) {
        let Some(statement) = &voters.statement else { return };
        self.record = Some((small(statement.count), bits(&statement.nodes)));
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let primary = self.primary;
        (0..3).filter(move |n| *n != primary)
    }

    /// What the walsender of a standby lets pass: the number is of the setting that it has read itself, and each of the others counts by
    /// whether its own walsender has read its name (syncrep.c, `SyncRepGetCandidateStandbys`).
    fn released_by(&self, standby: usize) -> u8 {
        let counts = |n: &usize| self.streams[*n] && self.read[*n].has(*n);
        let count = usize::from(self.read[standby].count);
        if count == 0 || !counts(&standby) {
            return 0;
        }
        let mut there: Vec<u8> = self.others().filter(counts).map(|n| self.flush[n]).collect();
        there.sort_unstable_by(|a, b| b.cmp(a));
        there.get(count - 1).copied().unwrap_or(0)
    }

    fn releasable(&self) -> u8 {
        if self.read[self.primary].count == 0 {
            return self.flush[self.primary];
        }
        self.others().filter(|n| self.streams[*n]).map(|n| self.released_by(n)).max().unwrap_or(0)
    }

    /// The agent's next step, carried out; it may be told that one of the others is about to stop.
    fn step(&self, sync: Sync, broken: Broken, leaving: Option<usize>) -> Option<State> {
        let peers: Vec<Peer> = self
            .others()
            .map(|n| Peer {
                node: NODES[n].into(),
                place: Place::SameSite,
                presence: if self.streams[n] && leaving != Some(n) {
                    Presence::Streams
                } else {
                    Presence::Absent
                },
            })
            .collect();
        let standbys: Vec<ConnectedStandby> = self
            .others()
            .filter(|n| self.streams[*n])
            .map(|n| {
                let named = self.read[n].has(n);
                standby(NODES[n], if named { "quorum" } else { "async" }, u64::from(self.flush[n]) + 1)
            })
            .collect();
        let (record, in_force) = (self.voters(), self.read[self.primary].names());
        let setting = in_force.to_string();
        let confirming = self.confirming.map(|(setting, until)| Confirming {
            setting: setting.names().to_string(),
            until: Lsn(u64::from(until) + 1),
        });
        let facts = Facts {
            node: NODES[self.primary],
            policy: policy(sync, 1),
            peers: &peers,
            generation: self.generation,
            now: 0,
            record: record.as_ref(),
            setting: &setting,
            standbys: &standbys,
            lsn: Lsn(u64::from(self.flush[self.primary]) + 1),
            short_for: None,
            confirming: confirming.as_ref(),
        };
        let mut next = *self;
        let mut taken = step(&facts);
        match (broken, &taken) {
            (Broken::WeakenAfter, Step::Weaken(_)) => {
                let target = target(&facts.policy, &peers, &in_force);
                if target != in_force {
                    taken = Step::Configure(target);
                }
            }
            (Broken::ConfirmAtOnce, Step::Confirm(_)) => {
                let statement = in_force.statement(facts.node);
                taken = Step::Strengthen(Voters::after(record.as_ref(), self.generation, Some(statement), 0));
            }
            (Broken::TakenForGranted, Step::Wait)
                if confirming.as_ref().is_none_or(|c| c.setting != setting) =>
            {
                taken = Step::Confirm(Confirming { setting: setting.clone(), until: facts.lsn });
            }
            (Broken::TakenForGranted, Step::Wait) => {
                let names = &in_force;
                let until = confirming.as_ref().map(|c| c.until);
                let level =
                    standbys.iter().filter(|s| names.nodes.contains(&s.application_name) && s.flush >= until);
                if level.count() >= names.count {
                    let statement = names.statement(facts.node);
                    taken =
                        Step::Strengthen(Voters::after(record.as_ref(), self.generation, Some(statement), 0));
                }
            }
            _ => {}
        }
        match taken {
            Step::Settled | Step::Wait | Step::Later | Step::Release => return None,
            Step::Weaken(voters) | Step::Strengthen(voters) => next.put(&voters),
            // The postmaster has it at once, the walsenders when they come to it.
            Step::Configure(names) => {
                next.read[self.primary] = Setting::of(&names);
                if broken != Broken::ConfirmKept {
                    next.confirming = None;
                }
            }
            Step::Confirm(Confirming { until, .. }) => {
                next.confirming = Some((Setting::of(&in_force), u8::try_from(until.0 - 1).expect("small")));
            }
        }
        Some(next)
    }

    /// Who may be promoted, by whose answers; and the cluster then.
    fn promotions(&self, sync: Sync, broken: Broken) -> Vec<State> {
        let mut all = Vec::new();
        let voters = self.voters();
        let Some(statement) = voters.as_ref().and_then(|v| v.statement.clone()) else { return all };
        // Each subset of the survivors that answers.
        for answering in 1..8usize {
            let answered: Vec<usize> =
                (0..3).filter(|n| answering & (1 << n) != 0 && *n != self.primary).collect();
            let Some(candidate) = answered.iter().copied().max_by_key(|n| self.flush[*n]) else { continue };
            let by_name: BTreeSet<String> = answered.iter().map(|n| NODES[*n].to_owned()).collect();
            if broken != Broken::AnyAnswer && statement.missing(&by_name).is_some() {
                continue;
            }
            let mut next = *self;
            next.primary = candidate;
            next.generation += 1;
            next.confirming = None;
            next.streams = [false; 3];
            for n in 0..3 {
                next.flush[n] = next.flush[n].min(self.flush[candidate]);
            }
            let peers: Vec<Peer> = answered
                .iter()
                .filter(|n| **n != candidate)
                .map(|n| Peer { node: NODES[*n].into(), place: Place::SameSite, presence: Presence::Streams })
                .collect();
            let (names, on_record) =
                at_promotion(&policy(sync, 1), NODES[candidate], &peers, voters.as_ref(), next.generation, 0);
            next.read = [Setting::of(&names.unwrap_or_default()); 3];
            if let Some(on_record) = on_record.filter(|_| broken != Broken::PromotionUnrecorded) {
                next.put(&on_record);
            }
            all.push(next);
        }
        all
    }

    fn successors(&self, sync: Sync, broken: Broken) -> Vec<State> {
        let mut all = Vec::new();
        let mut push = |change: &dyn Fn(&mut State)| {
            let mut next = *self;
            change(&mut next);
            all.push(next);
        };
        if self.flush[self.primary] < COMMITS {
            push(&|s| s.flush[s.primary] += 1);
        }
        if self.releasable() > self.acked {
            push(&|s| s.acked += 1);
        }
        for n in self.others() {
            if self.streams[n] {
                push(&|s| s.streams[n] = false);
            } else {
                // A walsender that begins reads the setting as it is.
                push(&|s| {
                    s.streams[n] = true;
                    s.read[n] = s.read[s.primary];
                });
            }
            if self.streams[n] && self.flush[n] < self.flush[self.primary] {
                push(&|s| s.flush[n] += 1);
            }
            if self.streams[n] && self.read[n] != self.read[self.primary] {
                push(&|s| s.read[n] = s.read[s.primary]);
            }
        }
        let told = [None].into_iter().chain(self.others().map(Some));
        all.extend(told.filter_map(|leaving| self.step(sync, broken, leaving)));
        if self.generation <= PROMOTIONS {
            all.extend(self.promotions(sync, broken));
        }
        all
    }

    /// A commit that somebody was told of and that one who may be promoted lacks.
    fn loses(&self) -> bool {
        self.flush[self.primary] < self.acked
            || self.voters().and_then(|v| v.statement).is_some_and(|statement| {
                (1..=self.acked).any(|commit| {
                    let have =
                        (0..3).filter(|n| statement.nodes.contains(NODES[*n]) && self.flush[*n] >= commit);
                    have.count() < statement.count
                })
            })
    }
}

/// How many states there are, and the way to the first one that loses a commit.
fn explore(sync: Sync, broken: Broken) -> (usize, Option<Vec<State>>) {
    let mut seen = HashSet::from([State::first()]);
    let mut from = vec![(0, State::first())];
    let mut at = 0;
    while let Some((_, state)) = from.get(at).copied() {
        if state.loses() {
            let mut way = vec![state];
            let mut step = at;
            while step != 0 {
                step = from[step].0;
                way.push(from[step].1);
            }
            way.reverse();
            return (seen.len(), Some(way));
        }
        for next in state.successors(sync, broken) {
            if seen.insert(next) {
                from.push((at, next));
            }
        }
        at += 1;
    }
    (seen.len(), None)
}

#[test]
fn no_interleaving_loses_a_commit() {
    for sync in [Sync::Prefer, Sync::Strict] {
        let (states, loss) = explore(sync, Broken::Nothing);
        assert!(loss.is_none(), "{sync:?}: {:#?}", loss.unwrap_or_default());
        println!("{sync:?}: {states} states");
        assert!(states > 1000, "{sync:?}: {states} states");
    }
}

#[test]
fn each_rule_taken_away_loses_one() {
    for broken in [
        Broken::WeakenAfter,
        Broken::ConfirmAtOnce,
        Broken::TakenForGranted,
        Broken::ConfirmKept,
        Broken::PromotionUnrecorded,
        Broken::AnyAnswer,
    ] {
        let (_, loss) = explore(Sync::Prefer, broken);
        assert!(loss.is_some(), "{broken:?}");
    }
}
