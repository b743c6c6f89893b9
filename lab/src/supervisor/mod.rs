//! From nothing to a cluster, and who keeps it: `quorate-lab up` ([`up`]) starts the background [`process`]
//! that owns the nodes, and then sets the cluster up from outside, as an operator would ([`provision`]). The
//! disks of a set-up are kept for the next one ([`prepared`]).

pub mod inotify;
pub mod prepared;
pub mod process;
pub mod provision;
pub mod up;
pub mod up_args;
