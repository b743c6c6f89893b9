//! Whom a standby follows, and whether it still can.

use crate::cluster::attributes;
use crate::cluster::crm_mon::{Role, Status};
use crate::ocf::Settings;
use crate::pg::conninfo::{Conninfo, ConninfoError};
use crate::pg::history::{Divergence, History, divergence};
use crate::pg::timeline::{Timeline, WalPosition};

use super::cluster::{Approved, ClusterFacts, InstanceCount, Upstream};
use super::promotion_score::Score;
use super::rejoin::request_attribute;

/// The node attribute of an instance in safe mode; its value is the reason.
pub fn safe_mode_attribute(resource: &str) -> String {
    format!("quorate-safe-mode-{resource}")
}

/// The node attribute by which an operator approves of a node's data.
pub fn approval_attribute(resource: &str) -> String {
    format!("quorate-approve-{resource}")
}

/// What the cluster's status means for an instance on `node`.
///
/// A promoted instance whose last action failed, or whose node is not a clean member, is no primary to follow: it
/// is about to be recovered or fenced, and standbys must stay candidates.
pub fn cluster_facts(
    status: &Status,
    settings: &Settings,
    resource: &str,
    node: &str,
    expected: Option<usize>,
) -> ClusterFacts {
    let healthy = |name: &str| status.node(name).is_some_and(|n| n.online && !n.unclean);
    let primary = status
        .instances_of(resource)
        .filter(|i| i.role == Role::Promoted && !i.failed)
        .flat_map(|i| i.nodes.iter())
        .find(|name| *name != node && healthy(name))
        .map(|name| Upstream {
            node: name.clone(),
            host: settings.address_of(name).to_owned(),
            // One that has none stands below everybody already: nothing is gained by waiting for it.
            score: Some(
                status
                    .promotion_score(resource, name)
                    .and_then(attributes::score)
                    .map_or(Score::Primary, Score::from),
            ),
        });
    let mut running: Vec<&str> = status
        .instances_of(resource)
        .filter(|i| matches!(i.role, Role::Promoted | Role::Unpromoted | Role::Started))
        .flat_map(|i| i.nodes.iter().map(String::as_str))
        .filter(|name| healthy(name))
        .collect();
    running.push(node);
    running.sort_unstable();
    running.dedup();
    let own = |name: &str| status.attributes.get(node).and_then(|all| all.get(name)).cloned();
    ClusterFacts {
        primary,
        everybody: match expected {
            None => InstanceCount::Unknown,
            Some(expected) if running.len() >= expected => InstanceCount::All,
            Some(expected) => InstanceCount::Missing { running: running.len(), expected },
        },
        approved: match own(&approval_attribute(resource)).as_deref() {
            Some("1") => Approved::Yes,
            Some(_) | None => Approved::No,
        },
        safe_mode: own(&safe_mode_attribute(resource)),
        rejoin: own(&request_attribute(resource)),
    }
}

/// The primary_conninfo of a standby on `node` that follows `host`.
///
/// # Errors
/// When the parameter replication_conninfo can't be read.
pub fn primary_conninfo(settings: &Settings, node: &str, host: &str) -> Result<String, ConninfoError> {
    Ok(Conninfo::parse(&settings.replication_conninfo)?
        .with("host", host)
        .with("application_name", node)
        .to_string())
}

/// Whether a primary_conninfo already leads to `host`, as this node.
pub fn leads_to(primary_conninfo: &str, wanted: &str) -> bool {
    let pairs = |text: &str| {
        Conninfo::parse(text).map(|c| {
            let mut pairs: Vec<(String, String)> =
                c.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            pairs.sort();
            pairs
        })
    };
    matches!((pairs(primary_conninfo), pairs(wanted)), (Ok(a), Ok(b)) if a == b)
}

/// Whether a standby at `own` left the line of WAL that one of the histories in its pg_wal describes. The WAL
/// receiver fetches the history of the primary's timeline before it streams, so a diverged standby has it.
///
/// `reigning`: the primary's timeline, where it is known. Else it is the newest that PostgreSQL itself would follow: it looks for
/// the next number until there is none (timeline.c: `findNewestTimeLine`), and the receiver leaves no number out. A history beyond a gap
/// came from somewhere else, such as a restored archive, and concerns nobody.
///
/// Says what is wrong and what to do, naming both timelines, the positions and the file.
pub fn diverged(
    own: WalPosition,
    histories: &[History],
    reigning: Option<Timeline>,
    source: &str,
) -> Option<String> {
    let of = |timeline: Timeline| histories.iter().find(|h| h.timeline() == timeline);
    let following = match reigning {
        Some(reigning) if reigning <= own.timeline => return None,
        Some(reigning) => of(reigning),
        None => None,
    };
    let next = |timeline: &Timeline| timeline.next().filter(|next| of(*next).is_some());
    let newest = || std::iter::successors(next(&own.timeline), next).last().and_then(of);
    let followed = following.or_else(newest)?;
    let file = followed.timeline().history_file_name().unwrap_or_default();
    // Pacemaker keeps the first 128 characters of a reason: positions first, then the cure.
    match divergence(own, followed) {
        Divergence::InLine => None,
        Divergence::Diverged { own, newer, fork, bytes_past } => Some(format!(
            "data diverged: {} on timeline {} here, timeline {newer} forked at {fork}, {bytes_past} bytes before; {} \
             (by pg_wal/{file}: if {source} is not of timeline {newer}, move that file away instead)",
            own.lsn,
            own.timeline,
            cure(source)
        )),
        Divergence::Unrelated { own, newer } => Some(format!(
            "data diverged: {} on timeline {} here, which pg_wal/{file} does not come from: if {source} is not of timeline \
             {newer}, move that file away; else {}",
            own.lsn,
            own.timeline,
            cure(source)
        )),
    }
}

fn cure(source: &str) -> String {
    format!(
        "pg_rewind or pg_basebackup from {source} (what is past the fork was never replicated: keep a copy of pgdata if it \
         matters), then pcs resource cleanup"
    )
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    fn history(tli: u32, text: &str) -> History {
        History::parse(timeline(tli), text).unwrap()
    }

    #[test]
    fn divergence_names_both_timelines_and_positions() {
        let h = [history(2, "1\t0/5000060\tno recovery target specified\n")];
        assert_eq!(diverged(position(1, 0x500_0060), &h, None, "srv2"), None);
        let text = diverged(position(1, 0x500_0148), &h, None, "srv2").unwrap();
        for part in ["0/5000148", "timeline 1", "timeline 2", "0/5000060", "232 bytes", "srv2", "pg_rewind"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.find("pg_basebackup").is_some_and(|at| at < 128), "cut off in crm_mon: {text}");
    }

    #[test]
    fn a_timeline_that_is_no_ancestor_diverged_too() {
        let h = [history(3, "1\t0/5000060\tx\n")];
        let text = diverged(position(2, 1), &h, None, "srv2").unwrap();
        for part in ["does not come from", "pg_wal/00000003.history", "if srv2 is not of timeline 3, move"] {
            assert!(text.find(part).is_some_and(|at| at + part.len() <= 128), "{part}: {text}");
        }
        assert!(text.contains("pg_basebackup"), "{text}");
    }

    /// A restored archive, a copy of another cluster's pg_wal.
    #[test]
    fn a_history_of_somewhere_else_is_no_divergence() {
        let line = "1\t0/5000060\tx\n";
        let own = position(1, 0x600_0000);
        assert_eq!(diverged(own, &[history(9, line)], None, "srv2"), None, "PostgreSQL does not follow it");
        // The primary's own timeline decides, whatever lies beside it.
        let both = [history(2, "1\t0/7000000\tx\n"), history(3, line)];
        assert!(diverged(own, &both, None, "srv2").is_some());
        for reigning in [1, 2] {
            assert_eq!(diverged(own, &both, Some(timeline(reigning)), "srv2"), None, "{reigning}");
        }
        let text = diverged(own, &both, Some(timeline(3)), "srv2").unwrap();
        assert!(text.contains("pg_wal/00000003.history"), "{text}");
        // Its history has not come yet: by what is there.
        assert!(diverged(own, &[history(2, line)], Some(timeline(4)), "srv2").is_some());
    }

    #[test]
    fn histories_of_the_past_do_not_matter() {
        let h = [history(2, "1\t0/5000060\tx\n")];
        assert_eq!(diverged(position(2, 0x600_0000), &h, None, "srv2"), None);
        assert_eq!(diverged(position(3, 0x600_0000), &h, None, "srv2"), None);
    }

    #[test]
    fn the_order_of_keywords_does_not_matter() {
        assert!(leads_to("host=a user=b", "user=b  host='a'"));
        assert!(!leads_to("host=a user=b", "host=c user=b"));
        assert!(!leads_to("", "host=c"));
        assert!(!leads_to("broken", "host=c"));
    }
}
