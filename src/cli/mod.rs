//! The operator's command `quorate`: its subcommands read, ask the pure modules, print and apply.

mod apply;
mod confirm;
pub mod doctor;
mod history;
mod kept;
pub mod layout;
mod live;
mod pause;
mod primary_here;
mod prove;
mod prove_watchdog;
mod recover;
mod rejoin;
mod status;
mod switchover;
pub mod timing;
mod verify;

use clap::{Parser, Subcommand};

/// Keeps PostgreSQL available across two data centres and a witness, on Pacemaker and Corosync.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong with a cluster's configuration, where, and what to type about it
    Doctor(doctor::Doctor),
    /// Every change of the primary: when, from where to where, why, and what was lost
    History(history::History),
    /// Set up a cluster of one of the layouts, from a description of its machines
    #[command(subcommand)]
    Layout(layout::Command),
    /// What was kept of data that a rejoin replaced: list, show, remove
    #[command(subcommand)]
    Kept(kept::Command),
    /// Have Pacemaker leave a PostgreSQL alone, with a reason that status shows
    Pause(pause::PauseArgs),
    /// Whether a primary that is well runs on this node: for the quorum device's heuristics
    PrimaryHere(primary_here::PrimaryHere),
    /// Prove that the watchdog resets this node: a drill, after which the node boots
    ProveWatchdog(prove_watchdog::ProveWatchdog),
    /// Nobody is promoted: who has which data, what brings the service back, and what each choice gives up
    Recover(recover::Recover),
    /// Have a node's data replaced by the primary's; what only they have is kept
    Rejoin(rejoin::Rejoin),
    /// Have Pacemaker act on a paused PostgreSQL again
    Resume(pause::ResumeArgs),
    /// Who is there and who is missing, the primary and its standbys, votes, fencing, and what is wrong
    Status(status::StatusArgs),
    /// Move the role of the primary to a standby: checks, moves it through Pacemaker, takes the constraint back, verifies
    Switchover(switchover::Switchover),
    /// What each fault will cost, phase by phase, the safety margin, and what would be faster
    Timing(timing::Timing),
    /// Who follows whom, and in which site, as a tree
    Topology(status::TopologyArgs),
    /// Whether the cluster serves as it should: PASS or FAIL of redundancy, timeline, float IPs, and what is left behind
    Verify(verify::Verify),
    /// Why the primary is where it is: the last promotion, its cause, and what was lost
    Why(history::Why),
}

/// Why a subcommand could not do its work. The message names the value and the cure.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A wrong description: every problem on a line of its own.
    #[error("{0}")]
    Description(String),
    /// A file or directory.
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    /// Something could not be done or observed.
    #[error(transparent)]
    HostError(#[from] crate::boundary::host::HostError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Parses the command line, does it, says what went wrong. Gives the exit code.
pub fn main() -> u8 {
    let result = match Cli::parse().command {
        Command::Doctor(args) => Ok(doctor::run(&args)),
        Command::Layout(command) => layout::execute(command),
        Command::History(args) => history::run(&args),
        Command::Kept(command) => kept::run(&command),
        Command::Pause(args) => pause::run(&args),
        Command::PrimaryHere(args) => Ok(primary_here::run(&args)),
        Command::ProveWatchdog(args) => prove_watchdog::run(&args),
        Command::Recover(args) => recover::run(&args),
        Command::Rejoin(args) => rejoin::run(&args),
        Command::Resume(args) => pause::run_resume(&args),
        Command::Status(args) => status::run(&args),
        Command::Switchover(args) => switchover::run(&args),
        Command::Timing(args) => timing::run(&args),
        Command::Topology(args) => status::topology(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Why(args) => history::why(&args),
    };
    match result {
        Ok(code) => code,
        Err(CliError::Description(problems)) => {
            eprint!("{}", crate::boundary::printable::lines(&problems));
            1
        }
        Err(error) => {
            eprintln!("quorate: {}", crate::boundary::printable::lines(&error.to_string()));
            1
        }
    }
}
