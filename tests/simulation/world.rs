//! The whole simulated cluster: nodes, network, what clients were told, what broke.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate::decide::memory::Memory;
use quorate::ocf::{Action, Environment};
use quorate::pg::role::PgRole;

use crate::pacemaker::Controller;
use crate::plan::Config;
use crate::rng::Rng;
use crate::server::Server;
use crate::wal::{DataDir, name};

/// Milliseconds of virtual time.
pub type Millis = u64;
/// Members, as bits.
pub type Members = u32;

/// A node of the cluster.
pub struct Node {
    /// The machine has power.
    pub up: bool,
    /// corosync and Pacemaker run.
    pub joined: bool,
    /// When they start: 0 = not.
    pub joins_at: Millis,
    /// Which run of pacemaker-execd.
    pub run: u64,
    /// Which run of pacemaker-attrd.
    pub attrd: u64,
    /// The agent's file under /run.
    pub memory: Memory,
    pub data: DataDir,
    pub server: Option<Server>,
    /// What the agent left word of: the postmaster, and its role.
    pub recorded: Option<(i32, PgRole)>,
    /// The primary's float IP.
    pub ip: bool,
    /// The action that runs.
    pub busy: Option<Busy>,
    /// Copies of node attributes: (owner, name) -> value.
    pub attributes: BTreeMap<(usize, String), String>,
    pub cib: Cib,
    /// The membership as corosync last delivered it.
    pub view: Members,
    pub view_differs_since: Option<Millis>,
    pub without_quorum_since: Option<Millis>,
    /// `pcs cluster stop` is under way.
    pub leaving: bool,
    /// Names lead to the node itself: a wrong /etc/hosts, a wrong address.
    pub wrong_address: bool,
    /// All connections are taken until then.
    pub crowded_until: Millis,
    /// Records that reach it in each tick.
    pub rate: usize,
    /// The machine stands still: since when and until when.
    pub frozen: Option<(Millis, Millis)>,
    /// It notices that it stood still, and resets itself.
    pub resets_at: Option<Millis>,
}

/// An action under way.
#[derive(Debug, Clone)]
pub struct Busy {
    pub action: Action,
    pub until: Millis,
    pub monitor: bool,
}

/// What of the CIB's configuration matters here; one copy on each node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cib {
    pub epoch: u64,
    pub standby: Members,
    pub loss_accepted: Members,
    /// Not to be promoted there (`pcs resource move`).
    pub banned: Members,
    /// The last promotion.
    pub promotion: Option<String>,
}

/// A commit that a client was told of.
#[derive(Debug, Clone)]
pub struct Ack {
    pub commit: u64,
    pub reign: usize,
    /// It waited for synchronous standbys.
    pub synchronous: bool,
    /// Lost by right: by the operator's acceptance, or asynchronous and nowhere else.
    pub written_off: bool,
}

/// The time from the moment a primary got the float IP to its end.
pub struct Reign {
    pub node: usize,
    pub pid: i32,
    /// Who had been level with it and still ran when it ended.
    pub ended: Option<BTreeSet<usize>>,
}

/// What broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// An acknowledged commit is missing on the promoted instance.
    Lost,
    /// Two take writes and acknowledge them.
    TwoPrimaries,
    /// A standby that is a candidate has rows that its primary does not have.
    Fork,
    /// A defect of the agent, or of the model.
    Panic,
}

/// What the scheduler of the simulation has to do next.
pub struct Spawn {
    pub node: usize,
    pub action: Action,
    pub environment: Environment,
}

pub struct World {
    pub now: Millis,
    pub rng: Rng,
    pub config: Config,
    pub nodes: Vec<Node>,
    pub controllers: Vec<Controller>,
    /// Pairs that can't reach each other; the witness has the number after the last node's.
    pub cut: BTreeSet<(usize, usize)>,
    pub acks: Vec<Ack>,
    pub reigns: Vec<Reign>,
    /// Whose loss the operator accepted; it holds for one promotion.
    pub accepted: Option<usize>,
    /// The partition that has the witness's vote.
    pub witness_vote: Members,
    pub breaches: Vec<(Breach, String)>,
    pub transcript: Vec<String>,
    pub spawn: VecDeque<Spawn>,
    /// Nodes whose action ends now, wherever it is.
    pub cut_off: Vec<usize>,
    pub unsaid: Option<(usize, u64, u64, u64)>,
    pub client_works: bool,
    pub last_ack: Millis,
    next_uid: u64,
    next_pid: i32,
    next_commit: u64,
}

impl World {
    pub fn new(config: Config, seed: u64) -> World {
        let all = (1 << config.nodes) - 1;
        let node = |n: usize| Node {
            up: true,
            joined: true,
            joins_at: 0,
            run: 1,
            attrd: 1,
            memory: Memory::default(),
            data: {
                let mut data = DataDir::initdb(7);
                // As a base backup leaves them; the first has been the primary.
                data.standby_signal = n > 0;
                data.sync = config.sync.clone();
                data
            },
            server: None,
            recorded: None,
            ip: false,
            busy: None,
            attributes: BTreeMap::new(),
            cib: Cib::default(),
            view: all,
            view_differs_since: None,
            without_quorum_since: None,
            leaving: false,
            wrong_address: false,
            crowded_until: 0,
            rate: usize::MAX,
            frozen: None,
            resets_at: None,
        };
        World {
            now: 1000,
            rng: Rng::new(seed),
            nodes: (0..config.nodes).map(node).collect(),
            controllers: vec![Controller::new(all, config.nodes)],
            cut: BTreeSet::new(),
            acks: Vec::new(),
            reigns: Vec::new(),
            accepted: None,
            witness_vote: all,
            breaches: Vec::new(),
            transcript: Vec::new(),
            spawn: VecDeque::new(),
            cut_off: Vec::new(),
            unsaid: None,
            client_works: true,
            last_ack: 0,
            next_uid: 1,
            next_pid: 100,
            next_commit: 1,
            config,
        }
    }

    pub fn uid(&mut self) -> u64 {
        self.next_uid += 1;
        self.next_uid
    }

    pub fn pid(&mut self) -> i32 {
        self.next_pid += 1;
        self.next_pid
    }

    pub fn commit_id(&mut self) -> u64 {
        self.next_commit += 1;
        self.next_commit - 1
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A line of the transcript; what clients were told meanwhile comes first, in one line.
    pub fn say(&mut self, who: &str, what: &str) {
        self.flush_acks();
        self.transcript.push(format!("{:>9.3} {who:<8} {what}", (self.now as f64) / 1000.0));
    }

    pub fn say_of(&mut self, node: usize, what: &str) {
        let name = name(node);
        self.say(&name, what);
    }

    pub fn flush_acks(&mut self) {
        if let Some((node, first, last, at)) = self.unsaid.take() {
            let commits = if first == last {
                format!("commit {first} is")
            } else {
                format!("commits {first} to {last} are")
            };
            let line = format!("{commits} acknowledged by {}", name(node));
            self.transcript.push(format!("{:>9.3} {:<8} {line}", (at as f64) / 1000.0, "client"));
        }
    }

    /// Clients were told that a commit is safe.
    pub fn acknowledge(&mut self, node: usize, commit: u64, synchronous: bool) {
        let Some(reign) = self.reigns.len().checked_sub(1) else { return };
        self.acks.push(Ack { commit, reign, synchronous, written_off: false });
        self.last_ack = self.now;
        match &mut self.unsaid {
            Some((by, _, last, at)) if *by == node => (*last, *at) = (commit, self.now),
            _ => {
                self.flush_acks();
                self.unsaid = Some((node, commit, commit, self.now));
            }
        }
    }

    pub fn breach(&mut self, breach: Breach, what: String) {
        self.say("BREACH", &what);
        self.breaches.push((breach, what));
    }

    pub fn reaches(&self, a: usize, b: usize) -> bool {
        a == b || !self.cut.contains(&(a.min(b), a.max(b))) && !self.is_frozen(a) && !self.is_frozen(b)
    }

    /// The witness, which has the number after the last node's, never is.
    pub fn is_frozen(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|n| n.frozen.is_some())
    }

    /// Whether a client finds a primary there.
    pub fn serves(&self, node: usize) -> bool {
        let n = &self.nodes[node];
        n.up && n.ip && n.server.as_ref().is_some_and(Server::takes_writes)
    }

    /// Writes an attribute to every member's copy, in the order of the group's messages.
    pub fn set_attribute(&mut self, from: usize, owner: usize, name: &str, value: Option<&str>) {
        let view = self.nodes[from].view;
        for n in 0..self.count() {
            if view & (1 << n) == 0 || !self.nodes[n].joined {
                continue;
            }
            let key = (owner, name.to_owned());
            match value {
                Some(value) => self.nodes[n].attributes.insert(key, value.to_owned()),
                None => self.nodes[n].attributes.remove(&key),
            };
        }
    }

    /// Changes the CIB of the partition.
    pub fn change_cib(&mut self, from: usize, change: impl Fn(&mut Cib)) {
        let view = self.nodes[from].view;
        for n in (0..self.count()).filter(|n| view & (1 << n) != 0) {
            let cib = &mut self.nodes[n].cib;
            change(cib);
            cib.epoch += 1;
        }
    }

    /// Ends everything on a node at once.
    pub fn power_off(&mut self, node: usize, why: &str) {
        if !self.nodes[node].up {
            return;
        }
        self.say_of(node, why);
        self.cut_off.push(node);
        let n = &mut self.nodes[node];
        n.up = false;
        n.joined = false;
        n.joins_at = 0;
        n.server = None;
        n.recorded = None;
        n.ip = false;
        n.leaving = false;
        n.without_quorum_since = None;
        (n.frozen, n.resets_at) = (None, None);
        n.attributes.clear();
        n.memory = Memory::default();
    }

    /// Power, and the cluster's services a moment later.
    pub fn boot(&mut self, node: usize) {
        let now = self.now;
        let n = &mut self.nodes[node];
        if n.up && (n.joined || n.joins_at > 0) {
            return;
        }
        n.up = true;
        n.joins_at = now + 2000;
    }
}
