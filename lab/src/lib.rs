//! The lab: real clusters on one host, booted as systemd-nspawn machines and broken on purpose.
//!
//! `quorate-lab up` starts a background process, the supervisor, that owns a cluster's machines. Everything
//! else (status, faults, tests, the demo) is a client: it connects to the supervisor's control socket, one
//! JSON object a line.
//!
//! # The rooms
//!
//! A room uses those above it and none below; `tests/layers` of the product reads the sources and fails on a
//! breach.
//!
//! | room | what it is for |
//! |---|---|
//! | [`host`] | the host's commands, waits, places and errors: what every room needs |
//! | [`machines`] | the machines: disks, cables, control groups, watchdogs, clocks; what goes over the control socket |
//! | [`record`] | what a run leaves behind, as values: what the clients saw, outages, what a failover spent its time on |
//! | [`truth`] | whether anything was lost: a checker over what the clients saw; pure, and it knows no fault |
//! | [`cluster`] | the handle on a cluster that is up, what one sees of it, what is missing |
//! | [`client`] | the measuring clients outside a cluster, one for each instance |
//! | [`supervisor`] | brings a cluster up, and owns its machines |
//! | [`faults`] | what can be broken, how one sees that it is, one way to heal; standbys that are behind, protections taken away |
//! | [`report`] | results: the table at the end, the verdict, the pages for people |
//! | [`view`] | what is shown while it lasts: lines, or a live picture |
//! | [`run`] | one experiment, a series, a schedule for hours; the evidence of what failed |
//! | [`command`] | the command line |

pub mod client;
pub mod cluster;
pub mod command;
pub mod faults;
pub mod host;
pub mod machines;
pub mod record;
pub mod report;
pub mod run;
pub mod supervisor;
#[cfg(test)]
mod testing;
pub mod truth;
pub mod view;
