//! Fence devices: whether they are real, whether every node has one, and what they do.

use super::facts::{Facts, File, Place};
use super::instances::at;
use super::rule::{Finding, Outcome};
use crate::cluster::cib::{Cib, Primitive, boolean, milliseconds};

/// Agents that say "done" and switch nothing off, or wait for a human.
const PRETENDERS: [&str; 14] = [
    "null",
    "external/null",
    "dummy",
    "fence_dummy",
    "ssh",
    "external/ssh",
    "external/libvirt-null",
    "suicide",
    "external/suicide",
    "meatware",
    "fence_ack_manual",
    "fence_manual",
    "fence_false",
    "fence_true",
];
/// It confirms what a node has announced, and fences nobody that is silent.
const FENCE_QUORATE: &str = "stonith:fence_quorate";
const FENCE_WATCHDOG: &str = "stonith:fence_watchdog";
/// It only hears that a node dumps its memory.
const FENCE_KDUMP: &str = "stonith:fence_kdump";

fn is_pretender(agent: &str) -> bool {
    agent.strip_prefix("stonith:").is_some_and(|name| PRETENDERS.contains(&name))
}

pub(super) fn real(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let pretenders = file.content.primitives.iter().filter(|p| is_pretender(&p.agent));
    let finding = |device: &Primitive| {
        Finding::new(
            &at(file, device.line),
            format!(
                "{} is a {}: it says that a node is off, and switches nothing off",
                device.id, device.agent
            ),
            format!(
                "pcs stonith delete {}, then a device that resets: quorate layout render shows the layouts' own",
                device.id
            ),
        )
    };
    Ok(pretenders.map(finding).collect())
}

/// Whether a device fences a node, as far as its parameters tell.
fn covers(device: &Primitive, node: &str) -> bool {
    let get = |name: &str| device.parameters.get(name).map(String::as_str).filter(|v| !v.trim().is_empty());
    if get("pcmk_host_check") == Some("none") {
        return true;
    }
    let list = get("pcmk_host_list")
        .map(|l| l.split([' ', ',', ';', '\t', '\n']).any(|n| n.eq_ignore_ascii_case(node)));
    let map = get("pcmk_host_map").map(|m| {
        m.split([' ', ',', ';', '\t', '\n'])
            .any(|pair| pair.split([':', '=']).next().is_some_and(|n| n.eq_ignore_ascii_case(node)))
    });
    match (list, map) {
        (None, None) => get("pcmk_host_check") != Some("static-list"),
        (list, map) => list.unwrap_or(false) || map.unwrap_or(false),
    }
}

/// Whether a level's target is a node.
fn is_target(cib: &Cib, target: &str, node: &str) -> bool {
    if let Some((name, value)) = target.split_once('=') {
        let attributes = cib.node_attributes.iter().find(|n| n.name == node);
        return attributes.and_then(|n| n.get(name)).is_none_or(|v| v.value == value);
    }
    // A pattern that is no name of a node may be of any.
    target == node || !cib.nodes.iter().any(|n| n.name == target) && target.contains(['.', '*', '[', '('])
}

/// A level does what it says: its target is a node, its devices are there and have it on their lists.
pub(super) fn levels(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let cib = &file.content;
    let mut found = Vec::new();
    for level in &cib.levels {
        let place = at(file, level.line);
        let of = format!("level {} of {}", level.index, level.target);
        let targets: Vec<&str> =
            cib.nodes.iter().map(|n| n.name.as_str()).filter(|n| is_target(cib, &level.target, n)).collect();
        if targets.is_empty() {
            let cure = format!("pcs stonith level delete {} target {}", level.index, level.target);
            found.push(Finding::new(&place, format!("{of}: there is no such node"), cure));
            continue;
        }
        for id in &level.devices {
            let Some(device) = device(cib, id) else {
                // Pacemaker's own, which needs no device.
                if id == "watchdog" && has_watchdog(file) {
                    continue;
                }
                let cure =
                    format!("pcs stonith level delete {} target {} stonith {id}", level.index, level.target);
                found.push(Finding::new(&place, format!("{of} names {id}, which is no fence device"), cure));
                continue;
            };
            let names: Vec<&str> = cib.nodes.iter().map(|n| n.name.as_str()).collect();
            for node in targets.iter().filter(|node| !covers(device, node)) {
                let what =
                    format!("{of} names {id}, which does not have {node} on its list: it is never tried");
                let cure = format!("pcs stonith update {id} pcmk_host_list=\"{}\"", names.join(" "));
                found.push(Finding::new(&place, what, cure));
            }
        }
    }
    Ok(found)
}

fn device<'a>(cib: &'a Cib, id: &str) -> Option<&'a Primitive> {
    cib.primitives.iter().find(|p| p.id == id && p.agent.starts_with("stonith:"))
}

pub(super) fn cover(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let cib = &file.content;
    let mut found = Vec::new();
    let fences =
        |p: &Primitive| !is_pretender(&p.agent) && p.agent != FENCE_QUORATE && p.agent != FENCE_KDUMP;
    let has_watchdog = has_watchdog(file);
    // Whether its time is set is another rule's.
    let lacks_watchdog = file.property("have-watchdog").and_then(|p| boolean(&p.value)) == Some(false);
    let able = |p: &Primitive, node: &str| {
        (fences(p) || is_pretender(&p.agent))
            && covers(p, node)
            && (p.agent != FENCE_WATCHDOG || !lacks_watchdog)
    };
    let is_any_watchdog = cib.primitives.iter().any(|p| p.agent == FENCE_WATCHDOG);
    for node in &cib.nodes {
        let name = &node.name;
        let levels: Vec<_> = cib.levels.iter().filter(|l| is_target(cib, &l.target, name)).collect();
        // Pacemaker has the watchdog without a device, too.
        let implicit = has_watchdog && !is_any_watchdog;
        let is_fenced = if levels.is_empty() {
            implicit || cib.primitives.iter().any(|p| able(p, name))
        } else {
            levels.iter().any(|l| {
                let all: Vec<_> = l.devices.iter().map(|id| (id, device(cib, id))).collect();
                !all.is_empty()
                    && all.iter().all(|(id, d)| match d {
                        Some(d) => able(d, name),
                        None => implicit && id.as_str() == "watchdog",
                    })
            })
        };
        if is_fenced {
            continue;
        }
        found.push(uncovered(
            file,
            name,
            &levels.iter().map(|l| (l.line, l.devices.join(","))).collect::<Vec<_>>(),
            has_watchdog,
        ));
    }
    Ok(found)
}

/// Whether a watchdog may stand for a fence device.
fn has_watchdog(file: &File<Cib>) -> bool {
    let is_told = file.property("have-watchdog").and_then(|p| boolean(&p.value));
    // Pacemaker writes have-watchdog as soon as it runs; without it the time that was set says what is meant.
    let set = file.property("stonith-watchdog-timeout").and_then(|p| milliseconds(&p.value));
    is_told != Some(false) && (set.is_some_and(|ms| ms != 0) || is_told == Some(true))
}

fn uncovered(file: &File<Cib>, name: &str, levels: &[(usize, String)], has_watchdog: bool) -> Finding {
    let cib = &file.content;
    let watchdog = cib.primitives.iter().find(|p| p.agent == FENCE_WATCHDOG);
    let line = levels.last().map(|(line, _)| *line).or(watchdog.map(|w| w.line)).unwrap_or(1);
    let names: Vec<&str> = cib.nodes.iter().map(|n| n.name.as_str()).collect();
    let has = match levels {
        [] => "no fence device covers it".to_owned(),
        levels => format!(
            "its levels are {}",
            levels.iter().map(|(_, d)| d.as_str()).collect::<Vec<_>>().join(" and ")
        ),
    };
    let what = format!("nothing fences {name} when it is silent: {has}");
    let cure = match watchdog {
        Some(_) if !has_watchdog => {
            "start the cluster with sbd: quorate doctor on a node says what it lacks".to_owned()
        }
        Some(device) if !covers(device, name) => {
            format!("pcs stonith update {} pcmk_host_list=\"{}\"", device.id, names.join(" "))
        }
        Some(device) => format!("pcs stonith level add 2 {name} {}", device.id),
        None => format!("pcs stonith create watchdog fence_watchdog pcmk_host_list=\"{}\"", names.join(" ")),
    };
    Finding::new(&at(file, line), what, cure)
}

/// What fencing does to a node, and whether it comes back.
pub(super) fn action(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let mut found = Vec::new();
    if let Some(set) = file.property("stonith-action").filter(|p| p.value != "reboot") {
        let what =
            format!("stonith-action is {}: a fenced node stays off until somebody switches it on", set.value);
        found.push(Finding::new(&set.place, what, "pcs property set stonith-action=reboot"));
    }
    for device in file.content.primitives.iter().filter(|p| p.agent.starts_with("stonith:")) {
        let wrong =
            ["pcmk_reboot_action", "pcmk_off_action", "action", "option"].into_iter().filter_map(|name| {
                let value = device.parameters.get(name).filter(|v| !v.is_empty())?;
                let is_sound = matches!(
                    (name, value.as_str()),
                    ("pcmk_reboot_action", "reboot" | "cycle") | ("pcmk_off_action", "off" | "reboot")
                );
                (!is_sound).then_some((name, value))
            });
        for (name, value) in wrong {
            let what = format!("{} has {name}={value}: it does not what Pacemaker asks for", device.id);
            found.push(Finding::new(
                &at(file, device.line),
                what,
                format!("pcs stonith update {} {name}=", device.id),
            ));
        }
    }
    Ok(found)
}

/// Whether the CIB may be changed over the network, unencrypted.
pub(super) fn clear_port(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let found = file.content.clear_port.iter().map(|port| {
        let what = format!(
            "remote-clear-port is {}: passwords and changes of the configuration cross the network in clear",
            port.value
        );
        Finding::new(
            &Place::line(&file.name, port.line),
            what,
            "cibadmin --modify --xml-text '<cib remote-clear-port=\"0\"/>'; with TLS: remote-tls-port",
        )
    });
    Ok(found.collect())
}
