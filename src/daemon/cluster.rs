//! What the cluster's configuration says, read from Pacemaker's own copy on the disk: no daemon has to answer for it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::config::{self, COROSYNC_CONF, Config};
use super::log::Logs;
use super::observations::Observations;
use super::pause;
use super::resetter::Trigger;
use crate::boundary::clock::wall_seconds;
use crate::boundary::host::{HostResult, Level};
use crate::boundary::{corosync_cmap, storage};
use crate::cluster::cib::allowed::barred;
use crate::cluster::panic_action::{self, PanicAction};
use crate::cluster::self_fencing::foreign;
use crate::cluster::timing::NoQuorumPolicy;
use crate::cluster::{cib, sbd};
use crate::decide::detector::{ClusterSettings, Maintenance, Millis, RunningTotem};
use crate::decide::standstill::OTHERS_GO_ON_MS;

const CIB: &str = "/var/lib/pacemaker/cib/cib.xml";
/// Pacemaker writes it some hundred milliseconds after a change.
const ROUND: Duration = Duration::from_secs(1);

/// Reads it whenever it has changed, for ever; corosync's configuration too: a cluster may be set up, or get another token, while we
/// run.
pub(super) fn watch(observations: &Arc<Observations>, config: &Config, logs: &Logs) {
    let mut last: Option<SystemTime> = None;
    let mut copy: Option<cib::Cib> = None;
    // The outer one: not read yet.
    let mut conf: Option<(Option<SystemTime>, Option<RunningTotem>)> = None;
    loop {
        let changed = (written(COROSYNC_CONF), observations.latest().totem);
        if conf != Some(changed) {
            conf = Some(changed);
            let (limits, guessed) = config.limits();
            let limits = config.as_it_runs(limits, changed.1);
            let expected = config::expected();
            let mut latest = observations.latest();
            (latest.limits, latest.expected) = (limits, expected);
            drop(latest);
            if let Some(error) = guessed {
                logs.line(Level::Warning, format!("the limit of corosync's membership is a guess: {error}"));
            }
        }
        let changed = written(CIB);
        if changed != last {
            last = changed;
            observations.latest().others_go_on = others_go_on(Path::new(CIB));
            match read(Path::new(CIB)) {
                Ok((word, foreign, read)) => {
                    copy = read;
                    observations.latest().foreign = Some(foreign);
                    let now = word.clone();
                    let before = std::mem::replace(&mut observations.latest().cluster, word);
                    report(&before, &now, logs);
                }
                Err(why) => {
                    // What else may run here is not known: then no notice says that nothing does.
                    observations.latest().foreign = None;
                    logs.line(Level::Warning, format!("{CIB}: {why}; what was known before holds"));
                }
            }
        }
        if let Some(copy) = &copy {
            // Nothing is written when a ban comes to its end.
            let now = barred(copy, i64::try_from(wall_seconds()).ok());
            observations.latest().cluster.barred = now;
        }
        pause(ROUND);
    }
}

/// Between two questions to corosync how it runs.
const TOTEM_ROUND: Duration = Duration::from_secs(5);

/// Asks corosync how it runs, for ever. In a thread of its own: it may not answer.
pub(super) fn watch_totem(observations: &Observations) {
    loop {
        // Where it does not answer, what it said last holds: a corosync that hangs is found by others.
        if let Ok(totem) = corosync_cmap::totem() {
            observations.latest().totem = Some(totem);
        }
        pause(TOTEM_ROUND);
    }
}

/// Between two looks at the files that say how a node ends.
const PANIC_ROUND: Duration = Duration::from_secs(30);

/// Has a reset end the node as the operator wants it, for ever. In a thread of its own: /etc lies on a disk.
pub(super) fn watch_panic_action(trigger: &Trigger) {
    loop {
        trigger.wants(panic_action());
        pause(PANIC_ROUND);
    }
}

/// What the files say now.
pub(super) fn panic_action() -> PanicAction {
    let first = |paths: [&str; 2]| {
        paths.into_iter().find_map(|path| storage::read_text_if_there(Path::new(path)).ok().flatten())
    };
    panic_action::wanted(first(panic_action::PACEMAKER_PATHS).as_deref(), first(sbd::PATHS).as_deref())
}

/// stonith-watchdog-timeout, where it is set to a time.
fn others_go_on(path: &Path) -> Millis {
    let text = storage::read_text_if_there(path).ok().flatten();
    let cib = text.and_then(|text| cib::parse(&text).ok()).unwrap_or_default();
    let set = cib.property("stonith-watchdog-timeout").and_then(|p| cib::milliseconds(&p.value));
    set.and_then(|ms| Millis::try_from(ms).ok()).filter(|ms| *ms > 0).unwrap_or(OTHERS_GO_ON_MS)
}

/// Says what has changed in what Pacemaker is told to leave alone.
pub(super) fn report(before: &ClusterSettings, now: &ClusterSettings, logs: &Logs) {
    if before.maintenance != now.maintenance {
        let state = if now.maintenance == Maintenance::On { "on" } else { "off" };
        logs.line(Level::Info, format!("maintenance mode is {state}"));
    }
    let (old, new) = (left_alone(&before.management), left_alone(&now.management));
    for what in new.iter().filter(|what| !old.contains(what)) {
        logs.line(Level::Info, format!("{what}: what hangs there is left alone"));
    }
    for what in old.iter().filter(|what| !new.contains(what)) {
        logs.line(Level::Info, format!("{what}: no longer"));
    }
}

fn left_alone(management: &cib::Management) -> Vec<String> {
    let nodes = management.nodes.iter().filter_map(|n| n.maintenance.clone());
    let resources = management.unmanaged.iter().map(|(resource, why)| format!("{resource}: {why}"));
    nodes.chain(resources).collect()
}

fn written(path: &str) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}

fn read(path: &Path) -> HostResult<(ClusterSettings, Vec<String>, Option<cib::Cib>)> {
    let text = storage::read_text_if_there(path)?;
    let Some(text) = text else { return Ok((ClusterSettings::default(), Vec::new(), None)) };
    let cib = cib::parse(&text)?;
    let foreign = foreign(&cib);
    Ok((settings(&text)?, foreign, Some(cib)))
}

/// What a CIB says, the copy on the disk or the live one.
pub(super) fn settings(text: &str) -> HostResult<ClusterSettings> {
    let cib = cib::parse(text)?;
    let get = |name| cib.property(name).map(|p| p.value.as_str());
    let on = get("maintenance-mode").and_then(cib::boolean) == Some(true);
    let unfenced = get("stonith-enabled").and_then(cib::boolean) == Some(false);
    Ok(ClusterSettings {
        maintenance: if on { Maintenance::On } else { Maintenance::Off },
        no_quorum_policy: get("no-quorum-policy").and_then(NoQuorumPolicy::parse).map(
            |policy| match policy {
                // Pacemaker ends no node then.
                NoQuorumPolicy::Suicide | NoQuorumPolicy::Fence if unfenced => NoQuorumPolicy::Stop,
                policy => policy,
            },
        ),
        management: cib::management(text)?,
        barred: barred(&cib, i64::try_from(wall_seconds()).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_copy_says() {
        let property =
            |name: &str, value: &str| format!("<nvpair id=\"{name}\" name=\"{name}\" value=\"{value}\"/>");
        let said = |properties: String| {
            let xml = format!(
                "<cib><configuration><crm_config><cluster_property_set id=\"o\">{properties}</cluster_property_set>\
                 </crm_config><nodes/><resources/><constraints/></configuration><status/></cib>"
            );
            settings(&xml).expect("a CIB")
        };
        let both = said(property("maintenance-mode", "true") + &property("no-quorum-policy", "ignore"));
        assert_eq!(
            (both.maintenance, both.no_quorum_policy),
            (Maintenance::On, Some(NoQuorumPolicy::Ignore))
        );
        let neither = said(String::new());
        assert_eq!((neither.maintenance, neither.no_quorum_policy), (Maintenance::Off, None));
        // Pacemaker itself goes by `stop` where it may not fence.
        for policy in ["suicide", "fence"] {
            let armed = said(property("no-quorum-policy", policy) + &property("stonith-enabled", "true"));
            let of_default = said(property("no-quorum-policy", policy));
            assert_eq!(armed.no_quorum_policy, NoQuorumPolicy::parse(policy));
            assert_eq!(of_default.no_quorum_policy, NoQuorumPolicy::parse(policy));
            let off = said(property("no-quorum-policy", policy) + &property("stonith-enabled", "off"));
            assert_eq!(off.no_quorum_policy, Some(NoQuorumPolicy::Stop), "{policy}");
        }
        // A word that is none is no permission.
        let odd = said(property("maintenance-mode", "perhaps") + &property("no-quorum-policy", "pray"));
        assert_eq!((odd.maintenance, odd.no_quorum_policy), (Maintenance::Off, None));
    }
}
