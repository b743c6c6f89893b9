//! Who watches a test: lines on a terminal, a picture that is drawn anew, the demo's stage.

use crate::client::clients::ClientStates;
use crate::client::state::ClientState;
use crate::cluster::handle::Cluster;
use crate::cluster::observe::Observation;
use crate::report::RunResult;

/// Who watches the runs of a test, one cluster's.
pub trait Audience {
    /// The test begins on this cluster, which is up.
    fn begin(&mut self, cluster: &Cluster);
    /// Clients are at work from now on; what they see can be asked for as long as they are.
    fn clients(&mut self, clients_seen: ClientStates);
    /// The fault is injected now.
    fn broken(&mut self);
    /// A step was made.
    fn say(&mut self, line: &str);
    /// The cluster while the fault lasts, every few seconds.
    fn look(&mut self, seen: &Observation, clients_seen: &[ClientState]);
    /// A run is over: the cluster is whole again, or the run has failed.
    fn finished(&mut self, result: &RunResult);
}
