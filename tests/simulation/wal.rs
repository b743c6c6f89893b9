//! A data directory: WAL with content, timeline histories by PostgreSQL's own rules, the control file, signal
//! files.

use std::collections::{BTreeMap, BTreeSet};

use quorate::decide::facts::Control;
use quorate::pg::control_data::{ControlData, DbState};
use quorate::pg::history::History;
use quorate::pg::lsn::{Lsn, SegmentSize};
use quorate::pg::timeline::{Timeline, WalPosition};

/// Bytes of a WAL segment, initdb's default.
pub const SEGMENT: u64 = 16 << 20;
/// Where the WAL of a new cluster begins.
pub const FIRST_BYTE: u64 = SEGMENT;

/// One record, with an identity that no other record of the run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub uid: u64,
    pub timeline: u32,
    pub start: u64,
    pub end: u64,
    pub what: What,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Commit(u64),
    Checkpoint,
    EndOfRecovery,
}

impl What {
    /// All commits are as long as one another: WAL that forked goes on with records that begin at the same
    /// bytes.
    pub const fn length(self) -> u64 {
        match self {
            What::Commit(_) => 0x1000,
            What::Checkpoint => 0x100,
            What::EndOfRecovery => 0x80,
        }
    }
}

/// `synchronous_standby_names`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sync {
    #[default]
    Off,
    First(usize, Vec<usize>),
    Any(usize, Vec<usize>),
}

impl Sync {
    /// As the setting is written.
    pub fn text(&self) -> String {
        let names = |list: &[usize]| list.iter().map(|n| name(*n)).collect::<Vec<_>>().join(", ");
        match self {
            Sync::Off => String::new(),
            Sync::First(k, list) => format!("FIRST {k} ({})", names(list)),
            Sync::Any(k, list) => format!("ANY {k} ({})", names(list)),
        }
    }
}

/// A node's name.
pub fn name(node: usize) -> String {
    format!("srv{}", node + 1)
}

/// What lies in PGDATA.
#[derive(Debug, Clone)]
pub struct DataDir {
    pub system: u64,
    pub wal: Vec<Record>,
    /// Timeline -> its ancestors, each with the position at which it was left.
    pub histories: BTreeMap<u32, Vec<(u32, u64)>>,
    pub state: DbState,
    pub checkpoint: (u32, u64),
    pub min_recovery: Option<(u32, u64)>,
    pub standby_signal: bool,
    /// `primary_conninfo`, whole.
    pub conninfo: Option<String>,
    pub sync: Sync,
    /// `recovery_target_action = promote` with a target that is reached.
    pub target: bool,
    /// The agent's file: the promotion on whose WAL the data are.
    pub mark: Option<String>,
    /// The commits that the pages hold, and the position they stand for.
    pub applied: BTreeSet<u64>,
    pub applied_to: u64,
    pub timeline: u32,
}

impl DataDir {
    /// What initdb makes.
    pub fn initdb(system: u64) -> DataDir {
        DataDir {
            system,
            wal: Vec::new(),
            histories: BTreeMap::new(),
            state: DbState::ShutDown,
            checkpoint: (1, FIRST_BYTE),
            min_recovery: None,
            standby_signal: false,
            conninfo: None,
            sync: Sync::Off,
            target: false,
            mark: None,
            applied: BTreeSet::new(),
            applied_to: FIRST_BYTE,
            timeline: 1,
        }
    }

    /// Where the WAL ends.
    pub fn end(&self) -> u64 {
        self.wal.last().map_or(self.applied_to, |r| r.end.max(self.applied_to))
    }

    /// PostgreSQL's `findNewestTimeLine`: looks for history files upwards, one by one.
    pub fn newest_timeline(&self, from: u32) -> u32 {
        (from + 1..).take_while(|tli| self.histories.contains_key(tli)).last().unwrap_or(from)
    }

    /// Where the line of `newer` left `older`; `None`: it is no ancestor, or the same.
    pub fn fork(&self, newer: u32, older: u32) -> Option<u64> {
        self.histories.get(&newer)?.iter().find(|(tli, _)| *tli == older).map(|(_, at)| *at)
    }

    /// Whether replay that stands at `position` of `timeline` can go on along `newer`.
    pub fn may_follow(&self, newer: u32, timeline: u32, position: u64) -> bool {
        newer == timeline || self.fork(newer, timeline).is_some_and(|at| at >= position)
    }

    /// Appends a record at the end of what was applied, and applies it.
    pub fn write(&mut self, uid: u64, what: What) -> u64 {
        let start = self.applied_to;
        // What a former life left behind the end is overwritten.
        let keep = self.wal.partition_point(|r| r.start < start);
        self.wal.truncate(keep);
        let end = start + what.length();
        self.wal.push(Record { uid, timeline: self.timeline, start, end, what });
        if let What::Commit(id) = what {
            self.applied.insert(id);
        }
        self.applied_to = end;
        end
    }

    /// Replays what lies behind the applied position, as long as a record begins exactly there.
    pub fn replay(&mut self, up_to: u64) {
        let mut at = self.wal.partition_point(|r| r.start < self.applied_to);
        while let Some(record) = self.wal.get(at) {
            if record.start != self.applied_to || record.end > up_to {
                break;
            }
            if let What::Commit(id) = record.what {
                self.applied.insert(id);
            }
            if record.what == What::Checkpoint {
                self.checkpoint = (record.timeline, record.start);
            }
            self.applied_to = record.end;
            self.timeline = self.timeline.max(record.timeline);
            at += 1;
        }
    }

    /// Puts a sender's records in the place of what lies there.
    pub fn receive(&mut self, records: &[Record]) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let (from, to) = (first.start, last.end);
        let begin = self.wal.partition_point(|r| r.end <= from);
        let end = self.wal.partition_point(|r| r.start < to);
        self.wal.splice(begin..end.max(begin), records.iter().cloned());
    }

    /// The records between two positions.
    pub fn records(&self, from: u64, to: u64, most: usize) -> Vec<Record> {
        let begin = self.wal.partition_point(|r| r.end <= from);
        self.wal[begin..].iter().take_while(|r| r.end <= to).take(most).cloned().collect()
    }

    /// The highest timeline that the names of the segments show for the byte before `lsn`.
    pub fn segment_timeline(&self, lsn: u64) -> Option<Timeline> {
        let segment = lsn.saturating_sub(1) / SEGMENT;
        let begin = self.wal.partition_point(|r| r.end <= segment * SEGMENT);
        let highest =
            self.wal[begin..].iter().take_while(|r| r.start / SEGMENT == segment).map(|r| r.timeline);
        highest.max().and_then(Timeline::new)
    }

    /// The histories as the agent reads them.
    pub fn histories(&self) -> Vec<History> {
        let read = |(tli, ancestors): (&u32, &Vec<(u32, u64)>)| {
            let text: String = ancestors.iter().map(|(t, at)| format!("{t}\t{}\tx\n", Lsn(*at))).collect();
            History::parse(Timeline::new(*tli)?, &text).ok()
        };
        self.histories.iter().filter_map(read).collect()
    }

    /// The control file as the agent reads it.
    pub fn control(&self) -> Control {
        let position = |(tli, lsn): (u32, u64)| WalPosition {
            timeline: Timeline::new(tli).unwrap_or(Timeline::FIRST),
            lsn: Lsn(lsn),
        };
        Control::Known(ControlData {
            system_identifier: self.system,
            catalog_version: 1,
            state: self.state,
            written: 0,
            checkpoint: position(self.checkpoint),
            redo: Lsn(self.checkpoint.1),
            previous_timeline: Timeline::new(self.checkpoint.0),
            min_recovery: self.min_recovery.map(position),
            backup_start: None,
            segment_size: SegmentSize::DEFAULT,
            data_checksums: true,
            wal_log_hints: false,
        })
    }
}
