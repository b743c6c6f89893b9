//! The device itself: which one it is, and whether it was seen to reset the node.

use super::facts::{Facts, Place, Unknown, WatchdogProof};
use super::node::span;
use super::rule::{Finding, Outcome};
use crate::cluster::timing::least_stonith_watchdog_s;
use crate::cluster::watchdog::{Device, Machine, Watchdogs};
use crate::cluster::watchdog_proof::{Outcome as Shown, used_s};

/// Where the kernel tells of a device.
fn entry(device: &Device) -> Place {
    Place::of(&format!("/sys/class/watchdog/{}", device.name))
}

/// What to type to have the drill.
const PROVE: &str = "quorate prove-watchdog, on a node in standby whose cluster is stopped";

/// sbd's device with all the others, where it is there: else another rule says so.
fn chosen(facts: &Facts) -> Result<Option<(&Watchdogs, &Device)>, &Unknown> {
    let all = facts.node.watchdogs.as_ref()?;
    Ok(all.chosen().map(|device| (all, device)))
}

pub(super) fn present(facts: &Facts) -> Outcome {
    let all = facts.node.watchdogs.as_ref()?;
    if all.chosen().is_some() {
        return Ok(Vec::new());
    }
    let others: Vec<&str> = all.others().map(|device| device.name.as_str()).collect();
    let cure = if others.is_empty() {
        "give the machine one (QEMU and libvirt: i6300esb), and load its driver at boot: echo i6300esb >/etc/modules-load.d/watchdog.conf; \
         linux-image-cloud has no drivers: linux-image-amd64"
            .to_owned()
    } else {
        format!(
            "SBD_WATCHDOG_DEV=/dev/NAME in /etc/default/sbd on this node; there are {}",
            others.join(", ")
        )
    };
    Ok(vec![Finding::new(&Place::of(&all.path), format!("there is no watchdog device {}", all.path), cure)])
}

/// Whether the drill has shown that the device resets this node; it counts for this device alone.
fn proven<'a>(facts: &'a Facts, all: &Watchdogs, device: &Device) -> Option<&'a WatchdogProof> {
    let proof = facts.node.watchdog_proof.as_ref().ok()?.as_ref()?;
    let timeout_s = facts.watchdogs_s().ok()?.first()?.value;
    let same =
        proof.record.differs(&all.path, device.identity.as_deref(), device.driver.as_deref(), timeout_s);
    (same.is_none() && matches!(proof.outcome, Shown::Bites { .. })).then_some(proof)
}

/// Intel's in a virtual machine: never seen to bite with the settings that QEMU gives it. Where a drill has failed, another rule says so.
fn is_doubtful(facts: &Facts, all: &Watchdogs, device: &Device) -> bool {
    let intels = device.is_itco() && matches!(all.machine, Machine::Virtual(_));
    intels && proven(facts, all, device).is_none() && bites(facts).is_ok_and(|failed| failed.is_empty())
}

pub(super) fn itco(facts: &Facts) -> Outcome {
    let Some((all, device)) = chosen(facts)? else { return Ok(Vec::new()) };
    if !is_doubtful(facts, all, device) {
        return Ok(Vec::new());
    }
    let what = format!("{} is {}, in a virtual machine, and was never proven", all.path, device.words());
    let cure = "give the machine an i6300esb, keep the other one away (echo blacklist iTCO_wdt >/etc/modprobe.d/watchdog.conf, update-initramfs -u), \
                reboot; or start QEMU with -global ICH9-LPC.noreboot=false, count with twice the time, and prove it";
    Ok(vec![Finding::new(&entry(device), what, cure)])
}

pub(super) fn software(facts: &Facts) -> Outcome {
    let Some((all, device)) = chosen(facts)? else { return Ok(Vec::new()) };
    if !device.is_software() {
        return Ok(Vec::new());
    }
    let better = all.others().filter(|other| !other.is_software());
    // Which of them is the lesser one is not to be found out here.
    let better = better.filter(|other| !(other.is_itco() && matches!(all.machine, Machine::Virtual(_))));
    let found = better.map(|other| {
        let what = format!("sbd has softdog ({}), and {} is {}", all.path, other.name, other.words());
        let cure = "take softdog out of /etc/modules-load.d, echo blacklist softdog >/etc/modprobe.d/watchdog.conf, reboot, and prove the other one";
        Finding::new(&entry(device), what, cure)
    });
    Ok(found.collect())
}

pub(super) fn order(facts: &Facts) -> Outcome {
    let Some((all, device)) = chosen(facts)? else { return Ok(Vec::new()) };
    if all.devices.len() < 2 || !all.path_is_a_number() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = all.devices.iter().map(|d| format!("{} {}", d.name, d.words())).collect();
    let what = format!(
        "there are {}, and SBD_WATCHDOG_DEV is {}: {}",
        names.join(" and "),
        all.path,
        device.words()
    );
    let identity = device.identity.as_deref().unwrap_or("…");
    let cure = format!(
        "keep all but one away (blacklist MODULE in /etc/modprobe.d); or give it a name: echo 'SUBSYSTEM==\"watchdog\", ATTR{{identity}}==\"{identity}\", \
         SYMLINK+=\"watchdog-sbd\"' >/etc/udev/rules.d/60-watchdog.rules, and SBD_WATCHDOG_DEV=/dev/watchdog-sbd"
    );
    Ok(vec![Finding::new(&entry(device), what, cure)])
}

pub(super) fn nowayout(facts: &Facts) -> Outcome {
    let Some((all, device)) = chosen(facts)? else { return Ok(Vec::new()) };
    if device.nowayout != Some(true) {
        return Ok(Vec::new());
    }
    let module = device.driver.as_deref().unwrap_or("its driver");
    let what = format!("{} ({}) can't be disarmed: nowayout is 1", all.path, device.words());
    let cure = format!(
        "options {module} nowayout=0 in /etc/modprobe.d/watchdog.conf, watchdog.nowayout=0 where it is the kernel's, reboot"
    );
    Ok(vec![Finding::new(&entry(device), what, cure)])
}

pub(super) fn panic(facts: &Facts) -> Outcome {
    let Some((all, device)) = chosen(facts)? else { return Ok(Vec::new()) };
    if !device.is_software() {
        return Ok(Vec::new());
    }
    match all.panic_s {
        None => Err(Unknown("kernel.panic is not known".to_owned())),
        Some(0) => Ok(vec![Finding::new(
            &Place::of("/proc/sys/kernel/panic"),
            "kernel.panic is 0, and sbd's watchdog is softdog",
            "echo kernel.panic=10 >/etc/sysctl.d/60-watchdog.conf, sysctl --system",
        )]),
        // Below zero it reboots at once.
        Some(_) => Ok(Vec::new()),
    }
}

pub(super) fn bites(facts: &Facts) -> Outcome {
    let Some(proof) = facts.node.watchdog_proof.as_ref()? else { return Ok(Vec::new()) };
    let Shown::NeverBites { .. } = proof.outcome else { return Ok(Vec::new()) };
    // Another device than the one that failed has to be known for another.
    let record = &proof.record;
    if let Ok(Some((all, device))) = chosen(facts) {
        let path = all.path.as_str();
        if record
            .differs(path, device.identity.as_deref(), device.driver.as_deref(), record.timeout_s)
            .is_some()
        {
            return Ok(Vec::new());
        }
    }
    let what = format!("{} ({}): {}", record.device, record.identity, proof.outcome.words());
    let cure = format!("use another device (quorate prove-watchdog --show names them), then {PROVE}");
    Ok(vec![Finding::new(&Place::of(&proof.file), what, cure)])
}

pub(super) fn late(facts: &Facts) -> Outcome {
    let Some((all, device)) = chosen(facts)? else { return Ok(Vec::new()) };
    let Some(proof) = proven(facts, all, device) else { return Ok(Vec::new()) };
    let Shown::Bites { most_ms, .. } = proof.outcome else { return Ok(Vec::new()) };
    let configured_s = facts.watchdog_s()?.value;
    let counted_s = used_s(configured_s, Some(most_ms));
    if counted_s == configured_s {
        return Ok(Vec::new());
    }
    let wait = facts.stonith_watchdog_s()?;
    let sync = facts.corosync.as_ref()?.device.as_ref().map(|d| d.sync_timeout.value);
    let least = least_stonith_watchdog_s(sync, counted_s, facts.no_quorum_policy()?);
    if wait.value >= least {
        return Ok(Vec::new());
    }
    let what = format!(
        "{} bites {} s after it was armed with {configured_s} s: stonith-watchdog-timeout is {} s, and would have to be {least}",
        all.path, counted_s, wait.value
    );
    let cure =
        format!("use a device that keeps its time; or pcs property set stonith-watchdog-timeout={least}");
    Ok(vec![Finding::new(&wait.place, what, cure)])
}

pub(super) fn was_proven(facts: &Facts) -> Outcome {
    let Some((all, device)) = chosen(facts)? else { return Ok(Vec::new()) };
    if is_doubtful(facts, all, device) {
        return Ok(Vec::new());
    }
    let Some(proof) = facts.node.watchdog_proof.as_ref()? else {
        let what = format!("{} was never proven to reset this node", all.path);
        return Ok(vec![Finding::new(&entry(device), what, PROVE)]);
    };
    let timeout_s = facts.watchdogs_s()?.first().map_or(0, |own| own.value);
    let differs =
        proof.record.differs(&all.path, device.identity.as_deref(), device.driver.as_deref(), timeout_s);
    let what = match (&proof.outcome, differs) {
        (_, Some(why)) => format!("the last drill does not count: {why}"),
        (Shown::Bites { .. }, None) if proof.is_old => {
            format!("the last drill is {} ago", span(proof.age_s))
        }
        (Shown::Bites { .. }, None) | (Shown::NeverBites { .. }, None) => return Ok(Vec::new()),
        (Shown::Nothing(_), None) => format!("the last drill: {}", proof.outcome.words()),
    };
    Ok(vec![Finding::new(&Place::of(&proof.file), what, PROVE)])
}

/// sbd's device and the last drill, for `quorate status`.
#[must_use]
pub fn words(facts: &Facts) -> String {
    let device = match &facts.node.watchdogs {
        Ok(all) => all.words(),
        Err(Unknown(why)) => format!("unknown: {why}"),
    };
    let drill = match &facts.node.watchdog_proof {
        Err(Unknown(why)) => format!("the last drill is not known: {why}"),
        Ok(None) => "NEVER proven".to_owned(),
        Ok(Some(proof)) => {
            let ago = span(proof.age_s);
            let doubt = match chosen(facts) {
                Ok(Some((all, device))) => {
                    let timeout_s =
                        facts.watchdogs_s().ok().and_then(|all| Some(all.first()?.value)).unwrap_or(0);
                    proof.record.differs(
                        &all.path,
                        device.identity.as_deref(),
                        device.driver.as_deref(),
                        timeout_s,
                    )
                }
                Ok(None) => Some("there is no device now".to_owned()),
                Err(_) => None,
            };
            match (&proof.outcome, doubt) {
                (_, Some(why)) => format!("NOT proven: a drill {ago} ago does not count: {why}"),
                (Shown::Bites { .. }, None) => format!("proven {ago} ago: {}", proof.outcome.words()),
                (Shown::NeverBites { .. } | Shown::Nothing(_), None) => {
                    format!("NOT proven: {ago} ago: {}", proof.outcome.words())
                }
            }
        }
    };
    format!("{device}; {drill}")
}
