//! What is known ahead of a switchover, and how a check of it ends.

use std::collections::BTreeMap;
use std::fmt;

use crate::cluster::cib::placement::Placement;
use crate::cluster::cib::{Cib, Management, boolean, milliseconds};
use crate::cluster::crm_mon::Status;
use crate::pg::survey::Survey;

/// A node's own word of itself counts for so long: it is published every 10 s, by a monitor that may be late.
pub const FRESH_S: u64 = 60;
/// The members' clocks may differ by so much: what is told of a later time has no age that is known.
pub const AHEAD_S: u64 = 5;
/// More WAL to replay than this holds up the promotion: seconds at the rate of a busy server.
pub const LAG: u64 = 64 << 20;
/// A transaction that has run for so long is worth a word: the demotion cuts it off.
pub const LONG_S: u64 = 60;
/// Segments that wait for the archiver: the shutdown waits for them. repmgr has 16 and 128.
pub const ARCHIVE_WARNS: u32 = 16;
pub const ARCHIVE_STOPS: u32 = 128;

/// What is known.
#[derive(Debug)]
pub struct Facts<'a> {
    pub resource: &'a str,
    /// The node that the operator names.
    pub to: Option<&'a str>,
    pub status: &'a Status,
    pub management: &'a Management,
    pub constraints: &'a Placement,
    /// What each node tells of its instance.
    pub surveys: &'a BTreeMap<String, Survey>,
    /// Why a node that can't be stopped would not be fenced; `None`: it would.
    pub unfenced: Option<&'a str>,
    /// Seconds since 1970, and the same in UTC as Pacemaker writes it.
    pub now: u64,
    pub now_utc: &'a str,
    /// The node where the command is typed.
    pub here: &'a str,
    pub force: bool,
    pub timeout_s: u64,
}

/// Why what a node tells of its server is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    Silent,
    /// So many seconds ago.
    Old(u64),
    /// In so many seconds.
    Ahead(u64),
}

impl Stale {
    /// In words, of that node.
    #[must_use]
    pub fn of(self, node: &str) -> String {
        match self {
            Self::Silent => format!("{node} has told nothing of its server"),
            Self::Old(age) => {
                format!(
                    "{node} has told nothing of its server for {age} s, or its clock is behind this node's"
                )
            }
            Self::Ahead(by) => format!("the clock of {node} is {by} s ahead of this node's"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Silent => {
                "its monitor tells it every 10 s (quorate of the same version there?): wait, or type this on that node"
            }
            Self::Old(_) => {
                "journalctl -t quorate-postgres there: its monitor tells it every 10 s; chronyc tracking on both: their clocks"
            }
            Self::Ahead(_) => "chronyc tracking on both nodes: their clocks differ",
        }
    }
}

/// What a node tells of its server, where its age is known and small.
///
/// # Errors
/// Why it is not known.
pub fn fresh<'a>(surveys: &'a BTreeMap<String, Survey>, node: &str, now: u64) -> Result<&'a Survey, Stale> {
    let survey = surveys.get(node).ok_or(Stale::Silent)?;
    match (now.saturating_sub(survey.at), survey.at.saturating_sub(now)) {
        (age, _) if age > FRESH_S => Err(Stale::Old(age)),
        (_, ahead) if ahead > AHEAD_S => Err(Stale::Ahead(ahead)),
        _ => Ok(survey),
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruling {
    Passed,
    /// Said, and no reason not to.
    Warned,
    /// Refused, unless the operator insists (`--force`).
    Doubted,
    Refused,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What, in a word or two.
    pub name: &'static str,
    pub ruling: Ruling,
    pub what: String,
    /// What to do about it; empty where nothing is to be done.
    pub cure: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.ruling {
            Ruling::Passed => "ok",
            Ruling::Warned => "warning",
            Ruling::Doubted | Ruling::Refused => "REFUSED",
        };
        write!(f, "{word:<8} {:<14} {}", self.name, self.what)?;
        match (self.ruling, self.cure.as_str()) {
            (_, "") => Ok(()),
            (Ruling::Doubted, cure) => write!(f, "\n  cure   {cure}; or go on with --force"),
            (_, cure) => write!(f, "\n  cure   {cure}"),
        }
    }
}

/// Why a node that can't be stopped would not be fenced; `None`: it would. `sbd_runs`: on this node, where it is known.
#[must_use]
pub fn unfenced(cib: &Cib, sbd_runs: Option<bool>) -> Option<String> {
    if cib.property("stonith-enabled").is_some_and(|p| boolean(&p.value) == Some(false)) {
        return Some("stonith-enabled is false".to_owned());
    }
    let watchdog = cib.property("stonith-watchdog-timeout").and_then(|p| milliseconds(&p.value));
    let has_device = cib.primitives.iter().any(|p| p.agent.starts_with("stonith:"));
    match (watchdog.is_some_and(|ms| ms > 0), sbd_runs) {
        (true, Some(true)) => None,
        (true, Some(false)) => Some("sbd does not run on this node".to_owned()),
        (true, None) => Some("whether sbd runs is not known".to_owned()),
        (false, _) if has_device => None,
        (false, _) => Some("there is no fencing device, and no stonith-watchdog-timeout".to_owned()),
    }
}
