//! What a fault is, and one that was injected.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::heal::heal;
use super::target::Target;
use super::trace::{Seen, Trace};
use super::{inject, isolate, signals};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::wait::{OnInterrupt, until};
use crate::machines::protocol::Impairment;
use crate::truth::Loss;
use quorate::layout::kind::Replication;
use quorate::layout::site::Site;

/// Whether writes may pause when it hits the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// How long is what is measured.
    Possible,
    /// Nobody may notice it.
    Forbidden,
}

/// Whether a node may be reset for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// It may be what helps.
    Possible,
    /// Nothing is broken: it must not be.
    Forbidden,
}

/// Whether a second server takes writes by the act itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forks {
    /// Two primaries are the worst that can happen.
    Never,
    /// A person starts or promotes one by hand. It is to be stopped soon, and nothing of the cluster's own may be lost.
    ByHand,
}

/// What a fault breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// The machine: any number of them at once, the witness too.
    Machine,
    /// Software or the disk of database nodes.
    Database,
    /// Nothing: it is an order to the cluster, given on the primary.
    Nothing,
}

/// What a cluster has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// What every cluster has.
    DatabaseNodes,
    /// A witness too, and on each node the quorum device's client.
    QuorumDevice,
}

/// Whom a fault disturbs beside the nodes that it is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbs {
    /// Nobody.
    OwnNodes,
    /// The witness, which several clusters may share.
    WitnessToo,
    /// All that runs on the host: the lab's nodes have no limit of processor time.
    Host,
}

/// From when on the outage counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsFrom {
    /// From the moment of the injection.
    Injection,
    /// From the last good write before the interruption: an order is given while all is well, and the
    /// time that pcs itself takes to start is no outage.
    LastGoodWrite,
}

/// Who goes on beside the clients in the lab's network when it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insiders {
    /// Nobody: a session inside would add rows that a power cut leaves no time for.
    None,
    /// A session on each primary that it hits, opened before from the node's own side of the cable: it needs no network, and
    /// no postmaster.
    Sessions,
}

/// What is expected of the service while the fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// A majority is left: writes have to be good again.
    #[default]
    MustReturn,
    /// What is left has no majority. To refuse is right, and two primaries would be wrong.
    MayStop,
}

/// How a fault is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// By functions of its own.
    Functions { inject: fn(&Cluster, &str) -> Result<Trace>, happened: fn(&Cluster, &str, &Trace) -> Seen },
    /// By a signal to processes.
    Signal(signals::Processes, signals::Signal),
    /// By loss of packets.
    Impair(Impairment),
    /// By a signal that stops processes; so much later the cable is pulled.
    StopThenUnlink(signals::Processes, Duration),
    /// The machine is paused for so long.
    Pause(Duration),
    /// The same, and sbd is stopped before.
    PauseWithoutSbd(Duration),
}

/// One kind of fault.
#[derive(Debug)]
pub struct Fault {
    /// As the command line names it.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// By what it is seen to have happened.
    pub evidence: &'static str,
    /// What was known of it, or expected, before it was measured here; "none stated" where nobody had said anything.
    pub cost: &'static str,
    /// What it cost on the layout `classic`, with the default timings, on its usual target, in one run.
    pub measured: &'static str,
    /// What it hits when nobody says it.
    pub usual_target: &'static str,
    /// What it breaks.
    pub breaks: Breaks,
    /// What a cluster has to have for it.
    pub needs: Needs,
    /// Whom it disturbs beside.
    pub disturbs: Disturbs,
    /// Whether acknowledged writes may be lost when it hits an asynchronous primary.
    pub(super) loss: Loss,
    /// Whether it makes a second server that takes writes.
    pub forks: Forks,
    /// Whether writes may pause when it hits the primary.
    pub pause: Pause,
    /// Whether a node that it hits may be reset.
    pub reset: Reset,
    /// From when on the outage counts.
    pub counts_from: CountsFrom,
    /// Who goes on inside a node that it cuts off.
    pub insiders: Insiders,
    /// How many machines are gone in the end, when it takes more than the one that it hits.
    pub(super) takes: usize,
    /// How long it may take until it can be seen.
    pub(super) happens_within: Duration,
    /// How long to look for a reaction of the cluster, when none shows: a hang may be noticed late.
    pub reacts_within: Duration,
    /// How long to wait for good writes.
    pub restored_within: Duration,
    /// It ends by itself after this time; what it did shows only then. Zero for one that lasts until it is healed.
    pub lasts: Duration,
    pub(super) how: How,
}

/// A fault that was injected. It is healed when this is dropped, unless [`Self::leave`] was called: also
/// after an error and after Ctrl-C.
#[derive(Debug)]
pub struct Injected<'a> {
    cluster: &'a Cluster,
    fault: &'static Fault,
    /// The nodes that it hit, each with what it left there.
    traces: Vec<(String, Trace)>,
    on_drop: OnDrop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDrop {
    Heal,
    Leave,
}

impl Fault {
    /// Whether acknowledged writes may be gone: never where a commit waits for another node, which is what it is for.
    #[must_use]
    pub fn loss(&self, replication: Replication) -> Loss {
        match replication {
            Replication::Asynchronous => self.loss,
            Replication::AnyOne | Replication::OtherCentreFirst => Loss::Forbidden,
        }
    }

    /// Injects the fault into nodes, into all of them at once.
    ///
    /// # Errors
    /// When it makes no sense there, or couldn't be done; what was half done is healed.
    pub fn inject<'a>(&'static self, cluster: &'a Cluster, nodes: &[String]) -> Result<Injected<'a>> {
        self.check(cluster, nodes)?;
        let mut injected = Injected { cluster, fault: self, traces: Vec::new(), on_drop: OnDrop::Heal };
        let results: Vec<Result<Trace>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                nodes.iter().map(|node| scope.spawn(|| self.inject_into(cluster, node))).collect();
            let ended =
                |_| Err(LabError::Host(format!("the thread that injects {} ended by itself", self.name)));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(ended)).collect()
        });
        for (node, trace) in nodes.iter().zip(results) {
            injected.traces.push((node.clone(), trace?));
        }
        Ok(injected)
    }

    /// Injects the fault into one node and leaves it there, even when it could not be done: who strikes twice must not heal
    /// the other one.
    ///
    /// # Errors
    /// As [`Self::inject`].
    pub fn strike(&'static self, cluster: &Cluster, node: &str) -> Result<()> {
        self.check(cluster, &[node.to_owned()])?;
        self.inject_into(cluster, node).map(drop)
    }

    /// What is expected of the service of this site while the fault lasts.
    #[must_use]
    pub fn service(&self, site: &Site) -> Service {
        let votes = site.nodes.len() + usize::from(site.witness.is_some());
        if 2 * votes.saturating_sub(self.takes) > votes { Service::MustReturn } else { Service::MayStop }
    }

    fn inject_into(&self, cluster: &Cluster, node: &str) -> Result<Trace> {
        match self.how {
            How::Functions { inject, .. } => inject(cluster, node),
            How::Signal(processes, signal) => signals::send(cluster, node, processes, signal),
            How::Impair(by) => inject::impair(cluster, node, by),
            How::StopThenUnlink(whom, after) => isolate::stop_then_unlink(cluster, node, whom, after),
            How::Pause(time) => inject::pause_machine(cluster, node, time),
            How::PauseWithoutSbd(time) => {
                signals::send(cluster, node, signals::Processes::Of("sbd"), signals::Signal::Stop)?;
                inject::pause_machine(cluster, node, time)
            }
        }
    }

    fn happened(&self, cluster: &Cluster, node: &str, trace: &Trace) -> Seen {
        match self.how {
            How::Functions { happened, .. } => happened(cluster, node, trace),
            How::Signal(_, signal) => signals::were_sent(cluster, node, signal, trace),
            How::Impair(by) => inject::packets_are_lost(cluster, node, by),
            How::StopThenUnlink(..) => isolate::is_cut_off(cluster, node, trace),
            How::Pause(_) | How::PauseWithoutSbd(_) => inject::stands_still(cluster, node, trace),
        }
    }

    fn check(&self, cluster: &Cluster, nodes: &[String]) -> Result<()> {
        let refused = |why: String| Err(LabError::Host(format!("{}: {why}", self.name)));
        if nodes.is_empty() {
            return refused("no node to hit".to_owned());
        }
        for node in nodes {
            if let Some(why) = self.does_not_apply(&Target::Node(node.clone()), cluster.site()) {
                return refused(format!("does not apply: {why}"));
            }
        }
        if self.breaks == Breaks::Nothing && nodes.len() > 1 {
            return refused(format!(
                "one order at a time; {} are {} nodes, use --target primary",
                nodes.join(", "),
                nodes.len()
            ));
        }
        Ok(())
    }
}

impl Injected<'_> {
    /// Waits until the fault can be seen on each node, and says by what.
    ///
    /// # Errors
    /// When it can't be seen in time: then whatever is measured afterwards is not this fault.
    pub fn wait_happened(&self) -> Result<String> {
        let mut seen: Vec<String> = Vec::new();
        for (node, trace) in &self.traces {
            let what = format!("{} on {node} seen to have happened", self.fault.name);
            let evidence = until(&what, self.fault.happens_within, OnInterrupt::Stop, || {
                self.fault.happened(self.cluster, node, trace)
            })?;
            seen.push(if self.traces.len() > 1 { format!("{node}: {evidence}") } else { evidence });
        }
        Ok(seen.join(", "))
    }

    /// All machines that it hit.
    #[must_use]
    pub fn hit(&self) -> Vec<String> {
        let mut hit: Vec<String> = self.traces.iter().map(|(node, _)| node.clone()).collect();
        hit.extend(self.traces.iter().flat_map(|(_, trace)| trace.others.iter().cloned()));
        hit
    }

    /// Whether the cluster has reset one of the machines since.
    #[must_use]
    pub fn has_reset(&self) -> bool {
        let booted = |(node, trace): &(String, Trace)| {
            trace.boots > 0 && self.cluster.node(node).is_ok_and(|info| info.boots > trace.boots)
        };
        self.traces.iter().any(booted)
    }

    /// Leaves the fault in place.
    pub fn leave(mut self) {
        self.on_drop = OnDrop::Leave;
    }
}

impl Drop for Injected<'_> {
    fn drop(&mut self) {
        if self.on_drop == OnDrop::Heal {
            let healed = heal(self.cluster);
            for problem in healed.problems {
                eprintln!("healing {}: {problem}", self.fault.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::by_name;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    #[test]
    fn what_another_node_has_is_never_lost() {
        let fault = by_name("power-off").expect("there is one");
        assert_eq!(fault.loss(Replication::Asynchronous), Loss::Possible);
        assert_eq!(fault.loss(Replication::AnyOne), Loss::Forbidden);
        assert_eq!(fault.loss(Replication::OtherCentreFirst), Loss::Forbidden);
    }

    #[test]
    fn without_a_majority_there_need_be_no_service() {
        let service = |fault, kind| by_name(fault).expect(fault).service(&site(kind));
        assert_eq!(service("power-off", Kind::Classic), Service::MustReturn);
        assert_eq!(service("witness-then-node", Kind::Classic), Service::MayStop);
        assert_eq!(service("second-fault", Kind::ThreeCentres), Service::MayStop);
        assert_eq!(service("second-fault", Kind::ManyReplicas), Service::MustReturn);
    }
}
