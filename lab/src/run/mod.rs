//! Runs: one ([`experiment`]), many and on several clusters side by side ([`series`]), by other rules
//! ([`tuchanka`]), two faults at a time for hours ([`schedule`]). After each, [`verify`] hands what the
//! clients saw to the checker in [`crate::truth`], [`journals`] reads what the nodes wrote, and [`evidence`]
//! is kept of what failed.

pub mod evidence;
pub mod experiment;
pub mod journals;
pub mod schedule;
pub mod series;
pub mod tuchanka;
pub mod verify;
