//! Reads `global/pg_control`.

use std::path::Path;
use std::time::Duration;

use super::clock::Deadline;
use super::owned_files::OwnedFiles;
use super::storage::StorageError;
use crate::pg::control_data::{ControlData, ControlDataError, FILE_SIZE};

/// Between two reads: longer than the server's write of 8 KiB takes.
const PAUSE: Duration = Duration::from_millis(10);
/// A file that is wrong that often was not being written, it is damaged.
const READS: u32 = 5;

/// The control file can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ControlFileError {
    /// Not readable.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Readable, and wrong.
    #[error("{path}: {source}")]
    Data {
        /// The file.
        path: String,
        /// What is wrong.
        source: ControlDataError,
    },
}

/// Reads and checks the control file of a data directory, whether or not a server runs.
///
/// The race: the server rewrites the file in place, and a read beside that may see half of each (PostgreSQL's own
/// `get_controlfile` has it too). A wrong checksum or length is therefore read again a few times before it counts.
///
/// # Errors
/// See [`ControlFileError`].
pub fn read(files: &OwnedFiles, pgdata: &Path, deadline: Deadline) -> Result<ControlData, ControlFileError> {
    let path = pgdata.join("global/pg_control");
    let mut reads = 0;
    loop {
        reads += 1;
        let limit = u64::try_from(FILE_SIZE).expect("8192");
        match ControlData::parse(&files.read(&path, limit)?) {
            Ok(data) => return Ok(data),
            Err(ControlDataError::Crc { .. } | ControlDataError::Truncated(_))
                if reads < READS && !deadline.passed() =>
            {
                deadline.sleep(PAUSE);
            }
            Err(source) => return Err(ControlFileError::Data { path: path.display().to_string(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::owned_files::mine;
    use super::*;

    const START: &[u8] = include_bytes!("../pg/testdata/pg_control_15_primary");

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    #[test]
    fn a_torn_read_is_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = mine();
        assert!(
            matches!(read(&me, dir.path(), soon()), Err(ControlFileError::Storage(error)) if error.is_missing())
        );
        std::fs::create_dir(dir.path().join("global")).expect("mkdir");
        let path = dir.path().join("global/pg_control");
        let mut whole = START.to_vec();
        whole.resize(FILE_SIZE, 0);
        let mut torn = whole.clone();
        torn[100] ^= 0xff;
        std::fs::write(&path, &torn).expect("written");
        let error = read(&me, dir.path(), soon()).expect_err("damaged").to_string();
        assert!(error.contains("global/pg_control: ") && error.contains("checksum"), "{error}");
        let server = std::thread::spawn(move || {
            let deadline = soon();
            deadline.sleep(PAUSE / 2);
            mine().replace(&path, &whole).expect("written");
        });
        // The server's write may be late on a busy machine: each call reads five times, some call sees the whole file.
        let deadline = soon();
        while read(&me, dir.path(), deadline).is_err() && !deadline.passed() {}
        server.join().expect("no panic");
        assert!(read(&me, dir.path(), deadline).is_ok());
    }
}
