//! The connection to the group of all `quorated`: everything that is sent goes through here, and what arrives is opened here.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::config::COROSYNC_CONF;
use super::log::Logs;
use super::observations::Observations;
use super::pause;
use crate::boundary::clock::{Deadline, boottime};
use crate::boundary::corosync_lib::{Group, SendError};
use crate::boundary::group_key;
use crate::boundary::host::{HostError, HostResult, Level};
use crate::cluster::corosync::Ring;
use crate::cluster::group::key::Key;
use crate::cluster::group::{self, Dropped, Message, Receiver, Sender};

/// Before a message is sent again that corosync was too busy for: totem's own rounds take a millisecond or two.
const RESEND: Duration = Duration::from_millis(20);
/// The key's files are looked at so often.
const KEY: Duration = Duration::from_secs(2);
/// What is sent to oneself where nothing can be sealed: it shows that totem delivers, and says nothing.
const UNSEALED: &[u8] = b"quorated unsealed";

/// The connection of the present moment.
pub(super) struct Line {
    state: Mutex<State>,
    /// The number of the last message, held while one is sent: numbers arrive in their order.
    number: Mutex<u64>,
}

struct State {
    group: Option<Group>,
    sender: Sender,
    receiver: Receiver,
    key: Option<Key>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// Nothing can be sent before [`Line::joined`].
    pub(super) fn new(boot: String) -> Self {
        let sender = Sender { node_id: 0, pid: std::process::id(), node: String::new(), boot };
        let state = State { group: None, sender, receiver: Receiver::default(), key: None };
        Self { state: Mutex::new(state), number: Mutex::new(0) }
    }

    /// There is a connection, of this node.
    pub(super) fn joined(&self, group: Group, node_id: u32, node: String) {
        let mut state = locked(&self.state);
        state.sender = Sender { node_id, node, ..state.sender.clone() };
        state.receiver = Receiver::default();
        state.group = Some(group);
    }

    /// Whether there is one.
    pub(super) fn is_joined(&self) -> bool {
        locked(&self.state).group.is_some()
    }

    /// It broke.
    pub(super) fn lost(&self) {
        locked(&self.state).group = None;
    }

    /// corosync has formed a membership.
    pub(super) fn formed(&self, ring: Ring, nodes: &[u32]) {
        locked(&self.state).receiver.formed(ring, nodes);
    }

    /// What arrived, if it is believed.
    pub(super) fn open(&self, node_id: u32, pid: u32, text: &[u8]) -> Result<(Sender, Message), Dropped> {
        let State { receiver, key, .. } = &mut *locked(&self.state);
        receiver.open(key.as_ref(), node_id, pid, text)
    }

    /// The boot that a node last spoke of.
    pub(super) fn boot_of(&self, node_id: u32) -> Option<String> {
        locked(&self.state).receiver.boot(node_id).map(str::to_owned)
    }

    /// A node's name for the log.
    pub(super) fn name_of(&self, node_id: u32) -> String {
        let state = locked(&self.state);
        let named = state.receiver.name(node_id).filter(|name| !name.is_empty());
        named.map_or_else(|| format!("node {node_id}"), |name| format!("{name} (node {node_id})"))
    }

    /// Who this node is to the others.
    pub(super) fn sender(&self) -> Sender {
        locked(&self.state).sender.clone()
    }

    /// Sends to all members, this one too; again and again while corosync is busy.
    ///
    /// # Errors
    /// There is no connection, it broke, there is no key, or the deadline is over.
    pub(super) fn send(&self, message: &Message, deadline: Deadline) -> HostResult<()> {
        let mut number = locked(&self.number);
        loop {
            // Across a restart too, and higher than what was sent before it: time goes on, and messages are milliseconds apart.
            *number = (*number + 1).max(boottime().millis() * 1000);
            let (group, sealed) = self.sealed(message, *number)?;
            match group.send(&sealed) {
                Err(SendError::Busy) if !deadline.passed() => deadline.sleep(RESEND),
                sent => return sent.map_err(HostError::from),
            }
        }
    }

    fn sealed(&self, message: &Message, number: u64) -> HostResult<(Group, Vec<u8>)> {
        let state = locked(&self.state);
        let none = |what: &str| HostError::missing(what);
        let group = state.group.clone().ok_or_else(|| none("no connection to corosync"))?;
        let key = state.key.as_ref().ok_or_else(|| none("no key to seal it with"))?;
        let ring = state.receiver.ring().ok_or_else(|| none("corosync's membership is not known"))?;
        let sealed = group::seal(key, &state.sender, ring, number, message);
        Ok((group, sealed?))
    }

    /// Sends what comes back from totem, sealed where that can be. `None`: there is no connection.
    pub(super) fn hello(&self, deadline: Deadline) -> Option<HostResult<()>> {
        let group = locked(&self.state).group.clone()?;
        let sealed = self.send(&Message::Hello, deadline);
        Some(sealed.or_else(|_| group.send(UNSEALED).map_err(HostError::from)))
    }
}

/// Reads the key when it changes, for ever. In a thread of its own: a disk may hang.
pub(super) fn keep_key(observations: &Arc<Observations>, line: &Arc<Line>, logs: &Logs) {
    let configuration = Path::new(COROSYNC_CONF);
    let mut before = None;
    let mut said: Option<String> = None;
    loop {
        let written = group_key::written(configuration);
        // What could not be read is tried again: its owner or mode may be mended.
        if before != Some(written) || said.is_some() {
            before = Some(written);
            let (key, error) = match group_key::read(configuration) {
                Ok(key) => (Some(key), None),
                Err(error) => (None, Some(error.text)),
            };
            if let Some(why) = error.iter().find(|_| error != said) {
                logs.line(
                    Level::Warning,
                    format!(
                        "messages between the quorated of this cluster can't be sealed, so that none is believed and fencing \
                         waits for the watchdog: {why}"
                    ),
                );
            } else if error.is_none() && said.is_some() {
                logs.line(Level::Info, "messages between the quorated of this cluster are sealed".to_owned());
            }
            locked(&line.state).key = key;
            observations.latest().group.no_key.clone_from(&error);
            said = error;
        }
        pause(KEY);
    }
}
