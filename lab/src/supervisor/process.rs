//! The background process of a cluster: it owns the nodes, their watchdogs and the network, and answers on the control
//! socket. It has a mount namespace of its own, so that the nodes' disks vanish from the host when it dies, and a network
//! namespace of its own, which is the nodes' network.

use crate::cluster::handle::Connection;
use crate::host::error::{LabError, Result};
use crate::host::paths::ClusterName;
use crate::machines::cgroup::Host;
use crate::machines::cleanup::Claim;
use crate::machines::description::Description;
use crate::machines::disk::{self, Base, Payload};
use crate::machines::image::Content;
use crate::machines::journal::Journal;
use crate::machines::net;
use crate::machines::node::Node;
use crate::machines::plan::{self, Machine, WitnessIs};
use crate::machines::protocol::{Answer, ClusterInfo, Happening, NodeInfo, Phase, PowerLoss, Request, Stamp};
use crate::machines::sharing::{self, Neighbour};
use ipnet::IpNet;
use quorate::layout::site::Site;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Whoever started the supervisor has this long to take hold of it.
const HOLD_DEADLINE: Duration = Duration::from_secs(30);
/// How long an answer may stay unread.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// What the supervisor has to bring up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    pub name: String,
    pub description: Description,
    pub suite: String,
    pub agent: String,
    pub template: PathBuf,
    /// What it has.
    pub content: Content,
    /// Prepared disks to start from.
    pub prepared: Option<PathBuf>,
    pub watchdog_library: PathBuf,
    pub clock_library: PathBuf,
    pub package: PathBuf,
    /// The cluster whose witness is used.
    pub lender: Option<String>,
}

/// Why the supervisor ends.
enum End {
    /// A client asked for it and waits for the answer.
    Asked(LastWord),
    /// Whoever held the cluster has gone.
    Abandoned,
    /// SIGTERM or SIGINT.
    Signalled,
}

/// The answer to whoever asked for the end.
struct LastWord {
    answer: Sender<Answer>,
    /// Closed once it has been written: the process may end then.
    written: Receiver<()>,
}

struct Supervisor {
    nodes: Vec<Arc<Node>>,
    description: Description,
    /// This cluster as a neighbour, and those that use its witness; none where it has no witness of its own.
    neighbours: Mutex<Vec<Neighbour>>,
    base: Base,
    payload: Payload,
    journal: Arc<Journal>,
    /// The two sides of a network that is broken between them.
    sides: Mutex<Option<[Vec<String>; 2]>>,
    info: Mutex<ClusterInfo>,
    end: Sender<End>,
    held: Mutex<bool>,
}

/// Runs a supervisor to its end.
pub fn run(order: &Order) -> Result<()> {
    let name = ClusterName::parse(&order.name)?;
    let claim = Claim::take(&name)?;
    claim.clean()?;
    let result = supervise(order, &name);
    let cleaned = claim.clean();
    let ended = match result.and_then(|reply| cleaned.map(|()| reply)) {
        Ok(Some(last)) => {
            let _ = last.answer.send(Answer::Done);
            let _ = last.written.recv_timeout(WRITE_DEADLINE);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(e) => Err(e),
    };
    // Last: whoever waits for the end waits for this.
    claim.release();
    ended
}

fn supervise(order: &Order, name: &ClusterName) -> Result<Option<LastWord>> {
    let host = Host::detect()?;
    let journal = Arc::new(Journal::default());
    let (end, ends) = channel();
    watch_signals(end.clone())?;
    let site = order.description.site()?;
    net::create(site.networks.len())?;
    std::fs::create_dir_all(name.run_dir())
        .map_err(|source| LabError::File { path: name.run_dir(), source })?;
    disk::ensure_host_machine_id(&name.run_dir())?;
    let payload = Payload {
        watchdog: order.watchdog_library.clone(),
        clock: order.clock_library.clone(),
        package: order.package.clone(),
    };
    let base =
        Base { template: order.template.clone(), content: order.content, prepared: order.prepared.clone() };
    let place = enter_network(order, &site)?;
    let mut nodes = Vec::new();
    for machine in place.machines {
        nodes.push(Node::create(name, machine, &base, &payload, host, journal.clone())?);
    }
    let info = ClusterInfo {
        name: order.name.clone(),
        layout: site.kind.name().to_owned(),
        suite: order.suite.clone(),
        agent: order.agent.clone(),
        timing: site.profile.preset.name().to_owned(),
        supervisor: std::process::id() as i32,
        phase: Phase::SettingUp,
        lender: order.lender.clone(),
        borrowers: Vec::new(),
        since: Stamp::now(),
    };
    let supervisor = Arc::new(Supervisor {
        nodes,
        description: order.description.clone(),
        neighbours: Mutex::new(place.own.into_iter().collect()),
        base,
        payload,
        journal,
        sides: Mutex::new(None),
        info: Mutex::new(info),
        end,
        held: Mutex::new(false),
    });
    let result = listen(&supervisor, name).and_then(|()| supervisor.wait(&ends));
    set(&supervisor.info, |i| i.phase = Phase::GoingDown);
    // All nodes are tried; the first error is given.
    let workers: Vec<_> = supervisor
        .nodes
        .iter()
        .map(|n| {
            let node = n.clone();
            std::thread::spawn(move || node.remove())
        })
        .collect();
    let gone = |w: std::thread::JoinHandle<Result<()>>| {
        w.join()
            .unwrap_or_else(|_| Err(LabError::Host("a thread that removed a node ended by itself".into())))
    };
    let removed: Vec<Result<()>> = workers.into_iter().map(gone).collect();
    let end = result?;
    removed.into_iter().collect::<Result<()>>()?;
    Ok(end)
}

/// Where a cluster is in the networks.
struct Place {
    machines: Vec<Machine>,
    /// This cluster as a lender of its witness.
    own: Option<Neighbour>,
    /// Open as long as the witness is borrowed.
    _borrowed: Option<Connection>,
}

/// Gives the client its address; joins the lender's network where the witness is borrowed.
fn enter_network(order: &Order, site: &Site) -> Result<Place> {
    let template = order.template.display().to_string();
    let witness_is = if order.lender.is_some() { WitnessIs::Borrowed } else { WitnessIs::Own };
    let neighbour = Neighbour::of(&order.name, site, witness_is, &template);
    let network =
        site.networks.first().ok_or_else(|| LabError::Host(format!("site {} has no network", site.name)))?;
    let stand_at = |address: IpAddr| {
        let address = IpNet::new(address, network.prefix_len()).map_err(|e| LabError::Host(e.to_string()))?;
        net::stand_at(address)
    };
    let machines = plan::machines(site, witness_is);
    let Some(lender) = &order.lender else {
        let client = plan::client_address(site).ok_or_else(|| {
            LabError::Host(format!("no address is left for the measuring client in {network}"))
        })?;
        stand_at(client)?;
        let own = neighbour.map(|mut n| {
            n.addresses.push(client);
            n
        });
        return Ok(Place { machines, own, _borrowed: None });
    };
    let newcomer = neighbour.ok_or_else(|| {
        LabError::Host(format!("{} has no witness to borrow: leave --witness-of out", site.kind.name()))
    })?;
    let mut connection = Connection::open(&ClusterName::parse(lender)?)?;
    let pid = match connection.ask(&Request::Info)? {
        Answer::Info { info } => info.supervisor,
        other => return Err(LabError::Supervisor(format!("that of {lender} answered {other:?}"))),
    };
    match connection.ask(&Request::Borrow { newcomer })? {
        Answer::Lent { client } => stand_at(client)?,
        other => return Err(LabError::Supervisor(format!("that of {lender} answered {other:?}"))),
    }
    net::join(pid)?;
    Ok(Place { machines, own: None, _borrowed: Some(connection) })
}

fn watch_signals(end: Sender<End>) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|e| LabError::Host(format!("signal handlers: {e}")))?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            let _ = end.send(End::Signalled);
        }
    });
    Ok(())
}

fn listen(supervisor: &Arc<Supervisor>, name: &ClusterName) -> Result<()> {
    let path = name.control_socket();
    let failed = |source| LabError::File { path: path.clone(), source };
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let supervisor = supervisor.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let supervisor = supervisor.clone();
            std::thread::spawn(move || supervisor.converse(stream));
        }
    });
    Ok(())
}

impl Supervisor {
    /// Waits for a reason to end.
    fn wait(&self, ends: &Receiver<End>) -> Result<Option<LastWord>> {
        let end = match ends.recv_timeout(HOLD_DEADLINE) {
            Err(RecvTimeoutError::Timeout) if *lock(&self.held) => {
                ends.recv().map_err(|_| LabError::Supervisor("nobody is left to end it".into()))?
            }
            Err(_) => End::Abandoned,
            Ok(end) => end,
        };
        Ok(match end {
            End::Asked(last) => Some(last),
            End::Abandoned => {
                eprintln!("ends: whoever held the cluster has gone");
                None
            }
            End::Signalled => {
                eprintln!("ends: by a signal");
                None
            }
        })
    }

    /// Answers the requests of one connection until its end.
    fn converse(&self, stream: UnixStream) {
        let _ = stream.set_write_timeout(Some(WRITE_DEADLINE));
        let mut holds = false;
        let mut borrows = None;
        let mut unwritten = None;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|n| n > 0) {
            let answer = match serde_json::from_str::<Request>(&line) {
                Ok(Request::Hold) => {
                    holds = true;
                    *lock(&self.held) = true;
                    Answer::Done
                }
                Ok(Request::Ready) => {
                    holds = false;
                    set(&self.info, |i| i.phase = Phase::Up);
                    Answer::Done
                }
                Ok(Request::Borrow { newcomer }) => {
                    let by = newcomer.cluster.clone();
                    self.lend(newcomer).map_or_else(
                        |e| Answer::Failed { reason: e.to_string() },
                        |client| {
                            borrows = Some(by);
                            Answer::Lent { client }
                        },
                    )
                }
                Ok(Request::Down) => match self.down() {
                    Ok((answer, written)) => {
                        unwritten = Some(written);
                        answer
                    }
                    Err(e) => Answer::Failed { reason: e.to_string() },
                },
                Ok(request) => {
                    self.answer(request).unwrap_or_else(|e| Answer::Failed { reason: e.to_string() })
                }
                Err(e) => Answer::Failed { reason: format!("not a request: {e}: {}", line.trim()) },
            };
            line.clear();
            let mut text = serde_json::to_string(&answer).unwrap_or_default();
            text.push('\n');
            let sent = reader.get_mut().write_all(text.as_bytes());
            drop(unwritten.take());
            if sent.is_err() {
                break;
            }
        }
        if let Some(by) = borrows {
            lock(&self.neighbours).retain(|n| n.cluster != by);
        }
        if holds {
            let _ = self.end.send(End::Abandoned);
        }
    }

    fn answer(&self, request: Request) -> Result<Answer> {
        match request {
            Request::Info => {
                let borrowers = self.borrowers();
                return Ok(Answer::Info { info: ClusterInfo { borrowers, ..lock(&self.info).clone() } });
            }
            Request::Site => return Ok(Answer::Site { description: self.description.clone() }),
            Request::MayBorrow { newcomer } => self.check(&lock(&self.neighbours), &newcomer)?,
            Request::Nodes => {
                return Ok(Answer::Nodes { nodes: self.infos() });
            }
            Request::Events => return Ok(Answer::Events { events: self.journal.all() }),
            Request::PowerOff { node } => self.node(&node)?.power_off(PowerLoss::Cut)?,
            Request::PowerOn { node } => self.node(&node)?.power_on()?,
            Request::Reset { node } => self.node(&node)?.reset()?,
            Request::Unlink { node } => self.node(&node)?.unlink()?,
            Request::Link { node } => self.node(&node)?.link()?,
            Request::Impair { node, by } => self.node(&node)?.impair(by)?,
            Request::Delay { node, by } => self.node(&node)?.delay(by)?,
            Request::Part { sides } => self.part(sides)?,
            Request::Reunite => self.reunite()?,
            Request::Freeze { node } => self.node(&node)?.freeze()?,
            Request::Thaw { node } => self.node(&node)?.thaw()?,
            Request::Pause { node, ms } => self.node(&node)?.pause(Duration::from_millis(ms))?,
            Request::Keep { prepared } => self.keep(prepared)?,
            // Handled where the connection is known.
            Request::Hold | Request::Ready | Request::Borrow { .. } | Request::Down => {}
        }
        Ok(Answer::Done)
    }

    /// Ends everything. With the answer comes what is dropped once that is written.
    fn down(&self) -> Result<(Answer, Sender<()>)> {
        let borrowers = self.borrowers();
        if !borrowers.is_empty() {
            return Err(LabError::Host(format!(
                "its witness is used by {}: take that down first, or all of them with: quorate-lab down --all",
                borrowers.join(" and ")
            )));
        }
        let (answer, answers) = channel();
        let (unwritten, written) = channel();
        let _ = self.end.send(End::Asked(LastWord { answer, written }));
        let answer = answers.recv().map_err(|_| {
            LabError::Supervisor("it is going down already, or failed to; see its log".into())
        })?;
        Ok((answer, unwritten))
    }

    /// The clusters that use this one's witness.
    fn borrowers(&self) -> Vec<String> {
        lock(&self.neighbours).iter().skip(1).map(|n| n.cluster.clone()).collect()
    }

    fn check(&self, there: &[Neighbour], newcomer: &Neighbour) -> Result<()> {
        let reason = match (lock(&self.info).phase, there) {
            (_, []) => "it has no witness of its own".to_owned(),
            (Phase::SettingUp | Phase::GoingDown, _) => "it is not up".to_owned(),
            (Phase::Up, _) => match sharing::objection(there, newcomer) {
                None => return Ok(()),
                Some(objection) => objection,
            },
        };
        Err(LabError::Host(reason))
    }

    /// Takes a borrower in, and gives its client an address.
    fn lend(&self, mut newcomer: Neighbour) -> Result<IpAddr> {
        let mut neighbours = lock(&self.neighbours);
        self.check(&neighbours, &newcomer)?;
        let client = sharing::client_address(&neighbours, &newcomer)
            .ok_or_else(|| LabError::Host(format!("no address is left in {}", newcomer.network)))?;
        newcomer.addresses.push(client);
        neighbours.push(newcomer);
        Ok(client)
    }

    fn part(&self, sides: [Vec<String>; 2]) -> Result<()> {
        let mut now = lock(&self.sides);
        let [one, other] = &sides;
        let machines = |side: &[String]| -> Result<Vec<&Machine>> {
            side.iter().map(|name| self.node(name).map(|node| node.plan())).collect()
        };
        net::part([&machines(one)?, &machines(other)?])?;
        for (side, from) in [(one, other), (other, one)] {
            for name in side {
                self.journal.note(name, Happening::Parted { from: from.clone() });
            }
        }
        *now = Some(sides);
        Ok(())
    }

    fn reunite(&self) -> Result<()> {
        let mut now = lock(&self.sides);
        net::reunite()?;
        for name in now.take().into_iter().flatten().flatten() {
            self.journal.note(&name, Happening::Reunited);
        }
        Ok(())
    }

    fn infos(&self) -> Vec<NodeInfo> {
        let mut infos: Vec<NodeInfo> = self.nodes.iter().map(|n| n.info()).collect();
        if let Some([one, other]) = &*lock(&self.sides) {
            // Asked of the kernel only where there is something to count.
            let lost = net::lost_between().unwrap_or(0);
            for info in &mut infos {
                let from = if one.contains(&info.name) { other } else { one };
                if one.contains(&info.name) || other.contains(&info.name) {
                    info.apart_from.clone_from(from);
                    info.lost_packets += lost;
                }
            }
        }
        infos
    }

    fn keep(&self, prepared: PathBuf) -> Result<()> {
        std::fs::create_dir_all(&prepared)
            .map_err(|source| LabError::File { path: prepared.clone(), source })?;
        for node in &self.nodes {
            node.keep_disk(&prepared)?;
        }
        let base = Base { prepared: Some(prepared), ..self.base.clone() };
        for node in &self.nodes {
            node.renew(&base, &self.payload)?;
        }
        self.journal.clear();
        Ok(())
    }

    fn node(&self, name: &str) -> Result<&Arc<Node>> {
        self.nodes.iter().find(|n| n.name() == name).ok_or_else(|| LabError::NoSuchNode {
            cluster: lock(&self.info).name.clone(),
            node: name.to_owned(),
            known: self.nodes.iter().map(|n| n.name()).collect::<Vec<_>>().join(", "),
        })
    }
}

fn set(info: &Mutex<ClusterInfo>, change: impl FnOnce(&mut ClusterInfo)) {
    change(&mut lock(info));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
