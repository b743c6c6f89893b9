//! Tries the disk, and remembers what that showed.

use std::time::Duration;

use super::Agent;
use crate::decide::disk::{Disk, Finding, judge};

/// A write takes some milliseconds. One that takes longer is looked for again by the next monitor: how long it hangs counts then.
const PATIENCE: Duration = Duration::from_secs(1);

impl Agent<'_> {
    /// A trial write. Takes no longer than [`PATIENCE`], whatever the disk does.
    pub(super) fn try_disk(&mut self) -> Finding {
        let trials = self.host.try_writes(PATIENCE.min(self.half()));
        let finding = judge(&trials, self.memory.disk);
        self.memory.disk = finding.disk;
        if finding.disk == Disk::Sound {
            self.grumble(finding.reason.clone());
        }
        finding
    }

    /// What is odd about the trial itself, once: it says nothing about the disk.
    fn grumble(&mut self, text: Option<String>) {
        if self.memory.untried != text {
            if let Some(text) = &text {
                self.host.log(crate::boundary::host::Level::Warning, text);
            }
            self.memory.untried = text;
        }
    }
}
