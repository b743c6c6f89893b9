//! How long the kernel waits for a disk: read from /sys, which asks no disk.

use std::path::{Path, PathBuf};

use super::host::{HostError, HostResult};
use crate::decide::doctor::facts::{Disk, DiskHolds, DiskPaths};

const MOUNTS: &str = "/proc/self/mountinfo";
const SYS: &str = "/sys";
/// More levels of mappings than anybody builds.
const DEPTH: usize = 8;

/// The disks under a directory; none where it lies on no block device, or on one that tells no time.
///
/// # Errors
/// The mounts can't be read.
pub fn of(directory: &Path, name: &str, holds: DiskHolds) -> HostResult<Vec<Disk>> {
    let mounts = std::fs::read_to_string(MOUNTS).map_err(|e| HostError::from(e).about(MOUNTS))?;
    let Some(number) = device_of(&mounts, directory) else { return Ok(Vec::new()) };
    Ok(below(Path::new(SYS), &number, name, holds))
}

/// The number (`MAJOR:MINOR`) of the device that is mounted at a directory or above it (proc(5), mountinfo). The directory itself is
/// not touched: its file system may hang.
fn device_of(mounts: &str, directory: &Path) -> Option<String> {
    let fields = |line: &str| {
        let mut words = line.split(' ').skip(2);
        let (number, place) = (words.next()?.to_owned(), unescaped(words.nth(1)?));
        directory.starts_with(&place).then_some((place.components().count(), number))
    };
    // Of two at the same place the later one covers the earlier.
    let mut found: Vec<_> = mounts.lines().filter_map(fields).collect();
    found.sort_by_key(|(depth, _)| *depth);
    found.pop().map(|(_, number)| number)
}

/// A blank stands as `\040`.
fn unescaped(word: &str) -> PathBuf {
    let plain = |text: String, (code, c)| text.replace(code, c);
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(codes.into_iter().fold(word.to_owned(), plain))
}

fn below(sys: &Path, number: &str, name: &str, holds: DiskHolds) -> Vec<Disk> {
    let device = sys.join("dev/block").join(number);
    // A partition is a directory in its disk's.
    let device = if device.join("partition").exists() { device.join("..") } else { device };
    let mut disks = Vec::new();
    let mut level = vec![(device, DiskPaths::One)];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (device, paths) in level {
            let slaves = slaves(&device);
            let text = |file: &str| std::fs::read_to_string(device.join(file)).unwrap_or_default();
            let mapped_paths = text("dm/uuid").starts_with("mpath-") && slaves.len() > 1;
            let paths = if mapped_paths { DiskPaths::Several } else { paths };
            if slaves.is_empty()
                && let Ok(request_ms) = text("queue/io_timeout").trim().parse()
                && let Some(device) = device.canonicalize().ok().as_deref().and_then(Path::file_name)
            {
                let (of, device) = (name.to_owned(), device.to_string_lossy().into_owned());
                disks.push(Disk { of, holds, device, paths, request_ms });
            }
            next.extend(slaves.into_iter().map(|slave| (slave, paths)));
        }
        level = next;
    }
    disks
}

fn slaves(device: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(device.join("slaves")).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_counts_and_of_two_the_later_one() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      30 22 253:2 / /var/lib/postgresql rw - xfs /dev/mapper/pg rw\n\
                      31 22 253:3 / /var/lib/postgresql rw - xfs /dev/mapper/pg2 rw\n\
                      32 22 0:45 / /srv/with\\040blank rw - tmpfs none rw\nbroken\n";
        for (path, number) in [
            ("/var/lib/postgresql/15/main", "253:3"),
            ("/var/lib/pacemaker", "8:1"),
            ("/var/lib/postgresql2", "8:1"),
            ("/srv/with blank/x", "0:45"),
        ] {
            assert_eq!(device_of(mounts, Path::new(path)).as_deref(), Some(number), "{path}");
        }
        assert_eq!(device_of("", Path::new("/")), None);
    }

    #[test]
    fn the_disks_of_a_mapping_with_several_paths_are_found() {
        let sys = tempfile::tempdir().expect("a directory");
        let make = |path: &str, text: &str| {
            let path = sys.path().join(path);
            std::fs::create_dir_all(path.parent().expect("one")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        for (disk, timeout) in [("sda", "30000\n"), ("sdb", "5000\n")] {
            make(&format!("block/{disk}/queue/io_timeout"), timeout);
        }
        make("block/sda/sda1/partition", "1\n");
        make("block/dm-0/dm/uuid", "mpath-3600\n");
        make("block/dm-1/dm/uuid", "LVM-x\n");
        let link = |from: &str, to: &str| {
            let from = sys.path().join(from);
            std::fs::create_dir_all(from.parent().expect("one")).expect("made");
            std::os::unix::fs::symlink(sys.path().join(to), from).expect("made");
        };
        link("block/dm-0/slaves/sda", "block/sda");
        link("block/dm-0/slaves/sdb", "block/sdb");
        link("block/dm-1/slaves/dm-0", "block/dm-0");
        link("dev/block/253:1", "block/dm-1");
        link("dev/block/8:1", "block/sda/sda1");
        let found = |number| {
            let disks = below(sys.path(), number, "x", DiskHolds::Data).into_iter();
            disks.map(|d| (d.device, d.paths, d.request_ms)).collect::<Vec<_>>()
        };
        let several = DiskPaths::Several;
        assert_eq!(found("253:1"), [("sda".into(), several, 30_000), ("sdb".into(), several, 5000)]);
        assert_eq!(found("8:1"), [("sda".into(), DiskPaths::One, 30_000)]);
        assert_eq!(found("0:45"), []);
    }
}
