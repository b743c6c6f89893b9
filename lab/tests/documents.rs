//! The documents say what the lab does; see `tests/documents` of the product.
#![allow(clippy::disallowed_methods, reason = "a test reads its own environment")]

#[path = "../../tests/common/document.rs"]
mod document;

use document::{assert_document, entry, path, with_block};

/// What the lab can break, and what it cost.
#[test]
fn the_faults() {
    let page = std::fs::read_to_string(path("docs/lab/faults.md")).expect("docs/lab/faults.md");
    let entries = quorate_lab::faults::ALL.iter().map(|f| {
        entry(&format!(
            "**`{}`** ({}): {}. *Seen*: {}. *Before*: {}. *Measured*: {}.",
            f.name, f.usual_target, f.description, f.evidence, f.cost, f.measured
        ))
    });
    assert_document("docs/lab/faults.md", &with_block(&page, "faults", &entries.collect::<String>()));
}
