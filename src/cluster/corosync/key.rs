//! Whether corosync authenticates what it receives, and with which key (corosync.conf(5), section totem).

use super::conf::Conf;

/// Where corosync's key is where its configuration names none.
pub const DEFAULT_FILE: &str = "/etc/corosync/authkey";

/// Where corosync has its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: whoever reaches the network of the cluster is a member.
    Off(Off),
    File(String),
    /// In its configuration.
    Written(String),
}

/// Why nothing is authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Off {
    pub what: String,
    pub cure: &'static str,
    /// Of the setting, counted from 1; `None`: it is corosync's default.
    pub line: Option<usize>,
}

/// Where the key is.
#[must_use]
pub fn source(conf: &Conf) -> Source {
    let get = |key: &str| conf.get(&format!("totem.{key}"));
    let value = |key: &str| get(key).map(|e| e.value.as_str());
    if let Some(transport) = get("transport").filter(|t| t.value != "knet") {
        return Source::Off(Off {
            what: format!("totem.transport is {}, which authenticates nothing", transport.value),
            cure: "set transport: knet with crypto_cipher: aes256 and crypto_hash: sha256; pcs cluster setup does",
            line: Some(transport.line),
        });
    }
    let secauth = matches!(value("secauth"), Some("on" | "yes"));
    if value("crypto_hash").unwrap_or(if secauth { "sha256" } else { "none" }) == "none" {
        let line = get("crypto_hash").or(get("secauth")).map(|e| e.line);
        let what = if line.is_some() { "totem.crypto_hash is none" } else { "totem.crypto_hash is not set" };
        return Source::Off(Off {
            what: what.to_owned(),
            cure: "pcs cluster config update crypto cipher=aes256 hash=sha256; pcs cluster authkey corosync",
            line,
        });
    }
    match (value("keyfile"), value("key")) {
        (Some(file), _) => Source::File(file.to_owned()),
        (None, Some(key)) => Source::Written(key.to_owned()),
        (None, None) => Source::File(DEFAULT_FILE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::corosync::conf;

    #[test]
    fn where_the_key_is() {
        let of = |lines: &str| source(&conf::parse(&format!("totem {{\n{lines}\n}}\n")).unwrap());
        let file = |name: &str| Source::File(name.to_owned());
        for (lines, wanted) in [
            ("crypto_cipher: aes256\ncrypto_hash: sha256", file(DEFAULT_FILE)),
            ("secauth: on", file(DEFAULT_FILE)),
            ("secauth: on\nkeyfile: /k", file("/k")),
            ("secauth: on\nkeyfile: /k\nkey: abc", file("/k")),
            ("secauth: on\nkey: abc", Source::Written("abc".into())),
        ] {
            assert_eq!(of(lines), wanted, "{lines}");
        }
        for off in [
            "version: 2",
            "secauth: off",
            "crypto_cipher: none\ncrypto_hash: none\nkeyfile: /k",
            "secauth: on\ncrypto_hash: none",
            "secauth: on\ntransport: udpu",
        ] {
            assert!(matches!(of(off), Source::Off(_)), "{off}");
        }
    }
}
