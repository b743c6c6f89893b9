//! The documents say what the code does: generated parts are compared with what the code gives.
//!
//! `QUORATE_BLESS=1 cargo test --workspace --features packaging --test documents` writes them anew.
#![allow(clippy::disallowed_methods, reason = "a test reads its own environment")]

#[cfg(feature = "cli")]
mod doctor;
#[path = "../common/document.rs"]
mod document;
mod election;
#[cfg(feature = "http")]
mod endpoint;
#[cfg(feature = "cli")]
mod layouts;
mod merge;
mod messages;
mod narrow;
mod notice;
mod pages;
mod security;
mod tables;
#[cfg(feature = "cli")]
mod timing;

use std::fs;

use document::{assert_document, path, with_block};
use narrow::narrow;

#[test]
fn the_meta_data_is_the_golden_one() {
    use quorate::ocf::metadata::{Dialect, document};
    let xml = document(Dialect::Ocf11).expect("written into memory");
    assert_document("ocf/postgres.xml", &xml);
}

#[test]
fn the_reference_of_the_parameters() {
    assert_document("docs/parameters.md", &quorate::ocf::reference::page());
}

#[test]
fn the_tables_of_the_actions() {
    for (page, blocks) in [
        (
            "docs/agent-tables.md",
            vec![
                ("monitor", tables::monitor()),
                ("start before", tables::start_before()),
                ("start after", tables::start_after()),
                ("stop", tables::stop()),
                ("promote", tables::promote()),
                ("election first", election::first()),
                ("election", election::comparison()),
            ],
        ),
        (
            "docs/agent.md",
            vec![("notify", tables::notify()), ("scores", tables::scores()), ("disk", tables::disk())],
        ),
    ] {
        let mut text = fs::read_to_string(path(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        for (block, content) in blocks {
            text = with_block(&text, block, &narrow(&content));
        }
        assert_document(page, &text);
    }
}

#[test]
fn the_table_of_the_resets() {
    let page = fs::read_to_string(path("docs/quorated.md")).expect("docs/quorated.md");
    let page = with_block(&page, "resets", &narrow(&tables::reset()));
    assert_document("docs/quorated.md", &with_block(&page, "notice", &narrow(&notice::notice())));
}

#[cfg(feature = "http")]
#[test]
fn the_endpoint() {
    use quorate::decide::health::Check;
    let mut page = fs::read_to_string(path("docs/endpoint.md")).expect("docs/endpoint.md");
    for (block, content) in [
        ("primary", endpoint::check(Check::Primary)),
        ("replica", endpoint::replica()),
        ("metrics", endpoint::metrics()),
    ] {
        page = with_block(&page, block, &narrow(&content));
    }
    assert_document("docs/endpoint.md", &page);
}

/// The times of each layout, and where everything runs after each single failure.
#[cfg(feature = "cli")]
#[test]
fn the_layouts() {
    use quorate::layout::kind::Kind;
    let mut page = fs::read_to_string(path("docs/layouts.md")).expect("docs/layouts.md");
    page = with_block(&page, "times", &layouts::times());
    let mut placement = String::new();
    for kind in Kind::ALL {
        let table = fs::read_to_string(path(&format!("pcs-templates/placement/{}.txt", kind.name())))
            .expect("tests/layouts.sh --write has written it");
        placement.push_str(&format!("`{}`:\n\n```\n{table}```\n\n", kind.name()));
    }
    page = with_block(&page, "placement", &placement);
    assert_document("docs/layouts.md", &page);
}

/// The doctor's rules.
#[cfg(feature = "cli")]
#[test]
fn the_doctors_rules() {
    let page = fs::read_to_string(path("docs/doctor.md")).expect("docs/doctor.md");
    assert_document("docs/doctor.md", &with_block(&page, "rules", &doctor::rules()));
}

/// What each fault will cost.
#[cfg(feature = "cli")]
#[test]
fn the_predictions() {
    let page = fs::read_to_string(path("docs/timing.md")).expect("docs/timing.md");
    assert_document("docs/timing.md", &with_block(&page, "predictions", &timing::predicted()));
}

/// A test that the list of the competitors' faults names does exist.
#[test]
fn the_tests_of_the_known_faults_exist() {
    let page = fs::read_to_string(path("docs/known-faults.md")).expect("docs/known-faults.md");
    let mut named = 0;
    for entry in page.split("\n- ").skip(1) {
        let (_, tests) = entry.split_once("*Test*:").unwrap_or_else(|| panic!("no test: {entry}"));
        for word in tests.split('`').skip(1).step_by(2) {
            let (file, name) = word.split_once("::").unwrap_or_else(|| panic!("{word}: not file::test"));
            let text = fs::read_to_string(path(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            assert!(text.contains(&format!("fn {name}(")), "{file} has no test {name}");
            named += 1;
        }
    }
    assert!(named > 10, "the list names its tests: {named}");
}
