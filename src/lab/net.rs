//! The lab's network: a namespace of its own with a bridge, to which every node has a cable.

use super::error::Result;
use super::layout;
use super::paths::ClusterName;
use super::run;
use std::time::Duration;

/// The bridge inside the lab's network namespace.
pub const BRIDGE: &str = "br0";
/// The name that systemd-nspawn gives to a node's end of the cable.
pub const NODE_INTERFACE: &str = "host0";
/// An `ip` command is a matter of milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// Makes the namespace, the bridge and the lab's own address on it.
pub fn create(name: &ClusterName) -> Result<()> {
    run::check(&["ip", "netns", "add", &name.netns()], DEADLINE)?;
    let address = format!("{}/{}", layout::OUTSIDE, layout::PREFIX);
    inside(name, &["ip", "link", "set", "lo", "up"])?;
    inside(name, &["ip", "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0"])?;
    inside(name, &["ip", "addr", "add", &address, "dev", BRIDGE])?;
    inside(name, &["ip", "link", "set", BRIDGE, "up"])
}

/// Removes the namespace and all in it. One that isn't there is as good.
pub fn remove(name: &ClusterName) -> Result<()> {
    if name.netns_path().exists() {
        run::check(&["ip", "netns", "delete", &name.netns()], DEADLINE)?;
    }
    Ok(())
}

/// The words to put before a command that has to run in the namespace. Not `ip netns exec`: it mounts /sys anew, and
/// so hides the control groups.
pub fn prefix(name: &ClusterName) -> Vec<String> {
    vec!["nsenter".into(), format!("--net={}", name.netns_path().display())]
}

/// Pulls the cable of a node. A node that is off has none: as good.
pub fn unlink(name: &ClusterName, node: &str) -> Result<()> {
    set(name, node, "down")
}

/// Puts the cable of a node in again.
pub fn link(name: &ClusterName, node: &str) -> Result<()> {
    set(name, node, "up")
}

fn set(name: &ClusterName, node: &str, state: &str) -> Result<()> {
    let interface = format!("vb-{node}");
    let mut words = prefix(name);
    words.extend(["ip", "link", "set", &interface, state].map(str::to_owned));
    let output = run::run(&words, None, DEADLINE)?;
    if output.stderr.contains("Cannot find device") {
        return Ok(());
    }
    output.success(&words.join(" ")).map(drop)
}

fn inside(name: &ClusterName, argv: &[&str]) -> Result<()> {
    let mut words = prefix(name);
    words.extend(argv.iter().map(|w| (*w).to_owned()));
    run::check(&words, DEADLINE).map(drop)
}
