//! Whether an instance that does not answer goes on.

use std::collections::BTreeMap;

use super::disk::Disk;
use crate::pg::instance::ProcessId;

/// What the instance's processes had done at a moment: how often each was switched to and from. Who is frozen, or waits for a device,
/// is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity(pub BTreeMap<ProcessId, u64>);

/// What came of the instance between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Its processes ran, and its disk takes writes.
    GoesOn,
    /// They did not, or it does not, or it is not known.
    StandsStill,
}

/// Compares two moments; `None`: the processes could not be examined. `disk`: by a trial write in between.
#[must_use]
pub fn progress(before: Option<&Activity>, after: Option<&Activity>, disk: Disk) -> Progress {
    let (Some(before), Some(after)) = (before, after) else { return Progress::StandsStill };
    // A new process counts too: the postmaster made it for a client.
    let ran = after.0.iter().any(|(id, switches)| before.0.get(id).is_none_or(|earlier| switches > earlier));
    if ran && disk.returns() { Progress::GoesOn } else { Progress::StandsStill }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(processes: &[(i32, u64)]) -> Activity {
        Activity(processes.iter().map(|&(pid, n)| (ProcessId { pid, start_time: 7 }, n)).collect())
    }

    #[test]
    fn who_ran_on_a_disk_that_takes_writes_goes_on() {
        let before = activity(&[(1, 10), (2, 20)]);
        let same = before.clone();
        for (after, goes_on) in [
            (&same, false),
            (&activity(&[(1, 10)]), false),
            (&activity(&[(1, 10), (2, 21)]), true),
            (&activity(&[(1, 10), (2, 20), (3, 0)]), true),
        ] {
            for disk in Disk::ALL {
                let expected =
                    if goes_on && disk.returns() { Progress::GoesOn } else { Progress::StandsStill };
                assert_eq!(progress(Some(&before), Some(after), disk), expected, "{after:?} {disk:?}");
            }
        }
        assert_eq!(progress(None, Some(&same), Disk::Sound), Progress::StandsStill);
        assert_eq!(progress(Some(&before), None, Disk::Sound), Progress::StandsStill);
    }
}
