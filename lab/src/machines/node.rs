//! One node: a systemd-nspawn machine with a power switch, a cable and two watchdogs.

mod slow;
mod standstill;

use super::cgroup::{Groups, Host};
use super::clock;
use super::delay::{Delay, Relay};
use super::disk::{Base, Disk, Payload};
use super::journal::Journal;
use super::net;
use super::protocol::{Activity, Cable, Happening, Impairment, NodeInfo, Owner, Power, PowerLoss, Watchdog};
use super::watchdog::{Device, Verdict};
use crate::host::error::{LabError, Result};
use crate::host::paths::ClusterName;
use crate::host::run;
use crate::machines::plan::Machine as Plan;
use ipnet::IpNet;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Seen: 0.5 s until systemd says "running", and above 25 s on two cores with 18 other nodes and a build.
const BOOT_DEADLINE: Duration = Duration::from_secs(60);
/// How long a power cut waits until all processes stand still; one that waits for a device stands already.
const FREEZE_DEADLINE: Duration = Duration::from_millis(200);
/// How long the machine's last process may take to end after the leader was killed.
const END_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// A machine may run as long as it likes; a runner's wait needs some end.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// For a machine without a network, which no site has.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// systemd-nspawn's exit code when the machine inside asked for a reboot.
const REBOOT: i32 = 133;

/// The watchdog devices, and the preloaded library's names for their sockets.
const DEVICES: [(Owner, &str); 2] = [(Owner::Sbd, "watchdog.sock"), (Owner::Quorated, "watchdog1.sock")];

/// One node of a cluster.
pub struct Node {
    plan: Plan,
    disk: Disk,
    /// The directory that is bound into the node at /run/quorate-lab.
    run_dir: PathBuf,
    groups: Groups,
    /// Held during a power operation: one at a time on a node.
    machine: Mutex<Option<Machine>>,
    /// What `status` shows; never held during an operation.
    view: Mutex<View>,
    devices: OnceLock<[Device; DEVICES.len()]>,
    /// What holds its packets back, one for each cable.
    relays: Mutex<Vec<Relay>>,
    journal: Arc<Journal>,
}

struct View {
    cable: Cable,
    impairment: Impairment,
    delay: Option<Delay>,
    activity: Activity,
    leader: Option<i32>,
    boots: u32,
}

/// A machine that runs.
struct Machine {
    leader: Pid,
    boot: u32,
    end: Arc<End>,
}

/// The exit code of systemd-nspawn, once it has ended.
#[derive(Default)]
struct End {
    status: Mutex<Option<i32>>,
    changed: Condvar,
}

impl Node {
    /// A node of a cluster, with its disk made; it is off.
    pub fn create(
        cluster: &ClusterName,
        plan: Plan,
        base: &Base,
        payload: &Payload,
        host: Host,
        journal: Arc<Journal>,
    ) -> Result<Arc<Node>> {
        let disk = Disk::at(cluster.state_dir().join("nodes").join(&plan.name));
        disk.create(base, &plan, payload)?;
        let run_dir = cluster.node_run_dir(&plan.name);
        fs::create_dir_all(&run_dir).map_err(|source| LabError::File { path: run_dir.clone(), source })?;
        let groups = Groups::of(host, cluster.as_str(), &plan.name);
        let node = Arc::new(Node {
            plan,
            disk,
            groups,
            machine: Mutex::new(None),
            view: Mutex::new(View {
                cable: Cable::Linked,
                impairment: Impairment::NONE,
                delay: None,
                activity: Activity::Running,
                leader: None,
                boots: 0,
            }),
            devices: OnceLock::new(),
            relays: Mutex::default(),
            journal,
            run_dir,
        });
        let serve = |(of, socket): (Owner, &str)| {
            let told = Arc::downgrade(&node);
            Device::serve(&node.run_dir.join(socket), move |verdict| {
                if let Some(node) = told.upgrade() {
                    node.hear(of, verdict);
                }
            })
        };
        let [first, second] = DEVICES;
        let devices = [serve(first)?, serve(second)?];
        // Nobody else has the node yet, so this can't have been set before.
        let _ = node.devices.set(devices);
        Ok(node)
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// What it was made from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What `status` shows.
    pub fn info(&self) -> NodeInfo {
        // Before the view is locked: whoever changes the cables takes the locks one after the other.
        let late_packets = self.late_packets();
        let view = lock(&self.view);
        let state = |index: usize| {
            let armed = self.devices.get().is_some_and(|devices| devices[index].is_armed());
            if armed { Watchdog::Armed } else { Watchdog::Idle }
        };
        NodeInfo {
            name: self.plan.name.clone(),
            address: self.plan.addresses.first().map_or(NOWHERE, IpNet::addr),
            kind: self.plan.kind,
            power: if view.leader.is_some() { Power::On } else { Power::Off },
            cable: view.cable,
            impairment: view.impairment,
            apart_from: Vec::new(),
            delay: view.delay,
            late_packets,
            // Asked of the kernel only where there is something to count.
            lost_packets: if view.impairment == Impairment::NONE {
                0
            } else {
                net::lost_packets(&self.plan).unwrap_or(0)
            },
            activity: view.activity,
            watchdog: state(0),
            second_watchdog: state(1),
            leader: view.leader,
            boots: view.boots,
            cgroups: self.groups.dirs(),
        }
    }

    /// Boots the node, and waits until its system runs. One that is on stays as it is.
    pub fn power_on(self: &Arc<Self>) -> Result<()> {
        let mut machine = lock(&self.machine);
        if machine.is_none() {
            *machine = Some(self.boot()?);
        }
        Ok(())
    }

    /// Cuts the power. A node that is off stays as it is.
    pub fn power_off(&self, cause: PowerLoss) -> Result<()> {
        self.cut(&mut lock(&self.machine), cause)
    }

    /// Cuts the power and gives it again.
    pub fn reset(self: &Arc<Self>) -> Result<()> {
        let mut machine = lock(&self.machine);
        self.cut(&mut machine, PowerLoss::Cut)?;
        *machine = Some(self.boot()?);
        Ok(())
    }

    /// Pulls the cable.
    pub fn unlink(&self) -> Result<()> {
        let _one_at_a_time = lock(&self.machine);
        net::unlink(&self.plan)?;
        lock(&self.view).cable = Cable::Unlinked;
        self.journal.note(&self.plan.name, Happening::Unlinked);
        Ok(())
    }

    /// Puts the cable in again.
    pub fn link(&self) -> Result<()> {
        let _one_at_a_time = lock(&self.machine);
        net::link(&self.plan)?;
        lock(&self.view).cable = Cable::Linked;
        self.journal.note(&self.plan.name, Happening::Linked);
        Ok(())
    }

    /// Lets the cables lose packets, until another word.
    pub fn impair(&self, by: Impairment) -> Result<()> {
        let _one_at_a_time = lock(&self.machine);
        net::impair(&self.plan, by)?;
        lock(&self.view).impairment = by;
        self.journal.note(&self.plan.name, Happening::Impaired { by });
        Ok(())
    }

    /// Cuts the power and moves the node's disk into the directory `kept`, under the node's name.
    pub fn keep_disk(&self, kept: &Path) -> Result<()> {
        let mut machine = lock(&self.machine);
        self.cut(&mut machine, PowerLoss::Cut)?;
        self.disk.move_to(kept, &self.plan.name)
    }

    /// Gives the node a fresh disk; it has never been on.
    pub fn renew(&self, base: &Base, payload: &Payload) -> Result<()> {
        let _one_at_a_time = lock(&self.machine);
        self.disk.create(base, &self.plan, payload)?;
        lock(&self.view).boots = 0;
        Ok(())
    }

    /// Removes all that the node has on the host.
    pub fn remove(&self) -> Result<()> {
        let off = self.power_off(PowerLoss::Cut);
        let unmounted = self.disk.unmount_data();
        self.disk.unmount();
        off.and(unmounted).and(self.groups.remove())
    }

    fn hear(self: &Arc<Self>, of: Owner, verdict: Verdict) {
        let (happening, is_lost) = match verdict {
            Verdict::Armed(timeout) => {
                let timeout_ms = timeout.as_millis().try_into().unwrap_or(u64::MAX);
                (Happening::WatchdogArmed { of, timeout_ms }, false)
            }
            Verdict::Disarmed => (Happening::WatchdogDisarmed { of }, false),
            Verdict::Expired => (Happening::WatchdogExpired { of }, true),
            Verdict::ResetRequested => (Happening::ResetRequested, true),
        };
        self.journal.note(&self.plan.name, happening);
        if is_lost {
            let node = self.clone();
            let boot = lock(&self.view).boots;
            // Not on the device's thread: the machine's end closes the device's connections, which it has to see.
            std::thread::spawn(move || {
                if let Err(e) = node.reset_by_watchdog(boot) {
                    eprintln!("{}: reset by the watchdog: {e}", node.name());
                }
            });
        }
    }

    /// Resets the machine of this boot. sbd asks more than once while it dies: what it says after the first time must
    /// not reset the machine that runs since.
    fn reset_by_watchdog(self: &Arc<Self>, boot: u32) -> Result<()> {
        let mut machine = lock(&self.machine);
        if machine.as_ref().is_none_or(|m| m.boot != boot) {
            return Ok(());
        }
        self.cut(&mut machine, PowerLoss::Watchdog)?;
        *machine = Some(self.boot()?);
        Ok(())
    }

    fn cut(&self, machine: &mut Option<Machine>, cause: PowerLoss) -> Result<()> {
        let Some(running) = machine.take() else { return Ok(()) };
        // A power cut ends everything at one moment. Killed one after the other, processes would go on for a while: without
        // a cable PostgreSQL would commit what no standby ever gets. So all of them stop first, then the cable goes (the
        // kernel must not tell the peers that their connections end), and they wake up only to die.
        let stopped = self.groups.freeze_now(FREEZE_DEADLINE);
        let cable = net::unlink(&self.plan);
        if stopped.is_ok() {
            self.groups.kill_inside();
        }
        let _ = kill(running.leader, Signal::SIGKILL);
        // Whoever waits for a frozen file system can't die.
        self.disk.thaw_data();
        let _ = self.groups.thaw();
        let ended = running.end.wait(END_DEADLINE);
        let killed = self.groups.kill();
        self.is_off(cause);
        if ended.is_none() {
            return Err(LabError::Timeout {
                what: format!("end of node {} after its power was cut", self.plan.name),
                seconds: END_DEADLINE.as_secs(),
                last: String::new(),
            });
        }
        cable.and(killed).and_then(|()| self.disk.unmount_data())
    }

    fn is_off(&self, cause: PowerLoss) {
        if let Some(devices) = self.devices.get() {
            devices.iter().for_each(Device::power_cycle);
        }
        // Its cables go with it, and the next ones are good.
        lock(&self.relays).clear();
        let mut view = lock(&self.view);
        view.delay = None;
        view.leader = None;
        view.activity = Activity::Running;
        drop(view);
        self.journal.note(&self.plan.name, Happening::PowerLost { cause });
    }

    fn boot(self: &Arc<Self>) -> Result<Machine> {
        self.groups.create()?;
        // A time server has set it since.
        clock::set_ahead(&self.run_dir.join(clock::FILE), 0)?;
        net::clear_away(&self.plan)?;
        self.disk.mount_data()?;
        let boot = {
            let mut view = lock(&self.view);
            view.boots += 1;
            view.boots
        };
        let end = Arc::new(End::default());
        let pid_file = self.disk.pid_file();
        let _ = fs::remove_file(&pid_file);
        let (node, ends, words) = (self.clone(), end.clone(), self.command_line());
        // The thread lives as long as the machine: the kernel kills systemd-nspawn when the *thread* that started it
        // ends (PR_SET_PDEATHSIG). The processes inside outlive it; `down` finds them by their control groups.
        std::thread::spawn(move || {
            let status = run::run(&words, None, LIFETIME).map_or(-1, |o| o.status);
            ends.set(status);
            node.ended_by_itself(boot, status);
        });
        let booted = self.wait_for_leader(&pid_file, &end).and_then(|leader| {
            lock(&self.view).leader = Some(leader.as_raw());
            self.journal.note(&self.plan.name, Happening::Booted);
            net::plug_in(&self.plan)?;
            let (cable, impairment) = {
                let view = lock(&self.view);
                (view.cable, view.impairment)
            };
            // The rules went with the cables of the boot before.
            if impairment != Impairment::NONE {
                net::impair(&self.plan, impairment)?;
            }
            if cable == Cable::Linked {
                net::link(&self.plan)?;
            }
            self.wait_for_system(leader, &end)?;
            Ok(Machine { leader, boot, end })
        });
        if booted.is_err() {
            let _ = self.groups.kill();
            let _ = self.disk.unmount_data();
            lock(&self.view).leader = None;
        }
        booted
    }

    fn command_line(&self) -> Vec<String> {
        let log = "echo $$ >\"$1\"; log=$2; shift 2; exec \"$@\" >>\"$log\" 2>&1 </dev/null";
        let mut words: Vec<String> = ["sh", "-ec", log, "sh"].map(str::to_owned).to_vec();
        words.push(self.disk.pid_file().display().to_string());
        words.push(self.disk.console().display().to_string());
        words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(str::to_owned));
        words.extend(self.groups.prefix());
        let name = &self.plan.name;
        words.extend(
            [
                "systemd-nspawn",
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--capability=CAP_IPC_LOCK",
                "--rlimit=RLIMIT_MEMLOCK=infinity",
                "--resolv-conf=off",
                "--timezone=off",
                "--link-journal=no",
                "--console=pipe",
            ]
            .map(str::to_owned),
        );
        words.extend([
            format!("--directory={}", self.disk.root().display()),
            format!("--machine={name}"),
            format!("--hostname={name}"),
            format!("--bind={}:/run/quorate-lab", self.run_dir.display()),
            "--boot".into(),
        ]);
        words.extend(net::nspawn_words(&self.plan));
        words
    }

    /// The machine's init: the child of systemd-nspawn that is process 1 in a namespace of its own.
    fn wait_for_leader(&self, pid_file: &Path, end: &End) -> Result<Pid> {
        let until = Instant::now() + BOOT_DEADLINE;
        while Instant::now() < until && end.now().is_none() {
            let nspawn = fs::read_to_string(pid_file).unwrap_or_default();
            let nspawn = nspawn.trim();
            let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children"));
            for child in children.unwrap_or_default().split_whitespace() {
                if is_init(child) {
                    return child.parse().map(Pid::from_raw).map_err(|_| self.boot_failed("odd process id"));
                }
            }
            run::nap(POLL);
        }
        Err(self.boot_failed("no init"))
    }

    fn wait_for_system(&self, leader: Pid, end: &End) -> Result<()> {
        let until = Instant::now() + BOOT_DEADLINE;
        let argv = run::enter(leader.as_raw(), &["systemctl", "is-system-running", "--wait"]);
        let mut last = String::new();
        // Again as long as there is no bus to wait on.
        while Instant::now() < until && end.now().is_none() {
            let output = run::run(&argv, None, until.saturating_duration_since(Instant::now()));
            last = output.map_or_else(|e| e.to_string(), |o| o.stdout.trim().to_owned());
            if matches!(last.as_str(), "running" | "degraded") {
                return Ok(());
            }
            run::nap(POLL * 5);
        }
        Err(self.boot_failed(&format!("systemctl is-system-running: {last}")))
    }

    fn boot_failed(&self, problem: &str) -> LabError {
        let console = fs::read_to_string(self.disk.console()).unwrap_or_default();
        let tail: Vec<&str> = console.lines().rev().take(8).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        LabError::Command {
            command: format!("boot of node {}", self.plan.name),
            problem: format!("{problem}; its console said:\n{}", tail.join("\n")),
        }
    }

    /// Called when systemd-nspawn has ended. Where a power operation did it, that operation has taken the machine.
    fn ended_by_itself(self: &Arc<Self>, boot: u32, status: i32) {
        let mut machine = lock(&self.machine);
        if machine.as_ref().is_none_or(|m| m.boot != boot) {
            return;
        }
        *machine = None;
        // Its init is gone, and with it all of its processes: what the host clears away now is no time of the node's.
        self.is_off(PowerLoss::Itself);
        let killed = self.groups.kill().and_then(|()| self.disk.unmount_data());
        let again = if status == REBOOT { self.boot().map(|m| *machine = Some(m)) } else { Ok(()) };
        if let Err(e) = killed.and(again) {
            eprintln!("{}: after its end with {status}: {e}", self.name());
        }
    }
}

impl End {
    fn set(&self, status: i32) {
        *lock(&self.status) = Some(status);
        self.changed.notify_all();
    }

    fn now(&self) -> Option<i32> {
        *lock(&self.status)
    }

    fn wait(&self, at_most: Duration) -> Option<i32> {
        let waited = self.changed.wait_timeout_while(lock(&self.status), at_most, |s| s.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Whether this process is number 1 in an inner process id namespace.
fn is_init(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("NSpid:")).unwrap_or_default();
    let mut numbers = line.split_whitespace();
    numbers.clone().count() > 1 && numbers.next_back() == Some("1")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
