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

/// The same of whole rooms: a room is the first word of its modules.
pub fn rooms(uses: &Uses) -> Uses {
    let room = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let mut rooms = Uses::new();
    for (module, used) in uses {
        let own = room(module);
        let others: Vec<String> =
            used.iter().map(|m| room(m)).filter(|r| *r != own && !r.is_empty()).collect();
        rooms.entry(own).or_default().extend(others);
    }
    rooms
}

/// What uses a room that stands below it in this order.
pub fn below(rooms: &Uses, order: &[&str]) -> Vec<String> {
    let place = |room: &str| order.iter().position(|r| *r == room);
    let mut found = Vec::new();
    for (room, used) in rooms {
        found.extend(
            used.iter()
                .filter(|u| place(u) > place(room))
                .map(|u| format!("{room} uses {u}, which stands below it")),
        );
    }
    found
}

#[test]
fn a_room_that_uses_one_below_it_is_seen() {
    let file = |path: &str, source: &str| (path.to_owned(), source.to_owned());
    let files = |host: &str| {
        [
            file("host/mod.rs", "pub mod error;\n"),
            file("host/error.rs", host),
            file("faults/mod.rs", "use crate::host::error::E;\nuse super::truth::Loss;\n"),
            file("truth/mod.rs", "pub enum Loss {}\n"),
        ]
    };
    let order = ["host", "truth", "faults"];
    assert_eq!(below(&rooms(&uses(&files("use std::fs;\n"))), &order), Vec::<String>::new());
    let round = rooms(&uses(&files("use crate::faults::Fault;\n")));
    assert_eq!(below(&round, &order), ["host uses faults, which stands below it"]);
    assert_eq!(circles(&round), ["faults", "host"]);
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
