//! Safe mode: nobody is promoted, and an instance that runs may lack acknowledged commits. It serves reads, and says so.

use super::clock::{BootTime, Millis};
use super::memory::Memory;
use super::score::SETTLE;

/// It is published when it has lasted for so long: each cold start begins with the first instance alone.
pub const REST: Millis = 20_000;

/// A primary looks so often for approvals that nobody needed.
pub const APPROVALS_AGAIN: Millis = 30_000;

/// Whether a primary looks for approvals that nobody needed. It may have looked in a reign before this one.
#[must_use]
pub fn approvals_are_due(memory: &Memory, now: BootTime) -> bool {
    let looked = memory.approvals_looked.max(memory.promoted).unwrap_or_default();
    now.since(looked) >= APPROVALS_AGAIN
}

/// It goes on. Whether it is to be published by now.
#[must_use]
pub fn goes_on(memory: &mut Memory, now: BootTime) -> bool {
    memory.safe_mode_over = None;
    now.since(*memory.safe_mode_since.get_or_insert(now)) >= REST
}

/// There is a primary. Whether what was published is to be taken back by now: at once a change of an attribute would abort the
/// transition that brings the primary's address up.
#[must_use]
pub fn is_over(memory: &mut Memory, now: BootTime) -> bool {
    memory.safe_mode_since = None;
    memory.safe_mode.is_some() && now.since(*memory.safe_mode_over.get_or_insert(now)) >= SETTLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approvals_are_looked_for_once_the_promotion_has_settled() {
        let mut memory = Memory {
            approvals_looked: Some(BootTime::at(1_000)),
            promoted: Some(BootTime::at(100_000)),
            ..Memory::default()
        };
        assert!(!approvals_are_due(&memory, BootTime::at(99_999 + APPROVALS_AGAIN)));
        assert!(approvals_are_due(&memory, BootTime::at(100_000 + APPROVALS_AGAIN)));
        memory.approvals_looked = Some(BootTime::at(100_000 + APPROVALS_AGAIN));
        assert!(!approvals_are_due(&memory, BootTime::at(99_999 + 2 * APPROVALS_AGAIN)));
    }

    #[test]
    fn it_is_said_late_and_taken_back_late() {
        let mut memory = Memory::default();
        assert!(
            !goes_on(&mut memory, BootTime::at(1_000)) && !goes_on(&mut memory, BootTime::at(999 + REST))
        );
        assert!(goes_on(&mut memory, BootTime::at(1_000 + REST)));
        assert!(!is_over(&mut memory, BootTime::at(50_000)), "nothing was published");
        memory.safe_mode = Some("x".into());
        assert!(
            !is_over(&mut memory, BootTime::at(60_000))
                && !is_over(&mut memory, BootTime::at(59_999 + SETTLE))
        );
        assert!(is_over(&mut memory, BootTime::at(60_000 + SETTLE)));
        // The primary vanishes again, and another one comes.
        assert!(!goes_on(&mut memory, BootTime::at(70_000)));
        assert!(!is_over(&mut memory, BootTime::at(80_000)));
    }
}
