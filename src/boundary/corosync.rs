//! corosync's own word: its tool for votequorum, and its configuration.

use std::path::Path;

use super::clock::Deadline;
use super::command::{Command, Environment};
use super::corosync_socket;
use super::host::{HostError, HostResult};
use super::storage;
use crate::cluster::corosync::{conf, tools};

/// Asks votequorum.
pub const QUORUMTOOL: &str = "/usr/sbin/corosync-quorumtool";
/// What it connects to, with the rights of who starts it.
const ITS_SOCKETS: [&str; 3] = ["cmap", "cfg", "votequorum"];
/// Where corosync reads its configuration.
pub const CONFIGURATION: &str = "/etc/corosync/corosync.conf";

/// Votes and members, as votequorum says at this moment. It answers within milliseconds, and not at all while corosync forms its
/// membership.
///
/// # Errors
/// When it does not answer before the deadline, makes no sense, or somebody else listens in its place.
pub fn votes(quorumtool: &Path, deadline: Deadline) -> HostResult<tools::Votes> {
    if quorumtool == Path::new(QUORUMTOOL) {
        ITS_SOCKETS.into_iter().try_for_each(corosync_socket::is_roots)?;
    }
    let command = Command::new(quorumtool).environment(Environment::Clean).arg("-s");
    // Without quorum its exit code is not 0.
    let output = command.run_any(deadline)?;
    tools::votes(&output.text()).ok_or_else(|| {
        HostError::unusable(format!("corosync-quorumtool -s: {} {}", output.text(), output.stderr))
    })
}

/// The names of all members that are configured.
///
/// # Errors
/// When the configuration can't be read, or corosync would refuse it.
pub fn names(configuration: &Path) -> HostResult<Vec<String>> {
    Ok(nodes(configuration)?.into_iter().filter_map(|node| node.name).collect())
}

/// The name of the member with that id, where it has one.
///
/// # Errors
/// As [`names`].
pub fn name_of(configuration: &Path, id: u32) -> HostResult<Option<String>> {
    let is = |node: &conf::Node| node.id.as_deref().is_some_and(|given| given.parse() == Ok(id));
    Ok(nodes(configuration)?.into_iter().find(is).and_then(|node| node.name))
}

fn nodes(configuration: &Path) -> HostResult<Vec<conf::Node>> {
    let text = storage::read_text(configuration)?;
    let conf = conf::parse(&text).map_err(|e| {
        HostError::unusable(format!("{}:{}: {}; {}", configuration.display(), e.line, e.what, e.cure))
    })?;
    Ok(conf.nodes)
}
