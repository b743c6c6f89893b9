//! Threads that live in the lab's network namespace.

use std::fs::File;
use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, setns};

use super::endpoints::{ClientError, Endpoints};

/// Told to a worker when it must end; it looks at it before each attempt, and each attempt is bounded.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A thread with a runtime, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts `task` in the namespace.
    pub(super) fn start(
        endpoints: &Endpoints,
        name: &str,
        task: impl FnOnce(Stop) -> Pin<Box<dyn Future<Output = ()>>> + Send + 'static,
    ) -> Result<Self, ClientError> {
        let stop = Stop::default();
        let for_thread = stop.clone();
        let thread = spawn(endpoints, name, move || {
            block_on(async move { task(for_thread).await });
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the worker was already printed by its thread; dropping must not panic too.
            let _ = thread.join();
        }
    }
}

/// Runs one future to its end in the namespace, on a thread of its own: the caller's namespace stays.
pub(super) fn in_namespace<T: Send + 'static>(
    endpoints: &Endpoints,
    name: &str,
    task: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<Result<T, String>, ClientError> {
    let thread = spawn(endpoints, name, move || block_on(task))?;
    thread.join().map_err(|_| ClientError::Thread { name: name.to_owned(), reason: "it panicked".to_owned() })
}

fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of the current thread needs one epoll descriptor")
        .block_on(task)
}

fn spawn<T: Send + 'static>(
    endpoints: &Endpoints,
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ClientError> {
    // Opened here, so that a namespace that is gone is the caller's error and not a dead thread.
    let namespace = endpoints.netns.as_deref().map(open).transpose()?;
    let thread_error = |reason: String| ClientError::Thread { name: name.to_owned(), reason };
    std::thread::Builder::new()
        .name(format!("client-{name}"))
        .spawn(move || {
            if let Some(namespace) = namespace {
                setns(namespace, CloneFlags::CLONE_NEWNET)
                    .expect("root may enter a namespace that it could open");
            }
            body()
        })
        .map_err(|e| thread_error(e.to_string()))
}

fn open(path: &Path) -> Result<File, ClientError> {
    let fail = |reason: String| ClientError::Namespace { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|e| fail(e.to_string()))?;
    let identity = |file: &File| file.metadata().map(|m| (m.dev(), m.ino())).map_err(|e| fail(e.to_string()));
    let own = File::open("/proc/thread-self/ns/net").map_err(|e| fail(e.to_string()))?;
    // In the host's own namespace the float IPs are addresses of strangers.
    if identity(&file)? == identity(&own)? {
        return Err(fail("it is the host's own, not the lab's".to_owned()));
    }
    Ok(file)
}
