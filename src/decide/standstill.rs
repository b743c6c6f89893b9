//! A node that stood still: a virtual machine that was paused, a laptop's sleep, a host without time for it.
//!
//! The others lost it meanwhile. After stonith-watchdog-timeout they take it for reset and go on, and a commit here would be lost. This
//! node learns that a moment later than its clients can commit: corosync has to form a membership first. So the primaries end at once.
//!
//! A hypervisor that stops the machine's clocks with it (kvm-clock) leaves no gap to be seen; then the lost quorum tells.

use super::detector::{Act, LogLevel, Maintenance, Millis};

/// stonith-watchdog-timeout where it is not known or not set: twice sbd's default, as Pacemaker takes it.
pub const OTHERS_GO_ON_MS: Millis = 10_000;

/// Whether the primaries of this node end, where so much time went by and there was no moment to look. Without words, which take
/// time; [`judge`] has them.
#[must_use]
pub const fn ends_primaries(elapsed: Millis, others_go_on: Millis, maintenance: Maintenance) -> bool {
    match maintenance {
        Maintenance::Off => elapsed >= others_go_on,
        Maintenance::On => false,
    }
}

/// What follows where so much time went by since the last look, and there was no moment to look. `primaries`: whether one runs here.
#[must_use]
pub fn judge(
    elapsed: Millis,
    others_go_on: Millis,
    maintenance: Maintenance,
    primaries: bool,
) -> Option<Act> {
    if elapsed < others_go_on {
        return None;
    }
    let why = format!("this node stood still for {elapsed} ms, and the others go on after {others_go_on} ms");
    match (maintenance, primaries) {
        (Maintenance::Off, true) => Some(Act::Fence { why }),
        (Maintenance::Off, false) => Some(Act::Say(LogLevel::Warning, why)),
        (Maintenance::On, _) => Some(Act::Say(
            LogLevel::Warning,
            format!("{why}: left alone, the cluster is in maintenance mode"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_end_after_the_time_in_which_others_go_on() {
        for (elapsed, maintenance, primaries, fenced) in [
            (500, Maintenance::Off, true, false),
            (9_999, Maintenance::Off, true, false),
            (10_000, Maintenance::Off, true, true),
            (86_400_000, Maintenance::Off, true, true),
            (10_000, Maintenance::Off, false, false),
            (10_000, Maintenance::On, true, false),
        ] {
            let act = judge(elapsed, OTHERS_GO_ON_MS, maintenance, primaries);
            assert_eq!(matches!(act, Some(Act::Fence { .. })), fenced, "{elapsed} {act:?}");
            assert_eq!(act.is_some(), elapsed >= OTHERS_GO_ON_MS, "{elapsed}: it is said");
            let ends = ends_primaries(elapsed, OTHERS_GO_ON_MS, maintenance);
            assert_eq!(ends && primaries, fenced, "{elapsed}: without words");
        }
    }
}
