//! From the command line to threads that run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use clap::Parser;
use libsystemd::daemon::{NotifyState, notify, watchdog_enabled};

use super::board::Board;
use super::config::{self, Config, Mode};
use super::control::Control;
use super::group::{self, Line};
use super::hands::{self, Hands};
use super::log::{self, Logs};
use super::pet::{self, Pulse};
use super::report::{self, Reports};
use super::{check, cluster, instances, probes, storage};
use crate::boundary::host::{Effect, Level, Trouble};
use crate::boundary::realtime;
use crate::boundary::watchdog::Watchdog;
use crate::decide::detector::Subject;

/// A watchdog device of our own bites after this time.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(10);
/// Stacks are locked into memory, all of them.
const STACK: usize = 256 * 1024;
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
}

/// Runs until it is told to end. Gives the exit code: 0, 1 (what runs does not answer: `--check`; or can't be watched), 2 (the
/// configuration).
pub fn main(arguments: &Arguments, notify_socket: Option<&OsString>) -> u8 {
    let path = arguments.config.clone().unwrap_or_else(|| config::PATH.into());
    let config = match Config::read(&path, arguments.config.is_some()) {
        Ok(config) => config,
        Err(trouble) => {
            eprintln!("quorated: {trouble}");
            return 2;
        }
    };
    let done = if arguments.check { check::check(&config, &path) } else { run(config, notify_socket) };
    done.unwrap_or_else(|trouble| {
        eprintln!("quorated: {trouble}");
        1
    })
}

fn run(config: Config, notify_socket: Option<&OsString>) -> Effect<u8> {
    realtime::one_arena();
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|e| Trouble(format!("signal {signal} can't be caught: {e}")))?;
    }
    let watchdogs = Arc::new(watchdogs(&config, notify_socket)?);
    let (logs, lines) = Logs::new();
    spawn("log", move || log::write(&lines))?;
    let (wake_sender, wake) = sync_channel(1);
    let board = Arc::new(Board::new(wake_sender, config.limits().0));
    let line = Arc::new(Line::default());
    looking(&board, &line, &logs, &config)?;
    let (hands, jobs) = Hands::new(&logs);
    for jobs in jobs {
        let (board, logs) = (Arc::clone(&board), logs.clone());
        spawn("hand", move || hands::work(&board, &jobs, &logs))?;
    }
    let (reports, reported) = Reports::new(config.mode == Mode::Act);
    spawn("report", move || report::write(&reported))?;

    // From here on: what decides and what pets.
    for (what, result) in
        [("memory can't be locked", realtime::lock_memory()), ("real-time scheduling", realtime::run_first())]
    {
        if let Err(e) = result {
            logs.line(Level::Warning, format!("{what}: {e}; a busy machine may hold this up"));
        }
    }
    let pulse = Arc::new(Pulse::new());
    {
        let (pulse, watchdogs) = (Arc::clone(&pulse), Arc::clone(&watchdogs));
        spawn("pet", move || pet::pet(&pulse, &watchdogs))?;
    }
    let ready = NotifyState::Status("watching".to_owned());
    let _ = notify(false, &[NotifyState::Ready, ready]);
    let mode = config.mode;
    Control { board, wake, hands, line, logs, pulse, reports, mode }.run(&stop);
    watchdogs.iter().for_each(Watchdog::disarm);
    let _ = notify(false, &[NotifyState::Stopping]);
    Ok(0)
}

/// Ours, and systemd's.
fn watchdogs(config: &Config, notify_socket: Option<&OsString>) -> Effect<Vec<Watchdog>> {
    let mut found = Vec::new();
    if let Some(path) = &config.watchdog_device {
        found.push(Watchdog::device(path, DEVICE_TIMEOUT)?);
    }
    if watchdog_enabled(false).is_some()
        && let Some(address) = notify_socket.and_then(|a| a.to_str())
    {
        found.push(Watchdog::systemd(address)?);
    }
    Ok(found)
}

/// The threads that look.
fn looking(board: &Arc<Board>, line: &Arc<Line>, logs: &Logs, config: &Config) -> Effect<()> {
    let with = || (Arc::clone(board), Arc::clone(line), logs.clone());
    let (b, _, _) = with();
    spawn("quorum", move || probes::quorum(&b))?;
    for subject in Subject::ALL {
        let rule = subject.rule();
        if let Some(socket) = rule.socket {
            let (b, _, _) = with();
            spawn(rule.comm, move || probes::daemon(&b, rule, socket))?;
        }
    }
    let (b, l, logs_) = with();
    spawn_with("group", DISPATCHING_STACK, move || group::listen(&b, &l, &logs_))?;
    let (b, l, _) = with();
    spawn("ping", move || group::ping(&b, &l))?;
    let (_, l, logs_) = with();
    spawn("orders", move || group::pass_on(&l, &logs_))?;
    let (b, _, logs_) = with();
    spawn("instances", move || instances::watch(&b, &logs_))?;
    let (b, _, logs_) = with();
    let known = config.clone();
    spawn("cluster", move || cluster::watch(&b, &known, &logs_))?;
    let (b, _, _) = with();
    let state = config.state_directories.clone();
    spawn("storage", move || storage::watch(&b, &state))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Effect<()> {
    spawn_with(name, STACK, work)
}

fn spawn_with(name: &str, stack: usize, work: impl FnOnce() + Send + 'static) -> Effect<()> {
    let started = std::thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(work);
    started.map(drop).map_err(|e| Trouble(format!("thread {name}: {e}")))
}
