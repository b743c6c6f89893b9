//! What happened to the topology, and why: an entry for each promotion, and for what a rejoin kept.
//!
//! Each node keeps a file of its own and tells the members its latest entries; who lacks one takes it over. So the history survives
//! the loss of any node, and of `/run`.

mod cause;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::promotions::Promotion;
use super::rejoin::Kept;

pub use cause::{Evidence, Fencing, Kind, cause};

/// Older ones are dropped.
pub const LONGEST: usize = 1000;
/// So many are told to the members: an attribute is kept in memory on each of them.
pub const TOLD: usize = 8;

/// The private attribute by which an operator's command tells that it asked for a switchover: `SECONDS NODE`.
#[must_use]
pub fn asked_attribute(resource: &str) -> String {
    format!("quorate-asked-{resource}")
}

/// The private attribute that holds the latest entries of a node.
#[must_use]
pub fn history_attribute(resource: &str) -> String {
    format!("quorate-history-{resource}")
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since 1970, by the clock of the node that wrote it.
    pub at: u64,
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    Promotion {
        generation: u64,
        id: String,
        system: u64,
        timeline: u32,
        /// The primary before; `None`: none is on record.
        from: Option<String>,
        to: String,
        /// Where it left the timeline before.
        fork: Option<String>,
        kind: Kind,
        cause: String,
    },
    /// WAL that only this node had, kept by a rejoin.
    Kept {
        node: String,
        /// The primary that does not have it.
        source: String,
        /// Where its own WAL begins, and ends.
        from: Option<String>,
        to: String,
        bytes: Option<u64>,
        commits: Option<u64>,
        directory: String,
    },
}

impl Entry {
    /// Of a promotion on record.
    #[must_use]
    pub fn promotion(
        at: u64,
        promotion: &Promotion,
        from: Option<String>,
        kind: Kind,
        cause: String,
    ) -> Self {
        let event = Event::Promotion {
            generation: promotion.generation,
            id: promotion.id.to_string(),
            system: promotion.system,
            timeline: promotion.timeline.get(),
            from,
            to: promotion.node.clone(),
            fork: promotion.fork.map(|fork| fork.lsn.to_string()),
            kind,
            cause,
        };
        Entry { at, event }
    }

    /// Of what a rejoin kept.
    #[must_use]
    pub fn kept(node: &str, kept: &Kept) -> Self {
        let event = Event::Kept {
            node: node.to_owned(),
            source: kept.source.clone(),
            from: kept.from.map(|from| from.to_string()),
            to: kept.to.to_string(),
            bytes: kept.bytes,
            commits: kept.commits.as_ref().map(|commits| commits.number),
            directory: kept.directory.clone(),
        };
        Entry { at: kept.at, event }
    }

    /// Whether both are of the same thing; what they know of it may differ.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.event, &other.event) {
            (
                Event::Promotion { id, generation, system, .. },
                Event::Promotion { id: other_id, generation: other_generation, system: other_system, .. },
            ) => (id, generation, system) == (other_id, other_generation, other_system),
            (Event::Kept { node, directory, .. }, Event::Kept { node: other, directory: there, .. }) => {
                (node, directory) == (other, there)
            }
            (Event::Promotion { .. }, Event::Kept { .. }) | (Event::Kept { .. }, Event::Promotion { .. }) => {
                false
            }
        }
    }

    /// Whether its cause is not known.
    const fn is_guess(&self) -> bool {
        matches!(self.event, Event::Promotion { kind: Kind::Unknown, .. })
    }
}

/// Puts what is new into a history, in the order of time. Whether anything was.
pub fn merge(all: &mut Vec<Entry>, new: impl IntoIterator<Item = Entry>) -> bool {
    let mut changed = false;
    for entry in new {
        match all.iter_mut().find(|known| known.is_same(&entry)) {
            // Who saw it knows more than who found its traces.
            Some(known) if known.is_guess() && !entry.is_guess() => {
                *known = entry;
                changed = true;
            }
            Some(_) => {}
            None => {
                all.push(entry);
                changed = true;
            }
        }
    }
    if changed {
        sort(all);
        let surplus = all.len().saturating_sub(LONGEST);
        all.drain(..surplus);
    }
    changed
}

/// In the order of promotions, by their numbers: clocks of nodes differ. What else happened stands by its time among them.
fn sort(all: &mut [Entry]) {
    all.sort_by_key(|entry| entry.at);
    let mut promotions: Vec<Entry> = all.iter().filter(|e| is_promotion(e)).cloned().collect();
    promotions.sort_by_key(|entry| (generation(entry), entry.at));
    let places = all.iter_mut().filter(|e| is_promotion(e));
    for (place, promotion) in places.zip(promotions) {
        *place = promotion;
    }
}

fn generation(entry: &Entry) -> u64 {
    match entry.event {
        Event::Promotion { generation, .. } => generation,
        Event::Kept { .. } => 0,
    }
}

/// The primary before a promotion of this number.
#[must_use]
pub fn primary_before(all: &[Entry], number: u64) -> Option<&str> {
    let before = all.iter().filter_map(|entry| match &entry.event {
        Event::Promotion { generation, to, .. } if *generation < number => Some((*generation, to.as_str())),
        Event::Promotion { .. } | Event::Kept { .. } => None,
    });
    before.max_by_key(|(generation, _)| *generation).map(|(_, to)| to)
}

/// A line of JSON for each.
#[must_use]
pub fn lines(all: &[Entry]) -> String {
    let mut out = String::new();
    for entry in all {
        if let Ok(line) = serde_json::to_string(entry) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// Reads [`lines`]. One that makes no sense (a disk, a later version) is passed over; how many were.
#[must_use]
pub fn read(text: &str) -> (Vec<Entry>, usize) {
    let mut broken = 0;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let entries = lines.filter_map(|line| serde_json::from_str(line).inspect_err(|_| broken += 1).ok());
    let entries = entries.collect();
    (entries, broken)
}

/// The latest of them as the value of a node attribute: no character that Pacemaker's programs print otherwise than they got it.
#[must_use]
pub fn told(all: &[Entry]) -> String {
    let mut out = String::new();
    for byte in lines(&all[all.len().saturating_sub(TOLD)..]).bytes() {
        if byte.is_ascii_alphanumeric() || b" :,.-_/{}[]()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// Clocks of members differ by less.
const AHEAD_S: u64 = 300;
/// Characters of one entry, as JSON.
const LONGEST_ENTRY: usize = 2000;

/// Reads [`told`]: what another node says, in the size in which one says it, and of no time to come. `now`: seconds since 1970.
#[must_use]
pub fn hear(value: &str, now: u64) -> Vec<Entry> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap_or_default(), rest.next().unwrap_or_default()];
        let digits = std::str::from_utf8(&digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.extend(digits);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| line.len() <= LONGEST_ENTRY).take(TOLD).collect();
    let (mut entries, _) = read(&lines.join("\n"));
    entries.retain(|entry| entry.at <= now.saturating_add(AHEAD_S));
    entries
}

/// What was kept of the reign before a promotion: the losses that it names.
#[must_use]
pub fn lost<'a>(all: &'a [Entry], promotion: &Entry) -> Vec<&'a Entry> {
    let Event::Promotion { from: Some(old), .. } = &promotion.event else { return Vec::new() };
    // Its node may rejoin long after, under another primary still; until it has reigned again itself.
    let own = |e: &&Entry| matches!(&e.event, Event::Promotion { to, .. } if to == old);
    let again = all.iter().filter(own).find(|e| generation(e) > generation(promotion));
    let until = again.map_or(u64::MAX, |e| e.at);
    let is_its = |e: &&Entry| {
        matches!(&e.event, Event::Kept { node, .. } if node == old) && e.at >= promotion.at && e.at < until
    };
    all.iter().filter(is_its).collect()
}

/// Whether it is a promotion.
#[must_use]
pub const fn is_promotion(entry: &Entry) -> bool {
    matches!(entry.event, Event::Promotion { .. })
}

#[cfg(test)]
mod tests;
