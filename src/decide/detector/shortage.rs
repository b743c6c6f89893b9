//! What this machine lacks for asking a daemon. It is no evidence against the daemon: one that hangs gives no answer, not an errno.

use super::act::{Act, LogLevel};
use super::observation::{NodeSnapshot, Shortage};
use super::proposal::Proposal;

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
