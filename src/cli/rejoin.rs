//! `quorate rejoin`: has a node's data replaced by the primary's. The agent of that node does it, at the start that this asks
//! Pacemaker for.

use std::time::Duration;

use clap::Args;

use super::CliError;
use super::confirm::confirmed;
use super::live::{resource, status};
use crate::boundary::clock::Deadline;
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::{printable, setup};
use crate::cluster::crm_mon::{Role, Status};
use crate::decide::rejoin::{Request, Way, attribute, request_attribute};

/// What to do.
#[derive(Debug, Args)]
#[command(
    after_help = "What the primary does not have is kept on the node first, beside its data directory, and counted: quorate kept list. \
The instance is stopped on NODE meanwhile. Its agent does this by itself where it must and may (parameter on_diverged); by hand it is \
for on_diverged=stop, for more than rejoin_max_loss, after a rejoin that gave up, and for a standby that is not to be trusted.

Exit code: 0 a standby that runs, 1 refused or not done"
)]
pub struct Rejoin {
    /// The node whose data are replaced
    node: String,
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Copy everything (pg_basebackup); without it pg_rewind replaces what differs
    #[arg(long)]
    full: bool,
    /// Also where more WAL than rejoin_max_loss is not on the primary
    #[arg(long)]
    accept_loss: bool,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Return at once
    #[arg(long)]
    no_wait: bool,
}

const PATIENCE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_secs(1);
/// A copy takes hours.
const LONGEST: Duration = Duration::from_secs(48 * 3600);
/// Pacemaker has begun by then.
const BEGINS: Duration = Duration::from_secs(60);

/// Does it; gives the exit code.
///
/// # Errors
/// No such node or instance, nobody to copy from, or Pacemaker does not answer.
pub(super) fn run(args: &Rejoin) -> Result<u8, CliError> {
    let status = status()?;
    let resource = resource(&status, args.resource.as_deref())?;
    let node = &args.node;
    if status.node(node).is_none_or(|node| !node.online) {
        let known: Vec<&str> = status.nodes.iter().filter(|n| n.online).map(|n| n.name.as_str()).collect();
        return Err(CliError::Other(format!("{node} is not online; these are: {}", known.join(", "))));
    }
    let Some(primary) = promoted(&status, &resource) else {
        return Err(CliError::Other(format!(
            "{resource} is promoted nowhere: there is nobody to copy from (quorate status)"
        )));
    };
    if primary == *node {
        return Err(CliError::Other(format!(
            "{node} is the primary, the others follow it (move it first: pcs resource move {resource}-clone)"
        )));
    }
    let request =
        Request { way: if args.full { Way::Copy } else { Way::Rewind }, accept_loss: args.accept_loss };
    let operation = format!("{resource}_");
    let has_failed = status.failures.iter().any(|f| f.node == *node && f.operation.starts_with(&operation));
    let role = status.role_on(&resource, node);
    // What has failed is forgotten; what runs, or is stopped without a failure, is made to.
    let runs = !has_failed && role.is_some_and(|role| *role != Role::Stopped);
    let name = request_attribute(&resource);
    let act = if runs { "--fail" } else { "--cleanup" };
    println!("1. on {node}: node attribute {name}={request}");
    println!(
        "2. crm_resource {act} --resource {resource} --node {node}: Pacemaker starts the instance again"
    );
    println!(
        "3. its agent keeps the WAL that {primary} does not have, then {} from {primary}",
        request.way.program()
    );
    if args.dry_run {
        return Ok(0);
    }
    setup::need_root()?;
    if !args.yes && !confirmed(&format!("The data of {node} are replaced by those of {primary}. Go on?"))? {
        eprintln!("quorate: nothing is done");
        return Ok(1);
    }
    // Of a rejoin before.
    pacemaker::delete_attribute(node, &attribute(&resource), Patience::of(PATIENCE))?;
    pacemaker::set_attribute(node, &name, &request.to_string(), Patience::of(PATIENCE))?;
    let asked = if runs {
        pacemaker::fail(&resource, node, Patience::of(PATIENCE))
    } else {
        pacemaker::forget_failures(&resource, node)
    };
    if let Err(error) = asked {
        // Or it would be carried out at some later start.
        pacemaker::delete_attribute(node, &name, Patience::of(PATIENCE))?;
        return Err(error.into());
    }
    if args.no_wait { Ok(0) } else { watch(&resource, node) }
}

/// The node of the primary.
pub(super) fn promoted(status: &Status, resource: &str) -> Option<String> {
    let promoted = status.nodes_with_role(resource, &Role::Promoted).into_iter();
    let is_well = |node: &&str| status.node(node).is_some_and(|node| node.online && !node.unclean);
    promoted.filter(is_well).map(str::to_owned).next()
}

/// Says each phase, until the instance runs.
fn watch(resource: &str, node: &str) -> Result<u8, CliError> {
    let until = Deadline::after(LONGEST);
    let begins = Deadline::after(BEGINS);
    let mut said = String::new();
    let mut begun = false;
    loop {
        Deadline::after(LOOK).sleep(LOOK);
        // A failover in between is no reason to end.
        let Ok(status) = status() else { continue };
        let own = |name: &str| status.attributes.get(node).and_then(|all| all.get(name)).cloned();
        let asked = own(&request_attribute(resource)).is_some();
        let now = own(&attribute(resource));
        begun |= now.is_some() || !asked;
        if let Some(now) = &now
            && *now != said
        {
            println!("{node}: {}", printable::line(now));
            said.clone_from(now);
        }
        if now.as_deref().is_some_and(|text| text.starts_with("manual")) {
            return Ok(1);
        }
        let runs = status.role_on(resource, node) == Some(&Role::Unpromoted);
        if begun && runs && now.is_none() {
            println!("{node}: a standby that runs; what was kept: quorate kept list, on {node}");
            return Ok(0);
        }
        if !begun && begins.passed() {
            return Err(CliError::Other(format!(
                "Pacemaker does not start {resource} on {node}: see pcs status, pcs constraint"
            )));
        }
        if until.passed() {
            return Err(CliError::Other(format!(
                "{resource} on {node} has not ended in 48 h: quorate status"
            )));
        }
    }
}
