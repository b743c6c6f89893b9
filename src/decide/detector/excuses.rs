//! Why a daemon that hangs is left alone, and for how long already.

use super::maintenance;
use super::observation::{NodeSnapshot, Unit};
use super::subjects::{Rule, Subject};
use crate::decide::clock::{Millis, ObserverTime};

/// A unit that was stopped by order has no processes when systemd calls it off, or some that are just ending.
/// One that lives on and hangs after this time was not stopped with it.
const STOP_TIME: Millis = 5000;

/// A daemon that hangs and is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excuse {
    pub subject: Subject,
    pub why: String,
    /// Since when, in ms before now.
    pub for_ms: Millis,
}

/// What is remembered of them.
#[derive(Debug, Default)]
pub(super) struct Excuses {
    current: Vec<(Subject, String, ObserverTime)>,
    /// The units that are off, and since when.
    off: Vec<(&'static str, ObserverTime)>,
}

impl Excuses {
    /// Takes note of the units' states.
    pub(super) fn see(&mut self, now: ObserverTime, units: &[(&'static str, Unit)]) {
        let off = |name: &str| units.iter().any(|(n, unit)| *n == name && *unit == Unit::Off);
        self.off.retain(|(name, _)| off(name));
        for (name, _) in units.iter().filter(|(name, _)| off(name)) {
            if !self.off.iter().any(|(known, _)| known == name) {
                self.off.push((name, now));
            }
        }
    }

    /// Why one that hangs is nobody's concern.
    pub(super) fn find(&self, now: ObserverTime, rule: &Rule, snapshot: &NodeSnapshot) -> Option<String> {
        if let Some(why) = maintenance::node(snapshot) {
            return Some(why);
        }
        let unit =
            snapshot.units.iter().find(|(name, _)| *name == rule.unit).map_or(Unit::Unknown, |(_, u)| *u);
        let by_order = match unit {
            Unit::Active | Unit::Unknown => false,
            Unit::Changing => true,
            Unit::Off => {
                self.off.iter().any(|(name, since)| *name == rule.unit && now.since(*since) < STOP_TIME)
            }
        };
        by_order.then(|| format!("{} is started or stopped by order", rule.unit))
    }

    /// One is left alone from now on; whether that is news.
    pub(super) fn begin(&mut self, now: ObserverTime, subject: Subject, why: &str) -> bool {
        if let Some((_, known, _)) = self.current.iter_mut().find(|(known, _, _)| *known == subject) {
            why.clone_into(known);
            return false;
        }
        self.current.push((subject, why.to_owned(), now));
        true
    }

    /// It is well again, or something is done about it.
    pub(super) fn end(&mut self, subject: Subject) {
        self.current.retain(|(known, _, _)| *known != subject);
    }

    pub(super) fn told(&self, now: ObserverTime) -> Vec<Excuse> {
        let tell = |(subject, why, since): &(Subject, String, ObserverTime)| Excuse {
            subject: *subject,
            why: why.clone(),
            for_ms: now.since(*since),
        };
        self.current.iter().map(tell).collect()
    }
}
