//! The machines of a cluster on the host: what a site needs ([`plan`]), their disks from a template
//! ([`image`]), cables ([`net`]), control groups, watchdogs and clocks, and what goes over the control socket
//! ([`protocol`]).
//!
//! Which machines, addresses and instances a cluster has is its [`description`]'s affair: the text of a site,
//! which the supervisor keeps and every client reads again. Clusters whose sites name the same witness can
//! share one ([`sharing`]): one runs it, the others are plugged into its network.
//!
//! [`cleanup`] finds all that a cluster has on the host by its name, and removes it.

pub mod cgroup;
pub mod cleanup;
pub mod clock;
pub mod data_disk;
pub mod delay;
pub mod description;
pub mod disk;
pub mod image;
pub mod journal;
pub mod net;
pub mod node;
pub mod plan;
pub mod protocol;
pub mod sharing;
pub mod sources;
pub mod throttle;
pub mod watchdog;
