//! Cluster properties about fencing and quorum.

use super::facts::{Facts, File, Place, Unknown};
use super::rule::{Finding, Outcome};
use crate::cluster::cib::{Cib, boolean, milliseconds};
use crate::cluster::timing::{NoQuorumPolicy, least_stonith_watchdog_s, twice_the_watchdog_s};

/// Its concurrent-fencing is true by itself.
const FENCES_CONCURRENTLY: (u32, u32) = (3, 0);

/// A property that has to be true. `own`: Pacemaker's value where it is not set.
fn wants_true(facts: &Facts, name: &str, own: bool) -> Outcome {
    let cib = facts.cib.as_ref()?;
    let set = cib.property(name);
    let (value, place) = match &set {
        Some(set) => (boolean(&set.value), set.place.clone()),
        None => (Some(own), Place::of(&cib.name)),
    };
    if value == Some(true) {
        return Ok(Vec::new());
    }
    let what = match set {
        Some(set) => format!("{name} is {:?}", set.value),
        None => format!("{name} is not set, and false by itself"),
    };
    Ok(vec![Finding::new(&place, what, format!("pcs property set {name}=true"))])
}

pub(super) fn stonith_enabled(facts: &Facts) -> Outcome {
    wants_true(facts, "stonith-enabled", true)
}

pub(super) fn startup_fencing(facts: &Facts) -> Outcome {
    wants_true(facts, "startup-fencing", true)
}

pub(super) fn concurrent_fencing(facts: &Facts) -> Outcome {
    let own = facts.pacemaker_version().is_ok_and(|v| v.value >= FENCES_CONCURRENTLY);
    wants_true(facts, "concurrent-fencing", own)
}

pub(super) fn no_quorum_ignore(facts: &Facts) -> Outcome {
    let cib = facts.cib.as_ref()?;
    match cib.property("no-quorum-policy") {
        Some(set) if set.value == NoQuorumPolicy::Ignore.word() => Ok(vec![Finding::new(
            &set.place,
            "no-quorum-policy is ignore",
            "pcs property set no-quorum-policy=suicide",
        )]),
        _ => Ok(Vec::new()),
    }
}

/// Whether sbd uses shared disks; where nothing is known of sbd, it does not.
fn has_disks(facts: &Facts) -> bool {
    facts.sbd.as_ref().is_ok_and(|all| all.iter().any(|sbd| sbd.get("SBD_DEVICE").is_some()))
}

/// Fence agents that switch nothing off: they go with the watchdog.
const NO_SWITCHES: [&str; 2] = ["stonith:fence_quorate", "stonith:fence_watchdog"];

/// Whether the fencing is none by a watchdog alone: sbd has disks, or there are power switches and nothing is known of an sbd.
fn is_otherwise(facts: &Facts, cib: &File<Cib>) -> bool {
    let mut agents = cib.content.primitives.iter().map(|p| p.agent.as_str());
    let switches = agents.any(|agent| agent.starts_with("stonith:") && !NO_SWITCHES.contains(&agent));
    let watchdog = cib.property("have-watchdog").is_some_and(|set| boolean(&set.value) == Some(true));
    has_disks(facts) || (switches && !watchdog && facts.sbd.is_err())
}

pub(super) fn no_quorum_policy(facts: &Facts) -> Outcome {
    let cib = facts.cib.as_ref()?;
    if is_otherwise(facts, cib) {
        return Ok(Vec::new());
    }
    let set = cib.property("no-quorum-policy");
    let policy = match &set {
        None => Some(NoQuorumPolicy::Stop),
        Some(set) => NoQuorumPolicy::parse(&set.value),
    };
    let good = match policy {
        // The other one has a rule of its own.
        Some(NoQuorumPolicy::Suicide | NoQuorumPolicy::Fence | NoQuorumPolicy::Ignore) => true,
        Some(NoQuorumPolicy::Stop | NoQuorumPolicy::Freeze | NoQuorumPolicy::Demote) | None => false,
    };
    if good {
        return Ok(Vec::new());
    }
    let (what, place) = match set {
        Some(set) => (format!("no-quorum-policy is {:?}", set.value), set.place),
        None => ("no-quorum-policy is not set, and stop by itself".to_owned(), Place::of(&cib.name)),
    };
    Ok(vec![Finding::new(&place, what, "pcs property set no-quorum-policy=suicide")])
}

pub(super) fn watchdog_timeout_set(facts: &Facts) -> Outcome {
    let cib = facts.cib.as_ref()?;
    if is_otherwise(facts, cib) {
        return Ok(Vec::new());
    }
    let (what, place) = match cib.property("stonith-watchdog-timeout") {
        Some(set) => match milliseconds(&set.value) {
            Some(ms) if ms > 0 => return Ok(Vec::new()),
            Some(0) => ("stonith-watchdog-timeout is 0: nobody is counted as reset".to_owned(), set.place),
            Some(_) => (
                format!("stonith-watchdog-timeout is {}: computed from the local watchdog", set.value),
                set.place,
            ),
            None => (format!("stonith-watchdog-timeout {:?} is no time", set.value), set.place),
        },
        None => ("stonith-watchdog-timeout is not set".to_owned(), Place::of(&cib.name)),
    };
    let cure = match least(facts) {
        Ok(least) => format!("pcs property set stonith-watchdog-timeout={least}"),
        Err(_) => "pcs property set stonith-watchdog-timeout=…; quorate timing computes it".to_owned(),
    };
    Ok(vec![Finding::new(&place, what, cure)])
}

/// The least stonith-watchdog-timeout of this cluster.
fn least(facts: &Facts) -> Result<u32, Unknown> {
    let sync = facts.corosync.as_ref()?.device.as_ref().map(|d| d.sync_timeout.value);
    let watchdog = facts.watchdog_s()?.value;
    match facts.no_quorum_policy()? {
        NoQuorumPolicy::Ignore => Err(Unknown(
            "with no-quorum-policy ignore a lost node never resets itself: no time is enough".to_owned(),
        )),
        policy => Ok(least_stonith_watchdog_s(sync, watchdog, policy).max(twice_the_watchdog_s(watchdog))),
    }
}

pub(super) fn watchdog_timeout_bound(facts: &Facts) -> Outcome {
    let set = facts.stonith_watchdog_s()?;
    let sync = facts.corosync.as_ref()?.device.as_ref().map(|d| d.sync_timeout.value);
    let watchdog = facts.watchdog_s()?.value;
    let policy = facts.no_quorum_policy()?;
    let cure = format!("pcs property set stonith-watchdog-timeout={}", least(facts)?);
    let bound = least_stonith_watchdog_s(sync, watchdog, policy);
    if set.value >= bound {
        return Ok(Vec::new());
    }
    let sync = sync.map_or("no quorum device".to_owned(), |ms| format!("sync_timeout {ms} ms"));
    let what = format!(
        "stonith-watchdog-timeout is {} s; with {sync}, a watchdog of {watchdog} s and no-quorum-policy {} at least {bound}",
        set.value,
        policy.word()
    );
    Ok(vec![Finding::new(&set.place, what, cure)])
}

pub(super) fn watchdog_timeout_twice(facts: &Facts) -> Outcome {
    let (set, watchdog) = (facts.stonith_watchdog_s()?, facts.watchdog_s()?.value);
    if set.value >= twice_the_watchdog_s(watchdog) {
        return Ok(Vec::new());
    }
    let what = format!("stonith-watchdog-timeout is {} s, sbd's watchdog timeout {watchdog} s", set.value);
    let seconds = least(facts).unwrap_or(twice_the_watchdog_s(watchdog));
    Ok(vec![Finding::new(&set.place, what, format!("pcs property set stonith-watchdog-timeout={seconds}"))])
}
