//! What this machine lacks for asking a daemon. It is no evidence against the daemon: one that hangs gives no answer, not an errno.

use super::proposal::Proposal;
use super::{Act, Sight, Voice};

/// What is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// ENOSPC, EDQUOT: the shared memory of a connection finds no room.
    Space,
    /// EMFILE: this process, or the daemon, has no descriptor left.
    OwnFiles,
    /// ENFILE: the machine has none.
    Files,
    /// ENOMEM, ENOBUFS.
    Memory,
}

impl Shortage {
    /// With the errno, and what to do.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Space => {
                "ENOSPC, /dev/shm is full: df /dev/shm and ls -l /dev/shm say by whom; remove what fills it"
            }
            Self::OwnFiles => "EMFILE, too many open files: LimitNOFILE in systemctl edit quorated.service",
            Self::Files => {
                "ENFILE, the machine has no descriptor left: sysctl fs.file-nr, and raise fs.file-max"
            }
            Self::Memory => "ENOMEM, no memory: free -m says how much is left",
        }
    }
}

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
