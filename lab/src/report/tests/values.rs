//! Statistics, sources, summary: against values worked out by hand.

use std::path::PathBuf;

use super::super::date::minute;
use super::super::published::{self, Published};
use super::super::sources::{self, Material};
use super::super::statistics::{Statistics, median};
use super::super::summary::Summary;
use super::super::{RunResult, write};
use super::good;

#[test]
fn medians() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[7]), Some(7));
    assert_eq!(median(&[1, 3]), Some(2));
    assert_eq!(median(&[1, 3, 9]), Some(3));
}

#[test]
fn statistics_as_by_hand() {
    assert_eq!(Statistics::of(&[]), None);
    let one = Statistics::of(&[1500]).expect("a value");
    assert_eq!((one.count, one.min, one.median, one.max, one.std_dev), (1, 1500, 1500, 1500, None));
    // Mean 5; squares 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32; 32 / 7, its root 2.1381.
    let eight = Statistics::of(&[9, 2, 4, 4, 4, 5, 5, 7]).expect("values");
    assert_eq!((eight.count, eight.min, eight.median, eight.max), (8, 2, 4, 9));
    assert!((eight.mean - 5.0).abs() < 1e-9, "{eight:?}");
    assert!((eight.std_dev.expect("several") - 2.138_089_935).abs() < 1e-6, "{eight:?}");
}

#[test]
fn dates() {
    for (ms, text) in [
        (0, "1970-01-01 00:00"),
        (951_827_700_000, "2000-02-29 12:35"),
        (1_795_520_400_000, "2026-11-24 11:40"),
        (1_709_251_199_999, "2024-02-29 23:59"),
        (4_107_542_400_000, "2100-03-01 00:00"),
    ] {
        assert_eq!(minute(ms), text);
    }
}

#[test]
fn published_figures_are_of_our_faults_and_layouts() {
    for (fault, _) in published::TABLE {
        assert!(crate::faults::by_name(fault).is_ok(), "{fault}");
    }
    for layout in published::LAYOUTS {
        assert!(quorate::layout::kind::Kind::parse(layout).is_some(), "{layout}");
    }
    let seen = |mean_s, std_dev_s, count| Some(Published::Noticed { mean_s, std_dev_s, count });
    assert_eq!(published::of("postgres-stop", "classic"), seen(237, 101, 13));
    assert_eq!(published::of("unlink", "packed"), seen(41, 6, 12));
    assert_eq!(published::of("reset", "many-replicas"), seen(6, 1, 17));
    assert_eq!(published::of("out-of-space", "three-centres"), Some(Published::NeverNoticed));
    assert_eq!(published::of("switchover", "classic"), None);
    assert_eq!(published::of("unlink", "six"), None);
}

fn summary(runs: Vec<RunResult>) -> Summary {
    Summary::of(Material { runs, ..Material::default() }, 0)
}

#[test]
fn runs_are_grouped_by_what_was_tested() {
    let on = |layout: &str, agent: &str| RunResult {
        layout: layout.to_owned(),
        agent: agent.to_owned(),
        ..good("power-off")
    };
    let sum = summary(vec![
        on("many-replicas", "quorate"),
        on("classic", "paf"),
        on("classic", "quorate"),
        RunResult { outage_ms: Some(4500), run: 2, ..on("classic", "quorate") },
        RunResult { target: "standby".to_owned(), ..on("classic", "quorate") },
        RunResult { replication: "cut 5 s".to_owned(), ..on("classic", "quorate") },
        good("postgres-kill"),
    ]);
    let rows: Vec<_> =
        sum.groups.iter().map(|g| (g.fault_label.as_str(), g.setup_label.as_str(), g.runs)).collect();
    assert_eq!(
        rows,
        [
            ("postgres-kill", "classic · quorate", 1),
            ("power-off", "classic · quorate", 2),
            ("power-off", "classic · paf", 1),
            ("power-off", "many-replicas", 1),
            ("power-off on standby", "classic · quorate", 1),
            ("power-off, replication cut 5 s", "classic · quorate", 1),
        ]
    );
    let mut slow = on("classic", "paf");
    slow.timing = "paf".to_owned();
    let labels: Vec<String> =
        summary(vec![slow, good("unlink")]).groups.into_iter().map(|g| g.setup_label).collect();
    assert_eq!(labels, ["classic · paf · paf timings", "classic"]);
    assert_eq!(sum.groups[1].outage_ms.as_ref().map(|s| s.median), Some(3500));
    // Figures of a primary's loss stand beside a primary's loss only.
    assert!(sum.groups[1].published.is_some());
    assert!(sum.groups[4].published.is_none() && sum.groups[5].published.is_none());
}

#[test]
fn losses_are_added_up_by_whether_they_are_allowed() {
    let lost = |layout: &str, n| RunResult { layout: layout.to_owned(), lost_acked: n, ..good("power-off") };
    let sum = summary(vec![
        lost("classic", Some(3)),
        lost("three-centres", Some(2)),
        lost("classic", None),
        RunResult { two_primaries_ms: 40, ..good("unlink") },
    ]);
    assert_eq!((sum.totals.lost_where_possible, sum.totals.lost_where_forbidden), (3, 2));
    assert_eq!((sum.totals.lost_unknown, sum.totals.two_primaries_ms), (1, 40));
    assert_eq!(sum.complaints.len(), 3, "{:?}", sum.complaints);
}

#[test]
fn a_run_that_failed_before_the_fault_measured_nothing() {
    let before = RunResult {
        outage_ms: None,
        acked: 0,
        lost_acked: None,
        failed: Some("writes were not good before the fault".to_owned()),
        ..good("power-off")
    };
    let never = RunResult { acked: 90, failed: Some("not within 420 s".to_owned()), ..before.clone() };
    let sum = summary(vec![good("power-off"), before, never]);
    let group = &sum.groups[0];
    assert_eq!((group.runs, group.failed, group.measured, group.never), (3, 2, 2, 1));
    assert_eq!((group.lost_acked, group.lost_unknown), (0, 1));
    assert_eq!(group.outage_ms.as_ref().map(|s| s.count), Some(1));
}

fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    dir
}

fn read(dir: &tempfile::TempDir) -> Result<Material, String> {
    sources::read(&[dir.path().to_owned()]).map_err(|e| e.to_string())
}

const RANDOM: &str =
    r#"{"layout":"classic","agent":"paf","seed":4,"acked":9,"lost_acked":1,"longest_pause_ms":7000}"#;

#[test]
fn results_are_found_wherever_a_test_puts_them() {
    let one = serde_json::to_string(&[good("unlink")]).expect("serializes");
    let dir = place(&[
        ("a/results.json", &one),
        ("b/classic/results.json", &one),
        ("b/classic/evidence-unlink/results.json", "no results"),
        ("c/random.json", RANDOM),
        ("report.json", "{}"),
    ]);
    let found = read(&dir).expect("readable");
    assert_eq!((found.runs.len(), found.randoms.len(), found.files.len()), (2, 1, 3));
    // Named twice, counted once.
    let again: Vec<PathBuf> =
        vec![dir.path().to_owned(), dir.path().join("a"), dir.path().join("a/results.json")];
    assert_eq!(sources::read(&again).expect("readable").runs.len(), 2);
}

#[test]
fn results_of_older_versions_are_read() {
    let old = r#"[{"layout":"classic","suite":"bookworm","agent":"quorate","timing":"default","fault":"unlink","target":"primary",
        "node":"srv1","run":1,"outage_ms":null,"interruption_ms":1,"interruption_healing_ms":2,"acked":3,"lost_acked":null,
        "recovered":0,"unexpected":0,"two_primaries_ms":0,"old_primary":"","help_by_hand":[],"whole_after_ms":null,"failed":null}]"#;
    let found = read(&place(&[("results.json", old)])).expect("readable");
    assert_eq!(found.runs[0].phases, []);
    assert_eq!((found.runs[0].started_ms, found.runs[0].load.as_str()), (None, ""));
}

#[test]
fn what_cannot_be_read_is_named_with_its_cure() {
    let complaint = |files: &[(&str, &str)]| read(&place(files)).expect_err("must fail");
    let empty = complaint(&[("notes.txt", "")]);
    assert!(
        empty.contains("neither results.json nor random.json is there; quorate-lab test --report"),
        "{empty}"
    );
    for broken in ["", "[", "{}", "[{\"layout\":\"classic\"}]", "[null]"] {
        let said = complaint(&[("x/results.json", broken)]);
        assert!(said.contains("x/results.json: not what quorate-lab test writes: "), "{said}");
        assert!(said.contains("leave it out, or write it anew with quorate-lab test --report "), "{said}");
    }
    let said = complaint(&[("random.json", "[]")]);
    assert!(said.contains("random.json: not what quorate-lab random writes: "), "{said}");
    let missing = sources::read(&[PathBuf::from("/nonexistent/results")]).expect_err("must fail").to_string();
    assert!(missing.starts_with("/nonexistent/results: "), "{missing}");
}

#[test]
fn three_files_are_written() {
    let one = serde_json::to_string(&[good("unlink")]).expect("serializes");
    let dir = place(&[("results.json", &one)]);
    let out = dir.path().join("out/of/it");
    let written = write(&[dir.path().to_owned()], &out).expect("written");
    assert_eq!((written.runs, written.randoms, written.files), (1, 0, 1));
    for name in ["report.md", "report.html"] {
        assert!(std::fs::read_to_string(out.join(name)).expect(name).contains("unlink"), "{name}");
    }
    let json = std::fs::read_to_string(out.join("report.json")).expect("report.json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["groups"][0]["outage_ms"]["median"], 2500);
    assert_eq!(json["groups"][0]["published"]["noticed"]["mean_s"], 42);
    assert_eq!(json["runs"][0]["fault"], "unlink");
    // The report is no result: made again, it says the same.
    let again = write(&[dir.path().to_owned()], &out).expect("written");
    assert_eq!(again.files, 1);
}
