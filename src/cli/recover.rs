//! `quorate recover`: what ends an outage in which nobody may be promoted, and the operator's decision.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;

use super::CliError;
use super::confirm::confirmed;
use super::live::{resource, status};
use super::rejoin::promoted;
use crate::boundary::clock::Deadline;
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::signals::Held;
use crate::boundary::{printable, records, setup};
use crate::cluster::crm_mon::{Role, Status};
use crate::decide::follow::approval_attribute;
use crate::decide::promotions::Record;
use crate::decide::recover::{Advice, Data, Facts, Loss, Outlook, Row, accept, cure, outlook};
use crate::decide::reported::NodeReported;
use crate::decide::voters::Voters;

/// What to do.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --promote it changes nothing: it shows who has which data, what is proven, which node ends the outage without a \
loss when it is started, and what the best of those that run would give up. --promote approves of the data of one node (node attribute \
quorate-approve-RESOURCE): its agent promotes it within its next monitors, once. What only the others have is lost to the service then; \
their data are kept when they rejoin.

Exit code: 0 there is a primary, 1 refused or not done, 2 nobody is promoted"
)]
pub struct Recover {
    /// Promote this node, and give up what only the others have
    #[arg(long, value_name = "NODE")]
    promote: Option<String>,
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// For programs
    #[arg(long, conflicts_with = "promote")]
    json: bool,
    /// Do it without asking
    #[arg(long, requires = "promote")]
    yes: bool,
    /// Return at once
    #[arg(long, requires = "promote")]
    no_wait: bool,
}

const PATIENCE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_secs(1);
/// Two monitors, a promotion with its election, and a slow node.
const PROMOTED_WITHIN: Duration = Duration::from_secs(180);
/// Nobody is promoted.
const OUTAGE: u8 = 2;

/// What was gathered.
struct Gathered {
    resource: String,
    status: Status,
    record: Record,
    voters: Result<Option<Voters>, String>,
    reported: Vec<NodeReported>,
}

impl Gathered {
    fn look(named: Option<&str>) -> Result<Self, CliError> {
        let status = status()?;
        let resource = resource(&status, named)?;
        let patience = || Patience::of(PATIENCE);
        Ok(Self {
            record: match records::promotions(&resource, patience()) {
                Ok(all) => Record::of(&all),
                Err(error) => Record::Unread(error.to_string()),
            },
            voters: records::voters(&resource, patience())
                .map(|all| Voters::latest(&all))
                .map_err(|error| error.to_string()),
            reported: records::reported(&resource, patience())?,
            resource,
            status,
        })
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            resource: &self.resource,
            status: &self.status,
            record: &self.record,
            voters: self.voters.as_ref().map(Option::as_ref).map_err(String::as_str),
            reported: &self.reported,
        }
    }
}

/// Looks, and does what was asked; gives the exit code.
///
/// # Errors
/// Pacemaker does not answer, no such instance, or a refusal.
pub(super) fn run(args: &Recover) -> Result<u8, CliError> {
    let gathered = Gathered::look(args.resource.as_deref())?;
    let found = outlook(&gathered.facts());
    let Some(node) = &args.promote else {
        if args.json {
            let text = serde_json::to_string_pretty(&found).map_err(|e| CliError::Other(e.to_string()))?;
            println!("{text}");
        } else {
            print!("{}", printable::lines(&text(&found)));
        }
        return Ok(if matches!(found.advice, Advice::Nothing { .. }) { 0 } else { OUTAGE });
    };
    let loss = accept(&gathered.facts(), &found, node).map_err(CliError::Other)?;
    setup::need_root()?;
    print!("{}", printable::lines(&text(&found)));
    println!("\n{node} is to be promoted. {}", printable::line(&loss.sentence()));
    if !args.yes && !confirmed("Go on?")? {
        eprintln!("quorate: nothing is done");
        return Ok(1);
    }
    // The answer took its time.
    let again = Gathered::look(Some(&gathered.resource))?;
    let now = accept(&again.facts(), &outlook(&again.facts()), node).map_err(CliError::Other)?;
    if now != loss {
        return Err(CliError::Other(format!("it has changed meanwhile: {} Look again", now.sentence())));
    }
    let name = approval_attribute(&gathered.resource);
    let held = Held::back()?;
    println!("node attribute {name}=1 on {node}: its agent promotes it within its next monitors");
    pacemaker::set_attribute(node, &name, "1", Patience::of(PATIENCE))?;
    if args.no_wait { Ok(0) } else { watch(&gathered.resource, node, &name, &held) }
}

/// Until somebody is promoted. An approval that nobody used is taken back, also when a signal ends the wait: it would hold for another
/// outage.
fn watch(resource: &str, node: &str, name: &str, held: &Held) -> Result<u8, CliError> {
    let until = Deadline::after(PROMOTED_WITHIN);
    loop {
        Deadline::after(LOOK).sleep(LOOK);
        let status = status().ok();
        if let Some(primary) = status.as_ref().and_then(|status| promoted(status, resource)) {
            println!("{primary} is the primary");
            return Ok(u8::from(primary != node));
        }
        let role = status.as_ref().and_then(|status| status.role_on(resource, node));
        let why = match (held.arrived(), until.passed()) {
            (Some(signal), _) => signal.to_owned(),
            // It has read the approval.
            (None, true) if !matches!(role, Some(Role::Changing(_))) => {
                format!(
                    "{node} was not promoted in {} s (maxlag is not lifted by it)",
                    PROMOTED_WITHIN.as_secs()
                )
            }
            (None, _) => continue,
        };
        let back = match pacemaker::delete_attribute(node, name, Patience::of(PATIENCE)) {
            Ok(()) => "its approval is taken back".to_owned(),
            Err(error) => format!(
                "its approval STAYS ({error}): crm_attribute --node {node} --name {name} --delete --lifetime reboot"
            ),
        };
        return Err(CliError::Other(format!(
            "{why}, {back}: journalctl -t quorate-postgres on {node} says why it was not promoted"
        )));
    }
}

fn text(found: &Outlook) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "resource        {}", found.resource);
    let _ = writeln!(out, "last promotion  {}", printable::line(&found.last));
    let _ = writeln!(out, "commits         {}\n", printable::line(&found.commits));
    out.push_str(&table(&found.rows));
    out.push('\n');
    match &found.advice {
        Advice::Nothing { primary } => {
            let _ = writeln!(out, "{primary} is the primary: there is nothing to recover");
        }
        Advice::Fence { primary } => {
            let _ = writeln!(out, "nobody is promoted before {primary} is fenced");
            let _ = writeln!(
                out,
                "  cure  wait for its watchdog; only when it was seen to be off: pcs stonith confirm {primary}"
            );
        }
        Advice::Quorum { missing } => {
            out.push_str("no quorum: nobody is promoted without it; start the others, or the witness\n");
            cures(&mut out, found, missing);
        }
        Advice::Wait => {
            out.push_str("nobody refuses: Pacemaker promotes somebody, or was told not to\n");
            out.push_str("  cure  wait; then quorate status, pcs constraint, pcs resource config\n");
        }
        Advice::Choose { start, accept } => choices(&mut out, found, start, accept.as_ref()),
    }
    out
}

fn cures(out: &mut String, found: &Outlook, nodes: &[String]) {
    for node in nodes {
        let _ = writeln!(out, "  cure  {}", cure(found, node));
    }
}

fn choices(out: &mut String, found: &Outlook, start: &[String], accept: Option<&Loss>) {
    match start {
        [] => out.push_str("all of them run: what each one says is why it is not promoted\n"),
        nodes => {
            let _ =
                writeln!(out, "without a loss: start {}; then one is promoted by itself", nodes.join(", "));
            cures(out, found, nodes);
        }
    }
    match accept {
        None => out.push_str("no standby runs: there is nobody to promote\n"),
        Some(loss) => {
            let _ = writeln!(out, "at once, with {}: {}", loss.node, loss.sentence());
            let _ = writeln!(out, "  cure  quorate recover --promote {}", loss.node);
        }
    }
}

const HEADINGS: [&str; 7] = ["node", "state", "instance", "timeline", "LSN", "data", "behind"];

fn table(rows: &[Row]) -> String {
    let dash = || "-".to_owned();
    let mut lines: Vec<([String; 7], Option<&str>)> = vec![(HEADINGS.map(str::to_owned), None)];
    lines.extend(rows.iter().map(|row| {
        let data = match row.data {
            Data::Last => "last promotion",
            Data::Other => "another",
            Data::Unknown => "unknown",
        };
        let data = if row.was_primary { format!("{data}, was the primary") } else { data.to_owned() };
        let cells = [
            row.node.clone(),
            row.state.to_owned(),
            row.role.clone().unwrap_or_else(dash),
            row.position.map_or_else(dash, |p| p.timeline.to_string()),
            row.position.map_or_else(dash, |p| p.lsn.to_string()),
            data,
            row.behind.map_or_else(dash, |bytes| format!("{bytes} B")),
        ];
        (cells, row.told.as_deref().or(row.refuses.as_deref()))
    }));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        lines.iter().map(|(cells, _)| cells[column].chars().count()).max().unwrap_or(0)
    });
    let mut out = String::new();
    for (cells, refuses) in &lines {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "{}", padded.join("  ").trim_end());
        if let Some(refuses) = refuses {
            let _ = writeln!(out, "  {}", printable::line(refuses));
        }
    }
    out
}
