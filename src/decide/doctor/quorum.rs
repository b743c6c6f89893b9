//! Quorum: whether there is one, and what it takes to lose it.

use super::facts::{Corosync, Facts, Place};
use super::rule::{Finding, Outcome};
use crate::cluster::corosync::key::Source;

const VOTEQUORUM: &str = "corosync_votequorum";
/// What the cures that can't be typed end with.
const SYNC: &str = "in /etc/corosync/corosync.conf, pcs cluster sync, then pcs cluster stop --all && pcs cluster start --all";

pub(super) fn provider(facts: &Facts) -> Outcome {
    let corosync = facts.corosync.as_ref()?;
    let (at, what) = match &corosync.provider {
        Some(set) if set.value == VOTEQUORUM => return Ok(Vec::new()),
        Some(set) => (set.place.clone(), format!("quorum.provider is {}", set.value)),
        None => (Place::of(&corosync.file), "there is no quorum.provider: nobody counts votes".to_owned()),
    };
    Ok(vec![Finding::new(&at, what, format!("provider: {VOTEQUORUM} in the section quorum {SYNC}"))])
}

/// Where the node count is even a third vote decides; sbd's disks do so for two nodes.
pub(super) fn even(facts: &Facts) -> Outcome {
    let corosync = facts.corosync.as_ref()?;
    let nodes = corosync.node_count();
    if nodes % 2 != 0 || corosync.device.is_some() {
        return Ok(Vec::new());
    }
    let on = |name: &str| corosync.switches.iter().find(|s| s.value == name);
    let cure = "pcs quorum device add model net host=WITNESS algorithm=ffsplit (before: pcs qdevice setup model net --enable --start there)";
    let (at, what) = match (on("two_node"), on("auto_tie_breaker")) {
        (Some(two), _) => {
            // sbd's disks, or power switches, decide there who goes on.
            let sbd = facts.sbd.as_ref();
            let diskless = sbd.is_ok_and(|all| all.iter().all(|sbd| sbd.get("SBD_DEVICE").is_none()));
            let by_watchdog = facts.cib.as_ref().is_ok_and(|cib| {
                cib.property("stonith-watchdog-timeout")
                    .is_some_and(|p| !matches!(p.value.as_str(), "0" | "0s"))
            });
            match (sbd, &facts.cib) {
                _ if diskless || by_watchdog => {}
                (Ok(_), _) | (_, Ok(_)) => return Ok(Vec::new()),
                (Err(why), Err(_)) => return Err(why.into()),
            }
            let what = "two_node without a quorum device, and fencing by the watchdog: cut off from each other both nodes keep quorum, and neither resets itself";
            (two.place.clone(), what.to_owned())
        }
        (None, Some(breaker)) => (
            breaker.place.clone(),
            format!(
                "{nodes} nodes and no quorum device: with auto_tie_breaker the loss of the half with the lowest id ends the service"
            ),
        ),
        (None, None) => (
            Place::of(&corosync.file),
            format!("{nodes} nodes and no quorum device: the loss of half of them ends the service"),
        ),
    };
    Ok(vec![Finding::new(&at, what, cure)])
}

fn votes(corosync: &Corosync) -> u32 {
    let extra: i64 = corosync.node_votes.iter().map(|v| v.value.1.parse::<i64>().unwrap_or(1) - 1).sum();
    u32::try_from((i64::from(corosync.node_count()) + extra).max(0)).unwrap_or(u32::MAX)
}

pub(super) fn priority(facts: &Facts) -> Outcome {
    let set = facts.corosync.as_ref()?.scheduling.as_ref().filter(|set| set.value == "no");
    let found = set.map(|set| {
        let what = "system.sched_rr is no: corosync has no real-time priority";
        Finding::new(&set.place, what, format!("take the line sched_rr out {SYNC}"))
    });
    Ok(found.into_iter().collect())
}

pub(super) fn expected(facts: &Facts) -> Outcome {
    let corosync = facts.corosync.as_ref()?;
    if let Some(set) = corosync.downscale.as_ref().filter(|set| set.value == "1") {
        let what = "allow_downscale is on: whoever leaves in order counts no more, and a part without the majority has quorum";
        return Ok(vec![Finding::new(&set.place, what, format!("take the line allow_downscale out {SYNC}"))]);
    }
    let Some(set) = &corosync.expected_votes else { return Ok(Vec::new()) };
    let nodes = votes(corosync);
    let device =
        corosync.device.as_ref().map_or(0, |d| d.votes.as_ref().map_or(nodes.saturating_sub(1), |v| v.value));
    if set.value == nodes || set.value == nodes + device {
        return Ok(Vec::new());
    }
    let then = if set.value < nodes {
        "a part without the majority has quorum, too"
    } else {
        "quorum takes more votes than there should be"
    };
    let what = format!("expected_votes is {}, and the nodes have {nodes}: {then}", set.value);
    Ok(vec![Finding::new(&set.place, what, format!("take the line expected_votes out {SYNC}"))])
}

pub(super) fn node_votes(facts: &Facts) -> Outcome {
    let corosync = facts.corosync.as_ref()?;
    let uneven = corosync.node_votes.iter().filter(|v| v.value.1.trim() != "1");
    let found = uneven.map(|v| {
        let (name, votes) = &v.value;
        let what = format!("{name} has {votes} votes: its loss counts as several, or its presence as none");
        Finding::new(&v.place, what, format!("take the line quorum_votes out {SYNC}"))
    });
    Ok(found.collect())
}

pub(super) fn device(facts: &Facts) -> Outcome {
    let Some(device) = &facts.corosync.as_ref()?.device else { return Ok(Vec::new()) };
    let again =
        "pcs quorum device remove, then pcs quorum device add model net host=WITNESS algorithm=ffsplit";
    let mut found = Vec::new();
    match &device.model {
        Some(model) if model.value == "net" => {}
        Some(model) => found.push(Finding::new(
            &model.place,
            format!("the quorum device's model is {}: corosync-qdevice has net alone", model.value),
            again,
        )),
        None => found.push(Finding::new(
            &device.place,
            "the quorum device has no model: corosync-qdevice does not start",
            again,
        )),
    }
    if device.host.is_none() {
        found.push(Finding::new(
            &device.place,
            "the quorum device has no host: corosync-qdevice does not start",
            again,
        ));
    }
    match &device.algorithm {
        Some(set) if matches!(set.value.as_str(), "ffsplit" | "lms" | "2nodelms") => {}
        Some(set) => found.push(Finding::new(
            &set.place,
            format!("the quorum device's algorithm is {}: every part that sees the witness gets its vote, or nobody", set.value),
            "pcs quorum device update model algorithm=ffsplit",
        )),
        None => found.push(Finding::new(&device.place, "the quorum device has no algorithm", "pcs quorum device update model algorithm=ffsplit")),
    }
    Ok(found)
}

/// Authenticated and readable: what crosses the network holds the CIB, with the passwords of fence devices.
pub(super) fn cipher(facts: &Facts) -> Outcome {
    let corosync = facts.corosync.as_ref()?;
    let is_open = corosync.cipher.as_ref().filter(|c| c.value == "none");
    match (&corosync.key, is_open) {
        (Source::Off(_), _) | (_, None) => Ok(Vec::new()),
        (Source::File(_) | Source::Written(_), Some(set)) => Ok(vec![Finding::new(
            &set.place,
            "totem.crypto_cipher is none: the network carries the configuration in clear",
            "pcs cluster config update crypto cipher=aes256 hash=sha256",
        )]),
    }
}
