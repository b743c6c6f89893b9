//! `quorate primary-here`: what the quorum device's heuristics run.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use clap::Args;

use crate::boundary::clock::Deadline;
use crate::boundary::host::Level;
use crate::boundary::local_instances;
use crate::boundary::log::Log;
use crate::decide::primary_here::{Verdict, decide};

/// For the servers' answers.
const ANSWERS: Duration = Duration::from_millis(600);
/// For the whole look. corosync-qdevice gives heuristics 1 s at the least, and the program has to be started first.
const PATIENCE: Duration = Duration::from_millis(700);
/// For one line of the system's log, which may hang as well.
const LOG: Duration = Duration::from_millis(100);

/// Whom to tell.
#[derive(Debug, Args)]
#[command(
    after_help = "For quorum.device.heuristics of corosync.conf; asks neither Pacemaker nor corosync, and takes 0.8 s at most.\n\
                  Exit code: 0 at least half of this node's instances are primaries that are well, 1 they are not, or it can't be told"
)]
pub struct PrimaryHere {
    /// Say it in the system's log too: journalctl -t quorate-postgres
    #[arg(long)]
    log: bool,
}

/// Looks, prints why; gives the exit code.
pub(super) fn run(args: &PrimaryHere) -> u8 {
    let deadline = Deadline::after(PATIENCE);
    let (sender, verdicts) = channel();
    // A look at what hangs may never return; the end of the process is the end of its thread.
    std::thread::spawn(move || {
        let verdict = match local_instances::instances(Deadline::after(ANSWERS)) {
            Ok(instances) => decide(&instances),
            Err(error) => Verdict::NotHere(error.to_string()),
        };
        let _ = sender.send(verdict);
    });
    let verdict = verdicts.recv_timeout(deadline.remaining()).unwrap_or_else(|e| {
        Verdict::NotHere(match e {
            RecvTimeoutError::Timeout => format!("no result within {PATIENCE:?}"),
            RecvTimeoutError::Disconnected => "the check ended by itself".to_owned(),
        })
    });
    if args.log {
        log(verdict.to_string());
    }
    // Not println: who asks may have closed the pipe.
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{verdict}\n"));
    match verdict {
        Verdict::Here(_) => 0,
        Verdict::NotHere(_) => 1,
    }
}

fn log(line: String) {
    let (done, written) = channel::<()>();
    std::thread::spawn(move || {
        Log::new("heuristics", "primary-here").line(Level::Info, &line);
        drop(done);
    });
    let _ = written.recv_timeout(LOG);
}
