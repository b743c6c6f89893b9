//! What a node tells the others before it resets itself, what they keep of it, and how it is asked to. A node that was seen to fence
//! itself need not be waited for.

use serde::{Deserialize, Serialize};

use super::cib::Cib;
use super::clock::{BootTime, Millis};
use super::corosync::Ring;

/// What a node does with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It boots again.
    #[default]
    Reboot,
    /// It stays off until somebody switches it on.
    Off,
}

impl How {
    /// As Pacemaker's fencing actions are called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::Off => "off",
        }
    }
}

/// What a node's `quorated` tells the others when it fences itself: no process of its instances is left, none will be started before a
/// reboot, and the reset comes next. It is never sent while that is not so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfFencingNotice {
    /// Pacemaker's name of the node.
    pub node: String,
    /// Its boot (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// Why it resets itself.
    pub reason: String,
    /// What it does.
    pub how: How,
    /// That has begun so long after this was sent, in ms, at the latest.
    pub within: Millis,
    /// Resources of the cluster that may run there and that `quorated` does not end; `None`: not known.
    pub foreign: Option<Vec<String>>,
}

/// A notice as another node keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfFenceRecord {
    pub notice: SelfFencingNotice,
    /// corosync's id of the node that sent it, as corosync gave it.
    pub node_id: u32,
    /// When it came, by the clock of the machine that keeps the record.
    pub received: BootTime,
    /// `None`: it is still a member, so that its reset is still to come.
    pub left: Option<Left>,
}

/// A node has left corosync's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// When corosync said so.
    pub at: BootTime,
    /// The present membership, as the `quorated` that keeps the record saw it: the node was in none since it left. Where corosync has
    /// formed another one meanwhile, nobody has followed whether the node was back.
    pub ring: Ring,
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// As it is.
    Stays,
    /// Written anew.
    Changes(SelfFenceRecord),
    /// Its node is there: what it announced is over.
    Dropped,
}

impl SelfFenceRecord {
    /// corosync has formed a membership of these nodes.
    ///
    /// A record of a member is dropped, whether or not it was seen to leave: its reset may have been quicker than corosync. That costs
    /// the time of the watchdog where the membership changed for another node, in the tenths of a second before this one left.
    #[must_use]
    pub fn formed(self, ring: Ring, nodes: &[u32], now: BootTime) -> Fate {
        if nodes.contains(&self.node_id) {
            return Fate::Dropped;
        }
        let at = self.left.map_or(now, |left| left.at);
        Fate::Changes(Self { left: Some(Left { at, ring }), ..self })
    }

    /// `quorated` spoke on that node, in the boot `boot`. In the moments before its reset it still does.
    #[must_use]
    pub fn heard(self, boot: &str) -> Fate {
        if self.left.is_some() || self.notice.boot != boot { Fate::Dropped } else { Fate::Stays }
    }
}

/// A member is to be fenced, by Pacemaker's decision: its `quorated` is asked to do that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfFenceRequest {
    /// corosync's id of the node.
    pub node_id: u32,
    /// Pacemaker's name of it.
    pub node: String,
    pub how: How,
}

/// The agents whose resources end with a node's `quorated`: PostgreSQL's processes are killed, an address serves nobody without
/// them, and a fence device runs nowhere.
const OURS: [&str; 2] = ["ocf:quorate:postgres", "ocf:heartbeat:IPaddr2"];

/// The resources that may run on a node beside ours, and that only its reset ends.
#[must_use]
pub fn foreign(cib: &Cib) -> Vec<String> {
    let is_foreign = |agent: &str| !OURS.contains(&agent) && !agent.starts_with("stonith:");
    let foreign = cib.primitives.iter().filter(|p| is_foreign(&p.agent));
    foreign.map(|p| format!("{} ({})", p.id, p.agent)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ring(seq: u64) -> Ring {
        Ring { seq, node_id: 1 }
    }

    fn record(left: Option<Left>) -> SelfFenceRecord {
        let notice = SelfFencingNotice {
            node: "srv1".into(),
            boot: "b".into(),
            reason: "corosync hangs".into(),
            how: How::Reboot,
            within: 400,
            foreign: Some(Vec::new()),
        };
        SelfFenceRecord { notice, node_id: 1, received: BootTime::at(5), left }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for record in [record(None), record(Some(Left { at: BootTime::at(6), ring: ring(8) }))] {
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<SelfFenceRecord>(&text).unwrap(), record);
        }
        assert!(serde_json::from_str::<SelfFenceRecord>("{}").is_err());
    }

    #[test]
    fn a_record_of_a_member_is_dropped_in_each_state() {
        let left = Left { at: BootTime::at(7), ring: ring(8) };
        for before in [record(None), record(Some(left))] {
            assert_eq!(before.clone().formed(ring(12), &[1, 2], BootTime::at(9)), Fate::Dropped);
            // It follows the memberships in which the node is not; that it left is when it first was not there.
            let at = before.left.map_or(BootTime::at(9), |left| left.at);
            let after = record(Some(Left { at, ring: ring(12) }));
            assert_eq!(before.formed(ring(12), &[2, 3], BootTime::at(9)), Fate::Changes(after));
        }
    }

    #[test]
    fn a_record_is_of_one_boot() {
        assert_eq!(record(None).heard("b"), Fate::Stays, "it speaks until its reset");
        assert_eq!(record(None).heard("c"), Fate::Dropped);
        assert_eq!(
            record(Some(Left { at: BootTime::at(7), ring: ring(8) })).heard("b"),
            Fate::Dropped,
            "it is there"
        );
    }

    #[test]
    fn foreign_is_what_quorated_does_not_end() {
        let primitive = |id: &str, agent: &str| {
            let [class, provider, kind] = match agent.split(':').collect::<Vec<_>>()[..] {
                [class, provider, kind] => [class, provider, kind],
                [class, kind] => [class, "", kind],
                _ => panic!("{agent}"),
            };
            let provider =
                if provider.is_empty() { String::new() } else { format!(" provider=\"{provider}\"") };
            format!("<primitive id=\"{id}\" class=\"{class}\"{provider} type=\"{kind}\"/>")
        };
        let of = |primitives: &[String]| {
            let xml = format!(
                "<cib><configuration><crm_config/><nodes/><resources>{}</resources><constraints/></configuration>\
                 <status/></cib>",
                primitives.concat()
            );
            foreign(&super::super::cib::parse(&xml).expect("a CIB"))
        };
        let ours = [
            primitive("pgsqld", "ocf:quorate:postgres"),
            primitive("ip", "ocf:heartbeat:IPaddr2"),
            primitive("quorate-fence", "stonith:fence_quorate"),
        ];
        assert_eq!(of(&ours), Vec::<String>::new());
        for agent in ["ocf:heartbeat:Filesystem", "systemd:nginx", "ocf:heartbeat:pgsqlms"] {
            assert_eq!(of(&[primitive("x", agent)]), [format!("x ({agent})")]);
        }
    }
}
