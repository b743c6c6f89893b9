//! docs/security.md lists every file with unsafe code, and each such place says why it is sound.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::path;

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a source directory is readable") {
        let path = entry.expect("a source directory is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The lines, from 0, on which a block or an implementation without the compiler's checks begins.
fn places(source: &str) -> Vec<usize> {
    let is_place = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        ["unsafe {", "unsafe impl"].iter().any(|words| code.contains(words))
    };
    source.lines().enumerate().filter(|(_, line)| is_place(line)).map(|(index, _)| index).collect()
}

/// Whether a comment right above, or within the statement above, says why.
fn is_explained(source: &str, place: usize) -> bool {
    let lines: Vec<&str> = source.lines().collect();
    let says = |line: &&str| line.contains("// SAFETY:") || line.contains("# CommitCoverage");
    lines[place.saturating_sub(8)..=place].iter().rev().any(says)
}

#[test]
fn every_unsafe_place_is_listed_and_explained() {
    let page = fs::read_to_string(path("docs/security.md")).expect("docs/security.md is there");
    let listed: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `src/")?.split('`').next())
        .map(|file| format!("src/{file}"))
        .collect();
    let mut found = BTreeSet::new();
    let files: Vec<PathBuf> = ["src", "lab"].iter().flat_map(|place| rust_files(&path(place))).collect();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source file is UTF-8");
        let name = file.strip_prefix(path("")).expect("found below it").display().to_string();
        for place in places(&source) {
            assert!(is_explained(&source, place), "{name}:{}: unsafe without `// SAFETY:` above", place + 1);
            if !name.starts_with("lab/") {
                found.insert(name.clone());
            }
        }
    }
    assert_eq!(
        listed, found,
        "docs/security.md (left) lists the files with unsafe code (right), each with its reason"
    );
}

/// The check itself can fail.
#[test]
fn what_is_not_explained_is_seen() {
    let source = "// SAFETY: so.\nunsafe { a() };\n\n\n\n\n\n\n\n\n\nunsafe { b() };\n// unsafe { c() }\n";
    let explained: Vec<bool> = places(source).iter().map(|place| is_explained(source, *place)).collect();
    assert_eq!(explained, [true, false]);
}
