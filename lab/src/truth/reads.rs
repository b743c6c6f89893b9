//! Reads that went back in time on one connection. A connection ends on one server, whose state never goes back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Finding, Tally};
use super::operation::{Action, Op, Shown};
use super::registers::Effects;

/// What a connection knows to be there.
#[derive(Default)]
struct Known {
    /// The newest element of each list that it saw or added.
    newest: BTreeMap<String, i64>,
    /// For each register the latest beginning among the writes that it saw or made.
    registers: BTreeMap<i64, Duration>,
}

/// Checks each connection by itself. Its operations follow each other: that is how every client here works.
#[must_use]
pub fn check(ops: &[Op], effects: &Effects) -> Option<Finding> {
    let mut connections: BTreeMap<(&str, u32), Known> = BTreeMap::new();
    let mut back = Tally::default();
    for op in ops.iter().filter(|op| op.is_acked()) {
        let known = connections.entry((&op.client, op.connection)).or_default();
        match &op.action {
            Action::Append { list, id } => {
                let newest = known.newest.entry(list.clone()).or_insert(*id);
                *newest = (*newest).max(*id);
            }
            Action::Write { register, value } => known.learn(effects, *register, *value),
            Action::Read(shown) => known.compare(op, shown, effects, &mut back),
        }
    }
    back.finding(|times, first| Finding::WentBack { times, first })
}

impl Known {
    fn learn(&mut self, effects: &Effects, register: i64, value: i64) {
        if let Some(asked) = effects.asked(register, value) {
            let latest = self.registers.entry(register).or_insert(asked);
            *latest = (*latest).max(asked);
        }
    }

    fn compare(&mut self, op: &Op, shown: &Shown, effects: &Effects, back: &mut Tally) {
        let who =
            || format!("{} (connection {}) at {:.3} s", op.client, op.connection, op.ended.as_secs_f64());
        for (list, now) in &shown.newest {
            match (self.newest.get(list), now) {
                (Some(before), Some(now)) if now >= before => {}
                (Some(before), now) => {
                    let now = now.map_or("nothing".to_owned(), |id| id.to_string());
                    back.add(|| format!("{}: newest of {list} is {now}, was {before}", who()));
                }
                (None, _) => {}
            }
            if let Some(now) = now {
                let newest = self.newest.entry(list.clone()).or_insert(*now);
                *newest = (*newest).max(*now);
            }
        }
        for (&register, &value) in &shown.registers {
            let latest = self.registers.get(&register);
            let effect = effects.effective_by(register, value);
            // The value had been overwritten: its write was over before one began that this connection knows of.
            if latest.zip(effect).is_some_and(|(latest, effect)| effect < *latest) {
                back.add(|| format!("{}: register {register} is {value}, an older value", who()));
            }
            self.learn(effects, register, value);
        }
    }
}
