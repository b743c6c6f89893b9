//! The lab: real clusters on one host, booted as systemd-nspawn machines and broken on purpose.
//!
//! Who does what:
//!
//! - `quorate-lab up` ([`up`]) starts a background [`supervisor`] that owns the nodes ([`node`], [`disk`], [`cgroup`]),
//!   their [`watchdog`]s and the lab's network namespace ([`net`]), and then sets the cluster up from outside, as an
//!   operator would ([`provision`]).
//! - Everything else (status, faults, tests, the demo) is a client: it connects to the supervisor's control socket
//!   with [`cluster::Cluster`]. [`protocol`] is what goes over that socket: one JSON object a line.
//! - Which machines, addresses and instances a cluster has is its [`description`]'s affair: the text of a site, which the
//!   supervisor keeps and every client reads again; [`machines`] is what of it the lab itself needs. Clusters whose sites
//!   name the same witness can share one ([`sharing`]): one runs it, the others are plugged into its network.
//! - [`image`] builds the template of the nodes' disks, from the host's own package sources ([`sources`]).
//! - [`faults`] breaks it, [`clients`] see from outside what that does to each instance, [`measure`] says how long it lasted and
//!   [`truth`] whether anything was lost;
//!   [`experiment`] puts them together for one run, before an [`audience`], [`series`] for many and for several clusters side
//!   by side, [`tuchanka`] by other rules, [`schedule`] for two faults
//!   at a time for hours, [`demo`] for a newcomer. [`observe`] looks at
//!   everything at one moment, [`health`] says what is missing, [`placement`] what is where, [`screen`] shows it in lines and [`view`] live,
//!   [`report`] judges.
//! - [`replication`] makes standbys fall behind before a fault, [`without`] takes a protection away; [`verify`] hands what the
//!   clients saw to the checker in [`truth`], and [`chance`] is the same for the same seed.
//! - [`phases`] tells from the nodes' [`journals`] what a failover spent its time on; [`report`] writes everything up for people.
//! - [`memory`] and [`inotify`] see to the host having room for the machines.
//! - [`cleanup`] finds all that a cluster has on the host by its name, and removes it.

pub mod audience;
pub mod cgroup;
pub mod chance;
pub mod cleanup;
pub mod cli;
pub mod client;
pub mod clients;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod data_disk;
pub mod delay;
pub mod demo;
pub mod description;
pub mod disk;
pub mod error;
pub mod evidence;
pub mod experiment;
pub mod faults;
pub mod health;
pub mod image;
pub mod inotify;
pub mod journal;
pub mod journals;
pub mod machines;
pub mod measure;
pub mod memory;
pub mod net;
pub mod node;
pub mod observe;
pub mod paths;
pub mod phases;
pub mod placement;
pub mod prepared;
pub mod progress;
pub mod protocol;
pub mod provision;
pub mod replication;
pub mod report;
pub mod run;
pub mod schedule;
pub mod screen;
pub mod series;
pub mod sharing;
pub mod sources;
pub mod supervisor;
#[cfg(test)]
mod testing;
pub mod throttle;
pub mod truth;
pub mod tuchanka;
pub mod up;
pub mod up_args;
pub mod verify;
pub mod view;
pub mod wait;
pub mod watchdog;
pub mod without;
