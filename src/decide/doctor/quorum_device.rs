//! The quorum device. None of these rules applies where there is none.

use super::facts::{At, Device, Facts, Known};
use super::rule::{Finding, Outcome};
use crate::cluster::timing::{
    HEURISTICS_COMMAND, LEAST_HEURISTICS_MS, LEAST_QDEVICE_TIMEOUT_MS, heuristics_fit,
    longest_qdevice_timeout_ms, sync_timeout_fits,
};

/// The layouts' own: with it the shortest watchdog needs no longer stonith-watchdog-timeout than twice its time.
const GOOD_SYNC_TIMEOUT_MS: u32 = 3000;

fn device(facts: &Facts) -> Known<Option<&Device>> {
    Ok(facts.corosync.as_ref()?.device.as_ref())
}

fn algorithm<'a>(facts: &'a Facts, name: &str) -> Known<Option<&'a Device>> {
    Ok(device(facts)?.filter(|d| d.algorithm.as_ref().is_some_and(|a| a.value == name)))
}

pub(super) fn conflict(facts: &Facts) -> Outcome {
    if device(facts)?.is_none() {
        return Ok(Vec::new());
    }
    let on = |switch: &super::facts::At<String>| {
        Finding::new(
            &switch.place,
            format!("{} is on, and there is a quorum device", switch.value),
            format!(
                "take the line {} out of /etc/corosync/corosync.conf (beside a quorum device pcs refuses to), pcs cluster \
                 sync, then pcs cluster stop --all && pcs cluster start --all",
                switch.value
            ),
        )
    };
    Ok(facts.corosync.as_ref()?.switches.iter().map(on).collect())
}

pub(super) fn ffsplit(facts: &Facts) -> Outcome {
    let Some(device) = algorithm(facts, "ffsplit")? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let place = device.algorithm.as_ref().map_or(&device.place, |a| &a.place);
    match &device.votes {
        Some(votes) if votes.value == 1 => {}
        votes => found.push(Finding::new(
            votes.as_ref().map_or(&device.place, |v| &v.place),
            match votes {
                Some(votes) => format!("votes is {} with the algorithm ffsplit", votes.value),
                None => "votes is not set with the algorithm ffsplit: it counts as many as all nodes but one"
                    .to_owned(),
            },
            "pcs quorum device update model algorithm=ffsplit (pcs sets the votes with it)",
        )),
    }
    let nodes = facts.corosync.as_ref()?.node_count();
    if nodes % 2 != 0 {
        found.push(Finding::new(
            place,
            format!("ffsplit with {nodes} nodes: they can't fall into equal halves"),
            "pcs quorum device remove: an odd number of nodes needs none; or pcs quorum device update model algorithm=lms",
        ));
    }
    Ok(found)
}

pub(super) fn lms(facts: &Facts) -> Outcome {
    let Some(device) = algorithm(facts, "lms")? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if let Some(votes) = &device.votes {
        found.push(Finding::new(
            &votes.place,
            format!("votes is {} with the algorithm lms", votes.value),
            "pcs quorum device update model algorithm=lms (pcs takes the votes away with it)",
        ));
    }
    let by_node = |word: &str| word != "lowest" && word != "highest";
    if let Some(breaker) = device.tie_breaker.as_ref().filter(|b| by_node(&b.value)) {
        found.push(Finding::new(
            &breaker.place,
            format!("tie_breaker is the node {} with the algorithm lms", breaker.value),
            "pcs quorum device update model tie_breaker=lowest",
        ));
    }
    Ok(found)
}

pub(super) fn timeout(facts: &Facts) -> Outcome {
    match device(facts)? {
        Some(device) if device.timeout.value < LEAST_QDEVICE_TIMEOUT_MS => Ok(vec![Finding::new(
            &device.timeout.place,
            format!(
                "the quorum device's timeout is {} ms, below {LEAST_QDEVICE_TIMEOUT_MS}",
                device.timeout.value
            ),
            format!("pcs quorum device update timeout={LEAST_QDEVICE_TIMEOUT_MS}"),
        )]),
        _ => Ok(Vec::new()),
    }
}

pub(super) fn recovery(facts: &Facts) -> Outcome {
    let Some(device) = device(facts)? else { return Ok(Vec::new()) };
    let recovery = facts.corosync.as_ref()?.totem().recovery_ms();
    let longest = longest_qdevice_timeout_ms(recovery, device.sync_timeout.value);
    if device.timeout.value <= longest {
        return Ok(Vec::new());
    }
    let cure = if longest < LEAST_QDEVICE_TIMEOUT_MS {
        "lengthen the token: pcs cluster config update totem token=1000".to_owned()
    } else {
        format!("pcs quorum device update timeout={longest}")
    };
    Ok(vec![Finding::new(
        &device.timeout.place,
        format!(
            "the quorum device's timeout is {} ms; with {recovery} ms of recovery and a sync_timeout of {} ms at most {longest}",
            device.timeout.value, device.sync_timeout.value
        ),
        cure,
    )])
}

pub(super) fn sync_timeout(facts: &Facts) -> Outcome {
    let Some(device) = device(facts)? else { return Ok(Vec::new()) };
    let shortest = facts.watchdogs_s()?.into_iter().map(|w| w.value).min().unwrap_or_default();
    if sync_timeout_fits(device.sync_timeout.value, shortest) {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new(
        &device.sync_timeout.place,
        format!("sync_timeout is {} ms, sbd's watchdog timeout {shortest} s", device.sync_timeout.value),
        format!(
            "pcs quorum device update sync_timeout={}",
            shortest.saturating_mul(1000).min(GOOD_SYNC_TIMEOUT_MS)
        ),
    )])
}

pub(super) fn heuristics(facts: &Facts) -> Outcome {
    let Some(device) = device(facts)? else { return Ok(Vec::new()) };
    let Some(heuristics) = &device.heuristics else { return Ok(Vec::new()) };
    let (own, limit) = (heuristics.value, device.sync_timeout.value);
    let cure = format!("pcs quorum device update heuristics sync_timeout={LEAST_HEURISTICS_MS}");
    if own < LEAST_HEURISTICS_MS {
        let what = format!("the heuristics' sync_timeout is {own} ms, below {LEAST_HEURISTICS_MS}");
        return Ok(vec![Finding::new(&heuristics.place, what, cure)]);
    }
    // As it is the round trip can only make it worse.
    let rtt = match &facts.surroundings.rtt_ms {
        _ if own >= limit => 0,
        Err(why) => return Err(why.into()),
        Ok(rtt) => *rtt,
    };
    if heuristics_fit(own, rtt, limit) {
        return Ok(Vec::new());
    }
    let what = format!(
        "the heuristics' sync_timeout is {own} ms, with a round trip of {rtt} ms not below the quorum device's {limit} ms"
    );
    Ok(vec![Finding::new(&heuristics.place, what, cure)])
}

/// Whether the heuristics' command is the one that tells where the primary is.
fn tells_of_the_primary(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().is_some_and(|p| p.starts_with('/') && p.ends_with("/quorate"));
    program && words.next() == Some("primary-here")
}

pub(super) fn even_split(facts: &Facts) -> Outcome {
    let Some(device) = device(facts)? else { return Ok(Vec::new()) };
    let tells = |at: &&At<(String, String)>| tells_of_the_primary(&at.value.1);
    let breaker = device.tie_breaker.as_ref().map_or("lowest", |b| &b.value);
    let which = match breaker {
        "lowest" | "highest" => format!("the {breaker} node id"),
        node => format!("the node {node}"),
    };
    let cure = format!(
        "pcs quorum device update heuristics mode=sync timeout={LEAST_HEURISTICS_MS} sync_timeout={LEAST_HEURISTICS_MS} \
         exec_primary=\"{HEURISTICS_COMMAND}\""
    );
    let (place, why) = match &device.heuristics {
        None => (&device.place, "has no heuristics"),
        Some(_) if device.commands.is_empty() => {
            (&device.place, "has heuristics without a command (exec_NAME), which are none")
        }
        Some(at) if !device.commands.iter().any(|at| tells(&at)) => {
            (&at.place, "has heuristics that do not tell where the primary is (quorate primary-here)")
        }
        Some(_) => {
            let others = device.commands.iter().filter(|at| !tells(at)).map(|other| {
                let (name, command) = &other.value;
                let what = format!(
                    "{name} of the heuristics is {command:?}: where it fails, the half with the primary counts no more than the other"
                );
                Finding::new(&other.place, what, format!("pcs quorum device update heuristics {name}="))
            });
            return Ok(others.collect());
        }
    };
    let what =
        format!("the quorum device {why}: of two halves that both see it, the one with {which} goes on");
    Ok(vec![Finding::new(place, what, cure)])
}

pub(super) fn place(facts: &Facts) -> Outcome {
    let Some(device) = device(facts)? else { return Ok(Vec::new()) };
    let cure = "put corosync-qnetd on a machine in a third place: pcs quorum device remove, then pcs quorum device add … host=THERE";
    let corosync = facts.corosync.as_ref()?;
    if let Some(host) = &device.host {
        let is = |name: Option<&String>| name.is_some_and(|n| *n == host.value);
        let node = corosync.nodes.iter().find(|n| is(n.name.as_ref()) || n.addresses.contains(&host.value));
        if let Some(node) = node {
            let name = node.name.as_deref().unwrap_or("a node");
            let what = format!("the quorum device's server is {}, which is the node {name}", host.value);
            return Ok(vec![Finding::new(&host.place, what, cure)]);
        }
    }
    let centres = facts.surroundings.centres.as_ref()?;
    if centres.nodes.contains(&centres.witness) {
        let what = format!("the quorum device's server is in {}, a data centre of nodes", centres.witness);
        return Ok(vec![Finding::new(&device.place, what, cure)]);
    }
    Ok(Vec::new())
}

pub(super) fn tls(facts: &Facts) -> Outcome {
    let Some(device) = device(facts)? else { return Ok(Vec::new()) };
    let cure = "tls: required in quorum { device { net { of /etc/corosync/corosync.conf (pcs 0.11.5 can't set it), then pcs cluster sync && pcs cluster reload corosync";
    match device.tls.value.as_str() {
        "required" => Ok(Vec::new()),
        // Encrypted where the server offers it: only the link itself tells.
        "on" => match &facts.node.encrypted {
            Ok(true) => Ok(Vec::new()),
            Ok(false) => {
                let what = "tls is on, and the link to the quorum device's server is not encrypted: the server does not offer it";
                Ok(vec![Finding::new(&device.tls.place, what, cure)])
            }
            Err(why) => Err(super::facts::Unknown(format!(
                "tls is on: encrypted if the server offers it, which only the link tells; {}",
                why.0
            ))),
        },
        other => Ok(vec![Finding::new(&device.tls.place, format!("tls is {other}"), cure)]),
    }
}
