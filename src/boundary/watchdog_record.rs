//! The record of a drill with the watchdog: one block on the disk, written over again and again, each time synced.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::host::{HostError, HostResult};
use super::storage;
use crate::cluster::watchdog_proof::ProofRecord;

/// The record.
pub const PATH: &str = "/var/lib/quorate/watchdog-proof.json";
/// It has its place from the first write on, so that flushing it needs no other block.
const BLOCK: usize = 4096;
/// What a disk writes as a whole: a record that is longer could be cut off in the middle by the reset that it waits for.
const SECTOR: usize = 512;

/// The record's place, open.
pub struct Slot(File);

impl Slot {
    /// Opens it anew: the record of the drill before is over. Its directory, too, is on the disk then.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn create(path: &Path) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .mode(0o644)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file: remove it"));
        }
        file.write_all_at(&[b' '; BLOCK], 0)?;
        file.set_len(BLOCK as u64)?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(Self(file))
    }

    /// Writes the record over the one before, and waits until it is on the disk.
    ///
    /// # Errors
    /// The disk refuses, or the record is longer than a disk writes as a whole.
    pub fn write(&self, record: &ProofRecord) -> io::Result<()> {
        let mut sector = serde_json::to_vec(record)?;
        if sector.len() > SECTOR {
            return Err(io::Error::other("the record is longer than a disk writes as a whole"));
        }
        sector.resize(SECTOR, b' ');
        self.0.write_all_at(&sector, 0)?;
        self.0.sync_data()
    }
}

/// The record of the last drill; `None`: there was none.
///
/// # Errors
/// It can't be read, or makes no sense.
pub fn read(path: &Path) -> HostResult<Option<ProofRecord>> {
    let text = storage::read_text_if_there(path)?.unwrap_or_default();
    match text.trim() {
        "" => Ok(None),
        text => serde_json::from_str(text).map(Some).map_err(|e| {
            HostError::unusable(format!(
                "{}: {e}; it shows nothing: run quorate prove-watchdog again",
                path.display()
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_read_and_no_broken_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quorate/watchdog-proof.json");
        assert_eq!(read(&path), Ok(None));
        let slot = Slot::create(&path).unwrap();
        assert_eq!(read(&path), Ok(None), "its place alone");
        let mut record = ProofRecord {
            device: "/dev/watchdog".into(),
            identity: "i6300ESB timer".into(),
            driver: Some("i6300esb".into()),
            timeout_s: 5,
            boot: "0fdb4b9c-7d3b-4f0e-9d2c-3e0a7f0f5a11".into(),
            armed_at: u64::MAX,
            armed_boottime_ms: crate::cluster::clock::BootTime::at(u64::MAX),
            alive_ms: u32::MAX,
            gap_ms: u32::MAX,
            end: Some(crate::cluster::watchdog_proof::End::BrokenOff),
        };
        slot.write(&record).unwrap();
        record.alive_ms = 1;
        slot.write(&record).unwrap();
        assert_eq!(read(&path), Ok(Some(record.clone())));
        assert_eq!(fs::metadata(&path).unwrap().len(), BLOCK as u64);
        record.device = "x".repeat(SECTOR);
        assert!(slot.write(&record).is_err());
        drop(Slot::create(&path).unwrap());
        assert_eq!(read(&path), Ok(None), "the next drill begins");
        fs::write(&path, "{").unwrap();
        assert!(read(&path).unwrap_err().text.contains("prove-watchdog"));
    }
}
