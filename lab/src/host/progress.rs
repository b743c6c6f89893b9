//! What the lab tells its user while it works: a line a step, each with the time since the start.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Prints steps: as lines, with a turning sign below them on a terminal.
pub struct Progress {
    started: Instant,
    bar: Option<ProgressBar>,
    last: Mutex<String>,
}

impl Progress {
    /// Starts the clock.
    pub fn start() -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("         {spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Progress { started: Instant::now(), bar, last: Mutex::default() }
    }

    /// Says what is done next.
    pub fn step(&self, what: &str) {
        let line = format!("[{:6.1}s] {what}", self.started.elapsed().as_secs_f32());
        match &self.bar {
            Some(bar) => {
                bar.println(line);
                bar.set_message(what.to_owned());
            }
            None => eprintln!("{line}"),
        }
        *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = what.to_owned();
    }

    /// What was said last: where an interrupted work stood.
    pub fn last(&self) -> String {
        self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
