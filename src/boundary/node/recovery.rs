//! The startup process: where it is, and which restore_command it waits for.

use super::Node;
use crate::boundary::clock::boottime;
use crate::boundary::process::{self, ProcessInfo};
use crate::decide::clock::BootTime;
use crate::decide::recovery::{Recovery, RestoreCommand};
use crate::pg::startup_title::{is_startup, segment};

/// Clock ticks of /proc, a second: USER_HZ, 100 on every architecture that PostgreSQL is packaged for.
const TICKS: u64 = 100;

/// A command may start another one, and that one the next: a shell, `timeout`, ssh.
const DEEPEST: usize = 8;

impl Node {
    pub(super) fn startup_process(&self) -> Option<Recovery> {
        let postmaster = self.postmaster_by_file()?.id;
        let files = self.files().ok()?;
        let directory = files.resolve(self.pgdata()).ok()?;
        let family = process::postgres_family(postmaster, &directory, files.user().uid).ok()?;
        let (startup, title) = family.iter().find_map(|child| {
            let title = process::title(child.id.pid)?;
            is_startup(&title).then_some((child.id.pid, title))
        })?;
        Some(Recovery { segment: segment(&title), command: child_of(startup).map(|first| command(&first)) })
    }
}

fn command(first: &ProcessInfo) -> RestoreCommand {
    let mut last = first.clone();
    for _ in 0..DEEPEST {
        match child_of(last.id.pid) {
            Some(next) => last = next,
            None => break,
        }
    }
    let begun = BootTime::at(first.id.start_time.saturating_mul(1000) / TICKS);
    RestoreCommand { id: last.id, program: last.comm, age: boottime() - begun }
}

fn child_of(pid: i32) -> Option<ProcessInfo> {
    let child = *process::children(pid).first()?;
    process::inspect(child).ok().flatten()
}
