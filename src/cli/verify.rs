//! `quorate verify`: whether the cluster serves as it should.

use clap::Args;

use super::CliError;
use super::live::Live;
use crate::boundary::printable;
use crate::decide::verify::Item;

/// What to look at.
#[derive(Debug, Args)]
#[command(
    after_help = "From any node. What is not known is a FAIL. Nodes tell of their servers every 10 s.\n\n\
                        Exit code: 0 everything passes, 1 something fails, or there is no cluster to look at"
)]
pub struct Verify {
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Verify) -> Result<u8, CliError> {
    let items = Live::look(args.resource.as_deref())?.verify();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&items).map_err(|e| CliError::Other(e.to_string()))?);
    } else {
        items.iter().for_each(|item| println!("{}", line(item)));
    }
    Ok(u8::from(items.iter().any(|item| !item.passed)))
}

/// One of them.
pub(super) fn line(item: &Item) -> String {
    let word = if item.passed { "PASS" } else { "FAIL" };
    format!("{word}  {:<12} {}", item.name, printable::line(&item.what))
}
