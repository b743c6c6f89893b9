//! From running clients to the truth checker's findings: stops them, reads back, checks each instance.

use std::time::Duration;

use crate::client::clients::Clients;
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::host::error::Result;
use crate::host::wait::{OnInterrupt, until};
use crate::truth::{self, Finding, Found};

/// For the primaries to be there.
const PRIMARY: Duration = Duration::from_secs(60);
/// To read everything back: a login may take long on a busy host.
const READ: Duration = Duration::from_secs(60);

/// What was found on all instances together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Acknowledged writes.
    pub acked: usize,
    /// Those that are lost.
    pub lost: usize,
    /// Unanswered ones that are there.
    pub recovered: usize,
    /// Refused ones that are there.
    pub came_back: usize,
    /// Write-ahead log that was lost, where the positions are known.
    pub lost_bytes: Option<u64>,
    /// Time over which the lost writes were acknowledged, in ms; of the instance that fared worst.
    pub lost_ms: u64,
    /// All findings.
    pub findings: Vec<Found>,
}

/// Stops the clients, reads everything back from the primaries that are left in the end, and checks.
///
/// # Errors
/// When an instance has no primary in time, or it can't be read.
pub fn verify(cluster: &Cluster, clients: &mut Clients) -> Result<Verified> {
    clients.stop();
    let mut verified = Verified::default();
    for (client, instance) in clients.each().iter().zip(&cluster.site().instances) {
        let primary = until("one primary to read back from", PRIMARY, OnInterrupt::Stop, || {
            let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
            let primary = seen.primary_of(instance).ok_or("nothing is promoted")?;
            cluster.node(primary).map_err(|e| e.to_string())
        })?;
        let end = until("the writes read back", READ, OnInterrupt::Stop, || {
            client.read_back(primary.address).map_err(|e| e.to_string())
        })?;
        verified.add(&instance.name, truth::check(&client.operations(), &end));
    }
    Ok(verified)
}

impl Verified {
    fn add(&mut self, instance: &str, truth: truth::Truth) {
        self.acked += truth.acked;
        self.lost += truth.lost();
        self.recovered += truth.recovered();
        self.came_back += truth.came_back();
        for finding in truth.findings {
            if let Finding::LostAcked { bytes, span_ms, .. } = &finding {
                self.lost_ms = self.lost_ms.max(*span_ms);
                if let Some(bytes) = bytes {
                    self.lost_bytes = Some(self.lost_bytes.unwrap_or(0) + bytes);
                }
            }
            self.findings.push(Found { instance: instance.to_owned(), finding });
        }
    }
}
