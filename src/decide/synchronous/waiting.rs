//! What the primary remembers from call to call of the standbys that its commits wait for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::peers::living;
use crate::decide::clock::BootTime;
use crate::pg::lsn::Lsn;
use crate::pg::view::PrimaryView;

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
    pub looked: Option<BootTime>,
    pub confirming: Option<Confirming>,
    /// Since when too few stream, while one that runs may make up for it.
    pub short_since: Option<BootTime>,
    /// That commits hang, as it was said.
    pub shortage: Option<String>,
    /// The agent has written the setting.
    pub managed: bool,
    pub uptake: Uptake,
}

/// Which walsenders have read the setting that is in force, by what has come through them since.
///
/// `sync_state` shows whether a walsender has read its standby's name, and nothing shows the number that it has read. It reads a new
/// setting at the begin of a round of its loop and takes the standby's replies in after it (walsender.c, `WalSndLoop`), and the postmaster
/// has told it before a new connection is shown the setting. Of two replies that were seen one after the other the later one came in
/// by the new setting: the first may be of the round that had begun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uptake {
    setting: String,
    /// How many replies of each standby were seen, and the time of the last one, by the standby's clock.
    replies: BTreeMap<String, (u8, u64)>,
}

impl Uptake {
    /// Whose walsender has read the setting.
    pub fn hear(&mut self, view: &PrimaryView) -> BTreeSet<String> {
        if self.setting != view.synchronous_standby_names {
            *self = Uptake { setting: view.synchronous_standby_names.clone(), ..Uptake::default() };
        }
        let replied = living(view).filter_map(|s| Some((s.application_name.clone(), s.connection.replied?)));
        let replies = replied.map(|(name, at)| {
            let (count, last) = self.replies.get(&name).copied().unwrap_or((0, at));
            (name, (count.saturating_add(u8::from(last != at)), at))
        });
        self.replies = replies.collect();
        self.replies.iter().filter(|(_, (count, _))| *count >= 2).map(|(name, _)| name.clone()).collect()
    }
}
