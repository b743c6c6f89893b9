//! What the self-fencing notice rests on: a key, a cluster that runs PostgreSQL and nothing else, and records that are dropped in time.

use super::facts::{Facts, Place};
use super::rule::{Finding, Outcome};
use crate::cluster::corosync::key::Source;
use crate::cluster::self_fencing::foreign;

const FENCE_QUORATE: &str = "stonith:fence_quorate";

pub(super) fn key(facts: &Facts) -> Outcome {
    let corosync = facts.corosync.as_ref()?;
    Ok(match &corosync.key {
        Source::Off(off) => {
            let at = Place { file: corosync.file.clone(), line: off.line };
            vec![Finding::new(&at, off.what.clone(), off.cure)]
        }
        Source::File(_) | Source::Written(_) => Vec::new(),
    })
}

pub(super) fn foreign_resources(facts: &Facts) -> Outcome {
    let file = facts.cib.as_ref()?;
    let cib = &file.content;
    let device = cib.primitives.iter().find(|p| p.agent == FENCE_QUORATE);
    let Some(device) = device.filter(|d| cib.levels.iter().any(|l| l.devices.contains(&d.id))) else {
        return Ok(Vec::new());
    };
    let found = foreign(cib).into_iter().map(|resource| {
        let name = resource.split(' ').next().unwrap_or_default();
        let line = cib.primitives.iter().find(|p| p.id == name).map_or(device.line, |p| p.line);
        Finding::new(
            &Place::line(&file.name, line),
            format!("{resource} is ended by nobody before a node is reset: {} confirms nothing", device.id),
            format!("move it to another cluster; or do without early confirmation: pcs stonith level delete 1 target NODE stonith {}", device.id),
        )
    });
    Ok(found.collect())
}

pub(super) fn records(facts: &Facts) -> Outcome {
    let members = facts.node.members.as_ref()?;
    let stale = facts
        .node
        .self_fenced
        .as_ref()?
        .iter()
        .filter(|node| members.iter().any(|member| member.online && member.name == **node));
    let found = stale.map(|node| {
        Finding::new(
            &Place::of(&format!("/run/quorate/self-fenced/{node}")),
            format!("{node} is a member, and counts here as one that has reset itself"),
            "systemctl restart quorated",
        )
    });
    Ok(found.collect())
}
