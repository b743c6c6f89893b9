//! The control groups of a node: what keeps its processes together, stops them at once and finds them all.
//!
//! Three kinds of host: systemd as PID 1 (it makes a scope for each node, see [`Host::Systemd`]); no systemd and the
//! unified hierarchy alone; no systemd and the old hierarchies, with or without the unified one beside them.

use crate::host::error::{LabError, Result};
use crate::host::run;
use nix::sys::signal::{Signal, kill};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/fs/cgroup";
/// The old hierarchies in which a node gets a group. Not `cpu`: with CONFIG_RT_GROUP_SCHED a child group has a real-time
/// budget of 0 there, and the real-time scheduling of corosync and sbd would fail.
const OLD_HIERARCHIES: [&str; 6] = ["systemd", "unified", "memory", "cpuacct", "freezer", "pids"];
/// A node runs some hundred processes and threads; a fork bomb in it has to leave the host and the other nodes alive.
pub const MAX_TASKS: u32 = 1024;
/// A node needs 140 MB.
const MAX_MEMORY: u64 = 1 << 30;
/// How long processes may take to vanish after SIGKILL.
const DEATH_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// How control groups are made on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// systemd is PID 1: a scope with delegation is asked of it.
    Systemd,
    /// The unified hierarchy, and nobody who manages it.
    Unified,
    /// The old hierarchies, and nobody who manages them.
    Old,
}

impl Host {
    /// Looks at the host.
    pub fn detect() -> Result<Host> {
        if libsystemd::daemon::booted() {
            return Ok(Host::Systemd);
        }
        let root =
            statfs(ROOT).map_err(|e| LabError::Host(format!("{ROOT}: {e}: mount the control groups")))?;
        if root.filesystem_type() == CGROUP2_SUPER_MAGIC {
            Ok(Host::Unified)
        } else if Path::new(ROOT).join("freezer").is_dir() {
            Ok(Host::Old)
        } else {
            Err(LabError::Host(format!("{ROOT} has neither the unified hierarchy nor \"freezer\"")))
        }
    }
}

/// The control groups of one node.
#[derive(Debug, Clone)]
pub struct Groups {
    host: Host,
    cluster: String,
    node: String,
}

impl Groups {
    /// The groups of a node of a cluster; nothing is made yet.
    pub fn of(host: Host, cluster: &str, node: &str) -> Groups {
        Groups { host, cluster: cluster.to_owned(), node: node.to_owned() }
    }

    /// Makes the groups, where it is on us to make them, with a limit of tasks and memory where the kernel has one.
    pub fn create(&self) -> Result<()> {
        if self.host == Host::Systemd {
            return Ok(());
        }
        for dir in self.dirs() {
            fs::create_dir_all(&dir).map_err(|source| LabError::File { path: dir.clone(), source })?;
            if self.host == Host::Unified {
                // From the root down; a host that keeps a controller for itself has no limit there.
                for above in [dir.ancestors().nth(3), dir.ancestors().nth(2), dir.parent()] {
                    let control = above.unwrap_or(&dir).join("cgroup.subtree_control");
                    let _ = fs::write(control, "+pids +memory");
                }
            }
            let limits = [
                ("pids.max", MAX_TASKS.to_string()),
                ("memory.max", MAX_MEMORY.to_string()),
                ("memory.limit_in_bytes", MAX_MEMORY.to_string()),
            ];
            for (file, limit) in limits {
                let path = dir.join(file);
                if path.exists() {
                    fs::write(&path, limit).map_err(|source| LabError::File { path, source })?;
                }
            }
        }
        Ok(())
    }

    /// The words to put before a command, so that it runs in the groups from its first moment on.
    pub fn prefix(&self) -> Vec<String> {
        match self.host {
            Host::Systemd => {
                let unit = format!("--unit={}", self.unit());
                let (tasks, memory) = (
                    format!("--property=TasksMax={MAX_TASKS}"),
                    format!("--property=MemoryMax={MAX_MEMORY}"),
                );
                let words = ["systemd-run", "--scope", "--quiet", "--collect", "--property=Delegate=yes"];
                words.into_iter().chain([&*tasks, &*memory, &*unit, "--"]).map(str::to_owned).collect()
            }
            Host::Unified | Host::Old => {
                let mut words: Vec<String> = vec![
                    "sh".into(),
                    "-ec".into(),
                    "while [ \"$1\" != -- ]; do echo $$ >\"$1/cgroup.procs\"; shift; done; shift; exec \"$@\"".into(),
                    "sh".into(),
                ];
                words.extend(self.dirs().iter().map(|d| d.display().to_string()));
                words.push("--".into());
                words
            }
        }
    }

    /// The directories of the groups that exist or can be made.
    pub fn dirs(&self) -> Vec<PathBuf> {
        match self.host {
            Host::Systemd => {
                let unit = format!("{}.scope", self.unit());
                vec![Path::new(ROOT).join("system.slice").join(unit)]
            }
            Host::Unified => vec![self.under(Path::new(ROOT))],
            Host::Old => OLD_HIERARCHIES
                .iter()
                .map(|h| Path::new(ROOT).join(h))
                .filter(|h| h.is_dir())
                .map(|h| self.under(&h))
                .collect(),
        }
    }

    fn under(&self, root: &Path) -> PathBuf {
        root.join("quorate-lab").join(&self.cluster).join(&self.node)
    }

    fn unit(&self) -> String {
        format!("quorate-lab-{}-{}", self.cluster, self.node)
    }

    /// Stops all processes.
    pub fn freeze(&self) -> Result<()> {
        self.set_frozen("FROZEN", "1")
    }

    /// Lets all processes go on.
    pub fn thaw(&self) -> Result<()> {
        self.set_frozen("THAWED", "0")
    }

    /// Stops all processes and waits until they stand still, at most so long.
    pub fn freeze_now(&self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        self.freeze()?;
        while Instant::now() < until && !self.is_still() {
            run::nap(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The same, and they do stand still.
    pub fn freeze_fully(&self, patience: Duration) -> Result<()> {
        self.freeze_now(patience)?;
        if self.is_still() {
            return Ok(());
        }
        let (what, seconds) = (format!("the processes of node {} at rest", self.node), patience.as_secs());
        Err(LabError::Timeout { what, seconds, last: String::new() })
    }

    fn is_still(&self) -> bool {
        let (path, still) = match self.host {
            Host::Old => (self.freezer(), "FROZEN"),
            Host::Unified | Host::Systemd => (self.unified().join("cgroup.events"), "frozen 1"),
        };
        fs::read_to_string(path).is_ok_and(|state| state.contains(still))
    }

    fn freezer(&self) -> PathBuf {
        self.under(&Path::new(ROOT).join("freezer")).join("freezer.state")
    }

    fn unified(&self) -> PathBuf {
        self.dirs().pop().unwrap_or_default()
    }

    fn set_frozen(&self, old: &str, unified: &str) -> Result<()> {
        let (path, word) = match self.host {
            Host::Old => (self.freezer(), old),
            Host::Unified | Host::Systemd => (self.unified().join("cgroup.freeze"), unified),
        };
        fs::write(&path, word).map_err(|source| LabError::File { path, source })
    }

    /// SIGKILL to every process inside the node; frozen ones die when they are thawed. systemd-nspawn itself, outside, stays: it
    /// removes the node's network and mounts when it ends.
    pub fn kill_inside(&self) {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let ours = namespace("self");
        for pid in self.processes() {
            if namespace(&pid.to_string()) != ours {
                // Gone already is as good.
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
    }

    /// The processes in the groups.
    pub fn processes(&self) -> Vec<Pid> {
        let mut found = Vec::new();
        for dir in self.dirs() {
            collect(&dir, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Kills every process, stopped ones too, and waits until all are gone.
    pub fn kill(&self) -> Result<()> {
        let until = Instant::now() + DEATH_DEADLINE;
        loop {
            let alive = self.processes();
            if alive.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(LabError::Timeout {
                    what: format!("death of the processes {alive:?} of node {}", self.node),
                    seconds: DEATH_DEADLINE.as_secs(),
                    last: String::new(),
                });
            }
            for pid in &alive {
                // Gone already is as good.
                let _ = kill(*pid, Signal::SIGKILL);
            }
            // A frozen group of the old kind takes signals only when it is thawed.
            let _ = self.thaw();
            run::nap(POLL);
        }
    }

    /// Removes the groups (empty ones; see [`Self::kill`]).
    pub fn remove(&self) -> Result<()> {
        if self.host == Host::Systemd {
            // systemd removes a scope whose last process has ended.
            return Ok(());
        }
        self.dirs().iter().try_for_each(|dir| remove(dir))
    }
}

/// The nodes of a cluster whose groups exist: what a crashed supervisor left.
pub fn nodes_of(host: Host, cluster: &str) -> Vec<String> {
    let names = |dir: PathBuf| -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter(|e| e.path().is_dir()).map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    };
    let mut found: Vec<String> = match host {
        Host::Systemd => names(Path::new(ROOT).join("system.slice"))
            .iter()
            .filter_map(|n| n.strip_prefix(&format!("quorate-lab-{cluster}-"))?.strip_suffix(".scope"))
            .map(str::to_owned)
            .collect(),
        Host::Unified => names(Path::new(ROOT).join("quorate-lab").join(cluster)),
        Host::Old => OLD_HIERARCHIES
            .iter()
            .flat_map(|h| names(Path::new(ROOT).join(h).join("quorate-lab").join(cluster)))
            .collect(),
    };
    found.sort();
    found.dedup();
    found
}

/// Removes a cluster's own groups, once those of its nodes are gone.
pub fn remove_cluster(host: Host, cluster: &str) -> Result<()> {
    let roots: Vec<PathBuf> = match host {
        Host::Systemd => return Ok(()),
        Host::Unified => vec![PathBuf::from(ROOT)],
        Host::Old => OLD_HIERARCHIES.iter().map(|h| Path::new(ROOT).join(h)).collect(),
    };
    for root in roots {
        remove(&root.join("quorate-lab").join(cluster))?;
        // Other clusters may have theirs in it.
        let _ = fs::remove_dir(root.join("quorate-lab"));
    }
    Ok(())
}

fn collect(dir: &Path, found: &mut Vec<Pid>) {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|l| l.parse().ok()).filter(|p| *p > 0).map(Pid::from_raw));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            collect(&entry.path(), found);
        }
    }
}

/// Removes a group and those in it. The kernel needs a moment after the last process's death.
fn remove(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            remove(&entry.path())?;
        }
    }
    let until = Instant::now() + DEATH_DEADLINE;
    loop {
        match fs::remove_dir(dir) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) if Instant::now() > until => {
                return Err(LabError::File { path: dir.to_owned(), source });
            }
            Err(_) => run::nap(POLL),
        }
    }
}
