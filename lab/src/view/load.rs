//! Load and memory of a node, from its control groups on the host: a few small files, and no process inside the node.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a node's control groups count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Processor time used so far, in µs.
    pub cpu_us: Option<u64>,
    /// Memory in use without the part of the page cache that nobody needs, in bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

/// A node's load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Per cent of one processor since the reading before.
    pub cpu_percent: Option<u64>,
    /// In bytes; see [`Gauge::memory`].
    pub memory: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

impl Load {
    /// The load in the `time` between two readings. A node that was booted in between counts anew: no per cent.
    #[must_use]
    pub fn between(before: Option<&Gauge>, now: &Gauge, time: Duration) -> Self {
        let used = before.and_then(|b| now.cpu_us?.checked_sub(b.cpu_us?));
        let percent = |us: u64| {
            let time = time.as_micros();
            (time > 0).then(|| u64::try_from(u128::from(us) * 100 / time).unwrap_or(u64::MAX))
        };
        Self { cpu_percent: used.and_then(percent), memory: now.memory, tasks: now.tasks }
    }
}

/// Reads the gauges of a node with these control groups; the old hierarchies have one each, the unified one has all.
#[must_use]
pub fn read(groups: &[PathBuf]) -> Gauge {
    let mut gauge = Gauge::default();
    for dir in groups {
        let text = |file: &str| fs::read_to_string(dir.join(file)).ok();
        let number = |file: &str| text(file)?.trim().parse::<u64>().ok();
        let stat = |file: &str, key: &str| field(&text(file)?, key);
        if is_old(dir) {
            gauge.cpu_us = gauge.cpu_us.or_else(|| Some(number("cpuacct.usage")? / 1000));
            gauge.memory = gauge.memory.or_else(|| {
                let idle = stat("memory.stat", "total_inactive_file").unwrap_or(0);
                Some(number("memory.usage_in_bytes")?.saturating_sub(idle))
            });
        } else {
            gauge.cpu_us = gauge.cpu_us.or_else(|| stat("cpu.stat", "usage_usec"));
            gauge.memory = gauge.memory.or_else(|| {
                let idle = stat("memory.stat", "inactive_file").unwrap_or(0);
                Some(number("memory.current")?.saturating_sub(idle))
            });
        }
        gauge.tasks = gauge.tasks.or_else(|| number("pids.current"));
    }
    gauge
}

/// Only the unified hierarchy's groups have this file.
fn is_old(dir: &Path) -> bool {
    !dir.join("cgroup.controllers").exists()
}

/// The number after a key, one pair a line.
fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(dir: &Path, files: &[(&str, &str)]) -> PathBuf {
        fs::create_dir_all(dir).expect("a directory");
        for (name, text) in files {
            fs::write(dir.join(name), text).expect("a file");
        }
        dir.to_owned()
    }

    #[test]
    fn the_unified_hierarchy_has_all_in_one_group() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = [
            ("cgroup.controllers", "memory pids\n"),
            ("cpu.stat", "usage_usec 2500000\nuser_usec 1\n"),
            ("memory.current", "200000000\n"),
            ("memory.stat", "anon 7\ninactive_file 50000000\n"),
            ("pids.current", "143\n"),
        ];
        let gauge = read(&[group(dir.path(), &files)]);
        assert_eq!(gauge, Gauge { cpu_us: Some(2_500_000), memory: Some(150_000_000), tasks: Some(143) });
    }

    #[test]
    fn the_old_hierarchies_have_one_group_each() {
        let dir = tempfile::tempdir().expect("a directory");
        let groups = [
            // Beside the old ones, without controllers: its figure of the processor counts, and is the same.
            group(
                &dir.path().join("unified"),
                &[("cgroup.controllers", "\n"), ("cpu.stat", "usage_usec 9\n")],
            ),
            group(
                &dir.path().join("memory"),
                &[("memory.usage_in_bytes", "9000\n"), ("memory.stat", "total_inactive_file 4000\n")],
            ),
            group(&dir.path().join("cpuacct"), &[("cpuacct.usage", "9000\n")]),
            group(&dir.path().join("pids"), &[("pids.current", "12\n")]),
        ];
        assert_eq!(read(&groups), Gauge { cpu_us: Some(9), memory: Some(5000), tasks: Some(12) });
        assert_eq!(read(&groups[1..]), Gauge { cpu_us: Some(9), memory: Some(5000), tasks: Some(12) });
        assert_eq!(read(&[]), Gauge::default());
    }

    #[test]
    fn the_processor_is_in_per_cent_of_the_time_between() {
        let gauge = |us| Gauge { cpu_us: Some(us), ..Gauge::default() };
        let load = |before: Option<&Gauge>, us| {
            Load::between(before, &gauge(us), Duration::from_secs(2)).cpu_percent
        };
        assert_eq!(load(Some(&gauge(1_000_000)), 4_000_000), Some(150));
        assert_eq!(load(None, 4_000_000), None);
        assert_eq!(load(Some(&gauge(5_000_000)), 1), None, "booted anew");
        assert_eq!(Load::between(Some(&gauge(1)), &gauge(2), Duration::ZERO).cpu_percent, None);
    }
}
