//! The sets of timings that a cluster can be brought up with.

/// Which set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Timing {
    /// The project's own: the watchdog and fencing times of `paf`, a monitor every 3 s, and an isolated node resets itself
    /// at once.
    Default,
    /// Those of PAF's quick start, under which its figures were measured.
    Paf,
}

/// The values of a set, as the provisioning scripts take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values {
    /// corosync's token in ms. Its consensus is 1.2 times that.
    pub token_ms: u32,
    /// The quorum device's timeouts in ms. `sync_timeout` has to be below the watchdog's, or sbd never gets ready.
    pub qdevice_timeout_ms: u32,
    pub qdevice_sync_timeout_ms: u32,
    /// sbd's watchdog in s.
    pub watchdog_s: u32,
    /// After so many s the side with quorum counts a lost node as reset.
    pub stonith_watchdog_s: u32,
    pub no_quorum_policy: &'static str,
    /// Intervals of the monitor in s; Pacemaker wants them different.
    pub monitor_promoted_s: u32,
    pub monitor_unpromoted_s: u32,
    pub monitor_timeout_s: u32,
}

impl Timing {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Timing::Default => "default",
            Timing::Paf => "paf",
        }
    }

    /// Its values.
    pub fn values(self) -> Values {
        let paf = Values {
            token_ms: 3000,
            qdevice_timeout_ms: 3000,
            qdevice_sync_timeout_ms: 4000,
            watchdog_s: 5,
            stonith_watchdog_s: 10,
            no_quorum_policy: "stop",
            monitor_promoted_s: 15,
            monitor_unpromoted_s: 16,
            monitor_timeout_s: 10,
        };
        match self {
            Timing::Paf => paf,
            Timing::Default => Values {
                // An isolated node resets itself at once, rather than after it tried to stop its resources: a wider
                // margin before the other side promotes.
                no_quorum_policy: "suicide",
                // So that fencing counts a node as reset no earlier than sync_timeout + watchdog + 2 s.
                qdevice_timeout_ms: 2000,
                qdevice_sync_timeout_ms: 3000,
                monitor_promoted_s: 3,
                monitor_unpromoted_s: 4,
                monitor_timeout_s: 5,
                ..paf
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_sound() {
        for timing in [Timing::Default, Timing::Paf] {
            let v = timing.values();
            assert!(v.qdevice_sync_timeout_ms < v.watchdog_s * 1000, "sbd would distrust the quorum");
            assert!(v.stonith_watchdog_s >= 2 * v.watchdog_s);
            assert_ne!(v.monitor_promoted_s, v.monitor_unpromoted_s);
        }
    }

    #[test]
    fn a_node_is_counted_as_reset_only_when_it_must_be() {
        // That of `paf` isn't sound: with the policy "stop" it would need 4 s more. It is what PAF was measured with.
        let v = Timing::Default.values();
        assert_eq!(v.no_quorum_policy, "suicide");
        assert!(v.stonith_watchdog_s * 1000 >= v.qdevice_sync_timeout_ms + v.watchdog_s * 1000 + 2000);
    }
}
