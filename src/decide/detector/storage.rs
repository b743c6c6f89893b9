//! The disks: a small write that does not return.
//!
//! A primary on a disk that hangs can't be stopped, so that Pacemaker would wait for its stop before it fences the node. A process
//! with a SIGKILL pending never runs again, wherever it sleeps: ending the node is safe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Act, Limits, Maintenance, Manner, Millis, Voice};
use crate::pg::role::PgRole;

/// A directory into which a small write was made, or is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceLook {
    pub path: PathBuf,
    pub content: Content,
    /// Whether a write is under way for longer than one takes.
    pub pending: bool,
    pub progress: Progress,
}

/// Whether the device below completes writes meanwhile, anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It does: it is busy, and our write waits its turn.
    Advances,
    Still,
    /// It does not tell: a file server's, for one.
    Unknown,
}

/// A device that does not tell whether it is only busy has so many times the time of one that tells.
const UNTOLD: Millis = 3;

/// What lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// PostgreSQL's data or WAL.
    Data(PgRole),
    /// What Pacemaker or corosync write.
    State,
}

#[derive(Debug, Default)]
pub(super) struct Places {
    pending: BTreeMap<PathBuf, Pending>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    since: Millis,
    /// When the device was last known to complete a write.
    still: Millis,
    suspected: bool,
    said: bool,
}

impl Places {
    pub(super) fn step(
        &mut self,
        now: Millis,
        looks: &[PlaceLook],
        maintenance: Maintenance,
        limits: &Limits,
    ) -> Vec<Act> {
        self.pending.retain(|path, _| looks.iter().any(|l| l.pending && &l.path == path));
        looks.iter().filter(|l| l.pending).filter_map(|l| self.judge(now, l, maintenance, limits)).collect()
    }

    fn judge(
        &mut self,
        now: Millis,
        look: &PlaceLook,
        maintenance: Maintenance,
        limits: &Limits,
    ) -> Option<Act> {
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
        let evidence = evidence(&look.path, age);
        if now - pending.still < patience {
            let first = age >= limits.storage / 2 && !std::mem::replace(&mut pending.suspected, true);
            return first.then(|| Act::Say(Voice::Warning, format!("suspect: {evidence}")));
        }
        let left_alone = match (&look.content, maintenance) {
            (_, Maintenance::On) => "left alone, the cluster is in maintenance mode",
            (Content::Data(PgRole::Standby), Maintenance::Off) => "a standby's: left to Pacemaker",
            (Content::Data(PgRole::Primary) | Content::State, Maintenance::Off) => {
                let manner = match look.content {
                    Content::Data(_) => Manner::AtOnce,
                    Content::State => Manner::Orderly,
                };
                return Some(Act::Reset { manner, why: format!("hangs: {evidence}") });
            }
        };
        let first = !std::mem::replace(&mut pending.said, true);
        first.then(|| Act::Say(Voice::Warning, format!("hangs: {evidence}; {left_alone}")))
    }
}

fn evidence(path: &Path, age: Millis) -> String {
    format!("a small write to {} has not returned for {age} ms", path.display())
}
