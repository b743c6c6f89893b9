//! The last step of a reset, by a thread that does nothing else and runs before all others.
//!
//! It is armed in the moment of the decision. Whatever then holds up the thread that decides (PostgreSQL's end, corosync, the
//! log, a disk, a real-time task above it) the node is reset [`RESET_WITHIN`] later: sysrq first, which asks neither a disk nor a
//! driver; then sbd's inquisitor, without which nobody keeps the watchdog alive; then reboot(2). A node that is to be off is
//! switched off by reboot(2) before sbd is touched, whose servants reboot it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::threads::{Threads, spawn_for_once};
use crate::boundary::clock::Deadline;
use crate::boundary::host::HostResult;
use crate::boundary::node_reset::{self, Sysrq};
use crate::boundary::{daemons, process, realtime};
use crate::cluster::panic_action::PanicAction;
use crate::decide::detector::Subject;

/// From the decision to the reset. Everything that comes before has its place in it, or is left out. Less than the second that is
/// promised: real-time tasks may keep the processor until the kernel lets others run, and the machine needs a moment for its end.
pub(super) const RESET_WITHIN: Duration = Duration::from_millis(600);
/// A way that works ends the machine before it returns, or in this time.
const WORKING: Duration = Duration::from_millis(100);
/// A node that is to be off ends its devices first. It is reset after this; systemd's watchdog ends us a second later.
pub(super) const POWERING_OFF: Duration = Duration::from_secs(7);
/// Not armed.
const NEVER: u64 = u64::MAX;

/// The way that has the node end by its watchdog.
const SBD: &str = "sbd";

/// One way to end a node; what came of it, where the node lives on.
type Way = Box<dyn Fn(PanicAction) -> String + Send + Sync>;

/// What the thread and those who arm it share.
pub(super) struct Resetter {
    ways: Vec<(&'static str, Way)>,
    began: Instant,
    /// Milliseconds after [`Self::began`].
    due: AtomicU64,
    action: AtomicU8,
    /// Whoever fences this node wants it off, which the operator's own choice does not change.
    off: Arc<AtomicBool>,
    failed: Mutex<Option<String>>,
}

/// Arms it.
#[derive(Clone)]
pub(super) struct Trigger {
    resetter: Arc<Resetter>,
    thread: Thread,
}

impl Resetter {
    fn new(ways: Vec<(&'static str, Way)>, off: Arc<AtomicBool>) -> Self {
        let (due, action) = (AtomicU64::new(NEVER), AtomicU8::new(0));
        Self { ways, began: Instant::now(), due, action, off, failed: Mutex::new(None) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }

    fn failed(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits, for ever. Until it is due it allocates nothing and waits for nobody.
    fn run(&self) {
        // Where it may not it runs as the thread that decides does.
        let _ = realtime::run_before_all();
        loop {
            match self.due.load(Ordering::Acquire) {
                NEVER => std::thread::park(),
                due if due > self.now() => {
                    std::thread::park_timeout(Duration::from_millis(due.saturating_sub(self.now())));
                }
                _ => {
                    self.go();
                    self.due.store(NEVER, Ordering::Release);
                }
            }
        }
    }

    fn go(&self) {
        let action = match self.action.load(Ordering::Acquire) {
            1 => PanicAction::Crash,
            2 => PanicAction::Off,
            _ => PanicAction::Reboot,
        };
        let action = if self.off.load(Ordering::Acquire) { PanicAction::Off } else { action };
        let mut failed = String::new();
        for (name, way) in self.ordered(action) {
            let said = way(action);
            failed.push_str(&format!("{name}: {said}; "));
        }
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
    }

    /// The ways in their order. sbd's servants call reboot(2) once their inquisitor is gone (sbd-common.c, do_timeout_reset): they
    /// would win the race against a power-off.
    fn ordered(&self, action: PanicAction) -> impl Iterator<Item = &(&'static str, Way)> {
        let last = move |name: &str| action == PanicAction::Off && name == SBD;
        let early = self.ways.iter().filter(move |(name, _)| !last(name));
        early.chain(self.ways.iter().filter(move |(name, _)| last(name)))
    }
}

impl Trigger {
    /// Starts the thread. To be called before memory is locked.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn start(threads: &Threads) -> HostResult<Self> {
        let sysrq = Sysrq::open();
        let off = Arc::new(AtomicBool::new(false));
        let patient = Arc::clone(&off);
        let ways: Vec<(&'static str, Way)> = vec![
            ("sysrq", Box::new(move |action| by_sysrq(&sysrq, action, patient.load(Ordering::Acquire)))),
            (SBD, Box::new(|_| without_sbd())),
            ("reboot", Box::new(by_reboot)),
        ];
        Self::with(threads, ways, off).map(|(trigger, _)| trigger)
    }

    fn with(
        threads: &Threads,
        ways: Vec<(&'static str, Way)>,
        off: Arc<AtomicBool>,
    ) -> HostResult<(Self, JoinHandle<()>)> {
        let resetter = Arc::new(Resetter::new(ways, off));
        let its = Arc::clone(&resetter);
        let handle = threads.spawn("reset", move || its.run())?;
        Ok((Self { resetter, thread: handle.thread().clone() }, handle))
    }

    /// What the operator wants of a node that ends.
    pub(super) fn wants(&self, action: PanicAction) {
        let code = match action {
            PanicAction::Reboot => 0,
            PanicAction::Crash => 1,
            PanicAction::Off => 2,
        };
        self.resetter.action.store(code, Ordering::Release);
    }

    /// The node is to be switched off, and to stay so.
    pub(super) fn switches_off(&self) {
        self.resetter.off.store(true, Ordering::Release);
    }

    /// Has the node reset in so long at the latest.
    pub(super) fn arm(&self, within: Duration) {
        let wait = u64::try_from(within.as_millis()).unwrap_or(0);
        self.resetter.due.fetch_min(self.resetter.now().saturating_add(wait), Ordering::AcqRel);
        self.thread.unpark();
    }

    /// Has it reset now. Comes back where no way worked: what they said.
    pub(super) fn now(&self, patience: Duration) -> String {
        self.arm(Duration::ZERO);
        let deadline = Deadline::after(patience);
        loop {
            if let Some(failed) = self.resetter.failed() {
                return failed;
            }
            if deadline.passed() {
                return format!("no way came to an end within {patience:?}");
            }
            deadline.sleep(Duration::from_millis(5));
        }
    }
}

fn by_sysrq(sysrq: &Sysrq, action: PanicAction, patient: bool) -> String {
    let key = match action {
        PanicAction::Reboot => b'b',
        PanicAction::Crash => b'c',
        // The kernel does it in a worker of its own, which may hang in a driver.
        PanicAction::Off => b'o',
    };
    if let Err(e) = sysrq.press(key) {
        return e.to_string();
    }
    if key == b'o' {
        super::pause(if patient { POWERING_OFF } else { WORKING * 3 });
    }
    if key == b'b' {
        return "done".to_owned();
    }
    sysrq.press(b'b').err().map_or("done".to_owned(), |e| e.to_string())
}

/// reboot(2), which waits for drivers: a power-off that hangs there leaves time for the next way.
fn by_reboot(action: PanicAction) -> String {
    let call = move || node_reset::restart(action).err().map_or("done".to_owned(), |e| e.to_string());
    if action != PanicAction::Off {
        return call();
    }
    let (said, says) = sync_channel(1);
    let started = spawn_for_once("off", move || {
        let _ = said.send(call());
    });
    match started {
        // Init ends after the call has come back, where there is one above it.
        Ok(_) => {
            let answer = says.recv_timeout(POWERING_OFF);
            super::pause(WORKING * 3);
            answer.unwrap_or_else(|_| format!("hangs for {POWERING_OFF:?}"))
        }
        Err(error) => error.to_string(),
    }
}

/// Pacemaker's own way.
fn without_sbd() -> String {
    match daemons::find(Subject::Sbd.rule()) {
        Ok(Some(sbd)) => match process::signal(sbd.process.id, Signal::SIGKILL) {
            Ok(_) => "killed".to_owned(),
            Err(e) => e.to_string(),
        },
        Ok(None) => "does not run".to_owned(),
        Err(e) => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Times = Arc<Mutex<Vec<(&'static str, PanicAction, Duration)>>>;

    /// With ways that note when they were gone.
    fn played() -> (Trigger, Times) {
        let (times, began): (Times, _) = (Arc::default(), Instant::now());
        let way = |name: &'static str| -> (&'static str, Way) {
            let times = Arc::clone(&times);
            let note = move |action| {
                times.lock().unwrap().push((name, action, began.elapsed()));
                "refused".to_owned()
            };
            (name, Box::new(note))
        };
        let ways = vec![way("sysrq"), way(SBD), way("reboot")];
        (Trigger::with(&Threads::default(), ways, Arc::default()).unwrap().0, times)
    }

    /// The thread that decides hangs right after the decision: the node is reset all the same.
    #[test]
    fn it_resets_in_time_by_itself() {
        let (trigger, times) = played();
        trigger.wants(PanicAction::Crash);
        trigger.arm(Duration::from_millis(200));
        // A later word does not put it off.
        trigger.arm(Duration::from_secs(60));
        let deadline = Deadline::after(Duration::from_secs(10));
        while times.lock().unwrap().len() < 3 && !deadline.passed() {
            deadline.sleep(Duration::from_millis(5));
        }
        let times = times.lock().unwrap().clone();
        assert_eq!(times.iter().map(|(name, ..)| *name).collect::<Vec<_>>(), ["sysrq", "sbd", "reboot"]);
        let (_, action, at) = times[0];
        assert_eq!(action, PanicAction::Crash);
        assert!((200..700).contains(&at.as_millis()), "{at:?}");
    }

    #[test]
    fn who_fences_a_node_off_has_it_off() {
        let (trigger, times) = played();
        trigger.wants(PanicAction::Crash);
        trigger.switches_off();
        trigger.now(Duration::from_secs(10));
        assert!(times.lock().unwrap().iter().all(|(_, action, _)| *action == PanicAction::Off));
        // sbd's servants reboot a node whose inquisitor is gone.
        assert_eq!(times.lock().unwrap().last().map(|(name, ..)| *name), Some(SBD));
    }

    #[test]
    fn it_says_why_no_way_worked() {
        let (trigger, times) = played();
        trigger.arm(Duration::from_secs(60));
        let failed = trigger.now(Duration::from_secs(10));
        assert_eq!(failed, "sysrq: refused; sbd: refused; reboot: refused; ");
        assert!(times.lock().unwrap()[0].2 < Duration::from_secs(5));
    }
}
