//! Where the other instances are, by what Pacemaker and the primary say of them.

use std::collections::BTreeSet;

use crate::cluster::crm_mon::{Role, Status};
use crate::ocf::{Policy, Sync};
use crate::pg::view::{ConnectedStandby, PrimaryView};

/// The node attribute of a data centre, as the layouts set it.
const SITE: &str = "site";

/// Another instance, as the primary sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub node: String,
    pub place: Place,
    pub presence: Presence,
}

/// Where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    SameSite,
    OtherSite,
}

/// Whether it could acknowledge, and whether it could vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Its node is no member, nothing runs there, or it is about to stop.
    Absent,
    /// Pacemaker runs it, and it does not stream at this moment.
    Runs,
    Streams,
}

/// The other instances, one for each other node. `leaving`: those that are about to stop.
#[must_use]
pub fn peers(
    node: &str,
    resource: &str,
    status: &Status,
    view: &PrimaryView,
    leaving: &[String],
) -> Vec<Peer> {
    let site = |node: &str| status.attributes.get(node).and_then(|all| all.get(SITE));
    // One that Pacemaker does not manage acknowledges, and may not be asked for its vote.
    let running: BTreeSet<&String> = status
        .instances_of(resource)
        .filter(|i| i.role == Role::Unpromoted && i.managed)
        .flat_map(|i| &i.nodes)
        .collect();
    let streaming = streams(view);
    let several = call_themselves_alike(view);
    let is_there =
        |name: &String| running.contains(name) && !leaving.contains(name) && !several.contains(name);
    let others = status.nodes.iter().filter(|n| n.name != node);
    others
        .map(|n| Peer {
            place: if site(&n.name) == site(node) { Place::SameSite } else { Place::OtherSite },
            presence: if !n.online || !is_there(&n.name) {
                Presence::Absent
            } else if streaming.contains(&n.name) {
                Presence::Streams
            } else {
                Presence::Runs
            },
            node: n.name.clone(),
        })
        .collect()
}

/// Names that more than one server streams by: a copy that somebody started by hand acknowledges commits in another one's name.
fn call_themselves_alike(view: &PrimaryView) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let names = living(view).map(|s| &s.application_name);
    names.filter(|name| !seen.insert(*name)).cloned().collect()
}

/// Who streams from the primary, one server by one name.
#[must_use]
pub fn streams(view: &PrimaryView) -> BTreeSet<String> {
    let several = call_themselves_alike(view);
    let streaming = living(view).filter(|s| s.state == "streaming").map(|s| &s.application_name);
    streaming.filter(|name| !several.contains(*name)).cloned().collect()
}

/// The connections without those that the standby itself has given up.
pub(super) fn living(view: &PrimaryView) -> impl Iterator<Item = &ConnectedStandby> {
    let is_given_up = |old: &ConnectedStandby| view.standbys.iter().any(|new| replaces(new, old));
    view.standbys.iter().filter(move |s| !is_given_up(s))
}

/// Whether a standby has connected anew, and the primary has not noticed yet that its connection before is dead: a cut network, or a node
/// that lost its power, ends no connection, and PostgreSQL shows it as streaming until wal_sender_timeout. A server has one WAL receiver:
/// of two connections from one address the older one is dead if nothing came by it since the newer one began. Whoever acknowledges a
/// commit replies, and counts as another server from then on.
fn replaces(new: &ConnectedStandby, old: &ConnectedStandby) -> bool {
    let is_same = new.application_name == old.application_name
        && new.connection.client.is_some()
        && new.connection.client == old.connection.client;
    let (Some(age), Some(old_age), Some(replied)) =
        (new.connection.age, old.connection.age, new.connection.replied)
    else {
        return false;
    };
    // By the standby's clock, as both replies are: it began at this time or later.
    let began = replied.saturating_sub(age);
    is_same && age < old_age && old.connection.replied.is_none_or(|last| last < began)
}

/// Whether a promise may become weaker now: only where this partition has the quorum. The others would go on by what they know, and hear
/// nothing of what is said in a partition of its own. `pacemaker`: what the CIB says, which lags behind; `votequorum`: corosync itself.
///
/// # Errors
/// Why not.
pub fn may_weaken(pacemaker: Option<bool>, votequorum: Result<bool, String>) -> Result<(), String> {
    match (pacemaker, votequorum) {
        (Some(true), Ok(true)) => Ok(()),
        (Some(false) | None, _) | (_, Ok(false)) => {
            Err("this partition has no quorum: commits keep waiting".into())
        }
        (Some(true), Err(why)) => Err(format!("the quorum is not known: commits keep waiting: {why}")),
    }
}

/// Why commits hang, or the next ones will: too few standbys stream, and the operator wants none acknowledged without them.
#[must_use]
pub fn shortage(policy: &Policy, peers: &[Peer]) -> Option<String> {
    let of = |presence| peers.iter().filter(move |p| p.presence == presence).map(|p| p.node.as_str());
    let streaming = of(Presence::Streams).count();
    if policy.sync != Sync::Strict || streaming >= policy.count {
        return None;
    }
    let missing: Vec<&str> = of(Presence::Runs).chain(of(Presence::Absent)).collect();
    Some(format!(
        "commits wait: {streaming} of {} standbys stream (sync=strict): bring back {}, or set sync=prefer",
        policy.count,
        missing.join(" or ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocf::Preference;
    use crate::pg::lsn::Lsn;
    use crate::pg::timeline::Timeline;
    use crate::pg::view::{Connection, SyncState};

    #[test]
    fn a_promise_becomes_weaker_only_where_both_say_that_there_is_quorum() {
        assert_eq!(may_weaken(Some(true), Ok(true)), Ok(()));
        for (pacemaker, votequorum) in [
            (Some(true), Ok(false)),
            (Some(false), Ok(true)),
            (None, Ok(true)),
            (Some(true), Err("no answer".to_owned())),
        ] {
            assert!(may_weaken(pacemaker, votequorum.clone()).is_err(), "{pacemaker:?} {votequorum:?}");
        }
    }

    /// A connection: address, seconds since it began, second of the last reply.
    fn connection(client: &str, age: u64, replied: u64) -> ConnectedStandby {
        ConnectedStandby {
            application_name: "srv2".into(),
            state: "streaming".into(),
            sync_state: SyncState::Quorum,
            sent: None,
            flush: None,
            connection: Connection {
                client: Some(client.to_owned()).filter(|c| !c.is_empty()),
                age: Some(age * 1000),
                replied: Some(replied * 1000).filter(|at| *at > 0),
            },
        }
    }

    #[test]
    fn a_dead_connection_is_no_other_server() {
        let new = connection("10.0.0.2", 30, 1_000);
        for (old, one) in [
            (connection("10.0.0.2", 90, 969), true),
            // Nothing ever came by it.
            (connection("10.0.0.2", 90, 0), true),
            // Something came since the newer one began: a copy on the same node.
            (connection("10.0.0.2", 90, 970), false),
            (connection("10.0.0.2", 90, 999), false),
            (connection("10.0.0.3", 90, 900), false),
            // By a socket no address tells two servers of one node apart.
            (connection("", 90, 900), false),
        ] {
            for standbys in [vec![old.clone(), new.clone()], vec![new.clone(), old.clone()]] {
                let view = PrimaryView {
                    lsn: Lsn(100),
                    timeline: Timeline::FIRST,
                    standbys,
                    synchronous_standby_names: String::new(),
                };
                assert_eq!(!streams(&view).is_empty(), one, "{old:?}");
                assert_eq!(call_themselves_alike(&view).is_empty(), one, "{old:?}");
            }
        }
        // The newer one has not said anything yet.
        let silent = connection("10.0.0.2", 30, 0);
        assert!(!replaces(&silent, &connection("10.0.0.2", 90, 900)));
    }

    #[test]
    fn what_strict_waits_for_is_named() {
        let peer = |node: &str, presence| Peer { node: node.into(), place: Place::OtherSite, presence };
        let strict = Policy { sync: Sync::Strict, count: 1, preference: Preference::Any };
        let none = [peer("srv2", Presence::Absent), peer("srv3", Presence::Runs)];
        let text = shortage(&strict, &none).expect("commits wait");
        assert!(text.contains("0 of 1") && text.contains("srv3 or srv2"), "{text}");
        assert_eq!(shortage(&strict, &[peer("srv2", Presence::Streams)]), None);
        assert_eq!(shortage(&Policy { sync: Sync::Prefer, ..strict }, &none), None);
    }
}
