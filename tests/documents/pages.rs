//! The pages as a reader meets them: every link leads somewhere, and no line is wider than a screen.

use std::collections::BTreeSet;
use std::fs;

use super::path;

/// All pages, relative to the project's directory.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "pcs-templates/README.md"]
            .map(str::to_owned)
            .to_vec();
    for directory in ["docs", "docs/lab"] {
        for entry in fs::read_dir(path(directory)).expect("docs/ is there") {
            let name = entry.expect("a name").file_name().into_string().expect("UTF-8");
            if name.ends_with(".md") {
                pages.push(format!("{directory}/{name}"));
            }
        }
    }
    pages
}

fn read(page: &str) -> String {
    fs::read_to_string(path(page)).unwrap_or_else(|e| panic!("{page}: {e}"))
}

/// The page without its blocks of code, in which brackets are no links.
fn prose(text: &str) -> String {
    let mut code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            code = !code;
        } else if !code {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// What a heading is called in a link, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text)
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|rest| anchor(rest.trim_start_matches('#')))
        .collect()
}

/// The targets of the page's links and pictures.
fn links(text: &str) -> Vec<String> {
    let text = prose(text).replace('\n', " ");
    text.match_indices("](")
        .filter_map(|(at, _)| text[at + 2..].split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// Whether a link of a page in `directory`, `docs/` or below, leaves `docs/`.
fn above(directory: &str, target: &str) -> bool {
    let mut depth = directory.matches('/').count() - 1;
    for part in target.split('/') {
        match part {
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            "." | "" => {}
            _ => depth += 1,
        }
    }
    false
}

/// What is wrong with a link of `page`, which stands in `directory`.
fn broken(directory: &str, page: &str, target: &str) -> Option<String> {
    if target.starts_with("http://") || target.starts_with("https://") || target.starts_with("mailto:") {
        return None;
    }
    if directory.starts_with("docs/") && above(directory, target) {
        return Some(format!("{page}: {target}: leads out of docs/, which is all that a site has"));
    }
    let (file, wanted) = target.split_once('#').map_or((target, None), |(file, wanted)| (file, Some(wanted)));
    let file = if file.is_empty() { page.to_owned() } else { format!("{directory}{file}") };
    if !path(&file).exists() {
        return Some(format!("{page}: {target}: there is no such file"));
    }
    let wanted = wanted?;
    let text = fs::read_to_string(path(&file)).unwrap_or_default();
    (!anchors(&text).contains(wanted)).then(|| format!("{page}: {target}: no heading of that name"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let directory = page.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"));
        for target in links(&read(&page)) {
            checked += 1;
            found.extend(broken(&directory, &page, &target));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(checked > 100, "hardly a link was found: {checked}");
}

#[test]
fn a_broken_link_is_found() {
    assert_eq!(links("a [b](c.md#d)\n```\n[e](f)\n```\n"), ["c.md#d"]);
    assert_eq!(anchor(" Triggered \"fatal\" assertion, 72 s"), "triggered-fatal-assertion-72-s");
    assert!(broken("docs/", "docs/agent.md", "nowhere.md").is_some());
    assert!(broken("docs/", "docs/agent.md", "doctor.md#nothing").is_some());
    assert!(broken("docs/", "docs/agent.md", "#nothing").is_some());
    assert_eq!(broken("docs/", "docs/agent.md", "doctor.md#the-rules"), None);
    assert_eq!(broken("docs/lab/", "docs/lab/faults.md", "../README.md"), None);
    assert!(broken("docs/", "docs/agent.md", "../README.md").is_some());
    assert!(broken("docs/lab/", "docs/lab/faults.md", "../../README.md").is_some());
    assert_eq!(broken("docs/", "docs/agent.md", "https://example.org/x"), None);
}

/// The site's table of contents has every page of docs/, and each once: mdBook refuses another.
#[test]
fn the_table_of_contents_is_complete() {
    let all = links(&read("docs/SUMMARY.md"));
    let listed: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(listed.len(), all.len(), "docs/SUMMARY.md lists a page twice: {all:?}");
    let mut missing: Vec<String> = pages()
        .into_iter()
        .filter_map(|page| page.strip_prefix("docs/").map(str::to_owned))
        .filter(|page| page != "SUMMARY.md" && !listed.contains(page))
        .collect();
    missing.sort();
    assert!(missing.is_empty(), "docs/SUMMARY.md lacks {}", missing.join(", "));
}

#[test]
fn no_line_is_wider_than_a_screen() {
    let mut wide = Vec::new();
    for page in pages() {
        let text = read(&page);
        let mut code = false;
        for (number, line) in (1..).zip(text.lines()) {
            code ^= line.starts_with("```");
            let limit = if code || line.starts_with('|') || line.contains("](") { 160 } else { 110 };
            let width = line.chars().count();
            if width > limit {
                wide.push(format!("{page}:{number}: {width} columns, more than {limit}"));
            }
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}
