//! The subcommands that break, measure and show.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::demo;
use super::name::Name;
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::faults::replication::Lag;
use crate::faults::without::Protection;
use crate::faults::{self, Target};
use crate::host::chance::seed_of_the_moment;
use crate::host::error::{LabError, Result};
use crate::host::wait;
use crate::report;
use crate::run::experiment::Protocol;
use crate::run::schedule::{self, Rhythm, Schedule};
use crate::run::series::ledger::Ledger;
use crate::run::series::plan::seeds;
use crate::run::series::{self, Place, Rules, Series, together};
use crate::run::tuchanka;
use crate::supervisor::up_args::UpArgs;
use crate::view;
use crate::view::Watcher;
use crate::view::screen::Style;

/// Breaking, measuring, showing.
#[derive(Debug, Subcommand)]
pub enum Breaking {
    /// Break clusters again and again and measure what it costs, several layouts side by side; brings up what isn't
    Test(TestArgs),
    /// Two faults at random, then peace, again and again, and a check that nothing was lost; brings up what isn't
    Random(RandomArgs),
    /// Break something, and leave it broken until `heal`
    Fault {
        #[command(flatten)]
        name: Name,
        /// What to do; see `list`
        fault: String,
        /// A node's name, or primary, standby, witness, random, site, other-site
        target: String,
    },
    /// Undo all faults: power, network, stopped processes, services, bans
    Heal {
        #[command(flatten)]
        name: Name,
    },
    /// List the faults
    List,
    /// Write report.md, report.html and report.json of the results of tests
    Report {
        /// Directories with results.json and random.json, in them or below them
        #[arg(default_value = "report")]
        from: Vec<PathBuf>,
        /// Directory for the report
        #[arg(long, default_value = "report")]
        out: PathBuf,
    },
    /// Show clusters live until Ctrl-C: roles, LSNs, heart and beat, load, journals
    Watch {
        /// Which cluster [default: all that are up]
        #[arg(long)]
        name: Option<String>,
        /// One picture after the other, as without a terminal
        #[arg(long)]
        plain: bool,
    },
    /// Bring a cluster up, show it, break its primary twice, remove it
    Demo {
        #[command(flatten)]
        up: UpArgs,
        /// No refreshing in place, as without a terminal
        #[arg(long)]
        plain: bool,
    },
}

/// What to test.
#[derive(Debug, Args)]
pub struct TestArgs {
    #[command(flatten)]
    up: UpArgs,
    /// Faults, comma-separated, or `all`; see `list`
    #[arg(long, default_value = "all")]
    faults: String,
    /// What they hit: primary, standby, random, witness, site (all nodes of the primary's data centre), other-site, or a
    /// node's name [default: each fault's usual target, nearly always the primary]
    #[arg(long)]
    target: Option<String>,
    /// How often each fault [default: 1; without a limit with --protocol tuchanka --minutes]
    #[arg(long)]
    runs: Option<u32>,
    /// By whose rules: ours, or Tuchanka's, whose figures were published (docs/lab/README.md)
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// With --protocol tuchanka: no new run after so many minutes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: Option<u64>,
    /// Take a protection away first, to see that the checker finds what it prevents: the test has to FAIL
    #[arg(long)]
    without: Option<Protection>,
    /// Let replication be behind when the fault comes: `stop` (5 s of writes), `delay=2s`, or `stop-one` (3 s, only the
    /// standby that Pacemaker would promote)
    #[arg(long, value_parser = Lag::parse, value_name = "stop|stop-one|delay=TIME")]
    replication: Option<Lag>,
    #[command(flatten)]
    how: How,
}

/// What to do at random.
#[derive(Debug, Args)]
pub struct RandomArgs {
    #[command(flatten)]
    up: UpArgs,
    /// How long in all; at least one round is played
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    minutes: u64,
    /// Seconds from the beginning of a round until its faults are healed
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    on: u64,
    /// Seconds of peace after that; it lasts until the cluster is whole
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=3600))]
    off: u64,
    #[command(flatten)]
    how: How,
}

/// How to do it.
#[derive(Debug, Args)]
pub struct How {
    /// How many clusters at a time [default: what this host's memory and processors carry]
    #[arg(long, value_parser = jobs)]
    jobs: Option<usize>,
    /// Directory for the results, the report of them, and evidence of what went wrong
    #[arg(long, default_value = "report")]
    report: PathBuf,
    /// Seed of every choice by chance; printed, so that a test can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Lines instead of the live view, as without a terminal
    #[arg(long)]
    plain: bool,
}

fn jobs(word: &str) -> std::result::Result<usize, String> {
    word.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a number of clusters, 1 or more".to_owned())
}

impl TestArgs {
    /// Refuses what contradicts the rules that were chosen.
    fn go_together(&self) -> Result<()> {
        let refused = |what: &str| Err(LabError::Host(what.to_owned()));
        match self.protocol {
            Protocol::Quorate if self.minutes.is_some() => {
                refused("--minutes is for --protocol tuchanka; without it there are --runs of each fault")
            }
            Protocol::Tuchanka if self.target.is_some() => {
                refused("--protocol tuchanka hits a database node at random: leave --target out")
            }
            Protocol::Tuchanka if self.replication.is_some() || self.without.is_some() => refused(
                "--protocol tuchanka takes the cluster as it is: leave --replication and --without out",
            ),
            Protocol::Quorate | Protocol::Tuchanka => Ok(()),
        }
    }
}

/// Does a subcommand; gives the exit code.
///
/// # Errors
/// What made it impossible. A test that ran and has complaints is exit code 1, not an error.
pub fn execute(command: Breaking) -> Result<u8> {
    wait::catch_signals()?;
    match command {
        Breaking::Test(args) => return test(&args),
        Breaking::Random(args) => return random(&args),
        Breaking::Fault { name, fault, target } => inject(&name.connect()?, &fault, &target)?,
        Breaking::Heal { name } => return heal(&name.connect()?),
        Breaking::List => {
            let width = faults::ALL.iter().map(|fault| fault.name.len()).max().unwrap_or_default();
            for fault in faults::ALL.iter() {
                println!("{:<width$} {}", fault.name, fault.description);
            }
        }
        Breaking::Report { from, out } => {
            let written = report::write(&from, &out)?;
            println!(
                "report: {}: {} runs and {} schedules at random, from {} files",
                written.page.display(),
                written.runs,
                written.randoms,
                written.files
            );
        }
        Breaking::Watch { name, plain } => {
            view::watch(&Name { name }.connect_all()?, Style::choose(plain))?;
        }
        Breaking::Demo { up, plain } => {
            let complaints = demo::run(&up.one()?, Style::choose(plain))?;
            return Ok(judge(&complaints));
        }
    }
    Ok(0)
}

fn judge(complaints: &[String]) -> u8 {
    if complaints.is_empty() {
        println!("PASS");
        return 0;
    }
    for complaint in complaints {
        println!("{complaint}");
    }
    println!("FAIL");
    1
}

fn test(args: &TestArgs) -> Result<u8> {
    // Bad names are noticed before a cluster is brought up.
    let (faults, rules) = match args.protocol {
        Protocol::Quorate => (faults::parse_list(&args.faults)?, Rules::Each(args.runs.unwrap_or(1))),
        Protocol::Tuchanka => {
            let runs = if args.minutes.is_some() { args.runs } else { Some(args.runs.unwrap_or(1)) };
            let whole = args.minutes.map(|minutes| Duration::from_secs(minutes * 60));
            (tuchanka::plan::faults(&args.faults)?, Rules::Tuchanka { runs, whole })
        }
    };
    args.go_together()?;
    let series = Series {
        faults,
        target: args.target.clone(),
        rules,
        without: args.without,
        replication: args.replication.unwrap_or_default(),
    };
    let names: Vec<String> = args.up.all()?.into_iter().map(|options| options.name).collect();
    let seed = args.how.seed.unwrap_or_else(seed_of_the_moment);
    let seeds = seeds(seed, names.len());
    if names.len() > 1 {
        println!("{} side by side, --seed {seed}", names.join(", "));
        println!("one of them alone again: the same options, its layout, and the --seed that it names");
    }
    let ledger = Ledger::begin(args.how.report.clone())?;
    let (watchers, screen) = view::open(&names, Style::choose(args.how.plain));
    let seats = seats(watchers);
    let complaints = together::work(&args.up, args.how.jobs, |member| {
        let place = Place {
            cluster: member.cluster,
            seed: seeds[member.index],
            evidence: place_of(&args.how.report, &names, member.index),
            witness: member.witness,
        };
        let mut watcher = seats[member.index].lock().unwrap_or_else(PoisonError::into_inner);
        series::run(&place, &series, &ledger, watcher.as_mut()).map(|()| Vec::new())
    });
    // The verdict is for the terminal as it was.
    drop(screen);
    let mut complaints = complaints?;
    complaints.extend(series::conclude(&names, &ledger));
    Ok(judge(&complaints))
}

/// Each cluster's thread takes its own watcher.
fn seats(watchers: Vec<Watcher>) -> Vec<Mutex<Watcher>> {
    watchers.into_iter().map(Mutex::new).collect()
}

/// Where a cluster's own files go: beside the results, or in a directory of its own where there are several.
fn place_of(report: &Path, names: &[String], index: usize) -> PathBuf {
    match names {
        [_] => report.to_owned(),
        several => report.join(&several[index]),
    }
}

fn random(args: &RandomArgs) -> Result<u8> {
    let rhythm = Rhythm {
        whole: Duration::from_secs(args.minutes * 60),
        on: Duration::from_secs(args.on),
        off: Duration::from_secs(args.off),
    };
    let seed = args.how.seed.unwrap_or_else(seed_of_the_moment);
    let all = args.up.all()?;
    let names: Vec<String> = all.iter().map(|options| options.name.clone()).collect();
    let seeds = seeds(seed, names.len());
    let mut replay = Vec::new();
    for (options, seed) in all.iter().zip(&seeds) {
        replay.push(format!(
            "again: quorate-lab random {} --minutes {} --on {} --off {} --seed {seed}",
            options.description.site()?.kind.name(),
            args.minutes,
            args.on,
            args.off
        ));
    }
    let replay = replay.join("\n");
    println!("{replay}");
    let (watchers, screen) = view::open(&names, Style::choose(args.how.plain));
    let seats = seats(watchers);
    let complaints = together::work(&args.up, args.how.jobs, |member| {
        let prefix = if names.len() > 1 { format!("{}: ", member.cluster.name()) } else { String::new() };
        let schedule = Schedule {
            seed: seeds[member.index],
            rhythm,
            report: place_of(&args.how.report, &names, member.index),
            prefix: prefix.clone(),
        };
        let mut watcher = seats[member.index].lock().unwrap_or_else(PoisonError::into_inner);
        let complaints = schedule::run(member.cluster, &schedule, watcher.as_mut())?;
        Ok(complaints.into_iter().map(|complaint| format!("{prefix}{complaint}")).collect())
    });
    drop(screen);
    let code = judge(&complaints?);
    if code != 0 {
        println!("{replay}");
    }
    Ok(code)
}

fn inject(cluster: &Cluster, fault: &str, target: &str) -> Result<()> {
    let fault = faults::by_name(fault)?;
    let seen = Observation::take(cluster)?;
    let nodes = Target::parse(target).resolve(&seen, seed_of_the_moment())?;
    let injected = fault.inject(cluster, &nodes)?;
    let evidence = injected.wait_happened()?;
    injected.leave();
    println!(
        "{} on {}: {evidence}; undo it with: quorate-lab heal --name {}",
        fault.name,
        nodes.join(", "),
        cluster.name()
    );
    Ok(())
}

fn heal(cluster: &Cluster) -> Result<u8> {
    let healed = faults::heal(cluster);
    for done in &healed.done {
        println!("{done}");
    }
    for problem in &healed.problems {
        eprintln!("{problem}");
    }
    if healed.done.is_empty() && healed.problems.is_empty() {
        println!("nothing to heal");
    }
    Ok(u8::from(!healed.problems.is_empty()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        crate::command::cli::Cli::command().debug_assert();
    }
}
