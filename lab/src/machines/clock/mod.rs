//! The wall clock of a node, which can step: a library inside the node (`lab/preload/clock`), and here the file
//! that tells it by how much.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::host::error::{LabError, Result};

/// The library's name for it, in the directory that is bound into the node at /run/quorate-lab.
pub const FILE: &str = "clock";

/// By how many seconds the clock is ahead of the host's. A node that has never been on has the host's.
///
/// # Errors
/// The file can't be read, or is none of ours.
pub fn ahead(file: &Path) -> Result<i64> {
    let failed = |source| LabError::File { path: file.to_owned(), source };
    match fs::read(file) {
        Ok(bytes) => bytes
            .try_into()
            .map(i64::from_ne_bytes)
            .map_err(|_| failed(io::Error::new(io::ErrorKind::InvalidData, "it does not have eight bytes"))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(failed(e)),
    }
}

/// Has the clock be so many seconds ahead, at once and for every program that runs there.
///
/// # Errors
/// The file can't be written.
pub fn set_ahead(file: &Path, seconds: i64) -> Result<()> {
    // Written over, never cut: programs have it mapped.
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(file);
    opened
        .and_then(|to| to.write_all_at(&seconds.to_ne_bytes(), 0))
        .map_err(|source| LabError::File { path: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_and_a_file_of_another_kind_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join(FILE);
        assert_eq!(ahead(&file).expect("none yet"), 0);
        for seconds in [600, -600, 0] {
            set_ahead(&file, seconds).expect("it can be written");
            assert_eq!(ahead(&file).expect("it can be read"), seconds);
        }
        fs::write(&file, "600\n").expect("it can be written");
        assert!(ahead(&file).expect_err("text").to_string().contains("eight bytes"));
    }
}
