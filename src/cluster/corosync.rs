//! What corosync's configuration and tools say, as values.

pub mod conf;
pub mod tools;

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
