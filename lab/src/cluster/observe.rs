//! Looks at a cluster: at its machines, Pacemaker's view, each PostgreSQL.

pub use super::observation::{Database, Observation, Seen};

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::machines::protocol::{NodeKind, Power};
use quorate::cluster::crm_mon::{self, Status};
use quorate::layout::site::Instance;

/// For one question to one PostgreSQL: a frozen one does not answer at all.
const SQL_TIMEOUT: Duration = Duration::from_secs(3);

/// Debian's directory of PostgreSQL's sockets.
pub const SOCKETS: &str = "/var/run/postgresql";

/// All in one line: in recovery, LSN, timeline, streaming standbys, where a standby streams from.
const SQL: &str = "SELECT pg_is_in_recovery(), \
    CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) \
         ELSE pg_current_wal_lsn() END, \
    CASE WHEN pg_is_in_recovery() \
         THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint())) \
         ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END, \
    (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'), \
    (SELECT sender_host FROM pg_stat_wal_receiver WHERE status = 'streaming')";

impl Observation {
    /// Looks at everything; takes at most about 5 s when nodes do not answer.
    ///
    /// # Errors
    /// When the lab's supervisor does not answer. Nodes that don't are part of the observation.
    pub fn take(cluster: &Cluster) -> Result<Self> {
        let infos = cluster.nodes()?;
        // All at once: a node that does not answer costs its timeout, not the sum.
        let seen = std::thread::scope(|scope| {
            let asked: Vec<_> = infos
                .iter()
                .map(|info| {
                    let alive = info.kind == NodeKind::Database && info.power == Power::On;
                    let instances = cluster.site().instances.iter().filter(|_| alive);
                    let databases: Vec<_> =
                        instances.map(|i| scope.spawn(|| ask_database(cluster, &info.name, i))).collect();
                    let status = alive.then(|| scope.spawn(|| ask_pacemaker(cluster, &info.name)));
                    (info, databases, status)
                })
                .collect();
            let mut nodes = Vec::new();
            let mut views = Vec::new();
            for (info, databases, status) in asked {
                let answer = |thread: std::thread::ScopedJoinHandle<'_, Database>| {
                    thread.join().unwrap_or_else(|_| Database::Silent("the question panicked".to_owned()))
                };
                let databases = databases.into_iter().map(answer).collect();
                nodes.push(Seen { info: info.clone(), databases });
                views.extend(status.and_then(|thread| thread.join().ok()));
            }
            Self { site: Arc::clone(cluster.site()), nodes, status: best_view(views) }
        });
        cluster.note(&seen);
        Ok(seen)
    }
}

/// An isolated node also answers, with its own isolated view: the one with quorum counts.
fn best_view(views: Vec<std::result::Result<Status, String>>) -> std::result::Result<Status, String> {
    let mut best = Err("no database node is powered on".to_owned());
    for view in views {
        match (&best, view) {
            (_, Ok(status)) if status.quorate == Some(true) => return Ok(status),
            (Err(_), view) => best = view,
            (Ok(_), _) => {}
        }
    }
    best
}

fn ask_pacemaker(cluster: &Cluster, node: &str) -> std::result::Result<Status, String> {
    let xml = cluster.crm_mon_from(node).map_err(|e| e.to_string())?;
    crm_mon::parse(&xml).map_err(|e| e.to_string())
}

fn ask_database(cluster: &Cluster, node: &str, instance: &Instance) -> Database {
    // Not Debian's /usr/bin/psql: it is a Perl script, and this is asked while something is measured.
    let psql = format!("/usr/lib/postgresql/{}/bin/psql", cluster.site().postgresql);
    let port = instance.port.to_string();
    // Not runuser: PAM writes two lines to the journal each time, and evidence drowns in them. And not root's directory,
    // which postgres may not enter.
    let argv =
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "--chdir=/", &psql];
    let words = ["-XAtq", "-h", SOCKETS, "-p", &port, "-d", "postgres", "-c", SQL];
    let argv: Vec<&str> = argv.into_iter().chain(words).collect();
    match cluster.exec(node, &argv, SQL_TIMEOUT).and_then(|out| out.success("psql")) {
        Ok(line) => Database::parse(&line),
        // psql says the most important thing in its first line.
        Err(e) => Database::Silent(e.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_psql_is_read() {
        assert_eq!(
            Database::parse("f|0/5000148|3|1|\n"),
            Database::Answers {
                in_recovery: false,
                lsn: "0/5000148".to_owned(),
                timeline: "3".to_owned(),
                standbys: 1,
                upstream: None
            }
        );
        assert!(matches!(
            Database::parse("t|0/5000148|3|0|srv1"),
            Database::Answers { in_recovery: true, upstream: Some(host), .. } if host == "srv1"
        ));
        assert!(matches!(Database::parse(""), Database::Silent(_)));
    }

    #[test]
    fn the_view_with_quorum_counts() {
        let isolated = Status { quorate: Some(false), ..Status::default() };
        let whole = Status { quorate: Some(true), ..Status::default() };
        assert_eq!(best_view(vec![Ok(isolated.clone()), Ok(whole.clone())]), Ok(whole));
        assert_eq!(best_view(vec![Err("off".to_owned()), Ok(isolated.clone())]), Ok(isolated.clone()));
        assert_eq!(best_view(vec![Ok(isolated.clone()), Err("off".to_owned())]), Ok(isolated));
    }
}
