//! The quorum, as corosync itself says it.
//!
//! A node that lost it has at least stonith-watchdog-timeout until the others go on. Its sbd resets it in that time, if it hears of
//! the loss; it hears through pacemaker-controld and the CIB. So the primaries of this node end here, at once.

use super::act::{Act, LogLevel, ShutdownMode};
use super::limits::Limits;
use super::observation::Quorum;
use super::proposal::{Proposal, Wanted};
use crate::decide::clock::ObserverTime;
use crate::decide::reset::Ground;
use crate::pg::instance::ProcessId;

/// What a node without quorum has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// By maintenance mode or no-quorum-policy.
    None,
    /// Stop writing.
    StopPrimaries,
    /// End: Pacemaker runs here, and no-quorum-policy is suicide or fence. It does so within a second, unless it hangs.
    End,
}

#[derive(Debug, Default)]
pub(super) struct QuorumWatch {
    /// The corosync that was once quorate: one that is just starting is not.
    armed: Option<ProcessId>,
    lost: Option<Lost>,
}

#[derive(Debug, Clone, Copy)]
struct Lost {
    since: ObserverTime,
    said: bool,
}

impl QuorumWatch {
    pub(super) const fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// Whether it is lost at the moment.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// `primaries`: whether one runs here.
    pub(super) fn step(
        &mut self,
        now: ObserverTime,
        quorum: Quorum,
        corosync: Option<ProcessId>,
        duty: Duty,
        primaries: bool,
        limits: &Limits,
    ) -> Vec<Proposal> {
        if self.armed.is_some() && self.armed != corosync {
            // Another corosync, or none: sbd's matter, which is connected to it.
            *self = Self::default();
        }
        match quorum {
            Quorum::Unknown => Vec::new(),
            Quorum::Quorate => {
                self.armed = corosync;
                let back = self.lost.take().is_some_and(|lost| lost.said);
                let line = || Act::Say(LogLevel::Note, "the quorum is back".to_owned()).into();
                back.then(line).into_iter().collect()
            }
            Quorum::Lost if self.armed.is_none() => Vec::new(),
            Quorum::Lost => {
                let lost = self.lost.get_or_insert(Lost { since: now, said: false });
                if now - lost.since < limits.quorum {
                    return Vec::new();
                }
                let first = !std::mem::replace(&mut lost.said, true);
                if duty == Duty::End && now - lost.since >= limits.suicide {
                    let why = format!(
                        "quorum lost for {} ms, and Pacemaker does not end this node as no-quorum-policy says",
                        now - lost.since
                    );
                    let (ground, mode) = (Ground::QuorumLost, ShutdownMode::Immediate);
                    return vec![Wanted { ground, mode, why, victim: None }.into()];
                }
                match (duty, primaries, first) {
                    // Again and again: one may be promoted, or started, meanwhile.
                    (Duty::StopPrimaries | Duty::End, true, _) => {
                        let why = "quorum lost: the others may go on without this node".to_owned();
                        vec![Act::Fence { why }.into()]
                    }
                    (Duty::StopPrimaries | Duty::End, false, true) => vec![
                        Act::Say(
                            LogLevel::Warning,
                            "quorum lost: no primary runs here, and none will be allowed to write".to_owned(),
                        )
                        .into(),
                    ],
                    (Duty::None, _, true) => vec![
                        Act::Say(
                            LogLevel::Warning,
                            "quorum lost: left alone, by maintenance mode or no-quorum-policy=ignore"
                                .to_owned(),
                        )
                        .into(),
                    ],
                    (Duty::StopPrimaries | Duty::End, false, false) | (Duty::None, _, false) => Vec::new(),
                }
            }
        }
    }
}
