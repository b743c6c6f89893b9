//! Whether the host has the memory for so many machines.

use super::error::{LabError, Result};
use std::fs;
use std::path::PathBuf;

/// Seen: up to 140 MB for a node with everything, and 100 more for pcsd.
const MB_A_MACHINE: u64 = 240;

/// Checks that so many more machines find memory.
///
/// # Errors
/// When they don't; the message names the figures.
pub fn check(machines: usize) -> Result<()> {
    let path = PathBuf::from("/proc/meminfo");
    let text = fs::read_to_string(&path).map_err(|source| LabError::File { path, source })?;
    match lacking(&text, machines) {
        Some(problem) => Err(LabError::Host(problem)),
        None => Ok(()),
    }
}

/// The memory that the host can give, in MB; `None` where it doesn't say.
#[must_use]
pub fn available_mb() -> Option<u64> {
    available(&fs::read_to_string("/proc/meminfo").ok()?)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

/// What is wrong with the memory that /proc/meminfo shows. A host that doesn't say is taken at its word.
fn lacking(meminfo: &str, machines: usize) -> Option<String> {
    let available = available(meminfo)?;
    let needed = MB_A_MACHINE * machines as u64;
    (available < needed).then(|| {
        format!(
            "{machines} machines need about {needed} MB of memory, and {available} MB are available: take clusters \
             down (quorate-lab status shows them), or bring fewer up"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_said_in_figures() {
        let meminfo = "MemTotal:  4000000 kB\nMemAvailable:    1024000 kB\n";
        assert_eq!(lacking(meminfo, 4), None);
        let problem = lacking(meminfo, 5).expect("too many");
        assert!(problem.contains("1200 MB") && problem.contains("1000 MB are available"), "{problem}");
        assert_eq!(lacking("MemTotal: 1 kB\n", 6), None);
    }
}
