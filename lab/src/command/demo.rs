//! `quorate-lab demo`: the first thing that a new user sees. Shows a cluster, breaks its primary twice,
//! and says what it cost.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::client::clients::{ClientStates, Clients};
use crate::client::state::ClientState;
use crate::cluster::handle::Cluster;
use crate::cluster::health::wait_whole;
use crate::cluster::observe::Observation;
use crate::faults::replication::Lag;
use crate::faults::{self, Target};
use crate::host::error::Result;
use crate::host::paths::ClusterName;
use crate::host::progress::Progress;
use crate::host::wait::{OnInterrupt, pause};
use crate::report::{self, RunResult};
use crate::run::experiment::{self, Plan, Protocol};
use crate::supervisor::up::{self, Options};
use crate::view::audience::Audience;
use crate::view::screen::{Style, cut, render, roles};

/// A cluster that was just brought up.
const WHOLE: Duration = Duration::from_secs(120);
/// How long the healthy cluster is shown.
const SHOW: Duration = Duration::from_secs(5);

/// The two faults of the demo, each with what a newcomer should know.
const ACTS: [(&str, &str); 2] = [
    ("postgres-kill", "Every PostgreSQL process of the primary is killed (kill -9)"),
    ("power-off", "The primary's node loses its power, and gets it back later"),
];

/// What a newcomer may do now.
const NEXT: &str = "\
What to try next, here (root):
  target/debug/quorate-lab up classic                     a cluster that stays; look around, break it by hand:
  target/debug/quorate-lab watch                          what it does, live
  target/debug/quorate-lab shell srv1 quorate status      what an operator sees; also: quorate doctor, crm_mon -1
  target/debug/quorate-lab fault unlink primary           pull a cable; heal undoes it
  target/debug/quorate-lab down                           and it is gone
  target/debug/quorate-lab test classic --faults power-off,unlink,disk-freeze --runs 3    measure
On your own machines: docs/install.md. What all of it means: docs/concepts.md.
";

/// Shows the cluster and breaks it. Returns the complaints of the verdict: empty when all went well.
///
/// # Errors
/// When the cluster is not whole in the beginning, or Ctrl-C was pressed.
pub fn play(cluster: &Cluster, style: Style) -> Result<Vec<String>> {
    let info = cluster.info()?;
    wait_whole(cluster, WHOLE, OnInterrupt::Stop)?;
    println!(
        "\n1. A healthy cluster, {} on Debian {}:\n   {}.",
        info.layout,
        info.suite,
        cluster.site().kind.summary()
    );
    println!("   A client outside writes a row every 50 ms through the primary's float IP");
    println!("   (heart), and reads it back through a standby's (beat), where there is one.\n");
    show(cluster, style)?;
    let mut results: Vec<RunResult> = Vec::new();
    for (number, (name, what)) in (2..).zip(ACTS) {
        println!("\n{number}. {what}.\n");
        let plan = Plan {
            fault: faults::by_name(name)?,
            target: Target::Primary,
            target_word: "primary".to_owned(),
            run: 1,
            draw: 0,
            phase: Duration::ZERO,
            replication: Lag::Free,
            protocol: Protocol::Quorate,
            patience: None,
            evidence: None,
            trace: None,
        };
        let mut stage = Stage::new(style);
        let result = experiment::run(cluster, &info, &plan, &mut stage)?;
        println!("{}", outcome(&result));
        let failed = result.failed.is_some();
        results.push(result);
        if failed {
            break;
        }
    }
    println!("\nIn the end:\n");
    println!("{}", report::table(&results));
    Ok(report::verdict(&results))
}

fn show(cluster: &Cluster, style: Style) -> Result<()> {
    let clients = Clients::start(cluster, "watch_", Duration::from_secs(30))?;
    let mut frame = Frame::new(style);
    let end = Instant::now() + SHOW;
    loop {
        pause(Duration::from_secs(1), OnInterrupt::Stop)?;
        // Plain output is one picture, not five nearly equal ones.
        if style == Style::Terminal || Instant::now() >= end {
            frame.draw(&render(&Observation::take(cluster)?, &clients.clients_seen()));
        }
        if Instant::now() >= end {
            return Ok(());
        }
    }
}

/// What a run cost, in a sentence for people.
fn outcome(result: &RunResult) -> String {
    if let Some(reason) = &result.failed {
        return format!("   This went wrong: {reason}");
    }
    let outage = result.outage_ms.unwrap_or_default();
    let lost = match result.lost_acked {
        Some(lost) => format!("{lost} of {} acknowledged writes lost", result.acked),
        None => "it is not known what was lost".to_owned(),
    };
    format!(
        "   => {}.{} s without writes; {lost}; two primaries: {} ms.\n   => The old primary, {}: {}.",
        outage / 1000,
        outage % 1000 / 100,
        result.two_primaries_ms,
        result.node,
        result.old_primary
    )
}

/// A picture that replaces the one before it on a terminal.
struct Frame {
    style: Style,
    height: usize,
}

impl Frame {
    fn new(style: Style) -> Self {
        Self { style, height: 0 }
    }

    fn draw(&mut self, picture: &str) {
        let mut out = std::io::stdout().lock();
        if self.style == Style::Terminal && self.height > 0 {
            let _ = write!(out, "\x1b[{}A\x1b[J", self.height);
        }
        let _ = write!(out, "{picture}");
        let _ = out.flush();
        self.height = picture.lines().count();
    }

    /// What follows is written below the picture, which stays.
    fn keep(&mut self) {
        self.height = 0;
    }
}

/// Shows a run: its steps, and a picture of the cluster whenever roles change (plain) or all the time.
struct Stage {
    started: Instant,
    frame: Frame,
    roles: String,
}

impl Stage {
    fn new(style: Style) -> Self {
        Self { started: Instant::now(), frame: Frame::new(style), roles: String::new() }
    }
}

impl Audience for Stage {
    fn begin(&mut self, _: &Cluster) {}

    // The pictures come with their clients_seen.
    fn clients(&mut self, _: ClientStates) {}

    fn broken(&mut self) {
        self.started = Instant::now();
    }

    fn say(&mut self, line: &str) {
        self.frame.keep();
        println!("{}", cut(&format!("{:5.1} s  {line}", self.started.elapsed().as_secs_f32())));
    }

    fn look(&mut self, seen: &Observation, clients_seen: &[ClientState]) {
        let now = roles(seen);
        match self.frame.style {
            Style::Terminal => self.frame.draw(&render(seen, clients_seen)),
            Style::Plain if now != self.roles => {
                println!("{:5.1} s  {now}", self.started.elapsed().as_secs_f32());
                println!("\n{}", render(seen, clients_seen));
            }
            Style::Plain => {}
        }
        self.roles = now;
    }

    // The table at the end has it.
    fn finished(&mut self, _: &RunResult) {}
}

/// Brings a cluster up, plays the demo on it and removes it, whatever happens.
///
/// # Errors
/// When the cluster can't be brought up, or the demo failed.
pub fn run(options: &Options, style: Style) -> Result<Vec<String>> {
    let name = ClusterName::parse(&options.name)?;
    let cluster = up::up(options, &Progress::start())?;
    let downed = Downed(name);
    let complaints = play(&cluster, style)?;
    println!("Removing the cluster …");
    drop(downed);
    println!("\n{NEXT}");
    Ok(complaints)
}

/// Takes the cluster down when the demo ends, fails or is interrupted.
struct Downed(ClusterName);

impl Drop for Downed {
    fn drop(&mut self) {
        if let Err(e) = up::down(&self.0) {
            eprintln!("the cluster can't be removed: {e}; try: quorate-lab down --all");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_acts_are_known_faults() {
        for (name, _) in ACTS {
            assert!(faults::by_name(name).is_ok(), "{name}");
        }
    }
}
