//! Who noticed that something hangs or is gone, and after how long.

use serde::{Deserialize, Serialize};

use super::facts::{self, Fact};
use super::journal::Line;
use super::{Mark, Scene, mark};
use crate::machines::protocol::{Event, Happening};

/// Somebody who may notice a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// sbd, by a servant that does not report.
    Sbd,
    /// A watchdog device of the node, which nobody kept alive.
    Watchdog,
    /// pacemakerd, which kills or starts anew what it looks after.
    Pacemakerd,
    /// corosync, which hears nothing of its quorum device any more. Nobody acts on it.
    Corosync,
    /// Another of Pacemaker's daemons on the node, which has sbd panic: it ends the node, and knows that it has to.
    Pacemaker,
    /// systemd, whose service's main process is gone.
    Systemd,
    /// A monitor of the cluster's resources: it failed, or took the node's promotion score down.
    Monitor,
    /// quorated, of the node or of another one.
    Quorated,
    /// The other nodes, by their membership.
    Others,
}

impl By {
    /// In the words of a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sbd => "sbd",
            Self::Watchdog => "the watchdog",
            Self::Pacemakerd => "pacemakerd",
            Self::Corosync => "corosync",
            Self::Pacemaker => "its own Pacemaker",
            Self::Systemd => "systemd",
            Self::Monitor => "a monitor",
            Self::Quorated => "quorated",
            Self::Others => "the other nodes",
        }
    }
}

/// The first sign that one of them gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// Who.
    pub by: By,
    /// When, and by which line.
    #[serde(flatten)]
    pub mark: Mark,
}

/// What pacemakerd says when it acts. That a daemon "is unresponsive to ipc after 3 tries" is not that yet.
const PACEMAKERD: [&str; 3] = ["so have it killed", "terminated with signal", "after unexpected exit"];
/// What any of Pacemaker's daemons says when it ends its node.
const PANIC: &str = "to panic the system";
/// What sbd says of a servant; the reset itself is the watchdog's.
const SBD: [&str; 2] = ["is outdated (age", "No liveness for"];
/// How quorated's lines begin when it has made up its mind. One that begins with `suspect:` is taken back as often as not.
const QUORATED: [&str; 5] = ["hangs:", "kill:", "reset:", "quorum lost:", "failed:"];

/// Everybody who noticed, each with the first sign, in the order of time; empty: nobody did.
#[must_use]
pub fn noticed(scene: Scene<'_>, lines: &[Line], events: &[Event]) -> Vec<Noticed> {
    let told = lines.iter().filter_map(|line| {
        let ms = line.at_us.checked_sub(scene.fault_us)? / 1000;
        Some(Noticed { by: who(scene, line)?, mark: mark(ms, line) })
    });
    let of_events = events.iter().filter(|e| scene.hit.contains(&e.node)).filter_map(|event| {
        let by = match event.happening {
            Happening::WatchdogExpired { .. } => By::Watchdog,
            // By sbd, with reboot(2).
            Happening::ResetRequested => By::Sbd,
            _ => return None,
        };
        let words = format!("{}: {:?}", event.node, event.happening);
        Some(Noticed { by, mark: Mark { ms: scene.ms(event)?, node: String::new(), words } })
    });
    let mut all: Vec<Noticed> = told.chain(of_events).collect();
    all.sort_by_key(|n| (n.mark.ms, n.by));
    let mut first: Vec<Noticed> = Vec::new();
    for one in all {
        if !first.iter().any(|known| known.by == one.by) {
            first.push(one);
        }
    }
    first
}

/// Who noticed, when this line says that somebody did.
fn who(scene: Scene<'_>, line: &Line) -> Option<By> {
    let on_hit = scene.hit.contains(&line.node);
    let says = |words: &[&str]| words.iter().any(|w| line.message.contains(w));
    match line.program.as_str() {
        "sbd" => (on_hit && says(&SBD)).then_some(By::Sbd),
        "pacemakerd" if on_hit && says(&PACEMAKERD) => Some(By::Pacemakerd),
        "systemd" => (on_hit && says(&["Main process exited, code=killed"])).then_some(By::Systemd),
        "corosync" if on_hit && says(&["lost contact with quorum device"]) => Some(By::Corosync),
        "quorate-postgres" => (on_hit && is_worse(&line.message)).then_some(By::Monitor),
        "quorated" => QUORATED.iter().any(|w| line.message.starts_with(w)).then_some(By::Quorated),
        program if on_hit && program.starts_with("pacemaker") && says(&[PANIC]) => Some(By::Pacemaker),
        program => match facts::read(program, &line.message)? {
            Fact::Ended { action: "monitor", good: false, .. } => Some(By::Monitor),
            Fact::MembersLeft if !on_hit => Some(By::Others),
            Fact::Lost { node } | Fact::Unclean { node } => {
                (!on_hit && scene.hit.iter().any(|h| h == node)).then_some(By::Others)
            }
            Fact::MembersLeft
            | Fact::Fenced { .. }
            | Fact::Ordered { .. }
            | Fact::Ended { .. }
            | Fact::AddressAdded { .. } => None,
        },
    }
}

/// The agent's scores of an instance that is well differ by a few points.
const WORSE: i32 = 100;

/// Whether a monitor of the agent's has lowered the promotion score: `pgsqld monitor: promotion score 1001 -> 150: the disk …`.
fn is_worse(message: &str) -> bool {
    let Some((_, rest)) = message.split_once(" monitor: promotion score ") else { return false };
    let Some((before, rest)) = rest.split_once(" -> ") else { return false };
    let after = rest.split(':').next().unwrap_or_default();
    matches!((before.parse::<i32>(), after.parse::<i32>()), (Ok(before), Ok(after)) if before.saturating_sub(after) >= WORSE)
}

/// In one line: `pacemakerd 31.9 s, the other nodes 31.9 s`.
#[must_use]
pub fn words(noticed: &[Noticed]) -> String {
    if noticed.is_empty() {
        return "nobody".to_owned();
    }
    let one = |n: &Noticed| format!("{} {}.{} s", n.by.name(), n.mark.ms / 1000, n.mark.ms % 1000 / 100);
    noticed.iter().map(one).collect::<Vec<_>>().join(", ")
}
