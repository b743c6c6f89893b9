//! `quorate pause` and `quorate resume`: Pacemaker leaves the resource alone, and everybody can see why.

use std::time::Duration;

use clap::Args;

use super::CliError;
use super::confirm::confirmed;
use super::live::Live;
use crate::boundary::clock::Deadline;
use crate::boundary::host::HostResult;
use crate::boundary::pacemaker::{self, Patience};
use crate::boundary::{moves, printable, setup};
use crate::decide::alert::pause_attribute;
use crate::decide::pause::{AfterFailure, Pause, Refusal, after_failure, pause, property, resume};

/// What to leave alone.
#[derive(Debug, Args)]
#[command(
    after_help = "Pacemaker's own maintenance of the clone: nothing is monitored, restarted or promoted, and nothing fails over, until \
quorate resume. quorated resets no node for this instance meanwhile. PostgreSQL goes on; whoever stops it starts it again in the same \
role.\n\nExit code: 0 paused, 1 refused or not done"
)]
pub struct PauseArgs {
    /// Why, for those who look at quorate status in the night
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// What to act on again.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 resumed, 1 refused or not done")]
pub struct ResumeArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

const PATIENCE: Duration = Duration::from_secs(3);
/// Pacemaker looks at what runs before it acts.
const TAKES_EFFECT: Duration = Duration::from_secs(30);
/// A program that has been given up.
const READ_BACK: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);

fn clone_of(live: &Live) -> &str {
    live.constraints.clone.as_deref().unwrap_or(&live.resource)
}

fn is_unmanaged(live: &Live) -> bool {
    live.status.instances_of(&live.resource).any(|instance| !instance.managed)
}

fn refused(refusal: &Refusal) -> CliError {
    CliError::Other(refusal.to_string())
}

pub(super) fn run(args: &PauseArgs) -> Result<u8, CliError> {
    let live = Live::look(args.common.resource.as_deref())?;
    let told = live.cib.property(&property(&live.resource)).map(|p| p.value.clone());
    let new = pause(&live.management, &live.resource, told.as_deref(), args.reason.as_deref(), live.now);
    let new: Pause = new.map_err(|refusal| refused(&refusal))?;
    let (name, clone) = (property(&live.resource), clone_of(&live));
    println!("1. cluster property {name}={}", printable::line(&new.to_string()));
    println!("2. crm_resource --resource {clone} --meta --set-parameter maintenance --parameter-value true");
    if args.common.dry_run {
        return Ok(0);
    }
    setup::need_root()?;
    if !args.common.yes && !confirmed(&format!("Nothing of {} will fail over. Go on?", live.resource))? {
        eprintln!("quorate: nothing is done");
        return Ok(1);
    }
    let patience = Patience::of(PATIENCE);
    pacemaker::set_property(&name, &new.to_string(), patience)?;
    if let Err(error) = moves::set_maintenance(clone, true, patience) {
        match after_failure(read_back(&live.resource)) {
            AfterFailure::InEffect => {}
            AfterFailure::TakeBack => {
                moves::delete_property(&name, patience)?;
                return Err(error.into());
            }
            AfterFailure::Keep => {
                return Err(CliError::Other(format!(
                    "{error}; whether {} is paused is unknown, and the reason stays: look: quorate status; quorate resume ends both",
                    live.resource
                )));
            }
        }
    }
    await_effect(&args.common, true)?;
    let told =
        pacemaker::set_attribute(&live.host, &pause_attribute(&live.resource), &new.to_string(), patience);
    unless_told(told);
    println!("{} is paused: quorate resume ends it", live.resource);
    Ok(0)
}

pub(super) fn run_resume(args: &ResumeArgs) -> Result<u8, CliError> {
    let live = Live::look(args.common.resource.as_deref())?;
    let name = property(&live.resource);
    let told = live.cib.property(&name).map(|p| p.value.clone());
    let is_paused = live.management.unmanaged.contains_key(&live.resource);
    let by_cluster = live.management.cluster.as_deref();
    let ended = resume(by_cluster, is_paused, told.as_deref()).map_err(|refusal| refused(&refusal))?;
    let clone = clone_of(&live);
    if let Some(pause) = &ended {
        println!("paused for {} s: {}", live.now.saturating_sub(pause.since), printable::line(&pause.reason));
    }
    println!("1. crm_resource --resource {clone} --meta --delete-parameter maintenance");
    println!("2. cluster property {name} is deleted");
    if args.common.dry_run {
        return Ok(0);
    }
    setup::need_root()?;
    if !args.common.yes && !confirmed(&format!("Pacemaker will act on {} again. Go on?", live.resource))? {
        eprintln!("quorate: nothing is done");
        return Ok(1);
    }
    let patience = Patience::of(PATIENCE);
    moves::set_maintenance(clone, false, patience)?;
    moves::delete_property(&name, patience)?;
    await_effect(&args.common, false)?;
    let attribute = pause_attribute(&live.resource);
    for (node, attributes) in &live.status.attributes {
        if attributes.contains_key(&attribute) {
            unless_told(pacemaker::delete_attribute(node, &attribute, patience));
        }
    }
    println!("Pacemaker acts on {} again: quorate verify", live.resource);
    Ok(0)
}

/// Nothing depends on who hears of it.
fn unless_told(told: HostResult<()>) {
    if let Err(error) = told {
        eprintln!("quorate: the alerts do not tell of it: {}", printable::line(&error.text));
    }
}

/// Whether the maintenance that a program failed to set is written nevertheless, as soon as it is or by the last look: a program that
/// was given up may have its request under way.
fn read_back(resource: &str) -> Option<bool> {
    let deadline = Deadline::after(READ_BACK);
    loop {
        let look = Live::look(Some(resource)).ok();
        let written = look.map(|live| live.management.unmanaged.contains_key(&live.resource));
        if written == Some(true) || deadline.passed() {
            return written;
        }
        deadline.sleep(LOOK);
    }
}

/// Until Pacemaker calls it what was asked for.
fn await_effect(args: &Common, paused: bool) -> Result<(), CliError> {
    let deadline = Deadline::after(TAKES_EFFECT);
    loop {
        if Live::look(args.resource.as_deref()).is_ok_and(|live| is_unmanaged(&live) == paused) {
            return Ok(());
        }
        if deadline.passed() {
            let what = if paused { "still manages" } else { "does not manage" };
            return Err(CliError::Other(format!(
                "it is written, but Pacemaker {what} the resource after 30 s: quorate status says what else was set"
            )));
        }
        deadline.sleep(LOOK);
    }
}
