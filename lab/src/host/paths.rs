//! Names and places: everything that a cluster of the lab leaves on the host is found by its name.

use super::error::{LabError, Result};
use std::path::{Path, PathBuf};

/// Where templates and the nodes' disks are.
pub const STATE_DIR: &str = "/var/lib/quorate-lab";
/// Where sockets and the supervisor's files are.
pub const RUN_DIR: &str = "/run/quorate-lab";
/// A cluster's name when none is given.
pub const DEFAULT_NAME: &str = "classic";
/// Long enough to be told apart; an interface name of the kernel has 15 characters.
const MAX_NAME: usize = 24;

/// The name of a cluster, fit for file names, cgroups and network namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String);

impl ClusterName {
    /// Checks a name: lower-case letters, digits and inner dashes.
    pub fn parse(name: &str) -> Result<ClusterName> {
        let good = !name.is_empty()
            && name.len() <= MAX_NAME
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        if good {
            Ok(ClusterName(name.to_owned()))
        } else {
            Err(LabError::Host(format!(
                "{name:?} can't name a cluster: use up to {MAX_NAME} lower-case letters, digits and inner dashes"
            )))
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory of sockets.
    pub fn run_dir(&self) -> PathBuf {
        Path::new(RUN_DIR).join(&self.0)
    }

    /// The directory that is bound into a node at /run/quorate-lab.
    pub fn node_run_dir(&self, node: &str) -> PathBuf {
        self.run_dir().join("nodes").join(node)
    }

    /// The supervisor's control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.run_dir().join("control.sock")
    }

    /// The lock that a supervisor holds while it lives. Outside [`Self::run_dir`], so that removing that
    /// directory never removes a lock that somebody else has just taken.
    pub fn lock_file(&self) -> PathBuf {
        Path::new(RUN_DIR).join(format!("{}.lock", self.0))
    }

    /// What the supervisor has to say.
    pub fn log_file(&self) -> PathBuf {
        Path::new(RUN_DIR).join(format!("{}.log", self.0))
    }

    /// The directory of the nodes' disks.
    pub fn state_dir(&self) -> PathBuf {
        Path::new(STATE_DIR).join("clusters").join(&self.0)
    }

    /// Where the supervisor sees the host's root, on a host whose root is no mount point.
    pub fn root_dir(&self) -> PathBuf {
        Path::new(RUN_DIR).join(format!("{}.root", self.0))
    }
}

impl std::fmt::Display for ClusterName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["classic", "a", "ci-2"] {
            assert!(ClusterName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a b", "abcdefghijklmnopqrstuvwxyz"] {
            assert!(ClusterName::parse(bad).is_err(), "{bad}");
        }
    }
}
