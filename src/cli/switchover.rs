//! `quorate switchover`: moves the role of the primary. Whether and how is [`crate::decide::switchover`]'s.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;

use super::CliError;
use super::confirm::confirmed;
use super::live::{self, Live};
use super::verify::line;
use crate::boundary::clock::{Deadline, wall_seconds};
use crate::boundary::pacemaker::Patience;
use crate::boundary::signals::{self, Held};
use crate::boundary::{inspect, moves, pacemaker, printable, setup};
use crate::cluster::calendar::utc;
use crate::cluster::cib::placement::placement;
use crate::decide::cause::Cause;
use crate::decide::history::asked_attribute;
use crate::decide::switchover as decided;
use crate::decide::switchover::{Check, Facts, Plan, Progress, Step, Steps, decide, settled, unfenced};

/// What to do.
#[derive(Debug, Args)]
#[command(
    after_help = "From any node that runs Pacemaker, as root. Every check is printed, then each step; --dry-run stops there. \
What makes it refuse is said with its cure. A doubt (a base backup, the archiver's backlog, much lag, no fencing) --force overrules; \
nothing overrules the others.\n\nThe constraint that moves the role is taken back whatever happens, after Ctrl-C too, and has a \
lifetime of its own: where this command is killed it ends by itself.\n\nExit code: 0 moved and verified, 1 refused or not begun, \
2 not moved, and taken back, 3 moved and quorate verify finds a FAIL, or where the primary is is not known, or the constraint stays"
)]
pub struct Switchover {
    /// The node that is to become the primary; without it the standby with the highest score
    #[arg(long, value_name = "NODE")]
    to: Option<String>,
    /// The PostgreSQL resource, where the cluster has several
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// When: 02:30 (UTC), "2026-11-30 03:30 +01:00", 90m; at most a day ahead. It waits here, and checks again before it begins
    #[arg(long, value_name = "TIME", value_parser = at)]
    at: Option<u64>,
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

fn at(text: &str) -> Result<u64, String> {
    decided::moment(text, wall_seconds())
}

const REFUSED: u8 = 1;
const NOT_MOVED: u8 = 2;
const NOT_VERIFIED: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(200);
/// A checkpoint of a big server takes minutes; clients write on meanwhile.
const CHECKPOINT: Duration = Duration::from_secs(600);
/// While a new DC is elected Pacemaker's programs fail.
const REMOVAL: Duration = Duration::from_secs(45);
/// The demoted one is started again, streams, and tells so.
const VERIFICATION: Duration = Duration::from_secs(90);

/// One line. Who reads what is printed may be gone: the rest is done all the same.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", printable::line(text));
}

/// A check's lines. What members tell may hold line ends: none of it begins a line of its own.
fn lines(check: &Check) -> String {
    let (what, cure) = (printable::line(&check.what), printable::line(&check.cure));
    Check { what, cure, ..check.clone() }.to_string()
}

fn say_all(checks: &[Check]) {
    checks.iter().for_each(|check| drop(writeln!(std::io::stdout(), "{}", lines(check))));
}

/// Checks, does it, verifies; gives the exit code.
///
/// # Errors
/// No such resource, or Pacemaker does not answer.
pub(super) fn run(args: &Switchover) -> Result<u8, CliError> {
    if args.yes && !args.dry_run {
        // It is wanted whoever reads.
        signals::outlive_broken_pipe();
    }
    let (live, plan) = plan(args)?;
    say_all(&plan.checks);
    say("");
    let Some(steps) = plan.steps else {
        say(&format!("{} is not moved", live.resource));
        return Ok(REFUSED);
    };
    for (number, step) in steps.all.iter().enumerate() {
        say(&format!("{}. {}", number + 1, steps.text(step)));
    }
    if args.dry_run {
        return Ok(0);
    }
    setup::need_root()?;
    let when = args.at.map_or(String::new(), |at| format!(" at {}", utc(at)));
    let question =
        format!("The primary of {} moves from {} to {}{when}. Go on?", steps.resource, steps.from, steps.to);
    if !args.yes && !confirmed(&question)? {
        say("nothing is done");
        return Ok(REFUSED);
    }
    let held = Held::back()?;
    if let Some(at) = args.at {
        if let Some(signal) = await_time(at, &held) {
            say(&format!("{signal}: nothing is moved"));
            return Ok(REFUSED);
        }
        let (_, again) = self::plan(args)?;
        if again.steps.as_ref() != Some(&steps) {
            say_all(&again.checks);
            say("the cluster has changed meanwhile: nothing is moved");
            return Ok(REFUSED);
        }
    }
    if steps.all.contains(&Step::Checkpoint) {
        let Some(instance) = &live.instance else { return Ok(REFUSED) };
        let begun = Deadline::after(CHECKPOINT);
        instance.checkpoint(CHECKPOINT)?;
        say("");
        say(&format!("checkpoint     {:.1} s", (CHECKPOINT - begun.remaining()).as_secs_f64()));
    }
    // The answer and the checkpoint may have taken minutes.
    let (live, again) = self::plan(args)?;
    if again.steps.as_ref() != Some(&steps) {
        say_all(&again.checks);
        say("the cluster has changed meanwhile: nothing is moved");
        return Ok(REFUSED);
    }
    if let Some(signal) = held.arrived() {
        say(&format!("{signal}: nothing is moved"));
        return Ok(REFUSED);
    }
    Ok(carry_out(args, &steps, Progress::since(&live.status), &held))
}

/// Until it is time, by the wall clock, as people set it; the signal that ended the wait.
fn await_time(at: u64, held: &Held) -> Option<&'static str> {
    say(&format!("waiting        until {}; Ctrl-C ends it, and nothing is moved", utc(at)));
    loop {
        let left = at.saturating_sub(wall_seconds());
        if let Some(signal) = held.arrived() {
            return Some(signal);
        }
        if left == 0 {
            return None;
        }
        Deadline::after(Duration::from_secs(left)).sleep(LOOK * 5);
    }
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

/// How the wait ended.
enum End {
    Moved,
    Not(String),
}

fn carry_out(args: &Switchover, steps: &Steps, mut progress: Progress, held: &Held) -> u8 {
    let patience = || Patience::of(PATIENCE);
    // For the history alone.
    let begun = wall_seconds();
    let name = asked_attribute(&steps.resource);
    let _ = pacemaker::publish(&name, &format!("{begun} {}", steps.to), patience());
    let moved = moves::prefer_promoted(&steps.clone, &steps.to, steps.lifetime_s(), patience());
    let ended = wall_seconds();
    let mut late = false;
    let end = match moved {
        Ok(()) => await_move(steps, held, &mut progress),
        // It may have got through nevertheless.
        Err(error) if error.cause == Cause::TimedOut => {
            late = true;
            End::Not(error.text)
        }
        // A constraint that is there now is another one's.
        Err(error) => {
            let _ = pacemaker::unpublish(&name, patience());
            say(&format!("refused        {}", error.text));
            say("nothing is moved");
            return REFUSED;
        }
    };
    let removed = remove(steps, begun, ended, late);
    match &removed {
        Ok(true) => say(&format!("constraint     {} is taken back", steps.constraint)),
        Ok(false) => {
            say(&format!("constraint     {} of this switchover is not there (any more)", steps.constraint))
        }
        Err(why) => say(&format!(
            "constraint     {id} STAYS ({why}): it has the role on {to} and ends by itself at {}: pcs constraint delete {id}",
            utc(ended.saturating_add(steps.lifetime_s())),
            id = steps.constraint,
            to = steps.to,
        )),
    }
    let code = match end {
        End::Moved => {
            say(&progress.outage(&steps.addresses));
            verified(args, steps, held)
        }
        End::Not(why) => {
            say(&format!("stopped        {why}"));
            let _ = pacemaker::unpublish(&name, patience());
            not_moved(steps)
        }
    };
    // What stays acts on.
    if removed.is_err() { NOT_VERIFIED } else { code }
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
        if deadline.passed() && progress.has_moved() {
            say(&format!("               not settled within {} s", steps.timeout_s));
            return End::Moved;
        }
        if deadline.passed() {
            return End::Not(format!("not within {} s", steps.timeout_s));
        }
        deadline.sleep(LOOK);
    }
}

/// Takes the constraint back that the move made between these two times; gives whether it was there. `late`: it may come yet.
fn remove(steps: &Steps, begun: u64, ended: u64, late: bool) -> Result<bool, String> {
    let deadline = Deadline::after(REMOVAL);
    let comes = Deadline::after(if late { PATIENCE } else { Duration::ZERO });
    loop {
        let left = pacemaker::cib(Patience::of(PATIENCE)).map_err(|error| error.text).and_then(|xml| {
            let found = placement(&xml, &steps.resource).map_err(|error| error.to_string())?;
            Ok(found.locations.iter().any(|location| steps.made(location, begun, ended)))
        });
        let removed = left.and_then(|is_left| {
            let gone = is_left.then(|| moves::remove_location(&steps.constraint, Patience::of(PATIENCE)));
            gone.transpose().map_err(|error| error.text).map(|_| is_left)
        });
        match removed {
            Ok(true) => return Ok(true),
            Ok(false) if comes.passed() => return Ok(false),
            Err(why) if deadline.passed() => return Err(why),
            Ok(false) | Err(_) => deadline.sleep(LOOK * 5),
        }
    }
}

/// After the role has moved: the exit code.
fn verified(args: &Switchover, steps: &Steps, held: &Held) -> u8 {
    let deadline = Deadline::after(VERIFICATION);
    loop {
        // A look in the middle of a transition may fail.
        let look = Live::look(args.resource.as_deref()).map(|live| {
            let primary = decided::primary(&live.status, &steps.resource).map(str::to_owned);
            (primary, live.verify())
        });
        let passes = look.as_ref().is_ok_and(|(_, items)| items.iter().all(|item| item.passed));
        if passes || deadline.passed() || held.arrived().is_some() {
            let (primary, items) = match look {
                Ok(found) => found,
                Err(error) => {
                    say(&format!("NOT VERIFIED   {error}: quorate verify"));
                    return NOT_VERIFIED;
                }
            };
            items.iter().for_each(|item| say(&line(item)));
            return match primary {
                Some(node) if node == steps.to => {
                    if passes {
                        0
                    } else {
                        NOT_VERIFIED
                    }
                }
                Some(node) => {
                    say(&format!("NOT MOVED      {node} is the primary (again): quorate why"));
                    NOT_MOVED
                }
                None => NOT_VERIFIED,
            };
        }
        deadline.sleep(LOOK * 5);
    }
}

/// After a switchover that did not come about: whoever is the primary once nothing is under way; the exit code.
fn not_moved(steps: &Steps) -> u8 {
    let deadline = Deadline::after(VERIFICATION);
    let mut before = None;
    loop {
        let now = match live::status() {
            Ok(status) => settled(&status, &steps.resource).map(str::to_owned),
            Err(error) => Err(error.to_string()),
        };
        match now {
            // Pacemaker begins a moment after the constraint has gone.
            Ok(node) if before.as_ref() == Some(&node) && node == steps.to => {
                say(&format!(
                    "moved          all the same: {node} is the primary; not verified: quorate verify"
                ));
                return NOT_VERIFIED;
            }
            Ok(node) if before.as_ref() == Some(&node) => {
                say(&format!("NOT MOVED      {node} is the primary: quorate verify"));
                return NOT_MOVED;
            }
            now if deadline.passed() => {
                let known = now.map_or_else(|why| why, |node| format!("{node} at the last look"));
                say(&format!("NOT SETTLED    {known}: quorate status, pcs status"));
                return NOT_VERIFIED;
            }
            now => before = now.ok(),
        }
        deadline.sleep(LOOK * 5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::switchover::Ruling;

    #[test]
    fn what_members_tell_forges_no_line() {
        let told = Check {
            name: "data",
            ruling: Ruling::Refused,
            what: "srv2 is in safe mode: 1\nok       replication    srv2 streams".into(),
            cure: "start\nthem\u{1b}[2J".into(),
        };
        let lines = lines(&told);
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(!lines.contains('\u{1b}') && lines.contains("\n  cure   start them"), "{lines}");
    }
}
