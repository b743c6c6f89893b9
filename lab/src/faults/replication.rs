//! Replication that is behind when a fault comes: without it an asynchronous standby on a network without delay has
//! nearly everything, and nothing is ever lost.
//!
//! What replays late (`recovery_min_apply_delay`) or does not read (a stopped walreceiver) still receives: the log waits in
//! a buffer on the standby's side, and a promotion finds it. So the packets themselves are dropped, on the standbys' side;
//! the sender repeats them, as long as it lives.

use std::fmt;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::host::error::{LabError, Result};
use crate::machines::plan::addresses;
use crate::machines::protocol::{NodeKind, Power};
use quorate::cluster::crm_mon::Role;
use quorate::layout::site::Site;

/// The table of packet filters in each node; removed as a whole.
const TABLE: &str = "quorate_lab_replication";
const QUICK: Duration = Duration::from_secs(10);
/// How long `stop` stops it before the fault: several seconds of writes, and less than any timeout of replication.
const STOP: Duration = Duration::from_secs(5);
/// Longer than this, standbys are noticed to be gone (`wal_receiver_timeout`), which is another experiment.
const LONGEST: Duration = Duration::from_secs(30);
/// How long `stop-one` stops it. Less than `wal_receiver_timeout`, so that the standby still looks well to its agent.
const STOP_ONE: Duration = Duration::from_secs(3);
/// The highest score that a standby may have: Pacemaker's first choice.
const FIRST_CHOICE: &str = "1000";
/// The score of the others meanwhile: of two equal ones Pacemaker takes either, and the primary would put them in order.
const SECOND_CHOICE: &str = "990";

/// How replication fares before the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lag {
    /// As the cluster has it.
    #[default]
    Free,
    /// The standbys are behind by this time when the fault comes.
    Behind(Duration),
    /// One standby is behind by this time: the one that Pacemaker would promote. The others have everything.
    OneBehind(Duration),
}

impl Lag {
    /// Reads a word of the command line.
    ///
    /// # Errors
    /// When it is none of `stop`, `stop-one`, and `delay=` with a time.
    pub fn parse(word: &str) -> std::result::Result<Self, String> {
        let wrong = || {
            format!(
                "{word:?} is none of stop, stop-one, and delay=TIME, up to {} s, as in delay=2s or delay=500ms",
                LONGEST.as_secs()
            )
        };
        if word == "stop" {
            return Ok(Self::Behind(STOP));
        }
        if word == "stop-one" {
            return Ok(Self::OneBehind(STOP_ONE));
        }
        let time = word.strip_prefix("delay=").ok_or_else(wrong)?;
        let (number, unit): (&str, fn(u64) -> Duration) = match time.strip_suffix("ms") {
            Some(number) => (number, Duration::from_millis),
            None => (time.strip_suffix('s').ok_or_else(wrong)?, Duration::from_secs),
        };
        let time = number.parse().map(unit).map_err(|_| wrong())?;
        if time.is_zero() || time > LONGEST { Err(wrong()) } else { Ok(Self::Behind(time)) }
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("free"),
            Self::Behind(time) => write!(f, "{} ms behind", time.as_millis()),
            Self::OneBehind(time) => write!(f, "one standby {} ms behind", time.as_millis()),
        }
    }
}

/// Replication that is cut. It is mended when this is dropped.
#[derive(Debug)]
pub struct Cut<'a> {
    cluster: &'a Cluster,
    choice: Option<Choice>,
}

/// Whom Pacemaker would promote.
#[derive(Debug)]
struct Choice {
    attribute: String,
    first: String,
    others: Vec<String>,
}

impl<'a> Cut<'a> {
    /// Cuts it on every database node that is on.
    ///
    /// # Errors
    /// When a node can't be reached or has no nft; what was cut until then is mended.
    pub fn make(cluster: &'a Cluster) -> Result<Self> {
        let nodes = databases(cluster)?;
        Self::on(cluster, &nodes, None)
    }

    /// Cuts it on one standby, and makes that the one that Pacemaker would promote; gives its name.
    ///
    /// # Errors
    /// When there is no standby, or it can't be done there.
    pub fn make_one(cluster: &'a Cluster, seen: &Observation) -> Result<(Self, String)> {
        let nobody = || LabError::Host("no standby is there to fall behind".to_owned());
        let instance = seen.site.instances.first().ok_or_else(nobody)?;
        let node = seen.best_standby(instance).ok_or_else(nobody)?.to_owned();
        let standbys = seen.with_role(instance, &Role::Unpromoted);
        let others = standbys.into_iter().filter(|n| *n != node).map(str::to_owned).collect();
        let attribute = format!("master-{}", seen.site.names(instance).resource());
        let choice = Choice { attribute, first: node.clone(), others };
        let cut = Self::on(cluster, std::slice::from_ref(&node), Some(choice))?;
        cut.prefer()?;
        Ok((cut, node))
    }

    /// Makes the standby that is cut off the first choice, again: the primary, whose looks go on, may have read the scores before that
    /// and written them since. Nothing to do where all are cut off.
    ///
    /// # Errors
    /// When the attribute can't be written.
    pub fn prefer(&self) -> Result<()> {
        let Some(Choice { attribute, first, others }) = &self.choice else { return Ok(()) };
        let others = others.iter().map(|node| (node, SECOND_CHOICE));
        for (node, score) in others.chain([(first, FIRST_CHOICE)]) {
            let argv = ["crm_attribute", "--lifetime", "reboot", "--node", node, "--name", attribute];
            let argv: Vec<&str> = argv.into_iter().chain(["--update", score]).collect();
            self.cluster.exec(first, &argv, QUICK)?.success(&argv.join(" "))?;
        }
        Ok(())
    }

    fn on(cluster: &'a Cluster, nodes: &[String], choice: Option<Choice>) -> Result<Self> {
        let cut = Self { cluster, choice };
        let rules = rules(cluster.site());
        for node in nodes {
            cluster.exec_with_input(node, &["nft", "-f", "-"], Some(&rules), QUICK)?.success("nft -f -")?;
        }
        Ok(cut)
    }
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        if let Err(e) = mend(self.cluster) {
            eprintln!(
                "mending replication: {e}; take the cluster down, or do it by hand with nft delete table inet {TABLE}"
            );
        }
    }
}

/// Mends replication wherever it is cut; gives the nodes where it was.
///
/// # Errors
/// The first one; all nodes are tried.
pub fn mend(cluster: &Cluster) -> Result<Vec<String>> {
    let mut mended = Vec::new();
    let mut first = Ok(());
    for node in databases(cluster)? {
        match mend_on(cluster, &node) {
            Ok(true) => mended.push(node),
            Ok(false) => {}
            Err(e) => first = first.and(Err(e)),
        }
    }
    first.map(|()| mended)
}

/// Whether there was anything to mend. A node that went off has lost its filters with its power.
fn mend_on(cluster: &Cluster, node: &str) -> Result<bool> {
    let out = match cluster.exec(node, &["nft", "delete", "table", "inet", TABLE], QUICK) {
        Err(LabError::PoweredOff(_)) => return Ok(false),
        other => other?,
    };
    if out.status != 0 && out.stderr.contains("No such file") {
        return Ok(false);
    }
    out.success(&format!("nft delete table inet {TABLE} on {node}")).map(|_| true)
}

fn databases(cluster: &Cluster) -> Result<Vec<String>> {
    let alive = cluster.nodes()?.into_iter().filter(|n| n.kind == NodeKind::Database && n.power == Power::On);
    Ok(alive.map(|n| n.name).collect())
}

/// The filters: nothing comes in from an instance's port on any of the site's addresses. A client outside is none of them.
fn rules(site: &Site) -> String {
    let ports: Vec<String> = site.instances.iter().map(|i| i.port.to_string()).collect();
    let mut text =
        format!("table inet {TABLE} {{\n  chain input {{\n    type filter hook input priority 0;\n");
    let all = addresses(site);
    for (family, of_family) in [
        ("ip", all.iter().filter(|a| matches!(a, IpAddr::V4(_))).collect::<Vec<_>>()),
        ("ip6", all.iter().filter(|a| matches!(a, IpAddr::V6(_))).collect()),
    ] {
        let list: Vec<String> = of_family.iter().map(ToString::to_string).collect();
        if !list.is_empty() {
            // Not over lo: a node's own clients and agent go on as ever.
            let _ = writeln!(
                text,
                "    iifname != \"lo\" {family} saddr {{ {} }} tcp sport {{ {} }} drop",
                list.join(", "),
                ports.join(", ")
            );
        }
    }
    text + "  }\n}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    #[test]
    fn words_are_read() {
        let behind = |ms| Ok(Lag::Behind(Duration::from_millis(ms)));
        assert_eq!(Lag::parse("stop"), behind(5000));
        assert_eq!(Lag::parse("delay=2s"), behind(2000));
        assert_eq!(Lag::parse("delay=300ms"), behind(300));
        assert_eq!(Lag::parse("stop-one"), Ok(Lag::OneBehind(STOP_ONE)));
        for bad in
            ["", "stop-two", "delay", "delay=", "delay=2", "delay=0s", "delay=1h", "delay=31s", "delay=-1s"]
        {
            assert!(Lag::parse(bad).is_err_and(|e| e.contains("delay=2s")), "{bad}");
        }
    }

    #[test]
    fn every_port_and_address_is_filtered() {
        let rules = rules(&site(Kind::Packed));
        assert!(
            rules.contains("192.168.56.11") && rules.contains("5432") && rules.contains("drop"),
            "{rules}"
        );
    }
}
