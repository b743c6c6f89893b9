//! What corosync's configuration and tools say, as values.

use serde::{Deserialize, Serialize};

pub mod conf;
pub mod key;
pub mod tools;

/// A membership, as its ring's id: a new one after each change, the same on all members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ring {
    pub seq: u64,
    /// The lowest of its members.
    pub node_id: u32,
}

impl Ring {
    /// As corosync-quorumtool prints it: both in hexadecimal digits, `1.2c`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Ring> {
        let (node_id, seq) = text.trim().split_once('.')?;
        Some(Ring {
            seq: u64::from_str_radix(seq, 16).ok()?,
            node_id: u32::from_str_radix(node_id, 16).ok()?,
        })
    }
}

/// The cluster_name of Debian's sample configuration.
pub const SAMPLE: &str = "debian";

/// The cluster_name in a corosync.conf (corosync.conf(5), section totem).
#[must_use]
pub fn cluster_name(conf: &str) -> Option<&str> {
    conf.lines().find_map(|l| l.trim().strip_prefix("cluster_name:")).map(str::trim).filter(|n| !n.is_empty())
}

/// Whether the quorum device's client is connected, by what `corosync-qdevice-tool -s` prints.
#[must_use]
pub fn quorum_device_is_connected(status: &str) -> bool {
    status.lines().filter_map(|l| l.trim().strip_prefix("State:")).any(|state| state.trim() == "Connected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_two_numbers_in_hexadecimal_digits() {
        assert_eq!(Ring::parse(" 1.2c "), Some(Ring { seq: 44, node_id: 1 }));
        assert_eq!(Ring::parse("a.10"), Some(Ring { seq: 16, node_id: 10 }));
        for none in ["", "44", "1.", ".2", "1.2.3", "x.1"] {
            assert_eq!(Ring::parse(none), None, "{none}");
        }
    }

    #[test]
    fn names() {
        let conf = "totem {\n    version: 2\n    cluster_name: classic\n}\nnodelist {\n    node {\n        name: srv1\n    }\n}\n";
        assert_eq!(cluster_name(conf), Some("classic"));
        for nothing in ["", "totem {\n}\n", "# cluster_name: x\n", "cluster_name:\n"] {
            assert_eq!(cluster_name(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn only_connected_is_connected() {
        let said = "Qdevice information\n-------------------\nModel:\t\t\tNet\nNode ID:\t\t1\n\nQdevice-net information\n----------------------\nCluster name:\t\tclassic\nState:\t\t\tConnected\n";
        assert!(quorum_device_is_connected(said));
        for other in ["", "State:\t\t\tConnect failed\n", "State: Disconnected\n", "Connected\n"] {
            assert!(!quorum_device_is_connected(other), "{other}");
        }
    }
}
