//! The lab: real clusters on one host, booted as systemd-nspawn machines and broken on purpose.
//!
//! Who does what:
//!
//! - `quorate-lab up` ([`up`]) starts a background [`supervisor`] that owns the nodes ([`node`], [`disk`], [`cgroup`]),
//!   their [`watchdog`]s and the lab's network namespace ([`net`]), and then sets the cluster up from outside, as an
//!   operator would ([`provision`]).
//! - Everything else (status, faults, tests, the demo) is a client: it connects to the supervisor's control socket
//!   with [`cluster::Cluster`]. [`protocol`] is what goes over that socket: one JSON object a line.
//! - [`image`] builds the template of the nodes' disks, from the host's own package sources ([`sources`]).
//! - [`faults`] breaks it, [`client`] sees from outside what that does to the service, [`measure`] says what it means;
//!   [`experiment`] puts them together for one run, [`series`] for many, [`demo`] for a newcomer. [`observe`] looks at
//!   everything at one moment, [`health`] says what is missing, [`screen`] shows it, [`report`] judges.
//! - [`cleanup`] finds all that a cluster has on the host by its name, and removes it.

pub mod cgroup;
pub mod cleanup;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod commands;
pub mod demo;
pub mod disk;
pub mod error;
pub mod evidence;
pub mod experiment;
pub mod faults;
pub mod health;
pub mod image;
pub mod journal;
pub mod layout;
pub mod measure;
pub mod net;
pub mod node;
pub mod observe;
pub mod paths;
pub mod prepared;
pub mod progress;
pub mod protocol;
pub mod provision;
pub mod report;
pub mod run;
pub mod screen;
pub mod series;
pub mod sources;
pub mod supervisor;
pub mod timing;
pub mod up;
pub mod wait;
pub mod watchdog;
