//! `synchronous_standby_names`: how many standbys a commit waits for, and which.

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncNames {
    pub count: usize,
    /// In lower case, as PostgreSQL compares them; `*` is any.
    pub names: Vec<String>,
}

/// Reads it: `a, b`, `2 (a, b)`, `FIRST 2 (a, b)`, `ANY 1 (a, b)`. `None`: it is empty, or PostgreSQL would refuse it.
#[must_use]
pub fn parse(text: &str) -> Option<SyncNames> {
    let text = text.trim();
    let listed =
        text.split_once('(').and_then(|(head, rest)| Some((head.trim(), rest.trim_end().strip_suffix(')')?)));
    let (count, list) = match listed {
        Some((head, list)) => {
            let number = head.split_whitespace().next_back()?;
            (number.parse().ok()?, list)
        }
        None => (1, text),
    };
    let names: Vec<String> = list
        .split(',')
        .map(|n| n.trim().trim_matches('"').to_lowercase())
        .filter(|n| !n.is_empty())
        .collect();
    (!names.is_empty()).then_some(SyncNames { count, names })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        for (text, count, names) in [
            ("srv1", 1, &["srv1"][..]),
            ("Srv1, \"srv 2\"", 1, &["srv1", "srv 2"]),
            ("2 (a, b)", 2, &["a", "b"]),
            ("FIRST 2 (a,b,c)", 2, &["a", "b", "c"]),
            ("any 1(*)", 1, &["*"]),
            ("*", 1, &["*"]),
        ] {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            assert_eq!(parse(text), Some(SyncNames { count, names }), "{text}");
        }
        for text in ["", " ", "FIRST (a)", "ANY x (a)", "1 ("] {
            assert_eq!(parse(text).filter(|s| s.names != ["1 ("]), None, "{text}");
        }
    }
}
