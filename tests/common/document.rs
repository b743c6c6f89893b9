//! A document with parts that the code gives: compared, or with `QUORATE_BLESS=1` written anew.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project, whichever crate's test asks.
pub fn path(name: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.ancestors().find(|d| d.join("Cargo.lock").exists()).expect("a workspace has a lock file");
    root.join(name)
}

fn bless() -> bool {
    std::env::var_os("QUORATE_BLESS").is_some()
}

/// Compares a document with what it must be, or writes it.
#[track_caller]
pub fn assert_document(name: &str, wanted: &str) {
    if bless() {
        fs::write(path(name), wanted).expect("the document is writable");
        return;
    }
    let found = fs::read_to_string(path(name)).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    assert!(
        found == wanted,
        "{name} differs from the code, first in line {}: QUORATE_BLESS=1 cargo test --workspace --features packaging --test documents",
        differs.unwrap_or(found.lines().count().min(wanted.lines().count())) + 1
    );
}

/// Puts `content` between `<!-- generated: block -->` and `<!-- end -->`.
pub fn with_block(page: &str, block: &str, content: &str) -> String {
    let begin = format!("<!-- generated: {block} -->\n");
    let at = page.find(&begin).unwrap_or_else(|| panic!("the page has no {begin:?}")) + begin.len();
    let end = at + page[at..].find("<!-- end -->").unwrap_or_else(|| panic!("the block {block} has no end"));
    format!("{}{}\n{}", &page[..at], content.trim_end(), &page[end..])
}

#[test]
fn a_block_is_replaced_and_nothing_else() {
    let page = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n";
    let new = with_block(page, "x", "new\n");
    assert_eq!(new, "a\n<!-- generated: x -->\nnew\n<!-- end -->\nb\n");
    assert_eq!(with_block(&new, "x", "new\n"), new);
}
