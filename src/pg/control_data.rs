//! The control file, `global/pg_control`: what a data directory was doing when it was last written, readable without a server.
//!
//! Layout of `ControlFileData` (PostgreSQL's src/include/catalog/pg_control.h), which 13 to 18 share up to the field
//! data_checksum_version: pg_control_version 1300; 1700 since 17, whose `CheckPoint.wal_level` lies in what was padding; 1800 since 18,
//! whose `default_char_signedness` moves the nonce by a byte and the checksum to the next multiple of four.

use std::fmt;

use super::lsn::{Lsn, SegmentSize};
use super::timeline::{Timeline, WalPosition};

/// Length of the file (`PG_CONTROL_FILE_SIZE`); only the first 292 bytes, in 18 296, carry data.
pub const FILE_SIZE: usize = 8192;

/// `offsetof(ControlFileData, crc)` by `PG_CONTROL_VERSION`: the checksum covers everything before itself. `None`: another layout.
const fn crc_offset(control_version: u32) -> Option<usize> {
    match control_version {
        // 13 to 16, and 17.
        1300 | 1700 => Some(288),
        1800 => Some(292),
        _ => None,
    }
}

/// The parts of the control file that decisions rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlData {
    /// Identity that initdb gave to the cluster; all copies of it share the number.
    pub system_identifier: u64,
    /// Changes with each major version; tells it apart from the others.
    pub catalog_version: u32,
    /// What the server was doing.
    pub state: DbState,
    /// When the file was written last, seconds since 1970.
    pub written: i64,
    /// The last checkpoint (a standby: restartpoint): where its record begins, on its timeline.
    pub checkpoint: WalPosition,
    /// Where replay would begin.
    pub redo: Lsn,
    /// The timeline before the checkpoint's, if that checkpoint ended a recovery; else the same.
    pub previous_timeline: Option<Timeline>,
    /// A standby must replay to here before it is consistent; everything up to here was replayed and flushed. `None` on a primary.
    pub min_recovery: Option<WalPosition>,
    /// A base backup that was not yet completed starts here.
    pub backup_start: Option<Lsn>,
    /// Bytes of a WAL segment.
    pub segment_size: SegmentSize,
    /// Data page checksums (pg_rewind needs them or wal_log_hints).
    pub data_checksums: bool,
    /// The setting wal_log_hints as the server last ran with.
    pub wal_log_hints: bool,
}

/// PostgreSQL's `DBState`, by pg_controldata's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DbState {
    /// `starting up`: initdb, or a start that has not begun recovery.
    StartingUp,
    /// `shut down`: a clean stop of a primary.
    ShutDown,
    /// `shut down in recovery`: a clean stop of a standby.
    ShutDownInRecovery,
    /// `shutting down`: the last checkpoint is being written, or the server died meanwhile.
    ShuttingDown,
    /// `in crash recovery`.
    InCrashRecovery,
    /// `in archive recovery`: a standby, running or crashed.
    InArchiveRecovery,
    /// `in production`: a primary, running or crashed.
    InProduction,
}

impl DbState {
    fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            0 => Self::StartingUp,
            1 => Self::ShutDown,
            2 => Self::ShutDownInRecovery,
            3 => Self::ShuttingDown,
            4 => Self::InCrashRecovery,
            5 => Self::InArchiveRecovery,
            6 => Self::InProduction,
            _ => return None,
        })
    }
}

impl fmt::Display for DbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartingUp => "starting up",
            Self::ShutDown => "shut down",
            Self::ShutDownInRecovery => "shut down in recovery",
            Self::ShuttingDown => "shutting down",
            Self::InCrashRecovery => "in crash recovery",
            Self::InArchiveRecovery => "in archive recovery",
            Self::InProduction => "in production",
        })
    }
}

/// Why a control file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlDataError {
    /// Short file.
    #[error(
        "the control file has {0} bytes, not 8192: it is truncated; restore the data directory from a backup or another node"
    )]
    Truncated(usize),
    /// Another layout.
    #[error("the control file is of version {version}{}, quorate reads 1300, 1700 and 1800 (PostgreSQL 13 to 18)", hint(*version))]
    Version {
        /// As read, in this machine's byte order.
        version: u32,
    },
    /// Damaged, or read while the server wrote it.
    #[error(
        "the control file's checksum is {found:08x}, its content gives {computed:08x}: it is damaged; restore the data directory from a backup or another node"
    )]
    Crc {
        /// As stored.
        found: u32,
        /// As computed.
        computed: u32,
    },
    /// A `DBState` that PostgreSQL 13 to 18 do not have.
    #[error("the control file says cluster state {0}, which PostgreSQL 13 to 18 do not know")]
    UnknownState(u32),
    /// A field that can't be.
    #[error("the control file's {field} is {value}, which is impossible")]
    Impossible {
        /// Name in pg_control.h.
        field: &'static str,
        /// As read.
        value: u64,
    },
}

/// Which PostgreSQL a pg_control_version belongs to.
fn hint(version: u32) -> String {
    match version {
        1201 => " (PostgreSQL 12)".into(),
        1100 => " (PostgreSQL 11)".into(),
        1002 => " (PostgreSQL 10)".into(),
        900..=999 => " (PostgreSQL 9)".into(),
        1801.. if version < 10_000 => " (PostgreSQL 19 or later)".into(),
        _ if (900..10_000).contains(&version.swap_bytes()) => {
            " (written on a machine of the other byte order)".into()
        }
        _ => " (not a PostgreSQL control file?)".into(),
    }
}

impl ControlData {
    /// Reads the content of `global/pg_control`.
    ///
    /// # Errors
    /// See [`ControlDataError`]. A checksum error may be a read that ran into the server's write: read again.
    pub fn parse(file: &[u8]) -> Result<Self, ControlDataError> {
        if file.len() != FILE_SIZE {
            return Err(ControlDataError::Truncated(file.len()));
        }
        let u32_at = |at: usize| u32::from_ne_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
        let u64_at = |at: usize| u64::from_ne_bytes(std::array::from_fn(|i| file[at + i]));

        // The version first, as pg_controldata does: another layout has its checksum at another place.
        let version = u32_at(8);
        let Some(crc_at) = crc_offset(version) else { return Err(ControlDataError::Version { version }) };
        let (found, computed) = (u32_at(crc_at), crc32c::crc32c(&file[..crc_at]));
        if found != computed {
            return Err(ControlDataError::Crc { found, computed });
        }

        let state = u32_at(16);
        let segment_size = u32_at(228);
        let timeline = u32_at(48);
        let impossible = |field, value| ControlDataError::Impossible { field, value };
        Ok(Self {
            system_identifier: u64_at(0),
            catalog_version: u32_at(12),
            state: DbState::from_raw(state).ok_or(ControlDataError::UnknownState(state))?,
            written: i64::from_ne_bytes(u64_at(24).to_ne_bytes()),
            checkpoint: WalPosition {
                timeline: Timeline::new(timeline)
                    .ok_or_else(|| impossible("checkPointCopy.ThisTimeLineID", timeline.into()))?,
                lsn: Lsn::valid(u64_at(32)).ok_or_else(|| impossible("checkPoint", 0))?,
            },
            redo: Lsn::valid(u64_at(40)).ok_or_else(|| impossible("checkPointCopy.redo", 0))?,
            previous_timeline: Timeline::new(u32_at(52)),
            min_recovery: match (Timeline::new(u32_at(144)), Lsn::valid(u64_at(136))) {
                (Some(timeline), Some(lsn)) => Some(WalPosition { timeline, lsn }),
                _ => None,
            },
            backup_start: Lsn::valid(u64_at(152)),
            segment_size: SegmentSize::new(segment_size)
                .ok_or_else(|| impossible("xlog_seg_size", segment_size.into()))?,
            data_checksums: u32_at(252) != 0,
            wal_log_hints: file[176] != 0,
        })
    }

    /// The furthest position that the file itself guarantees. The WAL may go on past it.
    pub fn furthest(&self) -> WalPosition {
        self.min_recovery.map_or(self.checkpoint, |min| min.max(self.checkpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First 296 bytes of the control file of a running PostgreSQL 15 primary; the rest is zero.
    const PRIMARY: &[u8] = include_bytes!("testdata/pg_control_15_primary");
    /// The same of a running standby.
    const STANDBY: &[u8] = include_bytes!("testdata/pg_control_15_standby");

    fn whole(start: &[u8]) -> Vec<u8> {
        let mut file = start.to_vec();
        file.resize(FILE_SIZE, 0);
        file
    }

    fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut file = whole(PRIMARY);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        sign(&mut file, 288);
        file
    }

    fn sign(file: &mut [u8], crc_at: usize) {
        let crc = crc32c::crc32c(&file[..crc_at]);
        file[crc_at..crc_at + 4].copy_from_slice(&crc.to_ne_bytes());
    }

    /// As pg_controldata of PostgreSQL 18.6 shows them.
    #[test]
    fn version_18_has_its_checksum_further_back() {
        let primary: &[u8] = include_bytes!("testdata/pg_control_18_primary");
        let data = ControlData::parse(&whole(primary)).expect("valid");
        assert_eq!((data.system_identifier, data.catalog_version), (7_713_281_796_688_040_164, 202_506_291));
        assert_eq!((data.state, data.written), (DbState::InProduction, 1_795_888_369));
        assert_eq!(
            (data.checkpoint.to_string().as_str(), data.redo.to_string().as_str()),
            ("0/3030620 on timeline 1", "0/30305C8")
        );
        assert!(data.data_checksums && !data.wal_log_hints && data.min_recovery.is_none());
        assert_eq!(data.segment_size, SegmentSize::DEFAULT);
        let standby: &[u8] = include_bytes!("testdata/pg_control_18_standby");
        let data = ControlData::parse(&whole(standby)).expect("valid");
        assert_eq!(data.state, DbState::InArchiveRecovery);
        assert_eq!(data.min_recovery.map(|at| at.to_string()).as_deref(), Some("0/3030698 on timeline 1"));
        // default_char_signedness and the last byte of the nonce are covered.
        for at in [256, 288] {
            let mut file = whole(primary);
            file[at] ^= 1;
            assert!(matches!(ControlData::parse(&file), Err(ControlDataError::Crc { .. })), "{at}");
        }
    }

    #[test]
    fn a_primary_as_pg_controldata_shows_it() {
        let data = ControlData::parse(&whole(PRIMARY)).expect("valid");
        assert_eq!(data.system_identifier, 7_710_955_215_702_654_157);
        assert_eq!(data.catalog_version, 202_209_061);
        assert_eq!(data.state, DbState::InProduction);
        assert_eq!(data.written, 1_795_346_666);
        assert_eq!(data.checkpoint.to_string(), "0/2000060 on timeline 1");
        assert_eq!(data.redo.to_string(), "0/2000028");
        assert_eq!(data.previous_timeline, Some(Timeline::FIRST));
        assert_eq!(data.min_recovery, None);
        assert_eq!(data.segment_size, SegmentSize::DEFAULT);
        assert!(data.data_checksums && !data.wal_log_hints);
        assert_eq!(data.furthest(), data.checkpoint);
    }

    #[test]
    fn a_standby_has_a_minimum_recovery_point() {
        let data = ControlData::parse(&whole(STANDBY)).expect("valid");
        assert_eq!(data.state, DbState::InArchiveRecovery);
        assert_eq!(data.min_recovery.map(|at| at.to_string()).as_deref(), Some("0/3072EB8 on timeline 1"));
        assert_eq!(Some(data.furthest()), data.min_recovery);
    }

    #[test]
    fn damage_is_noticed() {
        assert_eq!(ControlData::parse(&whole(PRIMARY)[..8191]), Err(ControlDataError::Truncated(8191)));
        assert_eq!(ControlData::parse(&[]), Err(ControlDataError::Truncated(0)));
        let mut file = whole(PRIMARY);
        file[33] ^= 1;
        assert!(matches!(ControlData::parse(&file), Err(ControlDataError::Crc { .. })));
        assert!(matches!(ControlData::parse(&[0; FILE_SIZE]), Err(ControlDataError::Version { version: 0 })));
    }

    #[test]
    fn other_versions_are_named() {
        let says = |version: u32| {
            ControlData::parse(&changed(8, &version.to_ne_bytes())).map_err(|e| e.to_string()).unwrap_err()
        };
        assert!(says(1201).contains("PostgreSQL 12"));
        assert!(says(1802).contains("PostgreSQL 19"));
        assert!(says(1300u32.swap_bytes()).contains("byte order"));
        assert!(says(7).contains("not a PostgreSQL control file"));
    }

    #[test]
    fn unknown_values_are_errors() {
        assert_eq!(
            ControlData::parse(&changed(16, &9u32.to_ne_bytes())),
            Err(ControlDataError::UnknownState(9))
        );
        assert!(matches!(
            ControlData::parse(&changed(228, &5u32.to_ne_bytes())),
            Err(ControlDataError::Impossible { field: "xlog_seg_size", value: 5 })
        ));
        assert!(matches!(
            ControlData::parse(&changed(48, &[0; 4])),
            Err(ControlDataError::Impossible { .. })
        ));
    }

    #[test]
    fn every_state_has_a_word() {
        assert_eq!((0..=7).filter_map(DbState::from_raw).count(), 7);
        assert_eq!(DbState::from_raw(2).map(|s| s.to_string()).as_deref(), Some("shut down in recovery"));
    }
}
