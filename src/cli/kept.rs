//! `quorate kept`: what a rejoin put aside of the data that it replaced, on this node.

use clap::Subcommand;

use super::CliError;
use super::confirm::confirmed;
use crate::boundary::rejoin::{Entry, entries, remove_entry};
use crate::boundary::{printable, setup};
use crate::cluster::calendar::utc;

/// What to do with it.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One line for each rejoin that put something aside
    List,
    /// What one of them holds, and how to read it
    Show {
        /// As in the list
        name: String,
    },
    /// Remove one, for good
    Remove {
        /// As in the list
        name: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(command: &Command) -> Result<u8, CliError> {
    setup::need_root()?;
    match command {
        Command::List => list(&entries()?),
        Command::Show { name } => show(&find(name)?),
        Command::Remove { name, yes } => return remove(&find(name)?, *yes),
    }
    Ok(0)
}

fn list(entries: &[Entry]) {
    if entries.is_empty() {
        println!("nothing is kept on this node");
        return;
    }
    println!("{:<18} {:<12} {:>14} {:>9}  since", "NAME", "RESOURCE", "BYTES OF WAL", "COMMITS");
    for entry in entries {
        let (bytes, commits, since) = match &entry.kept {
            None => ("?".to_owned(), "?".to_owned(), "interrupted: it may be removed".to_owned()),
            Some(kept) => (
                kept.bytes.map_or("?".to_owned(), |bytes| bytes.to_string()),
                kept.commits.as_ref().map_or("?".to_owned(), |commits| commits.number.to_string()),
                utc(kept.at),
            ),
        };
        let (name, resource) = (printable::line(&entry.name), &entry.resource);
        println!("{name:<18} {resource:<12} {bytes:>14} {commits:>9}  {since}");
    }
}

fn show(entry: &Entry) {
    let directory = entry.directory.display();
    let Some(kept) = &entry.kept else {
        println!("{directory}: it was interrupted; the rejoin that went on has made another one");
        return;
    };
    println!("{}", printable::line(&kept.sentence()));
    println!("system identifier {}, WAL to {}", kept.system_identifier, kept.to);
    if let Some(from) = &kept.from {
        println!("the transactions:  less {directory}/transactions.txt");
        println!("all of its WAL:    pg_waldump -p {directory}/pg_wal -t {} -s {}", from.timeline, from.lsn);
    }
    println!("its settings:      ls {directory}/settings");
}

fn remove(entry: &Entry, yes: bool) -> Result<u8, CliError> {
    show(entry);
    if !yes && !confirmed("Remove it for good?")? {
        eprintln!("quorate: nothing is removed");
        return Ok(1);
    }
    remove_entry(entry)?;
    println!("removed: {}", entry.directory.display());
    Ok(0)
}

fn find(name: &str) -> Result<Entry, CliError> {
    let all = entries()?;
    let names: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
    let unknown = || {
        CliError::Other(format!("no kept WAL has the name {name:?} here; there are: {}", names.join(", ")))
    };
    let found = all.iter().find(|entry| entry.name == name).cloned();
    found.ok_or_else(unknown)
}
