//! What only a node that runs can tell.

use super::facts::{Facts, Place, Quorated, Unknown};
use super::rule::{Finding, Outcome};
use crate::cluster::checker::{self, OwnDevice};
use crate::decide::reset::VoteCount;

const DAY_S: i64 = 86_400;
/// Time to renew a certificate without hurry.
const LEAST_DAYS: i64 = 30;

pub(super) fn certificates(facts: &Facts) -> Outcome {
    if facts.corosync.as_ref()?.device.is_none() {
        return Ok(Vec::new());
    }
    let ending = facts.node.certificates.as_ref()?.iter().filter(|c| c.left_s < LEAST_DAYS * DAY_S).map(|c| {
        let days = c.left_s.div_euclid(DAY_S);
        let what = if c.left_s < 0 {
            format!("the certificate {:?} ended {} days ago", c.name, -days)
        } else {
            format!("the certificate {:?} ends in {days} days", c.name)
        };
        let cure = "on the witness pcs qdevice destroy net and pcs qdevice setup model net, then pcs quorum device remove and add it again";
        Finding::new(&Place::of("/etc/corosync/qdevice/net/nssdb"), what, cure)
    });
    Ok(ending.collect())
}

pub(super) fn device_votes(facts: &Facts) -> Outcome {
    if facts.corosync.as_ref()?.device.is_none() {
        return Ok(Vec::new());
    }
    let lost = facts.node.votes.as_ref()?.members.iter().filter_map(|member| {
        let what = match member.device {
            Some(device) if device.alive && device.votes => return None,
            Some(device) if device.alive => format!("on {} the quorum device casts no vote", member.name),
            Some(_) => format!("on {} the quorum device is not alive", member.name),
            None => format!("on {} there is no quorum device", member.name),
        };
        let cure = format!(
            "on {}: systemctl restart corosync-qdevice; then corosync-qdevice-tool -s there, corosync-qnetd-tool -l on the witness",
            member.name
        );
        Some(Finding::new(&Place::of("corosync-quorumtool -s"), what, cure))
    });
    Ok(lost.collect())
}

pub(super) fn quorated(facts: &Facts) -> Outcome {
    let place = Place::of(checker::PATH);
    Ok(match facts.node.quorated.as_ref()? {
        Quorated::Silent => vec![Finding::new(
            &place,
            "quorated does not run here, or hangs",
            "systemctl enable --now quorated; systemctl status quorated tells why not".to_owned(),
        )],
        Quorated::Runs(checker) if !checker.acts => vec![Finding::new(
            &place,
            "quorated only reports what it finds",
            "mode = \"act\" in /etc/quorate/quorated.toml, then systemctl restart quorated".to_owned(),
        )],
        Quorated::Runs(checker) => {
            let missing = match &checker.device {
                OwnDevice::Missing(why) => Some(Finding::new(
                    &place,
                    format!("quorated does not have its watchdog device: {why}"),
                    "watchdog_device in /etc/quorate/quorated.toml, then systemctl restart quorated"
                        .to_owned(),
                )),
                OwnDevice::None | OwnDevice::KeptAlive => None,
            };
            let left_alone = checker.excuses.iter().map(|excuse| {
                Finding::new(
                    &place,
                    format!("{} hangs, and quorated leaves it alone: {}", excuse.name, checker.because(excuse)),
                    "end what it names, and quorated acts; or end the daemon by hand (journalctl -t quorated has its pid)".to_owned(),
                )
            });
            missing.into_iter().chain(left_alone).collect()
        }
    })
}

/// The choice of the site, as step 8 writes it down where it is not to start.
const CHOICE: &str = "quorate-start-at-boot";

pub(super) fn start_at_boot(facts: &Facts) -> Outcome {
    let chosen = facts.cib.as_ref()?.property(CHOICE);
    let wanted = !chosen.is_some_and(|set| set.value.eq_ignore_ascii_case("false"));
    let device = facts.corosync.as_ref()?.device.is_some();
    let services = facts.node.at_boot.as_ref()?.iter().filter(|s| device || s.name != "corosync-qdevice");
    let found = services.filter_map(|service| {
        let name = service.name;
        let (what, cure) = match (wanted, service.enabled) {
            (true, true) | (false, false) => return None,
            // It is of use by itself, and starts nothing.
            (false, true) if name == "quorated" => return None,
            (true, false) if name == "quorated" => (
                "quorated does not start at boot".to_owned(),
                "systemctl enable quorated on each node".to_owned(),
            ),
            (true, false) => (
                format!(
                    "{name} does not start at boot: a node that was reset stays out until somebody starts it"
                ),
                format!(
                    "pcs cluster enable --all; where that is wanted, crm_attribute --type crm_config --name {CHOICE} --update false"
                ),
            ),
            (false, true) => (
                format!("{name} starts at boot, and the site wants it started by hand ({CHOICE} is false)"),
                "pcs cluster disable --all".to_owned(),
            ),
        };
        Some(Finding::new(&Place::of(&format!("systemctl is-enabled {name}")), what, cure))
    });
    Ok(found.collect())
}

/// Nothing hangs on it while it holds; it is the moment to mend what is missing.
pub(super) fn one_more_loss(facts: &Facts) -> Outcome {
    let votes = facts.node.votes.as_ref()?;
    let (Some(total), Some(needed)) = (votes.total, votes.quorum) else {
        return Err(Unknown("corosync-quorumtool -s does not tell the votes".to_owned()));
    };
    let of_nodes = votes.members.iter().fold(0, |sum: u32, m| sum.saturating_add(m.votes));
    let own = votes.members.iter().map(|m| m.votes).max().unwrap_or_default();
    let count = VoteCount { total, needed, own, device: total.saturating_sub(of_nodes) };
    if !count.one_more_loss_is_fatal() {
        return Ok(Vec::new());
    }
    let place = Place::of("corosync-quorumtool -s");
    let what = format!("one more loss of a vote ends the service: {total} are present, {needed} are needed");
    let cure = match votes.expected {
        Some(expected) if expected > total => {
            format!(
                "bring back what is missing of the {expected} votes: a node (pcs cluster start), or the witness"
            )
        }
        Some(_) | None => "add a vote in a third place: pcs quorum device add …".to_owned(),
    };
    Ok(vec![Finding::new(&place, what, cure)])
}

pub(super) fn held_reset(facts: &Facts) -> Outcome {
    let Quorated::Runs(checker) = facts.node.quorated.as_ref()? else { return Ok(Vec::new()) };
    let held = checker.held_reset.iter().map(|why| {
        let cure = "mend what hangs here, or what keeps the other nodes from going on; journalctl -t quorated has each step";
        Finding::new(&Place::of(checker::PATH), format!("a reset of this node is held back: {why}"), cure)
    });
    Ok(held.collect())
}

pub(super) fn members(facts: &Facts) -> Outcome {
    let members = facts.node.members.as_ref()?;
    let corosync = facts.corosync.as_ref()?;
    let missing = corosync.nodes.iter().filter_map(|node| {
        let name = node.name.as_deref()?;
        let member = members.iter().find(|m| m.name == name);
        let since = match member {
            Some(member) if member.online => return None,
            Some(member) => match member.away_s {
                Some(seconds) => format!("for {}", span(seconds)),
                None => "since a time that nobody here remembers".to_owned(),
            },
            None => "and Pacemaker has never seen it".to_owned(),
        };
        Some(Finding::new(
            &Place::line(&corosync.file, node.line),
            format!("{name} is not online, {since}"),
            format!("see why on {name} (journalctl -u corosync -u sbd -u pacemaker), then pcs cluster start {name}"),
        ))
    });
    Ok(missing.collect())
}

/// A time for people, in its two largest units.
#[must_use]
pub fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min {} s", seconds % 60),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}
