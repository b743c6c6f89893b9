//! The thread that pets: no IPC with a daemon, no log, no allocation, no lock. And who opens the device that is petted.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::board::Board;
use super::log::Logs;
use super::pause;
use crate::boundary::clock::Deadline;
use crate::boundary::host::{Effect, Level, Trouble};
use crate::boundary::storage::read_text_if_there;
use crate::boundary::watchdog::Watchdog;
use crate::cluster::checker::OwnDevice;
use crate::cluster::sbd;

/// A watchdog device of our own bites after this time: twice what systemd takes to notice that this process hangs, and to bring it back.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(10);
/// A device that can't be had is tried again so often.
const AGAIN: Duration = Duration::from_secs(10);
/// The end of the petting is awaited for so long.
const ENDING: Duration = Duration::from_secs(2);

/// Between two pets.
const ROUND: Duration = Duration::from_millis(500);
/// The control thread looks twice a second. One that has not come round for so long hangs.
const GRACE_MS: u64 = 3000;

/// When the control thread last came round.
pub(super) struct Pulse {
    began: Instant,
    last: AtomicU64,
}

impl Pulse {
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

/// All that is petted.
pub(super) struct Pets {
    pub(super) pulse: Pulse,
    systemd: Option<Watchdog>,
    device: OnceLock<Watchdog>,
    ending: AtomicBool,
    /// Held while the device is opened: it must not be armed by one thread just after another one has ended the petting.
    opening: Mutex<()>,
}

impl Pets {
    pub(super) fn new(systemd: Option<Watchdog>) -> Self {
        let (device, ending, opening) = (OnceLock::new(), AtomicBool::new(false), Mutex::new(()));
        Self { pulse: Pulse::new(), systemd, device, ending, opening }
    }

    /// Opens the device, unless the petting has ended.
    fn open(&self, path: &Path) -> Effect<()> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.ending.load(Ordering::Acquire) {
            not_sbds(path)?;
            let device = Watchdog::device(path, DEVICE_TIMEOUT)?;
            let _ = self.device.set(device);
        }
        Ok(())
    }

    /// Pets for as long as the control thread comes round; disarms the device when it is to end.
    pub(super) fn pet(&self) {
        while !self.ending.load(Ordering::Acquire) {
            if self.pulse.beats() {
                self.systemd.iter().chain(self.device.get()).for_each(Watchdog::pet);
            }
            std::thread::park_timeout(ROUND);
        }
        // By the thread that pets: a pet after the magic close would take it back, and the node would be reset.
        self.device.get().into_iter().for_each(Watchdog::disarm);
    }

    /// The node stood still, which is no hang of this process: systemd finds its time over, and kills it, unless it hears first. Not
    /// the device: another thread may be disarming it.
    pub(super) fn stood_still(&self) {
        self.pulse.beat();
        self.systemd.iter().for_each(Watchdog::pet);
    }

    /// Ends the petting in the orderly way.
    pub(super) fn end(&self, petting: &JoinHandle<()>) {
        {
            let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
            self.ending.store(true, Ordering::Release);
        }
        petting.thread().unpark();
        let deadline = Deadline::after(ENDING);
        while !petting.is_finished() && !deadline.passed() {
            deadline.sleep(Duration::from_millis(5));
        }
    }
}

/// sbd's device is free while the cluster is stopped. Taken then, it would keep sbd, and with it the cluster, from starting.
fn not_sbds(path: &Path) -> Effect<()> {
    let text = sbd::PATHS.iter().find_map(|p| read_text_if_there(Path::new(p)).ok().flatten());
    let Some(text) = text else { return Ok(()) };
    // What can't be read is sbd's own trouble, and the doctor's.
    if sbd::parse(&text).unwrap_or_default().has_device(&path.to_string_lossy()) {
        return Err(Trouble(format!(
            "watchdog_device = {path:?}: is sbd's (SBD_WATCHDOG_DEV); name another device, or leave it out"
        )));
    }
    Ok(())
}

/// Opens the device, and says whether it is had. Without it everything else goes on.
pub(super) fn open(pets: &Pets, path: &Path, board: &Board, logs: &Logs) {
    let found = match pets.open(path) {
        Ok(()) => OwnDevice::Petted,
        Err(trouble) => OwnDevice::Missing(trouble.0),
    };
    if pets.ending.load(Ordering::Acquire) {
        return;
    }
    let before = std::mem::replace(&mut board.seen().device, found.clone());
    match &found {
        OwnDevice::Petted => logs.line(
            Level::Info,
            format!(
                "{}: is petted, and resets this node {DEVICE_TIMEOUT:?} after the last time",
                path.display()
            ),
        ),
        // Once, not each time.
        OwnDevice::Missing(why) if before != found => {
            logs.line(
                Level::Error,
                format!("{why}. Everything is watched without it, and it is tried again"),
            );
        }
        OwnDevice::Missing(_) | OwnDevice::None => {}
    }
}

/// Tries again until the device is had: its driver may come later than we do.
pub(super) fn open_later(pets: &Pets, path: &Path, board: &Board, logs: &Logs) {
    while board.seen().device != OwnDevice::Petted {
        pause(AGAIN);
        open(pets, path, board, logs);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn one_that_does_not_come_round_is_not_petted_for() {
        let pulse =
            Pulse { began: Instant::now().checked_sub(Duration::from_secs(60)).unwrap(), last: 0.into() };
        assert!(!pulse.beats());
        pulse.beat();
        assert!(pulse.beats());
    }

    #[test]
    fn who_pets_allocates_nothing() {
        use crate::daemon::allocations;
        let (ours, systemds) = UnixDatagram::pair().unwrap();
        let pets = Arc::new(Pets::new(Some(Watchdog::Systemd(ours))));
        pets.pulse.beat();
        let (counted, counts) = std::sync::mpsc::channel();
        let petting = std::thread::spawn({
            let pets = Arc::clone(&pets);
            move || {
                let before = allocations::of_this_thread();
                pets.pet();
                let during = allocations::of_this_thread() - before;
                drop(std::hint::black_box(vec![0u8; 64]));
                counted.send((during, allocations::of_this_thread() - before)).unwrap();
            }
        });
        let mut word = [0; 16];
        for _ in 0..3 {
            systemds.recv(&mut word).unwrap();
        }
        pets.end(&petting);
        let (during, after) = counts.recv().unwrap();
        assert_eq!(during, 0, "a pet waits for memory");
        assert!(after > 0, "the test counts nothing");
    }

    #[test]
    fn systemd_hears_of_a_standstill_at_once() {
        use crate::daemon::allocations;
        let (ours, systemds) = UnixDatagram::pair().unwrap();
        systemds.set_nonblocking(true).unwrap();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let pets = Pets {
            pulse: Pulse { began: long_ago, last: 0.into() },
            ..Pets::new(Some(Watchdog::Systemd(ours)))
        };
        assert!(!pets.pulse.beats());
        let before = allocations::of_this_thread();
        pets.stood_still();
        assert_eq!(allocations::of_this_thread() - before, 0);
        assert!(pets.pulse.beats());
        let mut word = [0; 16];
        let length = systemds.recv(&mut word).unwrap();
        assert_eq!(&word[..length], b"WATCHDOG=1");
    }

    #[test]
    fn nothing_is_petted_after_the_end() {
        let (ours, systemds) = UnixDatagram::pair().unwrap();
        let pets = Arc::new(Pets::new(Some(Watchdog::Systemd(ours))));
        pets.pulse.beat();
        let petting = std::thread::spawn({
            let pets = Arc::clone(&pets);
            move || pets.pet()
        });
        let mut word = [0; 16];
        let length = systemds.recv(&mut word).unwrap();
        assert_eq!(&word[..length], b"WATCHDOG=1");
        pets.end(&petting);
        assert!(petting.is_finished());
        assert!(pets.open(Path::new("/dev/no-such-watchdog")).is_ok(), "it is not even tried");
    }
}
