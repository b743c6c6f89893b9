//! The evidence of a reset: on its way out of the node before the reset itself, and never in its way.
//!
//! A helper process (`--helper=evidence`) does the writing, small, locked and before all others at the processor. First the
//! kernel's log, at once; then the record on the disk, by a thread of its own, for the disk may be what hangs.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::log::Logs;
use super::observations::Observations;
use super::threads::spawn_for_once;
use crate::boundary::clock::Deadline;
use crate::boundary::companion::{self, Companion, NoAnswer};
use crate::boundary::host::Level;
use crate::boundary::reset_record::{self, PATH, Slot};
use crate::boundary::{identity, realtime};
use crate::cluster::reset_record::ResetRecord;

/// Between two looks whether the helper still runs.
pub(super) const LOOKING: Duration = Duration::from_secs(5);

/// A reset is told of for a week.
const RECENT: u64 = 7 * 86_400;

/// What the helper answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Answer {
    /// Whether a log of the kernel's took the line.
    Kernel(bool),
    /// What the disk said; `None`: it has the record.
    Disk(Option<String>),
}

/// The helper, for those who have something to leave.
#[derive(Clone)]
pub(super) struct Evidence {
    helper: Arc<Mutex<Companion>>,
    boot: String,
}

impl Evidence {
    /// Starts the helper. To be called before memory is locked. What can't be started now is tried again by [`Self::keep`].
    pub(super) fn start() -> Self {
        let mut helper = Companion::new("evidence");
        let _ = helper.start();
        Self { helper: Arc::new(Mutex::new(helper)), boot: identity::boot_id() }
    }

    /// Without a helper.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { helper: Arc::new(Mutex::new(Companion::new("evidence"))), boot: String::new() }
    }

    /// Has the helper run, for ever.
    pub(super) fn keep(&self, logs: &Logs) {
        let mut said = false;
        loop {
            let started = self.helper.lock().unwrap_or_else(PoisonError::into_inner).start();
            if let (Err(error), false) = (&started, said) {
                logs.line(Level::Warning, format!("a reset would leave no evidence: {error}"));
            }
            said = started.is_err();
            super::pause(LOOKING);
        }
    }

    /// Hands the reason over, without waiting.
    pub(super) fn leave(&self, why: &str, logs: &Logs) {
        let (at, ms) = now();
        let record = ResetRecord { at, ms, boot: self.boot.clone(), reason: why.to_owned() };
        let told = match (self.helper.try_lock(), serde_json::to_vec(&record)) {
            (Ok(mut helper), Ok(text)) => helper.tell(&text).map_err(|e| e.to_string()),
            (Err(TryLockError::Poisoned(helper)), Ok(text)) => {
                helper.into_inner().tell(&text).map_err(|e| e.to_string())
            }
            (Err(TryLockError::WouldBlock), _) => Err("its helper process is being started".to_owned()),
            (_, Err(e)) => Err(e.to_string()),
        };
        if let Err(why) = told {
            logs.line(Level::Warning, format!("the reset leaves no evidence: {why}"));
        }
    }

    /// Waits until all of it is where it is to be, or the deadline.
    pub(super) fn wait(&self, deadline: Deadline, logs: &Logs) {
        let Ok(mut helper) = self.helper.try_lock() else { return };
        for _ in 0..2 {
            let said = helper.hear(deadline, false).map(|text| serde_json::from_slice(&text));
            match said {
                Ok(Ok(Answer::Disk(None) | Answer::Kernel(true))) => {}
                Ok(Ok(Answer::Kernel(false))) => logs.line(
                    Level::Info,
                    "the kernel's log does not take the reason: /dev/kmsg is not there".to_owned(),
                ),
                Ok(Ok(Answer::Disk(Some(why)))) => logs.line(Level::Warning, format!("{PATH}: {why}")),
                Ok(Err(_)) => return,
                Err(NoAnswer::Hangs(_) | NoAnswer::Late(_)) => {
                    return logs.line(Level::Warning, format!("{PATH}: the disk does not answer in time"));
                }
                Err(NoAnswer::Gone(why)) => return logs.line(Level::Warning, format!("{PATH}: {why}")),
            }
        }
    }
}

/// Says of which reset the last boot came, where it is not long ago.
pub(super) fn tell(observations: &Observations, logs: &Logs) {
    match reset_record::read(PATH.as_ref()) {
        Ok(Some(record)) if now().0.saturating_sub(record.at) < RECENT => {
            let text = record.text(&identity::boot_id());
            observations.latest().last_reset = Some(text.clone());
            logs.line(Level::Warning, text);
        }
        Ok(_) => {}
        Err(error) => logs.line(Level::Warning, error.text),
    }
}

/// Seconds since 1970, and milliseconds. For people: nothing is decided by it, for the wall clock may be set.
fn now() -> (u64, u32) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (now.as_secs(), now.subsec_millis())
}

/// The helper process itself. Gives the exit code.
pub(super) fn serve() -> u8 {
    companion::name(c"quorated-last");
    realtime::one_arena();
    let mut kernel = reset_record::kernel_logs();
    let (to_disk, records) = sync_channel::<ResetRecord>(1);
    let disk = spawn_for_once("disk", move || {
        let _ = realtime::run_before_all();
        // Here, not before: it may hang from the beginning.
        let slot = Slot::open(PATH.as_ref());
        while let Ok(record) = records.recv() {
            let written = slot.as_ref().map_err(ToString::to_string);
            let written = written.and_then(|slot| slot.write(&record).map_err(|e| e.to_string()));
            answer(&Answer::Disk(written.err()));
        }
    });
    if disk.is_err() {
        return 1;
    }
    // Its own pages must not have to be read from the disk that hangs. What is not permitted is not missed before the worst case.
    let _ = realtime::lock_memory();
    // It has nothing to do until the last second of the node, and then what keeps the processor must not keep the reason.
    let _ = realtime::run_before_all();
    while let Ok(Some(text)) = companion::listen() {
        let Ok(record) = serde_json::from_slice::<ResetRecord>(&text) else { return 1 };
        let line = format!("quorated: reset: {}", record.reason.replace('\n', " "));
        answer(&Answer::Kernel(reset_record::tell_kernel(&mut kernel, &line)));
        let _ = to_disk.try_send(record);
    }
    0
}

fn answer(answer: &Answer) {
    // Nobody to hear it: quorated is gone, and the node soon.
    let _ = serde_json::to_vec(answer).map(|text| companion::answer(&text));
}
