//! A WAL receiver that looks well and receives nothing.
//!
//! `pg_stat_wal_receiver` is shared memory: it says "streaming" for as long as the process exists, also when that was stopped by a
//! signal. Then nobody notices: the process itself would have to look at wal_receiver_timeout, and the postmaster waits for it. An
//! idle primary sends little, so the age of the last message tells nothing; the state of the process does.

use super::facts::RunState;

/// Whether it hangs, by two looks a moment apart; `None`: it was gone. One that was stopped and goes on, or a debugger's stop,
/// is not reported. A receiver that waits for a device is the disk's matter.
pub const fn hangs(looks: [Option<RunState>; 2]) -> Option<&'static str> {
    match looks {
        [Some(RunState::Stopped), Some(RunState::Stopped)] => {
            Some("the WAL receiver is stopped (SIGSTOP): it says that it streams, and receives nothing")
        }
        [None | Some(RunState::Running | RunState::Stopped | RunState::Uninterruptible), _] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_that_stays_stopped_hangs() {
        let all = [None, Some(RunState::Running), Some(RunState::Stopped), Some(RunState::Uninterruptible)];
        for first in all {
            for second in all {
                let stopped = first == Some(RunState::Stopped) && second == Some(RunState::Stopped);
                assert_eq!(hangs([first, second]).is_some(), stopped, "{first:?} {second:?}");
            }
        }
    }
}
