use super::super::faults::Service;
use super::super::truth::{Finding, Found, TakeOver};
use super::*;

mod pages;
mod values;

use crate::testing::good;

#[test]
fn a_good_result_passes() {
    assert_eq!(verdict(&[good("postgres-kill"), good("power-off")]), Vec::<String>::new());
}

#[test]
fn losing_acknowledged_writes_in_an_orderly_fault_fails() {
    for fault in ["switchover", "shut-down", "postgres-kill", "postgres-stop", "a fault from the future"] {
        let bad = RunResult { lost_acked: Some(1), ..good(fault) };
        assert_eq!(verdict(&[bad]).len(), 1, "{fault}");
    }
}

#[test]
fn an_upgrade_that_anybody_notices_fails() {
    let paused = |interruption_ms| RunResult { interruption_ms, outage_ms: Some(9000), ..good("upgrade") };
    // A busy host's own pause, nine seconds after the fault.
    assert_eq!(verdict(&[paused(600)]), Vec::<String>::new());
    assert_eq!(verdict(&[paused(5500)]), ["upgrade run 1: writes paused for 5500 ms"]);
    let moved = TakeOver { instance: "main".to_owned(), new_node: "srv2".to_owned(), ..TakeOver::default() };
    let moved = RunResult { take_overs: vec![moved], ..paused(600) };
    assert_eq!(verdict(&[moved]), ["upgrade run 1: the role of main moved to srv2"]);
}

#[test]
fn asynchronous_loss_is_reported_and_not_condemned() {
    let lossy = RunResult { lost_acked: Some(3), ..good("power-off") };
    assert_eq!(verdict(std::slice::from_ref(&lossy)), Vec::<String>::new());
    assert!(table(&[lossy]).contains("    3  "));
}

#[test]
fn the_extent_of_a_loss_is_told() {
    let lossy = RunResult { lost_acked: Some(3), lost_bytes: Some(4096), lost_ms: 120, ..good("power-off") };
    assert!(
        table(std::slice::from_ref(&lossy)).contains("run 1 lost 4096 bytes of WAL, written within 120 ms")
    );
    let bad = RunResult { layout: "three-centres".to_owned(), ..lossy };
    assert!(
        verdict(&[bad])[0]
            .ends_with("3 acknowledged writes were lost: 4096 bytes of WAL, written within 120 ms")
    );
}

#[test]
fn findings_are_judged_by_what_the_layout_promises() {
    let with = |finding, layout: &str| RunResult {
        layout: layout.to_owned(),
        findings: vec![Found { instance: "main".to_owned(), finding }],
        ..good("power-off")
    };
    let first = String::new();
    let stale = || Finding::RegisterStale { times: 1, first: String::new() };
    assert_eq!(verdict(&[with(stale(), "classic")]), Vec::<String>::new());
    assert_eq!(verdict(&[with(stale(), "three-centres")]).len(), 1);
    for finding in [
        Finding::WentBack { times: 1, first: first.clone() },
        Finding::RegisterImpossible { times: 1, first: first.clone() },
        Finding::BrokenTimelines { times: 1, first },
    ] {
        assert_eq!(verdict(&[with(finding, "classic")]).len(), 1);
    }
    assert_eq!(verdict(&[with(Finding::Recovered { count: 5 }, "three-centres")]), Vec::<String>::new());
}

#[test]
fn synchronous_loss_is_condemned() {
    for layout in ["three-centres", "many-replicas", "a layout from the future"] {
        let bad = RunResult { lost_acked: Some(3), layout: layout.to_owned(), ..good("power-off") };
        assert_eq!(verdict(&[bad]).len(), 1, "{layout}");
    }
}

#[test]
fn each_bad_sign_fails() {
    let bad = [
        RunResult { two_primaries_ms: 1, ..good("power-off") },
        RunResult { lost_acked: None, ..good("power-off") },
        RunResult { outage_ms: None, ..good("power-off") },
        RunResult { unexpected: 1, ..good("power-off") },
        RunResult { failed: Some("never whole again".to_owned()), ..good("power-off") },
        RunResult { help_by_hand: vec!["pcs resource cleanup".to_owned()], ..good("power-off") },
    ];
    for result in bad {
        assert_eq!(verdict(std::slice::from_ref(&result)).len(), 1, "{result:?}");
    }
    assert_eq!(verdict(&[]), ["nothing was tested"]);
}

#[test]
fn without_a_majority_no_service_is_right() {
    let stopped = RunResult { outage_ms: None, service: Service::MayStop, ..good("power-off") };
    assert_eq!(verdict(&[stopped]), Vec::<String>::new());
}

#[test]
fn a_diverged_old_primary_rejoins_by_itself() {
    let refused = |agent: &str| RunResult {
        agent: agent.to_owned(),
        old_primary: "refused: diverged (timeline 3 forked at 0/5000000)".to_owned(),
        help_by_hand: vec!["pg_basebackup on srv1".to_owned()],
        ..good("power-off")
    };
    assert_eq!(
        verdict(&[refused("quorate")]),
        ["power-off run 1: help by hand was needed: pg_basebackup on srv1"]
    );
    assert_eq!(verdict(&[refused("paf")]), Vec::<String>::new(), "it has no rejoin");
}

#[test]
fn the_table_counts_each_group_and_says_never() {
    let results = [
        RunResult { outage_ms: Some(1000), ..good("switchover") },
        RunResult { outage_ms: Some(3000), old_primary: "primary again".to_owned(), ..good("switchover") },
        RunResult { outage_ms: None, ..good("unlink") },
    ];
    let text = table(&results);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[2].starts_with("switchover     primary        2     2.0    1.0    3.0"), "{text}");
    assert!(lines[2].ends_with("1× standby by itself, 1× primary again"), "{text}");
    assert!(lines[3].contains("never"), "{text}");
}

#[test]
fn two_primaries_are_told_with_their_figures() {
    let told = TakeOver {
        instance: "main".to_owned(),
        old_node: "srv1".to_owned(),
        last_commit_ms: Some(48_350),
        last_commit_to: "inside srv1".to_owned(),
        new_node: "srv2".to_owned(),
        first_commit_ms: Some(24_340),
        overlap_ms: 24_010,
        ..TakeOver::default()
    };
    let bad = RunResult {
        two_primaries_ms: 24_010,
        take_overs: vec![told],
        noticed: Some(Vec::new()),
        ..good("controld-stop-then-unlink")
    };
    let complaint = verdict(std::slice::from_ref(&bad)).join("\n");
    for part in ["for 24010 ms", "on srv1 after 48.35 s", "on srv2 after 24.34 s", "srv1 not reset"] {
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
    let text = table(&[bad]);
    assert!(
        text.contains("run 1 noticed by nobody") && text.contains("run 1 two primaries: main:"),
        "{text}"
    );
    // The long name has a line of its own, and the columns stay.
    assert!(text.contains("\ncontrold-stop-then-unlink\n               primary        1     2.5"), "{text}");
}

#[test]
fn results_have_the_fields_that_others_read() {
    let json = serde_json::to_value(good("unlink")).expect("serializes");
    for field in [
        "layout",
        "suite",
        "agent",
        "fault",
        "target",
        "run",
        "outage_ms",
        "acked",
        "lost_acked",
        "two_primaries_ms",
        "old_primary",
        "placement",
        "placement_after",
    ] {
        assert!(json.get(field).is_some(), "{field}");
    }
}

#[test]
fn a_run_that_failed_says_what_was_lost_too() {
    let failed = RunResult { failed: Some("no writes".to_owned()), ..good("power-off") };
    let sync = RunResult { layout: "three-centres".to_owned(), lost_acked: Some(90), ..failed.clone() };
    assert_eq!(verdict(&[failed]).len(), 1);
    assert!(verdict(&[sync]).contains(&"power-off run 1: 90 acknowledged writes were lost".to_owned()));
}

/// The parts of `make test` look for these with awk and sed: a field of the same name further in would be taken for the run's.
#[test]
fn no_field_within_has_the_name_of_a_runs_figure() {
    let phases = vec![crate::record::phases::Failover::default()];
    let take_overs = vec![TakeOver::default()];
    let json =
        serde_json::to_string(&RunResult { phases, take_overs, ..good("unlink") }).expect("serializes");
    for field in
        ["outage_ms", "interruption_ms", "lost_acked", "lost_bytes", "lost_ms", "two_primaries_ms", "failed"]
    {
        assert_eq!(json.matches(&format!("\"{field}\":")).count(), 1, "{field}");
    }
}
