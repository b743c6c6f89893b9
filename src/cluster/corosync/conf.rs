//! corosync.conf as corosync reads it (corosync.conf(5), coroparse.c): sections in braces, `key: value`, comments.

/// A configuration, each value with its line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conf {
    /// What stands outside of `nodelist`; the last of several with one path counts.
    entries: Vec<Entry>,
    /// The members.
    pub nodes: Vec<Node>,
    /// Whether `quorum { device { … } }` is there, and where.
    pub device: Option<usize>,
    /// Where the section `quorum` begins.
    pub quorum: Option<usize>,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Sections and key, with dots between.
    pub path: String,
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    pub name: Option<String>,
    pub id: Option<String>,
    pub addresses: Vec<String>,
    /// quorum_votes, and its line.
    pub votes: Option<(String, usize)>,
    /// Where its section begins.
    pub line: usize,
}

/// Why corosync would refuse the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {cure}")]
pub struct ConfError {
    pub line: usize,
    pub what: String,
    pub cure: &'static str,
}

/// corosync knows three levels. Without a limit the path of each line would cost the square of the file.
const DEEPEST: usize = 16;

/// Reads a corosync.conf.
///
/// # Errors
/// The first line that corosync would refuse.
pub fn parse(text: &str) -> Result<Conf, ConfError> {
    let mut conf = Conf::default();
    let mut open: Vec<(String, usize)> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let (line, content) = (index + 1, raw.trim());
        let fail = |what: String, cure| ConfError { line, what, cure };
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some((name, after)) = content.split_once('{') {
            if !after.trim().is_empty() {
                return Err(fail(
                    format!("{:?} follows an opening brace", after.trim()),
                    "begin a new line after each {",
                ));
            }
            open.push((name.trim().to_owned(), line));
            if open.len() > DEEPEST {
                return Err(fail(
                    format!("sections lie more than {DEEPEST} deep in each other"),
                    "close each section before the next one of its kind",
                ));
            }
            conf.open(&path_of(&open, ""), line);
        } else if content.starts_with('}') {
            if open.pop().is_none() {
                return Err(fail(
                    "a brace closes nothing".to_owned(),
                    "remove it, or add what it should close",
                ));
            }
        } else if let Some((key, value)) = content.split_once(':') {
            if open.is_empty() {
                return Err(fail(
                    format!("{:?} stands outside of every section", key.trim()),
                    "put it into its section",
                ));
            }
            conf.put(&path_of(&open, key.trim()), value.trim(), line);
        } else {
            return Err(fail(
                format!("{content:?} is neither a section nor key: value"),
                "write a colon between key and value, and an opening brace on the line of its section",
            ));
        }
    }
    match open.pop() {
        Some((name, line)) => Err(ConfError {
            line,
            what: format!("the section {name} is not closed"),
            cure: "add the closing brace",
        }),
        None => Ok(conf),
    }
}

fn path_of(open: &[(String, usize)], key: &str) -> String {
    let sections = open.iter().map(|(name, _)| name.as_str());
    let words: Vec<&str> = sections.chain((!key.is_empty()).then_some(key)).collect();
    words.join(".")
}

impl Conf {
    fn open(&mut self, path: &str, line: usize) {
        match path {
            "nodelist.node" => self.nodes.push(Node { line, ..Node::default() }),
            "quorum" => self.quorum = Some(line),
            "quorum.device" => self.device = Some(line),
            _ => {}
        }
    }

    fn put(&mut self, path: &str, value: &str, line: usize) {
        if let (Some(key), Some(node)) = (path.strip_prefix("nodelist.node."), self.nodes.last_mut()) {
            match key {
                "name" => node.name = Some(value.to_owned()),
                "nodeid" => node.id = Some(value.to_owned()),
                "quorum_votes" => node.votes = Some((value.to_owned(), line)),
                _ if key.ends_with("_addr") => node.addresses.push(value.to_owned()),
                _ => {}
            }
        }
        self.entries.push(Entry { path: path.to_owned(), value: value.to_owned(), line });
    }

    /// The value of a path such as `quorum.device.net.host`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|e| e.path == path)
    }

    /// The values whose paths begin so, each with the rest of its path; of several with one path the last.
    #[must_use]
    pub fn under(&self, start: &str) -> Vec<(&str, &Entry)> {
        let all = self.entries.iter().filter(|e| self.get(&e.path) == Some(e));
        all.filter_map(|e| Some((e.path.strip_prefix(start)?, e))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "# x\ntotem {\n    version: 2\n    token: 3000\n}\n\nnodelist {\n    node {\n        ring0_addr: 10.0.0.1\n        name: srv1\n        nodeid: 1\n    }\n    node {\n        ring0_addr: fe80::1\n        name: srv2\n    }\n}\nquorum {\n    device {\n        model: net\n        net {\n            host: witness\n        }\n    }\n}\n";

    #[test]
    fn values_and_their_lines() {
        let conf = parse(SOUND).expect("sound");
        assert_eq!(conf.get("totem.token").map(|e| (e.value.as_str(), e.line)), Some(("3000", 4)));
        assert_eq!(conf.get("quorum.device.net.host").map(|e| e.value.as_str()), Some("witness"));
        assert_eq!(conf.get("quorum.device.votes"), None);
        assert_eq!((conf.nodes.len(), conf.device, conf.quorum), (2, Some(19), Some(18)));
        assert_eq!(conf.nodes[1].addresses, ["fe80::1"]);
        assert_eq!((conf.nodes[1].name.as_deref(), conf.nodes[1].line), (Some("srv2"), 13));
    }

    #[test]
    fn what_corosync_refuses_has_its_line() {
        for (text, line, word) in [
            ("totem {\n token 3000\n}\n", 2, "neither a section"),
            ("totem {\n token: 3000\n", 1, "not closed"),
            ("totem {\n}\n}\n", 3, "closes nothing"),
            ("totem { token: 3000\n}\n", 1, "follows an opening brace"),
            ("token: 3000\n", 1, "outside of every section"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.line, line, "{text}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn sections_lie_in_each_other_only_so_deep() {
        let error = parse(&"totem {\n".repeat(17)).unwrap_err();
        assert!(error.what.contains("deep") && error.line == 17, "{error:?}");
    }
}
