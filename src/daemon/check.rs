//! `quorated --check`: the configuration, and everything that is watched asked once.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::config::Config;
use super::threads::spawn_for_once;
use crate::boundary::clock::Deadline;
use crate::boundary::corosync_lib::Votes;
use crate::boundary::host::HostResult;
use crate::boundary::{daemons, ipc, printable, registry};
use crate::decide::detector::Subject;

const PATIENCE: Duration = Duration::from_secs(2);

/// Prints what is found. Gives the exit code: 0, or 1 where something that runs does not answer, or corosync.conf can't be read.
///
/// # Errors
/// The agent's words can't be read.
pub(super) fn check(config: &Config, path: &Path) -> HostResult<u8> {
    let (limits, guessed) = config.limits();
    let mut out = std::io::stdout().lock();
    // Who closes the pipe has read enough; println! would panic.
    let mut line = |text: String| drop(writeln!(out, "{}", printable::lines(&text)));
    line(format!("configuration {} is valid; limits in ms:", path.display()));
    line(format!(
        "  silent {}, stopped {}, membership {}, storage {}, postmaster {}",
        limits.silent, limits.stopped, limits.totem, limits.storage, limits.postmaster
    ));
    if let Some(device) = &config.watchdog_device {
        line(format!(
            "  watchdog_device {}: to open it would arm it; quorate status tells whether it is armed",
            device.display()
        ));
    }
    let mut silent = guessed.is_some();
    if let Some(error) = guessed {
        line(format!("  the limit of the membership is a guess: {error}"));
    }
    for subject in Subject::ALL.into_iter().filter(|s| *s != Subject::Totem) {
        let rule = subject.rule();
        let word = match daemons::find(rule) {
            Err(e) => format!("can't be looked at: {e}"),
            Ok(None) => "does not run".to_owned(),
            Ok(Some(found)) => {
                let id = found.process.id;
                let unit =
                    if found.unit == rule.unit { String::new() } else { format!(" in {}", found.unit) };
                match answer(subject) {
                    Ok(took) => format!("pid {id}{unit}, {took}"),
                    Err(why) => {
                        silent = true;
                        format!("pid {id}{unit}, does not answer: {why}")
                    }
                }
            }
        };
        line(format!("{:22}{word}", rule.name));
    }
    for instance in registry::all()? {
        match instance {
            Ok(i) => line(format!("instance {}: {} in {}", i.resource, i.role, i.pgdata.display())),
            Err(error) => line(format!("instance: {error}")),
        }
    }
    Ok(silent.into())
}

fn answer(subject: Subject) -> Result<String, String> {
    let begun = Instant::now();
    match (subject, subject.rule().socket) {
        (Subject::Corosync, _) => {
            let word = votes()?;
            let device = match word.device_votes {
                None => "",
                Some(true) => ", the quorum device votes",
                Some(false) => ", the quorum device does not vote",
            };
            let quorate = if word.quorate { "quorate" } else { "not quorate" };
            return Ok(format!("{quorate}{device}, in {} µs", begun.elapsed().as_micros()));
        }
        (_, Some(socket)) => {
            ipc::answers(socket, Deadline::after(PATIENCE)).map_err(|refusal| refusal.why)?
        }
        (Subject::Qdevice, _) => {
            return match votes()?.device_alive {
                Some(true) => Ok("reports to votequorum".to_owned()),
                Some(false) => Err("votequorum: it has not reported in its timeout".to_owned()),
                None => Err("it is not registered with votequorum".to_owned()),
            };
        }
        (_, None) => return Ok("is judged by its process state alone".to_owned()),
    }
    Ok(format!("answers in {} µs", begun.elapsed().as_micros()))
}

/// In a thread of its own, which is left behind where corosync hangs.
fn votes() -> Result<crate::boundary::corosync_lib::QuorumAnswer, String> {
    let (done, wait) = std::sync::mpsc::sync_channel(1);
    spawn_for_once("votes", move || {
        let _ = done.send(Votes::connect().and_then(|v| v.ask(&[])).map_err(|t| t.text));
    })
    .map_err(|t| t.text)?;
    wait.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("no answer in time".to_owned()))
}
