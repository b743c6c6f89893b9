//! Whether a test has passed.

use super::results::RunResult;
use crate::faults::{self, Forks, Loss, Pause, Service};
use crate::truth::{Finding, TakeOver};
use quorate::layout::kind::Kind;

/// A pause of the writes that a busy host makes by itself: 0.6 s at a load of 40 on two cores, 1.2 s once; one write to a disk that
/// others use takes longer. A role that moves is seen apart.
const BUSY_HOST_MS: u64 = 5000;

/// Why a test has failed; empty when it passed.
#[must_use]
pub fn verdict(results: &[RunResult]) -> Vec<String> {
    let mut complaints = Vec::new();
    if results.is_empty() {
        complaints.push("nothing was tested".to_owned());
    }
    for result in results {
        let mut complain =
            |what: String| complaints.push(format!("{} run {}: {what}", result.fault, result.run));
        if let Some(reason) = &result.failed {
            complain(format!("failed: {reason}"));
            if let (Some(lost @ 1..), Loss::Forbidden) = (result.lost_acked, loss_of(result)) {
                complain(format!("{lost} acknowledged writes were lost"));
            }
            continue;
        }
        if result.outage_ms.is_none() && result.service == Service::MustReturn {
            complain("writes were not restored".to_owned());
        }
        if pause_of(&result.fault) == Pause::Forbidden {
            // Not the outage: that counts from the fault, and a moment's pause long after it would be called as long.
            if result.interruption_ms > BUSY_HOST_MS {
                complain(format!("writes paused for {} ms", result.interruption_ms));
            }
            for moved in result.take_overs.iter().filter(|t| !t.new_node.is_empty()) {
                complain(format!("the role of {} moved to {}", moved.instance, moved.new_node));
            }
        }
        let by_hand = forks_of(&result.fault) == Forks::ByHand;
        if result.two_primaries_ms > 0 && !by_hand {
            let splits: Vec<String> = result.take_overs.iter().filter_map(TakeOver::split).collect();
            let how = if splits.is_empty() { String::new() } else { format!(": {}", splits.join("; ")) };
            complain(format!("two nodes took writes for {} ms{how}", result.two_primaries_ms));
        }
        match (result.lost_acked, loss_of(result)) {
            (Some(0), _) => {}
            (None, _) => complain("it is not known what was lost".to_owned()),
            (Some(lost), Loss::Forbidden) => complain(format!(
                "{lost} acknowledged writes were lost{}",
                extent(result).map_or(String::new(), |extent| format!(": {extent}"))
            )),
            // Asynchronous replication: in the table, not condemned.
            (Some(_), Loss::Possible) => {}
        }
        if result.unexpected > 0 {
            complain(format!("{} refused writes are there all the same", result.unexpected));
        }
        for found in &result.findings {
            match found.finding {
                // They have fields of their own, which are judged above.
                Finding::LostAcked { .. }
                | Finding::Recovered { .. }
                | Finding::CameBack { .. }
                | Finding::TwoPrimaries { .. } => {}
                Finding::WentBack { .. }
                | Finding::RegisterStale { .. }
                | Finding::RegisterImpossible { .. }
                | Finding::BrokenTimelines { .. } => {
                    if !by_hand && found.finding.is_condemned(loss_of(result)) {
                        complain(format!("{}: {}", found.instance, found.finding));
                    }
                }
            }
        }
        // Ours rejoins by itself.
        let refused = result.agent != "quorate" && result.old_primary.starts_with("refused: diverged");
        // What a person has written by hand, a person throws away.
        if !result.help_by_hand.is_empty() && !refused && !by_hand {
            complain(format!("help by hand was needed: {}", result.help_by_hand.join(", ")));
        }
    }
    complaints
}

/// How much was lost, in bytes and ms; `None` when nothing was.
pub(super) fn extent(result: &RunResult) -> Option<String> {
    result.lost_acked.filter(|lost| *lost > 0)?;
    let bytes = result.lost_bytes.map_or("an unknown number of".to_owned(), |b| b.to_string());
    Some(format!("{bytes} bytes of WAL, written within {} ms", result.lost_ms))
}

/// A fault or a layout that this program doesn't know (results of another version) may lose nothing.
pub(super) fn loss_of(result: &RunResult) -> Loss {
    match (faults::by_name(&result.fault), Kind::parse(&result.layout)) {
        (Ok(fault), Some(kind)) => fault.loss(kind.replication()),
        (Err(_), _) | (_, None) => Loss::Forbidden,
    }
}

/// A fault that this program doesn't know makes no second primary.
fn forks_of(fault: &str) -> Forks {
    faults::by_name(fault).map_or(Forks::Never, |f| f.forks)
}

/// A fault that this program doesn't know may pause the writes: how long is in the table.
fn pause_of(fault: &str) -> Pause {
    faults::by_name(fault).map_or(Pause::Possible, |f| f.pause)
}
