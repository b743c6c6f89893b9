//! What can go wrong in the lab. Each message names the value and, where there is one, the cure.

use std::path::PathBuf;

/// An error of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There is no cluster of that name.
    #[error("no cluster \"{0}\" is up; quorate-lab status shows those that are, quorate-lab up starts one")]
    NoSuchCluster(String),
    /// There is already a cluster of that name.
    #[error(
        "cluster \"{0}\" exists already; look at it with: quorate-lab status, remove it with: quorate-lab down --name {0}, or choose another --name"
    )]
    Exists(String),
    /// The cluster has no node of that name.
    #[error("cluster \"{cluster}\" has no node \"{node}\"; it has {known}")]
    NoSuchNode { cluster: String, node: String, known: String },
    /// The operation needs a node that is powered on.
    #[error("node {0} is powered off; start it with the fault \"heal\" or power_on")]
    PoweredOff(String),
    /// A command could not be run, or gave an exit code that its caller can't use.
    #[error("{command}: {problem}")]
    Command { command: String, problem: String },
    /// Something did not come true in time.
    #[error("{what}: not within {seconds} s{last}")]
    Timeout { what: String, seconds: u64, last: String },
    /// A file operation failed.
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    /// The supervisor answered with an error, or with something that isn't an answer.
    #[error("the lab's supervisor: {0}")]
    Supervisor(String),
    /// The host lacks something.
    #[error("{0}")]
    Host(String),
    /// The measuring client could not do its work.
    #[error("the measuring client: {0}")]
    Client(String),
    /// The user interrupted the work.
    #[error("interrupted")]
    Interrupted,
}

/// Shorthand for the lab's results.
pub type Result<T> = std::result::Result<T, LabError>;
