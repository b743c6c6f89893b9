//! The key with which the messages of the group are sealed: derived from corosync's own, which is root's alone.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::cluster::corosync::conf::Conf;

/// Where corosync's key is where its configuration names none.
pub const DEFAULT_FILE: &str = "/etc/corosync/authkey";
/// What the derived key is for: corosync's own is never used directly, and another purpose has another label.
const LABEL: &[u8] = b"quorate: messages between quorated, version 2";
/// corosync takes no shorter key (totem.h, TOTEM_PRIVATE_KEY_LEN_MIN).
const SHORTEST: usize = 128;

/// The derived key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// Derives it from corosync's.
    ///
    /// # Errors
    /// It is shorter than corosync takes.
    pub fn derive(corosync: &[u8]) -> Result<Key, String> {
        if corosync.len() < SHORTEST {
            return Err(format!("corosync's key has {} bytes, and needs {SHORTEST}", corosync.len()));
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(corosync).map_err(|e| e.to_string())?;
        mac.update(LABEL);
        Ok(Key(mac.finalize().into_bytes().into()))
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Where corosync has its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: whoever reaches the network of the cluster is a member.
    Off {
        why: String,
    },
    File(String),
    /// In its configuration.
    Written(String),
}

/// Whether corosync authenticates what it receives, and with which key (corosync.conf(5), section totem).
#[must_use]
pub fn source(conf: &Conf) -> Source {
    let get = |key: &str| conf.get(&format!("totem.{key}")).map(|e| e.value.as_str());
    let transport = get("transport").unwrap_or("knet");
    if transport != "knet" {
        return Source::Off { why: format!("totem.transport {transport} authenticates nothing; set knet") };
    }
    let secauth = matches!(get("secauth"), Some("on" | "yes"));
    let hash = get("crypto_hash").unwrap_or(if secauth { "sha256" } else { "none" });
    if hash == "none" {
        return Source::Off {
            why: "totem.crypto_hash is none; set crypto_cipher: aes256 and crypto_hash: sha256".to_owned(),
        };
    }
    match (get("keyfile"), get("key")) {
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
            assert!(matches!(of(off), Source::Off { .. }), "{off}");
        }
    }

    #[test]
    fn the_derived_key_is_another_for_another_key() {
        let [a, b] = [[1u8; 256], [2u8; 256]].map(|k| Key::derive(&k).unwrap());
        assert_ne!(a, b);
        assert_ne!(a.bytes(), &[1u8; 32]);
        assert_eq!(format!("{a:?}"), "Key", "never in a log");
        assert!(Key::derive(&[1; 127]).unwrap_err().contains("127"));
    }
}
