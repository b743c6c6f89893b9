//! What a history means for those who wait: outages and pauses. Pure functions. What was lost is [`crate::truth`]'s.

use std::time::Duration;

use crate::record::history::{Attempt, Outcome};

/// A pause between two acknowledged writes that counts as an interruption even if no attempt failed:
/// ten beats of the heart. A checkpoint's fsync on a loaded host stays below it.
pub const INTERRUPTION: Duration = Duration::from_millis(500);

/// How long the writes through the float IP were interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// No interruption: the fault hit a bystander.
    None,
    /// Time from the fault to the first write of the series that stayed good.
    Restored(Duration),
    /// The history ends in an interruption.
    NotRestored,
}

impl Outage {
    /// The worse of the two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotRestored, _) | (_, Self::NotRestored) => Self::NotRestored,
            (Self::Restored(a), Self::Restored(b)) => Self::Restored(a.max(b)),
            (Self::Restored(a), Self::None) | (Self::None, Self::Restored(a)) => Self::Restored(a),
            (Self::None, Self::None) => Self::None,
        }
    }

    /// In milliseconds; `None` when the service did not come back.
    #[must_use]
    pub fn millis(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Restored(after) => Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            Self::NotRestored => None,
        }
    }
}

/// The outage that a fault at `fault` caused, seen until `until`.
///
/// Counts up to the first write of the *last* good series: a short recovery before a second interruption
/// is no recovery. A series is interrupted by a failed attempt and by a pause longer than [`INTERRUPTION`].
/// `attempts` are in the order of their beginning, one after the other.
#[must_use]
pub fn outage(attempts: &[Attempt], fault: Duration, until: Duration) -> Outage {
    let before = attempts.iter().filter(|a| a.is_acked() && a.ended <= fault).map(|a| a.ended).next_back();
    let mut last_ack = before.unwrap_or(fault);
    let mut failing = false;
    let mut restored = None;
    for attempt in attempts.iter().filter(|a| a.ended > fault && a.ended <= until) {
        match attempt.outcome {
            Outcome::Acked => {
                if failing || attempt.ended.saturating_sub(last_ack) > INTERRUPTION {
                    restored = Some(attempt.ended);
                }
                last_ack = attempt.ended;
                failing = false;
            }
            Outcome::Refused(_) | Outcome::Uncertain(_) => failing = true,
        }
    }
    if failing || until.saturating_sub(last_ack) > INTERRUPTION {
        return Outage::NotRestored;
    }
    restored.map_or(Outage::None, |at| Outage::Restored(at.saturating_sub(fault)))
}

/// The last good write before the first interruption after `from`; `from` itself when there is none.
///
/// What an order to switch over counts from: until the cluster acts on it all is well.
#[must_use]
pub fn last_good_write(attempts: &[Attempt], from: Duration, until: Duration) -> Duration {
    let mut last_ack: Option<Duration> = None;
    for attempt in attempts.iter().filter(|a| a.ended <= until) {
        let pause = last_ack.map_or(Duration::ZERO, |at| attempt.ended.saturating_sub(at));
        let broken = !attempt.is_acked() || pause > INTERRUPTION;
        if broken && attempt.ended > from {
            return last_ack.unwrap_or(from);
        }
        if attempt.is_acked() {
            last_ack = Some(attempt.ended);
        }
    }
    from
}

/// For how long the writes have been good at `now`: zero in an interruption.
#[must_use]
pub fn good_for(attempts: &[Attempt], now: Duration) -> Duration {
    let mut since: Option<Duration> = None;
    let mut last_ack = Duration::ZERO;
    for attempt in attempts {
        match attempt.outcome {
            Outcome::Acked => {
                if since.is_none() || attempt.ended.saturating_sub(last_ack) > INTERRUPTION {
                    since = Some(attempt.ended);
                }
                last_ack = attempt.ended;
            }
            Outcome::Refused(_) | Outcome::Uncertain(_) => since = None,
        }
    }
    match since {
        Some(start) if now.saturating_sub(last_ack) <= INTERRUPTION => now.saturating_sub(start),
        Some(_) | None => Duration::ZERO,
    }
}

/// The longest time without an acknowledged write in `from..=until`.
#[must_use]
pub fn longest_pause(attempts: &[Attempt], from: Duration, until: Duration) -> Duration {
    let mut longest = Duration::ZERO;
    let mut last = from;
    for ack in attempts.iter().filter(|a| a.is_acked() && a.ended > from && a.ended <= until) {
        longest = longest.max(ack.ended - last);
        last = ack.ended;
    }
    longest.max(until.saturating_sub(last))
}

/// The history in words, times in seconds from `origin`: a line for each good series and for each series of
/// attempts that failed in the same way.
#[must_use]
pub fn describe(attempts: &[Attempt], origin: Duration) -> String {
    let what = |attempt: &Attempt| match &attempt.outcome {
        Outcome::Acked => "acknowledged".to_owned(),
        Outcome::Refused(why) => format!("refused: {why}"),
        Outcome::Uncertain(why) => format!("uncertain: {why}"),
    };
    let same = |a: &&Attempt, b: &Attempt| {
        let pause = b.ended.saturating_sub(a.ended);
        what(a) == what(b) && (!b.is_acked() || pause <= INTERRUPTION)
    };
    let mut series: Vec<(&Attempt, &Attempt)> = Vec::new();
    for attempt in attempts {
        match series.last_mut() {
            Some((_, last)) if same(last, attempt) => *last = attempt,
            Some(_) | None => series.push((attempt, attempt)),
        }
    }
    let seconds = |at: Duration| at.as_secs_f64() - origin.as_secs_f64();
    let line = |(first, last): &(&Attempt, &Attempt)| {
        let (from, to) = (seconds(first.sent), seconds(last.ended));
        format!("{from:9.3} .. {to:9.3}  ids {} to {} {}\n", first.id, last.id, what(first))
    };
    series.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
