//! The lab's network: a bridge, to which every node has a cable. The supervisor is in a network namespace of its own, and
//! with it whatever it starts; when the last of these processes has gone, the kernel removes all of it.

use super::error::Result;
use super::layout;
use super::run;
use std::time::Duration;

/// The bridge inside the lab's network namespace.
pub const BRIDGE: &str = "br0";
/// The name that systemd-nspawn gives to a node's end of the cable.
pub const NODE_INTERFACE: &str = "host0";
/// An `ip` command is a matter of milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// Makes the bridge and the lab's own address on it.
pub fn create() -> Result<()> {
    let address = format!("{}/{}", layout::OUTSIDE, layout::PREFIX);
    for words in [
        &["ip", "link", "set", "lo", "up"][..],
        &["ip", "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0"],
        &["ip", "addr", "add", &address, "dev", BRIDGE],
        &["ip", "link", "set", BRIDGE, "up"],
    ] {
        run::check(words, DEADLINE)?;
    }
    Ok(())
}

/// Pulls the cable of a node. A node that is off has none: as good.
pub fn unlink(node: &str) -> Result<()> {
    set(node, "down")
}

/// Puts the cable of a node in again.
pub fn link(node: &str) -> Result<()> {
    set(node, "up")
}

fn set(node: &str, state: &str) -> Result<()> {
    let words = ["ip", "link", "set", &format!("vb-{node}"), state];
    let output = run::run(&words, None, DEADLINE)?;
    if output.stderr.contains("Cannot find device") {
        return Ok(());
    }
    output.success(&words.join(" ")).map(drop)
}
