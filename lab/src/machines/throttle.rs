//! A block device that takes only so many writes in a second, whoever writes.
//!
//! In the old hierarchy the limit stands in the root group, where the kernel's own writers are too; it is the device's, and stays
//! when the device serves another image. In the unified one it stands in the node's group, and goes with that.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::error::{LabError, Result};

/// The old hierarchy's file; a limit a line: `7:3 20`.
const OLD: &str = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device";

/// Limits the writes to a device, `/dev/loop3`. `groups` are those of its node.
///
/// # Errors
/// When the kernel has no such limit.
pub fn limit(device: &str, writes: u32, groups: &[PathBuf]) -> Result<()> {
    let number = number(device)?;
    if Path::new(OLD).exists() {
        return write(Path::new(OLD), &format!("{number} {writes}"));
    }
    let file = groups.iter().map(|dir| dir.join("io.max")).find(|file| file.exists());
    let file = file.ok_or_else(|| {
        LabError::Host(format!(
            "no limit for writes to {device}: the control groups have neither blkio nor io"
        ))
    })?;
    write(&file, &format!("{number} wiops={writes}"))
}

/// Takes the limit away; whether there was one.
///
/// # Errors
/// When the kernel refuses.
pub fn lift(device: &str, groups: &[PathBuf]) -> Result<bool> {
    let number = number(device)?;
    let none = [(PathBuf::from(OLD), format!("{number} 0"))].into_iter();
    let files = none.chain(groups.iter().map(|dir| (dir.join("io.max"), format!("{number} wiops=max"))));
    let mut lifted = false;
    for (file, line) in files.filter(|(file, _)| limits(file, &number)) {
        write(&file, &line)?;
        lifted = true;
    }
    Ok(lifted)
}

fn limits(file: &Path, number: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().any(|line| line.split(' ').next() == Some(number))
}

/// `7:3`.
fn number(device: &str) -> Result<String> {
    let path = PathBuf::from(format!("/sys/class/block/{}/dev", device.trim_start_matches("/dev/")));
    let text = fs::read_to_string(&path).map_err(|source| LabError::File { path, source })?;
    Ok(text.trim().to_owned())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|source| LabError::File { path: path.to_owned(), source })
}
