//! Runs the host's commands for the lab, each with a deadline.

use super::error::{LabError, Result};
use quorate::boundary::clock::Deadline;
use quorate::boundary::command::{Command, CommandError};
use std::path::Path;
use std::time::{Duration, Instant};

/// Where commands are looked up, on the host and in the nodes.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; 128 + the signal's number for a command that was killed by others.
    pub status: i32,
    pub stdout: String,
    /// Its last part, see [`quorate::boundary::command::STDERR_LIMIT`].
    pub stderr: String,
    /// The wall time it took.
    pub took: Duration,
}

impl Output {
    /// The standard output, or an error that names the command, its exit code and what it said.
    pub fn success(self, command: &str) -> Result<String> {
        if self.status == 0 {
            return Ok(self.stdout);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        Err(LabError::Command {
            command: command.to_owned(),
            problem: format!("exit code {}: {}", self.status, tail(said, 20)),
        })
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Runs a command of the host to its end, or kills its process group at the deadline.
pub fn run<S: AsRef<str>>(argv: &[S], input: Option<&str>, deadline: Duration) -> Result<Output> {
    let started = Instant::now();
    let command = command(argv)?;
    let command = input.map_or(command.clone(), |text| command.stdin(text));
    let (status, stdout, stderr) = match command.run_any(Deadline::after(deadline)) {
        Ok(output) => (output.code, output.text(), output.stderr),
        Err(CommandError::Signalled { signal, stderr, .. }) => (128 + signal, String::new(), stderr),
        Err(e) => return Err(LabError::Command { command: command.line(), problem: e.to_string() }),
    };
    Ok(Output { status, stdout, stderr, took: started.elapsed() })
}

/// Runs a command that has to succeed, and gives its standard output.
pub fn check<S: AsRef<str>>(argv: &[S], deadline: Duration) -> Result<String> {
    let words: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    run(argv, None, deadline)?.success(&words.join(" "))
}

/// The command of these words, its program looked up in [`PATH`].
pub fn command<S: AsRef<str>>(argv: &[S]) -> Result<Command> {
    let (program, arguments) =
        argv.split_first().ok_or_else(|| LabError::Host("an empty command line".into()))?;
    let program = program.as_ref();
    let mut places = PATH.split(':').map(|dir| Path::new(dir).join(program));
    let found = places.find(|p| p.is_file()).ok_or_else(|| LabError::Command {
        command: program.to_owned(),
        problem: "not found on this host; dist/host-packages lists the packages that the lab needs".into(),
    })?;
    Ok(Command::new(found).args(arguments.iter().map(AsRef::as_ref)).env("PATH", PATH))
}

/// A short pause between two looks at something; the caller's loop has the deadline.
pub fn nap(time: Duration) {
    Deadline::after(time).sleep(time);
}

/// The command line that runs `argv` inside the node whose init has this process id.
pub fn enter<S: AsRef<str>>(leader: i32, argv: &[S]) -> Vec<String> {
    let mut words: Vec<String> = [
        "nsenter",
        "-t",
        &leader.to_string(),
        "-m",
        "-u",
        "-i",
        "-n",
        "-p",
        "-r",
        "-w",
        "--",
        "/usr/bin/env",
        "-i",
    ]
    .map(str::to_owned)
    .to_vec();
    words.extend([format!("PATH={}", PATH), "HOME=/root".into(), "LC_ALL=C".into(), "TERM=xterm".into()]);
    words.extend(argv.iter().map(|w| w.as_ref().to_owned()));
    words
}
