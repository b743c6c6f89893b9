//! A state of the small cluster, its number, and that of one whose standbys have other names.

use super::super::*;

/// Instances at most.
pub(super) const MOST: usize = 5;
pub(super) const NODES: [&str; MOST] = ["a", "b", "c", "d", "e"];

/// Instances, as bits.
pub(super) type Set = u8;

/// The primary is instance 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State {
    pub(super) promotions: u8,
    /// How much each instance has of the line that counts.
    pub(super) flush: [u8; MOST],
    pub(super) streams: Set,
    /// The setting as each walsender has it; the primary's own place has what SHOW says.
    pub(super) read: [Setting; MOST],
    pub(super) acked: u8,
    /// Count and instances; its number is nothing that makes a state another one.
    pub(super) record: Option<(u8, Set)>,
    pub(super) confirming: Option<(Setting, u8)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Setting {
    pub(super) count: u8,
    pub(super) nodes: Set,
}

/// Where each instance goes.
pub(super) type Order = [usize; MOST];

/// Positions are above 0.
pub(super) fn lsn(commits: u8) -> u64 {
    u64::from(commits) + 1
}

pub(super) fn has(set: Set, node: usize) -> bool {
    set & (1 << node) != 0
}

pub(super) fn moved(set: Set, order: &Order) -> Set {
    (0..MOST).filter(|n| has(set, *n)).map(|n| 1 << order[n]).sum()
}

pub(super) fn names_of(set: Set) -> BTreeSet<String> {
    (0..MOST).filter(|n| has(set, *n)).map(|n| NODES[n].to_owned()).collect()
}

pub(super) fn bits(nodes: &BTreeSet<String>) -> Set {
    (0..MOST).filter(|n| nodes.contains(NODES[*n])).map(|n| 1 << n).sum()
}

pub(super) fn small(count: usize) -> u8 {
    u8::try_from(count).expect("few instances")
}

impl Setting {
    pub(super) fn of(names: &Names) -> Setting {
        Setting { count: small(names.count), nodes: bits(&names.nodes) }
    }

    pub(super) fn names(self) -> Names {
        Names { count: usize::from(self.count), nodes: names_of(self.nodes) }
    }

    pub(super) fn moved(self, order: &Order) -> Setting {
        Setting { nodes: moved(self.nodes, order), ..self }
    }

    /// Three bits for the count, five for the instances.
    const fn number(self) -> u128 {
        (self.count as u128) << 5 | self.nodes as u128
    }

    const fn read(number: u128) -> Setting {
        Setting { count: (number >> 5 & 7) as u8, nodes: (number & 31) as u8 }
    }
}

pub(super) fn voters_of(record: Option<(u8, Set)>) -> Option<Voters> {
    let (count, nodes) = record?;
    let statement = Some(Statement { count: usize::from(count), nodes: names_of(nodes) });
    Some(Voters { generation: 1, sequence: 1, statement })
}

pub(super) fn record_of(voters: &Voters) -> Option<(u8, Set)> {
    let statement = voters.statement.as_ref()?;
    Some((small(statement.count), bits(&statement.nodes)))
}

/// Every order of the others behind the first one.
pub(super) fn orders(nodes: usize) -> Vec<Order> {
    let mut all = vec![vec![0]];
    for _ in 1..nodes {
        all = all
            .into_iter()
            .flat_map(|begun: Vec<usize>| {
                let rest: Vec<usize> = (1..nodes).filter(|n| !begun.contains(n)).collect();
                rest.into_iter().map(move |n| [begun.clone(), vec![n]].concat())
            })
            .collect();
    }
    let whole = |order: Vec<usize>| std::array::from_fn(|n| order.get(n).copied().unwrap_or(n));
    all.into_iter().map(whole).collect()
}

impl State {
    pub(super) fn moved(&self, order: &Order) -> State {
        let mut next = State {
            streams: moved(self.streams, order),
            record: self.record.map(|(count, nodes)| (count, moved(nodes, order))),
            confirming: self.confirming.map(|(setting, until)| (setting.moved(order), until)),
            ..*self
        };
        for n in 0..MOST {
            next.flush[order[n]] = self.flush[n];
            next.read[order[n]] = self.read[n].moved(order);
        }
        next
    }

    /// What is one instance's in a state, whatever it is called.
    pub(super) fn key(&self, n: usize) -> u32 {
        let read = self.read[n];
        let of = [
            has(self.streams, n),
            has(read.nodes, n),
            read == self.read[0],
            has(self.read[0].nodes, n),
            self.record.is_some_and(|(_, nodes)| has(nodes, n)),
            self.confirming.is_some_and(|(setting, _)| has(setting.nodes, n)),
        ];
        let of = of.into_iter().fold(0, |bits, is| bits << 1 | u32::from(is));
        u32::from(self.flush[n]) << 16 | u32::from(read.count) << 12 | read.nodes.count_ones() << 8 | of
    }

    pub(super) fn number(&self) -> u128 {
        let mut number = u128::from(self.promotions);
        let mut put = |bits: u32, value: u128| number = number << bits | value;
        put(2, self.acked.into());
        put(5, self.streams.into());
        for n in 0..MOST {
            put(2, self.flush[n].into());
            put(8, self.read[n].number());
        }
        put(8, self.record.map_or(0, |(count, nodes)| Setting { count, nodes }.number()));
        put(1, u128::from(self.confirming.is_some()));
        put(8, self.confirming.map_or(0, |(setting, _)| setting.number()));
        put(2, self.confirming.map_or(0, |(_, until)| until.into()));
        number
    }

    pub(super) fn of_number(mut number: u128) -> State {
        let mut take = |bits: u32| {
            let value = number & ((1 << bits) - 1);
            number >>= bits;
            value
        };
        let mut state = State::default();
        let (until, setting, is_confirming) = (take(2) as u8, Setting::read(take(8)), take(1) == 1);
        state.confirming = is_confirming.then_some((setting, until));
        let record = Setting::read(take(8));
        state.record = (record.count > 0).then_some((record.count, record.nodes));
        for n in (0..MOST).rev() {
            state.read[n] = Setting::read(take(8));
            state.flush[n] = take(2) as u8;
        }
        state.streams = take(5) as u8;
        state.acked = take(2) as u8;
        state.promotions = take(4) as u8;
        state
    }

    /// What the walsender of a standby lets pass: the number is of the setting that it has read itself, and each of the others counts by
    /// whether its own walsender has read its name (syncrep.c, `SyncRepGetCandidateStandbys`).
    pub(super) fn released_by(&self, standby: usize) -> u8 {
        let counts = |n: &usize| has(self.streams, *n) && has(self.read[*n].nodes, *n);
        let count = usize::from(self.read[standby].count);
        if count == 0 || !counts(&standby) {
            return 0;
        }
        let mut there: Vec<u8> = (1..MOST).filter(counts).map(|n| self.flush[n]).collect();
        there.sort_unstable_by(|a, b| b.cmp(a));
        there.get(count - 1).copied().unwrap_or(0)
    }

    pub(super) fn releasable(&self) -> u8 {
        if self.read[0].count == 0 {
            return self.flush[0];
        }
        (1..MOST).filter(|n| has(self.streams, *n)).map(|n| self.released_by(n)).max().unwrap_or(0)
    }

    /// A commit that somebody was told of and that one who may be promoted lacks.
    pub(super) fn loses(&self) -> bool {
        self.flush[0] < self.acked
            || self.record.is_some_and(|(count, nodes)| {
                (1..=self.acked).any(|commit| {
                    let have = (0..MOST).filter(|n| has(nodes, *n) && self.flush[*n] >= commit);
                    have.count() < usize::from(count)
                })
            })
    }
}
