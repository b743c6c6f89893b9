//! What a failover spent its time on: from the journals of the nodes, the supervisor's events and the client's writes to the
//! time of each step. Values in, values out: no clock, no files.
//!
//! | file | does |
//! |---|---|
//! | [`journal`] | `journalctl -o short-unix`, as lines |
//! | [`facts`] | what a line of Corosync, Pacemaker or `IPaddr2` says |
//! | [`noticed`](mod@noticed) | who noticed the fault, and after how long |
//! | here | which of these facts belong to the failover that brought the writes back |
//!
//! A step that no line tells of is absent. Nothing is guessed: a step that comes after the one that it should have led to was
//! no part of the way, and is left out.

pub mod facts;
pub mod journal;
pub mod noticed;

use serde::{Deserialize, Serialize};

use crate::machines::protocol::{Event, Happening, Impairment, PowerLoss};
use facts::Fact;
use journal::Line;

/// The client's first good write may be answered a little before the agent has seen its own promotion, and Pacemaker the
/// agent's end: a promotion whose end was logged within this time after that write is the one that made it possible.
const PROMOTION_IS_LOGGED_WITHIN_MS: u64 = 2_000;
/// The words of a line are kept as evidence; a line of the scheduler can be long.
const WORDS: usize = 160;

/// A moment of a failover, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Since the fault.
    pub ms: u64,
    /// Whose journal tells it; empty when it is the supervisor's log.
    #[serde(default)]
    pub node: String,
    /// The line.
    #[serde(default)]
    pub words: String,
}

/// How one instance came back. All times in ms since the fault; what is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failover {
    /// The instance's name.
    pub instance: String,
    /// The outage of this instance, counted as that of the run is: from the fault, or where it hit a bystander and after an order,
    /// from the last good write.
    pub instance_outage_ms: Option<u64>,
    /// The last good write before the interruption. Later than 0 where the service went on at first.
    pub writes_stopped_ms: u64,
    /// When a node that was hit lost its power.
    pub node_down: Option<Mark>,
    /// The cluster noticed: a membership without the node, or a failed monitor.
    pub detected: Option<Mark>,
    /// Pacemaker took the node's fencing as confirmed.
    pub fenced: Option<Mark>,
    /// Pacemaker ordered the promotion.
    pub decided: Option<Mark>,
    /// The agent's promote had ended well.
    pub promoted: Option<Mark>,
    /// The primary's float IP was there.
    pub float_ip: Option<Mark>,
    /// The first write of the series that stayed good.
    pub first_write_ms: Option<u64>,
}

impl Failover {
    /// The steps in their order, with their names.
    #[must_use]
    pub fn steps(&self) -> [(Step, Option<u64>); 6] {
        let ms = |mark: &Option<Mark>| mark.as_ref().map(|m| m.ms);
        [
            (Step::Detection, ms(&self.detected)),
            (Step::Fencing, ms(&self.fenced)),
            (Step::Decision, ms(&self.decided)),
            (Step::Promotion, ms(&self.promoted)),
            (Step::FloatIp, ms(&self.float_ip)),
            (Step::FirstWrite, self.first_write_ms),
        ]
    }
}

/// A part of a failover; it ends with what its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Detection,
    Fencing,
    Decision,
    Promotion,
    FloatIp,
    FirstWrite,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Detection, Self::Fencing, Self::Decision, Self::Promotion, Self::FloatIp, Self::FirstWrite];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Fencing => "fencing",
            Self::Decision => "decision",
            Self::Promotion => "promotion",
            Self::FloatIp => "float IP",
            Self::FirstWrite => "first write",
        }
    }

    /// What ends it.
    #[must_use]
    pub const fn ends_when(self) -> &'static str {
        match self {
            Self::Detection => "the cluster has noticed: a membership without the node, or a failed monitor",
            Self::Fencing => "Pacemaker takes the fencing of the node as confirmed",
            Self::Decision => "Pacemaker orders the promotion",
            Self::Promotion => "the agent's promote has ended well",
            Self::FloatIp => "the primary's float IP is there",
            Self::FirstWrite => "the client has its first write that stays good",
        }
    }
}

/// What was broken, and when.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The wall clock at the fault, in µs since 1970.
    pub fault_us: u64,
    /// The nodes that it hit.
    pub hit: &'a [String],
}

impl Scene<'_> {
    /// The time of an event since the fault, in ms; `None`: it was before.
    fn ms(self, event: &Event) -> Option<u64> {
        Some(event.at.wall_us.checked_sub(self.fault_us)? / 1000)
    }
}

/// An instance, by its names in Pacemaker, and what its client saw, in ms since the fault.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// The instance's name.
    pub instance: &'a str,
    /// Its resource.
    pub resource: &'a str,
    /// Its primary's float IP.
    pub float_ip: &'a str,
    /// Its outage.
    pub outage_ms: Option<u64>,
    /// The last good write before the interruption.
    pub writes_stopped_ms: u64,
    /// The first write of the series that stayed good; `None`: there was none.
    pub first_write_ms: Option<u64>,
}

/// A fact with its line.
struct Told<'a> {
    ms: u64,
    line: &'a Line,
    fact: Fact<'a>,
}

impl Told<'_> {
    fn mark(&self) -> Mark {
        mark(self.ms, self.line)
    }
}

fn mark(ms: u64, line: &Line) -> Mark {
    let words: String = line.message.chars().take(WORDS).collect();
    Mark { ms, node: line.node.clone(), words: format!("{}: {words}", line.program) }
}

/// The steps of an instance's way back, from the lines of all journals and the supervisor's events.
#[must_use]
pub fn failover(scene: Scene<'_>, watched: Watched<'_>, lines: &[Line], events: &[Event]) -> Failover {
    let mut told: Vec<Told<'_>> = lines
        .iter()
        .filter_map(|line| {
            let ms = line.at_us.checked_sub(scene.fault_us)? / 1000;
            Some(Told { ms, line, fact: facts::read(&line.program, &line.message)? })
        })
        .collect();
    told.sort_by_key(|t| t.line.at_us);
    // What came after the first good write is not what made it possible.
    let until = watched.first_write_ms.unwrap_or(u64::MAX);
    let upto = |ms: u64| told.iter().filter(move |t| t.ms <= ms);

    let promoted = upto(until.saturating_add(PROMOTION_IS_LOGGED_WITHIN_MS)).rev().find(|t| {
        matches!(t.fact, Fact::Ended { action: "promote", resource, good: true, .. } if resource == watched.resource)
    });
    let decided = upto(promoted.map_or(until, |p| p.ms)).rev().find(
        |t| matches!(t.fact, Fact::Ordered { action: "promote", resource } if resource == watched.resource),
    );
    let float_ip = upto(until)
        .rev()
        .find(|t| matches!(t.fact, Fact::AddressAdded { resource } if resource == watched.float_ip));
    // One that came before the promotion was for another primary.
    let float_ip = float_ip.filter(|ip| decided.is_none_or(|d| ip.ms >= d.ms));
    let before = decided.map_or(until, |d| d.ms);
    let fenced =
        upto(before).find(|t| matches!(t.fact, Fact::Fenced { node } if scene.hit.iter().any(|h| h == node)));
    let before = fenced.map_or(before, |f| f.ms);
    let detected = upto(before).find(|t| is_detection(scene, watched, t));
    Failover {
        instance: watched.instance.to_owned(),
        instance_outage_ms: watched.outage_ms,
        writes_stopped_ms: watched.writes_stopped_ms,
        node_down: node_down(scene, until, events),
        detected: detected.map(Told::mark),
        fenced: fenced.map(Told::mark),
        decided: decided.map(Told::mark),
        promoted: promoted.map(Told::mark),
        float_ip: float_ip.map(Told::mark),
        first_write_ms: watched.first_write_ms,
    }
}

/// Whether a fact says that the cluster has noticed. A node that is cut off sees the others go: what the hit nodes say of the
/// membership does not count.
fn is_detection(scene: Scene<'_>, watched: Watched<'_>, told: &Told<'_>) -> bool {
    let is_hit = |node: &str| scene.hit.iter().any(|h| h == node);
    match told.fact {
        Fact::MembersLeft => !is_hit(&told.line.node),
        Fact::Lost { node } | Fact::Unclean { node } => is_hit(node) && !is_hit(&told.line.node),
        Fact::Ended { action: "monitor", resource, good, .. } => {
            !good && (resource == watched.resource || resource == watched.float_ip)
        }
        Fact::Ended { .. } | Fact::Ordered { .. } | Fact::Fenced { .. } | Fact::AddressAdded { .. } => false,
    }
}

/// When the power of a node that was hit was gone, whoever cut it.
fn node_down(scene: Scene<'_>, until_ms: u64, events: &[Event]) -> Option<Mark> {
    let down = events.iter().filter(|e| scene.hit.contains(&e.node)).find_map(|event| {
        let Happening::PowerLost { cause } = event.happening else { return None };
        let words = format!("{} has no power: {cause:?}", event.node);
        Some(Mark { ms: scene.ms(event)?, node: String::new(), words })
    });
    down.filter(|mark| mark.ms <= until_ms)
}

/// When a node was cut off from the others, by its cable.
#[must_use]
pub fn cut_off(scene: Scene<'_>, node: &str, events: &[Event]) -> Option<u64> {
    let cut = |e: &&Event| match e.happening {
        Happening::Unlinked => true,
        Happening::Impaired { by } => by != Impairment::NONE,
        _ => false,
    };
    events.iter().filter(|e| e.node == node).filter(cut).find_map(|e| scene.ms(e))
}

/// When a node lost its power, and by whom.
#[must_use]
pub fn power_lost(scene: Scene<'_>, node: &str, events: &[Event]) -> Option<(u64, PowerLoss)> {
    events.iter().filter(|e| e.node == node).find_map(|event| {
        let Happening::PowerLost { cause } = event.happening else { return None };
        Some((scene.ms(event)?, cause))
    })
}

#[cfg(test)]
mod tests;
