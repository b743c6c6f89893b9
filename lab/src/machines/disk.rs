//! The disk of a node: an overlay of the template, with the few files that make it this node. A database node has a
//! [data disks](super::data_disk) beside it.

use super::data_disk::{self, DataDisk};
use super::image::Content;
use super::net;
use super::protocol::NodeKind;
use crate::host::error::{LabError, Result};
use crate::host::run;
use crate::machines::plan::Machine;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the preloaded watchdog library is inside a node.
const WATCHDOG_LIBRARY: &str = "usr/local/lib/libquorate_watchdog.so";
/// Where the preloaded clock library is inside a node.
const CLOCK_LIBRARY: &str = "usr/local/lib/libquorate_clock.so";
/// Where the package is inside a node: as apt leaves what it has installed.
pub const PACKAGE: &str = "var/cache/apt/archives/quorate.deb";
/// Where it is in a plain machine, below its own name: as an operator has copied it there.
const HOME: &str = "root";
/// Seen: 0.3 s. Two other disks and a busy host may need longer.
const INSTALL_DEADLINE: Duration = Duration::from_secs(60);

/// The programs of this project that go into a node.
#[derive(Debug, Clone)]
pub struct Payload {
    /// `libquorate_watchdog.so`
    pub watchdog: PathBuf,
    /// `libquorate_clock.so`
    pub clock: PathBuf,
    /// The Debian package: agent, command, settings of sbd and Pacemaker. With PAF too: only the resource differs.
    pub package: PathBuf,
}

/// What a node's disk is laid over.
#[derive(Debug, Clone)]
pub struct Base {
    /// The template of the suite.
    pub template: PathBuf,
    /// What it has.
    pub content: Content,
    /// What prepared nodes had on their disks, a directory for each node; see [`crate::supervisor::prepared`].
    pub prepared: Option<PathBuf>,
}

/// The disk of one node.
#[derive(Debug, Clone)]
pub struct Disk {
    dir: PathBuf,
}

impl Disk {
    /// The disk below this directory; nothing is made yet.
    pub fn at(dir: PathBuf) -> Disk {
        Disk { dir }
    }

    /// The mounted root.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// A file beside the disk, for what the machine says on its console.
    pub fn console(&self) -> PathBuf {
        self.dir.join("console.log")
    }

    /// A file beside the disk, for the process id of the machine's container.
    pub fn pid_file(&self) -> PathBuf {
        self.dir.join("nspawn.pid")
    }

    /// The file systems of the node's own; only a database node's are ever made.
    fn data(&self) -> [DataDisk; data_disk::KINDS.len()] {
        data_disk::KINDS.map(|kind| DataDisk::at(kind, &self.dir, &self.root()))
    }

    /// Mounts them.
    pub fn mount_data(&self) -> Result<()> {
        self.data().iter().try_for_each(DataDisk::mount)
    }

    /// Lets writes go on that wait because one of them was frozen.
    pub fn thaw_data(&self) {
        self.data().iter().for_each(DataDisk::thaw);
    }

    /// Unmounts all of them, whatever becomes of one; gives the first that went wrong.
    pub fn unmount_data(&self) -> Result<()> {
        self.data().iter().map(DataDisk::unmount).fold(Ok(()), Result::and)
    }

    /// Makes the overlay, mounts it and writes what makes it this node.
    pub fn create(&self, base: &Base, plan: &Machine, payload: &Payload) -> Result<()> {
        let root = self.root();
        for dir in ["upper", "work", "root"] {
            let path = self.dir.join(dir);
            fs::create_dir_all(&path).map_err(|source| LabError::File { path, source })?;
        }
        let prepared =
            base.prepared.as_ref().map_or(String::new(), |p| format!("{}:", p.join(&plan.name).display()));
        let options = format!(
            "lowerdir={prepared}{},upperdir={},workdir={}",
            base.template.display(),
            self.dir.join("upper").display(),
            self.dir.join("work").display()
        );
        mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str())).map_err(
            |e| LabError::Host(format!("mount of the overlay {}: {e} ({options})", root.display())),
        )?;
        // The other nodes' systemd-nspawns have copies of this mount in their namespaces. What is unmounted below it here has
        // to be unmounted there too, or the data disk's loop device would stay as long as they.
        mount(None::<&str>, &root, None::<&str>, MsFlags::MS_SHARED, None::<&str>)
            .map_err(|e| LabError::Host(format!("mount --make-shared {}: {e}", root.display())))?;
        self.write("etc/hostname", &format!("{}\n", plan.name), 0o644)?;
        self.write("etc/machine-id", &format!("{}\n", machine_id()?), 0o444)?;
        self.write("etc/systemd/system/lab-network.service", &network_unit(plan), 0o644)?;
        let wants = root.join("etc/systemd/system/multi-user.target.wants");
        let link = wants.join("lab-network.service");
        fs::create_dir_all(&wants)
            .and_then(|()| match std::os::unix::fs::symlink("../lab-network.service", &link) {
                // A prepared disk has it already.
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            })
            .map_err(|source| LabError::File { path: link, source })?;
        if base.content == Content::Plain {
            // As Debian's installer writes it.
            let hosts = format!("127.0.0.1\tlocalhost\n127.0.1.1\t{}\n", plan.name);
            self.write("etc/hosts", &hosts, 0o644)?;
        }
        if base.content == Content::Node {
            self.install(&payload.clock, CLOCK_LIBRARY, 0o644)?;
            self.write("etc/ld.so.preload", &format!("/{CLOCK_LIBRARY}\n"), 0o644)?;
        }
        self.install(&payload.watchdog, WATCHDOG_LIBRARY, 0o644)?;
        let drop_in = format!("[Service]\nEnvironment=LD_PRELOAD=/{WATCHDOG_LIBRARY}\n");
        for unit in ["sbd", "quorated"] {
            self.write(
                &format!("etc/systemd/system/{unit}.service.d/60-lab-watchdog.conf"),
                &drop_in,
                0o644,
            )?;
        }
        match (plan.kind, base.content) {
            (NodeKind::Database, Content::Plain) => {
                let name = payload.package.file_name().unwrap_or_default().to_string_lossy();
                self.install(&payload.package, &format!("{HOME}/{name}"), 0o644)
            }
            (NodeKind::Database, Content::Node) => {
                self.install_package(&payload.package)?;
                self.data().iter().try_for_each(|disk| {
                    disk.create(base.prepared.as_ref().map(|p| disk.kept(p, &plan.name)).as_deref())
                })
            }
            (NodeKind::Witness, _) => Ok(()),
        }
    }

    /// Installs the package by the node's own dpkg. On a prepared disk it replaces the one that was current then.
    fn install_package(&self, package: &Path) -> Result<()> {
        self.install(package, PACKAGE, 0o644)?;
        let root = self.root();
        let (root, place) = (root.display().to_string(), format!("/{PACKAGE}"));
        // An overlay that is thrown away needs no fsync.
        let argv = ["chroot", root.as_str(), "dpkg", "--force-unsafe-io", "-i", place.as_str()];
        run::check(&argv, INSTALL_DEADLINE).map(drop)
    }

    /// Moves what was written to the disk to this directory of prepared disks. The machine is off, and [`Self::create`] has to follow.
    pub fn move_to(&self, prepared: &Path, node: &str) -> Result<()> {
        self.unmount();
        let place = prepared.join(node);
        let failed = |source| LabError::File { path: place.clone(), source };
        fs::rename(self.dir.join("upper"), &place).map_err(failed)?;
        for disk in self.data() {
            disk.move_to(&disk.kept(prepared, node))?;
        }
        fs::remove_dir_all(self.dir.join("work")).map_err(failed)
    }

    /// Unmounts the disk. One that isn't mounted is as good.
    pub fn unmount(&self) {
        // Lazily: a process of the host that looks into it must not keep the rest from being removed.
        let _ = umount2(&self.root(), MntFlags::MNT_DETACH);
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.root().join(path);
        let failed = |source| LabError::File { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, text).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed)
    }

    fn install(&self, from: &Path, to: &str, mode: u32) -> Result<()> {
        let path = self.root().join(to);
        let failed = |source| LabError::File { path: from.to_owned(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::copy(from, &path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed)
    }
}

/// systemd-nspawn makes the addresses of network cards from the host's machine id. A root file system that was never booted
/// has an empty one: then this process's own view of the host gets one.
pub fn ensure_host_machine_id(run_dir: &Path) -> Result<()> {
    let host = Path::new("/etc/machine-id");
    let failed = |source| LabError::File { path: host.to_owned(), source };
    if fs::read_to_string(host).map_err(failed)?.trim().len() == 32 {
        return Ok(());
    }
    let own = run_dir.join("machine-id");
    fs::write(&own, machine_id()? + "\n").map_err(failed)?;
    mount(Some(&own), host, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(|e| failed(e.into()))
}

/// Without one systemd takes the boot for the first one of a new system and enables every service.
fn machine_id() -> Result<String> {
    let path = PathBuf::from("/proc/sys/kernel/random/uuid");
    let uuid = fs::read_to_string(&path).map_err(|source| LabError::File { path, source })?;
    Ok(uuid.trim().replace('-', ""))
}

fn network_unit(plan: &Machine) -> String {
    let interface = |(link, address): (usize, &ipnet::IpNet)| {
        let name = net::inner(link);
        let undetected = net::undetected(*address).unwrap_or_default();
        format!(
            "ExecStart=/sbin/ip addr replace {address} dev {name} {undetected}\n\
             ExecStart=/sbin/ip link set {name} up\n"
        )
    };
    let interfaces: String = plan.addresses.iter().enumerate().map(interface).collect();
    format!(
        "[Unit]\nDescription=The node's addresses on the lab's bridges\nDefaultDependencies=no\n\
         Before=network.target\nWants=network.target\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\n{interfaces}\n\
         [Install]\nWantedBy=multi-user.target\n"
    )
}
