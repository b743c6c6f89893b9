//! Finds Debian's own package sources among the host's, and turns them into those of another suite. Text in, text out.

/// One package source in apt's one-line style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `signed-by=…`, `trusted=yes` and the like, as they were.
    pub options: Vec<String>,
    pub uri: String,
    pub suite: String,
}

impl Source {
    /// The line for sources.list. Only "main" is needed.
    pub fn line(&self) -> String {
        let options =
            if self.options.is_empty() { String::new() } else { format!("[{}] ", self.options.join(" ")) };
        format!("deb {options}{} {} main", self.uri, self.suite)
    }
}

/// Options that say whether and how a source is trusted. Others (architectures, targets) are the host's affair.
const KEPT_OPTIONS: [&str; 4] = ["signed-by", "trusted", "check-valid-until", "allow-insecure"];
/// The name that Debian's own keyrings have in their file names.
const DEBIAN_KEYRING: &str = "debian-archive";
/// What may follow a suite's name in Debian's own archive.
const POCKETS: [&str; 3] = ["", "-updates", "-security"];

/// The sources of a file in the one-line style (`*.list`).
pub fn parse_list(text: &str) -> Vec<(Source, Vec<String>)> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(Source, Vec<String>)> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => {
            let (options, rest) = inner.split_once(']')?;
            (options.split_whitespace().map(str::to_owned).collect(), rest)
        }
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let source = Source { options: kept(options), uri: words.next()?, suite: words.next()? };
    Some((source, words.collect()))
}

fn kept(options: Vec<String>) -> Vec<String> {
    options
        .into_iter()
        .map(|o| {
            o.to_ascii_lowercase().split_once('=').map_or(o.clone(), |(k, _)| format!("{k}{}", &o[k.len()..]))
        })
        .filter(|o| KEPT_OPTIONS.iter().any(|k| o.strip_prefix(k).is_some_and(|r| r.starts_with('='))))
        .collect()
}

/// The sources of a file in the deb822 style (`*.sources`).
pub fn parse_deb822(text: &str) -> Vec<(Source, Vec<String>)> {
    text.split("\n\n").flat_map(parse_stanza).collect()
}

fn parse_stanza(stanza: &str) -> Vec<(Source, Vec<String>)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in stanza.lines().filter(|l| !l.starts_with('#')) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let field = |key: &str| fields.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.as_str());
    let disabled = matches!(field("enabled").to_ascii_lowercase().as_str(), "no" | "false" | "0" | "off");
    if disabled || !field("types").split_whitespace().any(|t| t == "deb") {
        return Vec::new();
    }
    let options: Vec<String> = KEPT_OPTIONS
        .iter()
        .filter(|k| !field(k).is_empty())
        .map(|k| format!("{k}={}", field(k).split_whitespace().collect::<Vec<_>>().join(",")))
        .collect();
    let components: Vec<String> = field("components").split_whitespace().map(str::to_owned).collect();
    let mut sources = Vec::new();
    for uri in field("uris").split_whitespace() {
        for suite in field("suites").split_whitespace() {
            let source = Source {
                options: options.clone(),
                uri: uri.to_owned(),
                suite: suite.trim_end_matches('/').to_owned(),
            };
            sources.push((source, components.clone()));
        }
    }
    sources
}

/// Debian's own sources of the release `host`, turned into those of the release `wanted`. A third party's source is
/// left out: it has another suite, no "main", or a key of its own.
pub fn retarget(sources: &[(Source, Vec<String>)], host: &str, wanted: &str) -> Vec<Source> {
    let mut found: Vec<Source> = Vec::new();
    for (source, components) in sources {
        let Some(pocket) = source.suite.strip_prefix(host).or_else(|| source.suite.strip_prefix("stable"))
        else {
            continue;
        };
        let own_key =
            source.options.iter().all(|o| !o.starts_with("signed-by=") || o.contains(DEBIAN_KEYRING));
        if !POCKETS.contains(&pocket) || !own_key || !components.iter().any(|c| c == "main") {
            continue;
        }
        let turned = Source { suite: format!("{wanted}{pocket}"), ..source.clone() };
        if !found.contains(&turned) {
            found.push(turned);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "Types: deb\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\nTypes: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\nTypes: deb\nURIs: https://other.example/node\nSuites: nodistro\nComponents: main\nSigned-By: /usr/share/keyrings/other.gpg\n\nTypes: deb\nURIs: https://third.example/php\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n";

    fn lines(sources: &[Source]) -> Vec<String> {
        sources.iter().map(Source::line).collect()
    }

    #[test]
    fn deb822_of_another_suite() {
        let key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
        assert_eq!(
            lines(&retarget(&parse_deb822(DEB822), "bookworm", "trixie")),
            [
                format!("deb {key} http://mirror.example/debian trixie main"),
                format!("deb {key} http://mirror.example/debian trixie-updates main"),
                format!("deb {key} http://mirror.example/debian-security trixie-security main"),
            ]
        );
    }

    #[test]
    fn one_line_style() {
        let text = "# deb http://no.example bookworm main\ndeb-src http://a.example/debian bookworm main\n\
                    deb [arch=amd64 trusted=yes] https://a.example/debian bookworm main contrib # why\n\
                    deb http://b.example/pg bookworm-pgdg main\n\
                    deb [signed-by=/etc/keys/docker.asc] https://c.example bookworm main\n\
                    deb https://d.example bookworm stable\n";
        assert_eq!(
            lines(&retarget(&parse_list(text), "bookworm", "bookworm")),
            ["deb [trusted=yes] https://a.example/debian bookworm main"]
        );
    }

    #[test]
    fn a_disabled_stanza_and_garbage() {
        assert!(
            parse_deb822("Enabled: no\nTypes: deb\nURIs: http://x\nSuites: bookworm\nComponents: main")
                .is_empty()
        );
        for text in ["", "deb", "deb [", "deb [x", "deb http://x", ":::\n\n:\n x"] {
            assert!(parse_list(text).is_empty(), "{text}");
            assert!(retarget(&parse_deb822(text), "bookworm", "bookworm").is_empty(), "{text}");
        }
    }
}
