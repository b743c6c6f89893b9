//! A host that nothing has happened to yet.

use super::{Condition, Failing, FakeHost, Slots, Unit};
use crate::decide::activity::Progress;
use crate::decide::clock::Millis;
use crate::decide::disk::{ROOM, Trial};
use crate::decide::facts::RunState;
use crate::decide::memory::Memory;
use crate::pg::instance::Phase;
use crate::pg::role::PgRole;
use crate::pg::timeline::WalPosition;
use crate::pg::view::StandbyView;

impl FakeHost {
    /// A host in this condition, at a position, with a cluster that answers nothing.
    pub fn new(condition: Condition, position: WalPosition) -> FakeHost {
        FakeHost {
            now: 1_000_000,
            deadline: Millis::MAX,
            condition,
            failing: Failing::Nothing,
            view: StandbyView {
                received: Some(position.lsn),
                replayed: Some(position.lsn),
                receiver: None,
                streams_to: Vec::new(),
                primary_conninfo: None,
                is_paused: false,
            },
            timeline: position.timeline,
            status: None,
            votequorum: None,
            reported: Vec::new(),
            slots: Slots::default(),
            ballots: Vec::new(),
            histories: Vec::new(),
            broken_histories: Vec::new(),
            promotions: Vec::new(),
            voters: Vec::new(),
            voters_of: "srv1".into(),
            standbys: Vec::new(),
            synchronous: String::new(),
            keeps_synchronous: false,
            wal_end: None,
            mark: None,
            announced: None,
            memory: Memory::default(),
            installation: Ok(()),
            receiver: RunState::Running,
            trial: Trial::Written { free: ROOM },
            thaws_at: None,
            at_rest: false,
            archiver_hangs: false,
            command_since: None,
            hangs_when_told: false,
            answer: None,
            progress: Progress::StandsStill,
            fed: 0,
            resetting: None,
            recorded: match condition {
                Condition::Primary => Some((PgRole::Primary, Phase::Running)),
                Condition::Down => None,
                _ => Some((PgRole::Standby, Phase::Running)),
            },
            task: None,
            unit: Unit::Missing,
            done: Vec::new(),
            log: Vec::new(),
        }
    }
}
