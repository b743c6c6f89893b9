//! Every message of the product in one list, as an operator meets them: in the journal, in `crm_mon`, from a command.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{assert_document, path};

/// Where messages stand, and what the section is called. The first that fits counts; the doctor's rules have a page of their own.
const SECTIONS: [(&str, Option<&str>); 15] = [
    ("src/decide/doctor", None),
    ("src/decide/detector", Some("quorated")),
    ("src/decide/reset", Some("quorated")),
    ("src/decide/standstill.rs", Some("quorated")),
    ("src/daemon", Some("quorated")),
    ("src/decide/alert", Some("Alerts")),
    ("src/alert", Some("Alerts")),
    ("src/boundary/alert.rs", Some("Alerts")),
    ("src/fence", Some("fence_quorate")),
    ("src/decide/fence.rs", Some("fence_quorate")),
    ("src/agent", Some("The agent")),
    ("src/decide", Some("The agent")),
    ("src/ocf/settings.rs", Some("The agent's parameters")),
    ("src/pg", Some("What PostgreSQL's files and answers have")),
    ("src/boundary", Some("What could not be done on this node")),
];

/// Words that are ours and not the field's, or that say nothing to an operator.
const BANNED: [&str; 23] = [
    "farewell",
    "departed",
    "inbox",
    "vouch",
    "vouches",
    "vouched",
    "pet",
    "pets",
    "petted",
    "encumbered",
    "cramped",
    "undying",
    "lonely",
    "sight",
    "former_primary",
    "attendance",
    "challenger",
    "treat",
    "human",
    "anew",
    "sth",
    "stuff",
    "obviously",
];

/// What an operator has to read of it: shorter is a name or a part of a sentence.
const LEAST_BLANKS: usize = 2;

/// The string literals of a source file without its comments and unit tests, each in one line.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
        } else if rest.starts_with("#[cfg(test)]") || rest.starts_with("#[cfg(all(test") {
            rest = behind_item(rest);
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            rest = raw.find("\"#").map_or("", |at| &raw[at + 2..]);
        } else if c == '\'' && (rest.starts_with("'\"'") || rest.starts_with("'\\")) {
            rest = &rest[3..];
        } else if c == '"' {
            let (text, behind) = literal(&rest[1..]);
            let before = &source[..source.len() - rest.len()];
            if !is_remark(before) {
                found.push(if is_front(before) { text + ": {error}" } else { text });
            }
            rest = behind;
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

/// The literal that begins here, with its line breaks undone, and what stands behind it.
fn literal(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, '\n')) => {
                    while chars.clone().next().is_some_and(|(_, c)| c.is_whitespace()) {
                        chars.next();
                    }
                }
                Some((_, 'n')) => out.push(' '),
                Some((_, escaped)) => out.push(escaped),
                None => break,
            },
            _ => out.push(c),
        }
    }
    (out, "")
}

/// What stands behind the item of a unit test: a braced one, or a declaration.
fn behind_item(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            ';' if depth == 0 => return &text[at + 1..],
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return &text[at + 1..];
                }
            }
            _ => {}
        }
    }
    ""
}

/// Whether somebody reads it: no query, no path, no format of a number.
fn is_message(text: &str) -> bool {
    let words = text.split_whitespace().filter(|w| w.chars().any(|c| c.is_ascii_lowercase())).count();
    let is_sql = ["SELECT ", "BEGIN ", "SET "].iter().any(|sql| text.starts_with(sql));
    text.matches(' ').count() >= LEAST_BLANKS && words > LEAST_BLANKS && !is_sql
}

/// The reasons of lints and the words of `expect` are for who reads the code. `before`: what stands before the literal.
fn is_remark(before: &str) -> bool {
    let before = before.trim_end();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let in_attribute = line.trim_start().starts_with("reason") || line.contains("#[");
    before.ends_with(".expect(") || (before.ends_with("reason =") && in_attribute)
}

/// Whether an error's own text follows (`HostError::about`). `before`: what stands before the literal.
fn is_front(before: &str) -> bool {
    let before = before.trim_end();
    before.strip_suffix("format!(").unwrap_or(before).trim_end().ends_with(".about(")
}

fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("src/ is there") {
        let path = entry.expect("a name").path();
        let name = path.to_string_lossy().into_owned();
        let is_test = ["tests", "fake", "samples", "model"].iter().any(|part| name.contains(part));
        if path.is_dir() && !is_test {
            sources(&path, found);
        } else if name.ends_with(".rs") && !is_test {
            found.push(name);
        }
    }
}

/// The messages of each section, sorted.
fn messages() -> BTreeMap<&'static str, Vec<String>> {
    let mut files = Vec::new();
    sources(&path("src"), &mut files);
    let root = format!("{}/", path("").display().to_string().trim_end_matches('/'));
    let mut all: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file);
        let Some((_, Some(section))) = SECTIONS.iter().find(|(prefix, _)| name.starts_with(prefix)) else {
            continue;
        };
        let source = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
        let texts = literals(&source).into_iter().filter(|text| is_message(text));
        all.entry(section).or_default().extend(texts.map(|text| text.trim().to_owned()));
    }
    for texts in all.values_mut() {
        texts.sort_by_key(|text| text.trim_start_matches(['{', '}', ':', ' ']).to_lowercase());
        texts.dedup();
    }
    all
}

/// Folded to what a screen has room for; what follows is indented.
fn folded(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        if width > 0 && width + 1 + word.chars().count() > 110 {
            out.push_str("\n    ");
            width = 4;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.chars().count();
    }
    out
}

#[test]
fn the_list_of_messages() {
    let mut page = String::from(
        "# Messages\n\n\
         What the agent, `quorated` and `fence_quorate` write into the journal, into `crm_mon` and to a terminal,\n\
         and the parts that longer lines are made of. `{…}` is a value. Generated from the sources; what to do\n\
         about the frequent ones stands under [troubleshooting](troubleshooting.md), the doctor's rules under\n\
         [the doctor](doctor.md).\n",
    );
    for (section, texts) in messages() {
        let _ = writeln!(page, "\n## {section}\n\n```text");
        texts.iter().for_each(|text| page.push_str(&(folded(text) + "\n")));
        page.push_str("```\n");
    }
    assert_document("docs/messages.md", &page);
}

#[test]
fn messages_have_the_words_of_the_field() {
    let banned = |text: &str| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| BANNED.contains(&word.to_lowercase().as_str()))
    };
    let all = messages();
    assert!(all.values().map(Vec::len).sum::<usize>() > 400, "messages are not found any more");
    let found: Vec<&String> = all.values().flatten().filter(|text| banned(text)).collect();
    assert!(found.is_empty(), "words that an operator does not know (BANNED): {found:#?}");
    assert!(banned("is petted, and goes on") && !banned("petabytes"), "the check finds nothing");
}

#[test]
fn literals_are_found() {
    let source = "// \"no\"\nfn a() { b(\"one \\\n     two {x}\", '\"', \"th\\\"ree\") }\n#[cfg(test)]\nmod tests { c(\"no\"); }\nd(\"four\");";
    assert_eq!(literals(source), ["one two {x}", "th\"ree", "four"]);
}
