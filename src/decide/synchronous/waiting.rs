//! What the primary remembers from call to call of the standbys that its commits wait for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::decide::clock::Millis;
use crate::pg::lsn::Lsn;

/// Since when a setting has been in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirming {
    pub setting: String,
    /// What was acknowledged by another one is before this position.
    pub until: Lsn,
}

/// What the primary remembers of the standbys that its commits wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// The setting and who streamed, when there was nothing left to be changed.
    pub settled: Option<(String, BTreeSet<String>)>,
    /// When the record was looked for last.
    pub looked: Option<Millis>,
    pub confirming: Option<Confirming>,
    /// Since when too few stream, while one that runs may make up for it.
    pub short_since: Option<Millis>,
    /// That commits hang, as it was said.
    pub shortage: Option<String>,
    /// The agent has written the setting.
    pub managed: bool,
}
