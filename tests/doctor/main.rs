//! The doctor's corpus: every layout is clean, and a small change of a clean configuration breaks exactly one rule. Each rule of
//! the registry has its change.
#![cfg(feature = "cli")]
#![allow(clippy::disallowed_methods, reason = "a test runs the command as an operator does")]

mod base;
mod broken;
mod command;
mod kinds;
mod levels;
mod watchdog_devices;

use base::{Base, examined};
use quorate::cluster::timing::Preset;
use quorate::decide::doctor::facts::{File, Known};
use quorate::decide::doctor::registry::rules;
use quorate::decide::doctor::{Report, Severity};
use quorate::layout::kind::Kind;

fn names(report: &Report) -> Vec<&'static str> {
    report.broken().map(|(rule, _)| rule.name).collect()
}

#[test]
fn every_layout_is_clean() {
    for kind in Kind::ALL {
        for preset in [Preset::Default, Preset::Fast] {
            let report = examined(Base::of(kind, preset));
            assert_eq!(names(&report), [""; 0], "{} {}", kind.name(), preset.name());
            assert_eq!(report.exit_code(), 0);
            // Nothing else may hide behind "could not check".
            let mut unchecked: Vec<_> = report.not_checked().map(|(rule, _)| rule.name).collect();
            unchecked.retain(|name| !["pacemaker-version", "lc-messages"].contains(name));
            assert_eq!(unchecked, [""; 0], "{}", kind.name());
        }
    }
}

/// Far machines and slow watchdogs: what computes the times keeps what the doctor checks.
#[test]
fn every_size_and_distance_is_clean() {
    let six = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sites/six.toml"))
        .expect("a site");
    let texts = Kind::ALL.map(|kind| quorate::layout::examples::text(kind).to_owned());
    for text in texts.iter().chain([&six]) {
        for (rtt, watchdog) in [(0, 5), (80, 10), (400, 5), (1000, 60), (5, 300)] {
            let changed = text
                .replace("rtt_ms = 5", &format!("rtt_ms = {rtt}"))
                .replace("watchdog_s = 5", &format!("watchdog_s = {watchdog}"));
            for preset in [Preset::Default, Preset::Fast] {
                let mut base = Base::described(&changed, preset);
                // Later than the longest of those waits.
                base.surroundings.reboot_s = Ok(2000);
                assert_eq!(
                    names(&examined(base)),
                    [""; 0],
                    "rtt {rtt} watchdog {watchdog} {}",
                    preset.name()
                );
            }
        }
    }
}

#[test]
fn the_times_of_pafs_quick_start_are_unsound() {
    let found = |kind| names(&examined(Base::of(kind, Preset::Paf)));
    for kind in [Kind::Packed, Kind::Classic, Kind::ManyReplicas] {
        let rules = ["no-quorum-policy", "stonith-watchdog-timeout-bound", "monitor-timeout"];
        assert_eq!(found(kind), rules, "{}", kind.name());
    }
    // Without a quorum device nobody waits for it, and 10 s are still one too few.
    let rules = ["no-quorum-policy", "stonith-watchdog-timeout-bound", "monitor-timeout"];
    assert_eq!(found(Kind::ThreeCentres), rules);
}

#[test]
fn each_change_breaks_exactly_its_rule() {
    for case in broken::CASES.iter().chain(watchdog_devices::CASES) {
        let mut base = Base::of(case.kind, Preset::Default);
        for change in case.changes {
            base.apply(change);
        }
        let report = examined(base);
        assert_eq!(names(&report), [case.rule], "{:?}", case.changes);
        let (rule, found) = report.broken().next().expect("one");
        for finding in found {
            assert!(
                finding.what.contains(case.says),
                "{}: {:?} is not in {:?}",
                case.rule,
                case.says,
                finding.what
            );
            assert!(!finding.cure.is_empty() && !finding.at.file.is_empty(), "{}: {finding:?}", case.rule);
        }
        let code = if rule.severity == Severity::Warning { 1 } else { 2 };
        assert_eq!(report.exit_code(), code, "{}", case.rule);
    }
}

#[test]
fn every_rule_has_its_change() {
    let covered = kinds::covered();
    for rule in rules() {
        assert!(
            covered.contains(rule.name)
                || broken::CASES.iter().chain(watchdog_devices::CASES).any(|case| case.rule == rule.name),
            "no broken configuration for {}",
            rule.name
        );
    }
    let mut all: Vec<_> = rules().map(|rule| rule.name).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), rules().count(), "a name is there twice");
}

/// What the reference shows of the CIB is what pcs wrote in Debian 12.
#[test]
fn the_reference_of_the_cib_is_what_pcs_writes() {
    use quorate::cluster::cib::{Cib, parse};
    type Operation = (String, String, Option<String>, Option<String>);
    fn properties(cib: &Cib) -> Vec<(&str, &str)> {
        cib.properties.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect()
    }
    fn operations(cib: &Cib) -> Vec<(&str, &str, Vec<Operation>)> {
        let servers = cib.primitives.iter().filter(|p| p.agent == "ocf:quorate:postgres");
        servers
            .map(|p| {
                // pcs adds the ones that the meta-data names and the script doesn't.
                let mut all: Vec<Operation> = p
                    .operations
                    .iter()
                    .filter(|o| o.name != "reload-agent")
                    .map(|o| (o.name.clone(), o.interval.clone(), o.timeout.clone(), o.role.clone()))
                    .collect();
                all.sort();
                (p.id.as_str(), p.agent.as_str(), all)
            })
            .collect()
    }
    type Parameters<'a> = &'a std::collections::BTreeMap<String, String>;
    fn devices(cib: &Cib) -> Vec<(&str, &str, Parameters<'_>)> {
        let devices = cib.primitives.iter().filter(|p| p.agent.starts_with("stonith:"));
        devices.map(|p| (p.id.as_str(), p.agent.as_str(), &p.parameters)).collect()
    }
    fn levels(xml: &str) -> Vec<Vec<&str>> {
        // Attributes may stand in any order.
        let lines = xml.lines().filter_map(|l| l.trim().strip_prefix("<fencing-level "));
        lines
            .map(|l| {
                let mut words: Vec<&str> = l.trim_end_matches("/>").split(' ').collect();
                words.sort_unstable();
                words
            })
            .collect()
    }
    for kind in Kind::ALL {
        let path = format!("{}/tests/doctor/pcs/{}.xml", env!("CARGO_MANIFEST_DIR"), kind.name());
        let text = std::fs::read_to_string(&path).expect("captured");
        let written = parse(&text).expect("a CIB");
        let base = Base::of(kind, Preset::Default);
        let shown = parse(&base.cib).expect("a CIB");
        assert_eq!(properties(&shown), properties(&written), "{}", kind.name());
        assert_eq!(operations(&shown), operations(&written), "{}", kind.name());
        assert_eq!(shown.nodes.len(), written.nodes.len(), "{}", kind.name());
        assert_eq!(devices(&shown), devices(&written), "{}", kind.name());
        assert_eq!(levels(&base.cib), levels(&text), "{}", kind.name());
        assert_eq!(levels(&text).len(), 2 * written.nodes.len(), "{}", kind.name());
        let report = examined(Base { cib: text, ..base });
        assert_eq!(names(&report), [""; 0], "{}", kind.name());
    }
}

/// What is not there is "could not check", never "broken" and never "kept".
#[test]
fn what_is_not_known_is_not_checked() {
    let nothing = base::nothing();
    let report = quorate::decide::doctor::examine(&nothing);
    assert_eq!((names(&report), report.kept(), report.exit_code()), (vec![], 0, 0));
    let known: &Known<File<quorate::cluster::cib::Cib>> = &nothing.cib;
    assert!(known.is_err());
}
