//! Removes what a cluster has on the host, found by its name: also what a supervisor that was killed has left.

use super::cgroup::{self, Groups, Host};
use super::data_disk;
use crate::host::error::{LabError, Result};
use crate::host::paths::{ClusterName, RUN_DIR, STATE_DIR};
use crate::host::run;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, umount2};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Removing some hundred megabytes on a busy disk.
const REMOVE_DEADLINE: Duration = Duration::from_secs(60);

/// Held by whoever works on a cluster of that name: its supervisor, or who removes what is left of it.
pub struct Claim {
    lock: Flock<File>,
    name: ClusterName,
}

impl Claim {
    /// Takes the claim, or says that somebody else has it.
    pub fn take(name: &ClusterName) -> Result<Claim> {
        let path = name.lock_file();
        let failed = |source| LabError::File { path: path.clone(), source };
        fs::create_dir_all(RUN_DIR).map_err(failed)?;
        loop {
            let file = File::create(&path).map_err(failed)?;
            let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                Err(_) => return Err(LabError::Exists(name.to_string())),
            };
            // Between our opening and our locking the last holder may have removed the file: then our lock is one on
            // a file that nobody else will ever open.
            let ours = lock.metadata().map_err(failed)?.ino();
            if fs::metadata(&path).is_ok_and(|m| m.ino() == ours) {
                return Ok(Claim { lock, name: name.clone() });
            }
        }
    }

    /// Removes everything of the cluster. All is tried; the first error is given.
    pub fn clean(&self) -> Result<()> {
        let results = [self.processes(), self.files()];
        results.into_iter().collect()
    }

    /// Gives the claim back, with its file and the supervisor's log.
    pub fn release(self) {
        let _ = fs::remove_file(self.name.log_file());
        let _ = fs::remove_file(self.name.lock_file());
        drop(self.lock);
    }

    fn processes(&self) -> Result<()> {
        let host = Host::detect()?;
        for node in cgroup::nodes_of(host, self.name.as_str()) {
            let groups = Groups::of(host, self.name.as_str(), &node);
            thaw(&groups);
            groups.kill()?;
            groups.remove()?;
        }
        cgroup::remove_cluster(host, self.name.as_str())
    }

    fn files(&self) -> Result<()> {
        let state = self.name.state_dir();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let prefix = format!("{}/", state.display());
        let root = self.name.root_dir();
        let ours = |m: &&str| m.starts_with(&prefix) || Path::new(m) == root;
        for mount in mounts.lines().filter_map(|l| l.split(' ').nth(1)).filter(ours) {
            let _ = umount2(mount, MntFlags::MNT_DETACH);
        }
        // Of images that are mounted nowhere any more the kernel has taken these away itself.
        for node in fs::read_dir(state.join("nodes")).into_iter().flatten().flatten() {
            let devices = data_disk::KINDS.map(|kind| data_disk::devices(&node.path().join(kind.image)));
            for device in devices.into_iter().flatten().flatten() {
                let _ = run::run(&["losetup", "--detach", &device], None, REMOVE_DEADLINE);
            }
        }
        // Not removed with what is in it, should the root file system still be there: see `up`.
        let _ = fs::remove_dir(&root);
        for dir in [state, self.name.run_dir()] {
            let words = ["rm", "-rf", "--one-file-system", "--", &dir.display().to_string()];
            run::check(&words, REMOVE_DEADLINE)?;
        }
        Ok(())
    }
}

/// Thaws the node's file systems where a test that was killed has left one frozen: who waits for it can't die. Only from
/// inside the node they can still be reached.
fn thaw(groups: &Groups) {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let (ours, first) = (namespace("self"), namespace("1"));
    for pid in groups.processes() {
        let its = namespace(&pid.to_string());
        if its.is_none() || its == ours || its == first {
            continue;
        }
        // One that is not frozen makes it fail.
        let thawed = data_disk::KINDS.map(|kind| {
            let place = format!("/proc/{pid}/root{}", kind.mount_point);
            run::run(&["fsfreeze", "-u", &place], None, REMOVE_DEADLINE).is_ok_and(|out| out.status == 0)
        });
        if thawed.contains(&true) {
            return;
        }
    }
}

/// The names of all clusters of which there is anything on this host.
pub fn all_names() -> Vec<ClusterName> {
    let mut names = Vec::new();
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries(Path::new(RUN_DIR)) {
        let name = entry.file_name().to_string_lossy().into_owned();
        names.push(name.split('.').next().unwrap_or_default().to_owned());
    }
    for entry in entries(&Path::new(STATE_DIR).join("clusters")) {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names.dedup();
    names.iter().filter_map(|n| ClusterName::parse(n).ok()).collect()
}
