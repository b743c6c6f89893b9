//! The measuring clients of a cluster: one for each instance, on one clock.

use crate::client::state::ClientState;
use crate::client::state::Source;
use crate::client::{Client, Clock, Endpoints, HEART_PERIOD, Inside, Pace, Pause};
use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::machines::plan::{CLIENT_DATABASE, CLIENT_PASSWORD, CLIENT_USER};
use crate::record::measure::{Outage, good_for, last_good_write, longest_pause, outage};
use quorate::layout::site::{Instance, Site};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A client for each instance, in the site's order.
#[derive(Debug)]
pub struct Clients {
    clock: Clock,
    each: Vec<Client>,
}

impl Clients {
    /// Starts them; see [`Client::start`].
    ///
    /// # Errors
    /// As there.
    pub fn start(cluster: &Cluster, prefix: &'static str, patience: Duration) -> Result<Self> {
        Self::start_at(cluster, prefix, Pace { heart: HEART_PERIOD, tables: patience })
    }

    /// Starts them with another pace.
    ///
    /// # Errors
    /// As [`Client::start`].
    pub fn start_at(cluster: &Cluster, prefix: &'static str, pace: Pace) -> Result<Self> {
        let clock = Clock::start();
        let instances = cluster.site().instances.iter();
        let start = |instance| Ok(Client::start(endpoints(cluster, instance), prefix, clock, pace)?);
        Ok(Self { clock, each: instances.map(start).collect::<Result<_>>()? })
    }

    /// The clients' time now.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Each of them.
    #[must_use]
    pub fn each(&self) -> &[Client] {
        &self.each
    }

    /// Opens a session on each instance's primary; see [`Client::open_session`].
    ///
    /// # Errors
    /// As there.
    pub fn open_sessions(&mut self) -> Result<()> {
        for client in &mut self.each {
            client.open_session()?;
        }
        Ok(())
    }

    /// Opens a session from inside each of these nodes that has an instance's primary, which are given in the instances'
    /// order; see [`Client::open_inside`]. The fault `lasts` so long.
    ///
    /// # Errors
    /// As there.
    pub fn open_inside(&mut self, primaries: &[String], nodes: &[String], lasts: Duration) -> Result<()> {
        for (client, primary) in self.each.iter_mut().zip(primaries).filter(|(_, p)| nodes.contains(p)) {
            client.open_inside(primary, lasts)?;
        }
        Ok(())
    }

    /// Has the history know that nodes stood still; see [`Client::stood_still`].
    pub fn stood_still(&mut self, pauses: &[Pause]) {
        self.each.iter_mut().for_each(|client| client.stood_still(pauses.to_vec()));
    }

    /// Whether a session inside a node writes on one server while the float IP leads to another one.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.each.iter().any(Client::is_split)
    }

    /// Stops all of them; what they saw stays readable.
    pub fn stop(&mut self) {
        self.each.iter_mut().for_each(Client::stop);
    }

    /// For how long the writes to every instance have been good now.
    #[must_use]
    pub fn good_for(&self) -> Duration {
        let now = self.now();
        self.each.iter().map(|c| good_for(&c.heart().snapshot(), now)).min().unwrap_or_default()
    }

    /// The worst outage of an instance.
    #[must_use]
    pub fn outage(&self, from: Since, until: Duration) -> Outage {
        let outages = self.each.iter().map(|client| {
            let heart = client.heart().snapshot();
            let from = match from {
                Since::Moment(at) => at,
                Since::LastGoodWrite(at) => last_good_write(&heart, at, until),
            };
            outage(&heart, from, until)
        });
        outages.fold(Outage::None, Outage::worse)
    }

    /// The longest time without an acknowledged write to one of the instances.
    #[must_use]
    pub fn longest_pause(&self, from: Duration, until: Duration) -> Duration {
        let pauses = self.each.iter().map(|c| longest_pause(&c.heart().snapshot(), from, until));
        pauses.max().unwrap_or_default()
    }

    /// The longest time in which two nodes took writes of one instance.
    #[must_use]
    pub fn two_primaries(&self, from: Duration, until: Duration) -> Duration {
        self.each.iter().map(|c| c.two_primaries(from, until)).max().unwrap_or_default()
    }

    /// The client of each now.
    #[must_use]
    pub fn clients_seen(&self) -> Vec<ClientState> {
        self.each.iter().map(|c| c.source().client()).collect()
    }

    /// Where another thread gets the clients_seen from.
    #[must_use]
    pub fn source(&self) -> ClientStates {
        ClientStates(self.each.iter().map(Client::source).collect())
    }

    /// Forgets old history; for a view that runs for days.
    pub fn trim(&self, keep: usize) {
        self.each.iter().for_each(|c| c.trim(keep));
    }
}

/// Gives the clients_seen of a cluster's clients to whoever wants to look at them while a test runs.
#[derive(Debug, Clone, Default)]
pub struct ClientStates(Vec<Source>);

impl ClientStates {
    /// The client of each client now; none once they have stopped.
    #[must_use]
    pub fn now(&self) -> Vec<ClientState> {
        self.0.iter().filter(|source| source.works()).map(Source::client).collect()
    }
}

/// From when on an outage counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// From this moment.
    Moment(Duration),
    /// From the last good write before the interruption that follows this moment.
    LastGoodWrite(Duration),
}

/// Where the client of an instance finds its databases.
fn endpoints(cluster: &Cluster, instance: &Instance) -> Endpoints {
    let site: &Site = cluster.site();
    Endpoints {
        netns: Some(cluster.netns()),
        primary: instance.primary_ip,
        standby: instance.standby_ips.first().copied(),
        nodes: site.nodes.iter().map(|n| (n.name.clone(), n.address())).collect(),
        inside: Some(inside(cluster)),
        port: instance.port,
        user: CLIENT_USER.to_owned(),
        password: Some(CLIENT_PASSWORD.to_owned()),
        dbname: CLIENT_DATABASE.to_owned(),
    }
}

/// A node's network namespace is that of its init, which is another one after each boot.
fn inside(cluster: &Cluster) -> Inside {
    let cluster = cluster.clone();
    Inside(Arc::new(move |node| {
        let leader = cluster.node(node).ok()?.leader?;
        Some(PathBuf::from(format!("/proc/{leader}/ns/net")))
    }))
}
