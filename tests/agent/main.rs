//! The agent's binary, driven as Pacemaker drives it, against real PostgreSQL instances, without a cluster.
//!
//! Each test has a world of its own: data directories made by initdb, loopback addresses of its own for the nodes, and
//! stand-ins for Pacemaker's command line tools, mounted over the real ones in a private mount namespace. Needs root
//! (the agent changes into the owner of the data, and Pacemaker runs it as root).
#![allow(clippy::disallowed_methods, reason = "tests start processes, sleep and read their own environment")]

#[path = "../common/left_out.rs"]
mod left_out;
mod support;

mod archive;
mod bad_input;
mod configuration;
mod crash;
mod disk;
mod frozen;
mod hiccup;
mod leftovers;
mod life_cycle;
mod notify;
mod planted;
#[cfg(feature = "cli")]
mod primary_here;
mod reasons;
mod scores;
mod standby;

/// The harness without the agent: one primary, one standby, nothing left.
#[test]
fn the_harness_itself() {
    let world = support::World::new("harness");
    let one = world.primary(1);
    let two = one.running_standby(2);
    one.write();
    one.wait_caught_up(&two);
    assert!(one.is_primary() && two.is_standby());
    two.signal_all(nix::sys::signal::Signal::SIGSTOP);
    let dir = world.dir.clone();
    drop(world);
    assert!(!dir.exists());
}
