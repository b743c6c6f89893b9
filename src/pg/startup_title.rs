//! The title of the startup process, `postgres: CLUSTER: startup recovering SEGMENT` (ps_status.c, xlogrecovery.c).

/// Whether it is the startup process's.
#[must_use]
pub fn is_startup(title: &str) -> bool {
    title.starts_with("postgres: ") && words(title).next() == Some("startup")
}

/// The segment that it replays or waits for, without its timeline: where WAL may be of several, it looks for each in turn. `None`: it does
/// something else.
#[must_use]
pub fn segment(title: &str) -> Option<String> {
    let mut words = words(title).skip(1);
    let name = match words.next()? {
        "recovering" => words.next()?,
        "waiting" => words.nth(1)?,
        _ => return None,
    };
    let is_segment = name.len() == 24 && name.bytes().all(|b| b.is_ascii_hexdigit());
    is_segment.then(|| name[8..].to_owned())
}

/// What follows the prefix: the cluster's name may hold anything but ends with a colon.
fn words(title: &str) -> impl Iterator<Item = &str> {
    title.rsplit(": ").next().unwrap_or_default().split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_postgresql_writes_it() {
        for (title, startup, expected) in [
            (
                "postgres: 15/main: startup recovering 000000010000000000000003",
                true,
                Some("0000000000000003"),
            ),
            ("postgres: startup recovering 000000010000000000000003", true, Some("0000000000000003")),
            ("postgres: startup waiting for 000000020000000000000003", true, Some("0000000000000003")),
            ("postgres: startup waiting for 00000002.history", true, None),
            ("postgres: srv1: startup ", true, None),
            ("postgres: startup: walwriter ", false, None),
            ("postgres: srv1: bob startup [local] idle", false, None),
            ("/usr/lib/postgresql/15/bin/postgres -D /x", false, None),
            ("", false, None),
        ] {
            assert_eq!(is_startup(title), startup, "{title}");
            assert_eq!(segment(title).as_deref(), expected, "{title}");
        }
    }
}
