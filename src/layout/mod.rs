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
mod problem;
pub mod proof;
pub mod render;
mod rules;
pub mod site;

use site::Site;

pub use check::Overrides;
pub use problem::Problem;

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
