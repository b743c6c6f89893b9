//! No circle between files: what two decisions share is a file of its own, that uses neither.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{code_lines, module_of, paths};

/// Which file uses which: modules, by the paths that their files name.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// Of these files, each with its path below `src/`.
pub fn uses(files: &[(String, String)]) -> Uses {
    let modules: BTreeSet<String> = files.iter().map(|(path, _)| module_of(path).join("::")).collect();
    let mut uses = Uses::new();
    for (path, source) in files {
        let own = module_of(path).join("::");
        let lines = code_lines(source);
        let mut named: Vec<String> = paths(path, &lines).into_iter().map(|(_, p)| p).collect();
        // A file names the modules below it without a prefix.
        let below = format!("{own}::");
        for child in modules.iter().filter_map(|m| m.strip_prefix(&below)).filter(|m| !m.contains("::")) {
            let is_named = |line: &&String| {
                let code = line.trim_start();
                line.match_indices(&format!("{child}::")).any(|(at, _)| {
                    !line[..at]
                        .chars()
                        .next_back()
                        .is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                }) || code.starts_with(&format!("pub use {child}::"))
            };
            if lines.iter().any(|line| is_named(&line)) {
                named.push(format!("crate::{below}{child}"));
            }
        }
        let targets =
            named.iter().filter_map(|p| p.strip_prefix("crate::")).filter_map(|p| longest(p, &modules));
        let others = targets.filter(|target| *target != own).collect();
        uses.insert(own, others);
    }
    uses
}

/// The module that a path names, or that has what it names.
fn longest(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut words: Vec<&str> = path.split("::").collect();
    while !words.is_empty() {
        let module = words.join("::");
        if modules.contains(&module) {
            return Some(module);
        }
        words.pop();
    }
    None
}

/// Everything that a module uses, directly or not.
fn reach(from: &str, uses: &Uses) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut next: Vec<&String> = uses.get(from).into_iter().flatten().collect();
    while let Some(module) = next.pop() {
        if all.insert(module.clone()) {
            next.extend(uses.get(module).into_iter().flatten());
        }
    }
    all
}

/// The modules that use themselves by way of others.
pub fn circles(uses: &Uses) -> Vec<String> {
    uses.keys().filter(|module| reach(module, uses).contains(*module)).cloned().collect()
}

#[test]
fn a_circle_is_seen() {
    let file = |path: &str, source: &str| (path.to_owned(), source.to_owned());
    let round = |b: &str| {
        let files = [
            file("decide/mod.rs", "pub mod a;\npub mod b;\npub mod c;\n"),
            file("decide/a.rs", "#[cfg(test)]\nmod samples;\nuse super::b::{B, other::C};\n"),
            file("decide/b.rs", b),
            file("decide/c/mod.rs", "mod d;\npub use d::D;\n"),
            file("decide/c/d.rs", "use crate::decide::{\n    a::A,\n};\n"),
        ];
        circles(&uses(&files))
    };
    assert_eq!(round("use super::super::pg::Lsn;\n"), Vec::<String>::new());
    assert_eq!(round("#[cfg(test)]\nmod tests {\n    use super::super::a::A;\n}\n"), Vec::<String>::new());
    assert_eq!(round("fn f() -> super::a::A {}\n"), ["decide::a", "decide::b"]);
    // By way of a third one.
    assert_eq!(round("use super::c;\n"), ["decide::a", "decide::b", "decide::c", "decide::c::d"]);
}
