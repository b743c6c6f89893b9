//! The thread that keeps the watchdogs alive: no IPC with a daemon, no log, no allocation, no lock. And who opens the device.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::log::Logs;
use super::observations::Observations;
use super::pause;
use crate::boundary::clock::Deadline;
use crate::boundary::host::{HostError, HostResult, Level};
use crate::boundary::storage::read_text_if_there;
use crate::boundary::watchdog::Watchdog;
use crate::cluster::checker::OwnDevice;
use crate::cluster::sbd;

/// A watchdog device of our own bites after this time: twice what systemd takes to notice that this process hangs, and to bring it back.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(10);
/// A device that can't be had is tried again so often.
const AGAIN: Duration = Duration::from_secs(10);
/// The end of the thread is awaited for so long.
const END_WAIT: Duration = Duration::from_secs(2);

/// Between two keepalives.
const ROUND: Duration = Duration::from_millis(500);
/// The control thread looks twice a second. One that has not come round for so long hangs.
const GRACE_MS: u64 = 3000;

/// When the control thread last came round.
pub(super) struct LoopHeartbeat {
    began: Instant,
    last: AtomicU64,
}

impl LoopHeartbeat {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Called by the control thread.
    pub(super) fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn beats(&self) -> bool {
        self.now().saturating_sub(self.last.load(Ordering::Relaxed)) < GRACE_MS
    }
}

/// The watchdogs that this process keeps alive.
pub(super) struct Keepalive {
    pub(super) loop_heartbeat: LoopHeartbeat,
    systemd: Option<Watchdog>,
    device: OnceLock<Watchdog>,
    ended: AtomicBool,
    /// Held while the device is opened: it must not be armed by one thread just after another one has ended the keepalives.
    opening: Mutex<()>,
}

impl Keepalive {
    pub(super) fn new(systemd: Option<Watchdog>) -> Self {
        let (device, ended, opening) = (OnceLock::new(), AtomicBool::new(false), Mutex::new(()));
        Self { loop_heartbeat: LoopHeartbeat::new(), systemd, device, ended, opening }
    }

    /// Opens the device, unless the keepalives have ended.
    fn open(&self, path: &Path) -> HostResult<()> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.ended.load(Ordering::Acquire) {
            not_sbds(path)?;
            let device = Watchdog::device(path, DEVICE_TIMEOUT)?;
            let _ = self.device.set(device);
        }
        Ok(())
    }

    /// Sends keepalives for as long as the control thread comes round; disarms the device when it is to end.
    pub(super) fn keep_alive(&self) {
        while !self.ended.load(Ordering::Acquire) {
            if self.loop_heartbeat.beats() {
                self.systemd.iter().chain(self.device.get()).for_each(Watchdog::keep_alive);
            }
            std::thread::park_timeout(ROUND);
        }
        // By the thread that sends the keepalives: one after the magic close would take it back, and the node would be reset.
        self.device.get().into_iter().for_each(Watchdog::disarm);
    }

    /// The node stood still, which is no hang of this process: systemd finds its time over, and kills it, unless it hears first. Not
    /// the device: another thread may be disarming it.
    pub(super) fn stood_still(&self) {
        self.loop_heartbeat.beat();
        self.systemd.iter().for_each(Watchdog::keep_alive);
    }

    /// Ends the keepalives in the orderly way.
    pub(super) fn end(&self, feeder: &JoinHandle<()>) {
        {
            let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
            self.ended.store(true, Ordering::Release);
        }
        feeder.thread().unpark();
        let deadline = Deadline::after(END_WAIT);
        while !feeder.is_finished() && !deadline.passed() {
            deadline.sleep(Duration::from_millis(5));
        }
    }
}

/// sbd's device is free while the cluster is stopped. Taken then, it would keep sbd, and with it the cluster, from starting.
fn not_sbds(path: &Path) -> HostResult<()> {
    let text = sbd::PATHS.iter().find_map(|p| read_text_if_there(Path::new(p)).ok().flatten());
    let Some(text) = text else { return Ok(()) };
    // What can't be read is sbd's own trouble, and the doctor's.
    if sbd::parse(&text).unwrap_or_default().has_device(&path.to_string_lossy()) {
        return Err(HostError::unusable(format!(
            "watchdog_device = {path:?}: is sbd's (SBD_WATCHDOG_DEV); name another device, or leave it out"
        )));
    }
    Ok(())
}

/// Opens the device, and says whether it is had. Without it everything else goes on.
pub(super) fn open(keepalive: &Keepalive, path: &Path, observations: &Observations, logs: &Logs) {
    let found = match keepalive.open(path) {
        Ok(()) => OwnDevice::KeptAlive,
        Err(error) => OwnDevice::Missing(error.text),
    };
    if keepalive.ended.load(Ordering::Acquire) {
        return;
    }
    let before = std::mem::replace(&mut observations.latest().device, found.clone());
    match &found {
        OwnDevice::KeptAlive => logs.line(
            Level::Info,
            format!(
                "{}: armed: resets this node {DEVICE_TIMEOUT:?} after the last keepalive",
                path.display()
            ),
        ),
        // Once, not each time.
        OwnDevice::Missing(why) if before != found => {
            logs.line(Level::Error, format!("{why}. quorated works on without it, and tries again"));
        }
        OwnDevice::Missing(_) | OwnDevice::None => {}
    }
}

/// Tries again until the device is had: its driver may come later than we do.
pub(super) fn open_later(keepalive: &Keepalive, path: &Path, observations: &Observations, logs: &Logs) {
    while observations.latest().device != OwnDevice::KeptAlive {
        pause(AGAIN);
        open(keepalive, path, observations, logs);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_control_thread_that_hangs_gets_no_keepalives() {
        let heartbeat = LoopHeartbeat {
            began: Instant::now().checked_sub(Duration::from_secs(60)).unwrap(),
            last: 0.into(),
        };
        assert!(!heartbeat.beats());
        heartbeat.beat();
        assert!(heartbeat.beats());
    }

    #[test]
    fn the_keepalive_thread_allocates_nothing() {
        use crate::daemon::allocations;
        let (ours, systemds) = UnixDatagram::pair().unwrap();
        let keepalive = Arc::new(Keepalive::new(Some(Watchdog::Systemd(ours))));
        keepalive.loop_heartbeat.beat();
        let (counted, counts) = std::sync::mpsc::channel();
        let feeder = std::thread::spawn({
            let keepalive = Arc::clone(&keepalive);
            move || {
                let before = allocations::of_this_thread();
                keepalive.keep_alive();
                let during = allocations::of_this_thread() - before;
                drop(std::hint::black_box(vec![0u8; 64]));
                counted.send((during, allocations::of_this_thread() - before)).unwrap();
            }
        });
        let mut word = [0; 16];
        for _ in 0..3 {
            systemds.recv(&mut word).unwrap();
        }
        keepalive.end(&feeder);
        let (during, after) = counts.recv().unwrap();
        assert_eq!(during, 0, "a keepalive waits for memory");
        assert!(after > 0, "the test counts nothing");
    }

    #[test]
    fn systemd_hears_of_a_standstill_at_once() {
        use crate::daemon::allocations;
        let (ours, systemds) = UnixDatagram::pair().unwrap();
        systemds.set_nonblocking(true).unwrap();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let keepalive = Keepalive {
            loop_heartbeat: LoopHeartbeat { began: long_ago, last: 0.into() },
            ..Keepalive::new(Some(Watchdog::Systemd(ours)))
        };
        assert!(!keepalive.loop_heartbeat.beats());
        let before = allocations::of_this_thread();
        keepalive.stood_still();
        assert_eq!(allocations::of_this_thread() - before, 0);
        assert!(keepalive.loop_heartbeat.beats());
        let mut word = [0; 16];
        let length = systemds.recv(&mut word).unwrap();
        assert_eq!(&word[..length], b"WATCHDOG=1");
    }

    #[test]
    fn no_keepalive_after_the_end() {
        let (ours, systemds) = UnixDatagram::pair().unwrap();
        let keepalive = Arc::new(Keepalive::new(Some(Watchdog::Systemd(ours))));
        keepalive.loop_heartbeat.beat();
        let feeder = std::thread::spawn({
            let keepalive = Arc::clone(&keepalive);
            move || keepalive.keep_alive()
        });
        let mut word = [0; 16];
        let length = systemds.recv(&mut word).unwrap();
        assert_eq!(&word[..length], b"WATCHDOG=1");
        keepalive.end(&feeder);
        assert!(feeder.is_finished());
        assert!(keepalive.open(Path::new("/dev/no-such-watchdog")).is_ok(), "it is not even tried");
    }
}
