//! `quorate-lab up`: from nothing to a cluster whose standby streams and whose float IPs are up.

use super::cluster::{Cluster, Connection};
use super::disk::Payload;
use super::error::{LabError, Result};
use super::image::{self, Suite};
use super::layout::{CLASSIC, RESOURCE};
use super::paths::ClusterName;
use super::prepared;
use super::progress::Progress;
use super::protocol::{Answer, Request};
use super::provision::{Agent, Plan, databases, parallel};
use super::run;
use super::supervisor::Order;
use super::timing::Timing;
use super::wait::{self, OnInterrupt};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The supervisor makes three disks and a network before it answers.
const SUPERVISOR_DEADLINE: Duration = Duration::from_secs(30);
/// Seen: 8 s from the start to streaming; 22 s when a dc-deadtime of 20 s is waited for.
const READY_DEADLINE: Duration = Duration::from_secs(120);
/// All nodes' processes and files.
const DOWN_DEADLINE: Duration = Duration::from_secs(60);

/// Where the nodes' disks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disks {
    /// From an earlier set-up with the same scripts and values, where there is one.
    Reuse,
    /// From the template: everything is set up anew.
    Fresh,
}

/// What becomes of a cluster that didn't get ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    Remove,
    /// It stays, to be looked at.
    Keep,
}

/// What to bring up.
#[derive(Debug, Clone)]
pub struct Options {
    pub name: String,
    pub suite: Suite,
    pub agent: Agent,
    pub timing: Timing,
    pub disks: Disks,
    pub failed: Failed,
    /// The agent to install; found beside this program when None.
    pub agent_binary: Option<PathBuf>,
}

/// Brings a cluster up. Whatever goes wrong, or when the user interrupts it, nothing of it stays.
pub fn up(options: &Options, progress: &Progress) -> Result<Cluster> {
    let name = ClusterName::parse(&options.name)?;
    need_root()?;
    if Cluster::connect(name.as_str()).is_ok() {
        return Err(LabError::Exists(name.to_string()));
    }
    let payload = payload(options)?;
    let template = image::ensure(options.suite, progress)?;
    progress.step(&format!(
        "supervisor: cluster {name}, {} with agent {} and timings {}",
        options.suite.name(),
        options.agent.name(),
        options.timing.name()
    ));
    let prepared = prepared::place(&template, options.agent, &options.timing.values());
    let existing = (options.disks == Disks::Reuse && prepared.exists()).then(|| prepared.clone());
    start_supervisor(options, &name, &template, existing.clone(), payload)?;
    // From here on the supervisor removes everything when this connection closes.
    let mut hold = hold(&name)?;
    let cluster = Cluster::connect(name.as_str())?;
    let result = std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            if existing.is_none() {
                prepare(options, &cluster, &prepared, progress)?;
            }
            start(&cluster, progress)
        });
        while !work.is_finished() {
            if wait::pause(Duration::from_millis(100), OnInterrupt::Stop).is_err() {
                // Without its nodes the work ends soon.
                let _ = cluster.down();
                break;
            }
        }
        work.join().unwrap_or_else(|_| Err(LabError::Host("the set-up's thread ended by itself".into())))
    });
    match result {
        Ok(()) => {
            hold.ask(&Request::Ready)?;
            Ok(cluster)
        }
        Err(e) if options.failed == Failed::Keep && !wait::interrupted() => {
            hold.ask(&Request::Ready)?;
            Err(e)
        }
        Err(e) => {
            drop(hold);
            wait_until_gone(&name)?;
            Err(if wait::interrupted() { LabError::Interrupted } else { e })
        }
    }
}

/// Takes a cluster down, whether its supervisor lives or not.
pub fn down(name: &ClusterName) -> Result<()> {
    need_root()?;
    match Cluster::connect(name.as_str()) {
        Ok(cluster) => {
            let asked = cluster.down();
            wait_until_gone(name)?;
            asked
        }
        Err(_) => {
            // Nobody answers: either there is no supervisor, or it is just starting or ending.
            let claim = wait::until(
                &format!("end of the supervisor of cluster {name}"),
                DOWN_DEADLINE,
                OnInterrupt::GoOn,
                || super::cleanup::Claim::take(name).map_err(|e| e.to_string()),
            )?;
            let cleaned = claim.clean();
            claim.release();
            cleaned
        }
    }
}

/// Sets the nodes up, and keeps their disks for the next time.
fn prepare(options: &Options, cluster: &Cluster, place: &Path, progress: &Progress) -> Result<()> {
    progress.step("nodes: first boot, to be set up (about half a minute, once)");
    parallel(&CLASSIC, |node| cluster.power_on(node.name))?;
    let plan = Plan { cluster, agent: options.agent, values: options.timing.values(), progress };
    plan.prepare()?;
    match options.disks {
        Disks::Reuse => prepared::keep(cluster, place),
        Disks::Fresh => Ok(()),
    }
}

fn start(cluster: &Cluster, progress: &Progress) -> Result<()> {
    progress.step("nodes: booting srv1, srv2, witness");
    parallel(&CLASSIC, |node| cluster.power_on(node.name))?;
    progress.step("cluster: starting corosync, sbd, the quorum device and Pacemaker");
    parallel(&databases(), |node| cluster.start_cluster(node.name))?;
    progress.step("cluster: waiting for a primary, a streaming standby and both float IPs");
    wait::until("a cluster that is ready", READY_DEADLINE, OnInterrupt::Stop, || ready(cluster))?;
    progress.step("cluster: up");
    Ok(())
}

/// Why the cluster isn't ready yet.
fn ready(cluster: &Cluster) -> std::result::Result<(), String> {
    let short = Duration::from_secs(5);
    let mut primary = None;
    for node in databases() {
        let resources = cluster
            .exec(node.name, &["crm_resource", "--resource", RESOURCE, "--locate"], short)
            .map_err(|e| e.to_string())?;
        let addresses =
            cluster.exec(node.name, &["ip", "-4", "-o", "addr", "show"], short).map_err(|e| e.to_string())?;
        let has = |ip: std::net::Ipv4Addr| addresses.stdout.contains(&format!("inet {ip}/"));
        let promoted = resources.stdout.lines().any(|l| {
            l.contains(&format!(": {} Promoted", node.name)) || l.contains(&format!(": {} Master", node.name))
        });
        if promoted && has(cluster.primary_ip()) {
            primary = Some(node.name);
        } else if primary.is_none() && !promoted && !resources.stdout.contains("Promoted") {
            return Err(format!("no primary: {}", run::tail(&resources.stdout, 3)));
        }
    }
    let primary = primary.ok_or("no primary with its float IP")?;
    let standbys =
        sql(cluster, primary, "select count(*) from pg_stat_replication where state = 'streaming'")?;
    if standbys == "0" {
        return Err(format!("no standby streams from {primary}"));
    }
    for node in databases() {
        let link =
            cluster.exec(node.name, &["corosync-qdevice-tool", "-s"], short).map_err(|e| e.to_string())?;
        if !link.stdout.contains("Connected") {
            return Err(format!("the quorum device's client on {} isn't connected", node.name));
        }
    }
    for node in databases() {
        let addresses =
            cluster.exec(node.name, &["ip", "-4", "-o", "addr", "show"], short).map_err(|e| e.to_string())?;
        if addresses.stdout.contains(&format!("inet {}/", cluster.standby_ip())) {
            return Ok(());
        }
    }
    Err("the standby's float IP is nowhere".into())
}

fn sql(cluster: &Cluster, node: &str, statement: &str) -> std::result::Result<String, String> {
    let argv = [
        "runuser",
        "-u",
        "postgres",
        "--",
        "sh",
        "-c",
        "cd /; exec $(ls -d /usr/lib/postgresql/*/bin/psql) -qXAtc \"$1\"",
        "sh",
        statement,
    ];
    let output = cluster.exec(node, &argv, Duration::from_secs(5)).map_err(|e| e.to_string())?;
    output.success("psql").map(|s| s.trim().to_owned()).map_err(|e| e.to_string())
}

fn need_root() -> Result<()> {
    if nix::unistd::Uid::effective().is_root() {
        Ok(())
    } else {
        Err(LabError::Host("the lab boots machines: run it as root".into()))
    }
}

/// The supervisor is this program itself, in a session and a mount namespace of its own.
fn start_supervisor(
    options: &Options,
    name: &ClusterName,
    template: &Path,
    prepared: Option<PathBuf>,
    payload: Payload,
) -> Result<()> {
    let order = Order {
        name: name.to_string(),
        layout: "classic".into(),
        suite: options.suite.name().into(),
        agent: options.agent.name().into(),
        timing: options.timing.name().into(),
        template: template.to_owned(),
        prepared,
        watchdog_library: payload.watchdog,
        agent_binary: payload.agent,
    };
    let order = serde_json::to_string(&order).map_err(|e| LabError::Supervisor(e.to_string()))?;
    let program = own_path()?;
    let log = name.log_file();
    let failed = |source| LabError::File { path: log.clone(), source };
    fs::create_dir_all(super::paths::RUN_DIR).map_err(failed)?;
    let program = program.display().to_string();
    let root = name.root_dir().display().to_string();
    let mut argv = vec!["unshare", "--mount", "--net"];
    if root_is_a_mount_point() {
        argv.extend(["--propagation", "slave", "--"]);
    } else {
        // In a chroot systemd-nspawn can't work: it changes the propagation of "/", which has to be a mount point.
        argv.extend(["--propagation", "unchanged", "--", "sh", "-ec", NEW_ROOT, "sh", &root]);
    }
    argv.extend([program.as_str(), "supervise", &order]);
    run::command(&argv)?.spawn_detached(&log).map_err(|e| LabError::Supervisor(e.to_string())).map(drop)
}

/// Makes the root a mount point, and goes on in it.
const NEW_ROOT: &str =
    "mkdir -p \"$1\"; mount --rbind / \"$1\"; mount --make-rprivate \"$1\"; exec chroot \"$@\"";

/// Whether "/" is the root of a mount. It isn't in a chroot into some directory.
fn root_is_a_mount_point() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().any(|l| l.split(' ').nth(4) == Some("/"))
}

fn hold(name: &ClusterName) -> Result<Connection> {
    let mut connection =
        wait::until("an answer of the supervisor", SUPERVISOR_DEADLINE, OnInterrupt::Stop, || {
            let log = || run::tail(&fs::read_to_string(name.log_file()).unwrap_or_default(), 5);
            Connection::open(name).map_err(|_| format!("its log: {}", log()))
        })?;
    match connection.ask(&Request::Hold)? {
        Answer::Done => Ok(connection),
        other => Err(LabError::Supervisor(format!("answered {other:?} to a hold"))),
    }
}

fn wait_until_gone(name: &ClusterName) -> Result<()> {
    wait::until(
        &format!("removal of cluster {name} (its log is {})", name.log_file().display()),
        DOWN_DEADLINE,
        OnInterrupt::GoOn,
        || if name.lock_file().exists() { Err("its supervisor is at work".into()) } else { Ok(()) },
    )?;
    // The supervisor itself could not: it was inside.
    let _ = fs::remove_dir(name.root_dir());
    Ok(())
}

fn own_path() -> Result<PathBuf> {
    std::env::current_exe().map_err(|e| LabError::Host(format!("where this program is: {e}")))
}

/// Finds what goes into the nodes: beside this program, where cargo puts it.
fn payload(options: &Options) -> Result<Payload> {
    let program = own_path()?;
    let dir = program.parent().unwrap_or(Path::new("/")).to_owned();
    let target = dir.parent().unwrap_or(Path::new("/")).to_owned();
    let watchdog = newest(&[
        dir.join("examples/libquorate_watchdog.so"),
        dir.join("libquorate_watchdog.so"),
        target.join("release/examples/libquorate_watchdog.so"),
        target.join("debug/examples/libquorate_watchdog.so"),
    ])
    .ok_or_else(|| missing("libquorate_watchdog.so", &dir, "--examples"))?;
    let agent = match (options.agent, &options.agent_binary) {
        (_, Some(path)) => Some(path.clone()),
        (Agent::Paf, None) => None,
        (Agent::Quorate, None) => Some(
            newest(&[
                dir.join("quorate-agent"),
                target.join("release/quorate-agent"),
                target.join("debug/quorate-agent"),
            ])
            .ok_or_else(|| missing("quorate-agent", &dir, "--bins"))?,
        ),
    };
    Ok(Payload { watchdog, agent })
}

/// The file that was built last: a release from last week must not hide today's debug build.
fn newest(candidates: &[PathBuf]) -> Option<PathBuf> {
    let age = |p: &PathBuf| fs::metadata(p).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    candidates.iter().filter(|p| p.is_file()).max_by_key(|p| age(p)).cloned()
}

fn missing(what: &str, dir: &Path, flag: &str) -> LabError {
    LabError::Host(format!(
        "{what} is not beside {}: build it with cargo build --features lab {flag}",
        dir.display()
    ))
}
