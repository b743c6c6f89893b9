use std::collections::BTreeSet;

use super::*;
use crate::cluster::health::{Answer, QuorumFact, TrialWrite};
use crate::pg::lsn::Lsn;
use crate::pg::statistics::{Downstream, Slot, Statistics};

const NOW: BootTime = BootTime::at(50_000);

fn instance(resource: &str, role: PgRole) -> InstanceHealth {
    let said = Statistics {
        role,
        timeline: Some(3),
        written: (role == PgRole::Primary).then_some(Lsn(0x300_1000)),
        received: (role == PgRole::Standby).then_some(Lsn(0x300_1000)),
        replayed: (role == PgRole::Standby).then_some(Lsn(0x300_0000)),
        upstream_end: None,
        streams: role == PgRole::Standby,
        paused: false,
        replay_age_s: Some(2.5),
        waiting: 2,
        standbys: vec![Downstream {
            name: "a \"name\"\nwith\\everything".into(),
            sync: Some("sync".into()),
            streams: Some(true),
            lag_bytes: Some(16.0),
        }],
        slots: vec![Slot { name: "srv2".into(), active: true, retained_bytes: Some(32.0) }],
    };
    InstanceHealth {
        resource: resource.into(),
        role,
        phase: Phase::Running,
        postmaster: Postmaster::Runs,
        unmanaged: Some("maintenance-mode".into()),
        answer: Some(Answer { at: BootTime::at(49_000), said: Ok(said) }),
        safe_mode: None,
        generation: Some(7),
        promotions: [("failover".to_owned(), 2)].into(),
    }
}

fn health() -> Health {
    Health {
        looked: BootTime::at(49_500),
        quorum: Some(QuorumFact { at: BootTime::at(49_500), quorate: true, votes: Some([3, 2, 1, 1]) }),
        members: 2,
        ending: None,
        others_go_on_ms: 10_000,
        writes: vec![TrialWrite { path: "/data".into(), pending: false, took_ms: Some(4) }],
        instances: vec![instance("pg-a", PgRole::Primary), instance("pg-b", PgRole::Standby)],
    }
}

fn emitted(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap_or_default()).collect()
}

#[test]
fn what_is_emitted_is_what_the_table_has() {
    let text = text(Some(&health()), NOW, &|| "quorated_armed 1\n".to_owned());
    let mut named: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(named.len(), METRICS.len(), "a name twice");
    named.insert("quorated_armed");
    assert_eq!(emitted(&text), named, "{text}");
    for line in [
        "quorate_facts_age_seconds 0.5",
        "quorate_votes{of=\"needed\"} 2",
        "quorate_primary{resource=\"pg-a\"} 1",
        "quorate_primary{resource=\"pg-b\"} 0",
        "quorate_lag_bytes{resource=\"pg-b\"} 4096",
        "quorate_lag_seconds{resource=\"pg-b\"} 2.5",
        "quorate_wal_end_bytes{resource=\"pg-a\"} 50335744",
        "quorate_promotions{kind=\"failover\",resource=\"pg-a\"} 2",
        "quorate_standby_lag_bytes{resource=\"pg-a\",standby=\"a \\\"name\\\"\\nwith\\\\everything\"} 16",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
    }
}

/// A metric that stays at its last value hides the failure.
#[test]
fn what_is_not_known_is_left_out() {
    let told = |health: Option<&Health>| text(health, NOW, &|| "quorated_armed 1\n".to_owned());
    assert_eq!(emitted(&told(None)), ["quorate_build_info"].into());
    let old = Health { looked: BootTime::at(1), ..health() };
    assert_eq!(emitted(&told(Some(&old))), ["quorate_build_info", "quorate_facts_age_seconds"].into());
    let of_another_boot = Health { looked: BootTime::at(90_000), ..health() };
    assert_eq!(emitted(&told(Some(&of_another_boot))), ["quorate_build_info"].into());
    let silent = InstanceHealth {
        answer: Some(Answer { at: BootTime::at(49_000), said: Err("silent".into()) }),
        ..instance("pg-a", PgRole::Primary)
    };
    let text = told(Some(&Health { instances: vec![silent], quorum: None, ..health() }));
    assert!(text.contains("quorate_up{resource=\"pg-a\"} 0\n"), "{text}");
    for gone in ["quorate_quorum", "quorate_timeline", "quorate_in_recovery", "quorate_waiting_commits"] {
        assert!(!emitted(&text).contains(gone), "{gone}:\n{text}");
    }
}
