//! `quorate-lab up`: from nothing to a cluster whose standby streams and whose float IPs are up.

use super::inotify;
use super::prepared;
use super::provision::{Plan, databases, parallel};
use crate::cluster::handle::{Cluster, Connection};
use crate::cluster::health;
use crate::cluster::observe::Observation;
use crate::host::error::{LabError, Result};
use crate::host::memory;
use crate::host::paths::ClusterName;
use crate::host::progress::Progress;
use crate::host::run;
use crate::host::wait::{self, OnInterrupt};
use crate::machines::cleanup;
use crate::machines::description::Description;
use crate::machines::disk::Payload;
use crate::machines::image::{self, Content, Suite};
use crate::machines::plan::{WitnessIs, machines};
use crate::machines::protocol::{Answer, Phase, Request};
use crate::machines::sharing::Neighbour;
use crate::supervisor::process::Order;
use quorate::layout::render::Agent;
use quorate::layout::site::Site;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The supervisor makes all disks and a network before it answers.
const SUPERVISOR_DEADLINE: Duration = Duration::from_secs(30);
/// Seen: 8 s from the start to streaming with two nodes, 24 s with five; twice that beside other clusters.
const READY_DEADLINE: Duration = Duration::from_secs(180);
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

/// How far it is brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A cluster whose standbys stream.
    Cluster,
    /// Booted machines with the package, on which nothing is set up.
    Machines,
    /// Booted machines of a plain Debian; the package lies beside.
    Plain,
}

/// Whose machine the witness is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessOf {
    /// The cluster's own.
    Own,
    /// That of this cluster.
    Cluster(String),
}

/// What to bring up.
#[derive(Debug, Clone)]
pub struct Options {
    pub name: String,
    pub description: Description,
    pub suite: Suite,
    pub agent: Agent,
    pub disks: Disks,
    pub stage: Stage,
    pub failed: Failed,
    /// The package to install; found beside this program's directory when None.
    pub package: Option<PathBuf>,
    pub witness_of: WitnessOf,
}

/// Brings several clusters up, one after the other: two cores that set all of them up at once would take longer for each
/// than its deadlines allow. When one fails, those before it are taken down again, unless they are to be kept.
///
/// # Errors
/// When there is too little memory for all of them, or one could not be brought up.
pub fn up_all(all: &[Options], progress: &Progress) -> Result<Vec<Cluster>> {
    // Before the first one is brought up, whose every line has to be right anyway.
    let sites: Vec<Site> = all.iter().map(|o| o.description.site()).collect::<Result<_>>()?;
    let machines = sites.iter().map(|site| machines(site, WitnessIs::Own).len()).sum();
    memory::check(machines)?;
    let mut clusters: Vec<Cluster> = Vec::new();
    // The first one that has a witness lends it to the others.
    let mut lender: Option<String> = None;
    for (options, site) in all.iter().zip(&sites) {
        let mut options = options.clone();
        if site.witness.is_some() && options.witness_of == WitnessOf::Own {
            match &lender {
                Some(name) => options.witness_of = WitnessOf::Cluster(name.clone()),
                None => lender = Some(options.name.clone()),
            }
        }
        match up(&options, progress) {
            Ok(cluster) => clusters.push(cluster),
            Err(e) => {
                // The borrowers of a witness before its owner.
                for cluster in clusters.iter().rev().filter(|_| options.failed == Failed::Remove) {
                    progress.step(&format!("cluster {}: taken down again", cluster.name()));
                    if let Err(e) = down(cluster.name()) {
                        progress.step(&e.to_string());
                    }
                }
                return Err(e);
            }
        }
    }
    Ok(clusters)
}

/// Brings a cluster up. Whatever goes wrong, or when the user interrupts it, nothing of it stays.
///
/// # Errors
/// What went wrong.
pub fn up(options: &Options, progress: &Progress) -> Result<Cluster> {
    let name = ClusterName::parse(&options.name)?;
    let site = options.description.site()?;
    need_root()?;
    if Cluster::connect(name.as_str()).is_ok() {
        return Err(LabError::Exists(name.to_string()));
    }
    let number = machines(&site, WitnessIs::Own).len();
    memory::check(number)?;
    if let Some(changed) = inotify::make_room(number)? {
        progress.step(&changed);
    }
    let payload = payload(options)?;
    let template = image::ensure(options.suite, content(options.stage), progress)?;
    progress.step(&format!(
        "supervisor: cluster {name} ({}), {} with agent {} and timings {}",
        site.kind.name(),
        options.suite.name(),
        options.agent.name(),
        site.profile.preset.name()
    ));
    let lender = lender(options, &site, &template, progress)?;
    let witness_is = if lender.is_some() { WitnessIs::Borrowed } else { WitnessIs::Own };
    let prepared = prepared::place(&template, &site, options.agent, witness_is)?;
    let reuse = options.disks == Disks::Reuse && options.stage == Stage::Cluster;
    let existing = (reuse && prepared.exists()).then(|| prepared.clone());
    start_supervisor(options, &name, &template, existing.clone(), payload, lender)?;
    // From here on the supervisor removes everything when this connection closes.
    let mut hold = hold(&name)?;
    let cluster = Cluster::connect(name.as_str())?;
    let result = std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            match options.stage {
                Stage::Machines | Stage::Plain => return boot(&cluster, witness_is, progress),
                Stage::Cluster => {}
            }
            if existing.is_none() {
                prepare(options, &cluster, witness_is, &prepared, progress)?;
            }
            start(&cluster, witness_is, progress)
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

/// The cluster whose witness is used; `None` when this one gets its own, or needs none.
fn lender(options: &Options, site: &Site, template: &Path, progress: &Progress) -> Result<Option<String>> {
    let WitnessOf::Cluster(name) = &options.witness_of else { return Ok(None) };
    let template = template.display().to_string();
    let newcomer = Neighbour::of(&options.name, site, WitnessIs::Borrowed, &template).ok_or_else(|| {
        LabError::Host(format!("{} has no witness to borrow: leave --witness-of out", site.kind.name()))
    })?;
    Cluster::connect(name)?
        .may_lend_to(&newcomer)
        .map_err(|e| LabError::Host(format!("cluster {name} can't lend its witness: {e}")))?;
    progress.step(&format!("witness: {} of cluster {name}", newcomer.witness.0));
    Ok(Some(name.clone()))
}

/// Takes a cluster down, whether its supervisor lives or not.
pub fn down(name: &ClusterName) -> Result<()> {
    need_root()?;
    match Cluster::connect(name.as_str()) {
        Ok(cluster) => {
            let asked = cluster.down();
            // One that refuses goes on.
            if asked.is_err() && cluster.info().is_ok_and(|i| i.phase == Phase::Up) {
                return asked;
            }
            wait_until_gone(name)?;
            asked
        }
        Err(_) => {
            // Nobody answers: either there is no supervisor, or it is just starting or ending.
            let claim = wait::until(
                &format!("end of the supervisor of cluster {name}"),
                DOWN_DEADLINE,
                OnInterrupt::GoOn,
                || crate::machines::cleanup::Claim::take(name).map_err(|e| e.to_string()),
            )?;
            let cleaned = claim.clean();
            claim.release();
            cleaned.and(inotify::give_back())
        }
    }
}

/// Takes all clusters down that are up, and removes what crashed ones have left: first those that use another one's
/// witness.
///
/// # Errors
/// The first one; all are tried.
pub fn down_all(mut told: impl FnMut(&ClusterName)) -> Result<()> {
    let mut names = cleanup::all_names();
    let borrows = |name: &ClusterName| {
        Cluster::connect(name.as_str()).is_ok_and(|c| c.info().is_ok_and(|i| i.lender.is_some()))
    };
    names.sort_by_cached_key(|name| !borrows(name));
    let results: Vec<Result<()>> = names.iter().map(|name| down(name).inspect(|()| told(name))).collect();
    results.into_iter().collect()
}

/// Sets the nodes up, and keeps their disks for the next time.
fn prepare(
    options: &Options,
    cluster: &Cluster,
    witness_is: WitnessIs,
    place: &Path,
    progress: &Progress,
) -> Result<()> {
    progress.step("nodes: first boot, to be set up (half a minute and more, once)");
    parallel(&own_machines(cluster, witness_is), |node| cluster.power_on(node))?;
    Plan { cluster, agent: options.agent, witness_is, progress }.prepare()?;
    match options.disks {
        Disks::Reuse => prepared::keep(cluster, place),
        Disks::Fresh => Ok(()),
    }
}

fn own_machines(cluster: &Cluster, witness_is: WitnessIs) -> Vec<String> {
    machines(cluster.site(), witness_is).into_iter().map(|m| m.name).collect()
}

fn boot(cluster: &Cluster, witness_is: WitnessIs, progress: &Progress) -> Result<()> {
    let own = own_machines(cluster, witness_is);
    progress.step(&format!("nodes: booting {}", own.join(", ")));
    parallel(&own, |node| cluster.power_on(node))
}

fn start(cluster: &Cluster, witness_is: WitnessIs, progress: &Progress) -> Result<()> {
    boot(cluster, witness_is, progress)?;
    progress.step("cluster: starting corosync, sbd, Pacemaker, and the quorum device where there is one");
    parallel(&databases(cluster.site()), |node| cluster.start_cluster(node))?;
    progress.step("cluster: waiting for the primaries, streaming standbys and all float IPs");
    wait::until("a cluster that is ready", READY_DEADLINE, OnInterrupt::Stop, || ready(cluster))?;
    progress.step(&format!("cluster {}: up", cluster.name()));
    Ok(())
}

/// Why the cluster isn't ready yet.
fn ready(cluster: &Cluster) -> std::result::Result<(), String> {
    let seen = Observation::take(cluster).map_err(|e| e.to_string())?;
    match health::lacking(&seen).first() {
        Some(problem) => Err(problem.clone()),
        None => health::quorum_device(cluster),
    }
}

fn content(stage: Stage) -> Content {
    match stage {
        Stage::Cluster | Stage::Machines => Content::Node,
        Stage::Plain => Content::Plain,
    }
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
    lender: Option<String>,
) -> Result<()> {
    let order = Order {
        name: name.to_string(),
        description: options.description.clone(),
        suite: options.suite.name().into(),
        agent: options.agent.name().into(),
        template: template.to_owned(),
        content: content(options.stage),
        prepared,
        watchdog_library: payload.watchdog,
        clock_library: payload.clock,
        package: payload.package,
        lender,
    };
    let order = serde_json::to_string(&order).map_err(|e| LabError::Supervisor(e.to_string()))?;
    let program = own_path()?;
    let log = name.log_file();
    let failed = |source| LabError::File { path: name.log_file(), source };
    fs::create_dir_all(crate::host::paths::RUN_DIR).map_err(failed)?;
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
    let log = fs::OpenOptions::new().append(true).create(true).open(&log).map_err(failed)?;
    run::command(&argv)?.spawn_detached(log).map_err(|e| LabError::Supervisor(e.to_string())).map(drop)
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
    inotify::give_back()
}

fn own_path() -> Result<PathBuf> {
    std::env::current_exe().map_err(|e| LabError::Host(format!("where this program is: {e}")))
}

/// Finds what goes into the nodes: beside this program, where cargo puts it.
fn payload(options: &Options) -> Result<Payload> {
    let program = own_path()?;
    let dir = program.parent().unwrap_or(Path::new("/")).to_owned();
    let target = dir.parent().unwrap_or(Path::new("/")).to_owned();
    let library = |name: &str| {
        let places = [dir.join(name), target.join("release").join(name), target.join("debug").join(name)];
        newest(&places).ok_or_else(|| missing(name, &dir))
    };
    let (watchdog, clock) = (library("libquorate_watchdog.so")?, library("libquorate_clock.so")?);
    let package = match &options.package {
        // Whole: the supervisor may have another working directory.
        Some(path) => {
            fs::canonicalize(path).map_err(|source| LabError::File { path: path.clone(), source })?
        }
        None => newest(&packages(&target.join("debian"))).ok_or_else(|| {
            LabError::Host(format!(
                "no quorate_*.deb in {}: build it with make deb, or name one with --package",
                target.join("debian").display()
            ))
        })?,
    };
    Ok(Payload { watchdog, clock, package })
}

/// The packages in a directory; none where there is no such directory.
fn packages(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    names
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("quorate_") && name.ends_with(".deb")
        })
        .collect()
}

/// The file that was built last: a release from last week must not hide today's debug build.
fn newest(candidates: &[PathBuf]) -> Option<PathBuf> {
    let age = |p: &PathBuf| fs::metadata(p).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    candidates.iter().filter(|p| p.is_file()).max_by_key(|p| age(p)).cloned()
}

fn missing(what: &str, dir: &Path) -> LabError {
    LabError::Host(format!("{what} is not beside {}: build it with cargo build --workspace", dir.display()))
}
