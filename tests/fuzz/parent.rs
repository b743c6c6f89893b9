//! The parent: a process for each target, a few at a time, and the table of what came of it.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::targets::Target;
use crate::{Options, engine, shared};

/// An input that has not come back for so long never will; a machine with other work may starve a child for seconds.
const HANGS: Duration = Duration::from_secs(40);
const ROUND: Duration = Duration::from_millis(50);

struct Running<'a> {
    target: &'a Target,
    child: Child,
    shared: PathBuf,
    /// How many inputs were begun, and since when.
    begun: (u64, Instant),
}

pub fn run(all: &[Target], options: &Options) -> Result<bool, String> {
    let chosen: Vec<&Target> = all
        .iter()
        .filter(|t| options.targets.is_empty() || options.targets.iter().any(|name| name == t.name))
        .collect();
    let jobs = options.jobs.min(chosen.len()).max(1);
    let share =
        options.all * u32::try_from(jobs).unwrap_or(1) / u32::try_from(chosen.len().max(1)).unwrap_or(1);
    let each = options.each.unwrap_or(share);
    let guided =
        if cfg!(guided) { "coverage guides" } else { "without coverage: tests/fuzz/run builds with it" };
    println!(
        "fuzz: {} targets, {:.1} s each, {jobs} at a time, --seed {}; {guided}",
        chosen.len(),
        each.as_secs_f32(),
        options.seed
    );
    let pages = std::env::temp_dir().join(format!("quorate-fuzz.{}", std::process::id()));
    std::fs::create_dir_all(&pages).map_err(|e| format!("{}: {e}", pages.display()))?;
    let began = Instant::now();
    let (mut waiting, mut running, mut rows, mut found) = (chosen.iter(), Vec::new(), Vec::new(), 0);
    loop {
        while running.len() < jobs
            && let Some(target) = waiting.next()
        {
            let shared = pages.join(target.name);
            running.push(start(target, each, options.seed, shared)?);
        }
        if running.is_empty() {
            break;
        }
        let mut still = Vec::new();
        for mut one in running {
            match one.over()? {
                None => still.push(one),
                Some(Ok(row)) => {
                    println!("ok fuzz {}", one.target.name);
                    rows.push((one.target.name, row));
                }
                Some(Err(why)) => {
                    println!("not ok fuzz {}: {why}", one.target.name);
                    found += 1;
                }
            }
        }
        running = still;
        std::thread::sleep(ROUND);
    }
    let _ = std::fs::remove_dir_all(&pages);
    table(&mut rows);
    println!(
        "fuzz: {} targets in {:.0} s, {found} with a finding",
        chosen.len(),
        began.elapsed().as_secs_f32()
    );
    Ok(found == 0)
}

fn start(target: &Target, each: Duration, seed: u64, shared: PathBuf) -> Result<Running<'_>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", target.name);
    std::fs::write(&shared, []).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let child = Command::new(program)
        .args([
            "--target",
            target.name,
            "--seed",
            &seed.to_string(),
            "--each-ms",
            &each.as_millis().to_string(),
        ])
        .arg("--shared")
        .arg(&shared)
        // The compiler's runtime writes its counters at the end; nobody reads them.
        .env("LLVM_PROFILE_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    Ok(Running { target, child, shared, begun: (0, Instant::now()) })
}

impl Running<'_> {
    /// `None`: not yet. Its row of the table, or what it found.
    fn over(&mut self) -> Result<Option<Result<Vec<String>, String>>, String> {
        let failed = |e: std::io::Error| format!("{}: {e}", self.target.name);
        let Some(status) = self.child.try_wait().map_err(failed)? else {
            // What is not written yet is not begun.
            let begun = shared::read(&self.shared).map_or(0, |(begun, _)| begun);
            if begun != self.begun.0 {
                self.begun = (begun, Instant::now());
            }
            if self.begun.1.elapsed() < HANGS {
                return Ok(None);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
            return Ok(Some(Err(self.last_input("does not come back"))));
        };
        let mut text = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            out.read_to_string(&mut text).map_err(failed)?;
        }
        let mut lines = text.lines();
        let row = || lines.next().map(|line| line.split('\t').map(str::to_owned).collect());
        Ok(Some(match (status.code(), { row }()) {
            (Some(0), Some(row)) => Ok(row),
            (Some(1), Some(_)) => Err(lines.next().unwrap_or("a finding").replace('\t', ": ")),
            _ => Err(self.last_input(&format!("ended with {status}"))),
        }))
    }

    fn last_input(&self, what: &str) -> String {
        match shared::read(&self.shared) {
            Ok((_, input)) => format!("{what}: {}", engine::keep_finding(self.target.name, &input).display()),
            Err(e) => format!("{what}, and its input is not known: {e}"),
        }
    }
}

fn table(rows: &mut [(&str, Vec<String>)]) {
    rows.sort_unstable();
    println!();
    println!(
        "| target | runs | s | accepted | seeds | kept | counters reached | slowest, ms | memory, KiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, row) in rows {
        println!("| {name} | {} |", row.join(" | "));
    }
    println!();
}
