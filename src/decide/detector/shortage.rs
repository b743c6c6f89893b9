//! What this machine lacks for asking a daemon. It is no evidence against the daemon: one that hangs gives no answer, not an errno.

use super::act::{Act, LogLevel};
use super::observation::{NodeSnapshot, Shortage};
use super::proposal::Proposal;

/// Who goes round its loop all the time has run for longer between two looks, ns.
const RAN: u64 = 1_000_000;

/// Whether a daemon without a descriptor is well otherwise. It finds the connection that it can't take in each round of its loop, and so
/// runs; one that hangs does not, whoever holds its descriptors. `before`, `now`: how long its process had run, ns; `None`: not looked at
/// yet, and gone.
#[must_use]
pub fn goes_round(before: Option<u64>, now: Option<u64>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => now.saturating_sub(before) >= RAN,
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Shortages(Option<Shortage>);

impl Shortages {
    /// Says once that daemons can't be asked, and when they can again.
    pub(super) fn step(&mut self, snapshot: &NodeSnapshot) -> Option<Proposal> {
        let hit: Vec<&str> = snapshot
            .daemons
            .iter()
            .filter(|(_, l)| l.shortage.is_some())
            .map(|(s, _)| s.rule().name)
            .collect();
        let lacks = snapshot.daemons.iter().find_map(|(_, l)| l.shortage);
        let before = std::mem::replace(&mut self.0, lacks);
        let act = match lacks {
            Some(shortage) if before != Some(shortage) => Act::Say(
                LogLevel::Error,
                format!("{} can't be asked, so that nothing is killed: {}", hit.join(", "), shortage.text()),
            ),
            None if before.is_some() => Act::Say(LogLevel::Note, "all daemons can be asked again".to_owned()),
            Some(_) | None => return None,
        };
        Some(act.into())
    }
}
