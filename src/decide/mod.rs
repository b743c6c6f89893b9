//! The decisions, one file each. Pure: facts in, a verdict with its reason out; the shell in `agent` applies it
//! and logs the reason once.

pub mod activity;
pub mod alert;
pub mod catch_up;
pub mod cause;
pub mod clock;
pub mod cluster;
pub mod crash;
pub mod demote;
pub mod detector;
pub mod disk;
pub mod doctor;
pub mod election;
pub mod facts;
pub mod fence;
pub mod follow;
pub mod health;
pub mod history;
pub mod kept_score;
pub mod memory;
pub mod monitor;
pub mod notice;
pub mod notify;
pub mod overview;
pub mod own_primary;
pub mod pause;
pub mod primary_here;
pub mod promote;
pub mod promotion_score;
pub mod promotions;
pub mod prove_watchdog;
pub mod rank;
pub mod receiver;
pub mod recover;
pub mod recovery;
pub mod rejoin;
pub mod reported;
pub mod reset;
pub mod safe_mode;
pub mod score;
pub mod self_fence;
pub mod server_error;
pub mod slots;
pub mod standstill;
pub mod start;
pub mod stop;
pub mod storage;
pub mod switchover;
pub mod synchronous;
pub mod telling;
pub mod topology;
pub mod verify;
pub mod voters;

#[cfg(test)]
pub(crate) mod samples;
