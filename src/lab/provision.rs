//! Sets a cluster up on booted nodes as an operator would: with the scripts of `vagrant/provision` and `pcs-templates`.

use super::cluster::Cluster;
use super::error::{LabError, Result};
use super::layout::{self, CLASSIC, NodePlan};
use super::progress::Progress;
use super::protocol::NodeKind;
use super::timing::Values;
use std::time::Duration;

/// A script and the name under which errors mention it.
type Script = (&'static str, &'static str);
const HOSTS: Script = ("hosts.sh", include_str!("../../vagrant/provision/hosts.sh"));
const WITNESS: Script = ("witness.sh", include_str!("../../vagrant/provision/witness.sh"));
const POSTGRES: Script = ("postgres.sh", include_str!("../../vagrant/provision/postgres.sh"));
const PRIMARY: Script = ("primary.sh", include_str!("../../vagrant/provision/primary.sh"));
const STANDBY: Script = ("standby.sh", include_str!("../../vagrant/provision/standby.sh"));
const FINISH: Script = ("finish.sh", include_str!("../../vagrant/provision/finish.sh"));
const CLUSTER: Script = ("cluster.sh", include_str!("../../vagrant/provision/cluster.sh"));
const WATCHDOG: Script = ("watchdog.sh", include_str!("../../vagrant/provision/watchdog.sh"));
const RESOURCES: Script = ("classic.sh", include_str!("../../pcs-templates/classic.sh"));

const HACLUSTER_PASSWORD: &str = "hacluster-in-the-lab";
const REPLICATION_PASSWORD: &str = "replicator-in-the-lab";
/// Seen: 15 s for the slowest (cluster.sh).
const SCRIPT_DEADLINE: Duration = Duration::from_secs(90);
const CIB: &str = "/var/lib/pacemaker/cib/cib.xml";

/// Which PostgreSQL resource agent the cluster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Agent {
    /// Ours, `ocf:quorate:postgres`.
    Quorate,
    /// `ocf:heartbeat:pgsqlms`, for comparison.
    Paf,
}

impl Agent {
    /// Its name on the command line and in the scripts.
    pub fn name(self) -> &'static str {
        match self {
            Agent::Quorate => "quorate",
            Agent::Paf => "paf",
        }
    }
}

/// All the scripts: what a prepared disk depends on.
const SCRIPTS: [Script; 9] =
    [HOSTS, WITNESS, POSTGRES, PRIMARY, STANDBY, FINISH, CLUSTER, WATCHDOG, RESOURCES];

/// A number that changes when a prepared disk would become another one: by the scripts, or by what they are given.
pub fn fingerprint(agent: Agent, values: &Values) -> u32 {
    let scripts: Vec<&str> = SCRIPTS.iter().map(|(_, text)| *text).collect();
    crc32c::crc32c(format!("{agent:?} {values:?} {CLASSIC:?} {}", scripts.join("\n")).as_bytes())
}

/// What to set up.
pub struct Plan<'a> {
    pub cluster: &'a Cluster,
    pub agent: Agent,
    pub values: Values,
    pub progress: &'a Progress,
}

impl Plan<'_> {
    /// From booted nodes to a cluster that could be started.
    pub fn prepare(&self) -> Result<()> {
        self.progress.step("nodes: names, passwords, pcsd");
        let nodes = listed(&CLASSIC);
        parallel(&CLASSIC, |node| {
            self.script(node, HOSTS, &[("NODES", &nodes), ("HACLUSTER_PASSWORD", HACLUSTER_PASSWORD)])?;
            match node.kind {
                NodeKind::Database => self.script(
                    node,
                    POSTGRES,
                    &[("NETWORK", layout::NETWORK), ("REPLICATION_PASSWORD", REPLICATION_PASSWORD)],
                ),
                NodeKind::Witness => self.script(node, WITNESS, &[]),
            }
        })?;
        // Membership and data have nothing to do with each other: both at once.
        let cib = std::thread::scope(|scope| {
            let cluster = scope.spawn(|| self.membership().and_then(|()| self.configuration()));
            let data = scope.spawn(|| self.data());
            let cib = joined(cluster);
            joined(data).and(cib)
        })?;
        self.install(&cib)
    }

    /// pcs on the first node: authentication, membership, quorum device, sbd.
    fn membership(&self) -> Result<()> {
        self.progress.step("cluster: pcs host auth, cluster setup, quorum device add, stonith sbd enable");
        let v = &self.values;
        let members = listed(&databases());
        self.script(
            &first(),
            CLUSTER,
            &[
                ("CLUSTER", "classic"),
                ("NODES", &members),
                ("WITNESS", &listed(&[witness()])),
                ("HACLUSTER_PASSWORD", HACLUSTER_PASSWORD),
                ("TOKEN", &v.token_ms.to_string()),
                ("QDEVICE_TIMEOUT", &v.qdevice_timeout_ms.to_string()),
                ("QDEVICE_SYNC_TIMEOUT", &v.qdevice_sync_timeout_ms.to_string()),
                ("WATCHDOG_TIMEOUT", &v.watchdog_s.to_string()),
            ],
        )?;
        self.progress.step("cluster: configured");
        Ok(())
    }

    /// PostgreSQL's roles on the first node, and the standbys' copies.
    fn data(&self) -> Result<()> {
        self.progress.step("postgres: roles, pg_basebackup");
        let first = first();
        self.script(
            &first,
            PRIMARY,
            &[
                ("REPLICATION_PASSWORD", REPLICATION_PASSWORD),
                ("CLIENT_USER", layout::CLIENT_USER),
                ("CLIENT_PASSWORD", layout::CLIENT_PASSWORD),
                ("CLIENT_DATABASE", layout::CLIENT_DATABASE),
            ],
        )?;
        let address = first.address.to_string();
        let standbys: Vec<NodePlan> = databases().into_iter().filter(|n| n.name != first.name).collect();
        parallel(&standbys, |node| self.script(node, STANDBY, &[("PRIMARY", &address)]))?;
        let float = layout::PRIMARY_IP.to_string();
        parallel(&databases(), |node| {
            let variables = [("AGENT", self.agent.name()), ("NODE", node.name), ("PRIMARY_IP", &float)];
            self.script(node, FINISH, &variables)
        })?;
        self.progress.step("postgres: standby copied");
        Ok(())
    }

    /// The cluster's configuration as pcs writes it to a file.
    fn configuration(&self) -> Result<String> {
        self.progress.step("cluster: resources, constraints and properties (pcs-templates/classic.sh)");
        let v = &self.values;
        let first = first();
        let versions = self.run(first.name, &["ls", "/usr/lib/postgresql"], None)?;
        let version = versions.lines().max().unwrap_or_default().to_owned();
        let numbers = [
            ("STONITH_WATCHDOG_TIMEOUT", v.stonith_watchdog_s.to_string()),
            ("MONITOR_PROMOTED", format!("{}s", v.monitor_promoted_s)),
            ("MONITOR_UNPROMOTED", format!("{}s", v.monitor_unpromoted_s)),
            ("MONITOR_TIMEOUT", format!("{}s", v.monitor_timeout_s)),
            ("PRIMARY_IP", layout::PRIMARY_IP.to_string()),
            ("STANDBY_IP", layout::STANDBY_IP.to_string()),
            ("NETMASK", layout::PREFIX.to_string()),
        ];
        let mut variables: Vec<(&str, &str)> = numbers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        variables.extend([
            ("AGENT", self.agent.name()),
            ("PG_VERSION", version.as_str()),
            ("NO_QUORUM_POLICY", v.no_quorum_policy),
        ]);
        self.script_with(&first, RESOURCES, &variables, &["/root/cib.xml"])?;
        self.run(first.name, &["cat", "/root/cib.xml"], None)
    }

    /// Puts the configuration in place before the first start: so dc-deadtime holds from the first moment on, and nobody
    /// waits its default of 20 s. Only now: `pcs cluster setup` removes what was there.
    fn install(&self, cib: &str) -> Result<()> {
        parallel(&databases(), |node| {
            self.script(node, WATCHDOG, &[])?;
            let place = format!(
                "install -o hacluster -g haclient -m 0750 -d /var/lib/pacemaker/cib && rm -f {CIB}* && \
                 install -o hacluster -g haclient -m 0600 /dev/stdin {CIB}"
            );
            self.run(node.name, &["sh", "-c", &place], Some(cib)).map(drop)
        })
    }

    fn script(&self, node: &NodePlan, script: Script, variables: &[(&str, &str)]) -> Result<()> {
        self.script_with(node, script, variables, &[])
    }

    fn script_with(
        &self,
        node: &NodePlan,
        (name, text): Script,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<()> {
        let mut argv: Vec<String> = vec!["env".into()];
        argv.extend(variables.iter().map(|(k, v)| format!("{k}={v}")));
        argv.extend(["bash", "-s", "--"].map(str::to_owned));
        argv.extend(arguments.iter().map(|a| (*a).to_owned()));
        let output = self.cluster.exec_with_input(node.name, &argv, Some(text), SCRIPT_DEADLINE)?;
        output.success(&format!("{name} on {}", node.name)).map(drop)
    }

    fn run(&self, node: &str, argv: &[&str], input: Option<&str>) -> Result<String> {
        let output = self.cluster.exec_with_input(node, argv, input, SCRIPT_DEADLINE)?;
        output.success(&format!("{} on {node}", argv.join(" ")))
    }
}

/// The database nodes.
pub fn databases() -> Vec<NodePlan> {
    CLASSIC.into_iter().filter(|n| n.kind == NodeKind::Database).collect()
}

/// The node on which the cluster and the data are made.
fn first() -> NodePlan {
    CLASSIC[0]
}

/// The witness.
fn witness() -> NodePlan {
    CLASSIC[2]
}

fn listed(nodes: &[NodePlan]) -> String {
    nodes.iter().map(|n| format!("{}={}", n.name, n.address)).collect::<Vec<_>>().join(" ")
}

/// Does something on several nodes at once. All are done to their end; the first error is given.
pub fn parallel(nodes: &[NodePlan], work: impl Fn(&NodePlan) -> Result<()> + Sync) -> Result<()> {
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = nodes.iter().map(|node| scope.spawn(move || work(node))).collect();
        threads.into_iter().map(joined).collect()
    });
    results.into_iter().collect()
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(LabError::Host("a thread of the set-up ended by itself".into())))
}
