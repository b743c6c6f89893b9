//! A node whose wall clock steps, as where a time server was wrong, or is right again: nothing is broken.

use std::path::PathBuf;
use std::time::Duration;

use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::machines::clock;
use crate::machines::protocol::Stamp;

/// Longer than any wait of the cluster's: what counts by the wall clock is over at once, or does not end while it is looked at.
const STEP_S: i64 = 600;
/// A busy node is asked, and the host's clock is read before.
const ABOUT_S: i64 = 30;
/// For a command inside the node that only looks.
const QUICK: Duration = Duration::from_secs(10);

/// Tells who of those that the cluster lives by has another clock, and then the time.
const ASK: &str = "for pid in $(pgrep '^(corosync|sbd|pacemaker|quorated|postgres)'); do \
    if [ -e /proc/$pid/maps ] && ! grep -q /run/quorate-lab/clock /proc/$pid/maps; then cat /proc/$pid/comm; fi; done; \
    date +now=%s";

pub(super) fn forward(cluster: &Cluster, node: &str) -> Result<Trace> {
    step(cluster, node, STEP_S)
}

pub(super) fn back(cluster: &Cluster, node: &str) -> Result<Trace> {
    step(cluster, node, -STEP_S)
}

fn step(cluster: &Cluster, node: &str, by: i64) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    let file = file(cluster, node);
    clock::set_ahead(&file, clock::ahead(&file)?.saturating_add(by))?;
    Ok(Trace { boots, ..Trace::default() })
}

fn file(cluster: &Cluster, node: &str) -> PathBuf {
    cluster.name().node_run_dir(node).join(clock::FILE)
}

pub(super) fn has_stepped(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    if cluster.node(node).map_err(|e| e.to_string())?.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    let ahead = clock::ahead(&file(cluster, node)).map_err(|e| e.to_string())?;
    let host = i64::try_from(Stamp::now().wall_us / 1_000_000).unwrap_or(i64::MAX);
    let told = cluster.exec(node, &["sh", "-c", ASK], QUICK).and_then(|out| out.success("date"));
    judge(&told.map_err(|e: LabError| e.to_string())?, host, ahead)
}

/// What the node tells, against the host's time when it was asked.
fn judge(told: &str, host: i64, ahead: i64) -> Seen {
    let (mut others, mut now) = (Vec::new(), None);
    for line in told.lines() {
        match line.strip_prefix("now=") {
            Some(seconds) => now = seconds.parse::<i64>().ok(),
            None => others.push(line),
        }
    }
    let now = now.ok_or_else(|| format!("the node does not tell its time: {told:?}"))?;
    if !others.is_empty() {
        return Err(format!("not by this clock: {}", others.join(", ")));
    }
    let off = now.saturating_sub(host);
    if ahead == 0 || (off - ahead).abs() > ABOUT_S {
        return Err(format!("the node's clock is {off} s ahead, and {ahead} s were meant"));
    }
    Ok(format!("the clock of all that runs there is {off} s ahead of the others'"))
}

/// Sets the clock of a node right; says what it found.
pub(super) fn repair(cluster: &Cluster, node: &str, mut note: impl FnMut(String, Result<()>)) {
    let file = file(cluster, node);
    match clock::ahead(&file) {
        Ok(0) => {}
        Ok(ahead) => {
            note(format!("the clock of {node} is right, {ahead} s less"), clock::set_ahead(&file, 0));
        }
        Err(e) => note(format!("the clock of {node} is right"), Err(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seen_by_the_time_and_by_who_has_it() {
        let host = 1_795_900_000;
        assert!(judge("now=1795900601\n", host, 600).is_ok());
        assert!(judge("now=1795899401\n", host, -600).is_ok());
        for (told, ahead, why) in [
            ("now=1795900001\n", 600, "1 s ahead, and 600 s were meant"),
            ("now=1795900001\n", 0, "0 s were meant"),
            ("postgres\nsbd\nnow=1795900601\n", 600, "not by this clock: postgres, sbd"),
            ("", 600, "does not tell"),
        ] {
            let said = judge(told, host, ahead).expect_err(told);
            assert!(said.contains(why), "{said}");
        }
    }
}
