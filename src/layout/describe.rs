//! A description as it is written: TOML in, values with their places out. What they mean is [`super::check`]'s affair.

use serde::Deserialize;
use toml::Spanned;

use super::problem::{Problem, line_of};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    pub layout: Spanned<String>,
    pub name: Spanned<String>,
    pub network: Network,
    #[serde(rename = "node", default)]
    pub nodes: Vec<Spanned<Node>>,
    pub witness: Option<Spanned<Witness>>,
    #[serde(rename = "instance", default)]
    pub instances: Vec<Spanned<Instance>>,
    #[serde(default)]
    pub postgresql: PostgreSql,
    #[serde(default)]
    pub timing: Timing,
    pub failback: Option<bool>,
    pub start_at_boot: Option<bool>,
}

/// `[network]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    pub clients: Spanned<String>,
    pub second: Option<Spanned<String>>,
}

/// `[[node]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub name: Spanned<String>,
    pub centre: Spanned<String>,
    pub addresses: Vec<Spanned<String>>,
}

/// `[witness]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    pub name: Spanned<String>,
    pub centre: Spanned<String>,
    pub address: Spanned<String>,
    pub heuristics: Option<bool>,
}

/// `[[instance]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub name: Spanned<String>,
    pub port: Spanned<i64>,
    pub home: Option<Spanned<String>>,
    pub primary_ip: Spanned<String>,
    #[serde(default)]
    pub standby_ips: Vec<Spanned<String>>,
    pub sync: Option<Spanned<String>>,
}

/// `[postgresql]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgreSql {
    pub version: Option<Spanned<i64>>,
}

/// `[timing]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    pub profile: Option<Spanned<String>>,
    pub rtt_ms: Option<Spanned<i64>>,
    pub watchdog_s: Option<Spanned<i64>>,
}

/// Reads a description.
///
/// # Errors
/// What the TOML reader complains of: syntax, a key that is unknown or missing, a value of the wrong type.
pub fn parse(text: &str) -> Result<Description, Problem> {
    toml::from_str(text).map_err(|e| Problem {
        line: e.span().map_or(1, |span| line_of(text, span.start)),
        what: e.message().to_owned(),
        cure: "compare with an example: quorate layout show classic".to_owned(),
    })
}
