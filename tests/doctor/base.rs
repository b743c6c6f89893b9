//! Clean configurations, as the layouts' own templates make them, and what a healthy node says.

use quorate::cli::doctor::site;
use quorate::cluster::checker::{Checker, Excuse, OwnDevice};
use quorate::cluster::clock::BootTime;
use quorate::cluster::corosync::tools;
use quorate::cluster::crm_mon;
use quorate::cluster::sbd;
use quorate::cluster::timing::Preset;
use quorate::cluster::watchdog::{Device, Machine, Watchdogs};
use quorate::cluster::watchdog_proof::ProofRecord;
use quorate::decide::doctor::facts::{
    AT_BOOT, Certificate, Disk, DiskHolds, DiskPaths, Facts, Member, Node, Quorated, Service, Surroundings,
    Unknown, WatchdogProof,
};
use quorate::decide::doctor::read::{Gathered, Text, read};
use quorate::decide::doctor::{Report, examine};
use quorate::layout::kind::Kind;
use quorate::layout::{Overrides, examples};

/// All texts that the doctor reads, and the few facts without a text.
pub struct Base {
    pub corosync: String,
    pub cib: String,
    pub sbd: String,
    /// The other nodes'.
    pub other_sbd: String,
    pub postgresql: String,
    pub votes: String,
    pub link: String,
    pub certificate: String,
    pub systemd: String,
    /// What systemd starts as sbd.
    pub unit: String,
    pub cluster: String,
    pub quorated: Quorated,
    /// The service that does not start at boot.
    pub disks: Vec<Disk>,
    pub disabled: Option<&'static str>,
    pub self_fenced: Vec<String>,
    pub watchdogs: Watchdogs,
    /// What differs from a drill that was good with sbd's present timeout.
    pub drill: Vec<fn(&mut Option<WatchdogProof>)>,
    pub surroundings: Surroundings,
}

/// A change of a [`Base`].
#[derive(Debug)]
pub enum Change {
    Corosync(&'static str, &'static str),
    Cib(&'static str, &'static str),
    Sbd(&'static str, &'static str),
    OtherSbd(&'static str, &'static str),
    Postgresql(&'static str, &'static str),
    Votes(&'static str, &'static str),
    Link(&'static str, &'static str),
    Certificate(&'static str, &'static str),
    Systemd(&'static str, &'static str),
    SbdUnit(&'static str, &'static str),
    Cluster(&'static str, &'static str),
    /// It can't have the watchdog device that its configuration names.
    QuoratedHasNoDevice,
    /// It would reset the node, and nobody would go on.
    QuoratedHoldsAResetBack,
    /// There is a self-fence record of this node.
    SelfFenced(&'static str),
    /// quorated has told nothing.
    QuoratedIsSilent,
    /// A daemon hangs and is left alone.
    QuoratedLeavesAlone,
    /// It says what it finds, and does nothing.
    QuoratedOnlySays,
    RebootSeconds(u32),
    RebootUnknown,
    /// Another device, another drill.
    Watchdogs(fn(&mut Watchdogs)),
    Proof(fn(&mut Option<WatchdogProof>)),
    /// This service does not start at boot.
    Disabled(&'static str),
    WitnessCentre(&'static str),
    /// A disk with this patience.
    Disk(DiskHolds, DiskPaths, u64),
}

/// When the node's texts were captured: their certificates are judged then.
const THEN: i64 = 1_795_521_600;

impl Base {
    /// A layout's example with these times.
    pub fn of(kind: Kind, preset: Preset) -> Self {
        Self::described(examples::text(kind), preset)
    }

    /// A description with these times.
    pub fn described(text: &str, preset: Preset) -> Self {
        let overrides = Overrides { preset: Some(preset), ..Overrides::default() };
        let site = quorate::layout::read(text, &overrides).expect("a sound description");
        let files =
            quorate::layout::render::render(&site, quorate::layout::render::Agent::Quorate).expect("renders");
        let file = |path: &str| files.iter().find(|f| f.path == path).expect("is rendered").text.clone();
        let mut surroundings = site::gathered(&site).expect("renders").surroundings;
        surroundings.reboot_s = Ok(60);
        // The captured node is one of the layout "classic".
        let names: Vec<&str> = site.nodes.iter().map(|n| n.name.as_str()).collect();
        let members: String = names
            .iter()
            .map(|n| format!("<node name=\"{n}\" online=\"true\" unclean=\"false\" pending=\"false\" standby=\"false\"/>\n"))
            .collect();
        Self {
            corosync: file("reference/corosync.conf"),
            cib: file("reference/cib.xml"),
            sbd: file("reference/sbd"),
            other_sbd: file("reference/sbd"),
            postgresql: file("reference/postgresql.conf"),
            votes: captured("quorumtool.txt"),
            link: captured("qdevice-tool.txt"),
            certificate: captured("certutil.txt"),
            systemd: captured("systemctl.txt"),
            unit: captured("sbd-unit.txt"),
            cluster: format!("<pacemaker-result>\n<nodes>\n{members}</nodes>\n</pacemaker-result>\n"),
            quorated: Quorated::Runs(Checker { acts: true, ..Checker::default() }),
            disabled: None,
            // By one path, as long as the kernel waits by default: nothing to say.
            disks: vec![
                disk(DiskHolds::Data, DiskPaths::One, 30_000),
                disk(DiskHolds::State, DiskPaths::One, 30_000),
            ],
            self_fenced: Vec::new(),
            watchdogs: watchdogs(),
            drill: Vec::new(),
            surroundings,
        }
    }

    /// Changes it; the text that is replaced must be there.
    #[track_caller]
    pub fn apply(&mut self, change: &Change) {
        let (text, from, to) = match change {
            Change::Corosync(from, to) => (&mut self.corosync, from, to),
            Change::Cib(from, to) => (&mut self.cib, from, to),
            Change::Sbd(from, to) => (&mut self.sbd, from, to),
            Change::OtherSbd(from, to) => (&mut self.other_sbd, from, to),
            Change::Postgresql(from, to) => (&mut self.postgresql, from, to),
            Change::Votes(from, to) => (&mut self.votes, from, to),
            Change::Link(from, to) => (&mut self.link, from, to),
            Change::Certificate(from, to) => (&mut self.certificate, from, to),
            Change::Systemd(from, to) => (&mut self.systemd, from, to),
            Change::SbdUnit(from, to) => (&mut self.unit, from, to),
            Change::Cluster(from, to) => (&mut self.cluster, from, to),
            Change::SelfFenced(node) => {
                self.self_fenced.push((*node).to_owned());
                return;
            }
            Change::QuoratedIsSilent => {
                self.quorated = Quorated::Silent;
                return;
            }
            Change::QuoratedHasNoDevice => {
                let device = OwnDevice::Missing("watchdog_device = \"/dev/watchdog1\": busy".to_owned());
                self.quorated = Quorated::Runs(Checker { acts: true, device, ..Checker::default() });
                return;
            }
            Change::QuoratedHoldsAResetBack => {
                let held_reset = Some("hangs: a small write; srv2: its disk hangs".to_owned());
                self.quorated = Quorated::Runs(Checker { acts: true, held_reset, ..Checker::default() });
                return;
            }
            Change::QuoratedLeavesAlone => {
                let why = "pacemaker.service is started or stopped by order".to_owned();
                let excuses =
                    vec![Excuse { name: "pacemaker-controld".to_owned(), why, since: BootTime::at(5000) }];
                let written = 40_500;
                self.quorated = Quorated::Runs(Checker {
                    acts: true,
                    written: BootTime::at(written),
                    excuses,
                    ..Checker::default()
                });
                return;
            }
            Change::QuoratedOnlySays => {
                self.quorated = Quorated::Runs(Checker::default());
                return;
            }
            Change::Disk(holds, paths, request_ms) => {
                self.disks.push(disk(*holds, *paths, *request_ms));
                return;
            }
            Change::RebootUnknown => {
                self.surroundings.reboot_s = Err(Unknown("nobody told".to_owned()));
                return;
            }
            Change::Watchdogs(change) => return change(&mut self.watchdogs),
            Change::Proof(change) => return self.drill.push(*change),
            Change::Disabled(name) => {
                self.disabled = Some(name);
                return;
            }
            Change::RebootSeconds(seconds) => {
                self.surroundings.reboot_s = Ok(*seconds);
                return;
            }
            Change::WitnessCentre(centre) => {
                self.surroundings.centres.as_mut().expect("has a witness").witness = (*centre).to_owned();
                return;
            }
        };
        assert!(text.contains(from), "{from:?} is not in the clean configuration:\n{text}");
        *text = text.replacen(from, to, 1);
    }

    fn proof(&self) -> Option<WatchdogProof> {
        let sbd = sbd::parse(&self.sbd).expect("sbd's file");
        let mut proof = Some(proof(sbd.watchdog_s().expect("a number")));
        for change in &self.drill {
            change(&mut proof);
        }
        proof
    }

    fn node(&self) -> Node {
        let systemd = |name: &str| {
            let line = self.systemd.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("systemctl.txt has no {name}")).to_owned()
        };
        let end = tools::certificate_end(&self.certificate).expect("certutil.txt has an end");
        let status = crm_mon::parse(&self.cluster).expect("crm_mon's XML");
        let member = |n: &crm_mon::Node| Member {
            name: n.name.clone(),
            online: n.online,
            away_s: (!n.online).then_some(4000),
        };
        let sync = systemd("Environment");
        Node {
            votes: Ok(tools::votes(&self.votes).expect("quorumtool.txt is that tool's")),
            encrypted: Ok(tools::tls_is_active(&self.link).expect("qdevice-tool.txt says it")),
            certificates: Ok(vec![Certificate { name: "Cluster Cert".to_owned(), left_s: end - THEN }]),
            systemd_watchdog: Ok(systemd("RuntimeWatchdogUSec")),
            sbd_enabled: Ok(systemd("UnitFileState") == "enabled"),
            sbd_unit: Ok(sbd::Unit::parse(&self.unit).expect("sbd-unit.txt is systemctl's")),
            at_boot: Ok(AT_BOOT
                .iter()
                .map(|name| Service { name, enabled: self.disabled != Some(name) })
                .collect()),
            startup_sync: Ok(sync.strip_prefix("SBD_SYNC_RESOURCE_STARTUP=").map(str::to_owned)),
            members: Ok(status.nodes.iter().map(member).collect()),
            quorated: Ok(self.quorated.clone()),
            self_fenced: Ok(self.self_fenced.clone()),
            disks: Ok(self.disks.clone()),
            watchdogs: Ok(self.watchdogs.clone()),
            watchdog_proof: Ok(self.proof()),
        }
    }
}

fn disk(holds: DiskHolds, paths: DiskPaths, request_ms: u64) -> Disk {
    Disk { of: "/data".to_owned(), holds, device: "sda".to_owned(), paths, request_ms }
}

/// As in a virtual machine of libvirt.
fn watchdogs() -> Watchdogs {
    Watchdogs {
        devices: vec![device("watchdog0", "i6300ESB timer", "i6300esb")],
        path: "/dev/watchdog".to_owned(),
        entry: Some("watchdog0".to_owned()),
        machine: Machine::Virtual("QEMU".to_owned()),
        panic_s: Some(0),
    }
}

/// A device that nobody has.
pub fn device(name: &str, identity: &str, driver: &str) -> Device {
    Device {
        name: name.to_owned(),
        identity: Some(identity.to_owned()),
        driver: Some(driver.to_owned()),
        timeout_s: Some(30),
        nowayout: Some(false),
        active: Some(false),
        bootstatus: Some(0),
    }
}

/// A drill that has shown what it should.
fn proof(timeout_s: u32) -> WatchdogProof {
    let record = ProofRecord {
        device: "/dev/watchdog".to_owned(),
        identity: "i6300ESB timer".to_owned(),
        driver: Some("i6300esb".to_owned()),
        timeout_s,
        boot: "before".to_owned(),
        armed_at: 1000,
        armed_boottime_ms: BootTime::at(60_000),
        alive_ms: timeout_s * 1000 - 40,
        gap_ms: 110,
        end: None,
    };
    WatchdogProof::of("/var/lib/quorate/watchdog-proof.json", record, "now", 2000)
}

/// Another drill with that device.
pub fn another(proof: &mut Option<WatchdogProof>, change: impl FnOnce(&mut ProofRecord)) {
    let mut record = proof.as_ref().expect("there was one").record.clone();
    change(&mut record);
    *proof = Some(WatchdogProof::of("/var/lib/quorate/watchdog-proof.json", record, "now", 2000));
}

fn captured(name: &str) -> String {
    let path = format!("{}/tests/doctor/node/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What the doctor says of it.
#[track_caller]
pub fn examined(base: Base) -> Report {
    let node = base.node();
    let text = |name: &str, text: String| Text { name: name.to_owned(), text };
    let postgresql =
        site::server(&text("postgresql.conf", base.postgresql)).expect("PostgreSQL would take it");
    let gathered = Gathered {
        corosync: Ok(text("corosync.conf", base.corosync)),
        cib: Ok(text("cib.xml", base.cib)),
        sbd: Ok(vec![text("sbd", base.sbd), text("sbd of the other", base.other_sbd)]),
        postgresql: Ok(vec![postgresql]),
        surroundings: base.surroundings,
        node,
    };
    examine(&read(gathered).expect("nothing is broken as a file"))
}

/// Nothing at all is known.
pub fn nothing() -> Facts {
    let none = || Unknown("nothing".to_owned());
    Facts {
        corosync: Err(none()),
        cib: Err(none()),
        sbd: Err(none()),
        postgresql: Err(none()),
        surroundings: Surroundings::unknown(),
        node: Node::unknown("nothing"),
    }
}
