//! The command line of `quorate-lab`.

use super::cleanup;
use super::cluster::{Cluster, enter};
use super::commands::{self, Breaking};
use super::error::{LabError, Result};
use super::image::{self, Suite};
use super::paths::{ClusterName, DEFAULT_NAME};
use super::progress::Progress;
use super::protocol::{ClusterInfo, NodeInfo};
use super::provision::Agent;
use super::supervisor::{self, Order};
use super::timing::Timing;
use super::up::{self, Disks, Failed, Options};
use super::{run, wait};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// Boots real clusters on this host, breaks them on purpose and measures.
#[derive(Debug, Parser)]
#[command(name = "quorate-lab", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the template of the nodes' disks, from this host's own package sources
    Image {
        /// Debian's release [default: this host's]
        #[arg(long)]
        suite: Option<Suite>,
        /// Remove all templates and prepared disks instead
        #[arg(long, conflicts_with = "suite")]
        remove: bool,
    },
    /// Bring a cluster up
    Up(UpArgs),
    /// Show the clusters that are up
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Open a shell on a node, or run a command there
    Shell {
        #[command(flatten)]
        name: Name,
        node: String,
        /// The command instead of a shell
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Take a cluster down and remove everything of it
    Down {
        #[command(flatten)]
        name: Name,
        /// All clusters, and what crashed ones have left
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    #[command(flatten)]
    Breaking(Breaking),
    /// The background process of a cluster (`up` starts it)
    #[command(hide = true)]
    Supervise { order: String },
}

/// Which cluster.
#[derive(Debug, Args)]
pub struct Name {
    /// The cluster's name; several may be up side by side
    #[arg(long, default_value = DEFAULT_NAME)]
    pub name: String,
}

/// Which layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// Two database nodes and a witness
    Classic,
}

/// What to bring up.
#[derive(Debug, Args)]
pub struct UpArgs {
    #[arg(default_value = "classic")]
    pub layout: Layout,
    #[command(flatten)]
    pub name: Name,
    /// Debian's release in the nodes [default: this host's]
    #[arg(long)]
    pub suite: Option<Suite>,
    /// The PostgreSQL resource agent
    #[arg(long, default_value = "quorate")]
    pub agent: Agent,
    /// The set of timings
    #[arg(long, default_value = "default")]
    pub timing: Timing,
    /// Set everything up anew, not from the disks that an earlier set-up with the same scripts has left
    #[arg(long)]
    pub fresh: bool,
    /// Leave the cluster, to be looked at: one that didn't get ready, or that of a test
    #[arg(long)]
    pub keep: bool,
    /// The agent's program, when it isn't the one built beside this program
    #[arg(long)]
    pub agent_binary: Option<PathBuf>,
}

impl UpArgs {
    /// As `up` takes it.
    pub fn options(&self) -> Options {
        Options {
            name: self.name.name.clone(),
            suite: self.suite.unwrap_or_else(Suite::of_host),
            agent: self.agent,
            timing: self.timing,
            disks: if self.fresh { Disks::Fresh } else { Disks::Reuse },
            failed: if self.keep { Failed::Keep } else { Failed::Remove },
            agent_binary: self.agent_binary.clone(),
        }
    }
}

/// Parses the command line, does it, says what went wrong. Gives the exit code.
pub fn main() -> u8 {
    match execute(Cli::parse().command) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("quorate-lab: {e}");
            if matches!(e, LabError::Interrupted) { 130 } else { 1 }
        }
    }
}

fn execute(command: Command) -> Result<u8> {
    match command {
        Command::Image { remove: true, .. } => image::remove_all()?,
        Command::Image { suite, remove: false } => {
            wait::catch_signals()?;
            let progress = Progress::start();
            let template = image::ensure(suite.unwrap_or_else(Suite::of_host), &progress)?;
            progress.step(&format!("image: {}", template.display()));
        }
        Command::Up(args) => {
            wait::catch_signals()?;
            let progress = Progress::start();
            up::up(&args.options(), &progress)?;
        }
        Command::Status { json } => status(json)?,
        Command::Shell { name, node, command } => return shell(&name.name, &node, &command),
        Command::Down { all: true, .. } => {
            let results: Vec<Result<()>> = cleanup::all_names().iter().map(take_down).collect();
            results.into_iter().collect::<Result<()>>()?;
        }
        Command::Down { name, all: false } => take_down(&ClusterName::parse(&name.name)?)?,
        Command::Breaking(breaking) => return commands::execute(breaking),
        Command::Supervise { order } => {
            let order: Order = serde_json::from_str(&order)
                .map_err(|e| LabError::Supervisor(format!("not an order: {e}: {order}")))?;
            supervisor::run(&order)?;
        }
    }
    Ok(0)
}

fn take_down(name: &ClusterName) -> Result<()> {
    let progress = Progress::start();
    up::down(name)?;
    progress.step(&format!("cluster {name}: gone"));
    Ok(())
}

#[derive(Serialize)]
struct Status {
    info: ClusterInfo,
    nodes: Vec<NodeInfo>,
}

fn status(json: bool) -> Result<()> {
    let mut all = Vec::new();
    let mut leftovers = Vec::new();
    for name in cleanup::all_names() {
        match Cluster::connect(name.as_str()) {
            Ok(cluster) => all.push(Status { info: cluster.info()?, nodes: cluster.nodes()? }),
            Err(_) => leftovers.push(name),
        }
    }
    if json {
        let text = serde_json::to_string_pretty(&all).map_err(|e| LabError::Host(e.to_string()))?;
        println!("{text}");
        return Ok(());
    }
    for status in &all {
        let i = &status.info;
        println!(
            "{} ({}, {}, agent {}, timings {}): {:?}",
            i.name, i.layout, i.suite, i.agent, i.timing, i.phase
        );
        for n in &status.nodes {
            let leader = n.leader.map_or("-".to_owned(), |l| l.to_string());
            println!(
                "  {:8} {:12} {:?}, {:?}, {:?}, watchdog {:?}, init {leader}, booted {} times",
                n.name,
                n.address.to_string(),
                n.power,
                n.cable,
                n.activity,
                n.watchdog,
                n.boots
            );
        }
    }
    for name in leftovers {
        println!("{name}: no supervisor answers; remove what is left with: quorate-lab down --name {name}");
    }
    if all.is_empty() {
        println!("no cluster is up; start one with: quorate-lab up classic");
    }
    Ok(())
}

fn shell(name: &str, node: &str, command: &[String]) -> Result<u8> {
    let leader =
        Cluster::connect(name)?.node(node)?.leader.ok_or_else(|| LabError::PoweredOff(node.to_owned()))?;
    let words =
        if command.is_empty() { vec!["bash".to_owned(), "--login".to_owned()] } else { command.to_vec() };
    let status = run::command(&enter(leader, &words))?
        .run_interactive()
        .map_err(|e| LabError::Command { command: "nsenter".into(), problem: e.to_string() })?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1))
}
