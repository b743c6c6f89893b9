//! A node whose memory is used up: the kernel's killer chooses a process of those that the cluster lives by.
//!
//! A hog in the node takes memory up to the limit of the node's control groups. The victim is the killer's first choice by its
//! `oom_score_adj`, as one is that has grown itself; the hog is the next, and ends as soon as the victim is gone.

use std::fs;
use std::time::Duration;

use super::signals::{self, Processes, Signal};
use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};

/// A gigabyte is touched in a second; a host that is busy needs longer.
const HOG: Duration = Duration::from_secs(60);
/// The file's name is that of the old hierarchy and of the unified one.
const COUNTERS: [&str; 2] = ["memory.oom_control", "memory.events"];

/// The hog. The victim's state is read, for one that is killed and not yet waited for is still there.
const TAKE: &str = "my $victim = shift; my @taken; \
    sub adjust { open(my $f, '>', \"/proc/$_[0]/oom_score_adj\") or die \"oom_score_adj of $_[0]: $!\"; print $f $_[1]; close($f) or die $! } \
    adjust($victim, 1000); \
    my $end = time + 45; \
    while (open(my $f, '<', \"/proc/$victim/stat\")) { \
        my $stat = <$f> // ''; last if $stat eq '' or $stat =~ /\\) [ZX] /; \
        push @taken, 'x' x 4194304; die \"nothing was killed\" if time > $end; \
    }";

pub(super) fn kills_postmaster(cluster: &Cluster, node: &str) -> Result<Trace> {
    exhaust(cluster, node, Processes::POSTMASTER)
}

pub(super) fn kills_quorated(cluster: &Cluster, node: &str) -> Result<Trace> {
    exhaust(cluster, node, Processes::Like("^/usr/s?bin/quorated( |$)"))
}

pub(super) fn kills_corosync(cluster: &Cluster, node: &str) -> Result<Trace> {
    exhaust(cluster, node, Processes::Of("corosync"))
}

fn exhaust(cluster: &Cluster, node: &str, whom: Processes) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    let kills = kills(cluster, node)?;
    let victim = signals::find(cluster, node, whom)?.into_iter().find(|pid| *pid > 1);
    let victim = victim.ok_or_else(|| {
        LabError::Host(format!(
            "what is to be killed does not run on {node}; choose another --target or fault"
        ))
    })?;
    // In a unit of the node's own: a process that the lab starts there is not in the node's control groups.
    let pid = victim.to_string();
    // systemd takes two dollars for one.
    let program = TAKE.replace('$', "$$");
    let argv = ["systemd-run", "--quiet", "--collect", "--wait", "perl", "-e", &program, &pid];
    // A node that is reset meanwhile takes the command with it; whether it happened shows below.
    let _ = cluster.exec(node, &argv, HOG)?;
    Ok(Trace { processes: vec![victim], boots, kills, ..Trace::default() })
}

/// How many processes of the node the kernel's killer has killed.
fn kills(cluster: &Cluster, node: &str) -> Result<u64> {
    let groups = cluster.node(node)?.cgroups;
    let files = groups.iter().flat_map(|dir| COUNTERS.map(|file| dir.join(file)));
    let text = files.filter_map(|file| fs::read_to_string(file).ok()).collect::<Vec<_>>().join("\n");
    counted(&text).ok_or_else(|| {
        LabError::Host(format!("{node} has no control group that counts what the kernel's killer killed"))
    })
}

fn counted(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

pub(super) fn was_chosen(cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
    if cluster.node(node).map_err(|e| e.to_string())?.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    let killed = kills(cluster, node).map_err(|e| e.to_string())?.saturating_sub(trace.kills);
    if killed == 0 {
        return Err("the kernel has killed nothing".to_owned());
    }
    signals::were_sent(cluster, node, Signal::Kill, trace)
        .map(|_| format!("the kernel killed {killed} processes for their memory, the one that was meant too"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_count() {
        assert_eq!(counted("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(counted("low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n"), Some(1));
        assert_eq!(counted(""), None);
    }
}
