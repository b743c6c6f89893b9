//! Faults of the disks that PostgreSQL's data, and Pacemaker's and corosync's state, are on. They have file systems of their
//! own on each node ([`data_disk`](crate::machines::data_disk)): the rest of the node lives on.

use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::cluster::observe::{Observation, SOCKETS};
use crate::host::error::{LabError, Result};
use crate::machines::data_disk::{KINDS, MOUNT_POINT, STATE};
use std::path::PathBuf;
use std::time::Duration;

/// For a command that only looks.
const QUICK: Duration = Duration::from_secs(10);
/// For commands that write, on a busy disk.
const WRITE: Duration = Duration::from_secs(60);
/// An orderly stop before a reset; one that hangs is reset all the same.
const FILLER: &str = "quorate-lab-fill";
/// Less than a page of WAL: nothing more can be written.
const FULL: u64 = 8192;

/// Takes all blocks. First by extents that are never written, so that the host's disk isn't filled; what is left in
/// crumbs by writing.
const FILL: &str = "cd \"$1\"; i=0; \
    while [ $i -lt 40 ]; do \
      left=$(df --output=avail -B1 . | tail -n 1); [ \"$left\" -gt 1048576 ] || break; \
      i=$((i + 1)); fallocate -l $((left - left / 16)) \"$2.$i\" || true; \
    done; \
    left=$(df --output=avail -B1 . | tail -n 1); \
    if [ \"$left\" -gt 4194304 ]; then echo \"$left bytes could not be taken\" >&2; exit 1; fi; \
    dd if=/dev/zero of=\"$2.0\" bs=4096 count=2048 2>/dev/null; true";

/// Uses the WAL files up that are there for the next ones. It ends when PostgreSQL can't make a new one any more.
const SWITCH: &str = "i=0; while [ $i -lt 200 ]; do i=$((i + 1)); \
    timeout 10 \"$1\" -XAtqc \"SELECT pg_logical_emit_message(true, 'quorate-lab', 'x'); SELECT pg_switch_wal()\" \
      -h \"$2\" -p \"$3\" -d postgres >/dev/null 2>&1 || exit 0; done; exit 1";

/// The device that is mounted there; without one, what the node would need.
pub(super) fn device_of(cluster: &Cluster, node: &str, place: &str) -> Result<String> {
    let argv = ["findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", place];
    let out = cluster.exec(node, &argv, QUICK)?;
    let device = out.stdout.trim().to_owned();
    if out.status == 0 && !device.is_empty() {
        return Ok(device);
    }
    Err(LabError::Host(format!(
        "{place} of {node} is no file system of its own: take the cluster down and bring it up anew with this quorate-lab"
    )))
}

fn trace(cluster: &Cluster, node: &str) -> Result<Trace> {
    Ok(Trace { boots: cluster.node(node)?.boots, ..Trace::default() })
}

pub(super) fn fill(cluster: &Cluster, node: &str) -> Result<Trace> {
    device_of(cluster, node, MOUNT_POINT)?;
    let argv = ["sh", "-c", FILL, "sh", MOUNT_POINT, FILLER];
    cluster.exec(node, &argv, WRITE)?.success(&format!("filling {MOUNT_POINT} of {node}"))?;
    trace(cluster, node)
}

/// Fills the file system, and uses up the WAL files that PostgreSQL has made in advance.
pub(super) fn fill_wal(cluster: &Cluster, node: &str) -> Result<Trace> {
    let seen = Observation::take(cluster)?;
    let primaries: Vec<_> =
        seen.site.instances.iter().filter(|i| seen.primary_of(i) == Some(node)).cloned().collect();
    if primaries.is_empty() {
        return Err(LabError::Host(format!(
            "only a primary makes WAL, which {node} is not; use --target primary"
        )));
    }
    let trace = fill(cluster, node)?;
    let psql = format!("/usr/lib/postgresql/{}/bin/psql", seen.site.postgresql);
    for instance in primaries {
        let port = instance.port.to_string();
        let user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "--chdir=/"];
        let words = ["sh", "-c", SWITCH, "sh", &psql, SOCKETS, &port];
        let argv: Vec<&str> = user.into_iter().chain(words).collect();
        cluster
            .exec(node, &argv, WRITE)?
            .success("using up the WAL files: PostgreSQL makes new ones still")?;
    }
    Ok(trace)
}

pub(super) fn is_full(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    if info.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    let argv = ["df", "--output=avail", "--block-size=1", MOUNT_POINT];
    let out = cluster.exec(node, &argv, QUICK).map_err(|e| e.to_string())?;
    match out.stdout.lines().last().and_then(|l| l.trim().parse::<u64>().ok()) {
        Some(left) if left <= FULL => Ok(format!("{left} bytes are left in {MOUNT_POINT}")),
        other => Err(format!("bytes left in {MOUNT_POINT}: {other:?}")),
    }
}

pub(super) fn freeze(cluster: &Cluster, node: &str) -> Result<Trace> {
    freeze_all(cluster, node, &[MOUNT_POINT])
}

pub(super) fn freeze_state(cluster: &Cluster, node: &str) -> Result<Trace> {
    freeze_all(cluster, node, &STATE)
}

/// Short of the time after which the kernel gives a path up, and longer than that of anybody who watches a disk.
const STALL: &str = "15";
const LONG_STALL: &str = "60";
/// Freezes, and thaws by itself: the seconds, then the places.
const FREEZE_FOR: &str = "seconds=$1; shift; \
    (sleep \"$seconds\"; for place; do fsfreeze --unfreeze \"$place\"; done) >/dev/null 2>&1 </dev/null & \
    for place; do fsfreeze --freeze \"$place\" || exit 1; done";

pub(super) fn stall_data(cluster: &Cluster, node: &str) -> Result<Trace> {
    stall(cluster, node, &[MOUNT_POINT], STALL)
}

pub(super) fn stall_state(cluster: &Cluster, node: &str) -> Result<Trace> {
    stall(cluster, node, &STATE, STALL)
}

pub(super) fn stall_state_long(cluster: &Cluster, node: &str) -> Result<Trace> {
    stall(cluster, node, &STATE, LONG_STALL)
}

fn stall(cluster: &Cluster, node: &str, places: &[&str], seconds: &str) -> Result<Trace> {
    for place in places {
        device_of(cluster, node, place)?;
    }
    let trace = trace(cluster, node)?;
    let argv: Vec<&str> =
        ["sh", "-c", FREEZE_FOR, "sh", seconds].into_iter().chain(places.iter().copied()).collect();
    cluster.exec(node, &argv, WRITE)?.success("fsfreeze --freeze")?;
    Ok(trace)
}

fn freeze_all(cluster: &Cluster, node: &str, places: &[&str]) -> Result<Trace> {
    for place in places {
        device_of(cluster, node, place)?;
    }
    let trace = trace(cluster, node)?;
    for place in places {
        cluster.exec(node, &["fsfreeze", "--freeze", place], WRITE)?.success("fsfreeze --freeze")?;
    }
    Ok(trace)
}

pub(super) fn writes_hang(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    all_hang(cluster, node, trace, &[MOUNT_POINT])
}

pub(super) fn state_hangs(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    all_hang(cluster, node, trace, &STATE)
}

/// A frozen file system can't be asked whether it is: a write has to hang.
fn all_hang(cluster: &Cluster, node: &str, trace: &Trace, places: &[&str]) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    if info.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    // In the background, for it can't be killed; it ends when the file system is thawed.
    let script = "touch \"$1/quorate-lab-touch\" & pid=$!; sleep 1; \
        case $(ps -o stat= -p $pid) in D*) exit 0;; *) exit 1;; esac";
    // Its output would keep the question open as long as it hangs.
    let quiet = ["sh", "-c", "exec \"$@\" >/dev/null 2>&1 </dev/null", "sh"];
    for place in places {
        let argv: Vec<&str> = quiet.into_iter().chain(["sh", "-c", script, "sh", place]).collect();
        if cluster.exec(node, &argv, QUICK).map_err(|e| e.to_string())?.status != 0 {
            return Err(format!("a write to {place} does not hang"));
        }
    }
    Ok(format!("a write to {} hangs", places.join(" and to ")))
}

/// As an error of the disk does it: the kernel makes the file system read-only, whoever has files open.
pub(super) fn make_read_only(cluster: &Cluster, node: &str) -> Result<Trace> {
    let device = device_of(cluster, node, MOUNT_POINT)?;
    let trace = trace(cluster, node)?;
    let name = device.trim_start_matches("/dev/");
    let path = PathBuf::from(format!("/sys/fs/ext4/{name}/trigger_fs_error"));
    std::fs::write(&path, "quorate-lab").map_err(|source| LabError::File { path, source })?;
    Ok(trace)
}

pub(super) fn is_read_only(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    if info.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    if refuses_writes(cluster, node) {
        Ok(format!("{MOUNT_POINT} is read-only"))
    } else {
        Err(format!("{MOUNT_POINT} takes writes"))
    }
}

/// Whether the node's data disk is read-only. The kernel shows it in the mount's options, by one of two words.
fn refuses_writes(cluster: &Cluster, node: &str) -> bool {
    let argv = ["findmnt", "--noheadings", "--output", "FS-OPTIONS", "--mountpoint", MOUNT_POINT];
    cluster.exec(node, &argv, QUICK).is_ok_and(|out| read_only_in(&out.stdout))
}

fn read_only_in(options: &str) -> bool {
    options.trim().split(',').any(|word| word == "ro" || word == "emergency_ro")
}

/// Undoes all of it on a node that is on; says what it found.
pub(super) fn repair(cluster: &Cluster, node: &str, mut note: impl FnMut(String, Result<()>)) {
    for place in KINDS.map(|kind| kind.mount_point) {
        // It fails where nothing is frozen.
        let thawed = cluster.exec(node, &["fsfreeze", "--unfreeze", place], QUICK);
        if thawed.is_ok_and(|out| out.status == 0) {
            note(format!("{place} of {node} thawed"), Ok(()));
        }
    }
    // What the question whether writes hang has left.
    let argv = ["rm", "-f", "/var/lib/pacemaker/quorate-lab-touch", "/var/lib/corosync/quorate-lab-touch"];
    let _ = cluster.exec(node, &argv, QUICK);
    let argv = ["sh", "-c", "cd \"$1\" && rm -fv -- \"$2\".* quorate-lab-touch", "sh", MOUNT_POINT, FILLER];
    if !refuses_writes(cluster, node) {
        match cluster.exec(node, &argv, WRITE) {
            Ok(out) if out.stdout.contains(FILLER) => {
                note(format!("space in {MOUNT_POINT} of {node} given back"), Ok(()));
            }
            Ok(_) => {}
            Err(e) => note(format!("space in {MOUNT_POINT} of {node} given back"), Err(e)),
        }
        return;
    }
    // An error can be mended only by fsck, and that only while nobody has the file system mounted. First the cluster leaves
    // in order: a member that is reset would have to be fenced.
    if let Err(e) = cluster.stop_cluster(node) {
        note(format!("the cluster on {node} stopped"), Err(e));
    }
    note(format!("{node} reset, {MOUNT_POINT} checked and repaired"), cluster.reset(node));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_words_of_the_kernel_are_known() {
        assert!(read_only_in("rw,errors=remount-ro,emergency_ro\n"));
        assert!(read_only_in("ro,errors=remount-ro"));
        assert!(!read_only_in("rw,errors=remount-ro"));
    }
}
