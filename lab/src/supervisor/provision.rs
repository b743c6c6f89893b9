//! Sets a cluster up on booted nodes as an operator would: with the steps that `quorate layout render` writes for its site.

use crate::cluster::handle::Cluster;
use crate::cluster::observe::SOCKETS;
use crate::host::error::{LabError, Result};
use crate::host::progress::Progress;
use crate::machines::data_disk;
use crate::machines::plan::{CLIENT_DATABASE, CLIENT_PASSWORD, CLIENT_USER, WitnessIs, machines};
use quorate::layout::render::{self, Agent, CLUSTER, RESOURCES, Rendered, Step};
use quorate::layout::site::{Instance, Site};
use std::time::Duration;

/// What the steps are given beside their own values.
/// The instance that Debian's package makes, at port 5432.
const DEBIANS: &str = "main";
const DROP_DEBIANS: &str = "pg_lsclusters --no-header | while read -r version name rest; do \
     [ \"$name\" != main ] || pg_dropcluster --stop \"$version\" \"$name\" </dev/null || exit; done";
const ENVIRONMENT: [(&str, &str); 3] = [
    ("HACLUSTER_PASSWORD", "hacluster-in-the-lab"),
    ("REPLICATION_PASSWORD", "replicator-in-the-lab"),
    // The device is there from sbd's own start on, for sbd alone.
    ("WITHOUT_WATCHDOG_CHECK", "yes"),
];
/// Seen: 15 s for the slowest, the membership of two nodes; more than 180 s at a load of 24 on two processors.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(400);
const CIB: &str = "/var/lib/pacemaker/cib/cib.xml";
/// The last step in which every machine takes part: what follows is either data or membership.
const COMMON: &str = "2-";
/// After this step the primaries run and the standbys are not copied yet.
const PRIMARIES: &str = "4-primary.sh";

/// The measuring client's role and database. No standby is there yet that a commit could wait for.
const CLIENT_SQL: &str = "CREATE ROLE :\"client\" LOGIN PASSWORD :'password'; GRANT pg_monitor TO :\"client\"; \
    CREATE DATABASE :\"database\" OWNER :\"client\";";

/// Makes the witness number the certificates that it signs from some chance number on. It counts from where its disk was
/// prepared; the quorum device's clients may have been prepared with another one that counted from there too, and its
/// server refuses the second certificate of a number.
const SERIAL: &str =
    "echo $((1000 + $(od -An -N4 -tu4 /dev/urandom) % 1000000000)) >/etc/corosync/qnetd/nssdb/serial.txt";

/// The scripts of a site.
///
/// # Errors
/// A fault in a template.
pub fn scripts(site: &Site, agent: Agent) -> Result<Vec<Rendered>> {
    render::render(site, agent).map_err(LabError::Host)
}

/// A number that changes when a prepared disk would become another one: by the scripts, or by what the lab adds.
///
/// # Errors
/// A fault in a template.
pub fn fingerprint(site: &Site, agent: Agent, witness_is: WitnessIs) -> Result<u32> {
    let scripts: Vec<String> = scripts(site, agent)?.into_iter().map(|r| r.text).collect();
    // The nodes' own file systems are prepared too.
    let data = data_disk::KINDS.map(|kind| kind.mount_point).join(" ");
    let own = format!("{ENVIRONMENT:?} {CLIENT_SQL} {SERIAL} {data} {:?}", machines(site, witness_is));
    Ok(crc32c::crc32c(format!("{agent:?} {own} {}", scripts.join("\n")).as_bytes()))
}

/// What to set up.
pub struct Plan<'a> {
    pub cluster: &'a Cluster,
    pub agent: Agent,
    pub witness_is: WitnessIs,
    pub progress: &'a Progress,
}

impl Plan<'_> {
    /// From booted nodes to a cluster that could be started.
    ///
    /// # Errors
    /// The first step that failed, with what it said.
    pub fn prepare(&self) -> Result<()> {
        let site = self.cluster.site();
        let scripts = scripts(site, self.agent)?;
        let steps = render::steps(site);
        let (common, rest): (Vec<&Step>, Vec<&Step>) =
            steps.iter().partition(|s| *s.script < *COMMON || s.script.starts_with(COMMON));
        for step in common {
            self.step(&scripts, step)?;
        }
        if let Some(witness) = &site.witness {
            self.run(&witness.name, &["sh", "-c", SERIAL], None)?;
        }
        let (cluster, data): (Vec<&Step>, Vec<&Step>) =
            rest.into_iter().partition(|s| s.script == CLUSTER || s.script == RESOURCES);
        // Membership and data have nothing to do with each other: both at once.
        let cib = std::thread::scope(|scope| {
            let cluster = scope.spawn(|| self.membership(&scripts, &cluster));
            let data = scope.spawn(|| self.data(&scripts, &data));
            let cib = joined(cluster);
            joined(data).and(cib)
        })?;
        self.finish(&cib)
    }

    /// pcs on the first node; gives the cluster's configuration as pcs writes it to a file.
    fn membership(&self, scripts: &[Rendered], steps: &[&Step]) -> Result<String> {
        const FILE: &str = "/root/cib.xml";
        let mut cib = None;
        for step in steps {
            if step.script != RESOURCES {
                self.step(scripts, step)?;
                continue;
            }
            self.progress.step(&format!("{}: {}", step.script, step.summary));
            for node in &step.machines {
                self.script(node, text_of(scripts, step)?, step.script, &[FILE])?;
                cib = Some(self.run(node, &["cat", FILE], None)?);
            }
        }
        cib.ok_or_else(|| LabError::Host(format!("no step is called {RESOURCES}")))
    }

    /// PostgreSQL's instances, and between them the measuring client's role.
    fn data(&self, scripts: &[Rendered], steps: &[&Step]) -> Result<()> {
        // The decision that step 3 asks an operator for.
        if self.cluster.site().instances.iter().all(|instance| instance.name != DEBIANS) {
            for node in steps.first().iter().flat_map(|step| &step.machines) {
                self.run(node, &["sh", "-c", DROP_DEBIANS], None)?;
            }
        }
        for step in steps {
            self.step(scripts, step)?;
            if step.script == PRIMARIES {
                self.cluster.site().instances.iter().try_for_each(|i| self.client_role(i))?;
            }
        }
        Ok(())
    }

    fn client_role(&self, instance: &Instance) -> Result<()> {
        let psql = format!("/usr/lib/postgresql/{}/bin/psql", self.cluster.site().postgresql);
        let port = instance.port.to_string();
        let values = [("client", CLIENT_USER), ("password", CLIENT_PASSWORD), ("database", CLIENT_DATABASE)]
            .map(|(name, value)| format!("{name}={value}"));
        let mut argv = vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env"];
        argv.extend(["--chdir=/", "PGOPTIONS=-c synchronous_commit=local", &psql]);
        argv.extend(["-qX", "-h", SOCKETS, "-p", &port, "-d", "postgres", "-v", "ON_ERROR_STOP=1"]);
        values.iter().for_each(|value| argv.extend(["-v", value]));
        self.run(&instance.home, &argv, Some(CLIENT_SQL)).map(drop)
    }

    /// Puts the configuration in place before the first start: so dc-deadtime holds from the first moment on, and nobody
    /// waits its default of 20 s. Only now: `pcs cluster setup` removes what was there.
    fn finish(&self, cib: &str) -> Result<()> {
        let site = self.cluster.site();
        let place = format!(
            "install -o hacluster -g haclient -m 0750 -d /var/lib/pacemaker/cib && rm -f {CIB}* && \
             install -o hacluster -g haclient -m 0600 /dev/stdin {CIB}"
        );
        parallel(&databases(site), |node| self.run(node, &["sh", "-c", &place], Some(cib)).map(drop))
    }

    /// A step on all of its machines.
    fn step(&self, scripts: &[Rendered], step: &Step) -> Result<()> {
        self.progress.step(&format!("{}: {}", step.script, step.summary));
        let text = text_of(scripts, step)?;
        parallel(&step.machines, |node| self.script(node, text, step.script, &[]))
    }

    fn script(&self, node: &str, text: &str, name: &str, arguments: &[&str]) -> Result<()> {
        let mut argv: Vec<String> = vec!["env".into()];
        argv.extend(ENVIRONMENT.iter().map(|(k, v)| format!("{k}={v}")));
        argv.extend(["bash", "-s", "--"].map(str::to_owned));
        argv.extend(arguments.iter().map(|a| (*a).to_owned()));
        let output = self.cluster.exec_with_input(node, &argv, Some(text), SCRIPT_DEADLINE)?;
        output.success(&format!("{name} on {node}")).map(drop)
    }

    fn run(&self, node: &str, argv: &[&str], input: Option<&str>) -> Result<String> {
        let output = self.cluster.exec_with_input(node, argv, input, SCRIPT_DEADLINE)?;
        output.success(&format!("{} on {node}", argv.join(" ")))
    }
}

fn text_of<'a>(scripts: &'a [Rendered], step: &Step) -> Result<&'a str> {
    let found = scripts.iter().find(|s| s.path == step.script).map(|s| s.text.as_str());
    found.ok_or_else(|| LabError::Host(format!("the site has no script {}", step.script)))
}

/// The names of the database nodes.
pub fn databases(site: &Site) -> Vec<String> {
    site.nodes.iter().map(|n| n.name.clone()).collect()
}

/// Does something on several nodes at once. All are done to their end; the first error is given.
pub fn parallel(nodes: &[String], work: impl Fn(&str) -> Result<()> + Sync) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    #[test]
    fn a_prepared_disk_is_that_of_one_site_agent_and_witness() {
        let print = |kind, agent, witness_is| fingerprint(&site(kind), agent, witness_is).expect("renders");
        let one = print(Kind::Classic, Agent::Quorate, WitnessIs::Own);
        assert_eq!(one, print(Kind::Classic, Agent::Quorate, WitnessIs::Own));
        assert_ne!(one, print(Kind::Classic, Agent::Paf, WitnessIs::Own));
        assert_ne!(one, print(Kind::Classic, Agent::Quorate, WitnessIs::Borrowed));
        assert_ne!(one, print(Kind::Packed, Agent::Quorate, WitnessIs::Own));
    }

    #[test]
    fn the_steps_that_the_lab_goes_by_are_there() {
        for kind in Kind::ALL {
            let steps = render::steps(&site(kind));
            for name in [PRIMARIES, CLUSTER, RESOURCES] {
                assert!(steps.iter().any(|s| s.script == name), "{name} of {kind:?}");
            }
            assert!(steps[0].script < COMMON, "{kind:?}: every machine first");
        }
    }
}
