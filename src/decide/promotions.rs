//! The record of promotions: which was the last one, and whether an instance's data stand on its WAL.
//!
//! A timeline number and an LSN prove nothing: anybody can make a timeline (`pg_ctl promote`, a start by hand), two nodes that never
//! met take the same number, and another node may have been the primary while this one was away. So each promotion is put on
//! record before the postmaster is told, and who is on another branch than the last one's is no candidate.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::clock::BootTime;
use crate::pg::history::History;
use crate::pg::timeline::{Timeline, WalPosition};

/// The private node attribute, and the cluster property, in which the last promotion stands.
#[must_use]
pub fn attribute(resource: &str) -> String {
    format!("quorate-promotion-{resource}")
}

/// One promotion of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// Counts the promotions, from 1.
    pub generation: u64,
    /// The timeline that it began.
    pub timeline: Timeline,
    /// The database system identifier (pg_control).
    pub system: u64,
    /// Where it left the timeline before; `None`: a primary that was there before the record was.
    pub fork: Option<WalPosition>,
    /// Tells it from every other one, also from one with the same number and timeline on a node that it never met.
    pub id: Id,
    /// Those that it descends from, the latest first, [`LINE`] at most.
    pub line: Vec<Id>,
    /// Pacemaker's name of the promoted node.
    pub node: String,
}

/// How many promotions back a branch is known.
pub const LINE: usize = 48;

/// Identity of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Id(u32);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        if text.len() == 8 { u32::from_str_radix(text, 16).map(Id).map_err(|_| ()) } else { Err(()) }
    }
}

impl Promotion {
    /// With the identity that its content and the moment give it.
    fn identified(self, now: BootTime) -> Promotion {
        let mut hash = std::hash::DefaultHasher::new();
        (self.generation, self.timeline.get(), self.system, &self.node, now).hash(&mut hash);
        self.fork.map(|fork| (fork.timeline.get(), fork.lsn.0)).hash(&mut hash);
        Promotion { id: Id((hash.finish() >> 32) as u32), ..self }
    }

    /// Whether data that stand on that promotion's WAL are on this one's branch.
    #[must_use]
    pub fn descends_from(&self, id: Id) -> bool {
        self.id == id || self.line.contains(&id)
    }

    /// The line of the next one.
    fn next_line(&self) -> Vec<Id> {
        std::iter::once(self.id).chain(self.line.iter().copied()).take(LINE).collect()
    }
}

/// `GENERATION:TIMELINE:SYSTEM:FORK-TIMELINE:FORK-LSN:ID:ID,…:NODE`, the value of the node attribute and of the cluster property.
impl fmt::Display for Promotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:", self.generation, self.timeline, self.system)?;
        match self.fork {
            Some(fork) => write!(f, "{}:{}", fork.timeline, fork.lsn)?,
            None => write!(f, "-:-")?,
        }
        let line = self.line.iter().map(Id::to_string).collect::<Vec<_>>().join(",");
        write!(f, ":{}:{line}:{}", self.id, self.node)
    }
}

/// What is no [`Promotion`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no record of a promotion (GENERATION:TIMELINE:SYSTEM:FORK-TIMELINE:FORK-LSN:ID:LINE:NODE)")]
pub struct PromotionError(String);

impl FromStr for Promotion {
    type Err = PromotionError;

    fn from_str(text: &str) -> Result<Self, PromotionError> {
        let read = || {
            let mut fields = text.trim().splitn(8, ':');
            let generation = fields.next()?.parse().ok().filter(|g| *g > 0)?;
            let timeline = fields.next()?.parse().ok()?;
            let system = fields.next()?.parse().ok()?;
            let fork = match (fields.next()?, fields.next()?) {
                ("-", "-") => None,
                (timeline, lsn) => {
                    Some(WalPosition { timeline: timeline.parse().ok()?, lsn: lsn.parse().ok()? })
                }
            };
            let id = fields.next()?.parse().ok()?;
            let line = fields.next()?.split(',').filter(|id| !id.is_empty());
            let line = line.map(str::parse).collect::<Result<Vec<Id>, ()>>().ok()?;
            let plain = |node: &&str| {
                !node.is_empty() && node.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            };
            let node = fields.next().filter(plain)?.to_owned();
            if line.len() > LINE {
                return None;
            }
            Some(Promotion { generation, timeline, system, fork, id, line, node })
        };
        read().ok_or_else(|| PromotionError(text.chars().take(80).collect()))
    }
}

/// How far a data directory may be ahead of what the cluster remembers, in promotions; and how many timelines are reserved at most.
const RESERVABLE: u32 = 1000;

impl Promotion {
    /// Whether what stands beside these data can be true. The file is the database user's, and a copy of another cluster's data may have
    /// it: it is believed only where it fits the data.
    #[must_use]
    pub fn fits(&self, known: u64, system: Option<u64>, position: WalPosition) -> bool {
        Some(self.system) == system
            && self.timeline <= position.timeline
            && self.generation <= known.saturating_add(u64::from(RESERVABLE))
    }
}

/// What is known of the last promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// No promotion is on record.
    Empty,
    Last(Promotion),
    /// It could not be read, or is damaged: why.
    Unread(String),
    /// It says two things of one generation.
    Contradictory(Promotion, Promotion),
}

impl Record {
    /// The one with the highest generation: the CIB is no consensus log, and what was written last need not be the last one.
    #[must_use]
    pub fn of(all: &[Promotion]) -> Record {
        let Some(last) = all.iter().max_by_key(|p| p.generation) else { return Record::Empty };
        match all.iter().find(|p| p.generation == last.generation && *p != last) {
            None => Record::Last(last.clone()),
            Some(other) => Record::Contradictory(last.clone(), other.clone()),
        }
    }

    /// The last promotion.
    #[must_use]
    pub const fn last(&self) -> Option<&Promotion> {
        match self {
            Record::Last(last) => Some(last),
            Record::Empty | Record::Unread(_) | Record::Contradictory(..) => None,
        }
    }

    /// The highest generation and timeline in it.
    fn highest(&self) -> (u64, u32) {
        match self {
            Record::Last(last) => (last.generation, last.timeline.get()),
            Record::Contradictory(one, other) => {
                (one.generation.max(other.generation), one.timeline.max(other.timeline).get())
            }
            Record::Empty | Record::Unread(_) => (0, 0),
        }
    }

    /// The timelines whose histories decide over data at this position.
    #[must_use]
    pub fn timelines(&self, position: WalPosition) -> Vec<Timeline> {
        let highest = Timeline::new(self.highest().1);
        [Some(position.timeline), self.last().map(|last| last.timeline), highest]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Whether a position can be one of this cluster's: on a timeline that a promotion on record began, or an older one.
    #[must_use]
    pub fn knows(&self, timeline: Timeline) -> bool {
        self.last().is_none_or(|last| timeline <= last.timeline)
    }

    /// Whether a primary that the agent did not promote may be taken for ours: nobody is on record, or it runs on the WAL of its own
    /// promotion, which is the last one.
    #[must_use]
    pub fn adopts(&self, node: &str, timeline: Option<Timeline>, system: Option<u64>) -> bool {
        match self {
            Record::Empty => true,
            Record::Last(last) => {
                last.node == node && Some(last.timeline) == timeline && Some(last.system) == system
            }
            Record::Unread(_) | Record::Contradictory(..) => false,
        }
    }
}

/// What an instance's own data are.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    pub node: &'a str,
    /// `None`: the control file can't be read.
    pub system: Option<u64>,
    pub position: WalPosition,
    /// The promotion on whose WAL they are, as it stands beside them; `None`: nothing stands there.
    pub on: Option<&'a Promotion>,
    /// In its pg_wal.
    pub histories: &'a [History],
}

/// How an instance's data stand to the last promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Branch {
    /// Nothing is on record to compare with.
    Unrecorded,
    /// On its WAL.
    Last,
    /// It was this node's own, and the server never began it: nothing was written there.
    NotBegun,
    Other(Mismatch),
}

impl Branch {
    /// What it would need to be told could not be read.
    #[must_use]
    pub fn of_unread(why: &str) -> Branch {
        Branch::Other(Mismatch::Unusable(why.to_owned()))
    }

    /// Why it is no candidate's; `None`: it may be.
    #[must_use]
    pub const fn mismatch(&self) -> Option<&Mismatch> {
        match self {
            Branch::Other(mismatch) => Some(mismatch),
            Branch::Unrecorded | Branch::Last | Branch::NotBegun => None,
        }
    }
}

/// Where data at rest belong: right after a promotion the control file still has the timeline before.
#[must_use]
pub fn position_at_rest(record: &Record, data: &Data<'_>) -> WalPosition {
    match record.last() {
        Some(last)
            if last.node == data.node
                && data.position.timeline < last.timeline
                && data.histories.iter().any(|h| h.timeline() == last.timeline) =>
        {
            WalPosition { timeline: last.timeline, ..data.position }
        }
        _ => data.position,
    }
}

/// Why the data are not on the last promotion's WAL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    AnotherSystem {
        own: Option<u64>,
        last: Promotion,
    },
    /// On a timeline before it: what was acknowledged since is not here.
    Older {
        own: WalPosition,
        last: Promotion,
    },
    /// On the WAL of a promotion that the last one does not come from, whatever its timeline's number is.
    AnotherBranch {
        on: Id,
        last: Promotion,
    },
    /// On a timeline that no promotion on record began.
    Unknown {
        own: WalPosition,
        last: Promotion,
    },
    Unusable(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::AnotherSystem { own: Some(own), last } => write!(
                f,
                "pgdata is another cluster's: system identifier {own}, that of the last primary {} is {}",
                last.node, last.system
            ),
            Mismatch::AnotherSystem { own: None, last } => write!(
                f,
                "the system identifier of pgdata can't be read; that of the last primary {} is {}",
                last.node, last.system
            ),
            Mismatch::Older { own, last } => write!(
                f,
                "{} was promoted to timeline {} since, and its WAL is not here ({own})",
                last.node, last.timeline
            ),
            Mismatch::AnotherBranch { on, last } => write!(
                f,
                "pgdata is on another branch: of promotion {on}, which the last one, {} of {}, does not come from",
                last.id, last.node
            ),
            Mismatch::Unknown { own, last } => write!(
                f,
                "timeline {} was begun by no promotion of the cluster (the last: {} on {}): promoted or started by hand",
                own.timeline, last.node, last.timeline
            ),
            Mismatch::Unusable(why) => write!(f, "the record of promotions: {why}"),
        }
    }
}

/// Compares an instance's data with the last promotion.
#[must_use]
pub fn branch(record: &Record, data: &Data<'_>) -> Branch {
    let last = match record {
        Record::Empty => return Branch::Unrecorded,
        Record::Unread(why) => return Branch::of_unread(why),
        Record::Contradictory(one, other) => {
            return Branch::of_unread(&format!("two promotions have the same number: {one} and {other}"));
        }
        Record::Last(last) => last.clone(),
    };
    let own = data.position;
    if data.system != Some(last.system) {
        return Branch::Other(Mismatch::AnotherSystem { own: data.system, last });
    }
    if let Some(on) = data.on.map(|on| on.id).filter(|on| !last.descends_from(*on)) {
        return Branch::Other(Mismatch::AnotherBranch { on, last });
    }
    match own.timeline.cmp(&last.timeline) {
        std::cmp::Ordering::Equal => Branch::Last,
        std::cmp::Ordering::Greater => Branch::Other(Mismatch::Unknown { own, last }),
        // PostgreSQL writes the history file before it takes the first write on a timeline.
        std::cmp::Ordering::Less
            if last.node == data.node
                && last.fork.is_none_or(|fork| own.lsn >= fork.lsn)
                && data.histories.iter().all(|h| h.timeline() != last.timeline) =>
        {
            Branch::NotBegun
        }
        std::cmp::Ordering::Less => Branch::Other(Mismatch::Older { own, last }),
    }
}

/// What is written ahead of a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    pub promotion: Promotion,
    /// Timelines that have to look taken on this node: PostgreSQL gives a promotion the first number without a history file, and one
    /// number must not be two branches.
    pub reserve: Vec<Timeline>,
}

/// The promotion of an instance with these data. `None`: no numbers are left, or the system identifier is not known.
#[must_use]
pub fn next(record: &Record, data: &Data<'_>, now: BootTime) -> Option<Next> {
    let own = data.position.timeline.get();
    let (generation, highest) = record.highest();
    if highest.saturating_sub(own) > RESERVABLE {
        return None;
    }
    let is_there = |number: u32| data.histories.iter().any(|h| h.timeline().get() == number);
    let reserve = (own.checked_add(1)?..=highest).filter(|number| !is_there(*number));
    let reserve: Vec<Timeline> = reserve.filter_map(Timeline::new).collect();
    let mut newest = own.max(highest);
    while is_there(newest.checked_add(1)?) {
        newest += 1;
    }
    let promotion = Promotion {
        generation: generation.checked_add(1)?,
        timeline: Timeline::new(newest.checked_add(1)?)?,
        system: data.system?,
        fork: Some(data.position),
        id: Id(0),
        line: line_of(record.last(), data.on, data.position.timeline),
        node: data.node.to_owned(),
    };
    Some(Next { promotion: promotion.identified(now), reserve })
}

/// What the next promotion comes from. Data on another branch, which an operator accepts, bring that branch along and no other.
fn line_of(last: Option<&Promotion>, on: Option<&Promotion>, timeline: Timeline) -> Vec<Id> {
    match (last, on) {
        (Some(last), Some(on)) if !last.descends_from(on.id) => on.next_line(),
        // The note beside the data may be older than the WAL that they have.
        (Some(last), Some(on)) if on.id != last.id && timeline < last.timeline => {
            last.line.iter().copied().skip_while(|id| *id != on.id).collect()
        }
        (Some(last), _) => last.next_line(),
        (None, on) => on.map(Promotion::next_line).unwrap_or_default(),
    }
}

/// The entry of a primary that runs, where the record does not have it; `None`: it has.
#[must_use]
pub fn adopted(
    record: &Record,
    node: &str,
    timeline: Timeline,
    system: Option<u64>,
    on: Option<&Promotion>,
    now: BootTime,
) -> Option<Promotion> {
    let last = match record {
        Record::Unread(_) => return None,
        Record::Empty | Record::Contradictory(..) => None,
        Record::Last(last)
            if last.node == node && last.timeline == timeline && Some(last.system) == system =>
        {
            return None;
        }
        Record::Last(last) => Some(last),
    };
    let promotion = Promotion {
        generation: record.highest().0.checked_add(1)?,
        timeline,
        system: system?,
        fork: None,
        id: Id(0),
        line: line_of(last, on, timeline),
        node: node.to_owned(),
    };
    Some(promotion.identified(now))
}

#[cfg(test)]
mod tests;
