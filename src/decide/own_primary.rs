//! Whether a primary that runs is the one that the cluster promoted. One that somebody started or promoted by hand would pass for the
//! primary of the cluster otherwise, and the true one be demoted for it.

use super::cluster::Manager;
use super::election::Approval;
use super::memory::LastRole;
use super::promotions::Record;
use crate::pg::role::PgRole;
use crate::pg::timeline::Timeline;

/// What is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub manager: Manager,
    pub node: &'a str,
    /// The role that the agent last recorded outside PGDATA.
    pub recorded: Option<PgRole>,
    pub last_role: LastRole,
    /// Pacemaker asks what runs here, before it has started anything.
    pub is_probe: bool,
    /// `None`: neither the server nor the control file tells.
    pub timeline: Option<Timeline>,
    pub system: Option<u64>,
    /// `None`: not read yet: it costs what a monitor of a usual primary does without.
    pub record: Option<&'a Record>,
    /// `None`: the cluster was not asked yet.
    pub cluster: Option<Cluster>,
}

/// What the cluster says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster {
    pub approval: Approval,
    /// Another node has a primary, or the cluster could not be asked.
    pub may_have_another: bool,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ours,
    NotOurs,
    /// Read the record, then decide again.
    ReadRecord,
    /// Ask the cluster, then decide again.
    AskCluster,
}

/// Decides.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Verdict {
    if facts.manager == Manager::Nobody || facts.recorded == Some(PgRole::Primary) {
        return Verdict::Ours;
    }
    let Some(record) = facts.record else { return Verdict::ReadRecord };
    // A hung daemon of Pacemaker must not end a primary of which nothing is known but that it runs.
    let was_ours = facts.last_role == LastRole::Primary || !facts.is_probe;
    if facts.recorded.is_none() && was_ours && matches!(record, Record::Unread(_)) {
        return Verdict::Ours;
    }
    if record.adopts(facts.node, facts.timeline, facts.system) {
        return Verdict::Ours;
    }
    match facts.cluster {
        None => Verdict::AskCluster,
        // Promoted by hand where nobody else was left, and accepted.
        Some(Cluster { approval: Approval::Given, may_have_another: false }) => Verdict::Ours,
        Some(_) => Verdict::NotOurs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(record: &Record) -> Facts<'_> {
        Facts {
            manager: Manager::Pacemaker,
            node: "srv1",
            recorded: Some(PgRole::Standby),
            last_role: LastRole::Standby,
            is_probe: false,
            timeline: Timeline::new(4),
            system: Some(7),
            record: Some(record),
            cluster: None,
        }
    }

    fn last(node: &str) -> Record {
        Record::Last(format!("4:4:7:-:-:0000000a::{node}").parse().expect("a promotion"))
    }

    #[test]
    fn who_was_promoted_by_hand_is_ours_only_where_nobody_else_is_left_and_it_was_accepted() {
        let record = last("srv2");
        let asked = |approval, may_have_another| {
            decide(&Facts { cluster: Some(Cluster { approval, may_have_another }), ..facts(&record) })
        };
        assert_eq!(decide(&facts(&record)), Verdict::AskCluster);
        assert_eq!(asked(Approval::Given, false), Verdict::Ours);
        assert_eq!(asked(Approval::Given, true), Verdict::NotOurs);
        assert_eq!(asked(Approval::NotGiven, false), Verdict::NotOurs);
    }

    #[test]
    fn the_record_decides_where_the_agent_wrote_down_no_primary() {
        for recorded in [None, Some(PgRole::Standby)] {
            for (record, expected) in [
                (Record::Empty, Verdict::Ours),
                (last("srv1"), Verdict::Ours),
                (last("srv2"), Verdict::AskCluster),
            ] {
                assert_eq!(
                    decide(&Facts { recorded, ..facts(&record) }),
                    expected,
                    "{recorded:?} {record:?}"
                );
            }
        }
        let own = last("srv1");
        let other_timeline = Facts { timeline: Timeline::new(5), ..facts(&own) };
        assert_eq!(decide(&other_timeline), Verdict::AskCluster);
        assert_eq!(decide(&Facts { system: Some(8), ..facts(&own) }), Verdict::AskCluster);
        let foreign = last("srv2");
        assert_eq!(decide(&Facts { recorded: Some(PgRole::Primary), ..facts(&foreign) }), Verdict::Ours);
        assert_eq!(decide(&Facts { manager: Manager::Nobody, ..facts(&foreign) }), Verdict::Ours);
        assert_eq!(decide(&Facts { record: None, ..facts(&foreign) }), Verdict::ReadRecord);
    }

    #[test]
    fn a_hung_daemon_ends_no_primary_of_which_nothing_else_is_known() {
        let unread = Record::Unread("attrd does not answer".into());
        let none = Facts { recorded: None, ..facts(&unread) };
        assert_eq!(decide(&none), Verdict::Ours);
        assert_eq!(decide(&Facts { is_probe: true, ..none }), Verdict::AskCluster);
        assert_eq!(decide(&Facts { is_probe: true, last_role: LastRole::Primary, ..none }), Verdict::Ours);
        assert_eq!(decide(&facts(&unread)), Verdict::AskCluster);
    }
}
