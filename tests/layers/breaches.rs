//! The breaches of one file.

use crate::rules::{
    AS_ROOT, BINARY_MAX_LINES, FILE_ACCESS, FILE_ACCESS_WHY, IMPURE, LAB, LAB_VALUES, MAX_LINES, OWN_FILES,
    PURE, RULES,
};
use crate::source::{as_one_crate, code_lines, paths};

/// Whether this line reaches a file by its path where it may not.
pub(crate) fn reaches_files(path: &str, line: &str) -> Option<&'static str> {
    if !AS_ROOT.iter().any(|layer| path.starts_with(layer))
        || OWN_FILES.iter().any(|(p, _)| path.starts_with(p))
    {
        return None;
    }
    // A line that starts with a method call has none of its receiver before it.
    FILE_ACCESS
        .iter()
        .find(|token| if token.starts_with('.') { line.contains(**token) } else { names(line, token) })
        .copied()
}

/// One broken rule, as the test prints it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach(pub(crate) String);

/// Whether `token` stands in `line` at a word boundary.
pub(crate) fn names(line: &str, token: &str) -> bool {
    line.match_indices(token).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The file behind a path of this test.
pub(crate) fn file_of(path: &str) -> String {
    path.strip_prefix("lab/").map_or_else(|| format!("src/{path}"), |below| format!("lab/src/{below}"))
}

/// The breaches of a line that names these tokens.
pub(crate) fn breaches_at(path: &str, number: usize, named: &dyn Fn(&str) -> bool) -> Vec<Breach> {
    let at = format!("{}:{}", file_of(path), number + 1);
    let mut found = Vec::new();
    if PURE.iter().any(|p| path.starts_with(p)) {
        for (token, why) in IMPURE.iter().filter(|(token, _)| named(token)) {
            found.push(Breach(format!("{at}: a pure module names `{token}`: {why}")));
        }
    }
    for rule in RULES.iter().filter(|rule| named(rule.token)) {
        if !rule.allowed.iter().any(|p| path.starts_with(p)) {
            found.push(Breach(format!("{at}: names `{}`: {}", rule.token, rule.why)));
        }
    }
    if path.starts_with("boundary/") && named("crate::agent") {
        found.push(Breach(format!("{at}: an effect does not know who asked for it")));
    }
    found
}

/// Breaches of one file; `path` is relative to `src/`, or begins with `lab/`.
pub(crate) fn breaches_of(path: &str, source: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    let lines = source.lines().count();
    if lines > MAX_LINES {
        found.push(Breach(format!("{}: {lines} lines, more than {MAX_LINES}: split it", file_of(path))));
    }
    if (path.starts_with("bin/") || path == "lab/main.rs") && lines > BINARY_MAX_LINES {
        found.push(Breach(format!(
            "{}: {lines} lines, more than {BINARY_MAX_LINES}: a binary parses, runs and maps to an exit code",
            file_of(path)
        )));
    }
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return found;
    }
    let mut lines = code_lines(source);
    if path.starts_with("lab/") {
        as_one_crate(&mut lines);
    }
    for (number, line) in lines.iter().enumerate() {
        let named = |token: &str| token != LAB && names(line, token);
        found.extend(breaches_at(path, number, &named));
        if let Some(token) = reaches_files(path, line) {
            let at = format!("{}:{}", file_of(path), number + 1);
            found.push(Breach(format!("{at}: reaches a file by `{token}`: {FILE_ACCESS_WHY}")));
        }
    }
    // The same by the way that a path takes: through `super`, or as one of a group.
    for (number, written) in paths(path, &lines) {
        let room = written.strip_prefix("crate::").map(|p| p.replace("::", "/"));
        let values =
            LAB_VALUES.iter().find(|(pure, _)| path.starts_with(pure)).map_or(&[][..], |(_, named)| named);
        if room.is_some_and(|room| values.iter().any(|value| room.starts_with(value))) {
            continue;
        }
        let named = |token: &str| names(&written, token) && (token == LAB || !names(&lines[number], token));
        found.extend(breaches_at(path, number, &named));
    }
    found
}
