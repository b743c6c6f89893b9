//! What the kernel's files tell of a machine's watchdogs. No device is opened: that would arm it.

use std::fs;
use std::path::Path;

use super::host::{HostError, HostResult};
use super::storage;
use crate::cluster::watchdog::{Device, Machine, Watchdogs};

/// Where the files are: below `/`, or below another directory in a test.
const CLASS: &str = "sys/class/watchdog";
/// What systemd writes inside a container: its manager's name.
const CONTAINER: &str = "run/systemd/container";
/// The firmware's texts that name a virtual machine.
const FIRMWARE: [&str; 5] = ["product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"];
/// The name that the kernel gives its first device besides its number.
const FIRST: (&str, &str) = ("watchdog", "watchdog0");

/// The watchdogs below `root`, and which of them `path`, sbd's device, leads to.
///
/// # Errors
/// The kernel does not tell: in a container, which sees no devices.
pub fn look(root: &Path, path: &str) -> HostResult<Watchdogs> {
    let class = root.join(CLASS);
    let entries = match fs::read_dir(&class) {
        Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
        // The driver of the first device brings the directory with it.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(HostError::from(e).about(format!("/{CLASS}"))),
    };
    let mut names: Vec<String> = entries;
    // The host's devices, where it has any, are there as in the host itself; else nothing is known of what stands for one.
    if let Some(manager) = read(&root.join(CONTAINER)).filter(|_| names.is_empty()) {
        return Err(HostError::missing(format!(
            "no device in /{CLASS} of this container ({}): driver and identity of the watchdog are not known",
            manager.trim()
        )));
    }
    names.sort_by_key(|name| (name.len(), name.clone()));
    let devices = names
        .iter()
        .map(|name| {
            let entry = class.join(name);
            Device::parse(name, driver(&entry), |attribute| read(&entry.join(attribute)))
        })
        .collect();
    let firmware: Vec<String> =
        FIRMWARE.iter().filter_map(|name| read(&root.join("sys/class/dmi/id").join(name))).collect();
    let cpuinfo = read(&root.join("proc/cpuinfo"));
    Ok(Watchdogs {
        entry: entry_of(root, path).filter(|entry| names.contains(entry)),
        devices,
        path: path.to_owned(),
        machine: Machine::of(&firmware, cpuinfo.as_deref()),
        panic_s: read(&root.join("proc/sys/kernel/panic")).and_then(|text| text.trim().parse().ok()),
    })
}

/// A small text; `None` where it can't be read.
fn read(path: &Path) -> Option<String> {
    storage::read_text(path).ok()
}

/// The last part of what a link leads to.
fn target(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

/// The module of an entry's driver; the driver's own name where it is built in.
fn driver(entry: &Path) -> Option<String> {
    let driver = entry.join("device/driver");
    target(&driver.join("module")).or_else(|| target(&driver))
}

/// The entry that a device's path leads to, through the links that udev makes.
fn entry_of(root: &Path, path: &str) -> Option<String> {
    let below = root.join(path.trim_start_matches('/'));
    let name = fs::canonicalize(below).ok()?.file_name()?.to_str()?.to_owned();
    Some(if name == FIRST.0 { FIRST.1.to_owned() } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// As in a virtual machine of QEMU with two of them.
    fn machine() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, "sys/class/watchdog/watchdog0/identity", "iTCO_wdt\n");
        write(root, "sys/class/watchdog/watchdog0/device/name", "");
        write(root, "sys/bus/drivers/iTCO_wdt/uevent", "");
        symlink("../../../../bus/drivers/iTCO_wdt", root.join("sys/class/watchdog/watchdog0/device/driver"))
            .unwrap();
        write(root, "sys/class/watchdog/watchdog10/identity", "Software Watchdog\n");
        write(root, "sys/class/watchdog/watchdog1/identity", "i6300ESB timer\n");
        write(root, "sys/class/watchdog/watchdog1/state", "active\n");
        write(root, "sys/class/watchdog/watchdog1/device/name", "");
        write(root, "sys/module/i6300esb/version", "");
        write(root, "sys/bus/drivers/i6300ESB timer/uevent", "");
        symlink("../../../module/i6300esb", root.join("sys/bus/drivers/i6300ESB timer/module")).unwrap();
        symlink(
            "../../../../bus/drivers/i6300ESB timer",
            root.join("sys/class/watchdog/watchdog1/device/driver"),
        )
        .unwrap();
        write(root, "dev/watchdog", "");
        write(root, "dev/watchdog0", "");
        write(root, "dev/watchdog1", "");
        symlink("watchdog1", root.join("dev/watchdog-sbd")).unwrap();
        write(root, "sys/class/dmi/id/sys_vendor", "QEMU\n");
        write(root, "proc/cpuinfo", "flags\t: fpu\n");
        write(root, "proc/sys/kernel/panic", "0\n");
        dir
    }

    #[test]
    fn devices_their_drivers_and_the_one_of_sbd() {
        let dir = machine();
        let found = look(dir.path(), "/dev/watchdog").unwrap();
        let names: Vec<_> = found
            .devices
            .iter()
            .map(|d| (d.name.as_str(), d.driver.as_deref().unwrap_or_default()))
            .collect();
        let wanted = [("watchdog0", "iTCO_wdt"), ("watchdog1", "i6300esb"), ("watchdog10", "softdog")];
        assert_eq!(names, wanted);
        assert!(found.chosen().unwrap().is_itco());
        assert_eq!((found.panic_s, found.others().count()), (Some(0), 2));
        assert_eq!(found.machine, Machine::Virtual("QEMU".to_owned()));
        for (path, entry) in [
            ("/dev/watchdog-sbd", Some("watchdog1")),
            ("/dev/watchdog1", Some("watchdog1")),
            ("/dev/watchdog7", None),
        ] {
            assert_eq!(look(dir.path(), path).unwrap().entry.as_deref(), entry, "{path}");
        }
        assert_eq!(look(dir.path(), "/dev/watchdog1").unwrap().chosen().unwrap().active, Some(true));
    }

    #[test]
    fn no_entry_is_no_device_and_in_a_container_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let found = look(dir.path(), "/dev/watchdog").unwrap();
        assert_eq!((found.devices.len(), found.chosen(), &found.machine), (0, None, &Machine::Unknown));
        write(dir.path(), CONTAINER, "systemd-nspawn\n");
        let why = look(dir.path(), "/dev/watchdog").unwrap_err();
        assert!(why.text.contains("systemd-nspawn") && why.text.contains("not known"), "{why}");
    }
}
