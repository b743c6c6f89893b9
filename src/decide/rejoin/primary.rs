//! Whom a rejoin may follow, and who works on it.

use super::super::cluster::ClusterFacts;
use super::super::promotions::Record;

/// Whether the unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    Runs,
    Absent,
}

/// Whether there is somebody to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primary {
    Known,
    Nobody,
}

/// Whether the cluster has a primary whose data may replace others: promoted and well by Pacemaker, and the last one on record. One that
/// was started by hand may pass for promoted.
#[must_use]
pub fn primary(cluster: Option<&ClusterFacts>, record: &Record) -> Primary {
    let Some(primary) = cluster.and_then(|cluster| cluster.primary.as_ref()) else { return Primary::Nobody };
    match record {
        Record::Last(last) if last.node == primary.node => Primary::Known,
        // A primary that was there before the record was puts itself on record within its next monitors.
        Record::Empty | Record::Last(_) | Record::Unread(_) | Record::Contradictory(..) => Primary::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::cluster::{Approved, InstanceCount, Upstream};
    use super::*;

    #[test]
    fn only_the_last_one_on_record_is_followed() {
        let cluster = |node: &str| ClusterFacts {
            primary: Some(Upstream { node: node.into(), host: node.into(), score: None }),
            everybody: InstanceCount::All,
            approved: Approved::No,
            safe_mode: None,
            rejoin: None,
        };
        let last = Record::of(&["2:2:7:1:0/5000060:00000009:0000000a:srv2".parse().expect("a promotion")]);
        assert_eq!(primary(Some(&cluster("srv2")), &last), Primary::Known);
        assert_eq!(primary(Some(&cluster("srv3")), &last), Primary::Nobody, "started by hand");
        assert_eq!(
            primary(Some(&cluster("srv2")), &Record::Empty),
            Primary::Nobody,
            "nobody knows who that is"
        );
        assert_eq!(primary(Some(&cluster("srv2")), &Record::Unread("x".into())), Primary::Nobody);
        assert_eq!(primary(None, &last), Primary::Nobody);
    }
}
