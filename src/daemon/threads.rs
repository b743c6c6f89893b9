//! The threads of `quorated`. None of them has an end of its own: one that is lost is a question that nobody asks any more, and it is not
//! seen from outside. So `quorated` ends with it, and systemd starts it anew.

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crate::boundary::host::{HostError, HostResult};

/// Stacks are locked into memory, all of them.
const STACK: usize = 256 * 1024;

/// Starts them, and knows whether one was lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Threads {
    lost: Arc<OnceLock<String>>,
}

/// Lives as long as the thread's work; a panic drops it too.
struct Working {
    name: String,
    lost: Arc<OnceLock<String>>,
}

impl Drop for Working {
    fn drop(&mut self) {
        // What the panic said stands on standard error, in the journal.
        let how = if std::thread::panicking() { "panicked" } else { "ended" };
        let _ = self.lost.set(format!("its thread {:?} {how}", self.name));
    }
}

impl Threads {
    /// Starts a thread that works for ever.
    ///
    /// # Errors
    /// The kernel refuses: TasksMax, memory.
    pub(super) fn spawn(
        &self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> HostResult<JoinHandle<()>> {
        self.spawn_with(name, STACK, work)
    }

    /// The same, with so much stack.
    pub(super) fn spawn_with(
        &self,
        name: &str,
        stack: usize,
        work: impl FnOnce() + Send + 'static,
    ) -> HostResult<JoinHandle<()>> {
        let working = Working { name: name.to_owned(), lost: Arc::clone(&self.lost) };
        start(name, stack, move || {
            let _working = working;
            work();
        })
    }

    /// Which one was lost first, and how.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}

/// Starts a thread that comes to an end.
///
/// # Errors
/// The kernel refuses: TasksMax, memory.
pub(super) fn spawn_for_once(name: &str, work: impl FnOnce() + Send + 'static) -> HostResult<JoinHandle<()>> {
    start(name, STACK, work)
}

/// The same, with so much stack.
///
/// # Errors
/// As above.
pub(super) fn start(
    name: &str,
    stack: usize,
    work: impl FnOnce() + Send + 'static,
) -> HostResult<JoinHandle<()>> {
    // Not thread::spawn, which panics where the kernel refuses.
    let started = std::thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(work);
    started.map_err(|e| HostError::from(e).about(format!("thread {name} can't be started")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_or_panics_is_lost() {
        for (work, how) in [
            (Box::new(|| {}) as Box<dyn FnOnce() + Send>, "ended"),
            (Box::new(|| panic!("on purpose")), "panicked"),
        ] {
            let threads = Threads::default();
            assert_eq!(threads.lost(), None);
            let _ = threads.spawn("storage", work).unwrap().join();
            assert_eq!(threads.lost(), Some(format!("its thread \"storage\" {how}").as_str()));
        }
    }

    #[test]
    fn one_that_comes_to_an_end_is_not() {
        let threads = Threads::default();
        spawn_for_once("device", || {}).unwrap().join().unwrap();
        assert_eq!(threads.lost(), None);
    }
}
