//! Debian's file `environment` beside a cluster's postgresql.conf: the variables that pg_ctlcluster starts the server with.

use super::auto_conf::{bytes, characters};

/// A line that pg_ctlcluster would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no variable; write NAME = 'value', or # before a comment")]
pub struct EnvironmentError {
    /// From 1.
    pub line: usize,
}

/// Reads the file's variables, by the rules of postgresql-common's `read_conf_file`: `NAME = value`, `=` optional; a value of other than
/// letters, digits and `._:/+-` in single quotes. Nothing is expanded.
///
/// # Errors
/// The first line that is no variable. It is not quoted: such files hold passwords.
pub fn parse(content: &[u8]) -> Result<Vec<(String, Vec<u8>)>, EnvironmentError> {
    let text = characters(content);
    let mut found = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = variable(line).ok_or(EnvironmentError { line: index + 1 })?;
        found.push((name.to_owned(), bytes(&value)));
    }
    Ok(found)
}

fn variable(line: &str) -> Option<(&str, String)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || matches!(name, "include" | "include_dir" | "include_if_exists") {
        return None;
    }
    let value = rest.trim_ascii_start();
    let value = value.strip_prefix('=').unwrap_or(value).trim_ascii_start();
    // A value that follows its name without anything between.
    if value.len() == rest.len() {
        return None;
    }
    let (value, after) = match value.strip_prefix('\'') {
        Some(body) => quoted(body)?,
        None => bare(value)?,
    };
    let after = after.trim_ascii_start();
    ((after.is_empty() || after.starts_with('#')) && !value.contains('\0')).then_some((name, value))
}

fn bare(text: &str) -> Option<(String, &str)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '+' | '-');
    let (value, after) = text.split_at(text.find(|c: char| !plain(c)).unwrap_or(text.len()));
    let first = value.strip_prefix('-').unwrap_or(value);
    first.starts_with(|c: char| c.is_ascii_alphanumeric()).then(|| (value.to_owned(), after))
}

/// The value up to its closing quote, and what follows.
fn quoted(body: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = body.char_indices().peekable();
    loop {
        match chars.next()? {
            (_, '\'') if chars.next_if(|(_, c)| *c == '\'').is_some() => value.push('\''),
            (at, '\'') => return Some((value, &body[at + 1..])),
            (_, '\\') => value.push(chars.next()?.1),
            (_, other) => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Option<(String, String)> {
        let mut all = parse(line.as_bytes()).ok()?;
        let (name, value) = all.pop()?;
        Some((name, String::from_utf8(value).expect("as given")))
    }

    #[test]
    fn variables_as_pg_ctlcluster_reads_them() {
        // What pg_createcluster writes, and what the administrator adds.
        let text = b"# environment variables for postgres processes\n#  VARIABLE = simple_value\n\nLANG = en_US.UTF-8\r\n\
            LD_LIBRARY_PATH = '/opt/a/lib:/opt/b/lib' # two\nTZ 'Europe/Berlin'\nX='caf\xe9'";
        let expected = [
            ("LANG", &b"en_US.UTF-8"[..]),
            ("LD_LIBRARY_PATH", b"/opt/a/lib:/opt/b/lib"),
            ("TZ", b"Europe/Berlin"),
            ("X", b"caf\xe9"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_vec()));
        assert_eq!(parse(text).expect("valid"), expected);
        assert_eq!(parse(b"").expect("empty"), []);
        for (line, value) in [
            ("A = 'it''s'", "it's"),
            (r"A = 'a\'b\\'", r"a'b\"),
            ("A = ''", ""),
            ("A = -5", "-5"),
            ("A=$HOME", ""),
            ("A = 'x # y'#z", "x # y"),
        ] {
            let expected = (line != "A=$HOME").then(|| ("A".to_owned(), value.to_owned()));
            assert_eq!(one(line), expected, "{line}");
        }
    }

    #[test]
    fn the_bad_line_is_named_and_not_quoted() {
        for line in [
            "A",
            "A =",
            "= x",
            "A = 'x",
            "A = 'x' y",
            "A = x y",
            "A = /bare",
            "A'x'",
            "\u{e9} = x",
            "A = 'x\0y'",
            "include 'other'",
            r"A = 'x\'",
        ] {
            let error = parse(format!("B = 1\n\n{line}\n").as_bytes()).expect_err(line);
            assert_eq!(error, EnvironmentError { line: 3 }, "{line}");
        }
        assert!(!parse(b"PGPASSWORD = 's3cret' x").expect_err("bad").to_string().contains("s3cret"));
    }
}
