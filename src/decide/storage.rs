//! What follows from the condition of the instance's file systems ([`super::disk`]) for the promotion score.
//!
//! A server whose disk is full, read-only or stuck still answers as a primary; its clients' writes fail or hang. Where another
//! instance can take over, it should. Where none can, the instance stays what it is: it serves reads, and another restart on the
//! same disk helps nobody. So the primary does not fail its monitor: it lowers its score to [`Score::PrimaryDiskFailing`], below
//! every standby that has all its WAL and above every one that may lack some. Pacemaker moves the role exactly where that helps,
//! and in the order of a switchover, in which a standby receives everything before it is promoted.

use super::disk::{Disk, Finding};
use super::memory::Memory;
use super::promotion_score::{Score, ScoreStep};
use super::server_error::ErrorKind;
use crate::pg::view::Rejection;

/// The score of the promoted instance on such a disk. `usual`: what it would be on a sound one.
pub fn primary(usual: ScoreStep, memory: &Memory, finding: &Finding) -> ScoreStep {
    match (finding.disk.is_fit(), &usual) {
        (true, _) => usual,
        // Nothing is written twice; the complaint stays.
        (false, _) if memory.score == Some(Score::PrimaryDiskFailing) => {
            ScoreStep::Keep(finding.reason.clone())
        }
        (false, _) => ScoreStep::Set(Score::PrimaryDiskFailing, reason(finding)),
    }
}

/// The score of a standby, or of an instance that was found dead, on such a disk. Without space it is the last choice; where a
/// promotion can't succeed it is none.
pub fn standby(usual: ScoreStep, memory: &Memory, finding: &Finding) -> ScoreStep {
    let cap = match finding.disk {
        Disk::Sound | Disk::Slow => return usual,
        Disk::Full => Score::StandbyDiskFull,
        Disk::ReadOnly | Disk::Broken | Disk::Stuck => Score::Withdrawn,
    };
    match (&usual, memory.score) {
        (ScoreStep::Set(score, why), _) if *score <= cap => ScoreStep::Set(*score, why.clone()),
        // Without a score it is no candidate, and one that is lower has its reason.
        (ScoreStep::Keep(_) | ScoreStep::Wait(_) | ScoreStep::AskCluster, None) => usual,
        (_, Some(score)) if score <= cap => match usual {
            ScoreStep::AskCluster => ScoreStep::AskCluster,
            ScoreStep::Keep(_) | ScoreStep::Wait(_) | ScoreStep::Set(..) => {
                ScoreStep::Keep(finding.reason.clone())
            }
        },
        (ScoreStep::Set(..), None) | (_, Some(_)) => ScoreStep::Set(cap, reason(finding)),
    }
}

/// A primary that crashed because of its disk is not the one to start again there, where another can take over.
pub fn crashed(memory: &Memory, finding: &Finding) -> Option<ScoreStep> {
    let was_primary = memory.score.is_some_and(|s| s >= Score::Primary || s == Score::PrimaryDiskFailing);
    (was_primary && !finding.disk.is_fit()).then(|| standby(ScoreStep::Keep(None), memory, finding))
}

/// A server whose files are damaged would be damaged after a restart, too: another instance is to be the primary, where one has all of
/// its WAL.
pub fn damaged(memory: &Memory, error: Option<(ErrorKind, &Rejection)>) -> Option<ScoreStep> {
    let Some((ErrorKind::Data, rejection)) = error else { return None };
    let score = memory.score?;
    let is_primary = score >= Score::Primary || score == Score::PrimaryDiskFailing;
    let lowered = if is_primary { Score::PrimaryDiskFailing } else { Score::Withdrawn };
    (score > lowered).then(|| ScoreStep::Set(lowered, rejection.to_string()))
}

fn reason(finding: &Finding) -> String {
    finding.reason.clone().unwrap_or_else(|| finding.disk.text().to_owned())
}

#[cfg(test)]
mod tests;
