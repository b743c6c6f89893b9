//! The key with which the messages of the group are sealed: derived from corosync's own, which is root's alone.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

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

/// corosync's key is shorter than corosync itself takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("corosync's key has {0} bytes, and needs {SHORTEST}")]
pub struct KeyError(usize);

impl Key {
    /// Derives it from corosync's.
    ///
    /// # Errors
    /// It is shorter than corosync takes.
    pub fn derive(corosync: &[u8]) -> Result<Key, KeyError> {
        if corosync.len() < SHORTEST {
            return Err(KeyError(corosync.len()));
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(corosync).expect("HMAC takes a key of any length");
        mac.update(LABEL);
        Ok(Key(mac.finalize().into_bytes().into()))
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derived_key_is_another_for_another_key() {
        let [a, b] = [[1u8; 256], [2u8; 256]].map(|k| Key::derive(&k).unwrap());
        assert_ne!(a, b);
        assert_ne!(a.bytes(), &[1u8; 32]);
        assert_eq!(format!("{a:?}"), "Key", "never in a log");
        assert!(Key::derive(&[1; 127]).unwrap_err().to_string().contains("127"));
    }
}
