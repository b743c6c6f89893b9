//! The played server: its processes and its control file, by its condition.

use super::{Condition, FakeHost};
use crate::decide::facts::{Process, RunState};
use crate::pg::control_data::{ControlData, DbState};
use crate::pg::lsn::{Lsn, SegmentSize};
use crate::pg::timeline::WalPosition;

impl FakeHost {
    pub(super) fn process(&self) -> Process {
        match self.condition {
            _ if self.at_rest => Process::Absent,
            Condition::Down => Process::Absent,
            Condition::Standby | Condition::Primary | Condition::Deaf | Condition::Archiving => {
                Process::Alive(RunState::Running)
            }
            Condition::Immortal => Process::Alive(RunState::Uninterruptible),
            Condition::Frozen => Process::Alive(RunState::Stopped),
            Condition::Orphans => Process::Leftovers(2),
        }
    }

    pub(super) fn control(&self) -> ControlData {
        let checkpoint = WalPosition { timeline: self.timeline, lsn: Lsn(1) };
        let state = match self.condition {
            Condition::Primary => DbState::InProduction,
            _ => DbState::InArchiveRecovery,
        };
        ControlData {
            system_identifier: 7,
            catalog_version: 1,
            state,
            written: 0,
            checkpoint,
            redo: Lsn(1),
            previous_timeline: None,
            min_recovery: None,
            backup_start: None,
            segment_size: SegmentSize::DEFAULT,
            data_checksums: true,
            wal_log_hints: false,
        }
    }
}
