//! The times of a cluster as it is configured, for `quorate timing` on a node.

use super::facts::{Facts, Known, Unknown};
use super::{failover, instances};
use crate::cluster::cib::milliseconds as pacemaker_ms;
use crate::cluster::cib::resources::Op;
use crate::cluster::timing::predict::Commits;
use crate::cluster::timing::{Inputs, Preset, Profile, QuorumDevice};
use crate::pg::conf::milliseconds;

/// What predictions take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTimes {
    pub profile: Profile,
    pub commits: Commits,
    /// What differs from what the predictions count with.
    pub remarks: Vec<String>,
}

/// A round trip of which nobody told.
const USUAL_RTT_MS: u32 = 5;

fn seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0).unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX)
}

/// Gathers them.
///
/// # Errors
/// What is not known and has no value of its own.
pub fn cluster_times(facts: &Facts) -> Known<ClusterTimes> {
    let corosync = facts.corosync.as_ref()?;
    let watchdog_s = facts.watchdog_s()?.value;
    let mut remarks = Vec::new();
    let rtt_ms = facts.surroundings.rtt_ms.as_ref().copied().unwrap_or_else(|_| {
        remarks.push(format!("the round trip is not known: {USUAL_RTT_MS} ms are counted with"));
        USUAL_RTT_MS
    });
    let quorum_device = if corosync.device.is_some() { QuorumDevice::Present } else { QuorumDevice::Absent };
    let nodes = corosync.node_count();
    let mut profile =
        Profile::compute(Inputs { preset: Preset::Default, nodes, quorum_device, rtt_ms, watchdog_s });
    profile.token_ms = corosync.token.value;
    if let Some(set) = &corosync.consensus
        && set.value != profile.consensus_ms()
    {
        remarks.push(format!(
            "consensus is set to {} ms: {} ms, corosync's own, are counted with",
            set.value,
            profile.consensus_ms()
        ));
    }
    if let Some(device) = &corosync.device {
        profile.qdevice_timeout_ms = device.timeout.value;
        profile.qdevice_sync_timeout_ms = device.sync_timeout.value;
        profile.heuristics_ms = device.heuristics.as_ref().map_or(0, |h| h.value);
    }
    profile.no_quorum_policy = facts.no_quorum_policy()?;
    profile.stonith_watchdog_s = facts.stonith_watchdog_s()?.value;
    let cib = facts.cib.as_ref()?;
    if let Some(ms) = cib.property("dc-deadtime").and_then(|p| pacemaker_ms(&p.value)) {
        profile.dc_deadtime_s = seconds(ms);
    }
    profile.fencing_delay_s = seconds(failover::fencing_delay_ms(cib));
    let all = instances::of(&cib.content);
    let server = all.first().ok_or_else(|| Unknown("the CIB has no PostgreSQL".to_owned()))?.primitive;
    let monitor = |role: &str| {
        server.operations.iter().find(|op| op.name == "monitor" && op.recurs() && op.role_now() == Some(role))
    };
    if let Some(op) = monitor("Promoted") {
        profile.monitor_promoted_s = seconds(op.interval_ms);
        profile.monitor_timeout_s = seconds(op.timeout_ms());
    }
    if let Some(op) = monitor("Unpromoted") {
        profile.monitor_unpromoted_s = seconds(op.interval_ms);
    }
    let timeout = |name: &str| {
        let op = server.operations.iter().find(|op| op.name == name);
        seconds(op.map_or(crate::cluster::cib::resources::OWN_TIMEOUT_MS, Op::timeout_ms))
    };
    profile.start_timeout_s = timeout("start");
    profile.stop_timeout_s = timeout("stop");
    profile.promote_timeout_s = timeout("promote");
    profile.demote_timeout_s = timeout("demote");
    profile.notify_timeout_s = timeout("notify");
    let setting = facts.postgresql.as_ref().ok().and_then(|all| all.first()?.get("wal_sender_timeout"));
    match setting.and_then(|at| milliseconds(&at.value)).and_then(|ms| u32::try_from(ms).ok()) {
        Some(ms) => profile.wal_timeout_ms = ms,
        None => remarks.push("wal_sender_timeout is not known: the layouts' is counted with".to_owned()),
    }
    let waits = cib.content.primitives.iter().any(|p| p.parameters.get("sync").is_some_and(|s| s != "off"));
    let commits = match (waits, nodes) {
        (false, _) => Commits::Alone,
        (true, ..=2) => Commits::ForTheOther,
        (true, _) => Commits::ForAny,
    };
    Ok(ClusterTimes { profile, commits, remarks })
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::cli::doctor::site;
    use crate::decide::doctor::read::read;
    use crate::layout::{Overrides, examples, kind::Kind};

    /// What a layout's files say is what the layout was computed with.
    #[test]
    fn a_layouts_own_times_are_read_back() {
        for kind in Kind::ALL {
            let site = crate::layout::read(examples::text(kind), &Overrides::default()).expect("an example");
            let facts = read(site::gathered(&site).expect("renders")).expect("sound");
            let times = cluster_times(&facts).expect("all is there");
            assert_eq!(times.profile, site.profile, "{}", kind.name());
            assert_eq!(times.commits, crate::cli::timing::commits(&site), "{}", kind.name());
            assert_eq!(times.remarks, [""; 0], "{}", kind.name());
        }
    }
}
