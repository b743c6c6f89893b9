//! The generated parts of `docs/layouts.md`.

use quorate::cluster::timing::{Inputs, Preset, Profile, QuorumDevice, witness_may_be_silent_ms};

/// The times of the layouts' examples with each preset.
pub fn times() -> String {
    let mut table = String::from(
        "| nodes | profile | token | noticed (token + consensus) | reset after | promoted from | monitor | qdevice timeout, sync | witness silent for | WAL timeouts |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for preset in [Preset::Default, Preset::Fast] {
        for (nodes, quorum_device, name) in [
            (2, QuorumDevice::Present, "2 + witness"),
            (3, QuorumDevice::Absent, "3"),
            (4, QuorumDevice::Present, "4 + witness"),
            (6, QuorumDevice::Present, "6 + witness"),
        ] {
            let p = Profile::compute(Inputs { preset, nodes, quorum_device, rtt_ms: 5, watchdog_s: 5 });
            let s = |ms: u32| f64::from(ms) / 1000.0;
            let device = match quorum_device {
                QuorumDevice::Present => {
                    let silent = witness_may_be_silent_ms(p.qdevice_timeout_ms);
                    format!("{}, {} | {}", s(p.qdevice_timeout_ms), s(p.qdevice_sync_timeout_ms), s(silent))
                }
                QuorumDevice::Absent => "– | –".to_owned(),
            };
            table.push_str(&format!(
                "| {name} | `{}` | {} | {} | {} | {} | every {} | {device} | {} |\n",
                preset.name(),
                s(p.token_ms),
                s(p.recovery_ms()),
                p.stonith_watchdog_s,
                s(p.failover_ms()),
                p.monitor_promoted_s,
                s(p.wal_timeout_ms),
            ));
        }
    }
    table
}
