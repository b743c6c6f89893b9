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

/// The columns of a document.
const WIDTH: usize = 110;

/// An entry of a list, for what is too wide for a row: its lines end before [`WIDTH`], and go on below its first word.
pub fn entry(text: &str) -> String {
    let mut out = String::from("-");
    let mut width = 1;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 2 && width + 1 + length > WIDTH {
            out.push_str("\n ");
            width = 1;
        }
        out.push(' ');
        out.push_str(word);
        width += 1 + length;
    }
    out.push('\n');
    out
}

#[test]
fn an_entry_is_no_wider_than_a_document() {
    let text = entry(&"word ".repeat(60));
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH) && text.lines().count() == 3, "{text}");
    assert!(text.starts_with("- word") && text.lines().nth(1).is_some_and(|line| line.starts_with("  word")));
}

#[test]
fn a_block_is_replaced_and_nothing_else() {
    let page = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n";
    let new = with_block(page, "x", "new\n");
    assert_eq!(new, "a\n<!-- generated: x -->\nnew\n<!-- end -->\nb\n");
    assert_eq!(with_block(&new, "x", "new\n"), new);
}
