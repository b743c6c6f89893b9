//! The lab: real clusters on one host, booted as systemd-nspawn machines and broken on purpose.
//!
//! Who does what:
//!
//! - `quorate-lab up` starts a background supervisor (`supervisor`) that owns the nodes, their watchdogs and the
//!   lab's network namespace, and then sets the cluster up from outside, as an operator would.
//! - Everything else (status, faults, tests, the demo) is a client: it connects to the supervisor's control socket
//!   with [`cluster::Cluster`].
//! - [`protocol`] is what goes over that socket: one JSON object a line.

pub mod client;
pub mod cluster;
pub mod demo;
pub mod error;
pub mod evidence;
pub mod experiment;
pub mod faults;
pub mod health;
pub mod layout;
pub mod measure;
pub mod observe;
pub mod paths;
pub mod protocol;
pub mod report;
pub mod run;
pub mod screen;
pub mod series;
pub mod wait;
