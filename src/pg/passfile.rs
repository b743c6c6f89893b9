//! libpq's password file: `host:port:database:user:password`, one line each.

/// Who asks for a password.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Host name, or the socket directory. libpq looks for the default socket directory under `localhost`; we do so for every
    /// socket directory, after trying its own path.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// Database; `replication` for a replication connection.
    pub database: &'a str,
    /// Role.
    pub user: &'a str,
}

/// The password of the first line that matches, as libpq's `passwordFromFile`: a field may be `*`; `\:` and `\\` stand for the
/// characters; lines with `#` first are comments.
pub fn lookup(text: &str, wanted: Wanted<'_>) -> Option<String> {
    let by_host = |host: &str| text.lines().find_map(|line| password(line, Wanted { host, ..wanted }));
    by_host(wanted.host)
        .or_else(|| wanted.host.starts_with(['/', '@']).then(|| by_host("localhost")).flatten())
}

fn password(line: &str, wanted: Wanted<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let line = line.strip_suffix('\r').unwrap_or(line);
    let port = wanted.port.to_string();
    let mut rest = line;
    for expected in [wanted.host, &port, wanted.database, wanted.user] {
        let (field, after) = field(rest)?;
        if field.raw != "*" && field.value != expected {
            return None;
        }
        rest = after;
    }
    let password = unescape(rest);
    (!password.is_empty()).then_some(password)
}

struct Field<'a> {
    raw: &'a str,
    value: String,
}

/// Splits at the first colon without a backslash before it.
fn field(text: &str) -> Option<(Field<'_>, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            ':' if !escaped => {
                return Some((Field { raw: &text[..at], value: unescape(&text[..at]) }, &text[at + 1..]));
            }
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: Wanted<'_> = Wanted { host: "/run/pg", port: 5432, database: "postgres", user: "monitor" };

    #[test]
    fn first_match_wins() {
        let text = "# comment\nother:5432:*:monitor:no\n*:5433:*:*:no\n*:*:*:monitor:first\n*:*:*:*:second\n";
        assert_eq!(lookup(text, SOCKET).as_deref(), Some("first"));
        assert_eq!(lookup(text, Wanted { user: "other", ..SOCKET }).as_deref(), Some("second"));
    }

    #[test]
    fn a_socket_is_localhost_too() {
        assert_eq!(lookup("localhost:5432:postgres:monitor:pw", SOCKET).as_deref(), Some("pw"));
        assert_eq!(lookup("localhost:5432:postgres:monitor:pw", Wanted { host: "db1", ..SOCKET }), None);
        assert_eq!(lookup("localhost:*:*:*:b\n/run/pg:*:*:*:a", SOCKET).as_deref(), Some("a"));
    }

    #[test]
    fn escapes() {
        assert_eq!(
            lookup(
                r"\:\:1:5432:a\\b:u:p\:q\\r",
                Wanted { host: "::1", port: 5432, database: r"a\b", user: "u" }
            )
            .as_deref(),
            Some(r"p:q\r")
        );
        // An escaped star is a star, not the wildcard.
        assert_eq!(lookup(r"\*:*:*:*:pw", SOCKET), None);
        // Colons in the password need no escape.
        assert_eq!(lookup("*:*:*:*:a:b", SOCKET).as_deref(), Some("a:b"));
    }

    #[test]
    fn unusable_lines_are_skipped() {
        assert_eq!(lookup("", SOCKET), None);
        assert_eq!(lookup("*:*:*\n*:*:*:*:\n", SOCKET), None);
        assert_eq!(lookup("*:*:*:*:pw\r\n", SOCKET).as_deref(), Some("pw"));
    }
}
