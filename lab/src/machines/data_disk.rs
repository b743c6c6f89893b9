//! File systems of a database node's own: PostgreSQL's data, and what Pacemaker and corosync keep. Each is an image file,
//! mounted by a loop device for as long as the node is on.
//!
//! What has a file system of its own can be full, read-only or frozen, and the rest of the node lives on. An image is
//! sparse, and is mounted in the supervisor's mount namespace: when that and the node are gone, the kernel takes the loop
//! device away.

use super::throttle;
use crate::host::error::{LabError, Result};
use crate::host::run;
use crate::host::wait::{self, OnInterrupt};
use nix::mount::{MntFlags, umount2};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where PostgreSQL's data are in a node.
pub const MOUNT_POINT: &str = "/var/lib/postgresql";
/// Where Pacemaker and corosync keep their state in a node.
pub const STATE: [&str; 2] = ["/var/lib/pacemaker", "/var/lib/corosync"];

/// What a node has file systems of its own for.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Where it is mounted.
    pub mount_point: &'static str,
    /// The image's name beside the node's disk.
    pub image: &'static str,
    /// Nothing is taken that isn't written.
    size: &'static str,
}

/// All of them.
pub const KINDS: [Kind; 3] = [
    // Room for max_wal_size (1 GB), two instances and the copies that a rebuild keeps.
    Kind { mount_point: MOUNT_POINT, image: "data.img", size: "3G" },
    // Room for the inputs of 4000 transitions, which Pacemaker keeps.
    Kind { mount_point: STATE[0], image: "pacemaker.img", size: "128M" },
    Kind { mount_point: STATE[1], image: "corosync.img", size: "16M" },
];

/// Making, copying and mounting take some milliseconds; a busy disk makes that seconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// So many nodes may look for a free loop device at once.
const AT_ONCE: u32 = 16;
/// The kernel's number for loop devices.
const LOOP_MAJOR: &str = "7";

/// One of a node's file systems.
#[derive(Debug, Clone)]
pub struct DataDisk {
    kind: Kind,
    image: PathBuf,
    mount_point: PathBuf,
}

impl DataDisk {
    /// That of this kind, beside the disk in `dir`, for the node with this root; nothing is made yet.
    pub fn at(kind: Kind, dir: &Path, root: &Path) -> DataDisk {
        let mount_point = root.join(kind.mount_point.trim_start_matches('/'));
        DataDisk { kind, image: dir.join(kind.image), mount_point }
    }

    /// Where the image of a prepared node is kept.
    pub fn kept(&self, prepared: &Path, node: &str) -> PathBuf {
        prepared.join(format!("{node}.{}", self.kind.image))
    }

    /// Makes the image: a copy of the one that was prepared, else with what the node has at the mount point.
    pub fn create(&self, prepared: Option<&Path>) -> Result<()> {
        let image = self.image.display().to_string();
        if let Some(prepared) = prepared.filter(|p| p.exists()) {
            let from = prepared.display().to_string();
            return run::check(&["cp", "--sparse=always", "--reflink=auto", "--", &from, &image], DEADLINE)
                .map(drop);
        }
        let at = |source| LabError::File { path: self.mount_point.clone(), source };
        fs::create_dir_all(&self.mount_point).map_err(at)?;
        let now = fs::metadata(&self.mount_point).map_err(at)?;
        let options =
            format!("lazy_itable_init=1,lazy_journal_init=1,root_owner={}:{}", now.uid(), now.gid());
        let content = self.mount_point.display().to_string();
        // No blocks for root alone: full is full for everybody.
        let argv = [
            "mkfs.ext4",
            "-q",
            "-F",
            "-m",
            "0",
            "-E",
            &options,
            "-d",
            &content,
            image.as_str(),
            self.kind.size,
        ];
        run::check(&argv, DEADLINE).map(drop)
    }

    /// Mounts it, repaired if it has to be; a node without one stays without.
    pub fn mount(&self) -> Result<()> {
        if !self.image.exists() {
            return Ok(());
        }
        self.unmount()?;
        let (image, place) = (self.image.display().to_string(), self.mount_point.display().to_string());
        let checked = run::run(&["e2fsck", "-p", &image], None, DEADLINE)?;
        // 1: it has repaired something.
        if checked.status > 1 {
            checked.success("e2fsck -p")?;
        }
        more_loop_devices()?;
        let at = |source| LabError::File { path: self.mount_point.clone(), source };
        let mode = fs::metadata(&self.mount_point).map_err(at)?.permissions();
        // As Debian's installer sets it up: an error makes it read-only.
        run::check(&["mount", "-o", "loop,errors=remount-ro", &image, &place], DEADLINE)?;
        // mkfs knows the owner only.
        fs::set_permissions(&self.mount_point, mode).map_err(at)
    }

    /// Lets writes go on that wait because the file system was frozen, or slowly. One that isn't is as good.
    pub fn thaw(&self) {
        if self.image.exists() {
            let _ = run::run(&["fsfreeze", "-u", &self.mount_point.display().to_string()], None, DEADLINE);
            // The next image on this device is another node's.
            for device in devices(&self.image).unwrap_or_default() {
                let _ = throttle::lift(&device, &[]);
            }
        }
    }

    /// Unmounts it and waits until the kernel has let the image go: two loop devices for one image would ruin it. One that
    /// isn't mounted is as good. Nothing of the node may live any more.
    pub fn unmount(&self) -> Result<()> {
        if !self.image.exists() {
            return Ok(());
        }
        self.thaw();
        let _ = umount2(&self.mount_point, MntFlags::MNT_DETACH);
        let what = format!("end of the loop device of {}", self.image.display());
        wait::until(&what, DEADLINE, OnInterrupt::GoOn, || match devices(&self.image) {
            Ok(found) if found.is_empty() => Ok(()),
            Ok(found) => Err(format!("it is still {}", found.join(", "))),
            Err(e) => Err(e.to_string()),
        })
    }

    /// Moves the image away.
    pub fn move_to(&self, place: &Path) -> Result<()> {
        if !self.image.exists() {
            return Ok(());
        }
        fs::rename(&self.image, place).map_err(|source| LabError::File { path: place.to_owned(), source })
    }
}

/// In a container with a /dev of its own nobody makes the files of further loop devices.
fn more_loop_devices() -> Result<()> {
    // util-linux says "/dev/loop8 (lost)" where the kernel has it and /dev has not.
    let free = run::check(&["losetup", "--find"], DEADLINE)?;
    let first = free.split_whitespace().next().and_then(|path| path.strip_prefix("/dev/loop"));
    let Some(first) = first.and_then(|number| number.parse::<u32>().ok()) else { return Ok(()) };
    for number in first..first + AT_ONCE {
        let path = format!("/dev/loop{number}");
        if !Path::new(&path).exists() {
            // Another supervisor may be quicker: then mount finds it just as well.
            let _ = run::run(&["mknod", &path, "b", LOOP_MAJOR, &number.to_string()], None, DEADLINE)?;
        }
    }
    Ok(())
}

/// The loop devices of an image.
pub fn devices(image: &Path) -> Result<Vec<String>> {
    let image = image.display().to_string();
    let listed =
        run::check(&["losetup", "--associated", &image, "--noheadings", "--output", "NAME"], DEADLINE)?;
    Ok(listed.split_whitespace().map(str::to_owned).collect())
}
