//! Gathers what is known of the target, tells it to end where it can be told, and looks again until there is an answer.

use std::path::Path;
use std::time::Duration;

use super::{ANSWER, Places};
use crate::boundary::clock::{Deadline, boottime};
use crate::boundary::host::{HostError, HostResult};
use crate::boundary::{corosync, self_fence_records, self_fence_requests};
use crate::cluster::corosync::tools::Votes;
use crate::cluster::self_fencing::{How, SelfFenceRecord, SelfFenceRequest};
use crate::decide::clock::BootTime;
use crate::decide::fence::{self, Notice, Request, Time, Verdict, VotequorumAnswer};

/// How soon a record or a membership that may still change is looked at again.
const AGAIN: Duration = Duration::from_millis(50);

/// For how long what may still change is looked at again.
pub(super) struct Patience {
    /// Until a member that was told to end has announced its self-fencing. Zero: none is told to.
    pub(super) self_fence_timeout: Duration,
    /// Until one that has announced its self-fencing has left the membership.
    pub(super) leaving: Duration,
}

/// What is known of the target at a moment.
pub(super) struct Seen {
    pub(super) notice: Notice,
    pub(super) answer: VotequorumAnswer,
    votes: Option<Votes>,
    record: Option<SelfFenceRecord>,
    now: BootTime,
    error: Option<HostError>,
}

impl Seen {
    pub(super) fn look(target: &str, how: How, places: &Places) -> Seen {
        let (found, now): (HostResult<Option<SelfFenceRecord>>, BootTime) =
            (self_fence_records::find(&places.self_fence_records, target), boottime());
        let (notice, record, error) = match found {
            Ok(record) => (fence::notice(record.as_ref(), target, how, now), record, None),
            Err(why) => (Notice::Unknown, None, Some(why)),
        };
        Seen { notice, answer: VotequorumAnswer::NotAsked, votes: None, record, now, error }
    }

    pub(super) fn ask(mut self, target: &str, places: &Places, deadline: Deadline) -> Seen {
        match corosync::votes(&places.quorumtool, deadline) {
            Ok(votes) => {
                self.answer = fence::answer(&votes, target, self.record.as_ref());
                self.votes = Some(votes);
            }
            Err(why) => {
                self.answer = VotequorumAnswer::Silent;
                self.error = self.error.or(Some(why));
            }
        }
        self
    }

    /// Has `quorated` ask the target to fence itself.
    fn request(&self, target: &str, how: How, socket: &Path) -> HostResult<()> {
        let members = self.votes.iter().flat_map(|votes| &votes.members);
        let node = members
            .into_iter()
            .find(|member| member.name == target)
            .ok_or_else(|| HostError::missing(format!("votequorum has no id of {target}")))?;
        self_fence_requests::give(
            socket,
            &SelfFenceRequest { node_id: node.id, node: target.to_owned(), how },
        )
    }

    /// The reason, with what the record and the programs say themselves.
    pub(super) fn explain(&self, why: &str) -> String {
        let ago = |then: BootTime| Duration::from_millis(self.now - then);
        let mut text = why.to_owned();
        if let Some(record) = &self.record {
            let said = format!(" (announced {:.1?} ago: {:?}", ago(record.received), record.notice.reason);
            text.push_str(&said);
            text.push_str(
                &record.left.map_or(")".to_owned(), |left| format!("; left {:.1?} ago)", ago(left.at))),
            );
        }
        match self.record.as_ref().map(|record| &record.notice.foreign) {
            Some(Some(foreign)) if !foreign.is_empty() => {
                text.push_str(&format!(" (other resources: {})", foreign.join(", ")));
            }
            Some(None) => text.push_str(" (its copy of the CIB could not be read)"),
            Some(Some(_)) | None => {}
        }
        if let Some(error) = &self.error {
            text.push_str(&format!(" ({error})"));
        }
        text
    }
}

/// Looks until there is an answer.
pub(super) fn confirm(target: &str, how: How, patience: &Patience, places: &Places) -> (Seen, Verdict) {
    let mut waiting = Deadline::after(patience.leaving);
    let mut request = if patience.self_fence_timeout.is_zero() { Request::Failed } else { Request::NotSent };
    let mut untold = None;
    let mut looked_again = false;
    loop {
        let time = || if waiting.passed() { Time::Over } else { Time::Left };
        // The record before the membership: a node that came back in between is then seen as a member.
        let mut seen = Seen::look(target, how, places);
        let mut verdict = fence::decide(seen.notice, seen.answer, request, time());
        if verdict == Verdict::Ask {
            // A loaded survivor is slow, which is no reason for the next level's wait; it is longer than this one.
            seen = seen.ask(target, places, waiting.max(Deadline::after(ANSWER)));
            verdict = fence::decide(seen.notice, seen.answer, request, time());
        }
        if request == Request::Sent && seen.notice != Notice::None {
            // It has heeded the request, which is no reason to wait for a self-fencing notice any more: from now on it has the time to leave.
            (request, waiting) = (Request::Failed, waiting.max(Deadline::after(patience.leaving)));
            continue;
        }
        match verdict {
            Verdict::Tell => {
                request = match seen.request(target, how, &places.self_fence_requests) {
                    Ok(()) => Request::Sent,
                    Err(why) => {
                        untold = Some(why);
                        Request::Failed
                    }
                };
                waiting = Deadline::after(patience.self_fence_timeout);
            }
            Verdict::Wait(_) => waiting.sleep(AGAIN),
            // It may have announced its self-fencing and left after the look at the record, before votequorum answered.
            Verdict::Refused(_)
                if request == Request::Sent && seen.notice == Notice::None && !looked_again =>
            {
                looked_again = true;
            }
            Verdict::Ask | Verdict::Confirmed(_) | Verdict::Refused(_) => {
                seen.error = seen.error.or(untold);
                return (seen, verdict);
            }
        }
    }
}
