//! The command line of `quorate-lab`: its words ([`cli`]), what they do ([`commands`]), the [`demo`] for a
//! newcomer.

pub mod cli;
pub mod commands;
pub mod demo;
pub mod name;
