//! The promotion score of this node's own instance.
//!
//! A score says whether an instance may be promoted, and coarsely in which order; which one is most advanced is
//! settled by the election, on positions taken at that moment ([`super::election`]). So a score changes when a
//! state changes, not with the load: under load nothing is written.

use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::view::Receiver;

use super::clock::{BootTime, Millis};
use super::cluster::{Approved, ClusterAnswer, ClusterFacts, InstanceCount, Upstream};
use super::memory::{CommitCoverage, Knowledge, LastRole, Memory};
use super::promotion_score::{Score, ScoreStep};
use super::promotions::Mismatch;

/// A standby may be without its stream this long while a primary is there, before it stops being a candidate. It
/// bridges the time until Pacemaker notices that the primary itself has died; two of our own intervals come on top.
pub const DETACHED_GRACE: Millis = 30_000;

/// After this time without a stream others are preferred: the WAL receiver reconnects after wal_retrieve_retry_interval, 5 s.
pub const RECONNECT: Millis = 6_000;

/// No second change of a score for reasons of lag within this time: at most one CIB write a minute under load.
pub const LAG_REST: Millis = 60_000;

/// A promotion has settled after this time: the float IP is up.
pub const SETTLE: Millis = 5_000;

/// Who was refused is no candidate again for so long while nobody is promoted: each refusal is a failed action, and Pacemaker bans an
/// instance after some.
pub const REFUSED_REST: Millis = 120_000;

/// A withdrawal in favour of a standby ends after this time if nobody was promoted.
pub const YIELD_TIME: Millis = 15_000;

/// What a standby looks at.
#[derive(Debug, Clone)]
pub struct StandbyFacts<'a> {
    pub now: BootTime,
    /// Interval of our own monitor, 0 where called by something else.
    pub interval: Millis,
    pub position: Option<WalPosition>,
    pub receiver: Option<&'a Receiver>,
    /// Bytes.
    pub maxlag: Option<u64>,
    /// Whether it had all that the primary had written a moment before.
    pub caught_up: CaughtUp,
    /// It streams from itself: its primary's address leads to it.
    pub from_itself: bool,
    /// Its replay is paused.
    pub is_paused: bool,
    /// Why its data are not on the last promotion's WAL; `None`: they are, or nothing is on record.
    pub mismatch: Option<&'a Mismatch>,
    /// `None`: not asked yet, or no answer.
    pub cluster: ClusterAnswer,
}

/// What is said of a standby without a stream.
const NOT_STREAMING: &str = "does not stream from the primary";

/// Whether a standby has caught up with its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaughtUp {
    /// It had all that the primary had written when it was looked at a moment before.
    Yes,
    /// It has not, or how far the primary is is not known yet.
    NotYet,
    /// It has, and who has the acknowledged commits is not on record under its own node's name.
    Untold,
}

/// Whether a WAL receiver is streaming.
pub fn streams(receiver: Option<&Receiver>) -> bool {
    receiver.is_some_and(|r| r.status == "streaming")
}

/// The step with what PostgreSQL's log says of a WAL receiver that gives up: nothing else tells why a standby does not stream.
pub fn explained(step: ScoreStep, said: Option<String>) -> ScoreStep {
    let is_explained = |reason: &String| reason.starts_with(NOT_STREAMING);
    match (step, said) {
        (ScoreStep::Set(score, reason), Some(said)) if is_explained(&reason) => {
            ScoreStep::Set(score, format!("{reason}: {said}"))
        }
        (ScoreStep::Keep(Some(reason)), Some(said)) if is_explained(&reason) => {
            ScoreStep::Keep(Some(format!("{reason}: {said}")))
        }
        (step, _) => step,
    }
}

/// The timeline that `host`, the primary's, streams to this standby: then both are of one line.
pub fn streamed(receiver: Option<&Receiver>, host: &str) -> Option<Timeline> {
    let receiver = receiver.filter(|r| streams(Some(r)) && r.sender_host.as_deref() == Some(host))?;
    receiver.timeline
}

/// The score of a standby. Updates what is remembered of its stream.
pub fn standby(memory: &mut Memory, facts: &StandbyFacts<'_>) -> ScoreStep {
    memory.coverage = CommitCoverage::Alone;
    let host = facts.receiver.and_then(|r| r.sender_host.as_deref());
    if let Some(receiver) = facts.receiver {
        memory.primary_end = memory.primary_end.max(receiver.latest_end);
        memory.timeline = memory.timeline.max(receiver.timeline);
    }
    if streams(facts.receiver) && !facts.from_itself {
        memory.detached = None;
        let confirmed = memory.upstream.is_some() && memory.upstream.as_deref() == host;
        if confirmed {
            return attached(memory, facts);
        }
        return match &facts.cluster {
            ClusterAnswer::NotAsked => ScoreStep::AskCluster,
            ClusterAnswer::Silent => {
                ScoreStep::Keep(Some("the cluster could not be asked who is promoted".into()))
            }
            ClusterAnswer::Says(cluster) => match &cluster.primary {
                Some(primary)
                    if host.is_none_or(|h| h == primary.host) && facts.caught_up == CaughtUp::NotYet =>
                {
                    behind(memory, &primary.node, "has not caught up with it yet")
                }
                Some(primary)
                    if host.is_none_or(|h| h == primary.host) && facts.caught_up == CaughtUp::Untold =>
                {
                    behind(
                        memory,
                        &primary.node,
                        "this node is not told yet which standbys have the commits (sync)",
                    )
                }
                Some(primary) if host.is_none_or(|h| h == primary.host) => {
                    (memory.refused, memory.asked, memory.received_by) = (None, None, None);
                    memory.upstream = host.map(str::to_owned);
                    memory.knowledge = Knowledge::Current;
                    memory.last_role = LastRole::Standby;
                    attached(memory, facts)
                }
                Some(primary) => detached(memory, facts, &primary.node, Some(host.unwrap_or("?"))),
                None => orphaned(memory, facts, cluster),
            },
        };
    }
    memory.upstream = None;
    match &facts.cluster {
        ClusterAnswer::NotAsked => ScoreStep::AskCluster,
        ClusterAnswer::Silent => {
            ScoreStep::Keep(Some("not streaming, and the cluster could not be asked".into()))
        }
        ClusterAnswer::Says(cluster) => match &cluster.primary {
            Some(primary) => {
                let instead = facts.from_itself.then_some("itself (the address of the primary leads here)");
                detached(memory, facts, &primary.node, instead)
            }
            None => orphaned(memory, facts, cluster),
        },
    }
}

/// The lag behind the furthest position that a primary told us, in bytes.
pub fn lag(memory: &Memory, position: Option<WalPosition>) -> Option<u64> {
    Some(memory.primary_end?.saturating_bytes_since(position?.lsn))
}

/// Streams from the primary and may lack something yet. One that was a candidate stays one: it is looked at again soon.
fn behind(memory: &Memory, primary: &str, why: &str) -> ScoreStep {
    let candidate = memory.score.is_some_and(Score::is_candidate) && memory.knowledge == Knowledge::Current;
    ScoreStep::Keep((!candidate).then(|| format!("streams from {primary}, but {why}")))
}

/// Streams, and its replay is paused. Where a setting is below the primary's the server ends itself when it is promoted.
fn paused(memory: &Memory) -> ScoreStep {
    let reason = "streams, but its replay is paused: by pg_wal_replay_pause(), or because max_connections, max_worker_processes, \
                  max_wal_senders, max_prepared_transactions or max_locks_per_transaction is below the primary's; raise it and restart, \
                  or pg_wal_replay_resume()";
    match memory.score {
        Some(Score::Detached | Score::Withdrawn | Score::SafeMode | Score::StandbyDiskFull) => {
            ScoreStep::Keep(Some(reason.into()))
        }
        _ => ScoreStep::Set(Score::Detached, reason.into()),
    }
}

/// Streams from the primary.
fn attached(memory: &Memory, facts: &StandbyFacts<'_>) -> ScoreStep {
    if facts.is_paused {
        return paused(memory);
    }
    let candidate = memory.score.is_some_and(Score::is_candidate);
    let rested = memory.score_written.is_none_or(|at| facts.now.since(at) >= LAG_REST);
    let lag = match (lag(memory, facts.position), facts.maxlag) {
        (Some(lag), _) => lag,
        // An idle primary tells its position with the first keepalive, after up to half of wal_sender_timeout.
        (None, None) if facts.position.is_some() => 0,
        (None, _) => {
            return ScoreStep::Keep(
                (!candidate).then(|| "streams, but how far it is behind is not known yet".into()),
            );
        }
    };
    match facts.maxlag {
        Some(maxlag) if lag > maxlag => {
            let reason = format!("streams, but is {lag} bytes behind the primary: more than maxlag={maxlag}");
            if memory.score == Some(Score::Withdrawn) {
                ScoreStep::Keep(Some(reason))
            } else {
                ScoreStep::Set(Score::Withdrawn, reason)
            }
        }
        // Half of it before it counts again, or a standby at the edge would flap.
        Some(maxlag) if memory.score == Some(Score::Withdrawn) && (lag > maxlag / 2 || !rested) => {
            ScoreStep::Keep(None)
        }
        _ if memory.score.is_some_and(Score::is_full_standby) => ScoreStep::Keep(None),
        _ => raised(facts, lag),
    }
}

/// The score of a standby that is a full candidate now, unless it would be above the primary's own: for the first seconds
/// after the first start the primary has that of its election, and Pacemaker would move the role to whoever has more.
fn raised(facts: &StandbyFacts<'_>, lag: u64) -> ScoreStep {
    let raise = || ScoreStep::Set(Score::Standby, format!("streams from the primary, {lag} bytes behind"));
    match &facts.cluster {
        ClusterAnswer::NotAsked => ScoreStep::AskCluster,
        ClusterAnswer::Silent => ScoreStep::Keep(Some("streams, but the cluster could not be asked".into())),
        ClusterAnswer::Says(cluster) => match &cluster.primary {
            // It wants to hand over.
            Some(Upstream { score: Some(Score::PrimaryDiskFailing), .. }) => raise(),
            Some(Upstream { score: Some(score), .. }) if *score < Score::Standby => ScoreStep::Keep(None),
            Some(Upstream { score: None, .. }) => ScoreStep::Keep(None),
            Some(Upstream { score: Some(_), .. }) | None => raise(),
        },
    }
}

/// A primary is there, and we do not stream from it.
fn detached(
    memory: &mut Memory,
    facts: &StandbyFacts<'_>,
    primary: &str,
    instead: Option<&str>,
) -> ScoreStep {
    let since = *memory.detached.get_or_insert(facts.now);
    let patience = facts.interval.saturating_mul(2).saturating_add(DETACHED_GRACE);
    let seconds = facts.now.since(since) / 1000;
    let what = match instead {
        None => format!("{NOT_STREAMING} {primary}"),
        Some(host) => format!("streams from {host} instead of the primary {primary}"),
    };
    match memory.score {
        Some(Score::Withdrawn) => return ScoreStep::Keep(Some(what)),
        // What it has becomes old.
        Some(Score::SafeMode) if facts.now.since(since) <= patience => {
            return ScoreStep::Keep(Some(what));
        }
        Some(Score::SafeMode) => {
            return ScoreStep::Set(
                Score::Withdrawn,
                format!("{what} since {seconds} s: it may lack commits"),
            );
        }
        _ => {}
    }
    match memory.knowledge {
        // It took part in the election: for a moment it may stay what it was then.
        Knowledge::Unproven if facts.now.since(since) > RECONNECT && memory.score.is_some() => {
            ScoreStep::Set(Score::Withdrawn, format!("{what} yet"))
        }
        // Without a score the address of the standbys may be on it.
        Knowledge::Unproven if facts.now.since(since) > patience => {
            ScoreStep::Set(Score::Withdrawn, format!("{what} yet"))
        }
        Knowledge::Unproven => ScoreStep::Keep(Some(format!("{what} yet"))),
        Knowledge::Current if facts.now.since(since) > patience => {
            ScoreStep::Set(Score::Withdrawn, format!("{what} since {seconds} s: it may lack commits"))
        }
        Knowledge::Current if memory.score == Some(Score::Detached) => ScoreStep::Keep(Some(what)),
        Knowledge::Current if facts.now.since(since) > RECONNECT => {
            ScoreStep::Set(Score::Detached, format!("{what} since {seconds} s"))
        }
        Knowledge::Current if memory.score.is_none_or(|s| s > Score::Standby) => {
            ScoreStep::Set(Score::Standby, format!("{primary} is the primary now"))
        }
        Knowledge::Current => ScoreStep::Keep(Some(what)),
    }
}

/// Nobody is promoted.
fn orphaned(memory: &mut Memory, facts: &StandbyFacts<'_>, cluster: &ClusterFacts) -> ScoreStep {
    memory.detached = None;
    if let (Some(mismatch), Approved::No) = (facts.mismatch, cluster.approved) {
        memory.knowledge = Knowledge::Unproven;
        return ScoreStep::Set(Score::Withdrawn, mismatch.to_string())
            .unless(memory.score == Some(Score::Withdrawn));
    }
    // It was no candidate when the primary vanished: it may lack commits, and knows no more than one that was away.
    if memory.last_role == LastRole::Standby
        && matches!(memory.score, Some(Score::Withdrawn | Score::SafeMode))
    {
        memory.knowledge = Knowledge::Unproven;
    }
    let score = match memory.last_role {
        LastRole::Primary => Score::FormerPrimary,
        LastRole::Standby => Score::Standby,
    };
    match memory.knowledge {
        // Also the score of a primary that was restarted in place or demoted: as long as nobody else is promoted,
        // it is the best candidate.
        Knowledge::Current if memory.score.is_some_and(|s| s > Score::StandbyDiskFull) => {
            ScoreStep::Keep(None)
        }
        Knowledge::Current => {
            let age = memory.score_written.map(|at| facts.now.since(at));
            match (memory.score, memory.last_role) {
                // It gave way to a synchronous standby after a crash, and nobody took over.
                (Some(Score::Withdrawn), LastRole::Primary) if age.is_some_and(|age| age < YIELD_TIME) => {
                    ScoreStep::Keep(Some("gives way to a synchronous standby".into()))
                }
                _ => ScoreStep::Set(
                    score,
                    "nobody is promoted, and this node was connected to the last primary".into(),
                ),
            }
        }
        Knowledge::Unproven if cluster.approved == Approved::Yes => ScoreStep::Set(
            Score::FirstStart,
            "nobody is promoted, and the operator approved this node's data".into(),
        )
        .unless(memory.score == Some(Score::FirstStart)),
        Knowledge::Unproven => match cluster.everybody {
            InstanceCount::All if memory.refused.is_some_and(|at| facts.now.since(at) < REFUSED_REST) => {
                let said = "its promotion was refused a moment ago: see the failed action in crm_mon -1";
                ScoreStep::Wait(memory.safe_mode.clone().unwrap_or_else(|| said.to_owned()))
            }
            InstanceCount::All => {
                let score = match memory.last_role {
                    LastRole::Primary => Score::FirstStartFormerPrimary,
                    LastRole::Standby => Score::FirstStart,
                };
                ScoreStep::Set(score, "nobody is promoted, and every instance is here to vote".into())
                    .unless(memory.score == Some(score))
            }
            InstanceCount::Missing { running, expected } => {
                let reason = format!(
                    "start the missing instances, {running} of {expected} run: nobody is promoted, and a missing one may have later \
                     commits; or type: quorate recover"
                );
                match memory.score {
                    // Without a score it is no candidate: nothing to write.
                    None => ScoreStep::Wait(reason),
                    Some(_) => ScoreStep::Set(Score::SafeMode, reason),
                }
            }
            InstanceCount::Unknown => {
                ScoreStep::Wait("nobody is promoted, and the number of instances is unknown".into())
            }
        },
    }
}

/// The score of the promoted instance. It is written once the promotion has settled: a score that is written at once
/// aborts the transition in which Pacemaker starts the float IP. Until then the score of a standby does, because of
/// equals Pacemaker prefers the one that is promoted.
pub fn promoted(memory: &mut Memory, now: BootTime) -> ScoreStep {
    memory.knowledge = Knowledge::Current;
    memory.last_role = LastRole::Primary;
    memory.refused = None;
    memory.forget_stream();
    memory.primary_end = None;
    let settled = memory.promoted.is_none_or(|at| now.since(at) >= SETTLE);
    if !settled && memory.score.is_some_and(|s| s >= Score::Standby) {
        return ScoreStep::Keep(None);
    }
    ScoreStep::Set(Score::Primary, "promoted".into()).unless(memory.score == Some(Score::Primary))
}

/// The score of a promoted instance that a probe finds. A probe changes nothing of the instance. But when Pacemaker's executor or
/// controller died on this node, the scheduler's copy of the score went with it, and until a first recurring monitor it would move
/// the role to a standby, which has one. pacemaker-attrd still has ours, and tells the scheduler of changes only: so it is another one,
/// which the next monitor puts right. Only where this instance was tended as the primary before: one that somebody else
/// started is none of ours.
pub fn probed(memory: &mut Memory, now: BootTime) -> ScoreStep {
    match (memory.last_role, memory.score) {
        (LastRole::Primary, None | Some(Score::Primary)) => {
            promoted(memory, now);
            ScoreStep::Set(Score::PrimaryAtProbe, "promoted, and Pacemaker asked again".into())
        }
        (LastRole::Primary, Some(_)) | (LastRole::Standby, _) => ScoreStep::Keep(None),
    }
}

#[cfg(test)]
mod tests;
