//! Random runs: what breaks is made smaller, and told with the line that repeats it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use crate::plan::{Act, People, Plan};
use crate::run::Runner;
use crate::world::Breach;

/// Runs in which it may still break while acts are taken away.
const MOST_TRIALS: usize = 200;

/// What a session of random runs gave.
#[derive(Default)]
pub struct Tally {
    pub seeds: u64,
    pub acknowledged: u64,
    pub without_service: u64,
    /// The first of these.
    pub stuck: Vec<u64>,
    /// How often each breach came.
    pub breaches: BTreeMap<Breach, u64>,
    /// One of each kind: the acts that are needed, and the seed.
    pub kinds: BTreeMap<String, u64>,
}

/// When a session ends.
#[derive(Clone, Copy)]
pub enum Limit {
    Seeds(u64),
    Time(Duration),
}

/// Runs one seed after the other.
pub fn session(
    runner: &mut Runner,
    first: u64,
    limit: Limit,
    people: People,
    mut tell: impl FnMut(&str),
) -> Tally {
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut said = began;
    for seed in first.. {
        let over = match limit {
            Limit::Seeds(seeds) => tally.seeds >= seeds,
            Limit::Time(time) => began.elapsed() >= time,
        };
        if over {
            break;
        }
        let plan = Plan::random(seed, people);
        let outcomes = runner.run(&plan);
        tally.seeds += 1;
        tally.acknowledged += outcomes.acknowledged as u64;
        if !outcomes.serves && outcomes.breaches.is_empty() {
            tally.without_service += 1;
            if tally.stuck.len() < 5 {
                tally.stuck.push(seed);
            }
        }
        for (breach, _) in &outcomes.breaches {
            *tally.breaches.entry(*breach).or_default() += 1;
        }
        if let Some((breach, what)) = outcomes.breaches.last() {
            let small = shrink(runner, &plan, *breach);
            let kind = kind(&small, *breach);
            if let Entry::Vacant(new) = tally.kinds.entry(kind) {
                tell(&format!(
                    "seed {seed}: {}\n    {what}\n    replay: make simulate SEED={seed}{}",
                    new.key(),
                    option(people)
                ));
                new.insert(seed);
            }
        }
        if said.elapsed() >= Duration::from_secs(60) {
            said = Instant::now();
            tell(&progress(runner, &tally, began.elapsed()));
        }
    }
    tally
}

/// What replaying needs besides the seed.
fn option(people: People) -> &'static str {
    match people {
        People::Careful => " PEOPLE=careful",
        People::Anybody => "",
    }
}

/// One line of figures.
pub fn progress(runner: &Runner, tally: &Tally, took: Duration) -> String {
    let minutes = took.as_secs_f64() / 60.0;
    let breaches: Vec<String> = tally.breaches.iter().map(|(b, n)| format!("{n} {b:?}")).collect();
    format!(
        "{} seeds ({:.0} a minute), {} steps ({:.0} a minute), {} states, {} commits acknowledged; no service in the end: {} {:?}; \
         breaches: {} of {} kinds",
        tally.seeds,
        tally.seeds as f64 / minutes,
        runner.steps,
        runner.steps as f64 / minutes,
        runner.states.len(),
        tally.acknowledged,
        tally.without_service,
        tally.stuck,
        if breaches.is_empty() { "none".into() } else { breaches.join(", ") },
        tally.kinds.len()
    )
}

/// Takes acts away as long as the same breach comes.
pub fn shrink(runner: &mut Runner, plan: &Plan, breach: Breach) -> Plan {
    let mut small = plan.clone();
    let mut at = 0;
    let mut trials = 0;
    while at < small.acts.len() && trials < MOST_TRIALS {
        let mut trial = small.clone();
        let (gap, _) = trial.acts.remove(at);
        if let Some((next, _)) = trial.acts.get_mut(at) {
            // The others stay at their times.
            *next += gap;
        }
        trials += 1;
        if runner.run(&trial).breaches.iter().any(|(b, _)| *b == breach) {
            small = trial;
        } else {
            at += 1;
        }
    }
    small
}

/// The kinds of acts that are left.
fn kind(plan: &Plan, breach: Breach) -> String {
    let name = |act: &Act| {
        let text = format!("{act:?}");
        text.split(['(', ' ']).next().unwrap_or_default().to_owned()
    };
    let acts: Vec<String> = plan.acts.iter().map(|(_, act)| name(act)).collect();
    let sync = if plan.config.sync == crate::wal::Sync::Off { "asynchronous" } else { "synchronous" };
    format!("{breach:?}, {sync}: {}", acts.join(" "))
}
