//! What this machine lacks for asking a daemon. It is no evidence against the daemon: one that hangs gives no answer, not an errno.

use super::act::{Act, Voice};
use super::observation::{Shortage, Sight};
use super::proposal::Proposal;

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Shortages(Option<Shortage>);

impl Shortages {
    /// Says once that daemons can't be asked, and when they can again.
    pub(super) fn step(&mut self, sight: &Sight) -> Option<Proposal> {
        let hit: Vec<&str> =
            sight.looks.iter().filter(|(_, l)| l.shortage.is_some()).map(|(s, _)| s.rule().name).collect();
        let lacks = sight.looks.iter().find_map(|(_, l)| l.shortage);
        let before = std::mem::replace(&mut self.0, lacks);
        let act = match lacks {
            Some(shortage) if before != Some(shortage) => Act::Say(
                Voice::Error,
                format!(
                    "{} can't be asked, and nobody is killed for it: {}",
                    hit.join(", "),
                    shortage.text()
                ),
            ),
            None if before.is_some() => Act::Say(Voice::Note, "all daemons can be asked again".to_owned()),
            Some(_) | None => return None,
        };
        Some(act.into())
    }
}
