//! Fuzzing of every parser of what others wrote, with the stable compiler and no fuzzer from elsewhere.
//!
//! ```text
//! tests/fuzz/run                          every target, two minutes in all
//! tests/fuzz/run --each 60                a minute for each
//! tests/fuzz/run --target cib --each 600  one of them
//! tests/fuzz/run --target cib --input F   one input, as it was found
//! tests/fuzz/run --list
//! ```
//!
//! The parent gives each target a process of its own, two at a time: an input may exhaust the stack or the memory, or never come
//! back, and the parent tells which one it was. `tests/fuzz/run` builds with the compiler's own coverage counters
//! (`-C instrument-coverage`), and a child keeps what reaches a counter that nothing reached before: see `engine`.
//! A plain `cargo test` builds without, and only mutates the seeds.
#![allow(clippy::disallowed_methods, reason = "a test starts itself, and reads its options")]
#![cfg_attr(test, allow(unused))]

mod alloc;
mod counters;
mod engine;
mod mutate;
mod parent;
mod shared;
mod targets;

use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// What is asked for.
#[derive(Debug, Clone)]
struct Options {
    targets: Vec<String>,
    /// For each target; `None`: what `all` leaves it.
    each: Option<Duration>,
    /// For all of them together, by the clock on the wall.
    all: Duration,
    seed: u64,
    jobs: usize,
    input: Option<std::path::PathBuf>,
    /// A child's: where it says what it works on.
    shared: Option<std::path::PathBuf>,
    list: bool,
}

const USAGE: &str =
    "fuzz [--target NAME]… [--each SECONDS | --all SECONDS] [--seed N] [--jobs N] [--input FILE] [--list]";

fn options() -> Result<Options, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        targets: Vec::new(),
        each: None,
        all: Duration::from_secs(120),
        seed: 0,
        jobs: cores,
        input: None,
        shared: None,
        list: false,
    };
    let mut seed = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value; {USAGE}"));
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("{text:?} is no number; {USAGE}"));
        match word.as_str() {
            "--target" => options.targets.push(value()?),
            "--each" => options.each = Some(Duration::from_millis((number(value()?)?) * 1000)),
            "--each-ms" => options.each = Some(Duration::from_millis(number(value()?)?)),
            "--all" => options.all = Duration::from_secs(number(value()?)?),
            "--seed" => seed = Some(number(value()?)?),
            "--jobs" => options.jobs = usize::try_from(number(value()?)?.max(1)).unwrap_or(1),
            "--input" => options.input = Some(value()?.into()),
            "--shared" => options.shared = Some(value()?.into()),
            "--list" => options.list = true,
            _ => return Err(format!("{word:?} is not known; {USAGE}")),
        }
    }
    options.seed = seed.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(1, |since| since.as_secs())
    });
    Ok(options)
}

fn main() -> ExitCode {
    let done = options().and_then(|options| {
        let all = targets::all();
        for name in &options.targets {
            if !all.iter().any(|target| target.name == name) {
                return Err(format!("{name:?} is no target; --list names them"));
            }
        }
        if options.list {
            all.iter().for_each(|target| println!("{}", target.name));
            return Ok(true);
        }
        let chosen =
            |t: &&targets::Target| options.targets.is_empty() || options.targets.iter().any(|n| n == t.name);
        let mut chosen = all.iter().filter(chosen);
        match (&options.shared, &options.input, chosen.next(), chosen.next()) {
            (Some(shared), _, Some(target), None) => engine::child(target, &options, shared),
            (None, Some(input), Some(target), None) => engine::replay(target, input),
            (None, None, _, _) => parent::run(&all, &options),
            _ => Err(format!("--input needs one --target; {USAGE}")),
        }
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("fuzz: {why}");
            ExitCode::from(2)
        }
    }
}
