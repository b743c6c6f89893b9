//! Physical replication slots for the other members of the cluster, on every instance: a member that was away finds its WAL on the
//! primary, whoever that is by then.
//!
//! A slot that nobody uses keeps WAL, and with hot_standby_feedback also dead rows, for ever. So none is made without
//! max_slot_wal_keep_size; those of a standby are advanced as far as their member has come, and one that was a primary's is made anew.

use serde::{Deserialize, Serialize};

use super::clock::{BootTime, Millis};
use super::reported::NodeReported;
use crate::pg::lsn::Lsn;
use crate::pg::role::PgRole;
use crate::pg::timeline::WalPosition;

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

impl Held {
    /// Whether any of them is ours.
    #[must_use]
    pub fn has_ours(&self) -> bool {
        self.slots.iter().any(|slot| slot.name.starts_with(PREFIX))
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub node: &'a str,
    pub role: PgRole,
    pub members: &'a [Member],
    pub held: &'a Held,
    /// How far this standby has replayed, and on which timeline.
    pub replayed: Option<WalPosition>,
    pub reported: &'a [NodeReported],
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Drop {
        name: String,
        why: &'static str,
    },
    Create {
        name: String,
        node: String,
    },
    Advance {
        name: String,
        to: Lsn,
    },
    /// Made anew where it stands: the dead rows that it keeps are of no query any more.
    Renew {
        name: String,
    },
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
    /// Why a slot is not made.
    pub complaint: Option<String>,
}

/// Whose slot has this name: `None` where nobody's has, or two nodes would share it.
fn owner<'a>(members: &'a [Member], slot: &str) -> Option<&'a Member> {
    let mut owners = members.iter().filter(|m| name(&m.node).as_deref() == Some(slot));
    owners.next().filter(|_| owners.next().is_none())
}

/// Plans what makes the slots those that should be there.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Plan {
    let mut found = Plan::default();
    let mut stays: Vec<&str> = Vec::new();
    for slot in facts.held.slots.iter().filter(|slot| slot.name.starts_with(PREFIX)) {
        match fate(facts, slot) {
            Fate::Drop(why) => found.changes.push(Change::Drop { name: slot.name.clone(), why }),
            Fate::Change(change) => {
                stays.push(&slot.name);
                found.changes.push(change);
            }
            Fate::Stays => stays.push(&slot.name),
        }
    }
    for member in facts.members.iter().filter(|m| m.has_instance && m.node != facts.node) {
        match name(&member.node) {
            None => {
                found.complaint =
                    Some(format!("the name of {} is too long for a replication slot", member.node));
            }
            Some(name) if owner(facts.members, &name).is_none() => {
                found.complaint = Some(format!(
                    "{} and another node would share the slot {name}: none is made",
                    member.node
                ));
            }
            Some(_) if !facts.held.is_limited => {
                found.complaint = Some(
                    "no replication slot is made: set max_slot_wal_keep_size, or a member that is away fills the disk"
                        .to_owned(),
                );
            }
            Some(name) if !stays.contains(&name.as_str()) => {
                found.changes.push(Change::Create { name, node: member.node.clone() });
            }
            Some(_) => {}
        }
    }
    found
}

/// What becomes of a slot of ours.
enum Fate {
    Stays,
    Drop(&'static str),
    Change(Change),
}

fn fate(facts: &Facts<'_>, slot: &Slot) -> Fate {
    let Some(owner) = owner(facts.members, &slot.name) else {
        return if slot.is_active {
            Fate::Stays
        } else {
            Fate::Drop("no other node of the cluster has that name")
        };
    };
    let renew = || Fate::Change(Change::Renew { name: slot.name.clone() });
    match (slot.is_active, facts.role) {
        (true, _) => Fate::Stays,
        // pg_rewind brings those of the primary.
        (false, _) if owner.node == facts.node => Fate::Drop("it is of this node itself"),
        (false, _) if !facts.held.is_limited => Fate::Drop("max_slot_wal_keep_size is -1"),
        (false, _) if slot.is_lost => Fate::Drop("its WAL is gone"),
        (false, PgRole::Standby) if slot.has_xmin => renew(),
        // Its queries ended with it; one that connects again says anew what it needs.
        (false, PgRole::Primary) if slot.has_xmin && !owner.has_instance => renew(),
        (false, PgRole::Primary) => Fate::Stays,
        (false, PgRole::Standby) => {
            let reported = facts.reported.iter().find(|r| r.node == owner.node).map(|r| r.reported.position);
            match (reported, facts.replayed) {
                // A former primary's own end is of another line: it replays from before the fork.
                (Some(theirs), Some(ours)) if theirs.timeline == ours.timeline => {
                    let to = theirs.lsn.min(ours.lsn);
                    if slot.restart.is_some_and(|restart| restart < to) {
                        Fate::Change(Change::Advance { name: slot.name.clone(), to })
                    } else {
                        Fate::Stays
                    }
                }
                (_, _) => Fate::Stays,
            }
        }
    }
}

/// For whom this server has slots after the changes that were made: the attribute's value.
#[must_use]
pub fn value(slots: &[Slot], members: &[Member]) -> String {
    let usable = slots.iter().filter(|slot| !slot.is_lost);
    let owners = usable.filter_map(|slot| owner(members, &slot.name));
    owners.map(|member| member.node.as_str()).collect::<Vec<_>>().join(",")
}

/// The slot that `node` uses on a primary that says this of its slots.
#[must_use]
pub fn used(value: Option<&str>, node: &str) -> Option<String> {
    value.is_some_and(|value| value.split(',').any(|one| one == node)).then(|| name(node)).flatten()
}

/// When the slots were looked after last, and what was complained about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tended {
    pub at: Option<BootTime>,
    pub complaint: Option<String>,
}

/// Whether it is time.
#[must_use]
pub fn is_due(tended: &Tended, now: BootTime) -> bool {
    tended.at.is_none_or(|at| now.since(at) >= AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::position;

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
        let replayed = Some(position(2, 0x500));
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
        assert_eq!(value(&[slot("quorate_srv_2")], &all), "", "promised to neither");
    }

    /// By hot_standby_feedback: of a server that was the primary, or of a member that is away. Where its WAL begins stays.
    #[test]
    fn dead_rows_are_kept_for_no_query_that_is_gone() {
        let kept = Slot { has_xmin: true, ..slot("quorate_srv2") };
        let renewed = [Change::Renew { name: "quorate_srv2".into() }];
        for (role, has_instance, is_renewed) in [
            (PgRole::Standby, true, true),
            (PgRole::Standby, false, true),
            (PgRole::Primary, false, true),
            (PgRole::Primary, true, false),
        ] {
            let all = members(&[("srv1", true), ("srv2", has_instance)]);
            let changes = of(role, &all, std::slice::from_ref(&kept), &[]).changes;
            assert_eq!(changes == renewed, is_renewed, "{role:?} {has_instance}: {changes:?}");
        }
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
        let ended = "1:0/300:-".parse().expect("a position");
        let former = vec![NodeReported { node: "srv2".into(), reported: ended }];
        assert_eq!(to(PgRole::Standby, &former), [], "the end of a former primary, on its own timeline");
    }
}
