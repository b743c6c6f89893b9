//! A program of PostgreSQL's that may run for hours.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::clock::Deadline;
use super::super::command::Command;
use super::{Instance, RejoinError, Step, again, task};

/// No database of ours takes longer; one that hangs is ended.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// A program that writes no line for so long hangs: each of them tells its progress every second.
const SILENCE: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_millis(200);
/// The end of its output that is looked at, and how much is read at once.
const TAIL: u64 = 8 << 10;
const PART: u64 = 1 << 20;
/// The end of its output that is kept for the reason.
const REASON: usize = 600;

/// Whether a program tells its progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    Progress,
    Nothing,
}

impl Instance {
    /// Runs it to its end. `progress` is called with percents.
    pub(super) fn long(&self, command: &Command, tells: Tells, progress: &mut dyn FnMut(u8)) -> Step<String> {
        let log = task::new_log(&self.resource)?;
        let mut child = command.spawn_detached(log).map_err(again)?;
        let until = Deadline::after(LONGEST);
        let mut silent = Deadline::after(SILENCE);
        let mut length = 0;
        loop {
            let status = child.exited().map_err(again)?;
            let (now, text) = (task::log_length(&self.resource), self.said());
            if now != length {
                (length, silent) = (now, Deadline::after(SILENCE));
                if let Some(percent) = percent(&text) {
                    progress(percent);
                }
            }
            match status {
                Some(status) if status.success() => return Ok(text),
                Some(status) => {
                    return Err(RejoinError::Again(format!("{status}: {}: {}", command.line(), last(&text))));
                }
                None if until.passed() || (tells == Tells::Progress && silent.passed()) => {
                    // Its group: pg_basebackup has a child that receives WAL.
                    let _ = kill(Pid::from_raw(-child.id().pid), Signal::SIGKILL);
                    return Err(RejoinError::Again(format!(
                        "no progress, so it was killed: {}: {}",
                        command.line(),
                        last(&text)
                    )));
                }
                None => until.sleep(LOOK),
            }
        }
    }
}

impl Instance {
    /// The end of what the last program said.
    pub(super) fn said(&self) -> String {
        let from = task::log_length(&self.resource).saturating_sub(TAIL);
        task::log_part(&self.resource, from, TAIL).unwrap_or_default()
    }

    /// Every line that it said; `None`: it can't be read.
    pub(super) fn each_line(&self, take: &mut dyn FnMut(&str)) -> Option<()> {
        let (mut from, length) = (0, task::log_length(&self.resource));
        while from < length {
            let part = task::log_part(&self.resource, from, PART)?;
            let end = part.rfind('\n').map_or(part.len(), |at| at + 1);
            part[..end].lines().for_each(&mut *take);
            from += u64::try_from(end.max(1)).ok()?;
        }
        Some(())
    }
}

/// The last percentage, as pg_basebackup and pg_rewind print it: `12345/67890 kB (18%)`.
fn percent(text: &str) -> Option<u8> {
    let before = &text[..text.rfind("%)")?];
    before.rsplit('(').next()?.trim().parse().ok()
}

/// The last lines without progress, in one.
fn last(text: &str) -> String {
    let lines =
        text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty() && !line.contains("%)"));
    let joined = lines.collect::<Vec<_>>().join("; ");
    let from = joined.len().saturating_sub(REASON);
    let from = (from..=joined.len()).find(|at| joined.is_char_boundary(*at)).unwrap_or_default();
    joined[from..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_progress_and_reason() {
        let text = "pg_basebackup: initiating base backup\n  1024/4096 kB (25%), 0/1 tablespace\r  2048/4096 kB (50%), 0/1 tablespace\r\npg_basebackup: error: could not write\n";
        assert_eq!(percent(text), Some(50));
        assert_eq!(percent(" 24541/ 40960 kB (59%) copied\n"), Some(59));
        assert_eq!(percent("nothing"), None);
        assert_eq!(
            last(text),
            "pg_basebackup: initiating base backup; pg_basebackup: error: could not write"
        );
        assert!(last(&"ä".repeat(1000)).len() <= REASON);
    }
}
