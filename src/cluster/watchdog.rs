//! The watchdog devices of a machine, as the kernel's files tell of them without opening one: opening arms.

use serde::Serialize;

/// A device: an entry of `/sys/class/watchdog`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Device {
    /// Its entry: `watchdog0`.
    pub name: String,
    /// What its driver calls it.
    pub identity: Option<String>,
    /// The driver's module.
    pub driver: Option<String>,
    /// What is set at present, in seconds.
    pub timeout_s: Option<u32>,
    /// Once armed it can't be disarmed.
    pub nowayout: Option<bool>,
    /// Somebody has it open.
    pub active: Option<bool>,
    /// Why the machine booted, in the driver's flags; most drivers say 0 whatever it was.
    pub bootstatus: Option<u32>,
}

/// The kernel's software watchdog: a timer of the very kernel that it has to end.
const SOFTWARE: (&str, &str) = ("softdog", "Software Watchdog");
/// Intel's, which QEMU's machine `q35` has too.
const ITCO: &str = "iTCO_wdt";
/// Modules of drivers that tell the kernel of no device that they belong to, by their identity.
const MODULES: [(&str, &str); 2] = [SOFTWARE, ("i6300esb", "i6300ESB timer")];

impl Device {
    /// Whether it is the kernel's own timer and no device.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.driver.as_deref() == Some(SOFTWARE.0) || self.identity.as_deref() == Some(SOFTWARE.1)
    }

    /// Whether it is Intel's.
    #[must_use]
    pub fn is_itco(&self) -> bool {
        self.driver.as_deref() == Some(ITCO) || self.identity.as_deref() == Some(ITCO)
    }

    /// What is in an entry. `read` gives an attribute's text.
    #[must_use]
    pub fn parse(name: &str, driver: Option<String>, read: impl Fn(&str) -> Option<String>) -> Self {
        let text = |attribute: &str| read(attribute).map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
        let number = |attribute: &str| text(attribute).and_then(|t| t.parse::<u32>().ok());
        let identity = text("identity");
        let module = MODULES.iter().find(|(_, known)| Some(*known) == identity.as_deref());
        Self {
            driver: driver.or_else(|| module.map(|(module, _)| (*module).to_owned())),
            name: name.to_owned(),
            timeout_s: number("timeout"),
            nowayout: number("nowayout").map(|n| n != 0),
            active: text("state").and_then(|state| match state.as_str() {
                "active" => Some(true),
                "inactive" => Some(false),
                _ => None,
            }),
            bootstatus: number("bootstatus"),
            identity,
        }
    }

    /// In words: `i6300ESB timer (i6300esb)`.
    #[must_use]
    pub fn words(&self) -> String {
        match (&self.identity, &self.driver) {
            (Some(identity), Some(driver)) if identity != driver => format!("{identity} ({driver})"),
            (Some(one), _) | (None, Some(one)) => one.clone(),
            (None, None) => "of an unknown driver".to_owned(),
        }
    }
}

/// What a machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Machine {
    /// By what says so.
    Virtual(String),
    Physical,
    /// Neither its firmware nor its processor tells.
    Unknown,
}

/// Makers and products of virtual machines, as their firmware names them.
const VIRTUAL: [&str; 14] = [
    "QEMU",
    "KVM",
    "OpenStack",
    "Amazon EC2",
    "VMware",
    "VirtualBox",
    "innotek",
    "Xen",
    "Bochs",
    "Parallels",
    "BHYVE",
    "Hyper-V",
    "Virtual Machine",
    "Google Compute Engine",
];

impl Machine {
    /// By the firmware's texts (`/sys/class/dmi/id`) and the flags in `/proc/cpuinfo`, as systemd-detect-virt does.
    #[must_use]
    pub fn of(firmware: &[String], cpuinfo: Option<&str>) -> Self {
        let named = firmware.iter().find(|text| VIRTUAL.iter().any(|word| text.contains(word)));
        if let Some(text) = named {
            return Self::Virtual(text.trim().to_owned());
        }
        let flags = cpuinfo.and_then(|text| text.lines().find(|line| line.starts_with("flags")));
        match flags {
            Some(flags) if flags.split_whitespace().any(|flag| flag == "hypervisor") => {
                Self::Virtual("the processor's flag hypervisor".to_owned())
            }
            Some(_) if !firmware.is_empty() => Self::Physical,
            Some(_) | None => Self::Unknown,
        }
    }
}

/// A machine's watchdogs, and which of them sbd takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watchdogs {
    /// In the order of their numbers.
    pub devices: Vec<Device>,
    /// `SBD_WATCHDOG_DEV`, or sbd's own.
    pub path: String,
    /// The entry that this path leads to; `None`: to nothing.
    pub entry: Option<String>,
    pub machine: Machine,
    /// `kernel.panic`: after so many seconds a kernel that panicked reboots; 0: never.
    pub panic_s: Option<i64>,
}

impl Watchdogs {
    /// The device that sbd takes.
    #[must_use]
    pub fn chosen(&self) -> Option<&Device> {
        let entry = self.entry.as_deref()?;
        self.devices.iter().find(|device| device.name == entry)
    }

    /// Those that it does not take.
    pub fn others(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| Some(device.name.as_str()) != self.entry.as_deref())
    }

    /// Whether the path is a number that the next boot may give to another device.
    #[must_use]
    pub fn path_is_a_number(&self) -> bool {
        let digits = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit());
        self.path.strip_prefix("/dev/watchdog").is_some_and(digits)
    }

    /// For an operator, one line.
    #[must_use]
    pub fn words(&self) -> String {
        let machine = match &self.machine {
            Machine::Virtual(by) => format!("; a virtual machine ({by})"),
            Machine::Physical => String::new(),
            Machine::Unknown => "; whether this is a virtual machine is unknown".to_owned(),
        };
        let others: Vec<String> =
            self.others().map(|other| format!("{} {}", other.name, other.words())).collect();
        let beside = if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
        match self.chosen() {
            Some(device) => format!("{}: {}{beside}{machine}", self.path, device.words()),
            None => format!("NO device {}{beside}{machine}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, attributes: &[(&str, &str)], driver: Option<&str>) -> Device {
        Device::parse(name, driver.map(str::to_owned), |wanted| {
            attributes.iter().find(|(name, _)| *name == wanted).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_kernels_files_are_read() {
        let attributes = [
            ("identity", "i6300ESB timer\n"),
            ("timeout", "30\n"),
            ("nowayout", "0\n"),
            ("state", "inactive\n"),
        ];
        let found = device("watchdog0", &attributes, None);
        assert_eq!(found.words(), "i6300ESB timer (i6300esb)");
        assert_eq!((found.timeout_s, found.nowayout, found.active), (Some(30), Some(false), Some(false)));
        let soft = device("watchdog1", &[("identity", "Software Watchdog\n"), ("nowayout", "1\n")], None);
        assert!(soft.is_software() && !soft.is_itco());
        assert_eq!((soft.driver.as_deref(), soft.nowayout), (Some("softdog"), Some(true)));
        let itco = device("watchdog0", &[("identity", "iTCO_wdt\n")], Some("iTCO_wdt"));
        assert!(itco.is_itco() && !itco.is_software());
        assert_eq!(itco.words(), "iTCO_wdt");
        // What is not there, or is no number, is not known.
        let odd = device("watchdog0", &[("nowayout", "x"), ("state", "?"), ("identity", "\n")], None);
        assert_eq!(odd, Device { name: "watchdog0".to_owned(), ..Device::default() });
        assert_eq!(odd.words(), "of an unknown driver");
    }

    #[test]
    fn a_virtual_machine_is_known_by_its_firmware_or_its_processor() {
        let of = |firmware: &[&str], flags| {
            Machine::of(&firmware.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), flags)
        };
        let bare = Some("processor\t: 0\nflags\t\t: fpu vme sse\n");
        let guest = Some("processor\t: 0\nflags\t\t: fpu hypervisor sse\n");
        assert_eq!(of(&["QEMU\n", "Standard PC"], bare), Machine::Virtual("QEMU".to_owned()));
        assert!(matches!(of(&["ACME"], guest), Machine::Virtual(by) if by.contains("flag")));
        assert_eq!(of(&["ACME"], bare), Machine::Physical);
        assert_eq!(of(&[], bare), Machine::Unknown);
        assert_eq!(of(&["ACME"], None), Machine::Unknown);
    }

    #[test]
    fn a_number_is_no_lasting_name() {
        let path = |path: &str| Watchdogs {
            devices: Vec::new(),
            path: path.to_owned(),
            entry: None,
            machine: Machine::Physical,
            panic_s: None,
        };
        for (name, number) in
            [("/dev/watchdog", true), ("/dev/watchdog10", true), ("/dev/watchdog-sbd", false)]
        {
            assert_eq!(path(name).path_is_a_number(), number, "{name}");
        }
        assert!(path("/dev/watchdog").words().starts_with("NO device"));
    }
}
