//! The child: runs one target over its seeds, then over changes of what it has kept, until its time is over.
//!
//! A finding is a panic (also of an assertion of the target: what is printed reads back the same), more than [`cost_limit`] of
//! processor time, or more than [`memory_limit`]. A stack or memory that runs out ends the process, which the parent sees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::counters::Map;
use crate::mutate::{Chance, change, grown};
use crate::shared::{LONGEST, Page};
use crate::targets::Target;
use crate::{Options, alloc};

/// Where a target's inputs lie: those that once found something, and the ones that this session keeps.
pub const KNOWN: &str = "tests/fuzz/inputs";
pub const FOUND: &str = "target/fuzz/findings";
const CORPUS: &str = "target/fuzz/corpus";
/// Changed inputs are mostly short: more of them in the same time.
const SHORT: usize = 4096;
/// A session that is long enough for the longest inputs, and for keeping what it found.
const LONG: Duration = Duration::from_secs(30);
/// A child may use this much memory in all.
const ADDRESS_SPACE: u64 = 4 << 30;

static PANIC: Mutex<String> = Mutex::new(String::new());

/// Processor time that an input of this length may cost, on an unoptimised build of a slow machine.
fn cost_limit(length: usize) -> Duration {
    Duration::from_millis(200) + Duration::from_micros(length as u64 * 4)
}

/// Memory that an input of this length may cost at a time.
fn memory_limit(length: usize) -> usize {
    (1 << 20) + length * 200
}

fn cpu() -> Duration {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    now.map_or(Duration::ZERO, Duration::from)
}

/// What was seen so far.
#[derive(Default)]
struct Tally {
    runs: u64,
    accepted: u64,
    slowest: Duration,
    memory: usize,
}

/// One input; what is wrong with how the target bore it.
fn run(target: &Target, input: &[u8], tally: &mut Tally) -> Result<(), String> {
    let (memory, began) = (alloc::begin(), cpu());
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let (took, memory) = (cpu().saturating_sub(began), alloc::peak_since(memory));
    tally.runs += 1;
    tally.slowest = tally.slowest.max(took);
    tally.memory = tally.memory.max(memory);
    match result {
        Ok(accepted) => tally.accepted += u64::from(accepted),
        Err(_) => return Err(PANIC.lock().map_or_else(|_| "a panic".to_owned(), |text| text.clone())),
    }
    // Time that a hypervisor takes away may count as the thread's: what is dear is dear again.
    if took > cost_limit(input.len()) && least(target, input) > cost_limit(input.len()) {
        return Err(format!("took {took:.1?} for {} bytes", input.len()));
    }
    if memory > memory_limit(input.len()) {
        return Err(format!("took {memory} bytes of memory for {} of input", input.len()));
    }
    Ok(())
}

/// The cheapest of three more runs.
fn least(target: &Target, input: &[u8]) -> Duration {
    let once = |_| {
        let began = cpu();
        // What it says of the input was judged before.
        let _ = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        cpu().saturating_sub(began)
    };
    (0..3).map(once).min().unwrap_or_default()
}

fn quiet() {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut text) = PANIC.lock() {
            *text = info.to_string().replace('\n', " ");
        }
    }));
}

fn files(directory: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().flat_map(std::fs::read).collect()
}

/// One input again, for whoever looks into a finding.
pub fn replay(target: &Target, input: &Path) -> Result<bool, String> {
    let bytes = std::fs::read(input).map_err(|e| format!("{}: {e}", input.display()))?;
    let mut tally = Tally::default();
    quiet();
    let done = run(target, &bytes, &mut tally);
    println!(
        "{} bytes: {:.1?}, {} bytes of memory, {}",
        bytes.len(),
        tally.slowest,
        tally.memory,
        done.as_ref().map_or_else(String::as_str, |()| if tally.accepted > 0 {
            "accepted"
        } else {
            "refused"
        })
    );
    Ok(done.is_ok())
}

/// A whole session of a child. Its last line on the standard output is its report; whether nothing was found.
pub fn child(target: &Target, options: &Options, shared: &Path) -> Result<bool, String> {
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_AS, ADDRESS_SPACE, ADDRESS_SPACE)
        .map_err(|e| format!("setrlimit: {e}"))?;
    quiet();
    let mut page = Page::open(shared).map_err(|e| format!("{}: {e}", shared.display()))?;
    let limit = target.limit.min(LONGEST);
    let each = options.each.unwrap_or_default();
    let mut chance = Chance::new(options.seed ^ u64::from(crc32c::crc32c(target.name.as_bytes())));
    let mut map = Map::new();
    let mut tally = Tally::default();
    let mut seeds = (target.seeds)();
    let known = files(&Path::new(KNOWN).join(target.name));
    let given = seeds.len() + known.len();
    let kept = Path::new(CORPUS).join(target.name);
    seeds.extend(known);
    seeds.extend(files(&kept));
    let mut corpus: Vec<Vec<u8>> = Vec::new();
    let mut try_one = |input: Vec<u8>, keep: bool, corpus: &mut Vec<Vec<u8>>, tally: &mut Tally| {
        page.begin(&input);
        Map::clear();
        if let Err(why) = run(target, &input, tally) {
            return Err((why, input));
        }
        if map.take() || keep {
            corpus.push(input);
        }
        Ok(())
    };
    let mut session = || {
        for seed in &seeds {
            try_one(seed[..seed.len().min(limit)].to_vec(), true, &mut corpus, &mut tally)?;
        }
        // Of a parser that takes none of its seeds nothing is tried but how it refuses.
        if tally.accepted == 0 {
            return Err(("no seed is accepted: its form has changed".to_owned(), Vec::new()));
        }
        // The square of a quarter is as plain to see as that of the whole, and costs a sixteenth.
        let most = if each < LONG { limit.min(LONGEST / 4) } else { limit };
        for seed in &seeds {
            for input in grown(seed, most) {
                if input.len() <= limit {
                    try_one(input, false, &mut Vec::new(), &mut tally)?;
                }
            }
        }
        let end = Instant::now() + each;
        while Instant::now() < end {
            for _ in 0..64 {
                let Some(input) = chance.of(&corpus) else { return Ok(()) };
                // Now and then a long one.
                let most = if chance_is_long(tally.runs) { limit } else { limit.min(SHORT.max(input.len())) };
                let changed = change(input, &corpus, target.words, most, &mut chance);
                try_one(changed, false, &mut corpus, &mut tally)?;
            }
        }
        Ok(())
    };
    let began = Instant::now();
    let found = session().err();
    let session_s = began.elapsed().as_secs_f32();
    if found.is_none() && each >= LONG {
        save(&kept, &corpus[given.min(corpus.len())..]);
    }
    let reached = map.reached(target.modules).map_or_else(
        || "not counted".to_owned(),
        |(reached, there)| format!("{reached} of {there} ({} %)", reached * 100 / there),
    );
    println!(
        "{}\t{session_s:.1}\t{}\t{given}\t{}\t{reached}\t{:.1}\t{}",
        tally.runs,
        tally.accepted,
        corpus.len(),
        tally.slowest.as_secs_f32() * 1000.0,
        tally.memory / 1024
    );
    match found {
        None => Ok(true),
        Some((why, input)) => {
            let (why, input) = smaller(target, why, input);
            let path = keep_finding(target.name, &input);
            println!("{why}\t{}", path.display());
            Ok(false)
        }
    }
}

fn chance_is_long(runs: u64) -> bool {
    runs.is_multiple_of(256)
}

/// A shorter input that is found for, too: pieces are taken out as long as that holds.
fn smaller(target: &Target, mut why: String, mut input: Vec<u8>) -> (String, Vec<u8>) {
    let end = Instant::now() + Duration::from_secs(3);
    let mut size = input.len() / 2;
    while size > 0 && Instant::now() < end {
        let mut at = 0;
        while at < input.len() && Instant::now() < end {
            let mut shorter = input.clone();
            shorter.drain(at..(at + size).min(input.len()));
            match run(target, &shorter, &mut Tally::default()) {
                Err(same) => (why, input) = (same, shorter),
                Ok(()) => at += size,
            }
        }
        size /= 2;
    }
    (why, input)
}

/// Writes an input by the hash of its content.
pub fn keep_finding(target: &str, input: &[u8]) -> PathBuf {
    let directory = Path::new(FOUND).join(target);
    let path = directory.join(name_of(input));
    let written = std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&path, input));
    if let Err(e) = written {
        eprintln!("fuzz: {}: {e}", path.display());
    }
    path
}

fn name_of(input: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c(input))
}

fn save(directory: &Path, inputs: &[Vec<u8>]) {
    let written = std::fs::create_dir_all(directory).and_then(|()| {
        inputs.iter().try_for_each(|input| std::fs::write(directory.join(name_of(input)), input))
    });
    if let Err(e) = written {
        eprintln!("fuzz: {}: {e}", directory.display());
    }
}
