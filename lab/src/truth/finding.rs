//! What the checker can find, and which of it is a failure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many ids a finding lists; the count says how many there are.
pub(super) const LISTED: usize = 100;

/// Whether acknowledged writes may be gone after a fault on an asynchronous primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The standby takes over without having been told everything: reported, not condemned.
    Possible,
    /// The old primary had time to hand everything over, or it goes on itself.
    Forbidden,
}

/// Something that the history and the final state tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// Acknowledged, and not there in the end.
    LostAcked {
        /// How many.
        count: usize,
        /// `list:id` of the first ones.
        ids: Vec<String>,
        /// Write-ahead log from the last write that was kept to the last that was lost; unknown without positions.
        bytes: Option<u64>,
        /// From the answer to the first lost write to the answer to the last, in ms.
        span_ms: u64,
    },
    /// Never answered, and there in the end: both is right, so this is counted and not condemned.
    Recovered {
        /// How many.
        count: usize,
    },
    /// Refused or never tried, and there in the end.
    CameBack {
        /// How many.
        count: usize,
        /// `list:id` of the first ones.
        ids: Vec<String>,
    },
    /// Two servers acknowledged writes at the same time.
    TwoPrimaries {
        /// For how long, in ms.
        ms: u64,
    },
    /// A reading showed less than the same connection had already seen, or had itself written.
    WentBack {
        /// How often.
        times: usize,
        /// The first one in words.
        first: String,
    },
    /// A register had a value that had been overwritten before the reading began.
    RegisterStale {
        /// How often.
        times: usize,
        /// The first one in words.
        first: String,
    },
    /// A register had a value that nobody wrote, or whose write was refused.
    RegisterImpossible {
        /// How often.
        times: usize,
        /// The first one in words.
        first: String,
    },
    /// The timelines on which writes were acknowledged do not form one line.
    BrokenTimelines {
        /// How often.
        times: usize,
        /// The first one in words.
        first: String,
    },
}

impl Finding {
    /// Whether it is a failure, where losing acknowledged writes is `loss`.
    #[must_use]
    pub fn is_condemned(&self, loss: Loss) -> bool {
        match self {
            Self::Recovered { .. } => false,
            // A register shows an older value again when the newer one is among what was lost.
            Self::LostAcked { .. } | Self::RegisterStale { .. } => loss == Loss::Forbidden,
            Self::CameBack { .. }
            | Self::TwoPrimaries { .. }
            | Self::WentBack { .. }
            | Self::RegisterImpossible { .. }
            | Self::BrokenTimelines { .. } => true,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostAcked { count, bytes, span_ms, .. } => {
                let bytes = bytes.map_or("an unknown number of".to_owned(), |b| b.to_string());
                write!(
                    f,
                    "{count} acknowledged writes were lost: {bytes} bytes of WAL, written within {span_ms} ms"
                )
            }
            Self::Recovered { count } => write!(f, "{count} writes without an answer are there"),
            Self::CameBack { count, ids } => {
                write!(f, "{count} refused writes are there all the same: {}", few(ids))
            }
            Self::TwoPrimaries { ms } => write!(f, "two nodes took writes for {ms} ms"),
            Self::WentBack { times, first } => {
                write!(f, "{times} reads went back in time on their connection; the first: {first}")
            }
            Self::RegisterStale { times, first } => {
                write!(f, "{times} reads of a register showed what had been overwritten; the first: {first}")
            }
            Self::RegisterImpossible { times, first } => {
                write!(f, "{times} reads of a register showed what nobody wrote; the first: {first}")
            }
            Self::BrokenTimelines { times, first } => {
                write!(f, "the timelines do not form a line, {times} times; the first: {first}")
            }
        }
    }
}

fn few(ids: &[String]) -> String {
    let shown = ids.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if ids.len() > 5 { format!("{shown}, …") } else { shown }
}

/// A finding with the instance on which it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The instance's name.
    pub instance: String,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Counts what breaks a rule, and keeps the first in words.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) times: usize,
    pub(super) first: String,
}

impl Tally {
    pub(super) fn add(&mut self, what: impl FnOnce() -> String) {
        if self.times == 0 {
            self.first = what();
        }
        self.times += 1;
    }

    /// The finding, when there is anything to tell.
    pub(super) fn finding(self, make: impl FnOnce(usize, String) -> Finding) -> Option<Finding> {
        (self.times > 0).then(|| make(self.times, self.first))
    }
}

/// The findings in words, one a line; those that are condemned are marked.
#[must_use]
pub fn words(findings: &[Found], loss: Loss) -> Vec<String> {
    let line = |found: &Found| {
        let mark = if found.finding.is_condemned(loss) { "BAD" } else { "note" };
        format!("{mark}: {}: {}", found.instance, found.finding)
    };
    findings.iter().map(line).collect()
}

/// What the checker says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// Acknowledged elements of the lists that were read in the end.
    pub acked: usize,
    /// What it found.
    pub findings: Vec<Finding>,
}

impl Truth {
    /// How many acknowledged writes are lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.sum(|f| if let Finding::LostAcked { count, .. } = f { *count } else { 0 })
    }

    /// How many unanswered writes are there.
    #[must_use]
    pub fn recovered(&self) -> usize {
        self.sum(|f| if let Finding::Recovered { count } = f { *count } else { 0 })
    }

    /// How many refused writes are there.
    #[must_use]
    pub fn came_back(&self) -> usize {
        self.sum(|f| if let Finding::CameBack { count, .. } = f { *count } else { 0 })
    }

    fn sum(&self, number: impl Fn(&Finding) -> usize) -> usize {
        self.findings.iter().map(number).sum()
    }
}
