//! corosync, asked directly: the quorum, the process group of all `quorated`, leaving the membership.
//!
//! Upstream's binding (`rust-corosync`) does the talking. Every call of it blocks without a time-out when corosync hangs, so each
//! handle belongs to a thread of its own, whose silence is what tells.

use std::cell::RefCell;

use rust_corosync::{CsError, DispatchFlags, NodeId, TrackFlags, cfg, cpg, votequorum};

use super::corosync_socket;
use super::host::{HostError, HostResult};
use crate::cluster::corosync::Ring;
use crate::decide::cause::Cause;
use crate::decide::reset::VoteCount;

/// The process group; a message to it goes to every member and back.
const GROUP: &str = "quorated";

/// What a call of corosync's libraries gave back, of this name.
pub(super) fn failed(what: &str) -> impl Fn(CsError) -> HostError + '_ {
    move |error| {
        let cause = match error {
            CsError::CsErrLibrary | CsError::CsErrNotExist => Cause::Missing,
            CsError::CsErrAccess | CsError::CsErrSecurity => Cause::Forbidden,
            CsError::CsErrTimeout | CsError::CsErrTryAgain | CsError::CsErrBusy => Cause::TimedOut,
            _ => Cause::Failed,
        };
        HostError::new(cause, format!("corosync: {what}: {error}"))
    }
}

fn of_votequorum(callbacks: &votequorum::Callbacks) -> HostResult<votequorum::Handle> {
    corosync_socket::is_roots("votequorum")?;
    votequorum::initialize(callbacks).map_err(failed("votequorum_initialize"))
}

/// A connection to votequorum.
pub struct Votes {
    handle: votequorum::Handle,
    node: NodeId,
}

/// What votequorum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuorumAnswer {
    pub quorate: bool,
    /// A quorum device is registered, and votes. `None`: none is registered.
    pub device_votes: Option<bool>,
    /// Its client has reported within the quorum device's timeout, with whatever vote. `None`: none is
    /// registered.
    pub device_alive: Option<bool>,
    /// `None`: who is a member is not known yet.
    pub votes: Option<VoteCount>,
}

impl Votes {
    /// Connects. Blocks while corosync hangs.
    ///
    /// # Errors
    /// corosync does not run, or refuses.
    pub fn connect() -> HostResult<Self> {
        let none = votequorum::Callbacks {
            quorum_notification_fn: None,
            nodelist_notification_fn: None,
            expectedvotes_notification_fn: None,
        };
        let handle = of_votequorum(&none)?;
        let group = Group::connect()?;
        let node = cpg::local_get(&group.handle).map_err(failed("cpg_local_get"))?;
        Ok(Self { handle, node })
    }

    /// Asks. Answered also while a membership forms; blocks while corosync hangs. `members`: of corosync, to count the votes.
    ///
    /// # Errors
    /// The connection broke.
    pub fn ask(&self, members: &[u32]) -> HostResult<QuorumAnswer> {
        let info = votequorum::get_info(&self.handle, self.node).map_err(failed("votequorum_getinfo"))?;
        let has = |flag| info.flags.contains(flag);
        let registered = has(votequorum::NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_REGISTERED);
        Ok(QuorumAnswer {
            quorate: has(votequorum::NodeInfoFlags::VOTEQUORUM_INFO_QUORATE),
            device_votes: registered
                .then(|| has(votequorum::NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_CAST_VOTE)),
            device_alive: registered.then(|| has(votequorum::NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_ALIVE)),
            // A member that can't be counted costs the count, not the quorum.
            votes: self.count(members, &info).unwrap_or(None),
        })
    }
}

impl Votes {
    /// The binding leaves the sum out: it is what corosync itself adds up.
    fn count(&self, members: &[u32], own: &votequorum::NodeInfo) -> HostResult<Option<VoteCount>> {
        if !members.contains(&u32::from(self.node)) {
            return Ok(None);
        }
        let casts = own.flags.contains(votequorum::NodeInfoFlags::VOTEQUORUM_INFO_QDEVICE_CAST_VOTE);
        let device = if casts { own.qdevice_votes } else { 0 };
        let mut total = device;
        for member in members {
            let info = votequorum::get_info(&self.handle, NodeId::from(*member));
            let info = info.map_err(failed("votequorum_getinfo of a member"))?;
            if matches!(info.node_state, votequorum::NodeState::Member) {
                total = total.saturating_add(info.node_votes);
            }
        }
        Ok(Some(VoteCount { total, needed: own.quorum, own: own.node_votes, device }))
    }
}

/// Whether the side of this node has quorum, and another node is a member of it, as votequorum says at this moment. Blocks while corosync hangs.
///
/// # Errors
/// corosync does not run, or refuses.
pub fn shares_quorum_with(own: u32, other: u32) -> HostResult<bool> {
    let none = votequorum::Callbacks {
        quorum_notification_fn: None,
        nodelist_notification_fn: None,
        expectedvotes_notification_fn: None,
    };
    let handle = of_votequorum(&none)?;
    let ask = |node| votequorum::get_info(&handle, NodeId::from(node));
    let here = ask(own).map_err(failed("votequorum_getinfo"))?;
    let quorate = here.flags.contains(votequorum::NodeInfoFlags::VOTEQUORUM_INFO_QUORATE);
    // A node that it has never seen is none for it.
    let member = ask(other).is_ok_and(|info| matches!(info.node_state, votequorum::NodeState::Member));
    Ok(quorate && member)
}

/// What the group delivers, in the same order on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// From a process of a node. The node is as corosync knows it, the pid as the sender told corosync.
    Message { node_id: u32, pid: u32, text: Vec<u8> },
    /// The nodes with a member of the group, after a change.
    Members(Vec<u32>),
    /// The nodes of corosync's membership, after a change.
    Nodes { ring: Ring, nodes: Vec<u32> },
}

thread_local! {
    // The library calls back without a context of ours, on the thread that dispatches.
    static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

fn deliver(_: &cpg::Handle, _: String, node: NodeId, pid: u32, text: &[u8], _: usize) {
    let event = Event::Message { node_id: node.into(), pid, text: text.to_vec() };
    EVENTS.with_borrow_mut(|events| events.push(event));
}

fn change(_: &cpg::Handle, _: &str, members: Vec<cpg::Address>, _: Vec<cpg::Address>, _: Vec<cpg::Address>) {
    let members = members.iter().map(|a| a.nodeid.into()).collect();
    EVENTS.with_borrow_mut(|events| events.push(Event::Members(members)));
}

// The group's own changes don't tell a node that left from a process that ended.
fn reformed(_: &cpg::Handle, ring: cpg::RingId, nodes: Vec<NodeId>) {
    let ring = Ring { seq: ring.seq, node_id: ring.nodeid.into() };
    let nodes = nodes.into_iter().map(u32::from).collect();
    EVENTS.with_borrow_mut(|events| events.push(Event::Nodes { ring, nodes }));
}

fn formed(_: &votequorum::Handle, _: u64, ring: votequorum::RingId, nodes: Vec<NodeId>) {
    let ring = Ring { seq: ring.seq, node_id: ring.nodeid.into() };
    let nodes = nodes.into_iter().map(u32::from).collect();
    EVENTS.with_borrow_mut(|events| events.push(Event::Nodes { ring, nodes }));
}

/// The present membership, from votequorum: the process group tells of changes alone. Blocks while a membership forms.
///
/// # Errors
/// corosync does not run, or refuses.
pub fn membership() -> HostResult<Event> {
    let callbacks = votequorum::Callbacks {
        quorum_notification_fn: None,
        nodelist_notification_fn: Some(formed),
        expectedvotes_notification_fn: None,
    };
    let handle = of_votequorum(&callbacks)?;
    // What is there of the process group's is not this thread's to lose.
    let before = EVENTS.take();
    let told = votequorum::trackstart(&handle, 0, TrackFlags::Current)
        .map_err(failed("votequorum_trackstart"))
        .and_then(|()| {
            votequorum::dispatch(&handle, DispatchFlags::All).map_err(failed("votequorum_dispatch"))
        });
    let found = EVENTS.replace(before);
    told?;
    let nodes = found.into_iter().find(|event| matches!(event, Event::Nodes { .. }));
    nodes.ok_or_else(|| HostError::unusable("corosync: votequorum does not tell the membership".to_owned()))
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// A membership forms, or too much is on its way: the same may succeed a moment later.
    #[error("corosync is busy (try again)")]
    Busy,
    #[error("corosync: cpg_mcast_joined: {0}")]
    Failed(String),
}

impl From<SendError> for HostError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Busy => Self::timed_out(error.to_string()),
            SendError::Failed(_) => Self::failed(error.to_string()),
        }
    }
}

/// A member of the group. Clones send from other threads.
#[derive(Clone)]
pub struct Group {
    handle: cpg::Handle,
}

impl Group {
    fn connect() -> HostResult<Self> {
        let callbacks = cpg::ModelData::ModelV1(cpg::Model1Data {
            flags: cpg::Model1Flags::None,
            deliver_fn: Some(deliver),
            confchg_fn: Some(change),
            totem_confchg_fn: Some(reformed),
        });
        corosync_socket::is_roots("cpg")?;
        let handle = cpg::initialize(&callbacks, 0).map_err(failed("cpg_initialize"))?;
        Ok(Self { handle })
    }

    /// Joins. Blocks while a membership forms.
    ///
    /// # Errors
    /// corosync does not run, or refuses.
    pub fn join() -> HostResult<Self> {
        let group = Self::connect()?;
        cpg::join(&group.handle, GROUP).map_err(failed("cpg_join"))?;
        Ok(group)
    }

    /// corosync's id of this node.
    ///
    /// # Errors
    /// The connection broke.
    pub fn node_id(&self) -> HostResult<u32> {
        cpg::local_get(&self.handle).map(u32::from).map_err(failed("cpg_local_get"))
    }

    /// Sends to all members, this one too.
    ///
    /// # Errors
    /// The connection broke, or a membership forms.
    pub fn send(&self, text: &[u8]) -> Result<(), SendError> {
        cpg::mcast_joined(&self.handle, cpg::Guarantee::TypeAgreed, text).map_err(|error| match error {
            CsError::CsErrTryAgain => SendError::Busy,
            other => SendError::Failed(other.to_string()),
        })
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// The connection broke.
    pub fn next(&self) -> HostResult<Vec<Event>> {
        cpg::dispatch(&self.handle, DispatchFlags::One).map_err(failed("cpg_dispatch"))?;
        Ok(EVENTS.take())
    }
}

/// Takes this node out of the membership in an orderly way, without asking Pacemaker: the others know at once, and need not wait for
/// the token's loss. For a node that ends in the next moment.
///
/// # Errors
/// corosync does not run, or refuses.
pub fn leave() -> HostResult<()> {
    corosync_socket::is_roots("cfg")?;
    let none = cfg::Callbacks { corosync_cfg_shutdown_callback_fn: None };
    let handle = cfg::initialize(&none).map_err(failed("corosync_cfg_initialize"))?;
    cfg::try_shutdown(&handle, cfg::ShutdownFlags::Immediate).map_err(failed("corosync_cfg_try_shutdown"))
}
