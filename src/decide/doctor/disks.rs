//! How long a disk may take by itself, against the times after which quorated calls it hanging.

use super::facts::{Disk, DiskHolds, DiskPaths, Facts, Place};
use super::rule::{Finding, Outcome};
use crate::decide::detector::Limits;

/// The kernel tries a request again so often (SD_MAX_RETRIES in drivers/scsi/sd.h, nvme_core's max_retries).
const RETRIES: u64 = 5;

pub(super) fn timeouts(facts: &Facts) -> Outcome {
    Ok(facts.node.disks.as_ref()?.iter().filter_map(finding).collect())
}

/// A disk behind one path gives its error when it is lost for good, and then a failover is right. One behind several goes on
/// by another path, if it is given the time.
fn finding(disk: &Disk) -> Option<Finding> {
    let Limits { storage, state, .. } = Limits::default();
    let (device, of, one) = (&disk.device, &disk.of, disk.request_ms);
    let all = one.saturating_mul(RETRIES + 1);
    let (what, cure) = match (disk.holds, disk.paths) {
        (DiskHolds::Data, DiskPaths::Several) if one > storage => (
            format!(
                "{device}, under {of}, waits {one} ms for a path that is lost; after {storage} ms quorated and the agent call \
                 the disk hanging, and the role moves"
            ),
            format!(
                "give a path up sooner: fast_io_fail_tmo 5 in multipath.conf, and a udev rule that sets device/timeout of its disks \
                 below {} s",
                storage / 1000
            ),
        ),
        (DiskHolds::State, _) if all > state => (
            format!(
                "{device}, under {of}, may wait {RETRIES} times more than {one} ms for an answer; after {state} ms quorated resets \
                 the node"
            ),
            format!(
                "a udev rule that sets device/timeout of the disk to at most {} s",
                state / (RETRIES + 1) / 1000
            ),
        ),
        (DiskHolds::Data | DiskHolds::State, DiskPaths::One | DiskPaths::Several) => return None,
    };
    Some(Finding::new(&Place::of(&format!("/sys/block/{device}/queue/io_timeout")), what, cure))
}
