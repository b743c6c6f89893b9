//! What a fault will cost, phase by phase, how much time is left between the end of a lost node and its successor, and what
//! would be faster and still sound.

use serde::Serialize;

use super::{
    DEFAULT_WATCHDOG_S, DISK_STUCK_MS, Inputs, NoQuorumPolicy, Preset, Profile, QuorumDevice, decision_ms,
    latest_death_ms, twice_the_watchdog_s,
};

/// From the end of stonith-watchdog-timeout to the first write: in 16 runs of the lab 0.1 to 2.7 s
/// (docs/layouts.md, what was measured less what is computed).
const PROMOTION_MS: (u32, u32) = (100, 2700);
/// What follows when a killed PostgreSQL was noticed: the shortest outage of five in the lab (README, PostgreSQL killed),
/// with little WAL to replay. A crash recovery with much of it takes as long as that.
const RESTART_MS: u32 = 1700;
/// The same since quorated notices at once, and its median was 2.1 s: ten runs on a busy host (docs/lab/hangs.md).
const RESTART_TOLD_MS: (u32, u32) = (700, 3800);
/// quorated is woken by the kernel; Pacemaker's program takes the rest (docs/lab/hangs.md).
const TOLD_MS: (u32, u32) = (0, 100);
/// PostgreSQL is shut down, or killed where the disk hangs (`daemon/self_fence`).
const ENDING_MS: (u32, u32) = (100, 1500);
/// The self-fencing notice, and corosync's leave.
const NOTICE_MS: (u32, u32) = (100, 800);
/// The others see the node leave, elect another DC where it was that, and ask for its fencing, which is confirmed at once: 0.1 to
/// 2.4 s in the lab (docs/lab/hangs.md).
const CONFIRMED_MS: (u32, u32) = (100, 2400);
/// quorated writes every 2 s and looks twice a second.
const DISK_LOOKS_MS: u32 = 3300;
/// How long the agent asks a stopped postmaster, which can't answer.
const STOPPED_MS: u32 = 300;

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// Nothing.
    Alone,
    /// Any one of several standbys.
    ForAny,
    /// The only standby, while it is there.
    ForTheOther,
}

/// A part of an outage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    pub what: &'static str,
    pub least_ms: u32,
    pub most_ms: u32,
}

/// What a fault costs: time without writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prediction {
    pub fault: &'static str,
    /// One after the other; none: nobody notices.
    pub phases: Vec<Phase>,
}

impl Prediction {
    /// The shortest.
    #[must_use]
    pub fn least_ms(&self) -> u32 {
        self.phases.iter().map(|p| p.least_ms).sum()
    }

    /// The longest.
    #[must_use]
    pub fn most_ms(&self) -> u32 {
        self.phases.iter().map(|p| p.most_ms).sum()
    }
}

const fn phase(what: &'static str, least_ms: u32, most_ms: u32) -> Phase {
    Phase { what, least_ms, most_ms }
}

/// What each fault costs.
#[must_use]
pub fn predictions(profile: &Profile, commits: Commits) -> Vec<Prediction> {
    let p = |fault, phases| Prediction { fault, phases };
    let interval_ms = profile.monitor_promoted_s.saturating_mul(1000);
    let noticed = || phase("the next monitor", 0, interval_ms);
    let restart = || {
        phase(
            "stopped, started and promoted again on its node; longer with much WAL to replay",
            RESTART_MS,
            RESTART_MS,
        )
    };
    let standby = match commits {
        Commits::Alone | Commits::ForAny => Vec::new(),
        Commits::ForTheOther => vec![
            phase(
                "its WAL sender gives it up, or the membership does",
                0,
                profile.wal_timeout_ms.max(profile.recovery_ms()),
            ),
            phase("the next monitor has commits wait for nobody", 0, interval_ms),
        ],
    };
    let mut all = vec![
        p("the primary's node, or its data centre, loses its power or is cut off", lost(profile)),
        p("PostgreSQL is killed on the primary", vec![noticed(), restart()]),
        p(
            "PostgreSQL hangs on the primary (SIGSTOP)",
            vec![
                noticed(),
                phase("asked in vain", STOPPED_MS, profile.monitor_timeout_s.saturating_mul(1000)),
                restart(),
            ],
        ),
        p("a standby's node is lost", standby),
        p(
            "PostgreSQL is killed on the primary, and quorated runs",
            vec![
                phase("quorated tells Pacemaker", TOLD_MS.0, TOLD_MS.1),
                phase(
                    "stopped, started and promoted again on its node",
                    RESTART_TOLD_MS.0,
                    RESTART_TOLD_MS.1,
                ),
            ],
        ),
        p("sbd or pacemaker-based hangs on the primary's node, and quorated runs", self_fencing()),
        p(
            "the disk of the primary's data hangs, and quorated runs",
            [vec![phase("quorated notices", DISK_STUCK_MS, DISK_STUCK_MS + DISK_LOOKS_MS)], self_fencing()]
                .concat(),
        ),
    ];
    if profile.quorum_device == QuorumDevice::Present {
        all.push(p("the witness is lost", Vec::new()));
    }
    all
}

/// Without the time until it is noticed: a node whose daemon hangs takes writes as before.
fn self_fencing() -> Vec<Phase> {
    vec![
        phase("PostgreSQL is ended", ENDING_MS.0, ENDING_MS.1),
        phase("the node announces its self-fencing and leaves", NOTICE_MS.0, NOTICE_MS.1),
        phase("the others see it leave, its fencing is confirmed", CONFIRMED_MS.0, CONFIRMED_MS.1),
        phase("a standby is promoted, the float IP comes up", PROMOTION_MS.0, PROMOTION_MS.1),
    ]
}

fn lost(profile: &Profile) -> Vec<Phase> {
    let recovery = profile.recovery_ms();
    let mut phases = vec![phase("the others notice (token + consensus)", recovery, recovery)];
    if let Some(sync) = profile.sync_timeout_ms() {
        phases.push(phase("the witness decides", 0, decision_ms(recovery, profile.qdevice_timeout_ms, sync)));
    }
    if profile.fencing_delay_s > 0 {
        let delay = profile.fencing_delay_s.saturating_mul(1000);
        phases.push(phase("its fencing is delayed by order (priority-fencing-delay, pcmk_delay)", 0, delay));
    }
    let wait = profile.stonith_watchdog_s.saturating_mul(1000);
    phases.push(phase("its watchdog must have reset it (stonith-watchdog-timeout)", wait, wait));
    phases.push(phase("a standby is promoted, the float IP comes up", PROMOTION_MS.0, PROMOTION_MS.1));
    phases
}

/// The end of a node that was cut off, and the earliest promotion elsewhere, since the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Margin {
    /// The latest.
    pub dead_ms: u32,
    /// The earliest.
    pub promoted_ms: u32,
}

impl Margin {
    /// What lies between; negative: so long may two primaries write.
    #[must_use]
    pub fn spare_ms(&self) -> i64 {
        i64::from(self.promoted_ms) - i64::from(self.dead_ms)
    }
}

/// How much time is left.
#[must_use]
pub fn margin(profile: &Profile) -> Margin {
    let latest = latest_death_ms(profile.sync_timeout_ms(), profile.watchdog_s, profile.no_quorum_policy);
    Margin { dead_ms: profile.recovery_ms().saturating_add(latest), promoted_ms: profile.failover_ms() }
}

/// A change that saves time when a node is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    pub change: String,
    pub saves_ms: u32,
    /// What it asks for.
    pub price: &'static str,
}

/// What would be faster and still sound: each change by itself.
#[must_use]
pub fn faster(profile: &Profile) -> Vec<Advice> {
    let mut all = Vec::new();
    let inputs = |preset, watchdog_s| Inputs {
        preset,
        nodes: profile.nodes,
        quorum_device: profile.quorum_device,
        rtt_ms: profile.rtt_ms,
        watchdog_s,
    };
    let mut offer = |other: Profile, change: String, price| {
        let saves_ms = profile.failover_ms().saturating_sub(other.failover_ms());
        if saves_ms > 0 && other.complaints().is_empty() {
            all.push(Advice { change, saves_ms, price });
        }
    };
    let fast = Profile::compute(inputs(Preset::Fast, profile.watchdog_s));
    offer(
        fast,
        format!("profile = \"fast\": a token of {} ms", fast.token_ms),
        "machines and links that never stall for that long: who does is taken for lost",
    );
    let preset = if profile.preset == Preset::Paf { Preset::Default } else { profile.preset };
    offer(
        Profile::compute(inputs(preset, DEFAULT_WATCHDOG_S)),
        format!("watchdog_s = {DEFAULT_WATCHDOG_S}"),
        "a machine that never stalls for that long: who does is reset",
    );
    let suicide = Profile { no_quorum_policy: NoQuorumPolicy::Suicide, ..*profile };
    let least = suicide.least_stonith_watchdog_s().max(twice_the_watchdog_s(suicide.watchdog_s));
    offer(
        Profile { stonith_watchdog_s: least, ..suicide },
        format!("stonith-watchdog-timeout = {least} s with no-quorum-policy = suicide"),
        "nothing: it is the least that is sound",
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(preset: Preset, nodes: u32, quorum_device: QuorumDevice) -> Profile {
        Profile::compute(Inputs { preset, nodes, quorum_device, rtt_ms: 5, watchdog_s: 5 })
    }

    /// Numbers of a site, a CIB, corosync.conf.
    #[test]
    fn numbers_without_measure_stay_the_largest() {
        let mut most = profile(Preset::Fast, 2, QuorumDevice::Present);
        (most.stonith_watchdog_s, most.monitor_promoted_s, most.monitor_timeout_s) =
            (u32::MAX, u32::MAX, u32::MAX);
        assert_eq!(most.failover_ms(), u32::MAX);
        let _ = predictions(&most, Commits::ForAny);
        let totem = crate::cluster::timing::Totem {
            token_ms: u32::MAX,
            coefficient_ms: u32::MAX,
            consensus_ms: None,
            nodes: u32::MAX,
        };
        assert_eq!((totem.own_consensus_ms(), totem.recovery_ms()), (u32::MAX, u32::MAX));
    }

    #[test]
    fn a_lost_node_costs_what_the_layouts_say_and_the_promotion() {
        for preset in Preset::ALL {
            for (nodes, device) in
                [(2, QuorumDevice::Present), (3, QuorumDevice::Absent), (4, QuorumDevice::Present)]
            {
                let profile = profile(preset, nodes, device);
                let lost = &predictions(&profile, Commits::Alone)[0];
                assert_eq!(lost.least_ms(), profile.failover_ms() + PROMOTION_MS.0);
            }
        }
        let lost = &predictions(&profile(Preset::Default, 2, QuorumDevice::Present), Commits::Alone)[0];
        assert_eq!((lost.least_ms(), lost.most_ms()), (16_700, 19_300));
        // The quorum device's server has not dropped the lost node yet then.
        let fast = &predictions(&profile(Preset::Fast, 2, QuorumDevice::Present), Commits::Alone)[0];
        assert_eq!((fast.least_ms(), fast.most_ms()), (12_300, 15_100));
    }

    #[test]
    fn only_a_single_standby_is_waited_for() {
        let profile = profile(Preset::Default, 4, QuorumDevice::Present);
        let standby = |commits| predictions(&profile, commits)[3].most_ms();
        assert_eq!(
            (standby(Commits::Alone), standby(Commits::ForAny), standby(Commits::ForTheOther)),
            (0, 0, profile.recovery_ms() + 3000)
        );
    }

    #[test]
    fn a_self_fencing_notice_is_far_sooner_than_the_watchdogs_time() {
        let profile = profile(Preset::Default, 2, QuorumDevice::Present);
        let all = predictions(&profile, Commits::Alone);
        let of = |word: &str| all.iter().find(|p| p.fault.contains(word)).expect("is predicted");
        assert_eq!((of("sbd").least_ms(), of("sbd").most_ms()), (400, 7400));
        assert_eq!((of("disk").least_ms(), of("disk").most_ms()), (8400, 18_700));
        assert!(of("sbd").most_ms() < all[0].least_ms());
    }

    #[test]
    fn what_is_sound_has_time_to_spare_and_what_is_not_has_none() {
        for preset in [Preset::Default, Preset::Fast] {
            for nodes in 2..=16 {
                for device in [QuorumDevice::Present, QuorumDevice::Absent] {
                    for watchdog_s in [5, 6, 10, 60] {
                        let inputs = Inputs { preset, nodes, quorum_device: device, rtt_ms: 5, watchdog_s };
                        let found = margin(&Profile::compute(inputs));
                        assert!(found.spare_ms() >= 500, "{inputs:?} {found:?}");
                    }
                }
            }
        }
        assert_eq!(
            margin(&profile(Preset::Default, 2, QuorumDevice::Present)),
            Margin { dead_ms: 16_100, promoted_ms: 16_600 }
        );
        assert_eq!(margin(&profile(Preset::Paf, 2, QuorumDevice::Present)).spare_ms(), -4500);
    }

    #[test]
    fn advice_saves_time_and_is_sound() {
        let default = faster(&profile(Preset::Default, 2, QuorumDevice::Present));
        assert_eq!(default.len(), 1, "{default:?}");
        assert_eq!((default[0].saves_ms, default[0].change.contains("fast")), (4400, true));
        assert_eq!(faster(&profile(Preset::Fast, 2, QuorumDevice::Present)), []);
        let slow = Profile::compute(Inputs {
            preset: Preset::Fast,
            nodes: 2,
            quorum_device: QuorumDevice::Present,
            rtt_ms: 5,
            watchdog_s: 10,
        });
        assert_eq!(faster(&slow)[0].saves_ms, 10_000);
        let loose = Profile { stonith_watchdog_s: 30, ..profile(Preset::Fast, 2, QuorumDevice::Present) };
        assert!(faster(&loose).iter().any(|a| a.change.contains("= 10 s") && a.saves_ms == 20_000));
    }
}
