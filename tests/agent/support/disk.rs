//! A file system of one instance's own, that a test may fill, freeze or break.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::world::{World, own_dir};

/// Sparse; room for an instance and its WAL.
const SIZE: &str = "400M";

/// A container's /dev lacks the files of further loop devices, and another test may take the one that was free.
const MOUNT: &str = "for i in 1 2 3 4 5; do \
    free=$(losetup --find | cut -d' ' -f1); [ -e \"$free\" ] || mknod \"$free\" b 7 \"${free#/dev/loop}\"; \
    mount -o loop,errors=remount-ro \"$1\" \"$2\" && exit 0; sleep 0.2; done; exit 1";

/// As the lab does it: to the last block.
const FILL: &str = "cd \"$1\"; i=0; while [ $i -lt 40 ]; do \
    left=$(df --output=avail -B1 . | tail -n 1); [ \"$left\" -gt 1048576 ] || break; \
    i=$((i + 1)); fallocate -l $((left - left / 16)) fill.$i || true; done; \
    dd if=/dev/zero of=fill.0 bs=4096 count=2048 2>/dev/null; true";

/// It is gone when this is dropped, frozen or not.
pub struct Volume {
    mount_point: PathBuf,
}

impl Volume {
    /// In the place of the `n`th node's data directory. Make it before the node.
    pub fn of_data(world: &World, n: u8) -> Volume {
        Volume::at(world, &world.dir.join(format!("srv{n}/data")))
    }

    /// Anywhere in the world.
    pub fn at(world: &World, mount_point: &Path) -> Volume {
        own_dir(mount_point.parent().expect("below the world"), World::owner());
        own_dir(mount_point, World::owner());
        let (uid, gid) = World::owner();
        let image = world.dir.join(format!("volume-{}.img", mount_point.to_string_lossy().replace('/', "-")));
        let (image, place) = (image.to_string_lossy(), mount_point.to_string_lossy());
        let owner = format!("lazy_itable_init=1,lazy_journal_init=1,root_owner={uid}:{gid}");
        must("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", &owner, &image, SIZE]);
        must("sh", &["-c", MOUNT, "sh", &image, &place]);
        let volume = Volume { mount_point: mount_point.to_owned() };
        fs::remove_dir(mount_point.join("lost+found")).expect("mkfs made it");
        own_dir(mount_point, World::owner());
        volume
    }

    pub fn fill(&self) {
        must("sh", &["-c", FILL, "sh", &self.path()]);
    }

    pub fn make_room(&self) {
        must("sh", &["-c", "rm -f -- \"$1\"/fill.*", "sh", &self.path()]);
    }

    pub fn freeze(&self) {
        must("fsfreeze", &["--freeze", &self.path()]);
    }

    pub fn thaw(&self) {
        must("fsfreeze", &["--unfreeze", &self.path()]);
    }

    /// As after an error of the disk: read-only, whoever has files open.
    pub fn break_it(&self) {
        let mounts = fs::read_to_string("/proc/mounts").expect("Linux has it");
        let device = mounts.lines().find(|l| l.split(' ').nth(1) == Some(&self.path()));
        let device = device.and_then(|l| l.strip_prefix("/dev/")?.split(' ').next()).expect("mounted");
        fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "quorate").expect("ext4 has it");
    }

    fn path(&self) -> String {
        self.mount_point.to_string_lossy().into_owned()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // It fails where nothing is frozen. The loop device goes with the last process that works there.
        let _ = Command::new("fsfreeze").args(["--unfreeze", &self.path()]).output();
        let _ = Command::new("umount").args(["--lazy", &self.path()]).output();
    }
}

#[track_caller]
fn must(program: &str, arguments: &[&str]) {
    let out = Command::new(program).args(arguments).output().expect("it is installed");
    assert!(out.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
}
