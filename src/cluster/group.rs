//! What the `quorated` of all nodes tell each other through corosync's process group, and why a message is believed.
//!
//! Every uid that corosync lets in (root, and hacluster by Pacemaker's `uidgid.d`) may join the group, read it and send to it; node id
//! and pid of a sender are no proof of who it is. So each message is sealed with a key that only root can read: corosync's own,
//! which all members have ([`key`]). Sealed are the version, who sends (corosync's id, process, Pacemaker's name, boot), the
//! membership in which it was sent, a number that only grows, and the message itself.
//!
//! A message is believed when all of this is so ([`Receiver::open`]):
//! - the seal fits, so that root's `quorated` of some member made it;
//! - its node and process are those from which corosync delivers it: a copy sent from elsewhere is none;
//! - it was sent in the present membership, or the one before it: a copy kept from before a node left is none;
//! - its number is higher than any of that boot of that node, and the boot is not one that another has followed.
//!
//! **To add a kind of message:** add it to [`Message`], send it with `Line::send`, and receive it in `daemon::group::take`, which gets the
//! [`Sender`] beside it. An older `quorated` gets [`Dropped::UnknownKind`] and ignores it, so that no version is needed for that;
//! [`VERSION`] changes where the envelope does.

pub mod key;

use std::collections::{BTreeMap, VecDeque};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::corosync::Ring;
use super::reset_intent::{ConditionAnswer, IntentWithdrawn, ResetIntent};
use super::self_fencing::{SelfFenceRequest, SelfFencingNotice};
use key::Key;

/// The envelope's version. Version 1 had no seal: it is ignored.
pub const VERSION: u32 = 2;
/// Longer messages are none of ours. A notice names resources and a reason.
pub const LONGEST: usize = 64 << 10;
/// Boots of a node that another has followed; more than a node has within the time for which a membership lasts.
const RETIRED: usize = 16;
const TAG: usize = 32;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Sent to oneself and all others every two seconds. What it says is in its envelope: this boot of this node runs `quorated`.
    Hello,
    /// The sender's node resets itself.
    Notice(SelfFencingNotice),
    /// A node is asked to fence itself, in the boot that it last spoke of.
    Request { boot: String, request: SelfFenceRequest },
    /// The sender would reset its node, and asks who goes on.
    Intent(ResetIntent),
    /// It gives that up.
    Withdrawn(IntentWithdrawn),
    /// The answer to one intent.
    Condition(ConditionAnswer),
}

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// corosync's id of the node.
    pub node_id: u32,
    pub pid: u32,
    /// Pacemaker's name of the node.
    pub node: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(flatten)]
    sender: Sender,
    ring: Ring,
    number: u64,
    /// Read in a second step: a kind that is not known is not a broken envelope.
    message: serde_json::Value,
}

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dropped {
    /// There is no key on this node: nothing can be believed.
    NoKey,
    /// A `quorated` of another version, or no message of ours at all.
    OtherVersion,
    /// Its seal does not fit: not root's `quorated`, or one with another key.
    Forged,
    /// A copy: not from the process that sealed it, or sent before.
    Copied(&'static str),
    /// Sent in a membership that is over.
    OldMembership,
    /// A newer `quorated` says something that is not known here.
    UnknownKind,
}

/// The beginning of each message; the version is sealed with the rest.
fn prefix() -> String {
    format!("quorated/{VERSION} ")
}

fn seal_of(key: &Key, envelope: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).ok()?;
    mac.update(prefix().as_bytes());
    mac.update(envelope);
    Some(mac)
}

/// A message as it is sent. `number` is higher than that of each message before it of this boot, also of an earlier process.
///
/// # Errors
/// None in practice: all of it can be written as JSON.
pub fn seal(
    key: &Key,
    sender: &Sender,
    ring: Ring,
    number: u64,
    message: &Message,
) -> Result<Vec<u8>, serde_json::Error> {
    let message = serde_json::to_value(message)?;
    let envelope = serde_json::to_vec(&Envelope { sender: sender.clone(), ring, number, message })?;
    let tag = seal_of(key, &envelope).map(|mac| mac.finalize().into_bytes());
    let tag = tag.iter().flatten().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok([prefix().as_bytes(), tag.as_bytes(), b" ", &envelope].concat())
}

/// Takes a message apart. `None`: not of this version.
fn split(text: &[u8]) -> Option<([u8; TAG], &[u8])> {
    let rest = text.strip_prefix(prefix().as_bytes())?;
    let (hex, rest) = rest.split_at_checked(2 * TAG)?;
    let mut tag = [0; TAG];
    for (byte, digits) in tag.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some((tag, rest.strip_prefix(b" ")?))
}

/// What was heard of a node.
#[derive(Debug, Default)]
struct Heard {
    node: String,
    boot: String,
    number: u64,
    retired: VecDeque<String>,
}

/// Tells what is believed. One for each connection to corosync.
#[derive(Debug, Default)]
pub struct Receiver {
    ring: Option<Ring>,
    before: Option<Ring>,
    heard: BTreeMap<u32, Heard>,
}

impl Receiver {
    /// corosync has formed a membership of these nodes.
    ///
    /// The numbers of nodes that are not in it are forgotten: a virtual machine that is set back to a snapshot of its memory counts
    /// from an earlier time of the same boot. No copy is believed for that: what such a node sent before belongs to a membership that
    /// is over by the time it is a member again.
    pub fn formed(&mut self, ring: Ring, nodes: &[u32]) {
        if self.ring != Some(ring) {
            self.before = self.ring.replace(ring);
        }
        for (_, heard) in self.heard.iter_mut().filter(|(node, _)| !nodes.contains(node)) {
            heard.number = 0;
        }
    }

    /// The present membership.
    #[must_use]
    pub const fn ring(&self) -> Option<Ring> {
        self.ring
    }

    /// The boot that a node last spoke of.
    #[must_use]
    pub fn boot(&self, node_id: u32) -> Option<&str> {
        self.heard.get(&node_id).map(|h| h.boot.as_str())
    }

    /// Pacemaker's name of a node, as it last spoke of it.
    #[must_use]
    pub fn name(&self, node_id: u32) -> Option<&str> {
        self.heard.get(&node_id).map(|h| h.node.as_str())
    }

    /// What arrived from `node_id` and `pid`, as corosync says, if it is believed.
    ///
    /// # Errors
    /// Why it is not.
    pub fn open(
        &mut self,
        key: Option<&Key>,
        node_id: u32,
        pid: u32,
        text: &[u8],
    ) -> Result<(Sender, Message), Dropped> {
        let key = key.ok_or(Dropped::NoKey)?;
        if text.len() > LONGEST {
            return Err(Dropped::Forged);
        }
        let (tag, envelope) = split(text).ok_or(Dropped::OtherVersion)?;
        let seal = seal_of(key, envelope).ok_or(Dropped::NoKey)?;
        // In constant time.
        seal.verify_slice(&tag).map_err(|_| Dropped::Forged)?;
        let Envelope { sender, ring, number, message } =
            serde_json::from_slice(envelope).map_err(|_| Dropped::UnknownKind)?;
        if (sender.node_id, sender.pid) != (node_id, pid) {
            return Err(Dropped::Copied("another process sealed it"));
        }
        if self.ring != Some(ring) && self.before != Some(ring) {
            return Err(Dropped::OldMembership);
        }
        let heard = self.heard.entry(node_id).or_default();
        if heard.boot != sender.boot {
            if heard.retired.contains(&sender.boot) {
                return Err(Dropped::Copied("its node has booted since"));
            }
            let boot = std::mem::replace(&mut heard.boot, sender.boot.clone());
            heard.retired.push_back(boot);
            if heard.retired.len() > RETIRED {
                heard.retired.pop_front();
            }
        } else if number <= heard.number {
            return Err(Dropped::Copied("it was sent before"));
        }
        heard.number = number;
        heard.node.clone_from(&sender.node);
        let message = serde_json::from_value(message).map_err(|_| Dropped::UnknownKind)?;
        Ok((sender, message))
    }
}

#[cfg(test)]
mod tests;
