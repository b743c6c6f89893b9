//! Results of tests: one object a run, the table at the end, the verdict, and the report.
//!
//! | file | does |
//! |---|---|
//! | [`results`] | what a run gives; `results.json` |
//! | [`random`] | what is read of `random.json` |
//! | [`verdict`](mod@verdict) | whether a test has passed |
//! | [`table`](mod@table) | the table at the end, for a terminal |
//! | [`sources`] | finds and reads the results of many tests |
//! | [`statistics`] | median, mean, spread |
//! | [`published`] | the published figures of another test bed |
//! | [`summary`] | everything that the report says, as values; `report.json` |
//! | [`markdown`], [`html`] | the report for people; [`distribution`] and [`timeline`] are its plots, [`svg`] writes them |
//! | [`write`](mod@write) | reads, sums up, writes the three files |

pub mod date;
pub mod distribution;
pub mod html;
pub mod markdown;
pub mod published;
pub mod random;
pub mod results;
pub mod sources;
pub mod statistics;
pub mod summary;
pub mod svg;
pub mod table;
pub mod timeline;
pub mod verdict;
pub mod write;

pub use results::{RunResult, write_results};
pub use table::table;
pub use verdict::verdict;
pub use write::{tell, write};

#[cfg(test)]
mod tests;
