//! `quorate switchover`: moves the role of the primary. Whether and how is [`crate::decide::switchover`]'s.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::time::Duration;

use clap::Args;

use super::CliError;
use super::live::{self, Live};
use super::verify::line;
use crate::boundary::clock::Deadline;
use crate::boundary::host::HostResult;
use crate::boundary::pacemaker::Patience;
use crate::boundary::signals::Held;
use crate::boundary::{input, inspect, moves, pacemaker, printable, setup};
use crate::decide::history::asked_attribute;
use crate::decide::switchover as decided;
use crate::decide::switchover::{Facts, Plan, Progress, Step, Steps, decide, unfenced};

/// What to do.
#[derive(Debug, Args)]
#[command(
    after_help = "From any node that runs Pacemaker, as root. Every check is printed, then each step; --dry-run stops there. \
What makes it refuse is said with its cure. A doubt (a base backup, the archiver's backlog, much lag, no fencing) --force overrules; \
nothing overrules the others.\n\nThe constraint that moves the role is taken back whatever happens, after Ctrl-C too, and has a \
lifetime of its own: where this command is killed it ends by itself.\n\nExit code: 0 moved and verified, 1 refused or not begun, \
2 not moved, and taken back, 3 moved, and quorate verify finds a FAIL"
)]
pub struct Switchover {
    /// The node that is to become the primary; without it the standby with the highest score
    #[arg(long, value_name = "NODE")]
    to: Option<String>,
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Only print the checks and what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Overrule a doubt
    #[arg(long)]
    force: bool,
    /// Seconds until it is given up and taken back
    #[arg(long, value_name = "S", default_value_t = 180, value_parser = clap::value_parser!(u64).range(10..=3600))]
    timeout: u64,
}

const REFUSED: u8 = 1;
const NOT_MOVED: u8 = 2;
const NOT_VERIFIED: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_secs(300);
const LONGEST_ANSWER: usize = 16;
/// A checkpoint of a big server takes minutes; clients write on meanwhile.
const CHECKPOINT: Duration = Duration::from_secs(600);
/// While a new DC is elected Pacemaker's programs fail.
const REMOVAL: Duration = Duration::from_secs(45);
/// The demoted one is started again, streams, and tells so.
const VERIFICATION: Duration = Duration::from_secs(90);

/// Who reads what is printed may be gone: the rest is done all the same.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", printable::lines(text));
}

/// Checks, does it, verifies; gives the exit code.
///
/// # Errors
/// No such resource, or Pacemaker does not answer.
pub(super) fn run(args: &Switchover) -> Result<u8, CliError> {
    let (live, plan) = plan(args)?;
    plan.checks.iter().for_each(|check| say(&check.to_string()));
    let Some(steps) = plan.steps else {
        say(&format!("\n{} is not moved", live.resource));
        return Ok(REFUSED);
    };
    say(&format!("\n{}", steps.to_string().trim_end()));
    if args.dry_run {
        return Ok(0);
    }
    setup::need_root()?;
    if !args.yes && !confirmed(&steps)? {
        say("nothing is done");
        return Ok(REFUSED);
    }
    let held = Held::back()?;
    if steps.all.contains(&Step::Checkpoint) {
        let Some(instance) = &live.instance else { return Ok(REFUSED) };
        let begun = Deadline::after(CHECKPOINT);
        instance.checkpoint(CHECKPOINT)?;
        say(&format!("\ncheckpoint     {:.1} s", (CHECKPOINT - begun.remaining()).as_secs_f64()));
        // It may have taken minutes.
        let (_, again) = self::plan(args)?;
        if again.steps.as_ref() != Some(&steps) {
            again.checks.iter().for_each(|check| say(&check.to_string()));
            say("the cluster has changed meanwhile: nothing is moved");
            return Ok(REFUSED);
        }
    }
    if let Some(signal) = held.arrived() {
        say(&format!("{signal}: nothing is moved"));
        return Ok(REFUSED);
    }
    carry_out(args, &steps, &held)
}

fn plan(args: &Switchover) -> Result<(Live, Plan), CliError> {
    let live = Live::look(args.resource.as_deref())?;
    let unfenced = unfenced(&live.cib, inspect::runs("sbd.service").ok());
    let plan = decide(&Facts {
        resource: &live.resource,
        to: args.to.as_deref(),
        status: &live.status,
        management: &live.management,
        constraints: &live.constraints,
        surveys: &live.surveys,
        unfenced: unfenced.as_deref(),
        now: live.now,
        now_utc: &live.now_utc,
        here: &live.host,
        force: args.force,
        timeout_s: args.timeout,
    });
    Ok((live, plan))
}

fn confirmed(steps: &Steps) -> Result<bool, CliError> {
    say(&format!(
        "The primary of {} moves from {} to {}. Go on? [y/N] ",
        steps.resource, steps.from, steps.to
    ));
    let answer = input::line(std::io::stdin().as_fd(), LONGEST_ANSWER, Deadline::after(ANSWER))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// How the wait ended.
enum End {
    Moved,
    Not(String),
}

fn carry_out(args: &Switchover, steps: &Steps, held: &Held) -> Result<u8, CliError> {
    let patience = || Patience::of(PATIENCE);
    // For the history alone.
    let asked = format!("{} {}", crate::boundary::clock::wall_seconds(), steps.to);
    let name = asked_attribute(&steps.resource);
    let _ = pacemaker::publish(&name, &asked, patience());
    let lifetime = steps.all.iter().find_map(|step| match step {
        Step::Move { lifetime_s } => Some(*lifetime_s),
        _ => None,
    });
    let moved = moves::prefer_promoted(&steps.clone, &steps.to, lifetime.unwrap_or(args.timeout), patience());
    let mut progress = Progress::default();
    let end = match moved {
        Ok(()) => await_move(steps, held, &mut progress),
        // It may have got through nevertheless.
        Err(error) => End::Not(error.text),
    };
    let removed = remove(&steps.constraint);
    match &removed {
        Ok(()) => say(&format!("constraint     {} is removed", steps.constraint)),
        Err(error) => say(&format!(
            "constraint     {} is NOT removed ({}); it ends by itself in {} s at most: pcs resource clear {}",
            steps.constraint,
            error.text,
            lifetime.unwrap_or_default(),
            steps.clone
        )),
    }
    match end {
        End::Moved => {
            say(&progress.outage(&steps.addresses));
            let is_verified = verified(args, held)?;
            Ok(if is_verified && removed.is_ok() { 0 } else { NOT_VERIFIED })
        }
        End::Not(why) => {
            say(&format!("stopped        {why}"));
            let now = now_known(steps);
            let _ = pacemaker::unpublish(&name, patience());
            match now {
                Some(node) if node == steps.to => {
                    say(&format!(
                        "moved          all the same: {node} is the primary; not verified: quorate verify"
                    ));
                    return Ok(NOT_VERIFIED);
                }
                Some(node) => say(&format!("NOT MOVED      {node} is the primary: quorate verify")),
                None => say(&format!(
                    "NOT MOVED      {} is promoted nowhere: quorate status, pcs status",
                    steps.resource
                )),
            }
            Ok(NOT_MOVED)
        }
    }
}

/// Looks until the role and its addresses have moved, with a line for each change.
fn await_move(steps: &Steps, held: &Held, progress: &mut Progress) -> End {
    let limit = Duration::from_secs(steps.timeout_s);
    let deadline = Deadline::after(limit);
    let mut said = String::new();
    loop {
        if let Some(signal) = held.arrived() {
            return End::Not(format!("{signal}: given up"));
        }
        // While a new DC is elected nothing is known.
        if let Ok(status) = live::status() {
            let elapsed = (limit - deadline.remaining()).as_millis() as u64;
            let line = progress.observe(steps, &status, elapsed);
            if line != said {
                say(&format!("{:>8.1} s     {line}", elapsed as f64 / 1000.0));
                said = line;
            }
            if progress.is_over() {
                return End::Moved;
            }
            if let Some(why) = progress.failed() {
                return End::Not(why.to_owned());
            }
        }
        if deadline.passed() {
            return End::Not(format!("not within {} s: taken back", steps.timeout_s));
        }
        deadline.sleep(LOOK);
    }
}

/// Until it is gone from the CIB.
fn remove(constraint: &str) -> HostResult<()> {
    let deadline = Deadline::after(REMOVAL);
    loop {
        match moves::remove_location(constraint, Patience::of(PATIENCE)) {
            Ok(()) => return Ok(()),
            Err(error) if deadline.passed() => return Err(error),
            Err(_) => deadline.sleep(LOOK * 5),
        }
    }
}

fn verified(args: &Switchover, held: &Held) -> Result<bool, CliError> {
    let deadline = Deadline::after(VERIFICATION);
    loop {
        // A look in the middle of a transition may fail.
        let items = Live::look(args.resource.as_deref()).map(|live| live.verify());
        let passes = items.as_ref().is_ok_and(|items| items.iter().all(|item| item.passed));
        if passes || deadline.passed() || held.arrived().is_some() {
            items?.iter().for_each(|item| say(&line(item)));
            return Ok(passes);
        }
        deadline.sleep(LOOK * 5);
    }
}

/// After a switchover that did not come about: whoever is the primary by now.
fn now_known(steps: &Steps) -> Option<String> {
    let deadline = Deadline::after(VERIFICATION);
    loop {
        let status = live::status();
        let primary = status.as_ref().ok().and_then(|s| decided::primary(s, &steps.resource));
        if primary.is_some() || deadline.passed() {
            return primary.map(str::to_owned);
        }
        deadline.sleep(LOOK * 5);
    }
}
