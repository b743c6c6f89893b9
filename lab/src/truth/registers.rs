//! Registers: every value is written once, so a reading tells which write it saw.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Finding, Tally};
use super::operation::{Action, Final, Op};
use crate::record::history::Outcome;

/// What a register holds before anybody writes it.
pub const INITIAL: i64 = 0;

/// What is known of one write.
#[derive(Debug, Clone, Copy)]
struct Effect {
    asked: Duration,
    /// It had taken effect by then: its answer, or the first reading that showed it. `None`: nobody knows whether.
    by: Option<Duration>,
    is_refused: bool,
}

/// When each write of a register took effect, as far as the history tells.
#[derive(Debug, Default)]
pub struct Effects(BTreeMap<(i64, i64), Effect>);

impl Effects {
    /// Reads it off a history.
    #[must_use]
    pub fn of(ops: &[Op]) -> Self {
        let mut effects = BTreeMap::new();
        for op in ops {
            if let Action::Write { register, value } = op.action {
                let by = op.is_acked().then_some(op.ended);
                let is_refused = matches!(op.outcome, Outcome::Refused(_));
                effects.insert((register, value), Effect { asked: op.asked, by, is_refused });
            }
        }
        for op in ops.iter().filter(|op| op.is_acked()) {
            if let Action::Read(shown) = &op.action {
                for (&register, &value) in &shown.registers {
                    if let Some(effect) = effects.get_mut(&(register, value)) {
                        effect.by = Some(effect.by.map_or(op.ended, |by| by.min(op.ended)));
                    }
                }
            }
        }
        Self(effects)
    }

    /// When the write of this value was asked for; the initial value was there from the beginning.
    #[must_use]
    pub fn asked(&self, register: i64, value: i64) -> Option<Duration> {
        if value == INITIAL {
            return Some(Duration::ZERO);
        }
        self.0.get(&(register, value)).map(|e| e.asked)
    }

    /// By when the write of this value had taken effect; `None` when that is not known.
    #[must_use]
    pub fn effective_by(&self, register: i64, value: i64) -> Option<Duration> {
        if value == INITIAL {
            return Some(Duration::ZERO);
        }
        self.0.get(&(register, value))?.by
    }

    /// The writes of a register in the order of their beginning, each with the earliest time by which it or one that
    /// began later had taken effect.
    fn overwritten_by(&self, register: i64) -> Vec<(Duration, Duration)> {
        let of_register = self.0.range((register, i64::MIN)..=(register, i64::MAX));
        let mut writes: Vec<(Duration, Duration)> =
            of_register.filter_map(|(_, e)| Some((e.asked, e.by?))).collect();
        writes.sort_unstable();
        let mut earliest = Duration::MAX;
        for write in writes.iter_mut().rev() {
            earliest = earliest.min(write.1);
            write.1 = earliest;
        }
        writes
    }
}

/// Checks each reading of each register, and what they are in the end.
#[must_use]
pub fn check(ops: &[Op], end: &Final, effects: &Effects) -> Vec<Finding> {
    let mut overwritten: BTreeMap<i64, Vec<(Duration, Duration)>> = BTreeMap::new();
    let (mut stale, mut impossible) = (Tally::default(), Tally::default());
    let mut look = |who: &str, asked: Duration, register: i64, value: i64| {
        let at = asked.as_secs_f64();
        let tell = |what: &str| format!("{who} at {at:.3} s: register {register} is {value}, {what}");
        if value != INITIAL {
            match effects.0.get(&(register, value)) {
                None => return impossible.add(|| tell("which nobody wrote")),
                Some(effect) if effect.is_refused => return impossible.add(|| tell("which was refused")),
                Some(_) => {}
            }
        }
        // Of a write without an answer that nobody saw before, nobody knows that it came before the others.
        let Some(by) = effects.effective_by(register, value) else { return };
        let later = overwritten.entry(register).or_insert_with(|| effects.overwritten_by(register));
        let next = later.partition_point(|(begun, _)| *begun <= by);
        if later.get(next).is_some_and(|(_, effective)| *effective < asked) {
            stale.add(|| tell("which had been overwritten"));
        }
    };
    for op in ops.iter().filter(|op| op.is_acked()) {
        if let Action::Read(shown) = &op.action {
            for (&register, &value) in &shown.registers {
                look(&op.client, op.asked, register, value);
            }
        }
    }
    for (&register, &value) in &end.registers {
        look("the final read", end.asked, register, value);
    }
    let stale = stale.finding(|times, first| Finding::RegisterStale { times, first });
    let impossible = impossible.finding(|times, first| Finding::RegisterImpossible { times, first });
    stale.into_iter().chain(impossible).collect()
}
