//! The drill that proves a watchdog: arms it, sends no keepalive, and writes down as long as the node lives that it does.
//!
//! A thread of its own writes the record, so that a disk that hangs does not keep the other one from disarming the device in the end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::clock::{Deadline, boottime, wall};
use super::command::{Command, Environment};
use super::host::{HostError, HostResult};
use super::watchdog::Watchdog;
use super::watchdog_record::Slot;
use super::{identity, reset_record};
use crate::cluster::clock::BootTime;
use crate::cluster::watchdog_proof::{End, ProofRecord};

/// Between two signs of life: the error of what is measured.
const STEP: Duration = Duration::from_millis(100);
/// How long writing everything to the disks may take before the drill.
const SYNC_DEADLINE: Duration = Duration::from_secs(120);
const SYNC: &str = "/usr/bin/sync";
/// How long the last word may take to reach the disk.
const LAST_WORD: Duration = Duration::from_secs(10);

/// What is done with which device.
#[derive(Debug)]
pub struct Plan {
    pub device: String,
    pub timeout_s: u32,
    /// The device's driver, where the kernel tells.
    pub driver: Option<String>,
    /// So long the node is to live before the watchdog counts as one that does not bite.
    pub patience_ms: u32,
    pub record: PathBuf,
}

/// What there is to tell while it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// Its driver calls it so.
    Armed(String),
    /// So many milliseconds after that.
    Alive(u32),
}

/// The record, and whether anything is still written to it.
struct Shared {
    slot: Slot,
    record: ProofRecord,
    over: bool,
}

/// Does it. Comes back where the node was not reset, with the record as it is on the disk.
///
/// # Errors
/// The device can't be armed, or the record not be written: then the device is disarmed.
pub fn run(plan: &Plan, mut tell: impl FnMut(Moment)) -> HostResult<ProofRecord> {
    let failed = |e: std::io::Error| {
        HostError::unusable(format!("{}: {e}; it needs a disk that keeps it", plan.record.display()))
    };
    sync()?;
    let signals = signals()?;
    let slot = Slot::create(&plan.record).map_err(failed)?;
    let timeout = Duration::from_secs(u64::from(plan.timeout_s));
    let (device, identity) = Watchdog::open(Path::new(&plan.device), timeout)
        .map_err(|e| HostError::unusable(format!("{}: {}; {}", plan.device, e.what, e.cure)))?;
    device.keep_alive();
    let armed = boottime();
    let record = ProofRecord {
        device: plan.device.clone(),
        identity: identity.clone(),
        driver: plan.driver.clone(),
        timeout_s: plan.timeout_s,
        boot: identity::boot_id(),
        armed_at: now_s(),
        armed_boottime_ms: armed,
        alive_ms: 0,
        gap_ms: 0,
        end: None,
    };
    let begun = slot.write(&record).map_err(failed);
    let shared = Arc::new(Mutex::new(Shared { slot, record, over: false }));
    let writer = Arc::clone(&shared);
    let started = begun.and_then(|()| {
        let thread = std::thread::Builder::new().name("record".to_owned());
        thread.spawn(move || write_on(&writer, armed)).map_err(|e| HostError::from(e).about("a thread"))
    });
    if let Err(why) = started {
        device.disarm();
        return Err(why);
    }
    // Whoever looks for the reason of the reset finds it in the kernel's log.
    let line = format!(
        "quorate prove-watchdog: {} is armed with {} s, and gets no keepalive",
        plan.device, plan.timeout_s
    );
    reset_record::tell_kernel(&mut reset_record::kernel_logs(), &line);
    tell(Moment::Armed(identity));
    let end = wait(armed, plan.patience_ms, &signals, &mut tell);
    device.disarm();
    drop(device);
    finish(&shared, elapsed(armed), end).map_err(failed)
}

/// Until the node has lived for long enough, or somebody wants it to end.
fn wait(armed: BootTime, patience_ms: u32, signals: &SignalFd, tell: &mut impl FnMut(Moment)) -> End {
    let mut said = 0;
    loop {
        let alive = elapsed(armed);
        if alive >= patience_ms {
            return End::Lives;
        }
        // A terminal that goes away ends nothing: the node that it was connected to is being reset.
        while let Ok(Some(signal)) = signals.read_signal() {
            if signal.ssi_signo != Signal::SIGHUP as u32 {
                return End::BrokenOff;
            }
        }
        if alive / 1000 > said {
            said = alive / 1000;
            tell(Moment::Alive(alive));
        }
        Deadline::after(STEP).sleep(STEP);
    }
}

/// Writes the sign of life, again and again.
fn write_on(shared: &Mutex<Shared>, armed: BootTime) {
    loop {
        {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if shared.over {
                return;
            }
            let alive = elapsed(armed);
            let gap = alive.saturating_sub(shared.record.alive_ms);
            let mut next = shared.record.clone();
            next.alive_ms = alive;
            next.gap_ms = next.gap_ms.max(gap);
            // What did not reach the disk is no sign of life: the next one's gap is longer.
            if shared.slot.write(&next).is_ok() {
                shared.record = next;
            }
        }
        Deadline::after(STEP).sleep(STEP);
    }
}

/// Writes how it ended, over the signs of life.
fn finish(shared: &Mutex<Shared>, alive_ms: u32, end: End) -> std::io::Result<ProofRecord> {
    let deadline = Deadline::after(LAST_WORD);
    let mut shared = loop {
        match shared.try_lock() {
            Ok(guard) => break guard,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) if deadline.passed() => {
                return Err(std::io::Error::other("the disk hangs, the end of the drill is not recorded"));
            }
            Err(std::sync::TryLockError::WouldBlock) => deadline.sleep(STEP),
        }
    };
    shared.over = true;
    shared.record.alive_ms = alive_ms;
    shared.record.end = Some(end);
    shared.slot.write(&shared.record)?;
    Ok(shared.record.clone())
}

fn elapsed(since: BootTime) -> u32 {
    u32::try_from(boottime() - since).unwrap_or(u32::MAX)
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    wall().millis() / 1000
}

/// Those that would end the drill come by a descriptor: what they leave behind is a device that is armed.
fn signals() -> HostResult<SignalFd> {
    super::signals::outlive_broken_pipe();
    let failed = |e: nix::errno::Errno| HostError::from(e).about("signals can't be held back");
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        set.add(signal);
    }
    set.thread_block().map_err(failed)?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(failed)
}

fn sync() -> HostResult<()> {
    let command = Command::new(SYNC).environment(Environment::Clean);
    command.run(Deadline::after(SYNC_DEADLINE)).map(drop).map_err(HostError::from)
}
