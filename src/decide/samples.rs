//! Values for the tests of the decisions.

use crate::pg::control_data::{ControlData, DbState};
use crate::pg::lsn::{Lsn, SegmentSize};
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::view::{Answer, Receiver, StandbyView};

pub fn timeline(n: u32) -> Timeline {
    Timeline::new(n).expect("tests use timelines above 0")
}

pub fn position(tli: u32, lsn: u64) -> WalPosition {
    WalPosition { timeline: timeline(tli), lsn: Lsn(lsn) }
}

pub fn receiver(host: &str, tli: u32, end: u64) -> Receiver {
    Receiver {
        pid: Some(4711),
        status: "streaming".into(),
        sender_host: Some(host.into()),
        sender_port: Some(5432),
        timeline: Some(timeline(tli)),
        latest_end: Some(Lsn(end)),
    }
}

/// A control file with its last checkpoint there.
pub const fn control(state: DbState, checkpoint: WalPosition) -> ControlData {
    ControlData {
        system_identifier: 1,
        catalog_version: 1,
        state,
        written: 0,
        checkpoint,
        redo: checkpoint.lsn,
        previous_timeline: None,
        min_recovery: None,
        backup_start: None,
        segment_size: SegmentSize::DEFAULT,
        data_checksums: true,
        wal_log_hints: false,
    }
}

/// A standby that has received nothing and streams from nobody.
pub const fn idle_standby() -> Answer {
    Answer::Standby(StandbyView {
        received: None,
        replayed: None,
        receiver: None,
        streams_to: Vec::new(),
        primary_conninfo: None,
        is_paused: false,
    })
}
