//! Every time of a cluster, computed from few inputs: what is typed twice differs one day.
//!
//! Sources: corosync.conf(5) (token, token_coefficient, consensus), corosync-qdevice(8) (timeout, sync_timeout),
//! sbd(8) (watchdog timeout), Pacemaker Explained (stonith-watchdog-timeout). How they hang together:
//!
//! - A lost member is noticed after the recovery time R = effective token + consensus.
//! - A node that lost the others and the quorum device knows so after R + `sync_timeout` at the latest, and its watchdog
//!   has reset it after `watchdog` more (no-quorum-policy suicide), or 4 s later where it tries to stop its resources
//!   first.
//! - The others count it as reset after R + `stonith-watchdog-timeout`. That must not be earlier.

mod bounds;
pub mod predict;

pub use bounds::*;

/// A walreceiver answers at half the timeout; a machine that stalls for two seconds is not gone.
const LEAST_WAL_TIMEOUT_MS: u32 = 5000;

/// The shortest timeout of the quorum device that a layout gets: its heartbeat of 1.6 s bears a witness that stalls for 0.8 s. With two
/// nodes and the `fast` token the survivor waits 0.2 s longer for it than for the membership.
const LEAST_SILENCE_MS: u32 = 2000;

/// A way of balancing speed against false alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// For most: a lost node is noticed after 6.6 s, a dead PostgreSQL after 3.
    Default,
    /// Links of a few milliseconds and machines that are never starved: noticed after 2.2 s.
    Fast,
    /// PAF's quick start, under which its figures were measured. Unsound: see [`Profile::complaints`].
    Paf,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Default, Self::Fast, Self::Paf];

    /// Its name, as in `profile = "…"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Fast => "fast",
            Self::Paf => "paf",
        }
    }

    /// The preset of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == word)
    }
}

/// What the times are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inputs {
    pub preset: Preset,
    /// Members of the cluster, without the witness.
    pub nodes: u32,
    pub quorum_device: QuorumDevice,
    /// The longest round trip between any two of the machines, in ms.
    pub rtt_ms: u32,
    /// sbd's watchdog timeout in s, the same on all nodes.
    pub watchdog_s: u32,
}

/// Whether a quorum device votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuorumDevice {
    Present,
    Absent,
}

/// The times of a cluster. The unit is in each name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    pub preset: Preset,
    /// corosync's token as configured; see [`Self::effective_token_ms`].
    pub token_ms: u32,
    /// Members of the cluster.
    pub nodes: u32,
    /// The round trip that it was computed for.
    pub rtt_ms: u32,
    pub quorum_device: QuorumDevice,
    /// How long corosync-qdevice waits for its server, and how long votequorum waits for corosync-qdevice while the
    /// membership changes. Meaningless without a quorum device.
    pub qdevice_timeout_ms: u32,
    pub qdevice_sync_timeout_ms: u32,
    /// How long its heuristics may take.
    pub heuristics_ms: u32,
    pub watchdog_s: u32,
    /// After so many seconds the side with quorum counts a lost node as reset.
    pub stonith_watchdog_s: u32,
    /// By how much Pacemaker is told to delay a fencing.
    pub fencing_delay_s: u32,
    pub no_quorum_policy: NoQuorumPolicy,
    /// Intervals of the monitor; Pacemaker wants them different.
    pub monitor_promoted_s: u32,
    pub monitor_unpromoted_s: u32,
    pub monitor_timeout_s: u32,
    /// The deadlines of the other operations.
    pub start_timeout_s: u32,
    pub stop_timeout_s: u32,
    pub promote_timeout_s: u32,
    pub demote_timeout_s: u32,
    pub notify_timeout_s: u32,
    /// How long the first node waits for others before it decides alone.
    pub dc_deadtime_s: u32,
    /// wal_sender_timeout and wal_receiver_timeout: for so long a commit waits for a synchronous standby that vanished.
    pub wal_timeout_ms: u32,
}

impl Profile {
    /// The times for these inputs.
    #[must_use]
    pub fn compute(inputs: Inputs) -> Self {
        let paf = inputs.preset == Preset::Paf;
        let least_token = match inputs.preset {
            Preset::Default | Preset::Paf => DEFAULT_TOKEN_MS,
            Preset::Fast => LEAST_TOKEN_MS,
        };
        let token_ms = least_token.max(least_token_ms(inputs.rtt_ms).next_multiple_of(100));
        let totem =
            Totem { token_ms, coefficient_ms: TOKEN_COEFFICIENT_MS, consensus_ms: None, nodes: inputs.nodes };
        let qdevice_sync_timeout_ms = if paf { 4000 } else { 3000 };
        let qdevice_timeout_ms = if paf {
            3000
        } else {
            timeout_at_no_cost_ms(totem.recovery_ms(), qdevice_sync_timeout_ms).max(LEAST_SILENCE_MS)
        };
        let no_quorum_policy = if paf { NoQuorumPolicy::Stop } else { NoQuorumPolicy::Suicide };
        let mut profile = Self {
            preset: inputs.preset,
            token_ms,
            nodes: inputs.nodes,
            rtt_ms: inputs.rtt_ms,
            quorum_device: inputs.quorum_device,
            qdevice_timeout_ms,
            qdevice_sync_timeout_ms,
            heuristics_ms: LEAST_HEURISTICS_MS,
            watchdog_s: inputs.watchdog_s,
            stonith_watchdog_s: 10,
            fencing_delay_s: 0,
            no_quorum_policy,
            monitor_promoted_s: if paf { 15 } else { 3 },
            monitor_unpromoted_s: if paf { 16 } else { 4 },
            monitor_timeout_s: if paf { 10 } else { 5 },
            start_timeout_s: 60,
            stop_timeout_s: 60,
            promote_timeout_s: 30,
            demote_timeout_s: 120,
            notify_timeout_s: 60,
            dc_deadtime_s: 2,
            wal_timeout_ms: token_ms.max(LEAST_WAL_TIMEOUT_MS),
        };
        if !paf {
            profile.stonith_watchdog_s =
                profile.least_stonith_watchdog_s().max(twice_the_watchdog_s(inputs.watchdog_s));
        }
        profile
    }

    /// corosync's part.
    #[must_use]
    pub const fn totem(&self) -> Totem {
        Totem {
            token_ms: self.token_ms,
            coefficient_ms: TOKEN_COEFFICIENT_MS,
            consensus_ms: None,
            nodes: self.nodes,
        }
    }

    /// See [`Totem::effective_token_ms`].
    #[must_use]
    pub const fn effective_token_ms(&self) -> u32 {
        self.totem().effective_token_ms()
    }

    /// See [`Totem::consensus_ms`].
    #[must_use]
    pub const fn consensus_ms(&self) -> u32 {
        self.totem().consensus_ms()
    }

    /// See [`Totem::recovery_ms`].
    #[must_use]
    pub const fn recovery_ms(&self) -> u32 {
        self.totem().recovery_ms()
    }

    /// The quorum device's sync_timeout, where there is one.
    #[must_use]
    pub const fn sync_timeout_ms(&self) -> Option<u32> {
        match self.quorum_device {
            QuorumDevice::Present => Some(self.qdevice_sync_timeout_ms),
            QuorumDevice::Absent => None,
        }
    }

    /// See [`least_stonith_watchdog_s`].
    #[must_use]
    pub const fn least_stonith_watchdog_s(&self) -> u32 {
        least_stonith_watchdog_s(self.sync_timeout_ms(), self.watchdog_s, self.no_quorum_policy)
    }

    /// After so many milliseconds a standby of a lost node may be promoted.
    #[must_use]
    pub const fn failover_ms(&self) -> u32 {
        self.recovery_ms().saturating_add(self.stonith_watchdog_s.saturating_mul(1000))
    }

    /// So many seconds after its boot a node may join: the others have counted it as reset by then.
    #[must_use]
    pub const fn start_delay_s(&self) -> u32 {
        start_delay_s(self.recovery_ms().div_ceil(1000).saturating_add(self.stonith_watchdog_s))
    }

    /// The timeout that fence_quorate's device has to have so that Pacemaker before 2.1.6 waits for the whole of
    /// stonith-watchdog-timeout; `None` where its own is long enough.
    #[must_use]
    pub const fn fence_timeout_s(&self) -> Option<u32> {
        let needs = notice_wait_s(DEFAULT_NOTICE_WAIT_S).saturating_add(self.stonith_watchdog_s);
        if fencing_total_s(DEFAULT_FENCING_S) >= needs {
            None
        } else {
            Some(least_fencing_timeout_s(needs, 0))
        }
    }

    /// What is unsound about the times: empty for everything that [`Self::compute`] gives, but for [`Preset::Paf`] and
    /// for watchdogs out of reason.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.quorum_device == QuorumDevice::Present {
            if !sync_timeout_fits(self.qdevice_sync_timeout_ms, self.watchdog_s) {
                found.push(format!(
                    "the watchdog's {} s are below the quorum device's sync_timeout, {} ms: sbd distrusts the quorum \
                     and never gets ready",
                    self.watchdog_s, self.qdevice_sync_timeout_ms
                ));
            }
            let longest = longest_qdevice_timeout_ms(self.recovery_ms(), self.qdevice_sync_timeout_ms);
            if self.qdevice_timeout_ms > longest {
                found.push(format!(
                    "recovery ({} ms) and sync_timeout ({} ms) are over before the quorum device has noticed the \
                     loss: the survivor loses its vote too",
                    self.recovery_ms(),
                    self.qdevice_sync_timeout_ms
                ));
            }
        }
        if self.quorum_device == QuorumDevice::Present
            && !heuristics_fit(self.heuristics_ms, self.rtt_ms, self.qdevice_sync_timeout_ms)
        {
            found.push(format!(
                "the heuristics' {} ms and a round trip of {} ms are not below the quorum device's sync_timeout, {} ms: \
                 their result comes too late to count",
                self.heuristics_ms, self.rtt_ms, self.qdevice_sync_timeout_ms
            ));
        }
        if self.stonith_watchdog_s < self.least_stonith_watchdog_s() {
            found.push(format!(
                "stonith-watchdog-timeout {} s: a lost node may run for longer; at least {} s",
                self.stonith_watchdog_s,
                self.least_stonith_watchdog_s()
            ));
        }
        if self.stonith_watchdog_s < twice_the_watchdog_s(self.watchdog_s) {
            found.push(format!(
                "stonith-watchdog-timeout {} s is below twice the watchdog's {} s",
                self.stonith_watchdog_s, self.watchdog_s
            ));
        }
        if self.monitor_timeout_s >= self.stonith_watchdog_s {
            found.push(format!(
                "a monitor's timeout, {} s, is not below stonith-watchdog-timeout, {} s",
                self.monitor_timeout_s, self.stonith_watchdog_s
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(preset: Preset, nodes: u32, quorum_device: QuorumDevice) -> Profile {
        Profile::compute(Inputs { preset, nodes, quorum_device, rtt_ms: 5, watchdog_s: 5 })
    }

    #[test]
    fn what_is_computed_is_sound() {
        for preset in [Preset::Default, Preset::Fast] {
            for nodes in 2..=16 {
                for device in [QuorumDevice::Present, QuorumDevice::Absent] {
                    for rtt_ms in [0, 5, 80, 400] {
                        for watchdog_s in [5, 10, 60] {
                            let inputs = Inputs { preset, nodes, quorum_device: device, rtt_ms, watchdog_s };
                            let profile = Profile::compute(inputs);
                            assert_eq!(profile.complaints(), Vec::<String>::new(), "{inputs:?}");
                            assert_ne!(profile.monitor_promoted_s, profile.monitor_unpromoted_s);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_figures_of_two_nodes_and_a_witness() {
        let p = profile(Preset::Default, 2, QuorumDevice::Present);
        assert_eq!((p.token_ms, p.consensus_ms(), p.recovery_ms()), (3000, 3600, 6600));
        assert_eq!((p.qdevice_timeout_ms, p.qdevice_sync_timeout_ms, p.stonith_watchdog_s), (5300, 3000, 10));
        let fast = profile(Preset::Fast, 2, QuorumDevice::Present);
        assert_eq!((fast.qdevice_timeout_ms, fast.qdevice_sync_timeout_ms), (2000, 3000));
        assert_eq!((fast.recovery_ms(), fast.stonith_watchdog_s, fast.failover_ms()), (2200, 10, 12_200));
    }

    /// A witness that blinks takes no vote away, and the failover does not wait for that.
    #[test]
    fn the_witness_may_be_silent_for_as_long_as_it_costs_nothing() {
        for preset in [Preset::Default, Preset::Fast] {
            for nodes in 2..=16 {
                for rtt_ms in [0, 5, 80, 400] {
                    let inputs =
                        Inputs { preset, nodes, quorum_device: QuorumDevice::Present, rtt_ms, watchdog_s: 5 };
                    let p = Profile::compute(inputs);
                    let (recovery, sync) = (p.recovery_ms(), p.qdevice_sync_timeout_ms);
                    let waits = decision_ms(recovery, p.qdevice_timeout_ms, sync);
                    assert!(p.qdevice_timeout_ms >= LEAST_SILENCE_MS, "{inputs:?}");
                    assert!(waits == 0 || p.qdevice_timeout_ms == LEAST_SILENCE_MS, "{inputs:?}: {waits}");
                    // The next longer one is later than the membership, or than votequorum waits, or longer than corosync's own.
                    let longer = p.qdevice_timeout_ms + 100;
                    assert!(
                        longer > DEFAULT_QDEVICE_TIMEOUT_MS
                            || longer > longest_qdevice_timeout_ms(recovery, sync)
                            || decision_ms(recovery, longer, sync) > 0,
                        "{inputs:?}: {}",
                        p.qdevice_timeout_ms
                    );
                }
            }
        }
        let silence = |preset, nodes| {
            witness_may_be_silent_ms(profile(preset, nodes, QuorumDevice::Present).qdevice_timeout_ms)
        };
        assert_eq!([silence(Preset::Default, 2), silence(Preset::Default, 4)], [2120, 2800]);
        assert_eq!([silence(Preset::Fast, 2), silence(Preset::Fast, 4)], [800, 1680]);
    }

    #[test]
    fn pacemaker_waits_for_the_whole_of_the_watchdogs_time() {
        let sound = profile(Preset::Default, 2, QuorumDevice::Present);
        for (stonith_watchdog_s, timeout_s) in [(10, None), (69, None), (70, Some(61)), (600, Some(503))] {
            let profile = Profile { stonith_watchdog_s, ..sound };
            assert_eq!(profile.fence_timeout_s(), timeout_s, "{stonith_watchdog_s}");
            let given = fencing_total_s(timeout_s.unwrap_or(DEFAULT_FENCING_S));
            assert!(
                given >= stonith_watchdog_s + notice_wait_s(DEFAULT_NOTICE_WAIT_S),
                "{stonith_watchdog_s}"
            );
        }
    }

    #[test]
    fn more_nodes_and_longer_ways_take_longer() {
        let p = profile(Preset::Default, 4, QuorumDevice::Present);
        assert_eq!((p.effective_token_ms(), p.consensus_ms()), (4300, 5160));
        let far = Profile::compute(Inputs {
            preset: Preset::Fast,
            nodes: 2,
            quorum_device: QuorumDevice::Present,
            rtt_ms: 333,
            watchdog_s: 5,
        });
        assert_eq!(far.token_ms, 1700);
    }

    #[test]
    fn unsound_times_are_named() {
        assert!(
            profile(Preset::Paf, 2, QuorumDevice::Present)
                .complaints()
                .iter()
                .any(|c| c.contains("at least 15 s"))
        );
        let sound = profile(Preset::Default, 2, QuorumDevice::Present);
        let low = Profile { stonith_watchdog_s: 9, ..sound };
        assert_eq!(low.complaints().len(), 2, "{:?}", low.complaints());
        let distrusted = Profile { qdevice_sync_timeout_ms: 6000, ..sound };
        assert!(distrusted.complaints().iter().any(|c| c.contains("distrusts")));
        let voteless = Profile { qdevice_timeout_ms: 8000, ..sound };
        assert!(voteless.complaints().iter().any(|c| c.contains("loses its vote")));
        let late = Profile { heuristics_ms: 2995, ..sound };
        assert!(late.complaints().iter().any(|c| c.contains("too late to count")));
        let slow = Profile { monitor_timeout_s: 10, ..sound };
        assert!(slow.complaints().iter().any(|c| c.contains("monitor")));
    }
}
