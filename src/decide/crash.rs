//! What a monitor does, besides failing, when it finds its primary dead or hung.

use crate::ocf::settings::OnCrash;

use super::memory::{CommitCoverage, Memory};
use super::monitor::MonitorOutcome;
use super::promotion_score::{Score, ScoreStep};

/// Whether the crashed primary gives way to a standby.
///
/// It does only where a synchronous standby was attached: then no commit was acknowledged without it, so that
/// promoting it loses nothing. Otherwise Pacemaker restarts the crashed one in place, because its score is still
/// the highest: an asynchronous standby may lack the last commits.
pub fn yield_to_standby(on_crash: OnCrash, memory: &Memory, outcome: MonitorOutcome) -> Option<ScoreStep> {
    let failed = match outcome {
        MonitorOutcome::NotRunning | MonitorOutcome::Failed | MonitorOutcome::FailedPromoted => true,
        MonitorOutcome::Promoted | MonitorOutcome::Unpromoted => false,
    };
    let was_primary = memory.score == Some(Score::Primary);
    match (on_crash, memory.coverage) {
        (OnCrash::Failover, CommitCoverage::Synchronous) if failed && was_primary => Some(ScoreStep::Set(
            Score::Withdrawn,
            "the primary failed, and a synchronous standby has every acknowledged commit (on_crash=failover)"
                .into(),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_way_only_to_a_synchronous_standby() {
        for on_crash in [OnCrash::Restart, OnCrash::Failover] {
            for coverage in [CommitCoverage::Alone, CommitCoverage::Synchronous] {
                for score in [None, Some(Score::Standby), Some(Score::Primary)] {
                    let memory = Memory { coverage, score, ..Memory::default() };
                    let step = yield_to_standby(on_crash, &memory, MonitorOutcome::NotRunning);
                    let allowed = on_crash == OnCrash::Failover
                        && coverage == CommitCoverage::Synchronous
                        && score == Some(Score::Primary);
                    assert_eq!(step.is_some(), allowed, "{on_crash:?} {memory:?}");
                    assert_eq!(yield_to_standby(on_crash, &memory, MonitorOutcome::Promoted), None);
                }
            }
        }
    }
}
