//! What every part of the client is given: where the databases are, one clock, and what can go wrong.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host::error::LabError;

/// Why the client could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The network namespace can't be entered.
    #[error("cannot enter the lab's network namespace {path}: {reason}; is the lab up, and are you root?")]
    Namespace {
        /// The namespace's file.
        path: PathBuf,
        /// What the kernel said.
        reason: String,
    },
    /// No thread, no runtime.
    #[error("cannot start the client's thread {name}: {reason}")]
    Thread {
        /// Which part.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// A node that is not there, or whose inside can't be found.
    #[error("there is no way into the node {node}")]
    NoWayInside {
        /// The node's name.
        node: String,
    },
    /// The server did not do what setting up or reading back needs.
    #[error("{doing} on {address}: {reason}")]
    Server {
        /// What was tried.
        doing: &'static str,
        /// Which address.
        address: IpAddr,
        /// Why it failed.
        reason: String,
    },
}

impl From<ClientError> for LabError {
    fn from(error: ClientError) -> Self {
        Self::Client(error.to_string())
    }
}

/// The client's clock: all its times are since this start.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the client's start.
    #[must_use]
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Finds the network namespace of a node by the node's name.
pub type FindNamespace = dyn Fn(&str) -> Option<PathBuf> + Send + Sync;

/// How to get inside a node; finds `None` when the node is off.
#[derive(Clone)]
pub struct Inside(pub Arc<FindNamespace>);

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inside")
    }
}

/// Where the databases are and who the client is.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// File of the network namespace to work in; `None` stays in the caller's.
    pub netns: Option<PathBuf>,
    /// The primary's float IP.
    pub primary: IpAddr,
    /// A float IP of the standbys, where there is one.
    pub standby: Option<IpAddr>,
    /// Each database node by its own address.
    pub nodes: Vec<(String, IpAddr)>,
    /// How the direct probes get inside a node that is cut off: an isolated primary is reached only by
    /// clients on its own side. `None` leaves them outside.
    pub inside: Option<Inside>,
    /// The port of all of them.
    pub port: u16,
    /// Role to log in as; it must be let in without a password, or with `password`.
    pub user: String,
    /// Its password, when the servers ask for one.
    pub password: Option<String>,
    /// Database.
    pub dbname: String,
}
