//! The handle on a cluster that is up: what faults, tests, the demo and the command line build on.

use super::observation::Observation;
use crate::host::error::{LabError, Result};
use crate::host::paths::ClusterName;
use crate::host::run::{self, Output};
use crate::host::wait::{OnInterrupt, until};
use crate::machines::delay::Delay;
use crate::machines::description::Description;
use crate::machines::protocol::{
    Activity, Answer, Cable, ClusterInfo, Event, Impairment, NodeInfo, NodeKind, Power, Request, Watchdog,
};
use crate::machines::sharing::Neighbour;
use quorate::layout::site::{Site, Witness};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that the supervisor may take for an answer: a power operation with a boot, which has two waits of a minute at most.
const ANSWER_DEADLINE: Duration = Duration::from_secs(140);
/// The time that `systemctl start pacemaker` may take: it fails by itself after 90 s when sbd isn't ready.
const START_DEADLINE: Duration = Duration::from_secs(100);

/// A look at a cluster, and when it was taken.
pub type Look = (Instant, Arc<Observation>);

/// A client of a cluster's supervisor. Cheap to clone; every request makes a connection of its own, so
/// that one handle can be used from several threads.
#[derive(Debug, Clone)]
pub struct Cluster {
    name: ClusterName,
    /// The supervisor's process id.
    supervisor: i32,
    site: Arc<Site>,
    /// The cluster that runs the witness, when it isn't this one.
    lender: Option<ClusterName>,
    newest: Arc<Mutex<Option<Look>>>,
}

impl Cluster {
    /// The handle on the cluster of that name. Fails when its supervisor does not answer.
    pub fn connect(name: &str) -> Result<Cluster> {
        let name = ClusterName::parse(name)?;
        let info = match Connection::open(&name)?.ask(&Request::Info)? {
            Answer::Info { info } => info,
            other => return Err(unexpected(&other)),
        };
        let site = match Connection::open(&name)?.ask(&Request::Site)? {
            Answer::Site { description } => description.site()?,
            other => return Err(unexpected(&other)),
        };
        let lender = info.lender.as_deref().map(ClusterName::parse).transpose()?;
        Ok(Cluster {
            name,
            supervisor: info.supervisor,
            site: Arc::new(site),
            lender,
            newest: Arc::default(),
        })
    }

    /// The name in the lab.
    #[must_use]
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// What the cluster is to be.
    #[must_use]
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Notes the newest look at the cluster, for [`Self::newest`].
    pub fn note(&self, seen: &Observation) {
        let newest = Some((Instant::now(), Arc::new(seen.clone())));
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
    }

    /// The newest look that was taken with this handle or a clone of it, and when: whoever only shows the cluster need not
    /// ask the nodes again while a test does so.
    #[must_use]
    pub fn newest(&self) -> Option<Look> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The witness, when another cluster runs it.
    fn borrowed(&self) -> Option<(&ClusterName, &Witness)> {
        self.lender.as_ref().zip(self.site.witness.as_ref())
    }

    /// The cluster whose supervisor runs this machine.
    fn owner(&self, node: &str) -> &ClusterName {
        match self.borrowed() {
            Some((lender, witness)) if witness.name == node => lender,
            Some(_) | None => &self.name,
        }
    }

    /// The description that the cluster was brought up from.
    pub fn description(&self) -> Result<Description> {
        match self.ask(&Request::Site)? {
            Answer::Site { description } => Ok(description),
            other => Err(unexpected(&other)),
        }
    }

    /// Whether the newcomer could use this cluster's witness; the error says why not.
    pub fn may_lend_to(&self, newcomer: &Neighbour) -> Result<()> {
        self.done(&Request::MayBorrow { newcomer: newcomer.clone() })
    }

    /// What was brought up: layout, suite, agent, timing.
    pub fn info(&self) -> Result<ClusterInfo> {
        match self.ask(&Request::Info)? {
            Answer::Info { info } => Ok(info),
            other => Err(unexpected(&other)),
        }
    }

    /// All the nodes, the witness last. A borrowed witness whose lender is gone is powered off.
    pub fn nodes(&self) -> Result<Vec<NodeInfo>> {
        let mut nodes = nodes_of(&self.name)?;
        if let Some((lender, witness)) = self.borrowed() {
            let there = nodes_of(lender).unwrap_or_default().into_iter().find(|n| n.name == witness.name);
            nodes.push(there.unwrap_or_else(|| gone(witness)));
        }
        Ok(nodes)
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Result<NodeInfo> {
        // Of its own machines the lender need not be asked: this is done before each command in a node.
        let own = nodes_of(&self.name)?;
        if let Some(found) = own.into_iter().find(|n| n.name == name) {
            return Ok(found);
        }
        let nodes = self.nodes()?;
        let known: Vec<String> = nodes.iter().map(|n| n.name.clone()).collect();
        nodes.into_iter().find(|n| n.name == name).ok_or_else(|| LabError::NoSuchNode {
            cluster: self.name.to_string(),
            node: name.to_owned(),
            known: known.join(", "),
        })
    }

    /// What happened to the nodes so far, in the order of time.
    pub fn events(&self) -> Result<Vec<Event>> {
        let mut events = events_of(&self.name)?;
        if let Some((lender, witness)) = self.borrowed() {
            let there = events_of(lender).unwrap_or_default();
            events.extend(there.into_iter().filter(|e| e.node == witness.name));
            events.sort_by_key(|e| e.at);
        }
        Ok(events)
    }

    /// The lab's network namespace. A client enters it (one thread, by setns) to stand on the nodes' network, where it
    /// can reach the float IPs.
    pub fn netns(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.supervisor).into()
    }

    /// Runs a command inside a node, as root with a clean environment. The exit code is in the result;
    /// an error means that the command didn't run, or not to its end within `timeout`.
    pub fn exec<S: AsRef<str>>(&self, node: &str, argv: &[S], timeout: Duration) -> Result<Output> {
        self.exec_with_input(node, argv, None, timeout)
    }

    /// As [`Self::exec`], with a text on the command's standard input.
    pub fn exec_with_input<S: AsRef<str>>(
        &self,
        node: &str,
        argv: &[S],
        input: Option<&str>,
        timeout: Duration,
    ) -> Result<Output> {
        let leader = self.node(node)?.leader.ok_or_else(|| LabError::PoweredOff(node.to_owned()))?;
        run::run(&run::enter(leader, argv), input, timeout)
    }

    /// Cuts the node's power: the cable first, then every process. Nothing inside gets to know.
    pub fn power_off(&self, node: &str) -> Result<()> {
        self.change(node, |node| Request::PowerOff { node })
    }

    /// Gives the node its power again and waits until its system runs. The cluster's services stay off.
    pub fn power_on(&self, node: &str) -> Result<()> {
        self.change(node, |node| Request::PowerOn { node })
    }

    /// Cuts the power and gives it again.
    pub fn reset(&self, node: &str) -> Result<()> {
        self.change(node, |node| Request::Reset { node })
    }

    /// Pulls the node's network cable.
    pub fn unlink(&self, node: &str) -> Result<()> {
        self.change(node, |node| Request::Unlink { node })
    }

    /// Puts the node's network cable in again.
    pub fn link(&self, node: &str) -> Result<()> {
        self.change(node, |node| Request::Link { node })
    }

    /// Lets the node's cables lose packets.
    pub fn impair(&self, node: &str, by: Impairment) -> Result<()> {
        self.change(node, |node| Request::Impair { node, by })
    }

    /// Makes the node's cables slow, or as quick as they were.
    pub fn delay(&self, node: &str, by: Option<Delay>) -> Result<()> {
        self.change(node, |node| Request::Delay { node, by })
    }

    /// Breaks the network between two sets of the cluster's own machines; everybody else reaches both.
    pub fn part(&self, sides: [Vec<String>; 2]) -> Result<()> {
        done(&self.name, &Request::Part { sides })
    }

    /// Makes the network whole again.
    pub fn reunite(&self) -> Result<()> {
        done(&self.name, &Request::Reunite)
    }

    /// Stops every process of the node at once; the watchdog's clock goes on.
    pub fn freeze(&self, node: &str) -> Result<()> {
        self.change(node, |node| Request::Freeze { node })
    }

    /// Lets the node's processes go on.
    pub fn thaw(&self, node: &str) -> Result<()> {
        self.change(node, |node| Request::Thaw { node })
    }

    /// Pauses the node as a hypervisor pauses a machine, its watchdogs with it; it goes on by itself after this time.
    pub fn pause(&self, node: &str, time: Duration) -> Result<()> {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.change(node, |node| Request::Pause { node, ms })
    }

    /// Starts the cluster's services on a node, as `pcs cluster start` does: Pacemaker with corosync, sbd and
    /// the quorum device's client; on the witness the quorum device's server.
    pub fn start_cluster(&self, node: &str) -> Result<()> {
        let units = self.services(self.node(node)?.kind);
        // A machine that was just reset has its init, and nobody in it to ask yet.
        until("an answer of its systemd", START_DEADLINE, OnInterrupt::GoOn, || {
            match self.exec(node, &["systemctl", "show", "--property=Version"], Duration::from_secs(5)) {
                Ok(out) if out.status == 0 => Ok(()),
                Ok(out) => Err(out.stderr),
                Err(e) => Err(e.to_string()),
            }
        })?;
        let argv: Vec<&str> = ["systemctl", "start"].iter().chain(units).copied().collect();
        self.exec(node, &argv, START_DEADLINE)?.success(&argv.join(" ")).map(drop)
    }

    /// The cluster's services on a node of this kind.
    #[must_use]
    pub fn services(&self, kind: NodeKind) -> &'static [&'static str] {
        match kind {
            NodeKind::Database if self.site.witness.is_none() => &["corosync", "pacemaker"],
            NodeKind::Database => &["corosync", "corosync-qdevice", "pacemaker"],
            NodeKind::Witness => &["corosync-qnetd"],
        }
    }

    /// Stops the cluster's services on a node in the orderly way.
    pub fn stop_cluster(&self, node: &str) -> Result<()> {
        let argv = ["systemctl", "stop", "pacemaker", "corosync-qdevice", "corosync"];
        self.exec(node, &argv, START_DEADLINE)?.success(&argv.join(" ")).map(drop)
    }

    /// `crm_mon` as XML, from the first database node that answers. A node is asked for no longer than 5 s.
    pub fn crm_mon(&self) -> Result<String> {
        let mut last = LabError::Host("no database node is powered on".to_owned());
        for node in self.nodes()? {
            if node.kind != NodeKind::Database || node.power == Power::Off {
                continue;
            }
            match self.crm_mon_from(&node.name) {
                Ok(xml) => return Ok(xml),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// `crm_mon` as XML, as this node sees the cluster.
    pub fn crm_mon_from(&self, node: &str) -> Result<String> {
        let argv = ["crm_mon", "--one-shot", "--output-as=xml", "--include=all"];
        self.exec(node, &argv, Duration::from_secs(5))?.success("crm_mon")
    }

    /// Powers all nodes off, and keeps their disks in this new directory as what fresh disks are laid over.
    pub fn keep_disks(&self, prepared: &Path) -> Result<()> {
        self.done(&Request::Keep { prepared: prepared.to_owned() })
    }

    /// Ends the cluster and waits until everything of it is gone.
    pub fn down(&self) -> Result<()> {
        self.done(&Request::Down)
    }

    fn done(&self, request: &Request) -> Result<()> {
        done(&self.name, request)
    }

    /// Asks for something that is done to a machine.
    fn change(&self, node: &str, request: impl FnOnce(String) -> Request) -> Result<()> {
        done(self.owner(node), &request(node.to_owned()))
    }

    fn ask(&self, request: &Request) -> Result<Answer> {
        Connection::open(&self.name)?.ask(request)
    }
}

/// One connection to a supervisor.
pub struct Connection {
    reader: BufReader<UnixStream>,
}

impl Connection {
    /// Connects to the supervisor of the cluster of that name.
    pub fn open(name: &ClusterName) -> Result<Connection> {
        let stream = UnixStream::connect(name.control_socket())
            .map_err(|_| LabError::NoSuchCluster(name.as_str().to_owned()))?;
        let bound = |e: std::io::Error| LabError::Supervisor(e.to_string());
        stream.set_read_timeout(Some(ANSWER_DEADLINE)).map_err(bound)?;
        stream.set_write_timeout(Some(ANSWER_DEADLINE)).map_err(bound)?;
        Ok(Connection { reader: BufReader::new(stream) })
    }

    /// Sends a request and waits for its answer. An [`Answer::Failed`] becomes an error.
    pub fn ask(&mut self, request: &Request) -> Result<Answer> {
        let broken = |e: String| LabError::Supervisor(e);
        let mut line = serde_json::to_string(request).map_err(|e| broken(e.to_string()))?;
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes()).map_err(|e| broken(e.to_string()))?;
        let mut answer = String::new();
        let started = Instant::now();
        self.reader
            .read_line(&mut answer)
            .map_err(|e| broken(format!("no answer to {request:?} in {:.1?}: {e}", started.elapsed())))?;
        match serde_json::from_str(&answer) {
            Ok(Answer::Failed { reason }) => Err(broken(reason)),
            Ok(answer) => Ok(answer),
            Err(e) => Err(broken(format!("answered {answer:?} to {request:?}: {e}"))),
        }
    }
}

fn done(name: &ClusterName, request: &Request) -> Result<()> {
    match Connection::open(name)?.ask(request)? {
        Answer::Done => Ok(()),
        other => Err(unexpected(&other)),
    }
}

fn nodes_of(name: &ClusterName) -> Result<Vec<NodeInfo>> {
    match Connection::open(name)?.ask(&Request::Nodes)? {
        Answer::Nodes { nodes } => Ok(nodes),
        other => Err(unexpected(&other)),
    }
}

fn events_of(name: &ClusterName) -> Result<Vec<Event>> {
    match Connection::open(name)?.ask(&Request::Events)? {
        Answer::Events { events } => Ok(events),
        other => Err(unexpected(&other)),
    }
}

/// A witness whose lender does not answer.
fn gone(witness: &Witness) -> NodeInfo {
    NodeInfo {
        name: witness.name.clone(),
        address: witness.address,
        kind: NodeKind::Witness,
        power: Power::Off,
        cable: Cable::Linked,
        impairment: Impairment::NONE,
        delay: None,
        late_packets: 0,
        apart_from: Vec::new(),
        lost_packets: 0,
        activity: Activity::Running,
        watchdog: Watchdog::Idle,
        second_watchdog: Watchdog::Idle,
        leader: None,
        boots: 0,
        cgroups: Vec::new(),
    }
}

fn unexpected(answer: &Answer) -> LabError {
    LabError::Supervisor(format!("an answer that doesn't fit the request: {answer:?}"))
}
