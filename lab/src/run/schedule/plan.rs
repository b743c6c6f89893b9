//! What is broken when, and where: all of it from the seed. No clock, no cluster.

use std::fmt;
use std::time::Duration;

use crate::faults::{self, Breaks, Fault, Target};
use crate::host::chance::Chance;

/// The faults that are drawn: each can be healed, and none needs the node's own cooperation for it.
pub const FAULTS: [&str; 8] = [
    "unlink",
    "postgres-kill",
    "postgres-stop",
    "power-off",
    "reset",
    "switchover",
    "clock-forward",
    "clock-back",
];

/// How long it is broken and how long it is left alone, as often as it goes into the whole time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// The whole time.
    pub whole: Duration,
    /// Broken.
    pub on: Duration,
    /// Left alone.
    pub off: Duration,
}

impl Rhythm {
    /// How many rounds: at least one.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        let round = (self.on + self.off).as_secs().max(1);
        (self.whole.as_secs() / round).max(1)
    }
}

/// One fault of a round.
#[derive(Debug, Clone)]
pub struct Strike {
    /// Which.
    pub fault: &'static Fault,
    /// What it is to hit; nodes are known by their roles only when it comes.
    pub target: Target,
    /// The chance for a random target.
    pub draw: u64,
    /// How long after the round's beginning.
    pub at: Duration,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {:?} after {:.1} s", self.fault.name, self.target, self.at.as_secs_f64())
    }
}

/// Two different faults for each round, both within its first third: they are to work together.
#[must_use]
pub fn plan(seed: u64, rhythm: &Rhythm) -> Vec<[Strike; 2]> {
    let mut chance = Chance::new(seed);
    let known: Vec<&'static Fault> = FAULTS.iter().filter_map(|name| faults::by_name(name).ok()).collect();
    let mut rounds = Vec::new();
    for _ in 0..rhythm.rounds() {
        let Some(&first) = chance.one_of(&known) else { break };
        let others: Vec<&'static Fault> = known.iter().copied().filter(|f| f.name != first.name).collect();
        let Some(&second) = chance.one_of(&others) else { break };
        rounds.push([first, second].map(|fault| strike(fault, rhythm, &mut chance)));
    }
    rounds
}

fn strike(fault: &'static Fault, rhythm: &Rhythm, chance: &mut Chance) -> Strike {
    // The primary twice as often as others: that is where something can be lost.
    let targets = [Target::Primary, Target::Primary, Target::Standby, Target::Random];
    let drawn = chance.one_of(&targets).cloned().unwrap_or(Target::Primary);
    let target = match fault.breaks {
        // An order to move the primary's role is given on the primary.
        Breaks::Nothing => Target::Primary,
        Breaks::Machine | Breaks::Database => drawn,
    };
    Strike { fault, target, draw: chance.draw(), at: chance.within(rhythm.on / 3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(minutes: u64, on: u64, off: u64) -> Rhythm {
        let [whole, on, off] = [minutes * 60, on, off].map(Duration::from_secs);
        Rhythm { whole, on, off }
    }

    fn told(seed: u64) -> Vec<String> {
        plan(seed, &rhythm(60, 60, 60)).iter().flatten().map(ToString::to_string).collect()
    }

    #[test]
    fn a_seed_makes_one_plan_and_another_seed_another() {
        assert_eq!(told(1), told(1));
        assert_ne!(told(1), told(2));
        assert_eq!(told(1).len(), 60);
    }

    #[test]
    fn a_shorter_test_is_the_beginning_of_a_longer_one() {
        let short: Vec<String> =
            plan(3, &rhythm(6, 60, 60)).iter().flatten().map(ToString::to_string).collect();
        assert_eq!(short.len(), 6);
        assert_eq!(short, told(3)[..6]);
    }

    #[test]
    fn every_fault_is_drawn_and_two_of_a_round_differ() {
        let all = plan(5, &rhythm(240, 60, 60));
        for name in FAULTS {
            assert!(all.iter().flatten().any(|s| s.fault.name == name), "{name}");
        }
        assert!(all.iter().all(|[a, b]| a.fault.name != b.fault.name));
        assert!(all.iter().flatten().all(|s| s.at <= Duration::from_secs(20)));
        let moved = all.iter().flatten().filter(|s| s.fault.name == "switchover");
        assert!(moved.clone().count() > 0 && moved.into_iter().all(|s| s.target == Target::Primary));
    }

    #[test]
    fn there_is_at_least_one_round() {
        assert_eq!(rhythm(0, 60, 60).rounds(), 1);
        assert_eq!(rhythm(1, 0, 0).rounds(), 60);
        assert_eq!(rhythm(6, 60, 60).rounds(), 3);
    }
}
