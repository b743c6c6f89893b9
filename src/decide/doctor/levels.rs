//! The time that Pacemaker gives a fencing topology, and what its last level, the watchdog's, is left of it.
//!
//! The originator's `get_op_total_timeout()` adds up the timeouts of all devices that a node has told it of. The watchdog's
//! device is told of by the target alone: where that is gone, Pacemaker before 2.1.6 leaves its time out.

use super::facts::{At, Facts, File, Place};
use super::rule::{Finding, Outcome};
use crate::cluster::cib::{Cib, Level, Primitive, milliseconds};
use crate::cluster::timing::{
    DEFAULT_FENCING_S, DEFAULT_NOTICE_WAIT_S, fencing_total_s, least_fencing_timeout_s, notice_wait_s,
};

/// The first that counts stonith-watchdog-timeout where the target is gone.
const COUNTS_THE_WATCHDOG: (u32, u32, u32) = (2, 1, 6);
/// The first that reads the unit of a device's timeout: before, `1m` is one second.
const READS_UNITS: (u32, u32, u32) = (2, 1, 8);
const WATCHDOG: &str = "stonith:fence_watchdog";
const FENCE_QUORATE: &str = "stonith:fence_quorate";
/// What Pacemaker may want of a device. Each has a timeout of its own, and a node may be fenced by either.
const ACTIONS: [&str; 2] = ["reboot", "off"];

/// A device of a level before the watchdog's, and its times for one action.
struct Device<'a> {
    primitive: &'a Primitive,
    /// What Pacemaker gives it.
    timeout_s: u32,
    /// What it needs to fail at most.
    fails_s: u32,
}

/// How Pacemaker reads a device's timeout.
#[derive(Clone, Copy)]
enum Units {
    Read,
    Ignored,
}

impl Units {
    /// 0, and what is no time, are as if nothing were set.
    fn seconds(self, text: &str) -> Option<u32> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let seconds = match self {
            Self::Read => milliseconds(text).and_then(|ms| u32::try_from(ms / 1000).ok()),
            Self::Ignored => text[..digits].parse().ok(),
        };
        seconds.filter(|s| *s > 0)
    }
}

/// How long fence_quorate takes to fail where nobody cuts it off.
fn notice_fails_s(primitive: &Primitive) -> u32 {
    let wait = primitive.parameters.get("wait").and_then(|v| v.trim().parse().ok());
    notice_wait_s(wait.unwrap_or(DEFAULT_NOTICE_WAIT_S))
}

impl<'a> Device<'a> {
    fn of(primitive: &'a Primitive, action: &str, own_s: u32, units: Units) -> Self {
        let set = |name: &str| primitive.parameters.get(name);
        let timeout_s =
            set(&format!("pcmk_{action}_timeout")).and_then(|v| units.seconds(v)).unwrap_or(own_s);
        let fails_s = if primitive.agent == FENCE_QUORATE {
            notice_fails_s(primitive).min(timeout_s)
        } else {
            // One that hangs, as a switch that went down with the node's data centre may, is killed at its timeout.
            let delays =
                ["pcmk_delay_base", "pcmk_delay_max"].map(|name| set(name).map_or(0, |v| delay_s(v)));
            timeout_s.saturating_add(delays.into_iter().max().unwrap_or_default())
        };
        Self { primitive, timeout_s, fails_s }
    }
}

/// The longest of a delay, which may be one for each node (`srv1:5s;srv2:0`).
pub(super) fn delay_s(text: &str) -> u32 {
    let words = text.split([';', ' ', '\t']).map(|word| word.rsplit(':').next().unwrap_or_default());
    let longest = words.filter_map(milliseconds).max().unwrap_or_default();
    u32::try_from(longest / 1000).unwrap_or_default()
}

/// A fencing topology that ends with the watchdog: whom it fences, and the devices of the levels before.
struct Watched<'a> {
    /// Nodes with the same devices, whose fencing takes the same time.
    targets: Vec<&'a str>,
    devices: Vec<&'a Primitive>,
}

fn watched(cib: &Cib) -> Vec<Watched<'_>> {
    let device = |id: &String| cib.primitives.iter().find(|p| p.id == *id);
    let mut found: Vec<Watched<'_>> = Vec::new();
    for target in cib.levels.iter().map(|level| level.target.as_str()) {
        if found.iter().any(|known| known.targets.contains(&target)) {
            continue;
        }
        let mut levels: Vec<&Level> = cib.levels.iter().filter(|level| level.target == target).collect();
        levels.sort_by_key(|level| level.index);
        let Some((last, before)) = levels.split_last() else { continue };
        if !last.devices.iter().filter_map(device).any(|d| d.agent == WATCHDOG) {
            continue;
        }
        let before = before.iter().flat_map(|level| &level.devices).filter_map(device);
        let devices: Vec<&Primitive> = before.filter(|d| d.agent != WATCHDOG).collect();
        match found.iter_mut().find(|known| known.devices == devices) {
            Some(known) => known.targets.push(target),
            None => found.push(Watched { targets: vec![target], devices }),
        }
    }
    found
}

pub(super) fn time(facts: &Facts) -> Outcome {
    let cib = facts.cib.as_ref()?;
    let own = own_s(cib);
    let release = facts.pacemaker_release().map(|release| release.value);
    let units = if release.as_ref().is_ok_and(|r| *r >= READS_UNITS) { Units::Read } else { Units::Ignored };
    let mut findings = Vec::new();
    let mut unknown = None;
    for Watched { targets, devices } in watched(&cib.content) {
        let watchdog = facts.stonith_watchdog_s()?.value;
        let targets = targets.join(", ");
        let all = ACTIONS.map(|action| -> Vec<Device<'_>> {
            devices.iter().map(|p| Device::of(p, action, own.value, units)).collect()
        });
        if let Some(devices) = all.iter().find(|devices| fails_s(devices) >= fencing_total_s(own.value)) {
            findings.push(skipped(cib, &targets, devices, own.value));
        }
        let [reboot, off] = &all;
        let missing = |devices: &[Device<'_>]| missing_s(devices, own.value, watchdog);
        let worst = if missing(off) > missing(reboot) { off } else { reboot };
        if missing(worst) == 0 {
            continue;
        }
        match &release {
            Ok(release) if *release >= COUNTS_THE_WATCHDOG => {}
            Ok(_) => findings.push(too_short(cib, &targets, worst, &own, watchdog)),
            Err(why) => unknown = Some(why.clone()),
        }
    }
    match unknown {
        Some(why) if findings.is_empty() => Err(why),
        Some(_) | None => Ok(findings),
    }
}

/// What a device is given that has no timeout of its own.
fn own_s(cib: &File<Cib>) -> At<u32> {
    let set = cib.property("stonith-timeout");
    let read = |set: At<String>| {
        let seconds = u32::try_from(milliseconds(&set.value)? / 1000).ok().filter(|s| *s > 0)?;
        Some(At { value: seconds, place: set.place })
    };
    set.and_then(read).unwrap_or(At { value: DEFAULT_FENCING_S, place: Place::of(&cib.name) })
}

fn fails_s(devices: &[Device<'_>]) -> u32 {
    devices.iter().fold(0, |sum, d| sum.saturating_add(d.fails_s))
}

/// What all levels are given where the target is gone.
fn given_s(devices: &[Device<'_>], own_s: u32) -> u32 {
    let sum = devices.iter().fold(0, |sum: u32, d| sum.saturating_add(d.timeout_s));
    fencing_total_s(if sum == 0 { own_s } else { sum })
}

/// How many seconds the watchdog's level lacks.
fn missing_s(devices: &[Device<'_>], own_s: u32, watchdog_s: u32) -> u32 {
    fails_s(devices).saturating_add(watchdog_s).saturating_sub(given_s(devices, own_s))
}

fn named(devices: &[Device<'_>], seconds: impl Fn(&Device<'_>) -> u32) -> String {
    let each: Vec<_> = devices.iter().map(|d| format!("{} {} s", d.primitive.id, seconds(d))).collect();
    each.join(" + ")
}

fn too_short(
    cib: &File<Cib>,
    targets: &str,
    devices: &[Device<'_>],
    own: &At<u32>,
    watchdog_s: u32,
) -> Finding {
    let given = given_s(devices, own.value);
    let needs = fails_s(devices).saturating_add(watchdog_s);
    // The one whose longer timeout does not make it fail later.
    let Some(device) = devices.iter().find(|d| d.primitive.agent == FENCE_QUORATE).or(devices.first()) else {
        let what = format!(
            "the fencing of {targets} is given {given} s (1.2 x stonith-timeout {} s), stonith-watchdog-timeout is {watchdog_s} s",
            own.value
        );
        let least = least_fencing_timeout_s(needs, 0);
        return Finding::new(&own.place, what, format!("pcs property set stonith-timeout={least}s"));
    };
    let what = format!(
        "the fencing of {targets} is given {given} s (1.2 x ({})), and needs {needs}: {} until they have failed, and stonith-watchdog-timeout {watchdog_s} s",
        named(devices, |d| d.timeout_s),
        named(devices, |d| d.fails_s)
    );
    let seconds = if device.primitive.agent == FENCE_QUORATE {
        let others = devices.iter().fold(0, |sum: u32, d| sum.saturating_add(d.timeout_s)) - device.timeout_s;
        let cut_off = notice_fails_s(device.primitive) - device.fails_s;
        least_fencing_timeout_s(needs.saturating_add(cut_off), others)
    } else {
        // It may need the second more that it is given itself: a fifth of one is won.
        device.timeout_s.saturating_add((needs - given).saturating_mul(5)).saturating_add(5)
    };
    let (id, seconds) = (&device.primitive.id, seconds.max(own.value));
    let cure = format!("pcs stonith update {id} pcmk_reboot_timeout={seconds} pcmk_off_timeout={seconds}");
    Finding::new(&Place::line(&cib.name, device.primitive.line), what, cure)
}

/// Once its question who can fence the node has timed out, Pacemaker takes a level that nobody has told of, as the watchdog's
/// where the node is gone, for one that nobody can do: it fails instead of waiting.
fn skipped(cib: &File<Cib>, targets: &str, devices: &[Device<'_>], own_s: u32) -> Finding {
    let limit = fencing_total_s(own_s);
    let what = format!(
        "the fencing of {targets} may take {} until the watchdog's level, and after {limit} s (1.2 x stonith-timeout {own_s} s) Pacemaker does not wait for the watchdog any more",
        named(devices, |d| d.fails_s)
    );
    let switches: Vec<&Device<'_>> = devices.iter().filter(|d| d.primitive.agent != FENCE_QUORATE).collect();
    let place = switches.first().map_or(Place::of(&cib.name), |d| Place::line(&cib.name, d.primitive.line));
    let first = fails_s(devices) - switches.iter().fold(0, |sum: u32, d| sum.saturating_add(d.fails_s));
    let left = limit.saturating_sub(first).saturating_sub(1);
    let cure = match u32::try_from(switches.len()).ok().and_then(|count| left.checked_div(count)) {
        None | Some(0) => {
            let least = least_fencing_timeout_s(fails_s(devices).saturating_add(1), 0).max(DEFAULT_FENCING_S);
            format!("pcs property set stonith-timeout={least}s")
        }
        Some(share) => {
            let commands = switches.iter().map(|d| {
                let id = &d.primitive.id;
                format!("pcs stonith update {id} pcmk_reboot_timeout={share} pcmk_off_timeout={share}")
            });
            commands.collect::<Vec<_>>().join(" && ")
        }
    };
    Finding::new(&place, what, cure)
}
