//! What a source file names: its code without comments, strings and unit tests, and its paths from the crate's root.

/// The code of a source file. Lines keep their numbers; those of unit tests are empty.
pub fn code_lines(source: &str) -> Vec<String> {
    let mut in_block_comment = false;
    let stripped: Vec<String> = source.lines().map(|line| strip(line, &mut in_block_comment)).collect();
    let mut lines = Vec::new();
    let mut skipped = Skipped::Nothing;
    for line in stripped {
        let line = skipped.take(&line);
        lines.push(line);
    }
    lines
}

/// The item of a unit test that is being passed over: what stands behind it is code again.
enum Skipped {
    Nothing,
    /// Its first brace, or its semicolon, is still to come.
    Head,
    /// So many braces are open.
    Body(usize),
}

impl Skipped {
    /// What of a line is not part of it.
    fn take(&mut self, line: &str) -> String {
        let mut kept = String::new();
        let mut rest = line;
        if let Skipped::Nothing = self {
            let Some(at) = ["#[cfg(test)]", "#[cfg(all(test,"].iter().find_map(|mark| line.find(mark)) else {
                return line.to_owned();
            };
            kept.push_str(&line[..at]);
            rest = line[at..].split_once(']').map_or("", |(_, behind)| behind);
            *self = Skipped::Head;
        }
        for (at, c) in rest.char_indices() {
            match (&mut *self, c) {
                (Skipped::Head, ';') | (Skipped::Body(1), '}') => {
                    *self = Skipped::Nothing;
                    kept.push_str(&self.take(&rest[at + 1..]));
                    return kept;
                }
                (Skipped::Head, '{') => *self = Skipped::Body(1),
                (Skipped::Body(depth), '{') => *depth += 1,
                (Skipped::Body(depth), '}') => *depth -= 1,
                _ => {}
            }
        }
        kept
    }
}

/// One line without its comments and the contents of its string literals.
fn strip(line: &str, in_block_comment: &mut bool) -> String {
    let mut out = String::new();
    let mut rest = line;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        if *in_block_comment {
            if let Some(end) = rest.find("*/") {
                *in_block_comment = false;
                rest = &rest[end + 2..];
                continue;
            }
            break;
        }
        if in_string {
            match c {
                '\\' => {
                    rest = rest.get(2..).unwrap_or("");
                    continue;
                }
                '"' => in_string = false,
                _ => {}
            }
        } else if rest.starts_with("//") {
            break;
        } else if rest.starts_with("/*") {
            *in_block_comment = true;
            rest = &rest[2..];
            continue;
        } else if rest.starts_with("'{'") || rest.starts_with("'}'") {
            // Braces are counted.
            rest = &rest[3..];
            continue;
        } else {
            if c == '"' && !out.ends_with('\'') {
                in_string = true;
            }
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Code of the laboratory, as if its crate were the module `lab` of the product.
pub fn as_one_crate(lines: &mut [String]) {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for line in lines {
        for (from, to) in [("crate::", "crate::lab::"), ("quorate::", "crate::")] {
            let mut written = String::new();
            let mut rest = line.as_str();
            while let Some(at) = rest.find(from) {
                written.push_str(&rest[..at]);
                let is_whole = !written.chars().next_back().is_some_and(word);
                written.push_str(if is_whole { to } else { from });
                rest = &rest[at + from.len()..];
            }
            written.push_str(rest);
            *line = written;
        }
    }
}

/// Where a file's module stands: `decide/detector/watch.rs` is `decide`, `detector`, `watch`.
pub fn module_of(path: &str) -> Vec<String> {
    let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// Every path that begins at the crate's root or at a parent module, and every one that is imported: written from the root
/// (`crate::decide::score`), with the number of its line.
pub fn paths(path: &str, lines: &[String]) -> Vec<(usize, String)> {
    let module = module_of(path);
    let mut found = Vec::new();
    let mut import: Option<(usize, String)> = None;
    for (number, line) in lines.iter().enumerate() {
        let mut rest = Some(line.clone());
        while let Some(code) = rest.take() {
            if let Some((_, text)) = &mut import {
                text.push(' ');
                text.push_str(code.trim());
            } else if let Some(at) = import_in(&code) {
                import = Some((number, code[at..].to_owned()));
            } else {
                found.extend(inline(&code).into_iter().map(|p| (number, p)));
            }
            if let Some((first, text)) = import.take() {
                match text.split_once(';') {
                    Some((tree, behind)) => {
                        found.extend(leaves(tree).into_iter().map(|p| (first, p)));
                        rest = (!behind.trim().is_empty()).then(|| behind.to_owned());
                    }
                    None => import = Some((first, text)),
                }
            }
        }
    }
    found.into_iter().map(|(number, p)| (number, from_root(&p, &module))).collect()
}

/// Where the tree of an import begins in a line.
fn import_in(line: &str) -> Option<usize> {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let visible = if trimmed.starts_with("pub") { trimmed.find("use ")? } else { 0 };
    let head = &trimmed[..visible];
    let is_import = trimmed[visible..].starts_with("use ") && !head.contains("fn ") && !head.contains(';');
    is_import.then_some(indent + visible + 4)
}

/// The paths of a tree, each written out.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split_whitespace().collect()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut part, mut parts) = (0_usize, String::new(), Vec::new());
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    let written = parts.iter().filter(|p| !p.trim().is_empty());
    written.flat_map(|p| leaves(&format!("{}{}", prefix.trim(), p.trim()))).collect()
}

/// The paths in a line of code that begin with `crate` or `super`.
fn inline(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut rest = line;
    while let Some(at) = ["crate::", "super::"].iter().filter_map(|start| rest.find(start)).min() {
        let before = rest[..at].chars().next_back();
        let end = rest[at..].find(|c| !word(c)).map_or(rest.len(), |length| at + length);
        if !before.is_some_and(word) {
            found.push(rest[at..end].to_owned());
        }
        rest = &rest[end..];
    }
    found
}

/// A path as it is written from the root.
fn from_root(path: &str, module: &[String]) -> String {
    let mut words: Vec<&str> = path.split("::").collect();
    let mut base: Vec<&str> = module.iter().map(String::as_str).collect();
    match words.first() {
        Some(&"super") => {
            while words.first() == Some(&"super") {
                words.remove(0);
                base.pop();
            }
        }
        Some(&"self") => {
            words.remove(0);
        }
        _ => return path.to_owned(),
    }
    [vec!["crate"], base, words].concat().join("::")
}
