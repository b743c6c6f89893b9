//! The command line of `quorate-lab`.

use super::commands::{self, Breaking};
use super::name::Name;
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::paths::ClusterName;
use crate::host::progress::Progress;
use crate::host::{run, wait};
use crate::machines::cleanup;
use crate::machines::image::{self, Content, Suite};
use crate::machines::protocol::{ClusterInfo, NodeInfo};
use crate::supervisor::process::{self, Order};
use crate::supervisor::up;
use crate::supervisor::up_args::UpArgs;
use clap::{Parser, Subcommand};
use serde::Serialize;

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
    /// Bring clusters up
    Up(UpArgs),
    /// Show the clusters that are up
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Print what happened to a cluster's machines since `up`, one JSON object a line: power, cables, watchdogs
    Events(Name),
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
            let template = image::ensure(suite.unwrap_or_else(Suite::of_host), Content::Node, &progress)?;
            progress.step(&format!("image: {}", template.display()));
        }
        Command::Up(args) => {
            wait::catch_signals()?;
            up::up_all(&args.all()?, &Progress::start())?;
        }
        Command::Status { json } => status(json)?,
        Command::Events(name) => {
            for event in name.connect()?.events()? {
                println!("{}", serde_json::to_string(&event).map_err(|e| LabError::Host(e.to_string()))?);
            }
        }
        Command::Shell { name, node, command } => return shell(&name.connect()?, &node, &command),
        Command::Down { all: true, .. } => {
            let progress = Progress::start();
            up::down_all(|name| progress.step(&format!("cluster {name}: gone")))?;
        }
        Command::Down { name, all: false } => {
            let (name, progress) = (ClusterName::parse(&name.resolve()?)?, Progress::start());
            up::down(&name)?;
            progress.step(&format!("cluster {name}: gone"));
        }
        Command::Breaking(breaking) => return commands::execute(breaking),
        Command::Supervise { order } => {
            let order: Order = serde_json::from_str(&order)
                .map_err(|e| LabError::Supervisor(format!("not an order: {e}: {order}")))?;
            process::run(&order)?;
        }
    }
    Ok(0)
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
        let lender = i.lender.as_ref().map_or(String::new(), |l| format!(", witness of {l}"));
        println!(
            "{} ({}, {}, agent {}, timings {}{lender}): {:?}",
            i.name, i.layout, i.suite, i.agent, i.timing, i.phase
        );
        for n in &status.nodes {
            let leader = n.leader.map_or("-".to_owned(), |l| l.to_string());
            println!(
                "  {:8} {:15} {:?}, {:?}, {:?}, watchdogs {:?} and {:?}, init {leader}, booted {} times",
                n.name,
                n.address.to_string(),
                n.power,
                n.cable,
                n.activity,
                n.watchdog,
                n.second_watchdog,
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

fn shell(cluster: &Cluster, node: &str, command: &[String]) -> Result<u8> {
    let leader = cluster.node(node)?.leader.ok_or_else(|| LabError::PoweredOff(node.to_owned()))?;
    let words =
        if command.is_empty() { vec!["bash".to_owned(), "--login".to_owned()] } else { command.to_vec() };
    let status = run::command(&run::enter(leader, &words))?
        .run_interactive()
        .map_err(|e| LabError::Command { command: "nsenter".into(), problem: e.to_string() })?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1))
}
