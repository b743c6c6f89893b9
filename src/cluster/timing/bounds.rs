//! The bounds that the times of a cluster must keep: one function for each, used by what computes times and by what
//! checks them.

/// corosync adds this to the token for each node beyond the second (totem.token_coefficient's default).
pub const TOKEN_COEFFICIENT_MS: u32 = 650;
/// corosync's own token since 3.1.
pub const DEFAULT_TOKEN_MS: u32 = 3000;
/// corosync-qdevice's own timeout and sync_timeout.
pub const DEFAULT_QDEVICE_TIMEOUT_MS: u32 = 10_000;
pub const DEFAULT_QDEVICE_SYNC_TIMEOUT_MS: u32 = 30_000;
/// sbd's own watchdog timeout.
pub const DEFAULT_WATCHDOG_S: u32 = 5;
/// A daemon that is stopped by a signal hangs after this time. Nothing but a signal does that to it.
pub const DAEMON_STOPPED_MS: u32 = 2500;
/// A small write that has not returned: every commit hangs as long. A checkpoint on a slow disk holds up single writes for some
/// seconds.
pub const DISK_STUCK_MS: u32 = 8000;
/// Below that a stalled machine or a lost packet is a lost node.
pub const LEAST_TOKEN_MS: u32 = 1000;
/// corosync-qdevice sends a heartbeat every 0.8 of its timeout, and not more often than each second.
pub const LEAST_HEARTBEAT_MS: u32 = 1000;
/// sbd looks once a second, and the kernel's watchdog fires up to half a second late.
pub const MARGIN_S: u32 = 2;
/// The second of these alone.
pub const WATCHDOG_LATE_MS: u32 = 500;
/// The same without the rest that makes whole seconds of it.
const LATE_MS: u32 = 1000 + WATCHDOG_LATE_MS;
/// How long Pacemaker tries to stop resources without quorum before sbd gives up on it: what no-quorum-policy `stop`
/// costs more than `suicide`.
const STOPPING_S: u32 = 4;
/// A token lost by chance is no lost node: so many round trips.
const TOKEN_ROUND_TRIPS: u32 = 5;

/// What a partition without quorum does with its resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoQuorumPolicy {
    /// Stops them, and fails to when its daemons hang. Pacemaker's own.
    Stop,
    /// Starts nothing, stops nothing.
    Freeze,
    /// Demotes what is promoted, stops the rest.
    Demote,
    /// Resets itself at once.
    Suicide,
    /// The same by its name since Pacemaker 3.0.
    Fence,
    /// Goes on as if it had quorum.
    Ignore,
}

impl NoQuorumPolicy {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Stop, Self::Freeze, Self::Demote, Self::Suicide, Self::Fence, Self::Ignore];

    /// Pacemaker's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Freeze => "freeze",
            Self::Demote => "demote",
            Self::Suicide => "suicide",
            Self::Fence => "fence",
            Self::Ignore => "ignore",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.word() == word)
    }

    /// How long a node without quorum tries something else before its watchdog is left to bite. [`Self::Ignore`] never
    /// lets it, so that no time is long enough; it has a rule of its own.
    const fn stopping_s(self) -> u32 {
        match self {
            Self::Suicide | Self::Fence => 0,
            Self::Stop | Self::Freeze | Self::Demote | Self::Ignore => STOPPING_S,
        }
    }
}

/// corosync's times: how long it takes until the members agree that one is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totem {
    /// As configured; see [`Self::effective_token_ms`].
    pub token_ms: u32,
    pub coefficient_ms: u32,
    /// As configured; where it is not, corosync computes it.
    pub consensus_ms: Option<u32>,
    /// Members of the cluster.
    pub nodes: u32,
}

impl Totem {
    /// The token that corosync uses: longer with more than two nodes.
    #[must_use]
    pub const fn effective_token_ms(&self) -> u32 {
        self.token_ms.saturating_add(self.nodes.saturating_sub(2).saturating_mul(self.coefficient_ms))
    }

    /// What corosync computes where no consensus is configured: 1.2 times the token.
    #[must_use]
    pub const fn own_consensus_ms(&self) -> u32 {
        (self.effective_token_ms() / 10)
            .saturating_mul(12)
            .saturating_add(self.effective_token_ms() % 10 * 12 / 10)
    }

    /// The consensus that corosync uses.
    #[must_use]
    pub const fn consensus_ms(&self) -> u32 {
        match self.consensus_ms {
            Some(configured) => configured,
            None => self.own_consensus_ms(),
        }
    }

    /// After so many milliseconds the members agree that one is lost.
    #[must_use]
    pub const fn recovery_ms(&self) -> u32 {
        self.effective_token_ms().saturating_add(self.consensus_ms())
    }
}

/// The least token for a round trip.
#[must_use]
pub const fn least_token_ms(rtt_ms: u32) -> u32 {
    let trips = rtt_ms.saturating_mul(TOKEN_ROUND_TRIPS);
    if trips > LEAST_TOKEN_MS { trips } else { LEAST_TOKEN_MS }
}

/// How often corosync-qdevice shows its server that it is there.
#[must_use]
pub fn heartbeat_ms(qdevice_timeout_ms: u32) -> u32 {
    (qdevice_timeout_ms / 10 * 8).max(LEAST_HEARTBEAT_MS)
}

/// After so long without a message the quorum device's server has dropped a node: 1.5 heartbeats (dpd_interval_coefficient). Before that
/// it takes no other membership for stable.
#[must_use]
pub fn server_notices_ms(qdevice_timeout_ms: u32) -> u32 {
    let heartbeat = heartbeat_ms(qdevice_timeout_ms);
    heartbeat.saturating_add(heartbeat / 2)
}

/// How long the survivor's vote may take after the membership has changed: until its server has dropped the lost node, at most until
/// votequorum gives up at sync_timeout.
#[must_use]
pub fn decision_ms(recovery_ms: u32, qdevice_timeout_ms: u32, sync_timeout_ms: u32) -> u32 {
    server_notices_ms(qdevice_timeout_ms).saturating_sub(recovery_ms).min(sync_timeout_ms)
}

/// The longest silence of the witness that costs no vote, whenever it begins: the last heartbeat came just before the next one was due,
/// and the server drops who was not heard of for 1.5 of them. It looks at its timers before a whole message is read: seen in the lab.
#[must_use]
pub fn witness_may_be_silent_ms(qdevice_timeout_ms: u32) -> u32 {
    heartbeat_ms(qdevice_timeout_ms) / 2
}

/// The longest timeout of a quorum device that delays no failover: its server has dropped a lost node before the membership has changed,
/// and [`longest_qdevice_timeout_ms`] holds. Not longer than corosync-qdevice's own.
#[must_use]
pub fn timeout_at_no_cost_ms(recovery_ms: u32, sync_timeout_ms: u32) -> u32 {
    // 1.5 heartbeats of 0.8 of it.
    let unnoticed = recovery_ms / 12 * 10;
    let longest = longest_qdevice_timeout_ms(recovery_ms, sync_timeout_ms);
    unnoticed.min(longest).min(DEFAULT_QDEVICE_TIMEOUT_MS) / 100 * 100
}

/// How long after the loss was agreed on a node without quorum may still run: the quorum device may stay silent for the
/// whole of sync_timeout, sbd looks once a second, the watchdog bites up to half a second late.
#[must_use]
pub const fn latest_death_ms(sync_timeout_ms: Option<u32>, watchdog_s: u32, policy: NoQuorumPolicy) -> u32 {
    let wait_ms = match sync_timeout_ms {
        Some(ms) => ms,
        None => 0,
    };
    let seconds = watchdog_s.saturating_add(policy.stopping_s());
    wait_ms.saturating_add(seconds.saturating_mul(1000)).saturating_add(LATE_MS)
}

/// For so long a node may not join after its boot: the others still count it as lost, and as reset only when `lost_s` are over.
#[must_use]
pub const fn start_delay_s(lost_s: u32) -> u32 {
    lost_s.saturating_add(1)
}

/// systemd's own limit for the start of a unit, and what pcs waits for a start that nothing delays.
const DEFAULT_START_S: u32 = 90;

/// How long the start of a cluster that begins so late may take.
#[must_use]
pub const fn start_wait_s(delay_s: u32) -> u32 {
    delay_s.saturating_add(DEFAULT_START_S)
}

/// The shortest timeout of a quorum device: its heartbeat would be below [`LEAST_HEARTBEAT_MS`].
pub const LEAST_QDEVICE_TIMEOUT_MS: u32 = LEAST_HEARTBEAT_MS * 10 / 8;

/// The longest timeout of a quorum device at which it has noticed a loss before recovery and sync_timeout are over: else
/// the survivor loses its vote too. Heartbeats go every 0.8 timeout; the server gives up after 1.5 of that, and an answer
/// takes its time.
#[must_use]
pub fn longest_qdevice_timeout_ms(recovery_ms: u32, sync_timeout_ms: u32) -> u32 {
    let tenths = (u64::from(recovery_ms) + u64::from(sync_timeout_ms)) * 10;
    u32::try_from(tenths.saturating_sub(5000) / 17).unwrap_or(u32::MAX)
}

/// The shortest sync_timeout of heuristics: corosync-qdevice takes none below it, and what they run is a whole program.
pub const LEAST_HEURISTICS_MS: u32 = 1000;

/// What they run, as in quorum.device.heuristics.exec_NAME.
pub const HEURISTICS_COMMAND: &str = "/usr/bin/quorate primary-here --log";

/// Whether the heuristics' result can reach the quorum device's server, and its vote come back, before votequorum has given up.
#[must_use]
pub const fn heuristics_fit(heuristics_ms: u32, rtt_ms: u32, sync_timeout_ms: u32) -> bool {
    heuristics_ms.saturating_add(rtt_ms) < sync_timeout_ms
}

/// Whether sbd trusts a quorum that may stay undecided for so long: it compares whole seconds.
#[must_use]
pub const fn sync_timeout_fits(sync_timeout_ms: u32, watchdog_s: u32) -> bool {
    sync_timeout_ms / 1000 <= watchdog_s
}

/// The least stonith-watchdog-timeout at which no node is counted as reset that may still run. `sync_timeout_ms`: that
/// of the quorum device, where there is one.
#[must_use]
pub const fn least_stonith_watchdog_s(
    sync_timeout_ms: Option<u32>,
    watchdog_s: u32,
    policy: NoQuorumPolicy,
) -> u32 {
    let wait_ms = match sync_timeout_ms {
        Some(ms) => ms,
        None => 0,
    };
    wait_ms.div_ceil(1000).saturating_add(watchdog_s).saturating_add(MARGIN_S + policy.stopping_s())
}

/// Pacemaker's own rule for stonith-watchdog-timeout, whatever else holds.
#[must_use]
pub const fn twice_the_watchdog_s(watchdog_s: u32) -> u32 {
    watchdog_s.saturating_mul(2)
}

/// Pacemaker's own stonith-timeout: how long a fence device may take that has no time of its own.
pub const DEFAULT_FENCING_S: u32 = 60;

/// fence_quorate's own `wait`.
pub const DEFAULT_NOTICE_WAIT_S: u32 = 2;

/// How long Pacemaker gives so many seconds of fence devices' timeouts, before it gives up on them.
#[must_use]
pub const fn fencing_total_s(timeouts_s: u32) -> u32 {
    // Pacemaker cuts the fraction off too.
    timeouts_s.saturating_mul(12) / 10
}

/// How long fence_quorate takes to fail at most for a target that has left: its `wait`, and what it and Pacemaker need besides.
/// A member, which it tells to end, it waits for longer (`self_fence_timeout`); the watchdog's time is counted there.
#[must_use]
pub const fn notice_wait_s(wait_s: u32) -> u32 {
    wait_s.saturating_add(1)
}

/// The least timeout of a fence device beside others', with which all of them together are given so long.
#[must_use]
pub const fn least_fencing_timeout_s(total_s: u32, others_s: u32) -> u32 {
    total_s.saturating_mul(10).div_ceil(12).saturating_sub(others_s)
}
