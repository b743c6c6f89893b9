//! The layouts: what a cluster over two data centres and a witness consists of, from one description.
//!
//! ```text
//!  site.toml ── describe ──▶ Description, with lines ── check ──▶ Site ── render ──▶ scripts
//!                                  │                                │
//!                                  └──▶ problems: line and cure     └── proof ──▶ where everything should run
//! ```
//!
//! Every time in the scripts comes from [`crate::cluster::timing`]. Nothing here touches the machine.

pub mod adopt;
pub mod check;
mod context;
pub mod describe;
pub mod examples;
pub mod kind;
pub mod names;
pub mod proof;
pub mod render;
mod rules;
pub mod site;

use site::Site;

/// What is wrong with a description, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong; names the value.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// Values that stand in for those of a description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// PostgreSQL's major version.
    pub postgresql: Option<u16>,
    pub preset: Option<crate::cluster::timing::Preset>,
    pub at_boot: Option<site::AtBoot>,
}

/// Reads a description and checks it.
///
/// # Errors
/// All problems, in the order of their lines.
pub fn read(text: &str, overrides: &Overrides) -> Result<Site, Vec<Problem>> {
    let described = describe::parse(text).map_err(|problem| vec![problem])?;
    check::site(text, &described, overrides)
}

/// Problems as a compiler prints them: one line each, with the file's name.
#[must_use]
pub fn explain(file: &str, problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("{file}:{}: {}; {}\n", p.line, p.what, p.cure)).collect()
}

#[cfg(test)]
mod tests;
