//! `quorate prove-watchdog`: the drill, what it has shown, and which device it is about.

use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::CliError;
use crate::boundary::clock::Deadline;
use crate::boundary::drill::{self, Moment, Plan};
use crate::boundary::identity::SystemUser;
use crate::boundary::process::ProcessId;
use crate::boundary::{input, inspect, printable, process, setup, watchdog_record};
use crate::cluster::cib::{self, management};
use crate::cluster::watchdog_proof::{End, Outcome};
use crate::decide::doctor::facts::{Known, Node, Surroundings, Unknown};
use crate::decide::doctor::read::{Gathered, Text, read};
use crate::decide::doctor::{examine, watchdog_words};
use crate::decide::prove_watchdog::{Facts, Standby, patience_ms, refusals, steps};

/// What to do.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing named: the drill. It arms sbd's watchdog (SBD_WATCHDOG_DEV, SBD_WATCHDOG_TIMEOUT of /etc/default/sbd), sends no keepalive \
and waits until this node is reset, which takes everything with it that runs here. It refuses while the cluster or PostgreSQL runs here. First, on this node: \
pcs node standby NODE --wait=60, pcs cluster stop NODE; after the boot: quorate prove-watchdog --result, pcs cluster start NODE --wait=120, pcs node unstandby NODE.

Exit code: of the drill 1 refused, broken off or not possible, 2 this watchdog does not bite (where it does, nothing comes back); of --result 0 proven, \
with the device that sbd has now, 1 not proven, 2 it does not bite; of --show 0, 1 or 2 as of quorate doctor, by its rules on the device; of --dry-run 0 it would begin, 1 it refuses"
)]
pub struct ProveWatchdog {
    /// Do it without asking: this node's name
    #[arg(long, value_name = "NODE", conflicts_with_all = ["dry_run", "result", "show"])]
    yes: Option<String>,
    /// Only print the steps, and what is in their way
    #[arg(long, conflicts_with_all = ["result", "show"])]
    dry_run: bool,
    /// Say what the last drill on this node has shown
    #[arg(long, conflicts_with = "show")]
    result: bool,
    /// Say which watchdog this is, and what speaks against it; no device is opened
    #[arg(long)]
    show: bool,
}

/// It could not be done, or shows nothing.
const NOT_PROVEN: u8 = 1;
/// The worst.
const NEVER_BITES: u8 = 2;
/// How long somebody may think about the question.
const ANSWER: Duration = Duration::from_secs(300);
/// Longer than a name.
const LONGEST_ANSWER: usize = 1024;

/// Does it; gives the exit code.
///
/// # Errors
/// When sbd's configuration or the node's state can't be read, or the device not be armed.
pub(super) fn run(args: &ProveWatchdog) -> Result<u8, CliError> {
    if args.show || args.result {
        return Ok(if args.result { result()? } else { show()? });
    }
    let (facts, driver) = facts()?;
    let refused = refusals(&facts);
    for refusal in &refused {
        eprintln!("quorate: {}\n  first {}", printable::line(&refusal.what), printable::line(&refusal.cure));
    }
    if args.dry_run {
        for (number, step) in steps(&facts, watchdog_record::PATH).iter().enumerate() {
            println!("{}. {step}", number + 1);
        }
        return Ok(u8::from(!refused.is_empty()));
    }
    if !refused.is_empty() {
        return Ok(NOT_PROVEN);
    }
    setup::need_root()?;
    if !confirmed(&facts, args.yes.as_deref())? {
        eprintln!("quorate: this node is {}: nothing is done", facts.node);
        return Ok(NOT_PROVEN);
    }
    drill(&facts, driver)
}

/// Whether the operator means this node.
fn confirmed(facts: &Facts, yes: Option<&str>) -> Result<bool, CliError> {
    if let Some(name) = yes {
        return Ok(name == facts.node);
    }
    say(&format!(
        "{} will be RESET by its watchdog {}, after {} s. Type its name to go on: ",
        facts.node, facts.device, facts.timeout_s
    ));
    let answer = input::line(std::io::stdin().as_fd(), LONGEST_ANSWER, Deadline::after(ANSWER))?;
    Ok(answer == facts.node)
}

/// A line of the drill: a terminal that is gone is no reason to end it.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(printable::lines(text).as_bytes()).and_then(|()| out.flush());
}

fn drill(facts: &Facts, driver: Option<String>) -> Result<u8, CliError> {
    let plan = Plan {
        device: facts.device.clone(),
        timeout_s: facts.timeout_s,
        driver,
        patience_ms: patience_ms(facts.timeout_s),
        record: PathBuf::from(watchdog_record::PATH),
    };
    let record = drill::run(&plan, |moment| match moment {
        Moment::Armed(identity) => {
            say(&format!(
                "{} ({identity}) is armed with {} s, and gets no keepalive\n",
                plan.device, plan.timeout_s
            ));
        }
        Moment::Alive(ms) => say(&format!("{:>3} s: alive\n", ms / 1000)),
    })?;
    if record.end == Some(End::BrokenOff) {
        say(&format!(
            "broken off after {:.1} s, {} is disarmed: it shows nothing\n",
            f64::from(record.alive_ms) / 1000.0,
            plan.device
        ));
        return Ok(NOT_PROVEN);
    }
    say(&format!(
        "this watchdog does NOT bite: {} lives after {:.1} s, three times its timeout; {} is disarmed\n",
        facts.node,
        f64::from(record.alive_ms) / 1000.0,
        plan.device
    ));
    Ok(NEVER_BITES)
}

/// What the node is, and the driver of sbd's device.
fn facts() -> Result<(Facts, Option<String>), CliError> {
    let other = |Unknown(why): Unknown| CliError::Other(why);
    let text = inspect::sbd().map_err(Unknown::from);
    let watchdogs = inspect::watchdogs(&text);
    let file = text.map_err(other)?;
    let configuration = inspect::sbd_configuration(&file).map_err(other)?;
    let timeout_s = configuration.watchdog_s().filter(|s| *s > 0).ok_or_else(|| {
        CliError::Other(format!(
            "{}: SBD_WATCHDOG_TIMEOUT (or -1 in SBD_OPTS) is no number above 0; write whole seconds",
            file.name
        ))
    })?;
    let chosen = watchdogs.as_ref().ok().and_then(|all| all.chosen());
    let programs = process::programs().map_err(|e| CliError::Other(format!("/proc: {e}")))?;
    let cluster = ["corosync", "pacemakerd", "sbd"];
    // They are root's: another user's program may have any name.
    let runs =
        |name: &&str| programs.iter().any(|(info, program)| program == name && process::is_roots(info.id));
    let of_cluster = cluster.into_iter().filter(runs);
    // Every user's: there may be data of his.
    let servers = programs.iter().filter(|(info, program)| {
        program == "postgres" && !programs.iter().any(|(p, name)| p.id.pid == info.ppid && name == "postgres")
    });
    let node = setup::host_name()?;
    let facts = Facts {
        standby: standby(&node),
        cluster: of_cluster.map(str::to_owned).collect(),
        postgres: servers.map(|(info, _)| (info.id.pid, user(info.id))).collect(),
        device: configuration.watchdog_device().to_owned(),
        timeout_s,
        taken: chosen.and_then(|device| device.active),
        node,
    };
    Ok((facts, chosen.and_then(|device| device.driver.clone())))
}

/// Whose process it is.
fn user(id: ProcessId) -> String {
    let uid = process::user_of(id);
    let name = uid.and_then(|uid| SystemUser::by_uid(uid).ok()).map(|user| user.name);
    name.or_else(|| uid.map(|uid| format!("the user {uid}"))).unwrap_or_else(|| "several users".to_owned())
}

/// By the CIB: the cluster's, else the copy that is kept here.
fn standby(node: &str) -> Standby {
    let text = match inspect::kept_cib() {
        Ok(Some(text)) => text,
        Ok(None) => return Standby::NoResources,
        Err(Unknown(why)) => return Standby::Unknown(why),
    };
    let broken = |why: String| Standby::Unknown(format!("{}: {why}", text.name));
    let resources = match cib::parse(&text.text) {
        Ok(cib) => cib.primitives.iter().filter(|p| !p.agent.starts_with("stonith:")).count(),
        Err(e) => return broken(e.to_string()),
    };
    if resources == 0 {
        return Standby::NoResources;
    }
    match management(&text.text) {
        Err(why) => broken(why.to_string()),
        Ok(told) => match told.node(None, Some(node)) {
            Some(state) if state.standby.is_some() => Standby::Told,
            Some(_) => Standby::NotTold,
            None => broken(format!("it has no node {node}")),
        },
    }
}

/// What the last drill has shown.
fn result() -> Result<u8, CliError> {
    let (node, facts) = about_the_device()?;
    say(&format!("{node}: {}\n", watchdog_words(&facts)));
    let Some(proof) = facts.node.watchdog_proof.as_ref().ok().and_then(|p| p.as_ref()) else {
        return Ok(NOT_PROVEN);
    };
    // Where the kernel tells of no device, it can't be another one.
    let chosen = facts.node.watchdogs.as_ref().ok().map(|all| (all, all.chosen()));
    let timeout_s =
        facts.sbd.as_ref().ok().and_then(|files| files.first()?.content.watchdog_s()).unwrap_or(0);
    let counts = match chosen {
        None => true,
        Some((_, None)) => false,
        Some((all, Some(device))) => {
            let (identity, driver) = (device.identity.as_deref(), device.driver.as_deref());
            proof.record.differs(&all.path, identity, driver, timeout_s).is_none()
        }
    };
    Ok(match proof.outcome {
        Outcome::NeverBites { .. } => NEVER_BITES,
        Outcome::Bites { .. } if counts => 0,
        Outcome::Bites { .. } | Outcome::Nothing(_) => NOT_PROVEN,
    })
}

/// Which device it is, and what the doctor's rules say of it.
fn show() -> Result<u8, CliError> {
    let (node, facts) = about_the_device()?;
    say(&format!("{node}: {}\n", watchdog_words(&facts)));
    let mut report = examine(&facts);
    report.verdicts.retain(|(rule, _)| rule.name.starts_with("watchdog-"));
    for (rule, findings) in report.broken() {
        for finding in findings {
            say(&format!(
                "{} {}: {}\n  cure  {}\n",
                rule.severity.name(),
                rule.name,
                finding.what,
                finding.cure
            ));
        }
    }
    Ok(report.exit_code())
}

/// What the rules on the device need, and nothing that asks the cluster's programs.
fn about_the_device() -> Result<(String, crate::decide::doctor::facts::Facts), CliError> {
    let sbd = inspect::sbd().map_err(Unknown::from);
    let mut node = Node::unknown("only the watchdog is looked at");
    node.watchdogs = inspect::watchdogs(&sbd);
    node.sbd_unit = inspect::sbd_unit();
    node.watchdog_proof = inspect::watchdog_proof();
    let kept: Known<Text> =
        inspect::kept_cib().and_then(|cib| cib.ok_or_else(|| Unknown("there is no CIB here".to_owned())));
    let gathered = Gathered {
        corosync: inspect::corosync_conf().map_err(Unknown::from),
        cib: kept,
        sbd: sbd.map(|text| vec![text]),
        postgresql: Err(Unknown("only the watchdog is looked at".to_owned())),
        surroundings: Surroundings::unknown(),
        node,
    };
    let facts = read(gathered).map_err(|e| CliError::Other(e.to_string()))?;
    Ok((setup::host_name()?, facts))
}

/// The record of the last drill that shows when the watchdog resets this node; for the timing.
pub(super) fn measured_ms() -> Option<(u32, u32)> {
    let proof = inspect::watchdog_proof().ok()??;
    match proof.outcome {
        Outcome::Bites { most_ms, .. } => Some((proof.record.timeout_s, most_ms)),
        Outcome::NeverBites { .. } | Outcome::Nothing(_) => None,
    }
}
