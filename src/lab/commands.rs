//! The subcommands that break, measure and show.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::cli::{Name, UpArgs};
use super::cluster::Cluster;
use super::error::{LabError, Result};
use super::faults::{self, Target};
use super::observe::Observation;
use super::paths::ClusterName;
use super::progress::Progress;
use super::screen::{self, Style};
use super::series::{self, Series};
use super::{demo, up, wait};

/// Breaking, measuring, showing.
#[derive(Debug, Subcommand)]
pub enum Breaking {
    /// Break a cluster again and again and measure what it costs; brings it up if it isn't
    Test(TestArgs),
    /// Break something, and leave it broken until `heal`
    Fault {
        #[command(flatten)]
        name: Name,
        /// What to do; see `list`
        fault: String,
        /// A node's name, or primary, standby, witness, random
        target: String,
    },
    /// Undo all faults: power, network, stopped processes, services, bans
    Heal {
        #[command(flatten)]
        name: Name,
    },
    /// List the faults
    List,
    /// Show roles, scores, LSNs, heart and beat until Ctrl-C
    Watch {
        #[command(flatten)]
        name: Name,
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
    /// What they hit: primary, standby, random, witness, or a node's name
    #[arg(long, default_value = "primary")]
    target: String,
    /// How often each fault
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Directory for results.json and, for each run that went wrong, evidence
    #[arg(long, default_value = "report")]
    report: PathBuf,
    /// Seed of the chance behind `random`; printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
}

/// Does a subcommand; gives the exit code.
///
/// # Errors
/// What made it impossible. A test that ran and has complaints is exit code 1, not an error.
pub fn execute(command: Breaking) -> Result<u8> {
    wait::catch_signals()?;
    match command {
        Breaking::Test(args) => return test(&args),
        Breaking::Fault { name, fault, target } => inject(&Cluster::connect(&name.name)?, &fault, &target)?,
        Breaking::Heal { name } => return heal(&Cluster::connect(&name.name)?),
        Breaking::List => {
            for fault in faults::ALL {
                println!("{:<14} {}", fault.name, fault.description);
            }
        }
        Breaking::Watch { name, plain } => {
            screen::watch(&Cluster::connect(&name.name)?, Style::choose(plain))?;
        }
        Breaking::Demo { up, plain } => {
            let options = up.options();
            let complaints = demo::run(&options, Style::choose(plain))?;
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
    let options = args.up.options();
    let (cluster, was_up) = match Cluster::connect(&options.name) {
        Ok(cluster) => (cluster, true),
        Err(_) => (up::up(&options, &Progress::start())?, false),
    };
    let info = cluster.info()?;
    let wanted = (options.suite.name(), options.agent.name(), options.timing.name());
    if (info.suite.as_str(), info.agent.as_str(), info.timing.as_str()) != wanted {
        return Err(LabError::Host(format!(
            "cluster {} is up with suite {}, agent {}, timing {}, and the test is for {wanted:?}; take it down \
             with: quorate-lab down --name {}, or choose another --name",
            info.name, info.suite, info.agent, info.timing, info.name
        )));
    }
    let series = Series {
        faults: args.faults.clone(),
        target: args.target.clone(),
        runs: args.runs,
        report: args.report.clone(),
        seed: args.seed.unwrap_or_else(seed_of_the_moment),
    };
    let complaints = series::run(&cluster, &series);
    if !was_up && !args.up.keep {
        // Not Cluster::down: the next one of the same name may follow at once.
        up::down(&ClusterName::parse(&options.name)?)?;
    }
    Ok(judge(&complaints?))
}

fn seed_of_the_moment() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

fn inject(cluster: &Cluster, fault: &str, target: &str) -> Result<()> {
    let fault = faults::by_name(fault)?;
    let seen = Observation::take(cluster)?;
    let node = Target::parse(target).resolve(&seen, seed_of_the_moment())?;
    let injected = fault.inject(cluster, &node)?;
    let evidence = injected.wait_happened()?;
    injected.leave();
    println!("{} on {node}: {evidence}; undo it with: quorate-lab heal", fault.name);
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
