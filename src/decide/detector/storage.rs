//! The disks: a small write that does not return.
//!
//! A primary on a disk that hangs can't be stopped, so that Pacemaker would wait for its stop before it fences the node. A process
//! with a SIGKILL pending never runs again, wherever it sleeps: ending the node is safe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::act::{Act, LogLevel, ShutdownMode};
use super::limits::Limits;
use super::maintenance;
use super::observation::{Content, NodeSnapshot, PlaceObservation, Progress};
use super::proposal::{Proposal, Wanted};
use crate::decide::clock::{Millis, ObserverTime};
use crate::decide::reset::Ground;
use crate::pg::role::PgRole;

/// A device that does not tell whether it is only busy has so many times the time of one that tells.
const UNTOLD: Millis = 3;

#[derive(Debug, Default)]
pub(super) struct Places {
    pending: BTreeMap<PathBuf, Pending>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    since: ObserverTime,
    /// When the device was last known to complete a write.
    still: ObserverTime,
    suspected: bool,
    said: bool,
}

impl Places {
    pub(super) fn step(
        &mut self,
        now: ObserverTime,
        snapshot: &NodeSnapshot,
        limits: &Limits,
    ) -> Vec<Proposal> {
        let looks = &snapshot.places;
        self.pending.retain(|path, _| looks.iter().any(|l| l.pending && &l.path == path));
        let pending: Vec<&PlaceObservation> = looks.iter().filter(|l| l.pending).collect();
        pending.into_iter().filter_map(|look| self.judge(now, look, snapshot, limits)).collect()
    }

    fn judge(
        &mut self,
        now: ObserverTime,
        look: &PlaceObservation,
        snapshot: &NodeSnapshot,
        limits: &Limits,
    ) -> Option<Proposal> {
        let fresh = Pending { since: now, still: now, suspected: false, said: false };
        let pending = self.pending.entry(look.path.clone()).or_insert(fresh);
        if look.progress == Progress::Advances {
            pending.still = now;
        }
        let patience = match look.progress {
            Progress::Advances | Progress::Still => limits.storage,
            Progress::Unknown => limits.storage * UNTOLD,
        };
        let age = now - pending.since;
        let still = now - pending.still;
        let evidence = evidence(&look.path, age);
        if still < patience {
            let first = age >= limits.storage / 2 && !std::mem::replace(&mut pending.suspected, true);
            return first.then(|| Act::Say(LogLevel::Warning, format!("suspect: {evidence}")).into());
        }
        let excuse = match look.content {
            Content::Data(_) => maintenance::place(&look.path, snapshot),
            Content::State => maintenance::node(snapshot),
        };
        let left_alone = match (&look.content, excuse) {
            (_, Some(excuse)) => format!("left alone, {excuse}"),
            (Content::Data(PgRole::Standby), None) => "a standby's: left to Pacemaker".to_owned(),
            (Content::Data(PgRole::Primary), None) => {
                let why = format!("hangs: {evidence}");
                let (ground, mode) = (Ground::PrimaryDisk, ShutdownMode::Immediate);
                return Some(Wanted { ground, mode, why, victim: None }.into());
            }
            (Content::State, None) if still >= limits.state => {
                let why = format!("hangs: {evidence}");
                let (ground, mode) = (Ground::StateDirectory, ShutdownMode::Orderly);
                return Some(Wanted { ground, mode, why, victim: None }.into());
            }
            (Content::State, None) => format!(
                "the cluster goes on from memory; the node is reset after {} s, if a healthy node can take over",
                limits.state / 1000
            ),
        };
        let first = !std::mem::replace(&mut pending.said, true);
        let level = if look.content == Content::State { LogLevel::Error } else { LogLevel::Warning };
        first.then(|| Act::Say(level, format!("hangs: {evidence}; {left_alone}")).into())
    }
}

/// A write that is pending on a device that is not only busy: nobody takes over onto such a node.
pub(super) fn unwell(looks: &[PlaceObservation]) -> Option<String> {
    let hangs = looks.iter().find(|look| look.pending && look.progress != Progress::Advances)?;
    Some(format!("a small write to {} has not returned", hangs.path.display()))
}

/// Whether what Pacemaker and corosync keep can't be written: their daemons may wait for it, or for the log beside it.
pub(super) fn state_hangs(looks: &[PlaceObservation]) -> bool {
    let hangs = |look: &PlaceObservation| look.pending && look.progress != Progress::Advances;
    looks.iter().any(|look| look.content == Content::State && hangs(look))
}

fn evidence(path: &Path, age: Millis) -> String {
    format!("a small write to {} has not returned for {age} ms", path.display())
}
