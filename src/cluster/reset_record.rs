//! What is left of a reset: written before it, read after the boot that follows.

use serde::{Deserialize, Serialize};

use super::calendar::utc;

/// The last reset that `quorated` decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetRecord {
    /// Seconds since 1970.
    pub at: u64,
    /// And milliseconds; absent in a record of before.
    #[serde(default)]
    pub ms: u32,
    /// The boot that ended with it: `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    pub reason: String,
}

impl ResetRecord {
    /// For an operator. `boot`: the present one.
    #[must_use]
    pub fn text(&self, boot: &str) -> String {
        let at = utc(self.at);
        if self.boot == boot {
            return format!("quorated decided at {at} to reset this node, and it lives: {}", self.reason);
        }
        format!("this node was reset by quorated at {at}: {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_that_did_not_happen_is_told_apart() {
        let record = ResetRecord { at: 0, ms: 0, boot: "a".into(), reason: "corosync hangs".into() };
        assert!(
            record.text("b").starts_with("this node was reset by quorated at 1970"),
            "{}",
            record.text("b")
        );
        assert!(record.text("a").contains("and it lives: corosync hangs"));
    }
}
