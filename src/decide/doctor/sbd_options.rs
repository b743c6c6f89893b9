//! What sbd's command line says beside its variables, and what systemd starts as sbd.

use super::facts::{Facts, File, Place, SBD_UNIT};
use super::rule::{Finding, Outcome};
use super::watchdog::{RESTART, each, on_a_node};
use crate::cluster::sbd::{Options, PATHS, Sbd};

/// What sbd waits for a process of its own that says nothing: -I and -3 together. The bounds count with it.
const USUAL_IO_S: u32 = 3;
const USUAL_LOOP_S: u32 = 1;

/// One finding for a file: all that is wrong with its options.
fn one(sbd: &File<Sbd>, wrong: &[String]) -> Option<Finding> {
    let set = sbd.get("SBD_OPTS")?;
    let what = format!("SBD_OPTS is {:?}: {}", set.value, wrong.join("; "));
    let cure = format!("take it out of SBD_OPTS in {} on each node, then {RESTART}", on_a_node(sbd));
    (!wrong.is_empty()).then(|| Finding::new(&set.place, what, cure))
}

/// Options with which a lost node is reset late, or never; and those with which sbd does not start.
pub(super) fn effect(facts: &Facts) -> Outcome {
    let nodes = facts.cib.as_ref().ok().map(|file| &file.content.nodes);
    // pcs names the node in each node's file. Without a CIB nobody knows the others.
    let is_foreign = |name: &str| nodes.is_some_and(|all| all.iter().all(|node| node.name != name));
    each(facts, |sbd| {
        let options = sbd.content.options();
        let mut wrong: Vec<String> =
            options.faults.iter().map(|fault| format!("{fault}: sbd does not start")).collect();
        wrong.extend(dangers(options));
        if let Some(name) = options.value('n').filter(|name| is_foreign(name)) {
            wrong.push(format!("with -n sbd watches the node {name}, which the cluster does not have"));
        }
        one(sbd, &wrong)
    })
}

fn dangers(options: &Options) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |is: bool, text: String| wrong.extend(is.then_some(text));
    say(
        options.has('T'),
        "with -T sbd does not set the watchdog's time: it bites after the device's own, 60 s with softdog"
            .to_owned(),
    );
    say(options.count('Z') == 1, "with -Z sbd crashes the kernel in place of a reset".to_owned());
    say(options.count('Z') > 1, "with -Z twice sbd disarms the watchdog and resets nothing".to_owned());
    say(
        options.has('c') && options.count('c').is_multiple_of(2),
        "with -c twice sbd does not watch corosync's quorum".to_owned(),
    );
    let (io_s, loop_s) =
        (options.number('I').unwrap_or(USUAL_IO_S), options.number('3').unwrap_or(USUAL_LOOP_S));
    let usual_s = USUAL_IO_S + USUAL_LOOP_S;
    let silent_s = io_s.saturating_add(loop_s);
    say(
        silent_s > usual_s,
        format!(
            "with -I {io_s} and -3 {loop_s} a daemon that hangs is noticed after {silent_s} s, not {usual_s}"
        ),
    );
    say(
        loop_s == 0 || silent_s < USUAL_IO_S,
        format!("with -I {io_s} and -3 {loop_s} sbd ends, or takes healthy daemons for silent ones"),
    );
    wrong
}

/// Options with which a healthy node is reset.
pub(super) fn healthy(facts: &Facts) -> Outcome {
    each(facts, |sbd| {
        let options = sbd.content.options();
        let watchdog_s = super::facts::watchdog_s(sbd).value;
        let mut wrong = Vec::new();
        if options.has('R') {
            wrong.push("with -R sbd has no real-time priority: a busy node is reset".to_owned());
        }
        if let Some(pause_s) = options.number('t').filter(|s| *s > 0 && *s >= watchdog_s) {
            wrong.push(format!(
                "with -t {pause_s} a part of sbd that ended soon after its start is away for longer than the watchdog's {watchdog_s} s"
            ));
        }
        one(sbd, &wrong)
    })
}

/// What systemd starts is what the rules about sbd's file count with.
pub(super) fn unit(facts: &Facts) -> Outcome {
    let unit = facts.node.sbd_unit.as_ref()?;
    let cure =
        "systemctl cat sbd shows the drop-ins: systemctl revert sbd, and what is wanted in /etc/default/sbd";
    let mut found = Vec::new();
    let mut say = |what: String| found.push(Finding::new(&Place::of(SBD_UNIT), what, cure));
    if !unit.starts_as_usual() {
        say(format!("systemd starts {:?}, not sbd $SBD_OPTS -p … watch", unit.command));
    }
    let others: Vec<&str> =
        unit.files.iter().map(String::as_str).filter(|file| !PATHS.contains(file)).collect();
    if !others.is_empty() {
        say(format!("sbd's variables come from {} too", others.join(", ")));
    }
    if unit.files.len() == others.len() {
        say(format!("sbd reads no {}", PATHS.join(" or ")));
    }
    Ok(found)
}
