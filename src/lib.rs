//! **quorate** keeps PostgreSQL available across two data centres and a witness, on Pacemaker and Corosync.
//!
//! Pacemaker and Corosync are the distributed engine: membership, quorum, fencing, ordering. What must be agreed on
//! lives in the CIB and in node attributes. This crate decides, for one instance on one node, what an action of
//! Pacemaker means, and does it.
//!
//! # The data flow
//!
//! ```text
//!  pacemaker-execd          bin/quorate-agent                        one word, OCF_* environment
//!        │                        │
//!        └──── start, monitor ──▶ agent ── gather ──▶ boundary       postgres, processes, control file,
//!                                   │                    │           storage, Pacemaker's programs
//!                                   │◀────── facts ──────┘
//!                                   │
//!                                   ├── decide (facts, memory) ──▶   a verdict with its reason
//!                                   │
//!                                   ├── apply ──────────▶ boundary   signals, files, scores
//!                                   └── report                       ocf-exit-reason, one syslog line, exit code
//! ```
//!
//! # The modules, and what each may touch
//!
//! | module | what it is | may not |
//! |---|---|---|
//! | [`ocf`] | the OCF interface: actions, codes, parameters, meta-data, notifications | touch anything: pure |
//! | [`pg`] | PostgreSQL's files, positions and answers as values | touch anything: pure |
//! | [`cluster`] | what Pacemaker's programs print, as values | touch anything: pure |
//! | [`decide`] | one file for each decision | touch anything: pure |
//! | `layout` | the four layouts: a site's description, its scripts, where everything should run (feature `cli`) | touch anything: pure |
//! | [`boundary`] | the only side effects, and their fakes | decide |
//! | [`agent`] | the agent's shell: gather, decide, apply, report | contain policy |
//! | [`alert`] | Pacemaker's alert agent: who is told of what | contain policy |
//! | [`rejoin`] | the unit that brings an instance back whose data can't follow the primary | contain policy |
//! | `daemon` | `quorated`, the watchdog checker: looks, decides, acts, again and again (feature `daemon`) | contain policy |
//! | `fence` | the fence agent's shell (feature `fence`) | contain policy |
//! | `http` | the endpoint for proxies and Prometheus, without rights of its own (feature `http`) | contain policy |
//! | `cli` | the operator's command `quorate` (feature `cli`) | contain policy |
//!
//! The laboratory, which boots real clusters and breaks them, is a crate of its own (`lab/`): nothing here can name it.
//! `tests/layers` reads the sources and fails on a breach.

pub mod agent;
pub mod alert;
pub mod boundary;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod decide;
#[cfg(feature = "fence")]
pub mod fence;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "cli")]
pub mod layout;
pub mod ocf;
pub mod pg;
pub mod rejoin;
