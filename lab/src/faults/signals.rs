//! Faults by signals: a process that hangs or dies.

use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::machines::protocol::Power;
use std::time::Duration;

/// For a command inside a node that only looks or sends a signal.
const QUICK: Duration = Duration::from_secs(10);
/// The kernel keeps so much of a process's name.
const NAME_LENGTH: usize = 15;

/// Which processes of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Processes {
    /// All of this program.
    Of(&'static str),
    /// Those whose command line matches.
    Like(&'static str),
}

impl Processes {
    /// Everything of PostgreSQL's, of all instances.
    pub(super) const POSTGRES: Self = Self::Of("postgres");
    /// The children's titles begin with "postgres:".
    pub(super) const POSTMASTER: Self = Self::Like("^[^ ]*/bin/postgres ");
    pub(super) const WALRECEIVER: Self = Self::Like("^postgres: .*walreceiver");

    /// As pgrep and pkill take it.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Of(name) => ["-x", name.get(..NAME_LENGTH).unwrap_or(name)],
            Self::Like(pattern) => ["-f", pattern],
        }
    }

    /// In words for people.
    fn called(self) -> String {
        match self {
            Self::Of(name) => format!("process of {name}"),
            Self::Like(pattern) => format!("process whose command line is like {pattern}"),
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// They hang: they are there and do nothing.
    Stop,
    /// They die.
    Kill,
}

impl Signal {
    fn word(self) -> &'static str {
        match self {
            Self::Stop => "-STOP",
            Self::Kill => "-KILL",
        }
    }
}

/// The process ids, within the node.
pub(super) fn find(cluster: &Cluster, node: &str, processes: Processes) -> Result<Vec<i32>> {
    let [how, whom] = processes.words();
    let out = cluster.exec(node, &["pgrep", how, whom], QUICK)?;
    // 1: there is none.
    if out.status == 1 {
        return Ok(Vec::new());
    }
    Ok(out.success("pgrep")?.split_whitespace().filter_map(|word| word.parse().ok()).collect())
}

pub(super) fn send(cluster: &Cluster, node: &str, processes: Processes, signal: Signal) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    let found = find(cluster, node, processes)?;
    if found.is_empty() {
        return Err(LabError::Host(format!(
            "no {} runs on {node}, so this fault can't be injected there: nothing to send {} to; choose another --target or fault",
            processes.called(),
            signal.word()
        )));
    }
    // One process sends all the signals, so that a parent has no time to react to its children's end. Those
    // that were forked in between are caught by the name.
    let [how, whom] = processes.words();
    cluster.exec(node, &["pkill", signal.word(), how, whom], QUICK)?.success("pkill")?;
    Ok(Trace { processes: found, boots, ..Trace::default() })
}

pub(super) fn were_sent(cluster: &Cluster, node: &str, signal: Signal, trace: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    if info.power == Power::Off {
        return Ok("the node is off".to_owned());
    }
    // Its process ids mean others now.
    if info.boots > trace.boots {
        return Ok("the node was reset since".to_owned());
    }
    let pids: Vec<String> = trace.processes.iter().map(i32::to_string).collect();
    // ps fails when none of them is left.
    let out = cluster.exec(node, &["ps", "-o", "stat=", "-p", &pids.join(",")], QUICK);
    let out = out.map_err(|e| e.to_string())?.stdout;
    judge(signal, trace.processes.len(), &out.split_whitespace().collect::<Vec<&str>>())
}

/// What the states of those that are left say.
fn judge(signal: Signal, all: usize, states: &[&str]) -> Seen {
    let dead = states.iter().filter(|s| s.starts_with('Z')).count() + all.saturating_sub(states.len());
    let stopped = states.iter().filter(|s| s.starts_with('T')).count();
    match signal {
        Signal::Kill if dead == all => Ok(format!("all {all} processes are gone")),
        Signal::Kill => Err(format!("{} of {all} processes are still there", all - dead)),
        // Gone is stopped and then killed by the cluster, which may be quick.
        Signal::Stop if stopped + dead == all => Ok(format!("{stopped} processes are stopped")),
        Signal::Stop => Err(format!("{} of {all} processes are not stopped", all - dead - stopped)),
    }
}

/// The processes of a node that are stopped, whoever did it.
pub(super) fn stopped(cluster: &Cluster, node: &str) -> Vec<String> {
    let out = cluster.exec(node, &["ps", "-e", "-o", "stat=,pid="], QUICK);
    out.map_or_else(|_| Vec::new(), |out| stopped_in(&out.stdout))
}

fn stopped_in(ps: &str) -> Vec<String> {
    let pid = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().filter(|state| state.starts_with('T'))?;
        words.next().map(str::to_owned)
    };
    ps.lines().filter_map(pid).collect()
}

/// Lets these processes of a node go on.
pub(super) fn go_on(cluster: &Cluster, node: &str, pids: &[String]) -> Result<()> {
    let mut argv = vec!["kill", "-CONT"];
    argv.extend(pids.iter().map(String::as_str));
    // One that has ended meanwhile makes it fail: the others went on all the same.
    let out = cluster.exec(node, &argv, QUICK)?;
    if out.stderr.contains("No such process") { Ok(()) } else { out.success("kill -CONT").map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_the_kernel_keeps_them() {
        assert_eq!(Processes::Of("pacemaker-controld").words(), ["-x", "pacemaker-contr"]);
        assert_eq!(Processes::Of("sbd").words(), ["-x", "sbd"]);
    }

    #[test]
    fn states_are_judged() {
        assert!(judge(Signal::Stop, 2, &["T", "Tl"]).is_ok());
        assert!(judge(Signal::Stop, 2, &["T"]).is_ok(), "one was killed already");
        assert!(judge(Signal::Stop, 2, &["T", "S"]).is_err());
        assert!(judge(Signal::Kill, 2, &["Z"]).is_ok());
        assert!(judge(Signal::Kill, 2, &["T"]).is_err());
    }

    #[test]
    fn stopped_processes_are_found() {
        assert_eq!(stopped_in("Ss       1\nT   12\nTl  345\nt   6\n"), ["12", "345"]);
    }
}
