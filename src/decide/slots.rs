//! Physical replication slots for the other members of the cluster, on every instance: a member that was away finds its WAL on the
//! primary, whoever that is by then.
//!
//! A slot that nobody uses keeps WAL, and with hot_standby_feedback also dead rows, for ever. So none is made without
//! max_slot_wal_keep_size; those of a standby are advanced as far as their member has come, and one that was a primary's is made anew.

use serde::{Deserialize, Serialize};

use super::clock::Millis;
use super::reported::NodeReported;
use crate::pg::lsn::Lsn;
use crate::pg::role::PgRole;

/// Of all slots that are ours.
const PREFIX: &str = "quorate_";
/// NAMEDATALEN - 1 (PostgreSQL, pg_config_manual.h).
const LONGEST: usize = 63;
/// Looked after so often: each time Pacemaker is asked for its nodes, and the server for its slots.
const AGAIN: Millis = 30_000;

/// The private node attribute in which each instance says for whom it has slots.
#[must_use]
pub fn attribute(resource: &str) -> String {
    format!("quorate-slots-{resource}")
}

/// The slot of a node; `None`: its name is too long for one. PostgreSQL takes lower case letters, digits and underscores (slot.c).
#[must_use]
pub fn name(node: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = PREFIX.chars().chain(node.chars().map(plain)).collect();
    (name.len() <= LONGEST && name.len() > PREFIX.len()).then_some(name)
}

/// Another node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub node: String,
    /// An instance runs there, or is about to.
    pub has_instance: bool,
}

/// A physical slot of this server (`pg_replication_slots`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub name: String,
    pub is_active: bool,
    /// Where its WAL begins.
    pub restart: Option<Lsn>,
    /// wal_status is `lost`: it never becomes good again.
    pub is_lost: bool,
    /// It keeps dead rows for a standby's queries (hot_standby_feedback).
    pub has_xmin: bool,
}

/// The physical slots of a server, and whether there is a limit to what they keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    pub slots: Vec<Slot>,
    /// max_slot_wal_keep_size is not -1.
    pub is_limited: bool,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub node: &'a str,
    pub role: PgRole,
    pub members: &'a [Member],
    pub held: &'a Held,
    /// How far this standby has replayed.
    pub replayed: Option<Lsn>,
    pub reported: &'a [NodeReported],
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Drop { name: String, why: &'static str },
    Create { name: String, node: String },
    Advance { name: String, to: Lsn },
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
    /// Why a slot is not made.
    pub complaint: Option<String>,
}

/// Plans what makes the slots those that should be there.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Plan {
    let mut found = Plan::default();
    let owner = |slot: &Slot| facts.members.iter().find(|m| name(&m.node).as_ref() == Some(&slot.name));
    let ours = || facts.held.slots.iter().filter(|slot| slot.name.starts_with(PREFIX));
    let mut stays: Vec<&str> = Vec::new();
    for slot in ours() {
        let why = match (slot.is_active, owner(slot), facts.role) {
            (true, ..) => None,
            // pg_rewind brings those of the primary.
            (false, Some(owner), _) if owner.node == facts.node => Some("it is of this node itself"),
            (false, None, _) => Some("no other node of the cluster has that name"),
            (false, Some(_), _) if !facts.held.is_limited => Some("max_slot_wal_keep_size is -1"),
            (false, Some(_), _) if slot.is_lost => Some("its WAL is gone"),
            (false, Some(_), PgRole::Standby) if slot.has_xmin => {
                Some("it keeps dead rows for a standby of a former primary")
            }
            (false, Some(_), PgRole::Standby | PgRole::Primary) => None,
        };
        match why {
            Some(why) => found.changes.push(Change::Drop { name: slot.name.clone(), why }),
            None => stays.push(&slot.name),
        }
    }
    for member in facts.members.iter().filter(|m| m.has_instance && m.node != facts.node) {
        let same = |other: &&Member| other.node != member.node && name(&other.node) == name(&member.node);
        match (name(&member.node), facts.members.iter().find(same)) {
            (None, _) => {
                found.complaint =
                    Some(format!("the name of {} is too long for a replication slot", member.node));
            }
            (Some(name), Some(other)) => {
                found.complaint = Some(format!(
                    "{} and {} would share the slot {name}: none is made",
                    member.node, other.node
                ));
            }
            (Some(_), None) if !facts.held.is_limited => {
                found.complaint = Some(
                    "no replication slot is made: set max_slot_wal_keep_size, or a member that is away fills the disk"
                        .to_owned(),
                );
            }
            (Some(name), None) if !stays.contains(&name.as_str()) => {
                found.changes.push(Change::Create { name, node: member.node.clone() });
            }
            (Some(_), None) => {}
        }
    }
    if facts.role == PgRole::Standby {
        found.changes.extend(ours().filter(|s| stays.contains(&s.name.as_str())).filter_map(|slot| {
            let member = owner(slot)?;
            let reported = facts.reported.iter().find(|r| r.node == member.node)?.reported.position.lsn;
            let to = reported.min(facts.replayed?);
            (!slot.is_active && slot.restart < Some(to))
                .then(|| Change::Advance { name: slot.name.clone(), to })
        }));
    }
    found
}

/// For whom this server has slots after the changes that were made: the attribute's value.
#[must_use]
pub fn value(slots: &[Slot], members: &[Member]) -> String {
    let has = |m: &&Member| {
        name(&m.node).is_some_and(|name| slots.iter().any(|slot| slot.name == name && !slot.is_lost))
    };
    members.iter().filter(has).map(|m| m.node.as_str()).collect::<Vec<_>>().join(",")
}

/// The slot that `node` uses on a primary that says this of its slots.
#[must_use]
pub fn used(value: Option<&str>, node: &str) -> Option<String> {
    value.is_some_and(|value| value.split(',').any(|one| one == node)).then(|| name(node)).flatten()
}

/// What was published last, and when the slots were looked after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tended {
    pub at: Option<Millis>,
    pub published: Option<String>,
}

/// Whether it is time.
#[must_use]
pub fn is_due(tended: &Tended, now: Millis) -> bool {
    tended.at.is_none_or(|at| now.saturating_sub(at) >= AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str) -> Slot {
        Slot {
            name: name.into(),
            is_active: false,
            restart: Some(Lsn(0x100)),
            is_lost: false,
            has_xmin: false,
        }
    }

    fn members(has_instance: &[(&str, bool)]) -> Vec<Member> {
        has_instance.iter().map(|(node, has)| Member { node: (*node).into(), has_instance: *has }).collect()
    }

    fn of(role: PgRole, members: &[Member], slots: &[Slot], reported: &[NodeReported]) -> Plan {
        let replayed = Some(Lsn(0x500));
        let held = Held { slots: slots.to_vec(), is_limited: true };
        plan(&Facts { node: "srv1", role, members, held: &held, replayed, reported })
    }

    #[test]
    fn names_are_postgresqls() {
        assert_eq!(name("Srv-1.example").as_deref(), Some("quorate_srv_1_example"));
        assert_eq!(name(""), None);
        assert_eq!(name(&"n".repeat(60)), None);
        assert_eq!(used(Some("srv2,srv3"), "srv3").as_deref(), Some("quorate_srv3"));
        assert_eq!((used(Some("srv2"), "srv"), used(Some(""), ""), used(None, "srv2")), (None, None, None));
    }

    #[test]
    fn each_member_with_an_instance_has_one_and_keeps_it_while_it_is_away() {
        let all = members(&[("srv1", true), ("srv2", true), ("srv3", false)]);
        for role in [PgRole::Primary, PgRole::Standby] {
            let made = of(role, &all, &[], &[]);
            let create = Change::Create { name: "quorate_srv2".into(), node: "srv2".into() };
            assert_eq!(made, Plan { changes: vec![create], complaint: None }, "a witness has none");
            let away = members(&[("srv1", true), ("srv2", false), ("srv3", false)]);
            assert_eq!(of(role, &away, &[slot("quorate_srv2")], &[]), Plan::default(), "by membership");
            // Others' slots are nobody's business.
            assert_eq!(of(role, &away, &[slot("barman"), slot("quorate")], &[]), Plan::default());
        }
    }

    #[test]
    fn what_keeps_wal_or_rows_for_nobody_is_dropped() {
        let all = members(&[("srv1", true), ("srv2", false)]);
        for (slot, role, is_dropped) in [
            (slot("quorate_srv9"), PgRole::Primary, true),
            (slot("quorate_srv1"), PgRole::Standby, true),
            (Slot { is_lost: true, ..slot("quorate_srv2") }, PgRole::Primary, true),
            (Slot { has_xmin: true, ..slot("quorate_srv2") }, PgRole::Standby, true),
            (Slot { has_xmin: true, ..slot("quorate_srv2") }, PgRole::Primary, false),
            (Slot { is_active: true, is_lost: true, ..slot("quorate_srv2") }, PgRole::Primary, false),
        ] {
            let plan = of(role, &all, std::slice::from_ref(&slot), &[]);
            assert_eq!(matches!(plan.changes[..], [Change::Drop { .. }]), is_dropped, "{slot:?} {role:?}");
        }
    }

    #[test]
    fn without_a_limit_none_is_made_and_none_stays() {
        let all = members(&[("srv1", true), ("srv2", true)]);
        let held = Held { slots: vec![slot("quorate_srv2")], is_limited: false };
        let facts = Facts {
            node: "srv1",
            role: PgRole::Primary,
            members: &all,
            held: &held,
            replayed: None,
            reported: &[],
        };
        let found = plan(&facts);
        assert!(matches!(found.changes[..], [Change::Drop { .. }]), "{found:?}");
        assert!(found.complaint.is_some_and(|why| why.contains("max_slot_wal_keep_size")));
    }

    #[test]
    fn two_nodes_never_share_one() {
        let all = members(&[("srv1", true), ("srv-2", true), ("srv_2", false)]);
        let found = of(PgRole::Primary, &all, &[], &[]);
        assert!(found.changes.is_empty() && found.complaint.is_some(), "{found:?}");
    }

    /// Never past what its member has, or what this standby has itself.
    #[test]
    fn a_standby_advances_them_with_their_members() {
        let all = members(&[("srv1", true), ("srv2", true)]);
        let at = |lsn: &str| {
            let reported = format!("2:{lsn}:-").parse().expect("a position");
            vec![NodeReported { node: "srv2".into(), reported }]
        };
        let to = |role, reported: &[NodeReported]| of(role, &all, &[slot("quorate_srv2")], reported).changes;
        let advance = |to| vec![Change::Advance { name: "quorate_srv2".into(), to: Lsn(to) }];
        assert_eq!(to(PgRole::Standby, &at("0/300")), advance(0x300));
        assert_eq!(to(PgRole::Standby, &at("0/900")), advance(0x500), "not replayed here yet");
        assert_eq!(to(PgRole::Standby, &at("0/80")), [], "never back");
        assert_eq!(to(PgRole::Standby, &[]), [], "nobody knows where it is");
        assert_eq!(to(PgRole::Primary, &at("0/300")), [], "the stream advances it");
    }
}
