//! A simulated cluster: several real agents in one process, on models of PostgreSQL, Pacemaker and corosync,
//! in virtual time. docs/lab/tests.md, "The simulated cluster", tells how to run it and how to read what it
//! prints.

mod answer;
mod baton;
mod environment;
mod host;
mod invariants;
mod members;
mod operators;
mod pacemaker;
mod plan;
mod rng;
mod run;
mod scenarios;
mod search;
mod server;
mod wal;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use plan::{People, Plan};
use run::{Outcomes, Runner, last_line};
use search::{Limit, progress, session, shrink};

const USAGE: &str = "usage: cargo test --test simulation -- [--bless | --scenario NAME | [--careful] (--seed N | --seconds N [--from N])]";

/// `make test` runs these seeds of each kind.
const SEEDS: u64 = 30;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (people, words) = match words.split_first() {
        Some((&"--careful", rest)) => (People::Careful, rest.to_vec()),
        _ => (People::Anybody, words.clone()),
    };
    let mut runner = Runner::new();
    let failed = match words[..] {
        [] => test(&mut runner),
        ["--bless"] => scenarios::ALL.iter().filter(|s| !bless(&mut runner, s)).count(),
        ["--scenario", name] => scenario(&mut runner, name),
        ["--seed", seed] => number(seed).map_or(1, |seed| replay(&mut runner, seed, people)),
        ["--seconds", seconds] => number(seconds).map_or(1, |s| search(&mut runner, 1, s, people)),
        ["--seconds", seconds, "--from", first] => {
            number(seconds).zip(number(first)).map_or(1, |(s, first)| search(&mut runner, first, s, people))
        }
        // `cargo test NAME` gives every test program the same filter.
        [word] if !word.starts_with("--") => 0,
        _ => {
            eprintln!("{USAGE}");
            1
        }
    };
    ExitCode::from(u8::from(failed > 0))
}

fn number(text: &str) -> Option<u64> {
    let number = text.parse().ok();
    if number.is_none() {
        eprintln!("{text:?} is no number; {USAGE}");
    }
    number
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/transcripts")
}

/// A run as a story: what is done, what the agents say, what clients were told, what is lost.
fn story(about: &str, plan: &Plan, outcomes: &Outcomes) -> String {
    let mut text = format!("# {about}\n# {}; seed {}\n", plan.config, plan.seed);
    outcomes.transcript.iter().for_each(|line| text += &format!("{line}\n"));
    text + &format!("# {}\n", last_line(outcomes))
}

fn bless(runner: &mut Runner, scenario: &scenarios::Scenario) -> bool {
    let plan = (scenario.plan)();
    let text = story(scenario.about, &plan, &runner.run(&plan));
    let path = directory().join(format!("{}.txt", scenario.name));
    println!("{}: {}", path.display(), text.lines().last().unwrap_or_default());
    std::fs::write(&path, text).is_ok()
}

fn scenario(runner: &mut Runner, name: &str) -> usize {
    let Some(scenario) = scenarios::ALL.iter().find(|s| s.name == name) else {
        let names: Vec<&str> = scenarios::ALL.iter().map(|s| s.name).collect();
        eprintln!("no scenario {name:?}; there are {}", names.join(", "));
        return 1;
    };
    let plan = (scenario.plan)();
    print!("{}", story(scenario.about, &plan, &runner.run(&plan)));
    0
}

fn replay(runner: &mut Runner, seed: u64, people: People) -> usize {
    let plan = Plan::random(seed, people);
    let outcomes = runner.run(&plan);
    let Some((breach, _)) = outcomes.breaches.last() else {
        print!("{}", story("as the seed makes it", &plan, &outcomes));
        return 0;
    };
    let small = shrink(runner, &plan, *breach);
    let about = format!("{} of {} acts are needed", small.acts.len(), plan.acts.len());
    print!("{}", story(&about, &small, &runner.run(&small)));
    1
}

fn search(runner: &mut Runner, first: u64, seconds: u64, people: People) -> usize {
    let began = Instant::now();
    let limit = Limit::Time(Duration::from_secs(seconds));
    let tally = session(runner, first, limit, people, |line| println!("{line}"));
    println!("{}", progress(runner, &tally, began.elapsed()));
    tally.kinds.len()
}

/// Whether the losses that are known are found, each as its transcript tells it.
fn test(runner: &mut Runner) -> usize {
    let began = Instant::now();
    let mut failed = 0;
    let mut check = |name: &str, wrong: Option<String>| match wrong {
        None => println!("ok {name}"),
        Some(why) => {
            failed += 1;
            println!("not ok {name}: {why}");
        }
    };
    for scenario in scenarios::ALL {
        let plan = (scenario.plan)();
        let outcomes = runner.run(&plan);
        let right = match scenario.breach {
            Some(breach) => outcomes.breaches.iter().any(|(b, _)| *b == breach),
            None => outcomes.breaches.is_empty(),
        };
        let text = story(scenario.about, &plan, &outcomes);
        let golden = std::fs::read_to_string(directory().join(format!("{}.txt", scenario.name))).ok();
        check(
            &format!(
                "{}: {}",
                if scenario.breach.is_some() { "known loss" } else { "nothing is lost" },
                scenario.name
            ),
            (!right).then(|| format!("{:?} is expected, not: {}", scenario.breach, last_line(&outcomes))),
        );
        check(
            &format!("transcript: {}", scenario.name),
            (golden.as_deref() != Some(&text))
                .then(|| "it has changed; look at it, then: make simulate BLESS=1".into()),
        );
        let again = story(scenario.about, &plan, &runner.run(&plan));
        check(
            &format!("same seed, same transcript: {}", scenario.name),
            (again != text).then(|| "the second run differs from the first".into()),
        );
    }
    for people in [People::Careful, People::Anybody] {
        let tally = session(runner, 1, Limit::Seeds(SEEDS), people, |line| println!("{line}"));
        println!("{people:?}: {}", progress(runner, &tally, began.elapsed()));
        let panicked = tally.breaches.contains_key(&world::Breach::Panic);
        check(
            &format!("{SEEDS} random runs, people: {people:?}"),
            panicked.then(|| "an agent panicked, or a model".into()),
        );
    }
    failed
}
