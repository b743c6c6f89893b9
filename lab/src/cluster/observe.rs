//! What the lab sees of a cluster at one moment: machines, Pacemaker's view, each PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::machines::protocol::{NodeInfo, NodeKind, Power};
use quorate::cluster::crm_mon::{self, Role, Status};
use quorate::layout::site::{Instance, Site};

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

/// What a PostgreSQL says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// It does not answer, and why.
    Silent(String),
    /// It answers.
    Answers {
        /// Whether it is a standby.
        in_recovery: bool,
        /// Written (primary), received or replayed (standby), as PostgreSQL prints it.
        lsn: String,
        /// Timeline that it writes or receives; where it does neither, that of its newest checkpoint.
        timeline: String,
        /// How many standbys stream from it.
        standbys: u32,
        /// Host that it streams from.
        upstream: Option<String>,
    },
}

impl Database {
    /// Reads psql's one line, columns parted by `|`.
    fn parse(line: &str) -> Self {
        let columns: Vec<&str> = line.trim().split('|').collect();
        let &[in_recovery, lsn, timeline, standbys, upstream] = columns.as_slice() else {
            return Self::Silent(format!("psql printed {line:?}"));
        };
        Self::Answers {
            in_recovery: in_recovery == "t",
            lsn: lsn.to_owned(),
            timeline: timeline.to_owned(),
            standbys: standbys.parse().unwrap_or(0),
            upstream: Some(upstream.to_owned()).filter(|u| !u.is_empty()),
        }
    }
}

/// One node as seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The machine.
    pub info: NodeInfo,
    /// Its PostgreSQL of each of the site's instances; empty on the witness and on a node without power.
    pub databases: Vec<Database>,
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What there should be.
    pub site: Arc<Site>,
    /// The nodes, the witness last.
    pub nodes: Vec<Seen>,
    /// Pacemaker's view, from a node with quorum if there is one.
    pub status: std::result::Result<Status, String>,
}

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

    /// The node that has the first instance's primary; `None` when there is none, or more than one.
    #[must_use]
    pub fn primary(&self) -> Option<&str> {
        self.primary_of(self.site.instances.first()?)
    }

    /// The node on which Pacemaker has promoted this instance; `None` when there is none, or more than one.
    #[must_use]
    pub fn primary_of(&self, instance: &Instance) -> Option<&str> {
        match self.with_role(instance, &Role::Promoted).as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The nodes where Pacemaker runs this instance in that role.
    #[must_use]
    pub fn with_role(&self, instance: &Instance, role: &Role) -> Vec<&str> {
        let resource = self.site.names(instance).resource();
        self.status.as_ref().map_or(Vec::new(), |s| s.nodes_with_role(&resource, role))
    }

    /// The standby of an instance that would be promoted next, by its score.
    #[must_use]
    pub fn best_standby(&self, instance: &Instance) -> Option<&str> {
        let status = self.status.as_ref().ok()?;
        let resource = self.site.names(instance).resource();
        let score = |node: &&str| match status.promotion_score(&resource, node) {
            Some("INFINITY") => i64::MAX,
            Some(number) => number.parse().unwrap_or(i64::MIN),
            None => i64::MIN,
        };
        // Of equal ones the first: max_by_key would give the last.
        self.with_role(instance, &Role::Unpromoted).into_iter().rev().max_by_key(score)
    }

    /// What the PostgreSQL of this instance on that node says.
    #[must_use]
    pub fn database(&self, node: &str, instance: &Instance) -> Option<&Database> {
        let index = self.site.instances.iter().position(|i| i.name == instance.name)?;
        self.nodes.iter().find(|n| n.info.name == node)?.databases.get(index)
    }

    /// The database nodes.
    pub fn databases(&self) -> impl Iterator<Item = &Seen> {
        self.nodes.iter().filter(|n| n.info.kind == NodeKind::Database)
    }
}

/// An isolated node also answers, with its own lonely view: the one with quorum counts.
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
        let lonely = Status { quorate: Some(false), ..Status::default() };
        let whole = Status { quorate: Some(true), ..Status::default() };
        assert_eq!(best_view(vec![Ok(lonely.clone()), Ok(whole.clone())]), Ok(whole));
        assert_eq!(best_view(vec![Err("off".to_owned()), Ok(lonely.clone())]), Ok(lonely.clone()));
        assert_eq!(best_view(vec![Ok(lonely.clone()), Err("off".to_owned())]), Ok(lonely));
    }
}
