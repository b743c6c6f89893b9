//! sbd, and who else may have the watchdog.

use super::facts::{At, Facts, File, Known, Place, Unknown, WATCHDOG};
use super::rule::{Finding, Outcome};
use crate::cluster::sbd::{Sbd, is_yes};
use crate::cluster::timing::twice_the_watchdog_s;

/// What each node's sbd breaks.
pub(super) fn each(facts: &Facts, check: impl Fn(&File<Sbd>) -> Option<Finding>) -> Outcome {
    Ok(facts.sbd.as_ref()?.iter().filter_map(check).collect())
}

/// sbd and corosync read their configuration at their start.
pub(super) const RESTART: &str = "pcs cluster stop --all && pcs cluster start --all";
/// The command that sets a variable and leaves all else alone: of several assignments the last one counts, and an option of SBD_OPTS
/// before all of them. Not `pcs stonith sbd enable`: that writes the file anew with what it is given, and deletes
/// stonith-watchdog-timeout in the cluster that runs.
pub(super) fn assign(sbd: &File<Sbd>, name: &str, value: &str) -> String {
    let file = on_a_node(sbd);
    match sbd.content.get(name).and_then(|set| set.option) {
        None => format!("echo {name}={value} >>{file} on each node, then {RESTART}"),
        Some(letter) => format!(
            "take -{letter} out of SBD_OPTS, and write {name}={value}, in {file} on each node, then {RESTART}"
        ),
    }
}

/// A variable as a finding names it, with the option that sets it in its place.
fn named(sbd: &File<Sbd>, name: &str) -> String {
    match sbd.content.get(name).and_then(|set| set.option) {
        None => name.to_owned(),
        Some(letter) => format!("{name} (by -{letter} in SBD_OPTS)"),
    }
}

/// Where a node has the file: what was given may be a copy.
pub(super) fn on_a_node(sbd: &File<Sbd>) -> &str {
    if sbd.name.starts_with("/etc/") { &sbd.name } else { "/etc/default/sbd" }
}

pub(super) fn same(facts: &Facts) -> Outcome {
    let all = facts.watchdogs_s()?;
    let files = facts.sbd.as_ref()?;
    let ([first, others @ ..], [_, files @ ..]) = (all.as_slice(), files.as_slice()) else {
        return Ok(Vec::new());
    };
    if others.is_empty() {
        return Err(Unknown(
            "the file of one node alone is known: --sbd once more for each of the others".to_owned(),
        ));
    }
    let longest = all.iter().map(|w| w.value).max().unwrap_or_default();
    let differs = others.iter().zip(files).filter(|(w, _)| w.value != first.value).map(|(other, file)| {
        Finding::new(
            &other.place,
            format!(
                "{} is {} here and {} in {}",
                named(file, WATCHDOG),
                other.value,
                first.value,
                first.place.file
            ),
            assign(file, WATCHDOG, &longest.to_string()),
        )
    });
    Ok(differs.collect())
}

pub(super) fn enabled(facts: &Facts) -> Outcome {
    Ok(match facts.node.sbd_enabled.as_ref()? {
        true => Vec::new(),
        false => vec![Finding::new(
            &Place::of("systemctl is-enabled sbd"),
            "sbd is not enabled",
            format!("systemctl enable sbd on each node, then {RESTART}"),
        )],
    })
}

pub(super) fn pacemaker(facts: &Facts) -> Outcome {
    each(facts, |sbd| {
        // sbd's own is yes.
        let set = sbd.get("SBD_PACEMAKER").filter(|set| !is_yes(&set.value))?;
        let what = format!("{} is {:?}", named(sbd, "SBD_PACEMAKER"), set.value);
        Some(Finding::new(&set.place, what, assign(sbd, "SBD_PACEMAKER", "yes")))
    })
}

pub(super) fn used(facts: &Facts) -> Outcome {
    each(facts, |sbd| {
        let dev = "SBD_WATCHDOG_DEV";
        let is_none = |value: &str| matches!(value, "/dev/null" | "none" | "nowatchdog");
        if let Some(set) = sbd.get(dev).filter(|set| is_none(&set.value)) {
            let what = format!("{} is {:?}: no watchdog", named(sbd, dev), set.value);
            return Some(Finding::new(&set.place, what, assign(sbd, dev, "/dev/watchdog")));
        }
        if let Some(set) = sbd.get(WATCHDOG).filter(|set| set.value.parse() == Ok(0_u32)) {
            let what = format!("{} is 0: no watchdog", named(sbd, WATCHDOG));
            return Some(Finding::new(&set.place, what, assign(sbd, WATCHDOG, "5")));
        }
        // -W once turns it on, twice off.
        let set = sbd.get("SBD_WATCHDOG").filter(|set| !is_yes(&set.value))?;
        let what = format!("{} is {:?}: no watchdog", named(sbd, "SBD_WATCHDOG"), set.value);
        Some(Finding::new(&set.place, what, assign(sbd, "SBD_WATCHDOG", "yes")))
    })
}

const SYNC: &str = "SBD_SYNC_RESOURCE_STARTUP";

pub(super) fn startup_sync(facts: &Facts) -> Outcome {
    let mut found = Vec::new();
    for (index, sbd) in facts.sbd.as_ref()?.iter().enumerate() {
        let cure = assign(sbd, SYNC, "yes");
        // What sbd's unit sets is sbd's alone; Pacemaker reads the same file.
        match sbd.get(SYNC).filter(|set| set.place.line.is_some()) {
            Some(set) if is_yes(&set.value) => {}
            Some(set) => found.push(Finding::new(&set.place, format!("{SYNC} is {:?}", set.value), cure)),
            // Of another node only the file is known.
            None if index > 0 => {}
            None => match facts.node.startup_sync.as_ref()? {
                Some(value) if is_yes(value) => {}
                Some(value) => {
                    let what = format!("{SYNC} is {value:?} in Pacemaker's environment");
                    found.push(Finding::new(&Place::of(&sbd.name), what, cure));
                }
                None => {
                    let what = format!("{SYNC} is not set, and Pacemaker's own is no");
                    found.push(Finding::new(&Place::of(&sbd.name), what, cure));
                }
            },
        }
    }
    Ok(found)
}

/// How long sbd waits before it starts, in seconds.
fn delay_s(sbd: &File<Sbd>) -> Option<At<u32>> {
    let set = sbd.get("SBD_DELAY_START")?;
    let value = match set.value.parse() {
        Ok(seconds) => seconds,
        // Without disks: twice the watchdog timeout.
        Err(_) if is_yes(&set.value) => twice_the_watchdog_s(super::facts::watchdog_s(sbd).value),
        Err(_) => 0,
    };
    Some(At { value, place: set.place })
}

fn needed_s(facts: &Facts) -> Known<u32> {
    let recovery_ms = facts.corosync.as_ref()?.totem().recovery_ms();
    Ok(recovery_ms.div_ceil(1000).saturating_add(facts.stonith_watchdog_s()?.value))
}

pub(super) fn delay_start(facts: &Facts) -> Outcome {
    // Who is started by hand comes back late enough.
    if facts.node.at_boot.as_ref().is_ok_and(|all| !all.iter().any(|s| s.enabled && s.name == "pacemaker")) {
        return Ok(Vec::new());
    }
    let needed = needed_s(facts)?;
    let mut found = Vec::new();
    for sbd in facts.sbd.as_ref()? {
        let delay = delay_s(sbd).unwrap_or(At { value: 0, place: Place::of(&sbd.name) });
        if delay.value > needed {
            continue;
        }
        // A virtual machine is back within a second or two: who does not know counts as that.
        let reboot = facts.surroundings.reboot_s.as_ref().ok().copied();
        if reboot.unwrap_or(0).saturating_add(delay.value) <= needed {
            let takes = reboot.map_or("a fast reboot none (--reboot-s tells how long)".to_owned(), |s| {
                format!("a reboot takes {s} s")
            });
            let what = format!(
                "SBD_DELAY_START is {} s and {takes}: the node is back before the {needed} s in which the others count it as reset",
                delay.value
            );
            let cure = assign(sbd, "SBD_DELAY_START", &needed.saturating_add(1).to_string());
            found.push(Finding::new(&delay.place, what, cure));
        }
    }
    Ok(found)
}

pub(super) fn timeout_action(facts: &Facts) -> Outcome {
    each(facts, |sbd| {
        let name = "SBD_TIMEOUT_ACTION";
        let set = sbd.get(name);
        let good = |value: &str| {
            let words: Vec<&str> = value.split(',').map(str::trim).collect();
            words.contains(&"noflush") && words.contains(&"reboot")
        };
        let (what, place) = match set {
            Some(set) if good(&set.value) => return None,
            Some(set) => (format!("{} is {:?}", named(sbd, name), set.value), set.place),
            None => (format!("{name} is not set, and flush,reboot by itself"), Place::of(&sbd.name)),
        };
        Some(Finding::new(&place, what, assign(sbd, name, "noflush,reboot")))
    })
}

pub(super) fn device(facts: &Facts) -> Outcome {
    each(facts, |sbd| {
        let device = sbd.get("SBD_DEVICE")?;
        if sbd.content.options().has('z') {
            return None;
        }
        let what = format!("{} is {:?}, and SBD_OPTS has no -z", named(sbd, "SBD_DEVICE"), device.value);
        Some(Finding::new(
            &device.place,
            what,
            format!(
                "add -z to SBD_OPTS in {} on each node, or take the disk out; then {RESTART}",
                on_a_node(sbd)
            ),
        ))
    })
}

pub(super) fn systemd(facts: &Facts) -> Outcome {
    let value = facts.node.systemd_watchdog.as_ref()?;
    if matches!(value.as_str(), "0" | "infinity" | "") {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new(
        &Place::of("systemctl show --property=RuntimeWatchdogUSec"),
        format!("systemd has a watchdog open: RuntimeWatchdogSec is {value}"),
        "RuntimeWatchdogSec=off in /etc/systemd/system.conf, then systemctl daemon-reexec",
    )])
}

pub(super) fn corosync(facts: &Facts) -> Outcome {
    let device = facts.corosync.as_ref()?.watchdog_device.as_ref();
    let found = device.map(|device| {
        Finding::new(
            &device.place,
            format!("corosync has the watchdog open, {}", device.value),
            format!("resources {{ watchdog_device: off }} in /etc/corosync/corosync.conf, pcs cluster sync, then {RESTART}"),
        )
    });
    Ok(found.into_iter().collect())
}
