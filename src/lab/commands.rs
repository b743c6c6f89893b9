//! The subcommands that break, measure and show.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::audience::Audience;
use super::chance::seed_of_the_moment;
use super::cli::Name;
use super::cluster::Cluster;
use super::error::{LabError, Result};
use super::faults::{self, Target};
use super::observe::Observation;
use super::paths::ClusterName;
use super::progress::Progress;
use super::replication::Lag;
use super::schedule::{self, Rhythm, Schedule};
use super::screen::Style;
use super::series::{self, Series};
use super::up::Options;
use super::up_args::UpArgs;
use super::without::Protection;
use super::{demo, up, view, wait};

/// Breaking, measuring, showing.
#[derive(Debug, Subcommand)]
pub enum Breaking {
    /// Break a cluster again and again and measure what it costs; brings it up if it isn't
    Test(TestArgs),
    /// Two faults at random, then peace, again and again, and a check that nothing was lost; brings a cluster up if it isn't
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
    /// How often each fault
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Take a protection away first, to see that the checker finds what it prevents: the test has to FAIL
    #[arg(long)]
    without: Option<Protection>,
    /// Let replication be behind when the fault comes: `stop` (5 s of writes) or `delay=2s`
    #[arg(long, value_parser = Lag::parse, value_name = "stop|delay=TIME")]
    replication: Option<Lag>,
    /// Directory for results.json and, for each run that went wrong, evidence
    #[arg(long, default_value = "report")]
    report: PathBuf,
    /// Seed of the chance behind `random`; printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Lines instead of the live view, as without a terminal
    #[arg(long)]
    plain: bool,
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
    /// Directory for random.json, what the client saw, and evidence
    #[arg(long, default_value = "report")]
    report: PathBuf,
    /// Seed of every choice; printed, so that a test can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Lines instead of the live view, as without a terminal
    #[arg(long)]
    plain: bool,
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
            for fault in faults::ALL {
                println!("{:<20} {}", fault.name, fault.description);
            }
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
    faults::parse_list(&args.faults)?;
    let series = Series {
        faults: args.faults.clone(),
        target: args.target.clone(),
        runs: args.runs,
        without: args.without,
        replication: args.replication.unwrap_or_default(),
        report: args.report.clone(),
        seed: args.seed.unwrap_or_else(seed_of_the_moment),
    };
    on_cluster(&args.up, args.plain, |cluster, audience| series::run(cluster, &series, audience))
}

fn random(args: &RandomArgs) -> Result<u8> {
    let rhythm = Rhythm {
        whole: Duration::from_secs(args.minutes * 60),
        on: Duration::from_secs(args.on),
        off: Duration::from_secs(args.off),
    };
    let seed = args.seed.unwrap_or_else(seed_of_the_moment);
    let layout = args.up.one()?.description.site()?.kind.name();
    let replay = format!(
        "again: quorate-lab random {layout} --minutes {} --on {} --off {} --seed {seed}",
        args.minutes, args.on, args.off
    );
    println!("{replay}");
    let schedule = Schedule { seed, rhythm, report: args.report.clone() };
    let code =
        on_cluster(&args.up, args.plain, |cluster, audience| schedule::run(cluster, &schedule, audience))?;
    if code != 0 {
        println!("{replay}");
    }
    Ok(code)
}

/// Does something on the cluster that is meant and judges it; one that wasn't up is taken down again.
fn on_cluster(
    up_args: &UpArgs,
    plain: bool,
    work: impl FnOnce(&Cluster, &mut (dyn Audience + Send)) -> Result<Vec<String>>,
) -> Result<u8> {
    let options = up_args.one()?;
    let (mut watchers, screen) = view::open(std::slice::from_ref(&options.name), Style::choose(plain));
    let watcher = watchers.first_mut().ok_or_else(|| LabError::Host("nobody watches".to_owned()))?;
    let (cluster, was_up) = match Cluster::connect(&options.name) {
        Ok(cluster) => (cluster, true),
        Err(_) => (up::up(&options, &Progress::start())?, false),
    };
    fits(&cluster, &options, up_args.names_a_site())?;
    let complaints = work(&cluster, watcher.as_mut());
    // The verdict is for the terminal as it was.
    drop(screen);
    if !was_up && !up_args.keep {
        // Not Cluster::down: the next one of the same name may follow at once.
        up::down(&ClusterName::parse(&options.name)?)?;
    }
    Ok(judge(&complaints?))
}

/// A cluster that is up has to be what the test is for.
fn fits(cluster: &Cluster, options: &Options, names_a_site: bool) -> Result<()> {
    let info = cluster.info()?;
    let wrong = |what: String| {
        Err(LabError::Host(format!(
            "cluster {} is up {what}; take it down with: quorate-lab down --name {}, or choose another --name",
            info.name, info.name
        )))
    };
    let (suite, agent) = (options.suite.name(), options.agent.name());
    if (info.suite.as_str(), info.agent.as_str()) != (suite, agent) {
        return wrong(format!(
            "with suite {} and agent {}, the test is for {suite} and {agent}",
            info.suite, info.agent
        ));
    }
    let (wanted, timing) = (options.description.site()?, &options.description.timing);
    if timing.as_ref().is_some_and(|t| *t != info.timing) {
        return wrong(format!(
            "with timings {}, the test is for {}",
            info.timing,
            wanted.profile.preset.name()
        ));
    }
    if names_a_site && **cluster.site() != wanted {
        return wrong(format!("with another site than {} describes", options.description.file));
    }
    Ok(())
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
        crate::lab::cli::Cli::command().debug_assert();
    }
}
