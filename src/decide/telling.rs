//! When an instance tells the members of its state ([`crate::pg::survey`]).

use serde::{Deserialize, Serialize};

use super::clock::{BootTime, Millis};
use crate::pg::role::PgRole;
use crate::pg::survey::{Load, Survey};
use crate::pg::timeline::Timeline;
use crate::pg::view::{Answer, PrimaryView, StandbyView, SyncState};

/// Each costs a query of the server and a message to all members.
const AGAIN: Millis = 10_000;

/// What was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub when: BootTime,
    pub role: PgRole,
    pub timeline: Option<Timeline>,
}

/// What is to be told now; `None`: nothing new, or the server told nothing.
#[must_use]
pub fn due(last: Option<Told>, answer: Option<&Answer>, now: BootTime) -> Option<Told> {
    let (role, timeline) = match answer? {
        Answer::Primary(view) => (PgRole::Primary, Some(view.timeline)),
        Answer::Standby(view) => (PgRole::Standby, streamed(view)),
        Answer::Rejects(_) | Answer::Silent { .. } | Answer::Refused | Answer::Unusable(_) => return None,
    };
    let is_new = |last: Told| last.role != role || last.timeline != timeline || now.since(last.when) >= AGAIN;
    last.is_none_or(is_new).then_some(Told { when: now, role, timeline })
}

fn streamed(view: &StandbyView) -> Option<Timeline> {
    let receiver = view.receiver.as_ref().filter(|receiver| receiver.status == "streaming")?;
    receiver.timeline
}

/// The survey of a server that gave this answer; `None`: it gave none of a role.
#[must_use]
pub fn survey(answer: &Answer, load: Load, at: u64) -> Option<Survey> {
    match answer {
        Answer::Primary(view) => Some(Survey {
            at,
            role: PgRole::Primary,
            timeline: Some(view.timeline),
            end: Some(view.lsn),
            replayed: None,
            is_paused: false,
            synchronous: synchronous(view),
            load,
        }),
        Answer::Standby(view) => Some(Survey {
            at,
            role: PgRole::Standby,
            timeline: streamed(view),
            end: view.position_lsn(),
            replayed: view.replayed,
            is_paused: view.is_paused,
            synchronous: None,
            load,
        }),
        Answer::Rejects(_) | Answer::Silent { .. } | Answer::Refused | Answer::Unusable(_) => None,
    }
}

/// How many standbys answer for the commits that wait; `None`: no commit waits.
fn synchronous(view: &PrimaryView) -> Option<u32> {
    if view.synchronous_standby_names.trim().is_empty() {
        return None;
    }
    let answers = |s: &&crate::pg::view::ConnectedStandby| {
        s.state == "streaming" && matches!(s.sync_state, SyncState::Sync | SyncState::Quorum)
    };
    Some(u32::try_from(view.standbys.iter().filter(answers).count()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    #[test]
    fn it_is_told_now_and_then_and_at_once_when_it_changes() {
        let Answer::Standby(standby) = idle_standby() else { panic!("a standby") };
        let told =
            due(None, Some(&Answer::Standby(standby.clone())), BootTime::at(1_000)).expect("never told");
        assert_eq!((told.role, told.timeline), (PgRole::Standby, None));
        let again = |now| due(Some(told), Some(&Answer::Standby(standby.clone())), now);
        assert_eq!(again(BootTime::at(999 + AGAIN)), None);
        assert!(again(BootTime::at(1_000 + AGAIN)).is_some());
        let streams = Told { timeline: Timeline::new(2), ..told };
        assert!(
            due(Some(streams), Some(&Answer::Standby(standby.clone())), BootTime::at(1_001)).is_some(),
            "lost its stream"
        );
        assert!(
            due(
                Some(Told { role: PgRole::Primary, ..told }),
                Some(&Answer::Standby(standby)),
                BootTime::at(1_001)
            )
            .is_some()
        );
        assert_eq!(due(None, Some(&Answer::Refused), BootTime::at(1_000)), None);
        assert_eq!(due(None, None, BootTime::at(1_000)), None);
    }
}
