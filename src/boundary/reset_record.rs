//! The evidence of a reset: a line in the kernel's log, and a record on the disk that the next boot reads.

#[cfg(feature = "daemon")]
use std::fs;
use std::fs::{File, OpenOptions};
#[cfg(feature = "daemon")]
use std::io;
use std::io::Write;
#[cfg(feature = "daemon")]
use std::os::unix::fs::FileExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::host::{HostError, HostResult};
use super::storage::read_text_if_there;
use crate::cluster::reset_record::ResetRecord;

/// The record. Its directory is made here: systemd would make the unit's `StateDirectory=` before each start, and wait for its disk.
pub const PATH: &str = "/var/lib/quorate/last-reset.json";
/// The kernel's log: a serial console, netconsole and (by `printk.always_kmsg_dump`) pstore take it from there. And pstore's own way in.
const KERNEL_LOGS: [&str; 2] = ["/dev/kmsg", "/dev/pmsg0"];
/// One block, which has its place from the first time on: a full disk takes it too, and flushing it needs no other blocks.
#[cfg(feature = "daemon")]
const BLOCK: usize = 4096;

/// The place of the record, open.
#[cfg(feature = "daemon")]
pub struct Slot(File);

#[cfg(feature = "daemon")]
impl Slot {
    /// Opens it, and has its block.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_NOFOLLOW)
            .mode(0o644)
            .open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(BLOCK);
        if length < BLOCK {
            file.write_all_at(&vec![b' '; BLOCK - length], length as u64)?;
            file.sync_all()?;
        }
        Ok(Self(file))
    }

    /// Writes the record over the one before, and waits until it is on the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&self, record: &ResetRecord) -> io::Result<()> {
        let mut short = record.clone();
        let text = loop {
            let text = serde_json::to_string(&short)?;
            // A reason may quote another program's.
            if text.len() < BLOCK || short.reason.is_empty() {
                break text;
            }
            short.reason = short.reason.chars().take(short.reason.chars().count() / 2).collect();
        };
        let mut block = text.into_bytes();
        block.resize(BLOCK, b' ');
        self.0.write_all_at(&block, 0)?;
        self.0.sync_data()
    }
}

/// The last record; `None` where no reset was ever decided on.
///
/// # Errors
/// It can't be read, or makes no sense.
pub fn read(path: &Path) -> HostResult<Option<ResetRecord>> {
    let text = read_text_if_there(path)?.unwrap_or_default();
    match text.trim() {
        "" => Ok(None),
        text => serde_json::from_str(text)
            .map(Some)
            .map_err(|e| HostError::unusable(format!("{}: {e}; it is of no use, remove it", path.display()))),
    }
}

/// The kernel's logs, open. A machine may have none: a container.
pub fn kernel_logs() -> Vec<File> {
    // O_NONBLOCK: what stands there in a container may be a FIFO.
    let open =
        |path| OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).ok();
    let device = |file: &File| file.metadata().is_ok_and(|m| m.file_type().is_char_device());
    KERNEL_LOGS.into_iter().filter_map(open).filter(device).collect()
}

/// Writes one line at the level of a critical condition; whether any of them took it.
pub fn tell_kernel(logs: &mut [File], line: &str) -> bool {
    let line = format!("<{}>{line}\n", libc::LOG_CRIT);
    let took = |log: &mut File| log.write_all(line.as_bytes()).is_ok();
    logs.iter_mut().map(took).fold(false, |any, one| any | one)
}

#[cfg(all(test, feature = "daemon"))]
mod tests {
    use super::*;

    fn record(reason: &str) -> ResetRecord {
        ResetRecord { at: 1, ms: 0, boot: "b".into(), reason: reason.into() }
    }

    #[test]
    fn the_last_one_is_read_and_always_one_block() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quorate/last-reset.json");
        assert_eq!(read(&path), Ok(None));
        let slot = Slot::open(&path).unwrap();
        assert_eq!(read(&path), Ok(None), "its block alone");
        for reason in ["a long reason, which comes first", "short", &"ö".repeat(9000), "corosync hangs"] {
            slot.write(&record(reason)).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), BLOCK as u64, "{reason}");
            let found = read(&path).unwrap().unwrap().reason;
            assert!(reason.starts_with(&found) && !found.is_empty(), "{found}");
        }
        // What was there stays until the next one.
        drop(Slot::open(&path).unwrap());
        assert_eq!(read(&path), Ok(Some(record("corosync hangs"))));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r");
        fs::write(&path, "{").unwrap();
        assert!(read(&path).unwrap_err().text.contains("remove it"));
    }
}
