//! How an action ended.

use crate::ocf::OcfCode;

/// The exit code with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub code: OcfCode,
    pub reason: String,
    pub change: Change,
}

/// Whether the action changed anything: only that is worth a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Identity,
    Changed,
}

impl Report {
    /// An action that changed nothing.
    pub fn new(code: OcfCode, reason: impl Into<String>) -> Report {
        Report { code, reason: reason.into(), change: Change::Identity }
    }

    /// An action that changed something.
    pub fn changed(code: OcfCode, reason: impl Into<String>) -> Report {
        Report { code, reason: reason.into(), change: Change::Changed }
    }
}
