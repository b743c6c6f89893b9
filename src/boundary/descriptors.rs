//! Whether a process can take another connection: nobody but root keeps a local user from holding a thousand of a daemon's.

use std::path::Path;

use super::process::{self, ProcessId};
use crate::decide::detector::Shortage;

/// A connection of libqb's takes some descriptors at once, and a daemon's own work a few more.
const FEW: u64 = 16;
const PROC: &str = "/proc";

/// What this process lacks for taking a connection; `None`: nothing, or nobody knows.
#[must_use]
pub fn shortage_of(id: ProcessId) -> Option<Shortage> {
    process::alive(id).ok().flatten()?;
    let own = Path::new(PROC).join(id.pid.to_string());
    let text = |path: &Path| std::fs::read_to_string(path).ok();
    let most = text(&own.join("limits")).and_then(|limits| most_files(&limits));
    let held = std::fs::read_dir(own.join("fd")).ok().and_then(|list| u64::try_from(list.count()).ok());
    if let (Some(held), Some(most)) = (held, most)
        && held.saturating_add(FEW) >= most
    {
        return Some(Shortage::DaemonFiles);
    }
    // Root's own processes are given more than there are (CAP_SYS_ADMIN), those of `hacluster` are not.
    let machine = text(Path::new("/proc/sys/fs/file-nr")).is_some_and(|counts| is_used_up(&counts));
    machine.then_some(Shortage::Files)
}

/// How long its main thread has run, in nanoseconds; `None` where it is gone.
#[must_use]
pub fn ran(id: ProcessId) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new(PROC).join(id.pid.to_string()).join("schedstat")).ok()?;
    process::alive(id).ok().flatten()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// The soft limit of `/proc/PID/limits`; `None` where there is none.
fn most_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// By `/proc/sys/fs/file-nr`: allocated, allocated and unused, most.
fn is_used_up(counts: &str) -> bool {
    let mut numbers = counts.split_ascii_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(held)), Some(Ok(unused)), Some(Ok(most))) => {
            held.saturating_sub(unused).saturating_add(FEW) >= most
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_process_and_of_the_machine() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             30866                30866                processes \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(most_files(limits), Some(1024));
        assert_eq!(
            most_files("Max open files            unlimited            unlimited            files"),
            None
        );
        assert_eq!(most_files(""), None);
        for (counts, used_up) in [
            ("1184\t0\t9223372036854775807\n", false),
            ("99990\t0\t100000\n", true),
            ("99990\t500\t100000\n", false),
            ("", false),
            ("a b c", false),
        ] {
            assert_eq!(is_used_up(counts), used_up, "{counts:?}");
        }
    }
}
