//! The layer table of `src/lib.rs`, checked against the sources: what a module may not name, it does not
//! name. The laboratory's crate is read as if it were the module `lab` of the product.
//!
//! The check is textual on purpose. It reads code without comments, strings and unit tests, so a breach is a
//! line that a reviewer would point at, and the message says which rule of which layer it breaks.

mod breaches;
mod circles;
mod rules;
mod seen;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use breaches::{Breach, breaches_of};
use rules::{MAX_LINES, OWN_FILES};

/// Every source file of the product and of the laboratory, with its path as [`breaches_of`] has it.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for (place, prefix) in [("src", ""), ("lab/src", "lab/")] {
        let place = root().join(place);
        for file in rust_files(&place) {
            let path = file.strip_prefix(&place).expect("found below it").to_string_lossy().into_owned();
            let source = fs::read_to_string(&file).expect("a source file is UTF-8");
            sources.push((format!("{prefix}{path}"), source));
        }
    }
    sources
}

/// Every `.rs` file below `dir`, sorted.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a source directory is readable") {
            let path = entry.expect("a source directory is readable").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_module_keeps_to_its_layer() {
    let sources = sources();
    assert!(
        sources.iter().filter(|(path, _)| path.starts_with("lab/")).count() > 100,
        "the laboratory is read"
    );
    let breaches: Vec<Breach> = sources.iter().flat_map(|(path, source)| breaches_of(path, source)).collect();
    assert!(
        breaches.is_empty(),
        "{} breaches of the layers:\n{}",
        breaches.len(),
        breaches.iter().map(|b| b.0.as_str()).collect::<Vec<_>>().join("\n")
    );
}

/// What two decisions share stands in a file of its own.
#[test]
fn no_decision_uses_itself_by_way_of_others() {
    let src = root().join("src");
    let mut files = Vec::new();
    for file in rust_files(&src.join("decide")) {
        let path = file.strip_prefix(&src).expect("found below src").to_string_lossy().into_owned();
        let is_test = ["tests", "/tests/", "samples", "model"].iter().any(|part| {
            if part.starts_with('/') { path.contains(part) } else { path.ends_with(&format!("{part}.rs")) }
        });
        if !is_test {
            files.push((path, fs::read_to_string(&file).expect("a source file is UTF-8")));
        }
    }
    let uses = circles::uses(&files);
    assert!(uses.len() > 40, "{} files of decide", uses.len());
    assert_eq!(circles::circles(&uses), Vec::<String>::new(), "files in a circle");
}

/// The laboratory's files without those of its tests, each with its path below `lab/src`.
fn files_of_the_laboratory() -> Vec<(String, String)> {
    let files = sources()
        .into_iter()
        .filter_map(|(path, source)| Some((path.strip_prefix("lab/")?.to_owned(), source)));
    files
        .filter(|(path, _)| !["tests.rs", "testing.rs"].iter().any(|end| path.ends_with(end)))
        .filter(|(path, _)| path != "lib.rs" && path != "main.rs" && !path.contains("/tests/"))
        .collect()
}

/// The rooms of the laboratory in the order of its table: each uses those above it. And no file is in a circle.
#[test]
fn a_room_of_the_laboratory_uses_those_above_it() {
    let uses = circles::uses(&files_of_the_laboratory());
    assert!(uses.len() > 100, "{} files of the laboratory", uses.len());
    let index = fs::read_to_string(root().join("lab/src/lib.rs")).expect("lab/src/lib.rs is UTF-8");
    let rows = index.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split_once("`]"));
    let order: Vec<&str> = rows.map(|(room, _)| room).collect();
    let rooms = circles::rooms(&uses);
    let listed: BTreeSet<&str> = order.iter().copied().collect();
    let found: BTreeSet<&str> = rooms.keys().map(String::as_str).collect();
    assert_eq!(listed, found, "lab/src/lib.rs (left) lists the rooms (right)");
    assert_eq!(circles::below(&rooms, &order), Vec::<String>::new());
    assert_eq!(circles::circles(&uses), Vec::<String>::new(), "files in a circle");
}

/// A place that is gone is a gap for the next file of that name.
#[test]
fn every_place_with_files_of_its_own_is_there() {
    for (place, _) in OWN_FILES {
        assert!(root().join("src").join(place).exists(), "src/{place} is on the list and not there");
    }
}

#[test]
fn test_files_are_short_too() {
    for file in ["tests", "lab/tests", "lab/preload"].iter().flat_map(|place| rust_files(&root().join(place)))
    {
        let lines = fs::read_to_string(&file).expect("a source file is UTF-8").lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines, more than {MAX_LINES}", file.display());
    }
}

#[test]
fn the_index_lists_every_module() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs is UTF-8");
    for entry in fs::read_dir(root().join("src")).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        let name = path.file_stem().expect("an entry has a name").to_string_lossy().into_owned();
        if name == "lib" || name == "bin" {
            continue;
        }
        assert!(lib.contains(&format!("pub mod {name};")), "src/lib.rs does not list the module {name}");
        assert!(
            lib.lines().any(|l| l.starts_with("//!") && l.contains(&name)),
            "src/lib.rs does not say what the module {name} is for"
        );
    }
}
