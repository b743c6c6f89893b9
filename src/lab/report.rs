//! Results of tests: one object a run, the table at the end, and the verdict.

pub mod results;
pub mod statistics;
pub mod table;
pub mod verdict;

pub use results::{RunResult, write_results};
pub use table::table;
pub use verdict::verdict;

#[cfg(test)]
mod tests;
