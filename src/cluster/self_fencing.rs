//! What a node tells the others before it resets itself, what they keep of it, and how it is told to. A node that was seen to end
//! need not be waited for.

use serde::{Deserialize, Serialize};

/// Milliseconds since the machine's boot (`CLOCK_BOOTTIME`), of the machine that keeps the record.
pub type Millis = u64;

/// The last word of a node's `quorated`: no process of its instances is left, none will be started before a reboot, and the reset
/// comes next. It is never sent while that is not so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfFencingNotice {
    /// Pacemaker's name of the node.
    pub node: String,
    /// Its boot (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// Why it resets itself.
    pub reason: String,
}

/// A notice as another node keeps it. It is removed as soon as `quorated` runs on that node again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfFenceRecord {
    pub notice: SelfFencingNotice,
    /// corosync's id of the node that sent it, as corosync gave it.
    pub node_id: u32,
    /// When it came.
    pub received: Millis,
    /// When corosync said that the node is gone. `None`: it is still a member, so that its reset is still to come.
    pub left: Option<Millis>,
}

/// A member is to be fenced, by Pacemaker's decision: its `quorated` ends it. A node that is told so by itself, or that is meant by
/// none of the ids of its own, does nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfFenceRequest {
    /// corosync's id of the node that ends.
    pub node_id: u32,
    /// Pacemaker's name of it, for the log.
    pub node: String,
    /// Who fences it, for the log.
    pub by: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = SelfFenceRecord {
            notice: SelfFencingNotice {
                node: "srv1".into(),
                boot: "b".into(),
                reason: "corosync hangs".into(),
            },
            node_id: 1,
            received: 5,
            left: None,
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<SelfFenceRecord>(&text).unwrap(), record);
        assert!(serde_json::from_str::<SelfFenceRecord>("{}").is_err());
    }
}
