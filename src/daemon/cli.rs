//! From the command line to threads that run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;

use clap::Parser;
use libsystemd::daemon::{NotifyState, notify, watchdog_enabled};

use super::command_queue::{self, CommandQueue};
use super::config::{self, Config, Mode};
use super::control::{Control, End};
use super::evidence::{self, Evidence};
use super::group;
use super::keepalive::{self, Keepalive};
use super::line::{self, Line};
use super::log::{self, Logs};
use super::observations::Observations;
use super::report::{self, Reports};
use super::requests::{self, Judge};
use super::resets::{self, Resets};
use super::resetter::Trigger;
use super::self_fence::Means;
use super::standstill::{self, Standstill};
use super::threads::{Threads, spawn_for_once};
use super::{check, cluster, daemons, health, helper, instances, probes, self_fence, storage};
use crate::boundary::companion::Companion;
use crate::boundary::host::{HostError, HostResult, Level};
use crate::boundary::node_reset::MARKER;
use crate::boundary::printable;
use crate::boundary::storage::read_text_if_there;
use crate::boundary::watchdog::Watchdog;
use crate::boundary::{identity, realtime};
use crate::cluster::checker::OwnDevice;
use crate::decide::detector::Subject;

/// libcpg's dispatch has a buffer of 1 MiB (IPC_DISPATCH_SIZE) on the stack of its caller.
const DISPATCHING_STACK: usize = 2048 * 1024;

/// Notices that corosync, Pacemaker's daemons, sbd, PostgreSQL or a disk hang, beside sbd, which notices that they die.
#[derive(Debug, Parser)]
#[command(name = "quorated", version)]
pub struct Arguments {
    /// Check the configuration, ask everything once that is watched, and end
    #[arg(long)]
    check: bool,
    /// The configuration; where none is named and none is there, everything has its default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What `quorated` starts beside itself
    #[arg(long, hide = true, value_enum)]
    helper: Option<helper::Kind>,
}

/// Runs until it is told to end. Gives the exit code: 0, 1 (what runs does not answer: `--check`; or can't be watched), 2 (the
/// configuration).
pub fn main(arguments: &Arguments, notify_socket: Option<&OsString>) -> u8 {
    if let Some(kind) = arguments.helper {
        return helper::serve(kind);
    }
    let path = arguments.config.clone().unwrap_or_else(|| config::PATH.into());
    let config = match Config::read(&path, arguments.config.is_some()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("quorated: {}", printable::line(&error.to_string()));
            return 2;
        }
    };
    let done = if arguments.check { check::check(&config, &path) } else { run(config, notify_socket) };
    done.unwrap_or_else(|error| {
        eprintln!("quorated: {}", printable::line(&error.to_string()));
        1
    })
}

fn run(config: Config, notify_socket: Option<&OsString>) -> HostResult<u8> {
    realtime::one_arena();
    // Before memory is locked and anything runs at real-time priority. What can't be started now is tried again, and said.
    let mut disks = Companion::new("storage");
    let _ = disks.start();
    let mut servers = Companion::new("health");
    let _ = servers.start();
    let evidence = Evidence::start();
    let threads = Threads::default();
    let trigger = Trigger::start(&threads)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|e| HostError::from(e).about(format!("signal {signal} can't be caught")))?;
    }
    let (logs, lines) = Logs::new();
    threads.spawn("log", move || log::write(&lines))?;
    if config.mode == Mode::Act
        && let Some(why) = marked()
    {
        // The device stays as it is: to open it would be a keepalive.
        trigger.wants(cluster::panic_action());
        self_fence::go_on(&why, &trigger, &logs);
        return Ok(1);
    }
    let keepalive = Arc::new(Keepalive::new(systemd(notify_socket)?));
    let (wake_sender, wake) = sync_channel(1);
    let observations = Arc::new(Observations::new(wake_sender, config.limits().0));
    if let Some(path) = &config.watchdog_device {
        // First of all: it may be armed since before, and nobody keeps it alive.
        keepalive::open(&keepalive, path, &observations, &logs);
        if observations.latest().device != OwnDevice::KeptAlive {
            let (keepalive, path, observations, logs) =
                (Arc::clone(&keepalive), path.clone(), Arc::clone(&observations), logs.clone());
            spawn_for_once("device", move || keepalive::open_later(&keepalive, &path, &observations, &logs))?;
        }
    }
    let line = Arc::new(Line::new(identity::boot_id()));
    let (resets, outgoing) = Resets::new();
    {
        let line = Arc::clone(&line);
        threads.spawn("resets", move || resets::send(&line, &outgoing))?;
    }
    looking(&threads, &observations, &line, &resets, &logs, &config)?;
    {
        let trigger = trigger.clone();
        let totem = Arc::clone(&observations);
        threads.spawn("totem", move || cluster::watch_totem(&totem))?;
        threads.spawn("panic-action", move || cluster::watch_panic_action(&trigger))?;
    }
    {
        let (observations, logs) = (Arc::clone(&observations), logs.clone());
        let state = config.state_directories.clone();
        threads.spawn("storage", move || storage::watch(&observations, disks, &state, &logs))?;
    }
    {
        let (evidence, observations, logs) = (evidence.clone(), Arc::clone(&observations), logs.clone());
        threads.spawn("evidence", move || {
            evidence::tell(&observations, &logs);
            evidence.keep(&logs);
        })?;
    }
    {
        let (observations, logs) = (Arc::clone(&observations), logs.clone());
        threads.spawn("health", move || health::tell(&observations, servers, &logs))?;
    }
    let (commands, jobs) = CommandQueue::new(&logs);
    for jobs in jobs {
        let (observations, logs) = (Arc::clone(&observations), logs.clone());
        threads.spawn("commands", move || command_queue::work(&observations, &jobs, &logs))?;
    }
    let (reports, reported) = Reports::new(config.mode == Mode::Act);
    threads.spawn("report", move || report::write(&reported))?;

    // From here on: the threads that decide and that keep the watchdogs alive.
    for (what, result) in
        [("memory can't be locked", realtime::lock_memory()), ("real-time scheduling", realtime::run_first())]
    {
        if let Err(e) = result {
            logs.line(Level::Warning, format!("{what}: {e}; a busy machine may hold this up"));
        }
    }
    let standstill = Arc::new(Standstill::new());
    {
        let (standstill, keepalive) = (Arc::clone(&standstill), Arc::clone(&keepalive));
        let (observations, logs) = (Arc::clone(&observations), logs.clone());
        threads
            .spawn("standstill", move || standstill::watch(&standstill, &keepalive, &observations, &logs))?;
    }
    let feeder = {
        let keepalive = Arc::clone(&keepalive);
        threads.spawn("keepalive", move || keepalive.keep_alive())?
    };
    let ready = NotifyState::Status("watching".to_owned());
    let _ = notify(false, &[NotifyState::Ready, ready]);
    let (mode, means) = (config.mode, Means { trigger, evidence });
    let kept = Arc::clone(&keepalive);
    let control = Control {
        observations,
        wake,
        commands,
        line,
        resets,
        logs,
        keepalive: kept,
        reports,
        mode,
        threads,
        means,
        standstill,
    };
    match control.run(&stop) {
        End::Told => {}
        End::NotReset => return Ok(1),
        // The device stays armed: systemd starts us anew in time.
        End::Lost(why) => {
            return Err(HostError::failed(format!("{why}; quorated exits, and systemd starts it again")));
        }
    }
    let _ = notify(false, &[NotifyState::Stopping]);
    keepalive.end(&feeder);
    Ok(0)
}

/// Why this node was to be reset before this process was started. A mark that can't be read is no reason to reset.
fn marked() -> Option<String> {
    read_text_if_there(Path::new(MARKER)).ok().flatten()
}

fn systemd(notify_socket: Option<&OsString>) -> HostResult<Option<Watchdog>> {
    match notify_socket.and_then(|a| a.to_str()) {
        Some(address) if watchdog_enabled(false).is_some() => Watchdog::systemd(address).map(Some),
        _ => Ok(None),
    }
}

/// The threads that look.
fn looking(
    threads: &Threads,
    observations: &Arc<Observations>,
    line: &Arc<Line>,
    resets: &Resets,
    logs: &Logs,
    config: &Config,
) -> HostResult<()> {
    let with = || (Arc::clone(observations), Arc::clone(line), logs.clone());
    let (b, _, _) = with();
    threads.spawn("usual-priority", move || b.usual_priority.beat())?;
    let (b, _, logs_) = with();
    threads.spawn("quorum", move || probes::quorum(&b, &logs_))?;
    for subject in Subject::ALL {
        let rule = subject.rule();
        if let Some(socket) = rule.socket {
            let (b, _, _) = with();
            threads.spawn(rule.name, move || probes::daemon(&b, rule, socket))?;
        }
    }
    let (judge, asked) = Judge::new();
    let (b, l, logs_) = with();
    let heeds = group::Heeds { resets: resets.clone(), judge };
    threads.spawn_with("group", DISPATCHING_STACK, move || group::listen(&b, &l, &heeds, &logs_))?;
    let (b, l, logs_) = with();
    threads.spawn("judge", move || requests::judge(&b, &l, &asked, &logs_))?;
    let (b, l, _) = with();
    threads.spawn("ping", move || group::ping(&b, &l))?;
    let (_, l, logs_) = with();
    threads.spawn("requests", move || requests::pass_on(&l, &logs_))?;
    let (b, l, logs_) = with();
    threads.spawn("group-key", move || line::keep_key(&b, &l, &logs_))?;
    let (b, _, logs_) = with();
    threads.spawn("daemons", move || daemons::watch(&b, &logs_))?;
    let (b, _, logs_) = with();
    threads.spawn("instances", move || instances::watch(&b, &logs_))?;
    let (b, _, logs_) = with();
    let known = config.clone();
    threads.spawn("cluster", move || cluster::watch(&b, &known, &logs_))?;
    Ok(())
}
